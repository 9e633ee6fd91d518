"""Commands that account for rows: the load ledger, and the quarantine."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from creditops.books import check_book
from creditops.cli.options import Actor, AnyBook, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.cli.rows import select_rows

quarantine_app = typer.Typer(
    help="Rows that broke their contract: look, replay, discard.", no_args_is_help=True
)

ledger_app = typer.Typer(
    help="Every file and its reconciliation: read = loaded + same (unchanged) + bad (quarantined)."
)

LEDGER = ("batch", "delivery", "source", "file", "status", "read", "loaded", "same", "bad")
"""Headings of the ledger as people see it: read = loaded + same (unchanged) + bad (quarantined)."""


def ledger_line(row: dict[str, Any]) -> dict[str, Any]:
    """A ledger row under short headings; the file without its folder."""
    shown = {name.removeprefix("rows_").removesuffix("_id"): value for name, value in row.items()}
    shown |= {"same": row["rows_unchanged"], "bad": row["rows_quarantined"]}
    _, shown["delivery"], shown["file"] = str(row["file"]).split("/", 2)
    if row.get("withdrawn_by"):
        shown["status"] = "withdrawn"
    return shown


def remarks(row: dict[str, Any]) -> list[str]:
    """What there is to say about a ledger row beside its counts, a line each."""
    said = [row.get("message"), *(row.get("warnings") or ())]
    if row.get("withdrawn_by"):
        said.append(f"withdrawn by batch {row['withdrawn_by']}")
    file = str(row["file"]).split("/", 2)[2]
    return [f"- {row['batch_id']} {file}: {each}" for each in said if each]


def print_ledger(rows: list[dict[str, Any]], title: str) -> None:
    """The ledger's table, and under it what there is to say."""
    table([ledger_line(row) for row in rows], LEDGER, title=title, width=100)
    for row in rows:
        for line in remarks(row):
            console.print(line, markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.add_typer(ledger_app, name="ledger")
    app.command()(orphans)
    app.add_typer(quarantine_app, name="quarantine")


@ledger_app.callback(invoke_without_command=True)
def ledger(context: typer.Context, book: AnyBook = None, json_: AsJson = False) -> None:
    """Every file and its reconciliation: read = loaded + same (unchanged) + bad (quarantined)."""
    if context.invoked_subcommand is not None:
        return
    of_book = " where %(book)s::text is null or book = %(book)s order by batch_id"
    rows = select_rows(
        "select batch_id, book, source, file, delivery_date, status, rows_read, rows_loaded, rows_unchanged,"
        " rows_quarantined, rows_deleted, rows_left_out, covers_from, covers_to, seconds, loaded_at, message,"
        " withdrawn_by, withdraws,"
        " array(select w.check_name || ': ' || w.rows_failed || ' rows, first line ' || w.first_line"
        "  from ops.load_warning w where w.batch_id = l.batch_id order by w.check_name) as warnings"
        " from ops.load_ledger l" + of_book,
        {"book": book},
        role="loader",
    )
    open_ = select_rows("select * from ops.load_unreconciled" + of_book, {"book": book}, role="loader")
    if json_:
        as_json({"files": rows, "unreconciled": open_} if open_ else rows)
        return
    print_ledger(rows, "load ledger")
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
        width=100,
    )
    for line in _left_alone(book):
        console.print(f"left alone, {line}", markup=False)


@ledger_app.command()
def withdraw(
    batch: Annotated[int, typer.Argument(help="The batch, by its number in the ledger.")],
    reason: Reason,
    actor: Actor,
    json_: AsJson = False,
) -> None:
    """Take a wrong load back: from now on as if it had never been known; what was known then remains."""
    from creditops.ingest.write.withdrawal import withdraw as take_back

    result = take_back(batch, reason=reason, actor=actor)
    if json_:
        as_json(vars(result))
        return
    restored = result.rows_loaded - result.rows_deleted
    console.print(
        f"{result.source}: {result.rows_read} rows of batch {batch} are withdrawn by batch {result.batch_id};"
        f" {restored} keys have their values of before again, {result.rows_deleted} are gone.\n"
        f"The next `creditops run all --book {result.book}` builds it; closed months that change are listed"
        " (marts.fct_restatement).",
        markup=False,
        soft_wrap=True,
    )
    if result.message:
        console.print(f"- {result.message}", markup=False, soft_wrap=True)


def _left_alone(book: str | None) -> list[str]:
    from creditops.ingest.land.landing import deliveries, files_being_written, stray_folders

    return [
        f"still being written: {landed.name}"
        for each, delivery in deliveries()
        if book in (None, each)
        for landed in files_being_written(each, delivery)
    ] + [
        f"not named BOOK/YYYY-MM-DD: {folder}"
        for folder in stray_folders()
        if book in (None, folder.split("/")[0])
    ]


def orphans(
    book: Annotated[str, typer.Argument(help="The book to look through.")],
    source: Annotated[str | None, typer.Option(help="Only rows of this source.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show; --json shows all.", min=0)] = 20,
    json_: AsJson = False,
) -> None:
    """Loaded rows that refer to something the book does not have: counts, file and line."""
    from collections import Counter

    from creditops.ingest.check.orphans import list_orphans

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


@quarantine_app.command("facilities")
def quarantine_facilities(book: Book = "demo", json_: AsJson = False) -> None:
    """Facilities that the last build set aside, because their rows contradict each other."""
    from creditops.quality.set_aside import list_set_aside

    rows = list_set_aside(check_book(book))
    if json_:
        as_json(rows)
        return
    shown = ("facility_id", "customer_id", "reason", "source", "row_key", "detail", "rows_at_fault")
    table(rows, shown, title=f"facilities of {book} set aside")


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
    actor: Actor,
    ids: Annotated[list[int] | None, typer.Argument(help="Rows; default every open row of --book.")] = None,
    book: AnyBook = None,
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
def quarantine_discard(ids: list[int], reason: Reason, actor: Actor) -> None:
    """Give rows up, with a reason."""
    from creditops.ingest import quarantine

    console.print(f"{quarantine.discard(ids, reason=reason, actor=actor)} discarded")
