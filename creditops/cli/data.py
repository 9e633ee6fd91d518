"""Commands on data: simulate, ingest, ledger, quarantine, query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from creditops.books import check_book, parse_day
from creditops.cli.options import Actor, AnyBook, AsJson, AsOf, Reason
from creditops.cli.output import as_json, console, table
from creditops.errors import UsageError
from creditops.warehouse.connection import ROLES, connect

quarantine_app = typer.Typer(
    help="Rows that broke their contract: look, replay, discard.", no_args_is_help=True
)

_LEDGER = (
    "batch",
    "source",
    "delivery",
    "file",
    "status",
    "read",
    "loaded",
    "unchanged",
    "quarantined",
    "seconds",
)


def _ledger_line(row: dict[str, Any]) -> dict[str, Any]:
    """A ledger row under short headings; the file without its folder."""
    shown = {name.removeprefix("rows_").removesuffix("_id"): value for name, value in row.items()}
    _, shown["delivery"], shown["file"] = str(row["file"]).split("/", 2)
    return shown


def register(app: typer.Typer) -> None:
    app.command()(simulate)
    app.command()(ingest)
    app.command()(ledger)
    app.command()(orphans)
    app.command()(query)
    app.add_typer(quarantine_app, name="quarantine")


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
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Show the faults there are.")] = False,
    json_: AsJson = False,
) -> None:
    """Write a portfolio in source-file form, with its hidden truth below OUT/truth."""
    from creditops.simulate import simulate as run
    from creditops.simulate.events import parse_counts
    from creditops.simulate.faults import clear_faults, find_faults, inject_faults

    if list_faults:
        _show_faults(json_)
        return
    if out is None:
        raise UsageError("no folder to write into", hint="add --out FOLDER")
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
    from datetime import datetime

    from creditops.books import zone
    from creditops.ingest.adapted import land_adapted
    from creditops.ingest.landing import land
    from creditops.ingest.loader import load_file

    check_book(book)
    delivery = parse_day(as_of) if as_of else None
    if adapter is not None:
        landed = land_adapted(book, paths, adapter, delivery)
    else:
        landed = land(book, paths, delivery or datetime.now(zone(book)).date())
    if land_only:
        for each in landed:
            console.print(f"landed {each.name}", markup=False)
        return
    results: list[dict[str, Any]] = []
    refused: Exception | None = None
    with console.status("loading") as status:
        for each in landed:
            try:
                result = load_file(
                    each,
                    progress=lambda name, rows: status.update(f"loading {name}: {rows:,} rows"),
                    confirm_deletions=confirm_deletions,
                )
                results.append(vars(result))
            except UsageError:
                raise
            except Exception as error:  # one refused file does not keep the others out
                refused = refused or error
    if json_:
        as_json(results)
    else:
        table([_ledger_line(row) for row in results], _LEDGER, title=f"ledger of {book}")
        for row in results:
            for remark in (row["message"], *row["warnings"]):
                if remark:
                    console.print(f"- {row['file']}: {remark}", markup=False)
    if refused is not None:
        raise refused


def ledger(book: AnyBook = None, json_: AsJson = False) -> None:
    """Every file and its reconciliation: read = loaded + unchanged + quarantined."""
    of_book = " where %(book)s::text is null or book = %(book)s order by batch_id"
    rows = _select(
        "select batch_id, book, source, file, delivery_date, status, rows_read, rows_loaded, rows_unchanged,"
        " rows_quarantined, rows_deleted, seconds, loaded_at, message,"
        " array(select w.check_name || ': ' || w.rows_failed || ' rows, first line ' || w.first_line"
        "  from ops.load_warning w where w.batch_id = l.batch_id order by w.check_name) as warnings"
        " from ops.load_ledger l" + of_book,
        {"book": book},
        role="loader",
    )
    open_ = _select("select * from ops.load_unreconciled" + of_book, {"book": book}, role="loader")
    if json_:
        as_json({"files": rows, "unreconciled": open_} if open_ else rows)
        return
    table(
        [_ledger_line(row) for row in rows], (*_LEDGER, "deleted", "warnings", "message"), title="load ledger"
    )
    table(
        open_,
        (
            "batch_id",
            "file",
            "rows_read",
            "rows_loaded",
            "rows_unchanged",
            "rows_quarantined",
            "rows_in_quarantine",
        ),
        title="files that do not reconcile",
    )
    for each in _being_written(book):
        console.print(f"left alone, still being written: {each}", markup=False)


def _being_written(book: str | None) -> list[str]:
    from creditops.ingest.landing import files_being_written
    from creditops.settings import get_settings

    landing = get_settings().landing
    folders = [each for each in landing.glob("*/*") if each.is_dir() and book in (None, each.parent.name)]
    return [
        landed.name
        for folder in sorted(folders)
        for landed in files_being_written(folder.parent.name, parse_day(folder.name))
    ]


def orphans(
    book: Annotated[str, typer.Argument(help="The book to look through.")],
    source: Annotated[str | None, typer.Option(help="Only rows of this source.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show; --json shows all.", min=0)] = 20,
    json_: AsJson = False,
) -> None:
    """Loaded rows that refer to something the book does not have: counts, file and line."""
    from collections import Counter

    from creditops.ingest.orphans import list_orphans

    found = list_orphans(book, source)
    if json_:
        as_json([vars(each) for each in found])
        return
    counts = Counter((each.source, each.columns, each.missing_in) for each in found)
    table(
        [
            {"source": name, "columns": columns, "missing in": parent, "rows": rows}
            for (name, columns, parent), rows in counts.items()
        ],
        ("source", "columns", "missing in", "rows"),
        title=f"orphans of {book}",
    )
    shown = ("source", "file", "line", "columns", "value", "missing_in")
    if found[:limit]:
        table([vars(each) for each in found[:limit]], shown, title=f"first {len(found[:limit])} orphans")


@quarantine_app.command("list")
def quarantine_list(book: AnyBook = None, json_: AsJson = False) -> None:
    """Open rows with their first reason."""
    from creditops.ingest import quarantine

    rows = quarantine.open_rows(book)
    if json_:
        as_json(rows)
        return
    for row in rows:
        row["reason"] = quarantine.sentence(row["reasons"][0])
    table(rows, ("quarantine_id", "source", "file", "line", "reason"), title="open quarantine")


@quarantine_app.command("show")
def quarantine_show(quarantine_id: int, json_: AsJson = False) -> None:
    """One row: its cells and every reason."""
    from creditops.ingest import quarantine

    row = quarantine.show(quarantine_id)
    if json_:
        as_json(row)
        return
    console.print(f"{row['file']} line {row['line']} ({row['status']})", markup=False)
    table(row["cells"], ("column", "value", "reason"), title=row["source"])
    for each in row["reasons"]:
        console.print(f"- {quarantine.sentence(each)}", markup=False)


@quarantine_app.command("replay")
def quarantine_replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Rows; default every open row of --book.")] = None,
    book: AnyBook = None,
    actor: Actor = "operator",
    json_: AsJson = False,
) -> None:
    """Try open rows again after the contract or the landed file was mended."""
    from creditops.ingest import quarantine

    outcome = quarantine.replay(ids or None, book=book, actor=actor)
    if json_:
        as_json(vars(outcome))
        return
    console.print(f"{outcome.loaded} loaded, {outcome.still_bad} still bad")


@quarantine_app.command("discard")
def quarantine_discard(ids: list[int], reason: Reason, actor: Actor = "operator") -> None:
    """Give rows up, with a reason."""
    from creditops.ingest import quarantine

    console.print(f"{quarantine.discard(ids, reason=reason, actor=actor)} discarded")


def query(
    statement: Annotated[str, typer.Argument(help="One SQL statement; it cannot change anything.")],
    role: Annotated[str, typer.Option("--as", help=f"One of {', '.join(ROLES)}.")] = "bi_reader",
    json_: AsJson = False,
) -> None:
    """Read-only SQL with a role's rights."""
    rows = _select(statement, None, role=role)
    if json_:
        as_json(rows)
    else:
        table(rows, tuple(rows[0]) if rows else (), title=None)


def _select(statement: str, parameters: dict[str, Any] | None, *, role: str) -> list[dict[str, Any]]:
    import psycopg
    from psycopg.rows import dict_row

    with connect(role) as connection:
        connection.read_only = True
        try:
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise UsageError(
                f"PostgreSQL says: {str(error).splitlines()[0]}", hint=f"the statement ran as role {role}"
            ) from error
