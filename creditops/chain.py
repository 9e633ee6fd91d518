"""The steps of the chain, each one call: the bodies of Airflow's tasks and of ``run --local``.

A step works on one partition (book and day), is idempotent for it, and writes its rows and seconds
to ``ops.run_log``. A step that refuses data notes why in ``ops.failure`` and raises. Imports that
are heavy stay inside the step that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from creditops import identity, turns
from creditops.alerts import Alert, raise_alerts
from creditops.books import Partition, end_of_day, today
from creditops.errors import CreditOpsError, DataRefusedError
from creditops.ingest import steps
from creditops.sources.contract import Domain
from creditops.warehouse import audit
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import BUILT_LAYERS
from creditops.warehouse.run_log import current_run_id
from creditops.warehouse.run_log import step as logged

LANGUAGES: tuple[Literal["zh", "en"], ...] = ("zh", "en")
Outcome = Mapping[str, Any]
Step = Callable[..., Any]
DOMAINS: tuple[Domain, ...] = ("reference", "repayment", "financial", "bureau")


class NothingToDo(Exception):
    """A step has no work for its partition; the reason is for people to read."""


def run_step(name: str, key: str | None, **arguments: Any) -> Any:
    """Run one step of :data:`STEPS` for a partition key ``book|YYYY-MM-DD``.

    Raises
    ------
    CreditOpsError: the step failed; noted in ``ops.failure``, and people are alerted.
    NothingToDo: there was no work.
    """
    partition = Partition.parse(key)
    _note_request(partition)
    try:
        if name in _READ_MARTS:
            _check_marts(partition)
        return STEPS[name](partition, **arguments)
    except CreditOpsError as error:
        _note_failure(name, partition, error)
        raise


def gate_raw(partition: Partition) -> Outcome:
    """Great Expectations on the batches of the day."""
    from creditops.quality.gate import data_docs_page
    from creditops.quality.gate import gate_raw as run_gate

    with logged("gate.raw", book=partition.book, as_of=partition.as_of) as step:
        results = run_gate(partition.book, partition.as_of)
        step.rows = len(results)
    return {
        "checks": len(results),
        "warnings": sum(not each.passed for each in results),
        "data_docs": data_docs_page(partition.book, "raw", partition.as_of),
    }


def build_layer(partition: Partition, layer: str) -> Outcome:
    """One layer of the warehouse through dbt."""
    from creditops import past_day
    from creditops.build import build
    from creditops.quality import set_aside

    with logged(f"build.{layer}", book=partition.book, as_of=partition.as_of):
        # A label may be learnt after the day it is about (a recorded outcome); a feature never.
        result = build(
            partition.book,
            partition.as_of,
            layers=(layer,),
            known_at=past_day.known_at(partition),
            labels_known_at=end_of_day(partition.book, today(partition.book)),
            schema_prefix=past_day.schema_prefix(partition),
        )
        if result.set_aside is not None:
            set_aside.note(partition.book, partition.as_of, result.set_aside)
    aside = result.set_aside.quarantined if result.set_aside is not None else 0
    return {"layer": layer, "models": len(result.models), "facilities_set_aside": aside}


def train(partition: Partition) -> Outcome:
    """Retrain the book's scorecards that are due."""
    from models_ml.run import retraining

    with logged("train", book=partition.book, as_of=partition.as_of, role="modeller") as step:
        outcomes = retraining.retrain_due(partition.book, partition.as_of, actor=requested_by(partition))
        step.rows = len(outcomes)
    if not outcomes:
        raise NothingToDo(f"no scorecard of book {partition.book} is due for training")
    return {"versions": [f"{each.name} v{each.model_version}" for each in outcomes]}


def requested_by(partition: Partition) -> str | None:
    """Who asked for the chain of this book and day last, if somebody did since a day ago."""
    with connect("modeller") as connection:
        asked = audit.who_asked(connection, partition.key)
    return asked[0] if asked else None


def promote(partition: Partition) -> Outcome:
    """Let challengers that passed their gates become champions."""
    from models_ml.run import retraining, unscored

    with logged("promote", book=partition.book, as_of=partition.as_of, role="modeller") as step:
        promoted = retraining.promote_challengers(partition.book)
        step.rows = len(promoted)
    if not promoted:
        why = unscored.without_champion(partition.book)
        raise NothingToDo("; ".join((f"no challenger of book {partition.book} becomes champion", *why)))
    return {"promoted": promoted}


