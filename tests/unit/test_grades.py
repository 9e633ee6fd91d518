"""Grades are said once, and the master scale has them."""

from __future__ import annotations

from creditops.grades import DEFAULT_GRADE, GRADES
from models_ml.card.master_scale import master_scale


def test_the_master_scale_has_the_grades_of_the_platform() -> None:
    scale = master_scale()
    assert (*(each.grade for each in scale.grades), scale.default_grade) == GRADES
    assert scale.default_grade == DEFAULT_GRADE
