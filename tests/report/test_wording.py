"""Numbers and names as a reader of each language says them; findings follow from figures."""

from __future__ import annotations

from typing import Any

import pytest

from creditops.report.figures import Figures
from creditops.report.findings import findings
from creditops.report.wording import wording
from creditops.warnings.rule import RESPONSES

EMPTY: dict[str, Any] = {
    "customers": 0, "trend": [], "segments": [], "buckets": {}, "rolls": {}, "roll_sizes": {},
    "roll_months": 0, "roll_trend": {}, "vintages": {}, "scores": {}, "grades": {}, "reasons": {},
    "warnings": {"red": 0, "orange": 0, "yellow": 0}, "warnings_new": 0, "warnings_unattended": 0,
    "warning_rules": [], "warning_list": [], "quality": [], "failed_checks": [], "monitoring": {},
    "npl": [], "warnings_after_default": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (None, "–", "–"),
        (0, "0", "0"),
        (999, "999", "999"),
        (12_345, "1.23万", "12.3k"),
        (465_000_000, "4.65亿", "465m"),
        (-1_234_567_890, "-12.3亿", "-1.23bn"),
    ],
)
def test_money_is_shown_in_the_units_of_the_language(value: float | None, zh: str, en: str) -> None:
    assert wording("zh").money(value) == zh
    assert wording("en").money(value) == en


def test_every_code_that_a_warning_can_carry_has_a_name_in_both_languages() -> None:
    codes = [("response", code) for code in RESPONSES]
    codes += [("status", code) for code in ("raised", "acknowledged", "in_response")]
    codes += [("severity", code) for code in ("red", "orange", "yellow", "critical", "warning")]
    for language in ("zh", "en"):
        assert all(f"{kind}.{code}" in wording(language).texts for kind, code in codes)  # type: ignore[arg-type]


def month(overdue: float, defaults: int = 0) -> dict[str, Any]:
    return {"overdue_ratio": overdue, "npl_ratio": 0.02, "new_defaults": defaults}


@pytest.mark.parametrize(
    ("before", "now", "tone", "text"),
    [
        (0.05, 0.06, "bad", "Overdue ratio is 6.00%, up 1.00 points in three months (from 5.00%)."),
        (0.06, 0.05, "good", "Overdue ratio is 5.00%, down 1.00 points in three months (from 6.00%)."),
        (0.05, 0.0502, "plain", "Overdue ratio is 5.02%, level with three months ago (5.00%)."),
    ],
)
def test_a_rising_overdue_ratio_is_bad_news(before: float, now: float, tone: str, text: str) -> None:
    figures = Figures(**{**EMPTY, "trend": [month(before), month(0.9), month(0.9), month(now)]})
    first = findings(figures, wording("en"))[0]
    assert (first.tone, first.text) == (tone, text)


def test_red_warnings_that_nobody_took_on_are_named() -> None:
    figures = Figures(**{**EMPTY, "warnings": {"red": 3, "orange": 0, "yellow": 9}, "warnings_unattended": 2})
    assert [finding.text for finding in findings(figures, wording("zh"))] == [
        "红色预警3条未关闭，其中2条尚无人处理。"
    ]


def test_what_is_not_past_due_in_npl_is_said_with_its_causes() -> None:
    npl = [
        {"cause": "past_due_90", "facilities": 9, "balance": 60e6, "share": 0.6},
        {"cause": "manual", "facilities": 1, "balance": 10e6, "share": 0.1},
        {"cause": "contagion_elsewhere", "facilities": 5, "balance": 30e6, "share": 0.3},
    ]
    said = {lang: findings(Figures(**{**EMPTY, "npl": npl}), wording(lang))[0].text for lang in ("zh", "en")}  # type: ignore[arg-type]
    assert said["zh"].startswith(
        "不良余额中4,000万（40.0%）并未逾期超过90天：人工分类 1,000万，全部机构债务逾期传染"
    )
    assert said["en"].startswith(
        "40.0m of the non-performing balance (40.0%) is not over 90 days past due: classed"
    )


def test_nothing_published_gives_nothing_to_notice() -> None:
    assert findings(Figures(**EMPTY), wording("en")) == []
