"""Which scorecards are due for training and why, and promotion of what was trained."""

from __future__ import annotations

import logging
from datetime import date

from creditops.errors import DataRefusedError
from creditops.identity import current_actor
from creditops.settings import get_settings
from creditops.warehouse import connect
from models_ml.data.dataset import has_customers, observation_dates
from models_ml.lifecycle import registry
from models_ml.run.drift import drifted
from models_ml.run.training import TrainingOutcome, train
from models_ml.spec import ScorecardSpec, scorecards_of
from models_ml.store import audit
from models_ml.store.tracking import registered_name
from models_ml.store.version_store import CHALLENGER, CHAMPION

_log = logging.getLogger(__name__)


def due(book: str, as_of: date) -> list[str]:
    """Scorecards of the book that are due and have a full outcome window by ``as_of``."""
    return list(reasons_due(book, as_of))


def reasons_due(book: str, as_of: date) -> dict[str, str]:
    """Why each scorecard that is due is: it was never trained, its months have passed, or its
    population drifted and nobody trained it since.
    """
    found = {}
    for spec in scorecards_of(book):
        reason = _reason(book, spec, as_of)
        if reason and _has_window(book, spec, as_of):
            found[spec.name] = reason
    return found


def retrain_due(book: str, as_of: date, *, seed: int = 0, actor: str | None = None) -> list[TrainingOutcome]:
    """Train every scorecard that is due; each version carries the fact ``trained_because``.

    ``actor`` is who asked for it, by default who runs this.

    A scorecard whose data cannot make one (too few bads, say) does not hold up the others: the refusal is
    kept in the audit, and the champion before, if there is one, goes on.

    Raises
    ------
    DataRefusedError: none of the due scorecards could be trained and the book has no champion.
    ServiceUnreachableError: as :func:`models_ml.run.training.train`.
    """
    outcomes: list[TrainingOutcome] = []
    refusals: list[DataRefusedError] = []
    for scorecard, reason in reasons_due(book, as_of).items():
        try:
            outcomes.append(train_because(book, scorecard, as_of, reason, seed=seed, actor=actor))
        except DataRefusedError as refusal:
            refusals.append(refusal)
    if refusals and not outcomes and not registry.champions(book):
        raise refusals[0]
    return outcomes


def train_because(
    book: str, scorecard: str, as_of: date, reason: str, *, seed: int = 0, actor: str | None = None
) -> TrainingOutcome:
    """Train one scorecard; the version carries the fact ``trained_because``, a refusal is kept in the audit.

    Raises
    ------
    As :func:`models_ml.run.training.train`.
    """
    try:
        return train(book, scorecard, as_of, seed=seed, actor=actor, because=reason)
    except DataRefusedError as refusal:
        _log.warning("%s of %s is not trained: %s", scorecard, book, refusal)
        name, when = registered_name(book, scorecard), {"as_of": as_of.isoformat()}
        if not audit.is_recorded("model.not_trained", name, when):
            audit.record(
                actor or current_actor(), "model.not_trained", name, after=when, reason=refusal.message
            )
        raise


def call_for_training(book: str, as_of: date) -> dict[str, str]:
    """Scorecards that drift makes due, each called for once a day and champion, with the finding.

    Once, since a training that fails or does not find anything better must not call for the next.
    """
    called = {}
    findings = drifted(book, as_of)
    for scorecard, reason in reasons_due(book, as_of).items():
        name = registered_name(book, scorecard)
        what = {"as_of": as_of.isoformat(), "version": registry.alias_version(name, CHAMPION)}
        if reason == findings.get(scorecard) and not audit.is_recorded("model.drift", name, what):
            audit.record(current_actor(), "model.drift", name, after=what, reason=reason)
            called[scorecard] = reason
    return called


def promote_challengers(book: str) -> list[str]:
    """Promote the challengers that passed their gates and are better than their champion.

    Where a scorecard is promoted by approval nothing is promoted here: a person approves.
    Returns ``name vN`` per new champion.
    """
    promoted = []
    for spec in scorecards_of(book):
        name = registered_name(book, spec.name)
        if promotion_of(spec) != "gates":
            continue
        version = registry.alias_version(name, CHALLENGER)
        if version is None:
            continue
        outcome = registry.promote(name, version)
        if outcome.promoted:
            promoted.append(f"{name} v{outcome.version}")
    return promoted


def promotion_of(spec: ScorecardSpec) -> str:
    """``gates`` or ``approval``: the scorecard's own, else the platform's setting."""
    return spec.promotion or get_settings().model_promotion


def _reason(book: str, spec: ScorecardSpec, as_of: date) -> str | None:
    trained = registry.trained_as_of(registered_name(book, spec.name))
    if trained is None:
        return "never trained"
    months = 12 * (as_of.year - trained.year) + as_of.month - trained.month
    if months >= spec.retraining.every_months:
        return f"last trained as of {trained}"
    if spec.retraining.on_drift and (as_of - trained).days >= spec.retraining.min_days:
        return drifted(book, as_of).get(spec.name)
    return None


def _has_window(book: str, spec: ScorecardSpec, as_of: date) -> bool:
    """Whether the book has customers of the scorecard at a date whose window has passed."""
    with connect("modeller") as connection:
        try:
            dates = observation_dates(connection, book, spec, as_of)
        except DataRefusedError:
            return False
        return has_customers(connection, book, spec, dates)
