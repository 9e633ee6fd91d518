"""The scorecard as an MLflow model; MLflow loads this file as the model's code.

Input: one column per characteristic. Output: :func:`models_ml.card.evaluate.score_frame`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import PointsTable

ARTIFACT = "points_table"


class ScorecardModel(PythonModel):
    """Scores frames with the points table among its artifacts."""

    def __init__(self, table: PointsTable | None = None) -> None:
        self.table = table

    def load_context(self, context: Any) -> None:
        """Read the points table that was logged with the model."""
        path = Path(context.artifacts[ARTIFACT])
        self.table = PointsTable.from_json(path.read_text(encoding="utf-8"))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score, PD, grade, points and reasons per row."""
        assert self.table is not None
        return score_frame(self.table, model_input)


set_model(ScorecardModel())
