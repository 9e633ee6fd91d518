"""``creditops warnings``: the early warnings and what people do about them."""

from __future__ import annotations

import typer

from creditops.cli.options import Actor, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table

app = typer.Typer(help="Early warnings: list, acknowledge, resolve.", no_args_is_help=True)


@app.command("list")
def list_(
    book: Book = "demo",
    severity: str | None = typer.Option(None, help="red, orange or yellow."),
    json_: AsJson = False,
) -> None:
    """Open warnings, worst first."""
    from creditops import warnings

    rows = [each.to_dict() for each in warnings.list_warnings(book, severity=severity)]
    if json_:
        as_json(rows)
        return
    table(
        rows,
        ("warning_id", "severity", "customer_id", "rule_id", "status", "raised_on", "text_en"),
        title=f"open warnings of {book}",
    )


@app.command()
def ack(warning_id: str, actor: Actor, book: Book = "demo", reason: Reason = "seen") -> None:
    """Acknowledge a warning."""
    from creditops import warnings

    warnings.acknowledge(book, warning_id, actor=actor, reason=reason)
    console.print(f"{warning_id} acknowledged", markup=False)


@app.command()
def resolve(
    warning_id: str,
    actor: Actor,
    reason: Reason,
    book: Book = "demo",
    false_alarm: bool = typer.Option(False, "--false-alarm", help="It should not have been raised."),
) -> None:
    """Resolve a warning, or mark it a false alarm."""
    from creditops import warnings

    if false_alarm:
        warnings.mark_false_alarm(book, warning_id, actor=actor, reason=reason)
    else:
        warnings.resolve(book, warning_id, actor=actor, reason=reason)
    console.print(f"{warning_id} closed", markup=False)
