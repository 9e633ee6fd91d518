"""``creditops actions``: the responses that warnings propose, and what people decide on them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from creditops.cli.options import Actor, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.errors import UsageError

app = typer.Typer(help="Responses to warnings: list, approve, reject, done.", no_args_is_help=True)


@app.command("list")
def list_(
    book: Book = "demo",
    status: Annotated[
        str, typer.Option(help="proposed, approved, rejected, done, expired or all.")
    ] = "proposed",
    customer: Annotated[str | None, typer.Option(help="Only this customer.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    json_: AsJson = False,
) -> None:
    """Proposed responses, those of the severest warnings first."""
    from creditops.warnings import responses

    found = responses.list_actions(
        book, status=None if status == "all" else status, customer_id=customer, limit=limit
    )
    rows = [each.to_dict() for each in found]
    if json_:
        as_json(rows)
        return
    table(
        rows,
        ("action_id", "kind", "amount", "customer_id", "status", "severity", "proposed_on", "text_en"),
        title=f"{status} actions of {book}",
    )


@app.command()
def approve(
    action_id: str,
    actor: Actor,
    reason: Reason,
    book: Book = "demo",
    amount: Annotated[
        str | None, typer.Option(help="Of a limit reduction: another amount to take off the limit.")
    ] = None,
) -> None:
    """Approve a response; a suspension or reduction acts on limits from the next publication on."""
    from creditops.warnings import responses

    responses.approve(book, action_id, actor=actor, reason=reason, amount=_money(amount))
    console.print(f"{action_id} approved", markup=False)


@app.command()
def reject(action_id: str, actor: Actor, reason: Reason, book: Book = "demo") -> None:
    """Reject a response."""
    from creditops.warnings import responses

    responses.reject(book, action_id, actor=actor, reason=reason)
    console.print(f"{action_id} rejected", markup=False)


@app.command()
def done(action_id: str, actor: Actor, reason: Reason, book: Book = "demo") -> None:
    """Say that an approved response is carried out or lifted; its effect on limits ends."""
    from creditops.warnings import responses

    responses.finish(book, action_id, actor=actor, reason=reason)
    console.print(f"{action_id} done", markup=False)


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise UsageError(f"{text!r} is no amount", hint="write it as 1234.50") from error
