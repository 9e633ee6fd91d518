"""Scores a book's customers with its champions: compiled SQL inside the warehouse.

A champion that is no points table scores as a pyfunc, in chunks of bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd
import psycopg

from creditops.errors import CreditOpsError, DataRefusedError
from creditops.warehouse import connect
from models_ml import registry, tracking
from models_ml.evaluate import REASONS
from models_ml.master_scale import master_scale
from models_ml.points_table import PointsTable
from models_ml.population import expect_large_joins, feature_columns, scored_relation
from models_ml.scaling import scaling
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.sql import compile, identifier, literal

CHUNK_ROWS = 50_000
_REASONS = [f"reason_{rank}{suffix}" for suffix in ("", "_zh", "_en") for rank in range(1, REASONS + 1)]
_COLUMNS = [
    "book", "as_of_date", "scorecard", "customer_id", "model_version", "score", "pd", "grade",
    "points_total", *_REASONS, "observed_on",
]  # fmt: skip


def score(book: str, as_of: date) -> int:
    """Score everyone in the populations of the book's champions on ``as_of``.

    Rows of (book, as_of, scorecard) in ``scoring.customer_scores`` are replaced, in one transaction
    a scorecard. Returns the rows written.

    Raises
    ------
    CreditOpsError: the book has no champion.
    DataRefusedError: nobody has features for that day, or a champion's gates did not pass.
    """
    champions = registry.champions(book)
    if not champions:
        raise CreditOpsError(
            f"book {book} has no champion to score with",
            hint="train and promote one: `creditops run retrain_scorecards`, `creditops models approve`",
        )
    return sum(_score_with(book, as_of, champion) for champion in champions)


def scoring_statement(
    spec: ScorecardSpec, table: PointsTable, version: str, book: str, as_of: date,
    connection: psycopg.Connection,
) -> str:  # fmt: skip
    """The INSERT ... SELECT that scores a book's population with one points table."""
    columns = feature_columns(connection, spec, table.features)
    relation = scored_relation(spec, book, as_of, columns)
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


def _score_with(book: str, as_of: date, champion: dict[str, Any]) -> int:
    name, version = champion["name"], champion["version"]
    if not champion["gates_passed"]:
        raise DataRefusedError(
            f"champion {name} version {version} has no record of passed gates",
            hint="`creditops models show` lists its gates; roll back or approve another version",
        )
    spec = find_scorecard(champion["scorecard"])
    table = tracking.load_table(name, version)
    with connect("modeller") as connection:
        expect_large_joins(connection)
        connection.execute(
            "delete from scoring.customer_scores where book = %s and as_of_date = %s and scorecard = %s",
            (book, as_of, spec.name),
        )
        if table is not None:
            statement = scoring_statement(spec, table, version, book, as_of, connection)
            rows = connection.execute(statement).rowcount  # type: ignore[arg-type]
        else:
            rows = _score_in_chunks(connection, spec, name, version, book, as_of)
        if not rows:
            raise DataRefusedError(
                f"{spec.name}: nobody of book {book} has features for {as_of}",
                hint="build the warehouse for that day first: `creditops run build_warehouse`",
            )
    return rows


def _score_in_chunks(
    connection: psycopg.Connection, spec: ScorecardSpec, name: str, version: str, book: str, as_of: date
) -> int:
    from models_ml.generic import decisions, probabilities

    model = tracking.load_pyfunc(name, version)
    features = model.metadata.get_input_schema().input_names()
    scale = scaling(spec.scaling.base_score, spec.scaling.base_odds, spec.scaling.pdo)
    rows = 0
    for chunk in _chunks(connection, spec, features, book, as_of):
        decided = decisions(probabilities(model.predict(chunk[features])), scale)
        in_default = chunk["is_default"].to_numpy(dtype=bool)
        decided.loc[in_default, "pd"] = 1.0
        decided.loc[in_default, "grade"] = master_scale().default_grade
        with connection.cursor().copy(
            f"copy scoring.customer_scores ({', '.join(_COLUMNS)}) from stdin"
        ) as copy:
            for key, row in zip(chunk.itertuples(), decided.itertuples(), strict=True):
                copy.write_row(
                    (book, as_of, spec.name, key.customer_id, version, row.score, row.pd, row.grade,
                     row.score, *[None] * len(_REASONS), as_of)
                )  # fmt: skip
        rows += len(chunk)
    return rows


def _chunks(
    connection: psycopg.Connection, spec: ScorecardSpec, features: list[str], book: str, as_of: date
) -> Iterator[pd.DataFrame]:
    """The population in frames of at most :data:`CHUNK_ROWS` rows, through a server-side cursor."""
    columns = feature_columns(connection, spec, features)
    parts = []
    for each in features:
        if spec.features[each].kind == "numeric":
            whole = "::int" if columns.types[each] == "boolean" else ""
            parts.append(f"{identifier(each)}{whole}::double precision")
        else:
            parts.append(f"{identifier(each)}::text")
    relation = scored_relation(spec, book, as_of, columns)
    with connection.cursor(name="population") as cursor:
        cursor.itersize = CHUNK_ROWS
        cursor.execute(f"select customer_id, is_default, {', '.join(parts)} from {relation}")  # type: ignore[arg-type]
        while rows := cursor.fetchmany(CHUNK_ROWS):
            frame = pd.DataFrame(rows, columns=["customer_id", "is_default", *features])
            for each in features:
                if spec.features[each].kind == "numeric":
                    frame[each] = frame[each].astype("float64")
            yield frame
