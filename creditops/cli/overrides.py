"""``creditops models overrides``: grades changed by hand, with reason, approver and expiry."""

from __future__ import annotations

from typing import Annotated

import typer

from creditops import clock, identity
from creditops.books import parse_day, today
from creditops.cli.options import Actor, AnyBook, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.settings import get_settings

app = typer.Typer(help="Grades changed by hand: add, list, end.", no_args_is_help=True)
Day = Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD; today by default.")]


@app.command()
def add(
    customer: str,
    grade: str,
    book: Book,
    scorecard: Annotated[str, typer.Option("--scorecard", help="The scorecard whose grade is changed.")],
    until: Annotated[str, typer.Option("--until", help="First day it no longer holds, YYYY-MM-DD.")],
    approver: Annotated[
        str,
        typer.Option(
            "--approver",
            callback=identity.acting,
            help="Who lets it; not who asks for it. Asks for that person's password.",
        ),
    ],
    reason: Reason,
    actor: Actor,
    from_: Day = None,
) -> None:
    """Change a customer's grade by hand; publications from that day on show it as effective."""
    from models_ml.lifecycle import overrides

    number = overrides.add(
        overrides.Request(
            book, scorecard, customer, grade, reason, actor, approver,
            parse_day(from_) if from_ else today(book),
            parse_day(until),
        )
    )  # fmt: skip
    console.print(f"override {number}: {customer} has grade {grade} until {until}", markup=False)


@app.command("list")
def list_(
    book: AnyBook = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Only those in force that day.")] = None,
    json_: AsJson = False,
) -> None:
    """Overrides, newest first, ended ones included."""
    from models_ml.lifecycle import overrides

    rows = overrides.listed(book, as_of=parse_day(as_of) if as_of else None)
    if json_:
        as_json(rows)
        return
    columns = ("override_id", "book", "scorecard", "customer_id", "grade_from", "grade_to", "requested_by",
               "approved_by", "starts_on", "expires_on", "ended_on", "reason")  # fmt: skip
    table(rows, columns, title="overrides")


@app.command()
def end(override: int, reason: Reason, actor: Actor, on: Day = None) -> None:
    """End an override before it expires."""
    from models_ml.lifecycle import overrides

    day = parse_day(on) if on else clock.today(get_settings().timezone)
    overrides.end(override, on=day, actor=actor, reason=reason)
    console.print(f"override {override} ended on {day}", markup=False)
