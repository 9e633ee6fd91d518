"""Renders a customer's assessment from the published table ``credit_assessment``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.limits import work_out
from creditops.policy import load_policies
from creditops.report import charts
from creditops.report.charts import Series
from creditops.report.publication import Publication, open_publication
from creditops.report.wording import Language, Wording, wording
from creditops.settings import get_settings
from creditops.warnings.subject import Text, load_subjects


def assess(book: str, customer_id: str, as_of: date | None = None, lang: Language = "zh") -> Path:
    """Write a customer's assessment as one HTML file without outside resources.

    Parameters
    ----------
    as_of: day of the publication; ``None``: the current one.

    Returns
    -------
    The file, ``<home>/reports/assessments/<book>-<customer>-<as_of>-<lang>.html``.

    Raises
    ------
    UsageError: there is no such publication, or the customer owes nothing in it.
    """
    with open_publication(check_book(book), as_of) as publication:
        rows = publication.rows(
            "select * from {credit_assessment} where customer_id = %(customer)s", customer=customer_id
        )
        if not rows:
            raise UsageError(
                f"customer {customer_id!r} has no open facility in publication {publication.publication_id}",
                hint='`creditops query "select customer_id from publish.credit_assessment"` lists them',
            )
        text = page(publication, rows[0], wording(lang))
        name = f"{book}-{customer_id}-{publication.as_of.isoformat()}-{lang}.html"
    path = get_settings().reports / "assessments" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def page(publication: Publication, row: Mapping[str, Any], say: Wording) -> str:
    """The page as text."""
    facts = row["assessment"]
    environment = Environment(
        loader=PackageLoader("creditops.assessment", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("assessment.html").render(
        publication=publication,
        customer_id=row["customer_id"],
        recommendation=row["recommendation"],
        reason=row[f"recommendation_reason_{say.language}"],
        facts=facts,
        say=say,
        words={key: getattr(text, say.language) for key, text in _texts().items()},
        charts=_charts(facts, say),
        bureau=_bureau(facts["bureau"], say.language),
        limits=[{**limit, "steps": _steps(publication.book, limit)} for limit in facts["limits"] or []],
        style=Markup(
            files("creditops.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
        ),
        language=say.language,
    )


@lru_cache
def _texts() -> dict[str, Text]:
    text = files("creditops.assessment").joinpath("texts.yml").read_text(encoding="utf-8")
    return {key: Text.model_validate(both) for key, both in yaml.safe_load(text).items()}


def _steps(book: str, limit: Mapping[str, Any]) -> tuple[str, ...]:
    """The limit's arithmetic, under the policy that recommended it."""
    policy = next((each for each in load_policies(book) if each.version == limit["policy_version"]), None)
    if policy is None:
        return (f"policy {limit['policy_version']} is no longer on file",)
    current = limit["current_limit"]
    return work_out(
        limit["inputs"],
        policy.limits,
        Decimal(str(limit["exposure"])),
        None if current is None else Decimal(str(current)),
    ).steps


def _charts(facts: Mapping[str, Any], say: Wording) -> dict[str, Markup]:
    drawn: dict[str, Markup] = {}
    months = facts["history"] or []
    words = {key: getattr(text, say.language) for key, text in _texts().items()}
    if months:
        labels = [each["month"][:7] for each in months]
        drawn["history"] = charts.column_chart(
            words["balance"],
            labels,
            [Series(words["balance"], charts.BLUE, [each["balance"] for each in months])],
            say.axis_money,
        )
        drawn["dpd"] = charts.column_chart(
            words["dpd"],
            labels,
            [Series(words["dpd"], charts.RED, [float(each["dpd"] or 0) for each in months])],
            say.count,
        )
    periods = facts["statements"] or []
    if len(periods) > 1:
        drawn["statements"] = charts.line_chart(
            words["revenue"],
            [each["period_end"][:7] for each in periods],
            [
                Series(words[name], colour, [_a_year(each, name) for each in periods])
                for name, colour in (("revenue", charts.BLUE), ("net_profit", charts.TEAL))
            ],
            say.axis_money,
        )
    return drawn


def _a_year(period: Mapping[str, Any], name: str) -> float | None:
    """A figure of a statement brought to twelve months, so that quarters and years compare."""
    return None if period[name] is None else period[name] / period["months"] * 12


def _bureau(report: Mapping[str, Any] | None, language: Language) -> list[tuple[str, str]]:
    """The bureau report's figures with their names, those known only."""
    columns = load_subjects()["bureau"].columns
    return [
        (getattr(columns[name], language), f"{value:,.2f}".removesuffix(".00"))
        for name, value in (report or {}).items()
        if name in columns and isinstance(value, int | float) and not isinstance(value, bool)
    ]
