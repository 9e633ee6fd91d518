"""Trains one scorecard: from the point-in-time set to a registered challenger with its gates."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from creditops.errors import UsageError
from creditops.identity import current_actor
from creditops.warehouse import connect
from models_ml.data.dataset import TrainingSet, load_training_set
from models_ml.fit.assessment import characteristic_stability, flat_metrics
from models_ml.fit.benchmark_models import log as log_benchmarks
from models_ml.fit.fitting import fit
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.store import tracking, version_store
from models_ml.validate.champion_comparison import Comparison, compare_with_champion
from models_ml.validate.evidence import gather
from models_ml.validate.gates import Gate, all_passed, evaluate_gates
from models_ml.validate.parity import prove_parity
from models_ml.validate.validation_pack import PackContents, write_pack


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
    log_benchmarks(evidence.benchmarks, logged.run_id, data.frame.head(5))
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


def _inputs(book: str, spec: ScorecardSpec, as_of: date, seed: int, data: TrainingSet) -> str:
    """What a version follows from, as one hash: book, declaration, day, seed, data and code."""
    what = [book, spec.model_dump_json(), as_of.isoformat(), str(seed), data.snapshot_id, _code()]
    return hashlib.sha256("\n".join(what).encode()).hexdigest()


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
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
    from models_ml.lifecycle.registry import mark_challenger

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
