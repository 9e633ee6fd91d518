"""``creditops limits``, ``creditops policy`` and ``creditops assess``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from creditops.books import check_book, parse_day
from creditops.cli.options import Actor, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.errors import UsageError

limits_app = typer.Typer(help="Limits: what waits for a decision, approve, reject.", no_args_is_help=True)
policy_app = typer.Typer(
    help="Credit policy: its versions, and what another would have decided.", no_args_is_help=True
)
ValidTo = Annotated[str | None, typer.Option(help="Last day the limit holds; default no end.")]


def register(app: typer.Typer) -> None:
    app.add_typer(limits_app, name="limits")
    app.add_typer(policy_app, name="policy")
    app.command()(assess)


@limits_app.command("list")
def list_(
    book: Book = "demo",
    adjustments: Annotated[
        bool, typer.Option("--adjustments", help="Only rises and longer terms for good customers.")
    ] = False,
    most: Annotated[int, typer.Option(help="Rows shown.")] = 50,
    json_: AsJson = False,
) -> None:
    """Recommended changes that wait for a decision, the largest first."""
    from creditops.limits import proposals

    rows = [row for row in proposals(check_book(book)) if row["adjustment"] or not adjustments]
    if json_:
        as_json(rows)
        return
    table(
        rows[:most],
        (
            "customer_id",
            "product_id",
            "current_limit",
            "recommended_limit",
            "current_terms",
            "recommended_terms",
            "binding_cap",
            "change_reason",
        ),
        title=f"{len(rows)} limits of {book} wait for a decision",
    )


@limits_app.command()
def approve(
    customer_id: str,
    product_id: str,
    actor: Actor,
    reason: Reason,
    book: Book = "demo",
    valid_to: ValidTo = None,
) -> None:
    """Put the recommended limit in force."""
    from creditops.limits import decide

    row = decide(
        book,
        customer_id,
        product_id,
        "approved",
        actor=actor,
        reason=reason,
        valid_to=parse_day(valid_to) if valid_to else None,
    )
    console.print(f"{customer_id} {product_id}: {row['limit_before']} -> {row['limit_after']}", markup=False)


@limits_app.command()
def reject(customer_id: str, product_id: str, actor: Actor, reason: Reason, book: Book = "demo") -> None:
    """Leave the limit as it is."""
    from creditops.limits import decide

    decide(book, customer_id, product_id, "rejected", actor=actor, reason=reason)
    console.print(f"{customer_id} {product_id}: rejected", markup=False)


@limits_app.command("history")
def history_(customer_id: str, book: Book = "demo", json_: AsJson = False) -> None:
    """Every decision on a customer's limits, newest first."""
    from creditops.limits import history

    rows = history(book, customer_id)
    if json_:
        as_json(rows)
        return
    table(
        rows,
        (
            "product_id",
            "valid_from",
            "valid_to",
            "limit_before",
            "limit_after",
            "terms_before",
            "terms_after",
            "decision",
            "approver",
            "reason",
        ),
        title=f"limits of {customer_id}",
    )


@policy_app.command("list")
def policy_list(book: Book = "demo", json_: AsJson = False) -> None:
    """The versions of a book's policy, with the day from which each is in force."""
    from creditops.policy import load_policies

    rows = [
        {
            "version": each.version,
            "valid_from": each.valid_from,
            "approved_by": each.approved_by,
            "standards": len(each.standards),
            "title": each.title.en,
        }
        for each in load_policies(check_book(book))
    ]
    if json_:
        as_json(rows)
        return
    table(rows, ("version", "valid_from", "approved_by", "standards", "title"))


@policy_app.command("show")
def policy_show(version: str, book: Book = "demo") -> None:
    """One version as JSON."""
    from creditops.policy import load_policies

    for each in load_policies(check_book(book)):
        if each.version == version:
            as_json(each.to_dict())
            return
    raise UsageError(
        f"book {book} has no policy version {version!r}", hint=f"see `creditops policy list --book {book}`"
    )


@policy_app.command("try")
def policy_try(
    file: Annotated[Path, typer.Argument(help="YAML of the version to try.", exists=True, dir_okay=False)],
    since: Annotated[str, typer.Option("--from", help="First day of application.")],
    until: Annotated[str, typer.Option("--to", help="Day after the last one.")],
    book: Book = "demo",
    json_: AsJson = False,
) -> None:
    """What a version would have decided on history, beside the versions in force; nothing is written."""
    from dataclasses import asdict

    from creditops.policy.replay import try_version
    from creditops.policy.version import read_policy

    trial = try_version(check_book(book), read_policy(file), parse_day(since), parse_day(until))
    if json_:
        as_json(asdict(trial))
        return
    shown = asdict(trial)
    declined_by = shown.pop("declined_by")
    table([{"figure": name, "value": value} for name, value in shown.items()], ("figure", "value"))
    table(
        [{"standard": name, "declines": many} for name, many in declined_by.items()], ("standard", "declines")
    )


def assess(
    customer_id: str,
    book: Book = "demo",
    as_of: Annotated[str | None, typer.Option("--as-of", help="Day; default what is current.")] = None,
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """Render a customer's credit assessment as one HTML file."""
    from creditops.assessment import assess as render

    if lang not in ("zh", "en"):
        raise UsageError(f"--lang {lang!r} is not known", hint="use zh or en")
    path = render(
        check_book(book), customer_id, parse_day(as_of) if as_of else None, "zh" if lang == "zh" else "en"
    )
    console.print(str(path), soft_wrap=True, markup=False)
