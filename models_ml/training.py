"""Trains one scorecard: from the point-in-time set to a registered challenger with its gates."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from creditops.errors import UsageError
from creditops.identity import current_actor
from creditops.warehouse import connect
from models_ml import tracking, version_store
from models_ml.assessment import SplitFigures, assess, characteristic_stability, flat_metrics
from models_ml.calibration import fit_calibration
from models_ml.challengers import log as log_challengers
from models_ml.champion import Comparison, compare_with_champion
from models_ml.classic import AdditiveModel, fit_classic
from models_ml.dataset import KEYS, TrainingSet, load_training_set
from models_ml.evaluate import bin_index, score_frame
from models_ml.evidence import gather
from models_ml.gates import Gate, all_passed, evaluate_gates
from models_ml.master_scale import master_scale
from models_ml.parcelling import Inference, parcel
from models_ml.parity import Parity, check_parity
from models_ml.points_table import Baseline, PointsTable
from models_ml.scaling import scaling, to_points
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME, place_more, split
from models_ml.stability import class_counts, score_edges
from models_ml.validation_pack import PackContents, write_pack


@dataclass(frozen=True)
class TrainingOutcome:
    """A registered version: ``name`` is the registered model, ``gates`` decide on promotion.

    ``is_new`` is false where the same inputs had made the version before.
    """

    book: str
    scorecard: str
    name: str
    model_version: str
    run_id: str
    metrics: dict[str, float]
    gates: list[Gate]
    is_new: bool = True

    @property
    def gates_passed(self) -> bool:
        """Whether every gate passed."""
        return all_passed(self.gates)


@dataclass(frozen=True)
class FittedScorecard:
    """A points table with what it was fitted from and how it does; nothing registered yet."""

    table: PointsTable
    model: AdditiveModel
    scored: pd.DataFrame
    splits: np.ndarray
    figures: dict[str, SplitFigures]
    inference: Inference | None = None


def train(
    book: str, scorecard: str, as_of: date, *, seed: int = 0, actor: str | None = None, because: str = ""
) -> TrainingOutcome:
    """Train, validate, log and register a scorecard; the version gets alias ``challenger``.

    The same data, declaration, day, seed and code make one version: trained again they give that one.

    Parameters
    ----------
    as_of: only outcome windows that had ended by this day are used.
    seed: of the split; the same data snapshot, code version and seed give the same points table.
    actor: who trains, for the audit; the approver must be somebody else.
    because: why it is trained; kept with the version.

    Raises
    ------
    UsageError: the scorecard does not cover the book.
    DataRefusedError: the data cannot make a scorecard; the message says why.
    ServiceUnreachableError: the warehouse or MLflow does not answer.
    """
    spec = find_scorecard(scorecard)
    if book not in spec.books:
        raise UsageError(
            f"scorecard {scorecard} is not for book {book}", hint=f"it covers {', '.join(spec.books)}"
        )
    return train_declared(book, spec, as_of, seed=seed, actor=actor, because=because)


def train_declared(
    book: str, spec: ScorecardSpec, as_of: date, *, seed: int = 0, actor: str | None = None, because: str = ""
) -> TrainingOutcome:
    """:func:`train` for a declaration that is not among the shipped ones."""
    who = actor or current_actor()
    name = tracking.registered_name(book, spec.name)
    with connect("modeller", autocommit=True) as connection:
        # Two trainings of one model at once would not see each other's version.
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (f"train {name}",))
        data = load_training_set(book, spec, as_of)
        inputs = _inputs(book, spec, as_of, seed, data)
        for held in version_store.versions(name=name):
            if held.facts.get("inputs") == inputs:
                gates = [
                    Gate(g["gate"], g["passed"], g["value"], g["limit"], g["detail"]) for g in held.gates
                ]
                return TrainingOutcome(
                    book, spec.name, name, held.version, held.run_id, held.metrics, gates, is_new=False
                )
        return _train(name, book, spec, as_of, seed, who, because, data, inputs)


def _train(
    name: str, book: str, spec: ScorecardSpec, as_of: date, seed: int, who: str, because: str,
    data: TrainingSet, inputs: str,
) -> TrainingOutcome:  # fmt: skip
    fitted = fit(book, spec, data, seed=seed)
    with connect("modeller", large_joins=True) as connection:
        parity = prove_parity(connection, fitted, data)
        evidence = gather(connection, name, book, spec, data, fitted, seed=seed)
    gates = evaluate_gates(
        spec, fitted.table, fitted.figures, evidence.leaks, parity,
        contrary=evidence.contrary, groups=evidence.groups,
    )  # fmt: skip
    champion = compare_with_champion(name, fitted.table, data, fitted.splits)
    stability = characteristic_stability(fitted.table, data.frame, fitted.splits)
    metrics = flat_metrics(fitted.figures, stability, fitted.table) | evidence.metrics()
    params = _params(book, spec, as_of, seed, data)
    with tempfile.TemporaryDirectory() as folder:
        write_pack(
            Path(folder),
            PackContents(
                book=book, spec=spec, table=fitted.table, model=fitted.model, figures=fitted.figures,
                gates=gates, counts=data.counts, params=params,
                champion=champion.as_dict() if champion else None, observation_dates=len(data.dates),
                score=fitted.scored["score"].to_numpy(), bad=data.bad, splits=fitted.splits,
                evidence=evidence, stability=stability, inference=fitted.inference,
            ),
        )  # fmt: skip
        logged = tracking.log_scorecard(
            name,
            fitted.table,
            data.frame[fitted.table.features].head(5),
            description=describe(book, spec),
            params=params,
            tags={"book": book, "scorecard": spec.name, "trained_by": who},
            artifacts=Path(folder),
        )
    log_challengers(evidence.challengers, logged.run_id, data.frame.head(5))
    shown = metrics | (champion.metrics() if champion else {})
    tracking.log_metrics(logged, shown)
    facts = {"inputs": inputs} | ({"trained_because": because} if because else {})
    _mark_challenger(name, logged, spec, who, gates, params, shown, champion, facts)
    return TrainingOutcome(book, spec.name, name, logged.version, logged.run_id, metrics, gates)


def describe(book: str, spec: ScorecardSpec) -> str:
    """What a scorecard is, in markdown, as MLflow shows it beside its name."""
    how = f"{spec.algorithm.replace('_', ' ')}, label `{spec.label_table}`"
    more = f"See `creditops models show {spec.name} --book {book}`."
    return f"**{spec.title.en}** of book `{book}`: {how}. {more}\n\n**{spec.title.zh}**，账簿 `{book}`。"


def fit(book: str, spec: ScorecardSpec, data: TrainingSet, *, seed: int = 0) -> FittedScorecard:
    """Split, fit, scale and calibrate, and score every row; no service is touched."""
    splits = split(data.frame, data.bad, spec.split, seed)
    inside = splits == DEVELOPMENT
    development, bad = data.frame[inside], data.bad[inside]
    later = data.frame[splits == OUT_OF_TIME]
    late = _Late.of(data, splits, spec, seed)
    spec = _with_long_run_rate(spec, data)
    model = _fit_model(development, bad, spec, later, seed)
    table = build_table(book, spec, model, development, bad, late=late.development)
    plain = _fitted(table, model, data, splits, late)
    if not len(data.declined):
        return plain
    return _with_declined(book, spec, data, plain, later, late, seed)


def _with_long_run_rate(spec: ScorecardSpec, data: TrainingSet) -> ScorecardSpec:
    """The declaration with the book's own rate in place of ``book``."""
    if spec.calibration.long_run_rate != "book":
        return spec
    settled = spec.calibration.model_copy(update={"long_run_rate": data.long_run_rate})
    return spec.model_copy(update={"calibration": settled})


