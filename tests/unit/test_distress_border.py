"""The border of distress of Z'' is said once in SQL; the line of the chart and the warning rule are at it."""

from __future__ import annotations

import re

from creditops.assessment.drawing import DISTRESS
from creditops.settings import PROJECT_ROOT
from creditops.warnings import load_rules

BORDERS = re.compile(r"z_zone\([^,()]+, ([0-9.]+), [0-9.]+\)")


def test_chart_and_rule_have_the_border_of_the_models() -> None:
    home = PROJECT_ROOT / "dbt_project" / "macros" / "financial_ratios.sql"
    (border,) = BORDERS.findall(home.read_text(encoding="utf-8"))
    (rule,) = (each for each in load_rules() if each.id == "z_enters_distress")
    assert float(border) == DISTRESS == rule.parameters["distress"]


def test_no_model_writes_it_again() -> None:
    models = PROJECT_ROOT.glob("dbt_project/models/**/*.sql")
    again = {path.stem for path in models if re.search(r"z2_score'?, 1\.10?\b", path.read_text("utf-8"))}
    assert again == set()
