"""Scores from the points table and the features: points of the bin each value lies in, their sum, PD, grade,
reasons.

Written from what the points table says of itself: ranges are right-open, null is the missing bin, a
category that development never showed the other bin; ln(odds good:bad) = intercept + slope x score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any


def points_of(characteristic: Mapping[str, Any], value: Any) -> int:
    bins = characteristic["bins"]

    def of(kind: str) -> int:
        return next(each["points"] for each in bins if each["kind"] == kind)

    if value is None or (isinstance(value, float) and math.isnan(value)):
        return of("missing")
    if characteristic["kind"] == "categorical":
        known = [each["points"] for each in bins if str(value) in each["values"]]
        return known[0] if known else of("other")
    number = float(value)
    for each in bins:
        if each["kind"] == "special" and number in each["codes"]:
            return each["points"]
    for each in bins:
        low, high = each["lower"], each["upper"]
        if each["kind"] == "range" and (low is None or number >= low) and (high is None or number < high):
            return each["points"]
    raise AssertionError(f"{characteristic['name']}: {value} lies in no bin")


def pd_of(table: Mapping[str, Any], score: int) -> float:
    calibration = table["calibration"]
    odds = calibration["intercept"] + calibration["slope"] * score
    return max(1 / (1 + math.exp(odds)), calibration["floor"])


def grade_of(table: Mapping[str, Any], pd: float) -> str:
    return next(each["grade"] for each in table["grades"] if pd < each["pd_below"])


def decide(table: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """Score, PD, grade and reason codes of one customer not in default."""
    points = {each["name"]: points_of(each, features[each["name"]]) for each in table["characteristics"]}
    score = sum(points.values())
    pd = round(pd_of(table, score), 6)
    losses = sorted(
        ((each["mean_points"] - points[each["name"]], place, each["name"])
         for place, each in enumerate(table["characteristics"])),
        key=lambda loss: (-round(loss[0], 2), loss[1]),
    )  # fmt: skip
    reasons = [name for loss, _, name in losses if round(loss, 2) > 0][:4]
    return {
        "points_total": score,
        "score": score,
        "pd": pd,
        "grade": grade_of(table, pd),
        **{f"reason_{place + 1}": reasons[place] if place < len(reasons) else None for place in range(4)},
    }


def customer_scores(
    table: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """By customer and scorecard."""
    return {(row["customer_id"], table["scorecard"]): decide(table, row) for row in rows}