@dataclass(frozen=True)
class _Late:
    """Indeterminate rows and the split that each belongs to, as its customer or date does."""

    frame: pd.DataFrame
    splits: np.ndarray

    @classmethod
    def of(cls, data: TrainingSet, splits: np.ndarray, spec: ScorecardSpec, seed: int) -> _Late:
        frame = data.indeterminate
        if not len(frame):
            return cls(data.frame.head(0), np.empty(0, dtype=object))
        names = place_more(data.frame, splits, frame, spec.split, seed)
        return cls(frame, names)

    @property
    def development(self) -> pd.DataFrame:
        return self.frame[self.splits == DEVELOPMENT]


def _fitted(
    table: PointsTable, model: AdditiveModel, data: TrainingSet, splits: np.ndarray, late: _Late,
    inference: Inference | None = None,
) -> FittedScorecard:  # fmt: skip
    scored = score_frame(table, data.frame)
    figures = assess(table, scored, data.bad, splits, score_frame(table, late.frame), late.splits)
    return FittedScorecard(table, model, scored, splits, figures, inference)


def _fit_model(
    development: pd.DataFrame, bad: np.ndarray, spec: ScorecardSpec, later: pd.DataFrame, seed: int
) -> AdditiveModel:
    if spec.algorithm == "boosted_additive":
        from models_ml.boosted import fit_boosted

        return fit_boosted(development, bad, spec, seed=seed)
    return fit_classic(development, bad, spec, later if len(later) else None)


