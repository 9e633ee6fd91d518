"""Commands on data: simulate, ingest, query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from creditops.books import check_book, parse_day, today
from creditops.cli.options import AsJson, AsOf
from creditops.cli.output import as_json, attention, console, table
from creditops.cli.reconciliation import print_ledger
from creditops.cli.rows import select_rows
from creditops.errors import CreditOpsError, ServiceUnreachableError, UsageError
from creditops.warehouse.connection import ROLES


def register(app: typer.Typer) -> None:
    app.command()(simulate)
    app.command()(ingest)
    app.command()(query)


def simulate(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write source files into.", show_default=False)
    ] = None,
    book: Annotated[str, typer.Option("--book", "-b")] = "demo",
    customers: Annotated[int, typer.Option(help="Customers in all.", min=24)] = 2400,
    months: Annotated[int, typer.Option(help="Months of history.", min=18)] = 36,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same bytes.")] = 7,
    as_of: AsOf = "2026-06-30",
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="Events to inject as KIND=N, e.g. sales_crash=20; may be repeated."),
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="Fault to inject; may be given several times.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            help="canonical; relational: loans as a bank's own tables; flat: variables and an outcome."
        ),
    ] = "canonical",
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Show the faults there are.")] = False,
    json_: AsJson = False,
) -> None:
    """Write a portfolio in source-file form, with its hidden truth below OUT/truth."""
    from creditops.simulate import FORMS
    from creditops.simulate import simulate as run
    from creditops.simulate.book.events import parse_counts
    from creditops.simulate.faults import clear_faults, find_faults, inject_faults

    if list_faults:
        _show_faults(json_)
        return
    if out is None:
        raise UsageError("no folder to write into", hint="add --out FOLDER")
    if form not in FORMS:
        raise UsageError(f"{form!r} is no form", hint=f"use {', '.join(FORMS)}")
    if fault and form != "canonical":
        raise UsageError("faults are injected into canonical files", hint="leave --form or --fault out")
    find_faults(fault or ())
    counts = parse_counts(event or ())
    clear_faults(out)
    with console.status("simulating") as status:
        summary = run(
            out,
            book=check_book(book),
            customers=customers,
            months=months,
            seed=seed,
            as_of=parse_day(as_of),
            events=counts,
            progress=lambda name, rows: status.update(f"simulating: {name} {rows:,} rows"),
        )
        summary = FORMS[form](summary)
        faults = inject_faults(out, fault, seed=seed) if fault else []
    injected = [
        {
            "fault": each.fault.name,
            "source": each.fault.source,
            "rows": each.rows,
            "outcome": each.fault.outcome,
        }
        for each in faults
    ]
    if json_:
        as_json({"as_of": summary.as_of, "rows": summary.rows, "out": str(out), "faults": injected})
        return
    table(
        [{"source": name, "rows": rows} for name, rows in summary.rows.items()],
        ("source", "rows"),
        title=f"{book} as of {summary.as_of} in {out}",
    )
    if injected:
        table(injected, ("fault", "source", "rows", "outcome"), title="injected faults")


def _show_faults(json_: bool) -> None:
    from creditops.simulate.faults import FAULTS

    rows = [
        {"fault": f.name, "source": f.source, "outcome": f.outcome, "says": f.says, "en": f.en, "zh": f.zh}
        for f in FAULTS.values()
    ]
    if json_:
        as_json(rows)
    else:
        table(rows, ("fault", "source", "outcome", "en", "zh"), title="faults")


def ingest(
    book: Annotated[str, typer.Argument(help="The book the files belong to.")],
    paths: Annotated[list[Path], typer.Argument(help="Source files or folders.")],
    adapter: Annotated[str | None, typer.Option(help="Adapter that maps a foreign form.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Delivery day; default today, or the adapter's.")
    ] = None,
    land_only: Annotated[bool, typer.Option("--land-only", help="Land the files; a run loads them.")] = False,
    confirm_deletions: Annotated[
        bool,
        typer.Option("--confirm-deletions", help="Accept a full snapshot that lacks more rows than usual."),
    ] = False,
    json_: AsJson = False,
) -> None:
    """Land files and load them through contracts, or through an adapter."""
    from creditops.adapters import load_adapter
    from creditops.ingest.land.adapted import land_adapted
    from creditops.ingest.land.file_names import strays_among
    from creditops.ingest.land.landing import land
    from creditops.ingest.write import strays
    from creditops.ingest.write.loader import load_file
    from creditops.quality import standing

    check_book(book)
    delivery = parse_day(as_of) if as_of else None
    day = delivery or today(book)
    if adapter is not None:
        landed = land_adapted(book, paths, adapter, delivery)
        not_taken = strays_among(paths, load_adapter(adapter).takes)
    else:
        landed = land(book, paths, day)
        not_taken = strays_among(paths)
    strays.note(book, day, not_taken)
    said = [each.sentence() for each in not_taken]
    if land_only:
        for each in landed:
            console.print(f"landed {each.name}", markup=False)
        attention(said)
        return
    results: list[dict[str, Any]] = []
    refused: list[CreditOpsError] = []
    with console.status("loading") as status:
        for each in landed:
            try:
                result = load_file(
                    each,
                    progress=lambda name, rows: status.update(f"loading {name}: {rows:,} rows"),
                    confirm_deletions=confirm_deletions,
                )
                results.append(vars(result))
            except ServiceUnreachableError:
                raise
            except CreditOpsError as error:  # one refused file does not keep the others out
                refused.append(error)
    said += standing.of_load([row["batch_id"] for row in results])
    if not json_:
        print_ledger(results, f"ledger of {book}")
        attention(said)
    if refused:
        first = refused[0]
        first.message = "; ".join(each.message for each in refused)
        first.details = {"loads": results, "attention": said}
        raise first
    if json_:
        as_json(results)


def query(
    statement: Annotated[str, typer.Argument(help="One SQL statement; it cannot change anything.")],
    role: Annotated[str, typer.Option("--as", help=f"One of {', '.join(ROLES)}.")] = "bi_reader",
    json_: AsJson = False,
) -> None:
    """Read-only SQL with a role's rights."""
    rows = select_rows(statement, None, role=role)
    if json_:
        as_json(rows)
    else:
        table(rows, tuple(rows[0]) if rows else (), title=None)
