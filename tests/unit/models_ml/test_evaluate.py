"""A points table scores rows: bins, sums, PD, grades, reasons."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from models_ml.card.evaluate import REASONS, score_frame
from models_ml.card.master_scale import MasterScale, master_scale
from models_ml.card.points_table import Grade, PointsTable
from tests.unit.models_ml.tables import categorical, numeric, table, tables_and_rows


def test_a_boundary_belongs_to_the_bin_on_its_right() -> None:
    card = table(numeric("x", [0.5], [10, 20]))
    frame = pd.DataFrame({"x": [math.nextafter(0.5, 0), 0.5]})
    assert list(score_frame(card, frame)["score"]) == [10, 20]


def test_missing_special_and_unseen_values_earn_their_own_points() -> None:
    card = table(
        numeric("x", [0.5], [10, 20], missing=1, special={-1.0: 2}),
        categorical("region", [("north",)], [100], missing=300, other=400),
    )
    frame = pd.DataFrame({"x": [np.nan, -1.0, 0.0], "region": [None, "north", "mars"]})
    scored = score_frame(card, frame)
    assert list(scored["points_x"]) == [1, 2, 10]
    assert list(scored["points_region"]) == [300, 100, 400]
    assert list(scored["score"]) == [301, 102, 410]


def test_reasons_name_the_largest_losses_first_and_no_gain() -> None:
    card = table(
        numeric("small", [0.5], [8, 12], mean=10),
        numeric("large", [0.5], [-20, 12], mean=10),
        numeric("gain", [0.5], [30, 12], mean=10),
    )
    row = score_frame(card, pd.DataFrame({"small": [0.0], "large": [0.0], "gain": [0.0]})).iloc[0]
    assert [row[f"reason_{k}"] for k in range(1, REASONS + 1)] == ["large", "small", None, None]
    assert row["reason_1_zh"] == "large中文"
    assert row["reason_2_en"] == "small in English"


@given(tables_and_rows())
def test_points_sum_to_the_score_and_reasons_are_the_ordered_losses(case: tuple) -> None:
    card, frame, _ = case
    scored = score_frame(card, frame)
    points = scored[[f"points_{c.name}" for c in card.characteristics]]
    assert (points.sum(axis=1) == scored["score"]).all()
    assert (scored["points_total"] == scored["score"]).all()
    for row in scored.to_dict("records"):
        losses = {
            c.name: round(c.mean_points * 100) - 100 * row[f"points_{c.name}"] for c in card.characteristics
        }
        expected = [name for name in sorted(losses, key=lambda n: -losses[n]) if losses[name] > 0]
        found = [row[f"reason_{k}"] for k in range(1, REASONS + 1)]
        assert [each for each in found if each] == expected[:REASONS]


@given(tables_and_rows())
def test_a_higher_score_never_has_a_higher_pd_or_a_worse_grade(case: tuple) -> None:
    card, _, _ = case
    pds = card.pd_table()
    assert pds == sorted(pds, reverse=True)
    order = [grade.grade for grade in card.grades]
    grades = [order.index(card.grade_of(pd_)) for pd_ in pds]
    assert grades == sorted(grades, reverse=True)


@given(tables_and_rows())
def test_a_table_survives_its_json_to_the_byte(case: tuple) -> None:
    card = case[0]
    again = PointsTable.from_json(card.to_json())
    assert again == card
    assert again.to_json() == card.to_json()


def test_a_later_format_is_refused() -> None:
    text = table(numeric("x", [0.5], [1, 2])).to_json().replace('"format": 1', '"format": 99')
    with pytest.raises(ValueError, match="format 99"):
        PointsTable.from_json(text)


def test_the_master_scale_has_ten_rising_grades_and_d() -> None:
    scale = master_scale()
    assert len(scale.grades) == 10
    assert scale.default_grade == "D"
    with pytest.raises(ValueError, match="must rise"):
        MasterScale(grades=(Grade("1", 0.5), Grade("2", 0.4)), default_grade="D")
