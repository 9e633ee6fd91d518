"""Renders the report of a publication."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.grades import GRADES
from creditops.report import charts
from creditops.report.charts import Series
from creditops.report.figures import BUCKETS, SEVERITIES, Figures, collect
from creditops.report.findings import findings
from creditops.report.publication import Publication, open_publication
from creditops.report.wording import Language, Wording, wording
from creditops.settings import get_settings
from creditops.warnings.rule import load_rules


def render(book: str, as_of: date | None = None, lang: Language = "zh") -> Path:
    """Write the credit report of a book as one HTML file without outside resources.

    The same publication gives the same bytes.

    Parameters
    ----------
    as_of: day of the publication; ``None``: the current one.
    lang: ``zh`` or ``en``.

    Returns
    -------
    The file, ``<home>/reports/<book>-<as_of>-<lang>.html``.

    Raises
    ------
    UsageError: there is no such publication, or no such language.
    """
    if lang not in ("zh", "en"):
        raise UsageError(f"a report in {lang!r} is not known", hint="use zh or en")
    with open_publication(check_book(book), as_of) as publication:
        text = page(publication, collect(publication), wording(lang))
        path = get_settings().reports / f"{book}-{publication.as_of.isoformat()}-{lang}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def page(publication: Publication, figures: Figures, say: Wording) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("creditops.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        publication=publication,
        figures=figures,
        say=say,
        findings=findings(figures, say),
        charts=_charts(figures, say),
        cards=_model_cards(publication, figures),
        rule_names={rule.id: getattr(rule.name, say.language) for rule in load_rules()},
        buckets=BUCKETS,
        severities=SEVERITIES,
        ends=_ends(figures),
        heat=charts.heat,
        severity_bar=lambda counts: charts.share_bar(
            [(say.named("severity", each), _COLOURS[each], counts[each]) for each in SEVERITIES]
        ),
        now=figures.trend[-1] if figures.trend else None,
        before=figures.trend[-2] if len(figures.trend) > 1 else None,
        gates=_gate_counts(publication),
    )


_COLOURS = {"red": "#b3372f", "orange": "#d9772b", "yellow": "#d9b23a"}


def _charts(figures: Figures, say: Wording) -> dict[str, Markup]:
    months = [say.month(row["month"]) for row in figures.trend]

    def column(name: str) -> list[float | None]:
        return [row[name] for row in figures.trend]

    drawn = {
        "balance": charts.column_chart(
            say("chart.balance"),
            months,
            [Series(say("name.balance"), charts.BLUE, column("balance"))],
            say.axis_money,
        ),
        "ratios": charts.line_chart(
            say("chart.ratios"),
            months,
            [
                Series(say("name.overdue_ratio"), charts.AMBER, column("overdue_ratio")),
                Series(say("name.npl_ratio"), charts.RED, column("npl_ratio")),
            ],
            say.short_percent,
        ),
        "defaults": charts.line_chart(
            say("chart.defaults"),
            months,
            [
                Series(say("name.new_defaults"), charts.RED, column("new_defaults")),
                Series(say("name.cures"), charts.TEAL, column("cures")),
                Series(say("name.write_offs"), charts.GREY, column("write_offs")),
            ],
            say.count,
        ),
    }
    if figures.roll_trend:
        drawn["rolling"] = charts.line_chart(
            say("chart.rolling"),
            [say.month(month) for month in figures.roll_trend],
            [
                Series(
                    say("name.rolled_from", bucket=bucket),
                    colour,
                    [shares.get(bucket) for shares in figures.roll_trend.values()],
                )
                for bucket, colour in zip(
                    ("M0", "M1", "M2", "M3"),
                    (charts.TEAL, charts.AMBER, charts.RED, charts.GREY),
                    strict=True,
                )
            ],
            say.short_percent,
        )
    if figures.buckets:
        drawn["buckets"] = _bucket_chart(figures, say)
    if figures.vintages:
        drawn["vintages"] = _vintage_chart(figures, say)
    for scorecard, counts in figures.scores.items():
        drawn[f"scores.{scorecard}"] = charts.histogram(say("chart.scores"), counts, say.count)
        grades = figures.grades[scorecard]
        present = [grade for grade in GRADES if grade in grades or grade != "D"]
        drawn[f"grades.{scorecard}"] = charts.column_chart(
            say("chart.grades"),
            present,
            [Series("", charts.BLUE, [float(grades.get(grade, (0, 0.0))[0]) for grade in present])],
            say.count,
            months=False,
        )
    return drawn


def _bucket_chart(figures: Figures, say: Wording) -> Markup:
    totals = [sum(counts.values()) or 1 for counts in figures.buckets.values()]
    return charts.column_chart(
        say("chart.buckets"),
        [say.month(month) for month in figures.buckets],
        [
            Series(
                bucket,
                colour,
                [
                    counts.get(bucket, 0) / total
                    for counts, total in zip(figures.buckets.values(), totals, strict=True)
                ],
            )
            for bucket, colour in zip(BUCKETS[1:], charts.DELINQUENCY, strict=True)
        ],
        say.short_percent,
    )


def _vintage_chart(figures: Figures, say: Wording) -> Markup:
    last = max(mob for curve in figures.vintages.values() for mob, _ in curve)
    cohorts = list(figures.vintages.items())[-6:]
    shades = ("#c9d6e3", "#a3bbd2", "#7c9fc0", "#5582ad", "#2b5c8a", "#b3372f")[-len(cohorts) :]
    return charts.line_chart(
        say("chart.vintages"),
        [str(mob) for mob in range(last + 1)],
        [
            Series(cohort, shade, [dict(curve).get(mob) for mob in range(last + 1)])
            for (cohort, curve), shade in zip(cohorts, shades, strict=True)
        ],
        say.short_percent,
    )


def _ends(figures: Figures) -> list[str]:
    """Columns of the roll-rate matrix: the buckets, then the other states that occur."""
    others = {end for _, end in figures.rolls} - set(BUCKETS)
    return [*BUCKETS, *sorted(others)]


def _model_cards(publication: Publication, figures: Figures) -> list[dict[str, Any]]:
    """A card a model: version, metrics as published, grades and monitoring."""
    cards = []
    for model in publication.models:
        scorecard = str(model.get("scorecard") or model.get("name") or "")
        metrics = model.get("metrics") if isinstance(model.get("metrics"), dict) else {}
        cards.append(
            {
                "scorecard": scorecard,
                "name": model.get("name", scorecard),
                "version": model.get("version") or model.get("model_version"),
                "gates_passed": model.get("gates_passed"),
                "run_id": model.get("run_id"),
                "metrics": {**{k: v for k, v in model.items() if isinstance(v, float)}, **(metrics or {})},
                "customers": sum(many for _, many in figures.scores.get(scorecard, [])),
                "monitoring": figures.monitoring.get(scorecard, []),
            }
        )
    return cards


def _gate_counts(publication: Publication) -> dict[str, int]:
    passed = sum(bool(gate.get("passed")) for gate in publication.gates)
    return {"checks": len(publication.gates), "passed": passed, "failed": len(publication.gates) - passed}
