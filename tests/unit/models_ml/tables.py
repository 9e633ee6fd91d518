"""Small points tables and hypothesis strategies for them."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
from hypothesis import strategies as st

from models_ml.card.master_scale import master_scale
from models_ml.card.points_table import (
    MISSING_TEXTS,
    Baseline,
    Bin,
    Calibration,
    Characteristic,
    PointsTable,
    Text,
)
from models_ml.card.scaling import scaling

CATEGORIES = ("north", "south", "it's", " ", "华东", "a,b")


def numeric(
    name: str, boundaries: list[float], points: list[int], *, missing: int = 0,
    special: dict[float, int] | None = None, mean: float = 10.0, direction: str = "none",
) -> Characteristic:  # fmt: skip
    """A numeric characteristic with one more range than boundaries."""
    edges = [None, *boundaries, None]
    bins = [
        Bin("range", lower=low, upper=high, points=p)
        for low, high, p in zip(edges[:-1], edges[1:], points, strict=True)
    ]
    bins += [Bin("special", codes=(code,), points=p) for code, p in (special or {}).items()]
    bins.append(Bin("missing", points=missing))
    text = Text(f"{name}中文", f"{name} in English")
    return Characteristic(name, "numeric", text, tuple(bins), direction=direction, mean_points=mean)


def categorical(
    name: str, groups: list[tuple[str, ...]], points: list[int], *, missing: int = 0, other: int = 0,
    mean: float = 10.0,
) -> Characteristic:  # fmt: skip
    """A categorical characteristic with its groups, missing and other."""
    bins = [Bin("values", values=g, points=p) for g, p in zip(groups, points, strict=True)]
    bins += [Bin("missing", points=missing), Bin("other", points=other)]
    return Characteristic(name, "categorical", Text(name, name), tuple(bins), mean_points=mean)


def table(*characteristics: Characteristic, intercept: float = -2.0, slope: float = 0.05) -> PointsTable:
    """A points table around characteristics."""
    return PointsTable(
        scorecard="test",
        book="test",
        algorithm="woe_logistic",
        characteristics=tuple(characteristics),
        scaling=scaling(),
        calibration=Calibration(intercept, slope, 0.0003, 0.05),
        grades=master_scale().grades,
        baseline=Baseline((10.0,), (0.5, 0.5)),
    )


_points = st.integers(-40, 120)
_finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


@st.composite
def tables_and_rows(draw: st.DrawFn) -> tuple[PointsTable, pd.DataFrame, dict[str, str]]:
    """A points table, rows that probe its edges, and each column's PostgreSQL type."""
    characteristics, columns, types = [], {}, {}
    rows = draw(st.integers(1, 12))
    for position in range(draw(st.integers(1, 6))):
        name = f"c{position}"
        mean = draw(st.floats(-40, 120).map(lambda value: round(value, 2)))
        if draw(st.integers(0, 3)) == 0:
            values = draw(st.permutations(CATEGORIES))
            cut = draw(st.integers(1, len(values) - 2))
            each = categorical(
                name, [tuple(values[:cut]), tuple(values[cut:-1])], [draw(_points), draw(_points)],
                missing=draw(_points), other=draw(_points), mean=mean,
            )  # fmt: skip
            column = st.sampled_from([*CATEGORIES, *MISSING_TEXTS, "never seen", None])
            types[name] = "text"
        else:
            types[name] = draw(st.sampled_from(["double precision", "integer", "numeric(18,2)", "boolean"]))
            exact = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 2.05, 100.0, -3.0])
            boundaries = sorted(set(draw(st.lists(exact | _finite, max_size=6))))
            codes = draw(st.lists(st.sampled_from([-1.0, 999.0]), unique=True, max_size=2))
            each = numeric(
                name, boundaries, [draw(_points) for _ in range(len(boundaries) + 1)],
                missing=draw(_points), special={code: draw(_points) for code in codes}, mean=mean,
            )  # fmt: skip
            column = _values(types[name], boundaries, codes)
        columns[name] = draw(st.lists(column, min_size=rows, max_size=rows))
        characteristics.append(each)
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    whole = table(*characteristics)
    calibration = replace(whole.calibration, slope=draw(st.floats(0.001, 0.2)))
    return replace(whole, calibration=calibration), frame, types


def _values(type_: str, boundaries: list[float], codes: list[float]) -> st.SearchStrategy:
    if type_ == "boolean":
        return st.sampled_from([True, False, None])
    if type_ == "integer":
        return st.integers(-5, 5) | st.sampled_from([-1, 999, None])
    if type_ == "numeric(18,2)":
        cents = st.integers(-500, 500).map(lambda value: value / 100)
        return cents | st.sampled_from([0.1, 2.05, -1.0, 999.0, None])
    near = [
        value for b in boundaries for value in (b, math.nextafter(b, -math.inf), math.nextafter(b, math.inf))
    ]
    odd = [math.nan, math.inf, -math.inf, -0.0, 1e-300, *codes, None, *near]
    return st.sampled_from(odd) | _finite
