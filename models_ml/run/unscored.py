"""Books without a champion: what they go without, which shipped scorecards fit, how to get scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg

from creditops.errors import CreditOpsError, DataRefusedError
from creditops.settings import get_settings
from creditops.warehouse import connect
from models_ml.data.population import feature_columns
from models_ml.lifecycle import registry
from models_ml.spec import ScorecardSpec, load_scorecards, scorecards_of
from models_ml.store.tracking import registered_name
from models_ml.store.version_store import CHALLENGER, CHAMPION

_WITHOUT = (
    "it is published without scores: portfolio, delinquency, worklist, limits of ungraded customers by"
    " policy, and the warnings that need no score"
)


@dataclass(frozen=True)
class Fit:
    """A scorecard whose features a book has, and what there is to train it on.

    Attributes
    ----------
    customers: with features on the newest observation day.
    good, bad: rows with a known outcome.
    """

    scorecard: str
    customers: int
    good: int
    bad: int


def beforehand(book: str) -> str | None:
    """What to know before a run of a book for which no scorecard is meant; ``None`` where one is."""
    if scorecards_of(book):
        return None
    return f"no scorecard names the book {book} in its `books`: {_WITHOUT}"


def afterwards(book: str, as_of: date) -> str | None:
    """What to know after a run of a book without champion, and how to get scores; else ``None``."""
    try:
        if registry.champions(book):
            return None
    except CreditOpsError:
        return None  # the registry does not answer: whoever needs it has said so
    meant = [spec.name for spec in scorecards_of(book)]
    if meant:
        why = "; ".join(without_champion(book)) or "no outcome window that it could learn from has passed"
        return f"book {book} has no champion yet of {', '.join(meant)}, so {_WITHOUT}. Why: {why}"
    fits = fitting(book, as_of)
    if not fits:
        return (
            f"book {book} has no scorecard, so {_WITHOUT}; no shipped scorecard fits its data: write one of"
            " your own (docs/scorecards.md)"
        )
    named = ", ".join(
        f"{fit.scorecard} ({fit.customers} customers, {fit.good} good and {fit.bad} bad outcomes to train on)"
        for fit in fits
    )
    name = f"{book}_{fits[0].scorecard}"
    own = get_settings().home / "scorecards" / f"{name}.yml"
    return (
        f"book {book} has no scorecard, so {_WITHOUT}. Shipped scorecards that fit its data: {named}."
        f" To get scores copy models_ml/scorecards/{fits[0].scorecard}.yml to {own}, write `name: {name}` and"
        f" `books: [{book}]` in it, and run the day again"
    )


def without_champion(book: str, trained_as_of: date | None = None) -> list[str]:
    """Why the newest version of each scorecard of the book does not score, in a sentence each.

    Parameters
    ----------
    trained_as_of: only of versions trained as of that day.

    Gates that did not pass with what they measured, a comparison with the champion that was lost, an
    approval that is waited for, or data that cannot make a scorecard.
    """
    said = []
    for spec in scorecards_of(book):
        name = registered_name(book, spec.name)
        version = registry.alias_version(name, CHALLENGER)
        if version is None:
            refusals = [step for step in registry.timeline(name) if step["action"] == "model.not_trained"]
            if refusals and registry.alias_version(name, CHAMPION) is None and trained_as_of is None:
                said.append(f"{name} is not trained: {refusals[-1]['reason']}")
            continue
        if version == registry.alias_version(name, CHAMPION):
            continue
        held = registry.show(name, version)
        if trained_as_of is not None and held["params"].get("as_of") != trained_as_of.isoformat():
            continue
        failed = "; ".join(gate["detail"] for gate in held["gates"] if not gate["passed"])
        if failed:
            said.append(f"{name} v{version} is not champion: gates did not pass: {failed}")
        elif held["promotion_refused"]:
            said.append(f"{name} v{version} is not champion: {held['promotion_refused']}")
        elif (spec.promotion or get_settings().model_promotion) != "gates":
            said.append(f"{name} v{version} waits for an approval: creditops models approve {name} {version}")
    return said


def fitting(book: str, as_of: date) -> list[Fit]:
    """Scorecards whose every feature table has rows of the book, those with most outcomes first."""
    with connect("modeller") as connection:
        found = [_fit(connection, spec, book, as_of) for spec in load_scorecards().values()]
    return sorted(
        (fit for fit in found if fit is not None), key=lambda fit: (-fit.bad, -fit.customers, fit.scorecard)
    )


def _fit(connection: psycopg.Connection, spec: ScorecardSpec, book: str, as_of: date) -> Fit | None:
    try:
        feature_columns(connection, spec)
    except DataRefusedError:
        return None
    customers: list[int] = []
    for source in spec.sources:
        if source.optional:
            continue
        row = connection.execute(
            f"select count(distinct customer_id) from {source.table} as rows where book = %(book)s"  # type: ignore[arg-type]
            f" and observation_date = (select max(observation_date) from {source.table}"
            " where book = %(book)s and observation_date <= %(as_of)s)",
            {"book": book, "as_of": as_of},
        ).fetchone()
        customers.append(row[0] if row else 0)
    if not customers or not all(customers):
        return None
    outcomes = connection.execute(
        f"select count(*) filter (where label = 'good'), count(*) filter (where label = 'bad')"  # type: ignore[arg-type]
        f" from {spec.label_table} where book = %s and window_complete and observation_date <= %s",
        (book, as_of),
    ).fetchone()
    good, bad = outcomes or (0, 0)
    return Fit(spec.name, min(customers), good, bad)
