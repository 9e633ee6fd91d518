"""Scores a book's customers with its champions: compiled SQL inside the warehouse.

A champion that is no points table scores as a pyfunc, in chunks of bounded memory.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from creditops.errors import CreditOpsError, DataRefusedError
from creditops.warehouse import connect
from models_ml.card.evaluate import REASONS
from models_ml.card.master_scale import master_scale
from models_ml.card.points_table import PointsTable
from models_ml.card.scaling import scaling
from models_ml.card.sql import compile, literal
from models_ml.data.population import feature_columns, features_day, scored_relation
from models_ml.lifecycle import registry
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.store import artefact, isolated, version_store

CHUNK_ROWS = 50_000
_REASONS = [f"reason_{rank}{suffix}" for suffix in ("", "_zh", "_en") for rank in range(1, REASONS + 1)]
_COLUMNS = [
    "book", "as_of_date", "scorecard", "customer_id", "model_version", "score", "pd", "grade",
    "points_total", *_REASONS, "observed_on",
]  # fmt: skip


def score(book: str, as_of: date, *, marts: str = "marts") -> int:
    """Score everyone in the populations of the book's champions on ``as_of``.

    Rows of (book, as_of, scorecard) in ``scoring.customer_scores`` are replaced, in one transaction
    a scorecard. Returns the rows written.

    Parameters
    ----------
    marts: schema of ``fct_customer_state``, which says who is in default on the day.

    Raises
    ------
    CreditOpsError: the book has no champion.
    DataRefusedError: nobody has features for that day, a champion's gates did not pass, or it is no longer
        what was registered and decided on.
    """
    champions = registry.champions(book)
    if not champions:
        raise CreditOpsError(
            f"book {book} has no champion to score with",
            hint="train and promote one: `creditops run retrain_scorecards`, `creditops models approve`",
        )
    rows = sum(_score_with(book, as_of, champion, f"{marts}.fct_customer_state") for champion in champions)
    with connect("modeller") as connection:
        # Whoever reads the scores next plans for as many as there are, not for the few of an empty table.
        connection.execute("analyze scoring.customer_scores")
    return rows


def forget(book: str, as_of: date) -> None:
    """Remove the scores of a day, made by champions that the book has no more."""
    with connect("modeller") as connection:
        connection.execute(
            "delete from scoring.customer_scores where book = %s and as_of_date = %s", (book, as_of)
        )


def scoring_statement(
    spec: ScorecardSpec, table: PointsTable, version: str, book: str, as_of: date,
    connection: psycopg.Connection, *, states: str = "marts.fct_customer_state",
) -> str:  # fmt: skip
    """The INSERT ... SELECT that scores a book's population with one points table."""
    columns = feature_columns(connection, spec, table.features)
    relation = scored_relation(spec, book, as_of, columns, states=states)
    compiled = compile(
        table, relation, keys=("customer_id", "observation_date", "is_default"), types=columns.types,
        points=False,
    )  # fmt: skip
    reasons = ", ".join(_REASONS)
    return (
        f"insert into scoring.customer_scores ({', '.join(_COLUMNS)})\n"
        f"select {literal(book)}, date {literal(as_of.isoformat())}, {literal(spec.name)}, customer_id,"
        f" {literal(version)}, score, case when is_default then 1.0 else pd end,"
        f" case when is_default then {literal(master_scale().default_grade)} else grade end,"
        f" points_total, {reasons}, observation_date\nfrom (\n{compiled}\n) as decided"
    )


def _score_with(book: str, as_of: date, champion: dict[str, Any], states: str) -> int:
    name, version = champion["name"], champion["version"]
    if not champion["gates_passed"]:
        raise DataRefusedError(
            f"champion {name} version {version} has no record of passed gates",
            hint="`creditops models show` lists its gates; roll back or approve another version",
        )
    spec = find_scorecard(champion["scorecard"])
    held, state = version_store.find(name, version), version_store.state_of(name)
    decided = state.last[version].content_sha256
    with (
        artefact.approved_files(held, decided) as folder,
        connect("modeller", large_joins=True) as connection,
    ):
        table = artefact.points_table(held)
        connection.execute(
            "delete from scoring.customer_scores where book = %s and as_of_date = %s and scorecard = %s",
            (book, as_of, spec.name),
        )
        if table is not None:
            statement = scoring_statement(spec, table, version, book, as_of, connection, states=states)
            rows = connection.execute(statement).rowcount  # type: ignore[arg-type]
        else:
            rows = _score_in_chunks(connection, spec, folder, version, book, as_of, states)
        if not rows and not spec.population.may_be_empty:
            raise _nobody(connection, spec, book, as_of)
    return rows


def _nobody(connection: psycopg.Connection, spec: ScorecardSpec, book: str, as_of: date) -> DataRefusedError:
    """Nobody has features for the day; the message names the day for which there are some."""
    day = features_day(connection, spec, book, as_of)
    build = f"creditops run build_warehouse --book {book} --as-of {as_of}"
    if day is None:
        return DataRefusedError(
            f"{spec.name}: nobody of book {book} has features for {as_of} or any day before",
            hint=f"build the warehouse for that day first: `{build}`",
        )
    if day == as_of:
        return DataRefusedError(
            f"{spec.name}: everyone of book {book} with features for {as_of} is closed or written off",
            hint="`population.never_scored` of the scorecard says who is left out",
        )
    return DataRefusedError(
        f"{spec.name}: nobody of book {book} has features for {as_of}; the newest day with features is {day}",
        hint=f"publish that day (--as-of {day}), or build {as_of} first: `{build}`",
    )


def _score_in_chunks(
    connection: psycopg.Connection,
    spec: ScorecardSpec,
    folder: Path,
    version: str,
    book: str,
    as_of: date,
    states: str,
) -> int:
    """Score with any pyfunc, in a process of its own.

    Arrow chunks come in on a connection of their own, decisions go out on this.
    """
    import pyarrow as pa

    from models_ml.data.chunks import population_chunks, write_chunk
    from models_ml.store.generic import decisions

    features = isolated.inputs(folder)
    scale = scaling(spec.scaling.base_score, spec.scaling.base_odds, spec.scaling.pdo)
    rows = 0
    with connect("modeller", large_joins=True) as reader, isolated.running(folder) as model:
        for chunk in population_chunks(reader, spec, features, book, as_of, CHUNK_ROWS, states=states):
            decided = decisions(model.predict(chunk.select(features).to_pandas()), scale)
            in_default = chunk["is_default"].to_numpy(zero_copy_only=False)
            decided.loc[in_default, "pd"] = 1.0
            decided.loc[in_default, "grade"] = master_scale().default_grade
            same = {"book": book, "as_of_date": as_of, "scorecard": spec.name, "model_version": version}
            columns = {key: pa.repeat(pa.scalar(value), len(chunk)) for key, value in same.items()}
            columns |= {key: pa.array(decided[key]) for key in ("score", "pd", "grade")}
            columns |= {"customer_id": chunk["customer_id"], "observed_on": chunk["observation_date"]}
            columns["points_total"] = columns["score"]
            write_chunk(connection, "scoring.customer_scores", pa.table(columns))
            rows += len(chunk)
    return rows
