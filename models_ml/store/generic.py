"""Any registered pyfunc as a scorecard: its prediction read as a probability of default.

Used where the champion is no points table. Score, PD and grade follow from the probability; there
are no points and so no reason codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from creditops.errors import DataRefusedError
from models_ml.card.master_scale import master_scale
from models_ml.card.points_table import Scaling

_NAMES = ("pd", "probability", "probability_1")


def probabilities(prediction: Any) -> np.ndarray:
    """Probabilities of default from what a pyfunc returned.

    A frame's ``pd`` (or ``probability``) column, a frame or array of class probabilities (the last
    column), or a plain array.

    Raises
    ------
    DataRefusedError: the values are no probabilities.
    """
    if isinstance(prediction, pd.DataFrame):
        named = next((name for name in _NAMES if name in prediction), None)
        values = prediction[named] if named else prediction.iloc[:, -1]
        result = values.to_numpy(dtype=float)
    else:
        result = np.asarray(prediction, dtype=float)
        result = result[:, -1] if result.ndim == 2 else result
    if not np.all((result >= 0) & (result <= 1)):
        raise DataRefusedError(
            "the model's prediction is no probability of default",
            hint="log the model so that predict returns probabilities in [0, 1]",
        )
    return result


def decisions(pds: np.ndarray, scale: Scaling) -> pd.DataFrame:
    """Columns score, pd, grade from probabilities, by scaling and master scale."""
    clipped = np.clip(pds, 1e-6, 1 - 1e-6)
    score = np.rint(scale.offset + scale.factor * np.log((1 - clipped) / clipped)).astype(int)
    grades = master_scale().grades
    position = np.searchsorted([grade.pd_below for grade in grades], pds, side="right")
    names = np.array([grade.grade for grade in grades], dtype=object)
    return pd.DataFrame({"score": score, "pd": pds, "grade": names[position]})
