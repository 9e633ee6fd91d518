"""Compares a new version with the champion on the same hold-out rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models_ml import tracking
from models_ml.dataset import TrainingSet
from models_ml.discrimination import auc, auc_difference
from models_ml.evaluate import score_frame
from models_ml.points_table import PointsTable
from models_ml.split import DEVELOPMENT, HOLD_OUT


@dataclass(frozen=True)
class Comparison:
    """``auc`` of the new version and of champion ``version`` on ``rows`` hold-out rows, their
    difference (new less champion) and the DeLong p-value of it.
    """

    version: str
    rows: int
    auc: float
    champion_auc: float
    difference: float
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def to_json(self) -> str:
        """One line, for a tag."""
        return json.dumps(self.as_dict())

    def metrics(self) -> dict[str, float]:
        """Metrics under the names that MLflow shows."""
        return {
            "champion_hold_out_auc": self.champion_auc,
            "champion_hold_out_auc_difference": self.difference,
        }


def compare_with_champion(
    name: str, table: PointsTable, data: TrainingSet, splits: np.ndarray
) -> Comparison | None:
    """Compare on hold-out; ``None`` without a champion or where it cannot score these rows.

    Out-of-time rows are left out: a champion trained earlier or later has them on another side.
    """
    from models_ml.registry import alias_version

    version = alias_version(name, tracking.CHAMPION)
    if version is None:
        return None
    here = splits == (HOLD_OUT if (splits == HOLD_OUT).any() else DEVELOPMENT)
    frame, bad = data.frame[here], data.bad[here]
    risk = -score_frame(table, frame)["score"].to_numpy(dtype=float)
    other = champion_risk(name, version, frame)
    if other is None:
        return None
    difference = auc_difference(risk, other, bad)
    area = auc(risk, bad).value
    return Comparison(
        version, len(frame), area, area - difference.value, difference.value, difference.p_value
    )


def champion_risk(name: str, version: str, frame: Any) -> np.ndarray | None:
    """The champion's risk of each row (higher is riskier); ``None`` where a column is not there."""
    table = tracking.load_table(name, version)
    if table is not None:
        if not set(table.features) <= set(frame.columns):
            return None
        return -score_frame(table, frame)["score"].to_numpy(dtype=float)
    model = tracking.load_pyfunc(name, version)
    columns = model.metadata.get_input_schema().input_names()
    if not set(columns) <= set(frame.columns):
        return None
    from models_ml.generic import probabilities

    return probabilities(model.predict(frame[columns]))
