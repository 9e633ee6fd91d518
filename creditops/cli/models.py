"""``creditops models``: the registry in the field's own words, on MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from creditops.cli import model_export, overrides
from creditops.cli.options import Actor, AnyBook, AsJson, AsOf, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.errors import UsageError

app = typer.Typer(
    help="Scorecards: list, show, train, compare, approve, reject, roll back, retire, history.",
    no_args_is_help=True,
)
app.add_typer(overrides.app, name="overrides")
app.command("export")(model_export.export)
Day = Annotated[str | None, typer.Option("--at", help="A day, YYYY-MM-DD.")]
Page = Annotated[Path | None, typer.Option("--html", help="Write the comparison as an HTML page.")]


@app.command("list")
def list_(book: AnyBook = None, json_: AsJson = False) -> None:
    """Registered scorecards with their versions and aliases."""
    from models_ml.lifecycle import registry

    rows = registry.list_versions(book)
    if json_:
        as_json(rows)
        return
    table(rows, ("name", "version", "aliases", "status", "gates", "auc_holdout", "created_at"),
          title="scorecards")  # fmt: skip


@app.command()
def show(name: str, version: str = typer.Argument("champion"), json_: AsJson = False) -> None:
    """One version: metrics, gates, who let it."""
    from models_ml.lifecycle import registry

    found = registry.show(name, version)
    if json_:
        as_json(found)
        return
    for key, value in found.items():
        if key not in ("metrics", "gates"):
            console.print(f"{key}: {value}", markup=False)
    table([{"metric": k, "value": v} for k, v in sorted(found["metrics"].items())], ("metric", "value"))
    table(found["gates"], ("gate", "passed", "value", "limit", "detail"), title="gates")


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="The scorecard, alone or as BOOK.SCORECARD.")],
    as_of: AsOf,
    actor: Actor,
    book: AnyBook = None,
    force: Annotated[bool, typer.Option("--force", help="Also where it is not due.")] = False,
    seed: Annotated[int, typer.Option(help="Of the split into development and hold-out.")] = 0,
    json_: AsJson = False,
) -> None:
    """Train one scorecard now, show its gates, and promote it where gates decide."""
    from creditops.books import parse_day
    from models_ml.lifecycle import registry
    from models_ml.run import retraining
    from models_ml.spec import scorecard as find_scorecard
    from models_ml.store.tracking import registered_name

    said, _, scorecard = name.rpartition(".")
    spec = find_scorecard(scorecard)
    chosen = said or book or (spec.books[0] if len(spec.books) == 1 else None)
    if chosen is None:
        raise UsageError(f"{scorecard} covers {', '.join(spec.books)}", hint="add --book")
    day = parse_day(as_of)
    due = retraining.reasons_due(chosen, day).get(scorecard)
    if due is None and not force:
        trained = registry.trained_as_of(registered_name(chosen, scorecard))
        why = f"last trained as of {trained}" if trained else f"no full outcome window by {day}"
        raise UsageError(
            f"{chosen}.{scorecard} is not due: {why}", hint="add --force to train it all the same"
        )
    outcome = retraining.train_because(chosen, scorecard, day, due or "by hand", seed=seed, actor=actor)
    promoted = None
    if not outcome.is_new and not json_:
        console.print(
            f"the same data, declaration, day, seed and code made version {outcome.model_version} before",
            soft_wrap=True,
        )
    if retraining.promotion_of(spec) == "gates":
        promoted = registry.promote(outcome.name, outcome.model_version)
    gates = [gate.as_dict() for gate in outcome.gates]
    why = promoted.reason if promoted else "waits for `creditops models approve`"
    state = "champion" if promoted and promoted.promoted else "challenger"
    if json_:
        as_json({"name": outcome.name, "version": outcome.model_version, "state": state, "reason": why,
                 "gates": gates})  # fmt: skip
        return
    table(gates, ("gate", "passed", "value", "limit", "detail"), title="gates")
    console.print(f"{outcome.name} version {outcome.model_version} is {state}: {why}", markup=False,
                  soft_wrap=True)  # fmt: skip


@app.command()
def compare(name: str, a: str, b: str, html: Page = None, json_: AsJson = False) -> None:
    """Two versions side by side: figures, gates, characteristics, points."""
    from models_ml.validate import version_comparison

    found = version_comparison.compare(name, a, b)
    if html is not None:
        html.write_text(version_comparison.render(found), encoding="utf-8")
    if json_:
        as_json(found.as_dict())
        return
    table(found.facts, ("fact", "a", "b"), title=f"{name}: {a} (a) and {b} (b)")
    table(found.metrics, ("metric", "a", "b", "difference"), title="figures")
    table(found.gates, ("gate", "a", "b"), title="gates")
    table(found.characteristics, ("characteristic", "in", "iv_a", "iv_b", "range_a", "range_b", "change"),
          title="characteristics")  # fmt: skip
    if html is not None:
        console.print(f"written to {html}", markup=False)


@app.command()
def pending(book: Book, json_: AsJson = False) -> None:
    """Challengers that wait for a person, and who may decide."""
    from models_ml.run import approval

    rows = [each.as_dict() for each in approval.pending(book)]
    if json_:
        as_json(rows)
    else:
        table(rows, ("name", "version", "approvers", "subject"), title="waiting for approval")


@app.command()
def approve(name: str, version: str, reason: Reason, actor: Actor) -> None:
    """Let a version that passed its gates become champion; never by who trained it."""
    from models_ml.lifecycle import registry

    number = registry.approve(name, version, actor=actor, reason=reason)
    console.print(f"{name} version {number} is champion; `creditops run publish` publishes with it",
                  markup=False)  # fmt: skip


@app.command()
def reject(name: str, version: str, reason: Reason, actor: Actor) -> None:
    """Refuse a challenger."""
    from models_ml.lifecycle import registry

    number = registry.reject(name, version, actor=actor, reason=reason)
    console.print(f"{name} version {number} is rejected", markup=False)


@app.command()
def rollback(name: str, reason: Reason, actor: Actor) -> None:
    """Give the alias champion back to the version before."""
    from models_ml.lifecycle import registry

    version = registry.rollback(name, actor=actor, reason=reason)
    console.print(
        f"{name} version {version} is champion again; `creditops run publish` publishes with it", markup=False
    )


@app.command()
def retire(name: str, version: str, reason: Reason, actor: Actor) -> None:
    """Take a version out of use for good."""
    from models_ml.lifecycle import registry

    number = registry.retire(name, version, actor=actor, reason=reason)
    console.print(f"{name} version {number} is retired", markup=False)


@app.command()
def history(name: str, at: Day = None, json_: AsJson = False) -> None:
    """Every step of a model; with --at, which version scored that day, who let it, and why."""
    from creditops.books import parse_day
    from models_ml.lifecycle import registry

    if at is None:
        rows = registry.timeline(name)
        if json_:
            as_json(rows)
        else:
            table(rows, ("at", "action", "version", "before", "actor", "reason"), title=name)
        return
    found = registry.scored_on(name, parse_day(at))
    if json_:
        as_json(found)
        return
    champion = found["champion"]
    console.print(
        f"at the end of {at} no version was champion"
        if champion is None
        else f"at the end of {at} version {champion['version']} was champion, let by {champion['actor']}"
        f" ({champion['action']}) at {champion['at']}: {champion['reason']}",
        markup=False,
    )
    table(found["publications"],
          ("publication_id", "published_at", "version", "let_by", "let_at", "reason", "current"),
          title=f"publications of {at}")  # fmt: skip