def submit(partition: Partition) -> Outcome:
    """Hand challengers whose promotion is by approval to the people who may approve them."""
    from models_ml.run import approval

    with logged("submit", book=partition.book, as_of=partition.as_of, role="modeller") as step:
        asked = approval.submit(partition.book)
        step.rows = len(asked)
    if not asked:
        raise NothingToDo(f"no challenger of book {partition.book} waits for an approval")
    return {"submitted": [f"{each.name} v{each.version}" for each in asked]}


def settle(partition: Partition) -> Outcome:
    """Say which champions the day is published with: training of this round is over, however it ended."""
    from models_ml.lifecycle import registry
    from models_ml.store import mirror

    differing = mirror.put_right(partition.book)
    champions = [f"{c['name']} v{c['version']}" for c in registry.champions(partition.book)]
    return {"champions": champions} | ({"mlflow_differed": differing} if differing else {})


def drift(partition: Partition) -> Outcome:
    """Call for training where a champion's population or calibration has moved too far."""
    from models_ml.run import retraining

    called = retraining.call_for_training(partition.book, partition.as_of)
    if not called:
        turns.give_back(partition)  # nothing follows any more
        raise NothingToDo(f"no drift calls for training of book {partition.book}")
    return {"due": called}


def score(partition: Partition) -> Outcome:
    """Score the book's customers with its champions, in the warehouse, and measure the scores' stability.

    The figures belong to the same publication as the scores, so they are made before it. A book without a
    champion is published without scores, and the outcome says how to get some.
    """
    from creditops import past_day
    from models_ml.lifecycle import registry
    from models_ml.run import monitoring, scoring, shadow, unscored

    marts = past_day.schemas(partition)["marts"]
    if not registry.champions(partition.book):
        scoring.forget(partition.book, partition.as_of)
        return {"rows": 0, "note": unscored.afterwards(partition.book, partition.as_of)}
    with logged("score", book=partition.book, as_of=partition.as_of, role="modeller") as step:
        step.rows = scoring.score(partition.book, partition.as_of, marts=marts)
        shadow.score_challengers(partition.book, partition.as_of, marts=marts)
        monitoring.monitor(partition.book, partition.as_of)
    return {"rows": step.rows}


def warn(partition: Partition) -> Outcome:
    """Settle the verdict on every customer, evaluate the early-warning rules, judge them on history.

    All of it belongs to the day's publication, so it is made before it.
    """
    from creditops import past_day, verdict, warnings
    from creditops.warnings.backtest import backtest_month

    schemas = past_day.schemas(partition)
    with logged("verdict", book=partition.book, as_of=partition.as_of, role="publisher") as step:
        step.rows = verdict.settle(partition.book, partition.as_of, schemas=schemas)
    with logged("warn", book=partition.book, as_of=partition.as_of, role="publisher") as step:
        summary = warnings.evaluate(partition.book, partition.as_of, schemas=schemas)
        backtest_month(partition.book, partition.as_of, schemas=schemas)
        step.rows = sum(summary.open.values())
    return summary.to_dict()


def decide(partition: Partition) -> Outcome:
    """Replay decisions under the policy in force, make limits, worklist and all other published tables."""
    from creditops import decisions, past_day

    with logged("decide", book=partition.book, as_of=partition.as_of, role="publisher") as step:
        decided = decisions.decide(
            partition.book,
            partition.as_of,
            known_at=past_day.known_at(partition),
            schema_prefix=past_day.built_prefix(partition),
        )
        step.rows = decided.limits + decided.worklist + decided.decisions
    return asdict(decided)


def publish(partition: Partition) -> Outcome:
    """Assemble the candidate, gate it, and flip the pointer if it passes."""
    from creditops import past_day
    from creditops.policy import policy_in_force
    from creditops.publish import publisher
    from creditops.quality.gate import as_json, gate_publication

    with logged("publish.assemble", book=partition.book, as_of=partition.as_of, role="publisher") as step:
        candidate = publisher.assemble(
            partition.book,
            partition.as_of,
            models=_models_in_force(partition.book),
            policy_version=policy_in_force(partition.book, partition.as_of).version,
            known_at=past_day.known_at(partition),
        )
        step.rows = sum(candidate.rows.values())
    with logged("gate.publication", book=partition.book, as_of=partition.as_of, role="publisher") as step:
        try:
            results = gate_publication(partition.book, partition.as_of, candidate.publication_id)
        except CreditOpsError as error:
            publisher.record_gate(candidate.publication_id, [{"failed": error.message}], passed=False)
            raise
        step.rows = len(results)
        publisher.record_gate(candidate.publication_id, as_json(results), passed=True)
    with logged("publish.flip", book=partition.book, as_of=partition.as_of, role="publisher"):
        current = publisher.flip(candidate.publication_id)
    return {"publication_id": candidate.publication_id, "current": current, "rows": candidate.rows}