def _with_declined(
    book: str, spec: ScorecardSpec, data: TrainingSet, plain: FittedScorecard, later: pd.DataFrame,
    late: _Late, seed: int,
) -> FittedScorecard:  # fmt: skip
    """The scorecard fitted again with declined rows parcelled by the one fitted without them.

    Declined customers of the hold-out or of out-of-time dates stay out, as accepted ones do.
    """
    inside = plain.splits == DEVELOPMENT
    development, bad = data.frame[inside], data.bad[inside]
    held = set(data.frame.loc[plain.splits == HOLD_OUT, "customer_id"])
    declined = data.declined[
        ~data.declined["customer_id"].isin(held)
        & data.declined["observation_date"].isin(development["observation_date"].unique())
    ]
    if not len(declined):
        return plain
    outcome = parcel(plain.table, development, bad, declined, spec.reject_inference, seed=seed)
    both = pd.concat([development, declined], ignore_index=True)[development.columns]
    model = _fit_model(both, np.append(bad, outcome), spec, later, seed)
    known = np.append(np.ones(len(bad), dtype=bool), np.zeros(len(outcome), dtype=bool))
    table = build_table(book, spec, model, both, np.append(bad, outcome), known, late.development)
    found = _fitted(table, model, data, plain.splits, late)
    figures = found.figures
    shown = HOLD_OUT if HOLD_OUT in figures else DEVELOPMENT
    inference = Inference(
        declined=len(declined),
        bad_rate=float(outcome.mean()),
        factor=spec.reject_inference.factor,
        auc_with=figures[shown].auc,
        auc_without=plain.figures[shown].auc,
        ks_with=figures[shown].ks,
        ks_without=plain.figures[shown].ks,
        pd_declined_with=float(score_frame(table, declined)["pd"].mean()),
        pd_declined_without=float(score_frame(plain.table, declined)["pd"].mean()),
        characteristics_with=tuple(table.features),
        characteristics_without=tuple(plain.table.features),
    )
    return replace(found, inference=inference)


