"""Commands that run the chain, or build the warehouse alone: run, backfill, build, docs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from creditops.books import Partition, check_book, parse_day
from creditops.cli.options import AsJson, AsOf, Book
from creditops.cli.output import as_json, attention, console
from creditops.errors import CreditOpsError, ServiceUnreachableError, UsageError

_MARKS = {"success": "[green]done[/]", "failed": "[red]failed[/]", "skipped": "[yellow]skipped[/]"}


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(backfill)
    app.command()(build)
    app.command()(docs)


def run(
    dag: Annotated[str, typer.Argument(help="A DAG's name, or `all` (the whole chain).")],
    as_of: AsOf,
    book: Book = "demo",
    local: Annotated[bool, typer.Option("--local", help="In this process, without Airflow.")] = False,
    json_: AsJson = False,
) -> None:
    """Run a DAG for one book and day, and follow it."""
    from models_ml.run import unscored

    partition = Partition(check_book(book), parse_day(as_of))
    warned = unscored.beforehand(book) if dag in ("all", "publish") else None
    if warned and not json_:
        attention([warned])
    try:
        outcome = follow_run(dag, partition, local=local, quiet=json_)
    except CreditOpsError as error:
        said = _standing(partition)
        error.details = {"attention": said, **error.details}
        if not json_:
            attention(said)
        raise
    said = _standing(partition)
    if json_:
        as_json({**outcome, "attention": said})
    else:
        attention(said)


def backfill(
    from_: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    to: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    book: Book = "demo",
    local: Annotated[bool, typer.Option("--local", help="In this process, without Airflow.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also months that are published already.")] = False,
    restated: Annotated[
        bool, typer.Option("--restated", help="As known now, not as known then; with --local and --again.")
    ] = False,
) -> None:
    """Run the whole chain for every month end between two days, oldest first; resumable.

    A month before the newest built day is built beside the live tables and gives what was published then.
    """
    from creditops import past_day
    from creditops.publish.publisher import publications
    from creditops.runner import month_ends

    days = month_ends(parse_day(from_), parse_day(to))
    if not days:
        raise UsageError(f"no month ends between {from_} and {to}", hint="widen the range")
    if restated and not local:
        raise UsageError("the restated view is made in this process", hint="add --local")
    done = {row["as_of_date"] for row in publications(check_book(book)) if row["status"] == "published"}
    for day in days:
        if day in done and not again:
            console.print(f"{book} {day}: published already")
            continue
        console.print(f"[bold]{book} {day}[/]")
        with past_day.restated() if restated else nullcontext():
            follow_run("all", Partition(book, day), local=local, quiet=False)


def build(
    as_of: AsOf,
    book: Book = "demo",
    known_at: Annotated[
        str | None,
        typer.Option("--known-at", help="The day, YYYY-MM-DD, at whose end it is known; by default --as-of."),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option("--prefix", help="What the names of its schemas begin with."),
    ] = "asof_",
    drop: Annotated[bool, typer.Option("--drop", help="Drop its schemas instead.")] = False,
) -> None:
    """Build the warehouse as of a day and as known at another, in schemas beside the live ones."""
    from creditops.books import end_of_day
    from creditops.build import build as build_warehouse
    from creditops.build import drop_build

    if not prefix:
        raise UsageError("the live tables are built by `creditops run`", hint="give a --prefix, e.g. asof_")
    if drop:
        drop_build(prefix)
        return
    day = parse_day(as_of)
    known = end_of_day(check_book(book), parse_day(known_at)) if known_at else None
    result = build_warehouse(book, day, known_at=known, schema_prefix=prefix)
    for warning in result.warnings:
        console.print(f"[yellow]warning[/] {warning}")
    console.print(f"{len(result.models)} tables in {prefix}intermediate, {prefix}marts, {prefix}features")


def docs() -> None:
    """Write the documentation of the warehouse's models, columns and lineage, as one page."""
    from creditops.build import write_docs

    console.print(str(write_docs()), markup=False, soft_wrap=True)


def _standing(partition: Partition) -> list[str]:
    """What to know at the end of a run; nothing where the warehouse cannot be asked."""
    from creditops.declarations import broken_files
    from creditops.quality import standing
    from models_ml.run import unscored

    said = [each.sentence() for each in broken_files()]
    try:
        said += standing.of_day(partition.book, partition.as_of)
        without = unscored.afterwards(partition.book, partition.as_of)
        if without:
            return [*said, without]
        return [*said, *unscored.without_champion(partition.book, partition.as_of)]
    except (ServiceUnreachableError, UsageError):  # a broken scorecard of the book is said already
        return said


def follow_run(dag: str, partition: Partition, *, local: bool, quiet: bool) -> dict[str, object]:
    """Start and follow a run with live progress; the outcome as a mapping.

    Raises
    ------
    CreditOpsError: a step failed, with the exit code of its cause.
    """
    from creditops import runner

    events = runner.run_local(dag, partition) if local else runner.run_in_airflow(dag, partition)
    steps: list[dict[str, object]] = []
    with Progress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=False,
        disable=quiet,
    ) as progress:
        shown: dict[tuple[str, str, str], TaskID] = {}
        for event in events:
            key = (event.dag, event.run_id, event.step)
            if key not in shown:
                shown[key] = progress.add_task("", total=1)
            note = f" ({event.note})" if event.note else ""
            done = event.state in _MARKS
            progress.update(
                shown[key],
                description=f"{f'{event.dag}.{event.step}':<38} {_MARKS.get(event.state, event.state)}{note}",
                completed=int(done),
            )
            if done:
                steps.append(
                    {"dag": event.dag, "step": event.step, "state": event.state, "seconds": event.seconds}
                )
    return {"book": partition.book, "as_of": partition.as_of, "steps": steps}
