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

from creditops.assessment.drawing import caps_chart, draw
from creditops.books import check_book
from creditops.errors import UsageError
from creditops.limits import BINDING, work_out
from creditops.policy import load_policies
from creditops.publish.tables import load_tables
from creditops.report.publication import Publication, open_publication
from creditops.report.wording import Language, Wording, wording
from creditops.report_names import file_name
from creditops.settings import get_settings
from creditops.texts import Text
from creditops.warnings.rule import load_rules
from creditops.warnings.subject import load_subjects

_CARDS = {"collect": "red", "stop": "red", "reduce": "orange", "watch": "yellow", "increase": "green",
          "maintain": "green"}  # fmt: skip


def assess(book: str, customer_id: str, as_of: date | None = None, lang: Language = "zh") -> Path:
    """Write a customer's assessment as one HTML file without outside resources.

    Parameters
    ----------
    as_of: day of the publication; ``None``: the current one.

    Returns
    -------
    The file, ``<home>/reports/assessments/<book>-<customer>-<as_of>-<lang>.html``; see
    :func:`creditops.report_names.file_name`.

    Raises
    ------
    UsageError: there is no such publication, or the customer owes nothing in it.
    """
    with open_publication(check_book(book), as_of) as publication:
        rows = publication.rows(
            "select * from {credit_assessment} where customer_id = %(customer)s", customer=customer_id
        )
        if not rows and not publication.rows("select 1 as one from {credit_assessment} limit 1"):
            kept = load_tables()["credit_assessment"].kept_publications
            raise UsageError(
                f"publication {publication.publication_id} holds no assessments any more: they are kept for "
                f"the newest {kept} publications of a book, and the current one",
                hint="leave out --as-of, or give a later day",
            )
        if not rows:
            raise UsageError(
                f"customer {customer_id!r} has no open facility in publication {publication.publication_id}",
                hint='`creditops query "select customer_id from publish.credit_assessment"` lists them',
            )
        text = page(publication, rows[0], wording(lang))
        name = f"{book}-{file_name(customer_id)}-{publication.as_of.isoformat()}-{lang}.html"
    path = get_settings().reports / "assessments" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def page(publication: Publication, row: Mapping[str, Any], say: Wording) -> str:
    """The page as text."""
    facts = row["assessment"]
    words = Words(say.language)
    environment = Environment(
        loader=PackageLoader("creditops.assessment", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("creditops.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return environment.get_template("assessment.html").render(
        publication=publication,
        customer_id=row["customer_id"],
        recommendation=row["recommendation"],
        reason=row[f"recommendation_reason_{say.language}"],
        card=_CARDS[row["recommendation"]],
        facts=facts,
        say=say,
        words=words,
        charts=draw(facts, words, say),
        bureau=_bureau(facts, say.language),
        rules={rule.id: getattr(rule.name, say.language) for rule in load_rules()},
        limits=[
            {
                **limit,
                "steps": _steps(publication.book, limit, say.language),
                "chart": caps_chart(limit, words, say),
                "binding": BINDING[limit["binding_cap"]][say.language],
                "change": limit["change_reason_zh" if say.language == "zh" else "change_reason"],
            }
            for limit in facts["limits"] or []
        ],
        style=Markup(style),
        language=say.language,
    )


class Words:
    """The assessment's own texts in one language."""

    def __init__(self, language: Language) -> None:
        self._texts = {key: getattr(text, language) for key, text in _texts().items()}

    def __call__(self, key: str, **values: Any) -> str:
        """The text called ``key`` with its placeholders filled."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def named(self, kind: str, code: str | None) -> str:
        """Name of a code; the code itself where it has none."""
        return "–" if code is None else self._texts.get(f"{kind}.{code}", code)


@lru_cache
def _texts() -> dict[str, Text]:
    text = files("creditops.assessment").joinpath("texts.yml").read_text(encoding="utf-8")
    return {key: Text.model_validate(both) for key, both in yaml.safe_load(text).items()}


def _steps(book: str, limit: Mapping[str, Any], language: Language) -> list[str]:
    """The limit's arithmetic, under the policy that recommended it."""
    policy = next((each for each in load_policies(book) if each.version == limit["policy_version"]), None)
    if policy is None:
        return [f"policy {limit['policy_version']} is no longer on file"]
    current = limit["current_limit"]
    caps = work_out(
        limit["inputs"],
        policy.limits,
        Decimal(str(limit["exposure"])),
        None if current is None else Decimal(str(current)),
        limit["current_terms"],
    )
    return [getattr(step, language) for step in caps.steps]


def _bureau(facts: Mapping[str, Any], language: Language) -> list[tuple[str, str, str]]:
    """Names of the bureau's figures with the latest value and the one about half a year before."""
    report, before = facts["bureau"] or {}, facts["bureau_before"] or {}
    columns = load_subjects()["bureau"].columns
    return [
        (getattr(columns[name], language), _plain(value), _plain(before.get(name)))
        for name, value in report.items()
        if name in columns and isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}".removesuffix(".00")
