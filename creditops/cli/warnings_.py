"""``creditops warnings``: the early warnings and what people do about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from creditops.books import parse_day
from creditops.cli.options import Actor, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table

app = typer.Typer(help="Early warnings: list, acknowledge, resolve, judge on history.", no_args_is_help=True)
_FIGURES = (
    "rule_id", "alerts", "alerts_12m", "precision_6m", "precision_12m", "base_rate_12m", "lift_12m",
    "recall_12m", "median_lead_days", "verdict",
)  # fmt: skip


@app.command("list")
def list_(
    book: Book = "demo",
    severity: Annotated[str | None, typer.Option(help="red, orange or yellow.")] = None,
    status: Annotated[
        str,
        typer.Option(help="open, raised, acknowledged, in_response, resolved, false_alarm, expired or all."),
    ] = "open",
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    json_: AsJson = False,
) -> None:
    """Warnings, worst first, those first that nobody acknowledged in time."""
    from creditops import warnings

    found = warnings.list_warnings(
        book, status=status, severity=severity, rule_id=rule, customer_id=customer, limit=limit
    )
    rows = [each.to_dict() for each in found]
    if json_:
        as_json(rows)
        return
    table(
        rows,
        (
            "warning_id",
            "severity",
            "customer_id",
            "rule_id",
            "status",
            "raised_on",
            "first_seen_on",
            "after_default",
            "escalated_on",
            "text_en",
        ),
        title=f"{status} warnings of {book}",
    )


@app.command()
def ack(warning_id: str, actor: Actor, book: Book = "demo", reason: Reason = "seen") -> None:
    """Acknowledge a warning."""
    from creditops import warnings

    warnings.acknowledge(book, warning_id, actor=actor, reason=reason)
    console.print(f"{warning_id} acknowledged", markup=False)


@app.command()
def respond(warning_id: str, actor: Actor, book: Book = "demo", reason: Reason = "response started") -> None:
    """Say that a response to a warning is under way."""
    from creditops import warnings

    warnings.start_response(book, warning_id, actor=actor, reason=reason)
    console.print(f"{warning_id} in response", markup=False)


@app.command()
def show(warning_id: str, book: Book = "demo", json_: AsJson = False) -> None:
    """Every step of a warning's life: when, what, who, why."""
    from creditops import warnings

    rows = warnings.events_of(book, warning_id)
    if json_:
        as_json(rows)
        return
    table(rows, ("event_at", "event", "actor", "reason", "severity", "status"), title=warning_id)


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


@app.command("try")
def try_(
    rule_file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The rule, as in creditops/warnings/rules.")
    ],
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    book: Book = "demo",
    json_: AsJson = False,
) -> None:
    """What a new or changed rule would have raised on history; nothing is written."""
    from creditops.warnings.rule import read_rule
    from creditops.warnings.trial import try_rule

    trial = try_rule(read_rule(rule_file), book, parse_day(first), parse_day(last))
    if json_:
        as_json(trial.to_dict())
        return
    beside = f"beside version {trial.against} in force" if trial.against else "a new rule"
    columns = ["month_end", "alerts", "red", "orange", "yellow"]
    if trial.against:
        columns += ["alerts_before", "only_tried", "no_longer"]
    table(trial.months, columns, title=f"{trial.rule_id} version {trial.rule_version}, {beside}")
    figures: list[dict[str, Any]] = [{**trial.figures.to_dict(), "rule_id": "tried"}]
    if trial.figures_before:
        figures.append({**trial.figures_before.to_dict(), "rule_id": "in force"})
    table(figures, _FIGURES, title="worth on the same months")
    table(trial.examples, ("customer_id", "severity", "text_zh", "text_en"), title=f"examples of {last}")


@app.command()
def backtest(
    as_of: Annotated[str, typer.Option("--as-of", help="Last day of the history, YYYY-MM-DD.")],
    book: Book = "demo",
    months: Annotated[int, typer.Option(min=1, help="Month ends to judge on.")] = 24,
    json_: AsJson = False,
) -> None:
    """Judge every rule on history; the figures show in the next publication."""
    from creditops.warnings.backtest import backtest as judge

    rows = [each.to_dict() for each in judge(book, parse_day(as_of), months=months)]
    if json_:
        as_json(rows)
        return
    table(rows, _FIGURES, title=f"warning rules of {book} on {months} month ends up to {as_of}")