def report(partition: Partition) -> Outcome:
    """Render the credit report of the day in both languages."""
    from creditops.report import render

    with logged("report", book=partition.book, as_of=partition.as_of, role="publisher"):
        paths = [str(render(partition.book, partition.as_of, lang=lang)) for lang in LANGUAGES]
    return {"reports": paths}


def monitor(partition: Partition) -> Outcome:
    """Stability of the champions, after a publication or on demand."""
    from models_ml.lifecycle import registry
    from models_ml.run import monitoring

    with logged("monitor", book=partition.book, as_of=partition.as_of, role="modeller") as step:
        scored = registry.champions(partition.book)
        step.rows = monitoring.monitor(partition.book, partition.as_of) if scored else 0
    return {"rows": step.rows}


def _models_in_force(book: str) -> list[dict[str, Any]]:
    """The champions with the figures that a reader of a publication asks for."""
    from models_ml.lifecycle import registry

    shown = ("auc", "auc_low", "auc_high", "gini", "ks", "brier")
    names = [f"{split}_{figure}" for split in ("hold_out", "out_of_time") for figure in shown]
    models = []
    for champion in registry.champions(book):
        metrics = registry.show(champion["name"], champion["version"])["metrics"]
        found = {name: round(metrics[name], 6) for name in names if name in metrics}
        models.append({**champion, "metrics": found})
    return models


STEPS: Mapping[str, Step] = {
    **{f"ingest_{domain}": partial(steps.ingest, domain=domain) for domain in DOMAINS},
    "list_files": steps.list_files,
    "load_files": steps.load_files,
    "account_files": steps.account_files,
    "gate_raw": gate_raw,
    **{f"build_{layer}": partial(build_layer, layer=layer) for layer in BUILT_LAYERS},
    "train": train,
    "promote": promote,
    "submit": submit,
    "settle": settle,
    "score": score,
    "warn": warn,
    "decide": decide,
    "publish": publish,
    "report": report,
    "monitor": monitor,
    "drift": drift,
}


_READ_MARTS = frozenset({"score", "warn", "decide", "publish"})
_LOADING = {*(f"ingest_{domain}" for domain in DOMAINS), "list_files", "load_files", "account_files"}
#: Steps that read or write what of a book holds one day at a time (:mod:`creditops.turns`).
TAKES_TURNS = frozenset(STEPS) - _LOADING - {"gate_raw"}


def _note_request(partition: Partition) -> None:
    """Keep who started this run in Airflow itself; the runs that it sets off know nobody.

    The platform starts runs as Airflow's `admin`, with ids that only it can seal, and notes for whom.
    """
    from creditops.services.airflow_api import started_by_platform

    who, run_id = identity.started_by(), current_run_id()
    if who is None or started_by_platform(run_id):
        return
    with connect("publisher") as connection:
        noted = connection.execute(
            "select from ops.audit where action = 'run.request' and object = %s and after ->> 'run' = %s",
            (partition.key, run_id),
        ).fetchone()
        if noted is None:
            audit.append(connection, who, "run.request", partition.key, after={"run": run_id})


def _check_marts(partition: Partition) -> None:
    from creditops import past_day

    if (later := past_day.passed_over(partition)) is not None:
        raise DataRefusedError(
            f"the marts of book {partition.book} hold {later}: for {partition.as_of} run its whole chain",
            hint=f"`creditops run all --book {partition.book} --as-of {partition.as_of}`",
        )


def _note_failure(name: str, partition: Partition, error: CreditOpsError) -> None:
    noted = (current_run_id(), name, partition.book, partition.as_of, error.exit_code)
    with connect("publisher") as connection:
        connection.execute(
            "insert into ops.failure (run_id, step, book, as_of_date, exit_code, message, hint)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            (*noted, error.message, error.hint),
        )
    raise_alerts(partition.book, partition.as_of, [_alert(name, partition, error)])


def _alert(name: str, partition: Partition, error: CreditOpsError) -> Alert:
    """A failure in one sentence, without the examples of rows that its message may go on with."""
    run_id = current_run_id()
    what = "refused data" if error.exit_code == DataRefusedError.exit_code else "failed"
    return Alert(
        "failed_step",
        f"{name} in {run_id}" if run_id != "local" else f"{name} for {partition.as_of}, local",
        f"step {name} for {partition.as_of} {what}; the task's log and ops.failure say why (run {run_id})",
    )
