"""Scores a frame with a points table: the Python form of a scorecard.

Vectorised numpy; agrees with :mod:`models_ml.card.sql` on every row. Imports nothing of the project
but :mod:`models_ml.card.points_table`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.card.points_table import MISSING_TEXTS, Characteristic, PointsTable

REASONS = 4


def bin_index(characteristic: Characteristic, values: pd.Series) -> np.ndarray:
    """Position of each row's bin in ``characteristic.bins``; shape (rows,), int16."""
    if characteristic.kind == "numeric":
        return _numeric_index(characteristic, values)
    other, missing = characteristic.index_of("other"), characteristic.index_of("missing")
    lookup = dict.fromkeys(MISSING_TEXTS, missing)
    lookup |= {value: position for position, each in enumerate(characteristic.bins) for value in each.values}
    objects = values.astype(object)
    index = objects.map(lambda value: lookup.get(value, other)).to_numpy(dtype=np.int16)
    return np.where(objects.isna().to_numpy(), np.int16(missing), index)


def _numeric_index(characteristic: Characteristic, values: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(values).astype("float64").to_numpy(dtype="float64", na_value=np.nan)
    index = np.searchsorted(np.array(characteristic.boundaries), numbers, side="right").astype(np.int16)
    for position, each in enumerate(characteristic.bins):
        for code in each.codes:
            index[numbers == code] = position
    index[np.isnan(numbers)] = characteristic.index_of("missing")
    return index


def points_matrix(table: PointsTable, frame: pd.DataFrame) -> np.ndarray:
    """Points per row and characteristic; shape (rows, characteristics), int32."""
    matrix = np.empty((len(frame), len(table.characteristics)), dtype=np.int32)
    for column, each in enumerate(table.characteristics):
        matrix[:, column] = np.array([b.points for b in each.bins])[bin_index(each, frame[each.name])]
    return matrix


def score_frame(table: PointsTable, frame: pd.DataFrame) -> pd.DataFrame:
    """Score, PD, grade, points and reason codes of every row, on the frame's index.

    Columns: ``score`` int, ``pd``, ``grade``, ``points_total`` (equal to score),
    ``points_<characteristic>``, ``reason_1..4`` (names of the characteristics that lose most points
    against the development mean, most first; ties in the table's order), ``reason_k_zh``,
    ``reason_k_en``.

    Raises
    ------
    KeyError: the frame lacks a column of :attr:`PointsTable.features`.
    """
    points = points_matrix(table, frame)
    score = points.sum(axis=1, dtype=np.int64)
    low, _ = table.score_range
    pds = np.array(table.pd_table())
    grades = np.array([table.grade_of(value) for value in pds], dtype=object)
    columns: dict[str, object] = {
        "score": score,
        "pd": pds[score - low],
        "grade": grades[score - low],
        "points_total": score,
    }
    for position, each in enumerate(table.characteristics):
        columns[f"points_{each.name}"] = points[:, position]
    columns |= _reasons(table, points)
    texts = {  # as objects, so that no reason is None and not NaN
        name: pd.Series(values, index=frame.index, dtype=object)
        for name, values in columns.items()
        if name.startswith(("reason_", "grade"))
    }
    return pd.DataFrame(columns | texts, index=frame.index)


def _reasons(table: PointsTable, points: np.ndarray) -> dict[str, object]:
    """The characteristics that lose most points against the development mean (domain.md#reason-codes)."""
    means = np.array([round(each.mean_points * 100) for each in table.characteristics])
    losses = means[None, :] - 100 * points
    order = np.argsort(-losses, axis=1, kind="stable")[:, :REASONS]
    lost = np.take_along_axis(losses, order, axis=1) > 0
    columns: dict[str, object] = {}
    for suffix, texts in (
        ("", [each.name for each in table.characteristics]),
        ("_zh", [each.text.zh for each in table.characteristics]),
        ("_en", [each.text.en for each in table.characteristics]),
    ):
        lookup = np.array(texts, dtype=object)
        for rank in range(REASONS):
            if rank < order.shape[1]:
                columns[f"reason_{rank + 1}{suffix}"] = np.where(
                    lost[:, rank], lookup[order[:, rank]], np.array(None)
                )
            else:
                columns[f"reason_{rank + 1}{suffix}"] = np.full(len(points), None, dtype=object)
    return columns
