"""What a credit manager should notice first, in sentences that follow from the figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from creditops.report.figures import Figures, Row
from creditops.report.wording import Wording

Tone = Literal["bad", "good", "plain"]


@dataclass(frozen=True)
class Finding:
    """A sentence and how to take it."""

    tone: Tone
    text: str


def findings(figures: Figures, say: Wording) -> list[Finding]:
    """At most six sentences, the same for the same figures."""
    return [
        *_ratios(figures.trend, say),
        *_not_past_due(figures.npl, say),
        *_defaults(figures.trend, say),
        *_rolling(figures, say),
        *_worst_segment(figures.segments, say),
        *_warnings(figures, say),
        *_models(figures, say),
    ][:6]


def _ratios(trend: list[Row], say: Wording) -> Iterator[Finding]:
    """Overdue and NPL ratio against three months before; a move under 0.05 points is level."""
    if len(trend) < 4:
        return
    now, before = trend[-1], trend[-4]
    for key in ("overdue_ratio", "npl_ratio"):
        if now[key] is None or before[key] is None:
            continue
        move = now[key] - before[key]
        direction = "up" if move > 0.0005 else "down" if move < -0.0005 else "level"
        tone: Tone = {"up": "bad", "down": "good", "level": "plain"}[direction]  # type: ignore[assignment]
        yield Finding(
            tone,
            say(
                f"finding.ratio_{direction}",
                what=say(f"name.{key}"),
                now=say.percent(now[key]),
                points=f"{abs(move) * 100:.2f}",
                before=say.percent(before[key]),
            ),
        )


def _not_past_due(npl: list[Row], say: Wording) -> Iterator[Finding]:
    """How much of the non-performing balance is not past due over 90 days, and why."""
    others = [row for row in npl if row["cause"] != "past_due_90" and row["balance"]]
    if not others:
        return
    causes = say("list.comma").join(
        f"{say.named('npl', row['cause'])} {say.money(row['balance'])}" for row in others
    )
    yield Finding(
        "plain",
        say(
            "finding.npl_not_past_due",
            amount=say.money(sum(row["balance"] for row in others)),
            share=say.share(sum(row["share"] for row in others)),
            causes=causes,
        ),
    )


def _defaults(trend: list[Row], say: Wording) -> Iterator[Finding]:
    if len(trend) < 7:
        return
    now = sum(row["new_defaults"] for row in trend[-3:])
    before = sum(row["new_defaults"] for row in trend[-6:-3])
    if before == 0 and now == 0:
        return
    tone: Tone = "bad" if now > before * 1.1 else "good" if now < before * 0.9 else "plain"
    yield Finding(tone, say("finding.defaults", now=say.count(now), before=say.count(before)))


def _rolling(figures: Figures, say: Wording) -> Iterator[Finding]:
    """The roll out of M0 of the last three months against the three before."""
    months = [shares.get("M0") for shares in figures.roll_trend.values()]
    recent, earlier = [m for m in months[-3:] if m is not None], [m for m in months[-6:-3] if m is not None]
    if len(recent) < 3 or len(earlier) < 3:
        return
    now, before = sum(recent) / 3, sum(earlier) / 3
    tone: Tone = "bad" if now > before * 1.1 else "good" if now < before * 0.9 else "plain"
    yield Finding(tone, say("finding.rolling", now=say.percent(now), before=say.percent(before)))


def _worst_segment(segments: list[Row], say: Wording) -> Iterator[Finding]:
    """The product that stands out: at least 5 % of the balance and the highest overdue ratio."""
    large = [row for row in segments if (row["share"] or 0) >= 0.05 and row["overdue_ratio"] is not None]
    if len(large) < 2:
        return
    worst = max(large, key=lambda row: (row["overdue_ratio"], row["product_id"]))
    yield Finding(
        "plain",
        say(
            "finding.segment",
            product=worst["product_id"],
            segment=say.named("segment", worst["segment"]),
            ratio=say.percent(worst["overdue_ratio"]),
            share=say.share(worst["share"]),
        ),
    )


def _warnings(figures: Figures, say: Wording) -> Iterator[Finding]:
    if figures.warnings["red"]:
        yield Finding(
            "bad" if figures.warnings_unattended else "plain",
            say(
                "finding.warnings",
                red=say.count(figures.warnings["red"]),
                unattended=say.count(figures.warnings_unattended),
            ),
        )


def _models(figures: Figures, say: Wording) -> Iterator[Finding]:
    for scorecard, rows in figures.monitoring.items():
        for row in rows:
            if row["metric"] == "psi" and row["status"] != "green":
                yield Finding("bad", say("finding.psi", scorecard=scorecard, psi=say.decimal(row["value"])))
