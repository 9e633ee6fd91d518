"""Which scorecards are due for training, and promotion of what was trained."""

from __future__ import annotations

from datetime import date

from creditops.errors import DataRefusedError
from creditops.settings import get_settings
from creditops.warehouse import connect
from models_ml import registry
from models_ml.dataset import observation_dates
from models_ml.spec import ScorecardSpec, scorecards_of
from models_ml.tracking import CHALLENGER, registered_name
from models_ml.training import TrainingOutcome, train


def due(book: str, as_of: date) -> list[str]:
    """Scorecards of the book never trained, or last trained as of an earlier month, that have a
    full outcome window by ``as_of``.
    """
    return [
        spec.name
        for spec in scorecards_of(book)
        if _is_stale(book, spec, as_of) and _has_window(book, spec, as_of)
    ]


def retrain_due(book: str, as_of: date, *, seed: int = 0) -> list[TrainingOutcome]:
    """Train every scorecard that is due.

    Raises
    ------
    DataRefusedError, ServiceUnreachableError: as :func:`models_ml.training.train`.
    """
    return [train(book, name, as_of, seed=seed) for name in due(book, as_of)]


def promote_challengers(book: str) -> list[str]:
    """Promote the challengers that passed their gates and are not worse than their champion.

    Where setting ``model_promotion`` is ``approval`` nothing is promoted here: a person approves.
    Returns ``name vN`` per new champion.
    """
    if get_settings().model_promotion != "gates":
        return []
    promoted = []
    for spec in scorecards_of(book):
        name = registered_name(book, spec.name)
        version = registry.alias_version(name, CHALLENGER)
        if version is None:
            continue
        outcome = registry.promote(name, version)
        if outcome.promoted:
            promoted.append(f"{name} v{outcome.version}")
    return promoted


def _is_stale(book: str, spec: ScorecardSpec, as_of: date) -> bool:
    trained = registry.trained_as_of(registered_name(book, spec.name))
    return trained is None or (trained.year, trained.month) < (as_of.year, as_of.month)


def _has_window(book: str, spec: ScorecardSpec, as_of: date) -> bool:
    with connect("modeller") as connection:
        try:
            return bool(observation_dates(connection, book, spec, as_of))
        except DataRefusedError:
            return False
