"""Proof that the compiled SQL and the pyfunc agree on every row."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg

from models_ml.card.evaluate import REASONS
from models_ml.card.points_table import PointsTable
from models_ml.card.sql import compile, identifier
from models_ml.data.dataset import KEYS, TrainingSet
from models_ml.data.population import FeatureColumns
from models_ml.fit.fitting import FittedScorecard


@dataclass(frozen=True)
class Parity:
    """Rows compared, and rows that differ in any output column."""

    rows: int
    differing: int
    example: str = ""

    @property
    def exact(self) -> bool:
        """Whether every row agrees in score, PD, grade, every point and every reason."""
        return self.rows > 0 and self.differing == 0


def check_parity(
    connection: psycopg.Connection,
    table: PointsTable,
    relation: str,
    columns: FeatureColumns,
    keys: pd.DataFrame,
    scored: pd.DataFrame,
) -> Parity:
    """Score ``relation`` in the warehouse and compare with ``scored``, row by row.

    Parameters
    ----------
    keys: customer_id and observation_date of ``scored``, in its order.
    scored: the pyfunc's output for the same rows.
    """
    statement = compile(table, relation, keys=KEYS, types=columns.types)
    names = [
        "score", "pd", "grade", "points_total",
        *(f"points_{each.name}" for each in table.characteristics),
        *(f"reason_{rank}{suffix}" for rank in range(1, REASONS + 1) for suffix in ("", "_zh", "_en")),
    ]  # fmt: skip
    wanted = ", ".join(identifier(name) for name in (*KEYS, *names))
    query = (
        f"copy (select {wanted} from ({statement}) as compiled"
        ' order by customer_id collate "C", observation_date) to stdout (format csv, header)'
    )
    buffer = io.BytesIO()
    with connection.cursor().copy(query) as copy:  # type: ignore[arg-type]
        for chunk in copy:
            buffer.write(chunk)
    buffer.seek(0)
    from_sql = pd.read_csv(
        buffer, float_precision="round_trip", dtype={"customer_id": str}, keep_default_na=False,
        na_values=[""],
    )  # fmt: skip
    if len(from_sql) != len(scored):
        return Parity(len(scored), abs(len(from_sql) - len(scored)), "row counts differ")
    differs = pd.Series(False, index=range(len(scored)))
    differs |= from_sql["customer_id"].to_numpy() != keys["customer_id"].to_numpy()
    differs |= from_sql["observation_date"].to_numpy() != keys["observation_date"].astype(str).to_numpy()
    for name in names:
        ours, theirs = scored[name].reset_index(drop=True), from_sql[name]
        if name.startswith(("reason", "grade")):
            differs |= ours.fillna("").astype(str) != theirs.fillna("").astype(str)
        else:
            differs |= ours.to_numpy() != theirs.to_numpy()
    count = int(differs.sum())
    example = "" if not count else f"customer {keys['customer_id'].iloc[int(differs.argmax())]}"
    return Parity(len(scored), count, example)


def prove_parity(connection: Any, fitted: FittedScorecard, data: TrainingSet) -> Parity:
    """Score every training row in the warehouse and with the logged form of the model."""
    from models_ml.card.pyfunc import ScorecardModel

    logged_form = ScorecardModel(PointsTable.from_json(fitted.table.to_json()))
    predicted = logged_form.predict(None, data.frame[fitted.table.features])
    return check_parity(connection, fitted.table, data.relation, data.columns, data.frame[KEYS], predicted)
