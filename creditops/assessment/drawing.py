"""The charts of an assessment, from its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from creditops.report import charts
from creditops.report.charts import AMBER, BLUE, GREY, RED, TEAL, Series
from creditops.report.wording import Wording

Facts = Mapping[str, Any]
Say = Callable[..., str]
DISTRESS = 1.1
"""Z'' below which a firm is in distress (domain.md#altman)."""
AGES = ("not_due", "d1_30", "d31_60", "d61_90", "d91_120", "d120_plus", "disputed")
_CAPS = ("exposure", "current_limit", "cap_policy", "cap_capacity", "cap_concentration", "cap_group")
_BINDS = {"policy": "cap_policy", "capacity": "cap_capacity", "concentration": "cap_concentration",
          "group": "cap_group"}  # fmt: skip


def draw(facts: Facts, words: Say, say: Wording) -> dict[str, Markup]:
    """Every chart that the facts suffice for, by name."""
    drawn: dict[str, Markup] = {}
    months = facts["history"] or []
    if months:
        labels = [each["month"][:7] for each in months]

        def series(name: str, colour: str, key: str) -> Series:
            return Series(words(name), colour, [float(each[key] or 0) for each in months])

        drawn["balance"] = charts.line_chart(
            words("chart.balance"), labels,
            [series("balance", BLUE, "balance"), series("overdue", RED, "overdue")], say.axis_money,
        )  # fmt: skip
        drawn["paid"] = charts.line_chart(
            words("chart.paid"), labels,
            [series("due", AMBER, "due"), series("paid", TEAL, "paid")], say.axis_money,
        )  # fmt: skip
        if any(each["dpd"] for each in months):
            drawn["dpd"] = charts.column_chart(
                words("chart.dpd"), labels, [series("dpd", RED, "dpd")], say.count
            )
    days = facts["score_history"] or []
    if len(days) > 1:
        drawn["score"] = _score_chart(days, words, say)
    if facts["trade"]:
        drawn["ageing"] = charts.column_chart(
            words("chart.ageing"), [words(age) for age in AGES],
            [Series(words("balance"), BLUE, [float(facts["trade"][age] or 0) for age in AGES])],
            say.axis_money, months=False,
        )  # fmt: skip
    periods = facts["statements"] or []
    if len(periods) > 1:
        drawn.update(_statement_charts(periods, facts["peers"] or {}, words, say))
    return drawn


def caps_chart(limit: Mapping[str, Any], words: Say, say: Wording) -> Markup:
    """One bar for the exposure, the limit now, each cap and the recommendation; the binding one stands out.

    Bars end where twice the largest of exposure and limits would; a longer one is cut there.
    """
    rows = [
        (words(name), float(limit[name]), AMBER if _BINDS.get(limit["binding_cap"]) == name else GREY)
        for name in _CAPS
        if limit[name] is not None
    ]
    rows.append((words("recommended_limit"), float(limit["recommended_limit"]), BLUE))
    known = (limit["exposure"], limit["current_limit"], limit["recommended_limit"])
    most = 2 * max((float(value) for value in known if value is not None), default=0.0) or 1.0
    left, right, height = 130, 84, 24
    full = charts.WIDTH - left - right
    parts = []
    for number, (name, value, colour) in enumerate(rows):
        y = number * height
        width = full * min(value / most, 1.0)
        cut = f" ({words('beyond')})" if value > most else ""
        parts.append(
            f'<text x="{left - 8}" y="{y + 16}" text-anchor="end" font-size="12" fill="{charts.INK}">'
            f"{escape(name)}</text>"
            f'<rect x="{left}" y="{y + 5}" width="{max(width, 1):.1f}" height="14" fill="{colour}" rx="2">'
            f"<title>{escape(name)} {escape(say.count(value))}{escape(cut)}</title></rect>"
            f'<text x="{left + max(width, 1) + 6:.1f}" y="{y + 16}" font-size="12" fill="{charts.INK}">'
            f"{escape(say.money(value))}{' »' if cut else ''}</text>"
        )
    title = escape(words("chart.caps"))
    return Markup(
        f'<svg class="chart" viewBox="0 0 {charts.WIDTH} {len(rows) * height + 4}" role="img"'
        f' aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'
    )


def _score_chart(days: Sequence[Mapping[str, Any]], words: Say, say: Wording) -> Markup:
    labels = sorted({each["day"] for each in days})
    series = []
    for scorecard, colour in zip(
        sorted({each["scorecard"] for each in days}), (BLUE, TEAL, AMBER), strict=False
    ):
        scores = {each["day"]: float(each["score"]) for each in days if each["scorecard"] == scorecard}
        series.append(Series(scorecard, colour, [scores.get(day) for day in labels]))
    return charts.line_chart(words("chart.score"), [day[:7] for day in labels], series, say.count)


def _statement_charts(
    periods: Sequence[Mapping[str, Any]], peers: Mapping[str, Any], words: Say, say: Wording
) -> dict[str, Markup]:
    labels = [each["period_end"][:7] for each in periods]

    def ratio(name: str, key: str, show: charts.Format, *lines: Series) -> Markup:
        own = Series(words("this_customer"), BLUE, [each[key] for each in periods])
        beside = [_level(words("peer_median"), GREY, peers.get(key), len(periods)), *lines]
        return charts.line_chart(words(name), labels, [own, *(each for each in beside if each.values)], show)

    return {
        "revenue": charts.line_chart(
            words("chart.revenue"), labels,
            [
                Series(words("revenue"), BLUE, [_a_year(each, "revenue") for each in periods]),
                Series(words("net_profit"), TEAL, [_a_year(each, "net_profit") for each in periods]),
            ],
            say.axis_money,
        ),
        "leverage": ratio("chart.leverage", "debt_to_assets", say.short_percent),
        "cover": ratio("chart.cover", "interest_cover", lambda value: f"{value:.3g}"),
        "z2": ratio(
            "chart.z2", "z2_score", lambda value: f"{value:.3g}",
            _level(words("distress"), RED, DISTRESS, len(periods)),
        ),
    }  # fmt: skip


def _level(name: str, colour: str, value: float | None, length: int) -> Series:
    """A level line; without values where there is none to draw."""
    return Series(name, colour, [] if value is None else [value] * length, dashed=True)


def _a_year(period: Mapping[str, Any], name: str) -> float | None:
    """A figure of a statement brought to twelve months, so that quarters and years compare."""
    return None if period[name] is None else period[name] / period["months"] * 12