def build_table(
    book: str, spec: ScorecardSpec, model: AdditiveModel, development: pd.DataFrame, bad: np.ndarray,
    known: np.ndarray | None = None, late: pd.DataFrame | None = None,
) -> PointsTable:  # fmt: skip
    """Points, calibration and baseline of an additive model on its development rows.

    Parameters
    ----------
    known: rows whose outcome is known; only these calibrate the PD. All by default.
    late: indeterminate development rows; they did not default, and calibrate the PD as well.
    """
    outcome_known = np.ones(len(development), dtype=bool) if known is None else known
    scale = scaling(spec.scaling.base_score, spec.scaling.base_odds, spec.scaling.pdo)
    indices = np.column_stack([bin_index(c, development[c.name]) for c in model.characteristics])
    characteristics = to_points(model.characteristics, model.intercept, scale, indices)
    score = np.zeros(len(development), dtype=np.int64)
    for column, each in enumerate(characteristics):
        score += np.array([b.points for b in each.bins])[indices[:, column]]
    edges = score_edges(score)
    counts = class_counts(score, edges)
    calibrated, defaulted = score[outcome_known], bad[outcome_known]
    rate = spec.calibration.long_run_rate
    if late is not None and len(late):
        parts = [np.array([b.points for b in c.bins])[bin_index(c, late[c.name])] for c in characteristics]
        calibrated = np.append(calibrated, np.sum(parts, axis=0, dtype=np.int64))
        defaulted = np.append(defaulted, np.zeros(len(late), dtype=defaulted.dtype))
    return PointsTable(
        scorecard=spec.name,
        book=book,
        algorithm=spec.algorithm,
        characteristics=characteristics,
        scaling=scale,
        calibration=fit_calibration(
            calibrated,
            defaulted,
            floor=spec.calibration.floor,
            long_run_rate=None if rate == "book" else rate,
        ),
        grades=master_scale().grades,
        baseline=Baseline(edges, tuple(float(share) for share in counts / counts.sum())),
        development_rows=len(development),
    )


def prove_parity(connection: Any, fitted: FittedScorecard, data: TrainingSet) -> Parity:
    """Score every training row in the warehouse and with the logged form of the model."""
    from models_ml.pyfunc import ScorecardModel

    logged_form = ScorecardModel(PointsTable.from_json(fitted.table.to_json()))
    predicted = logged_form.predict(None, data.frame[fitted.table.features])
    return check_parity(connection, fitted.table, data.relation, data.columns, data.frame[KEYS], predicted)


def seed_study(
    book: str, spec: ScorecardSpec, data: TrainingSet, seeds: Sequence[int] = range(5)
) -> list[SplitFigures]:
    """Hold-out figures of the scorecard split and fitted anew with each seed."""
    return [fit(book, spec, data, seed=seed).figures[HOLD_OUT] for seed in seeds]


def _inputs(book: str, spec: ScorecardSpec, as_of: date, seed: int, data: TrainingSet) -> str:
    """What a version follows from, as one hash: book, declaration, day, seed, data and code."""
    what = [book, spec.model_dump_json(), as_of.isoformat(), str(seed), data.snapshot_id, _code()]
    return hashlib.sha256("\n".join(what).encode()).hexdigest()


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _params(book: str, spec: ScorecardSpec, as_of: date, seed: int, data: TrainingSet) -> dict[str, Any]:
    return {
        "book": book,
        "scorecard": spec.name,
        "algorithm": spec.algorithm,
        "as_of": as_of.isoformat(),
        "seed": seed,
        "code_version": tracking.code_version(),
        "snapshot_id": data.snapshot_id,
        "observation_dates": ", ".join(day.isoformat() for day in data.dates),
        "window_months": spec.observation.window_months,
        "rows": len(data.frame),
        "min_bin": spec.binning.min_bin,
        "max_bins": spec.binning.max_bins,
        "max_characteristics": spec.selection.max_characteristics,
        "base_score": spec.scaling.base_score,
        "base_odds": spec.scaling.base_odds,
        "pdo": spec.scaling.pdo,
        "hold_out": spec.split.hold_out,
    }


def _mark_challenger(
    name: str, logged: tracking.Logged, spec: ScorecardSpec, who: str, gates: list[Gate],
    params: dict[str, Any], metrics: dict[str, float], champion: Comparison | None, facts: dict[str, str],
) -> None:  # fmt: skip
    from models_ml.registry import mark_challenger

    mark_challenger(
        name,
        logged.version,
        actor=who,
        gates=gates,
        tags={key: str(params[key]) for key in ("as_of", "seed", "snapshot_id", "code_version")}
        | {"scorecard": spec.name, "book": str(params["book"])}
        | {"auc_holdout": f"{metrics.get('hold_out_auc', float('nan')):.4f}"}
        | ({"champion_comparison": champion.to_json()} if champion else {})
        | facts,
        params={key: str(value) for key, value in params.items()},
        metrics=metrics,
        run_id=logged.run_id,
    )
