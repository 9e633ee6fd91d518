"""Texts and number forms of a report in its language (zh or en)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from creditops.texts import Text

Language = Literal["zh", "en"]
NOTHING = "–"
_UNITS: dict[Language, tuple[tuple[float, str], ...]] = {
    "zh": ((1e8, "亿"), (1e4, "万")),
    "en": ((1e9, "bn"), (1e6, "m"), (1e3, "k")),
}


@dataclass(frozen=True)
class Wording:
    """How a report speaks."""

    language: Language
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: Any) -> str:
        """The text called ``key`` with its placeholders filled."""
        return self.texts[key].format(**values)

    def named(self, kind: str, code: str) -> str:
        """Name of a code, such as a product type or status; the code itself where it has none."""
        return self.texts.get(f"{kind}.{code}", code)

    def money(self, value: float | None) -> str:
        """An amount in the unit that a reader of the language says: 1.23亿, 123.4m."""
        if value is None:
            return NOTHING
        for unit, name in _UNITS[self.language]:
            if abs(value) >= unit:
                return f"{_three_digits(value / unit)}{name}"
        return f"{value:,.0f}"

    def percent(self, value: float | None) -> str:
        """A decimal as percent with two places."""
        return NOTHING if value is None else f"{value * 100:.2f}%"

    def short_percent(self, value: float | None) -> str:
        """A decimal as percent with at most one place, for axes."""
        if value is None:
            return NOTHING
        text = f"{value * 100:.1f}"
        return f"{text.removesuffix('.0')}%"

    def share(self, value: float | None) -> str:
        """A decimal as percent with one place, for columns of a table."""
        return NOTHING if value is None else f"{value * 100:.1f}%"

    def axis_money(self, value: float) -> str:
        """A round amount on an axis: 2亿, 400m."""
        for unit, name in _UNITS[self.language]:
            if abs(value) >= unit:
                return f"{value / unit:.4g}{name}"
        return f"{value:g}"

    def count(self, value: float | None) -> str:
        """A whole number with thousands separators."""
        return NOTHING if value is None else f"{value:,.0f}"

    def decimal(self, value: float | None, places: int = 3) -> str:
        """A plain number."""
        return NOTHING if value is None else f"{value:.{places}f}"

    def month(self, day: date) -> str:
        """A month on an axis, e.g. 2026-06."""
        return f"{day:%Y-%m}"

    def moment(self, value: datetime) -> str:
        """A point in time with its zone's offset."""
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"


@lru_cache
def wording(language: Language) -> Wording:
    """The report's texts in ``language``."""
    text = files("creditops.report").joinpath("texts.yml").read_text(encoding="utf-8")
    return Wording(
        language,
        {key: getattr(Text.model_validate(both), language) for key, both in yaml.safe_load(text).items()},
    )


def _three_digits(value: float) -> str:
    places = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{places}f}"
