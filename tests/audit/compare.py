"""Compares a published view with what the oracle found, value by value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Values = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class OneOf:
    """Values of which each is right, where no rule says which of several rows counts."""

    values: tuple[Any, ...]


def places(value: float, values: Sequence[float]) -> OneOf:
    """Places of a value from the largest on; those that are equal may stand in any order."""
    larger, equal = sum(other > value for other in values), sum(other == value for other in values)
    return OneOf(tuple(range(larger + 1, larger + max(equal, 1) + 1)))


@dataclass(frozen=True)
class Difference:
    """A value that is not the oracle's; ``column`` is ``row`` where a row is too many or missing."""

    view: str
    key: Key
    column: str
    published: Any
    oracle: Any

    def __str__(self) -> str:
        where = " ".join(str(part) for part in self.key)
        return f"{self.view} [{where}] {self.column}: published {self.published!r}, oracle {self.oracle!r}"


def same(published: Any, oracle: Any, tolerance: float) -> bool:
    """Whether two values are the same, up to rounding of the figures."""
    if isinstance(oracle, OneOf):
        return any(same(published, value, tolerance) for value in oracle.values)
    if published is None or oracle is None:
        return published is None and oracle is None
    if isinstance(published, bool) or isinstance(oracle, bool):
        return bool(published) == bool(oracle)
    if isinstance(published, int | float | Decimal) and isinstance(oracle, int | float | Decimal):
        return math.isclose(float(published), float(oracle), rel_tol=1e-9, abs_tol=tolerance)
    if isinstance(published, datetime):
        published = published.date()
    if isinstance(published, date) or isinstance(oracle, date):
        return str(published) == str(oracle)
    return str(published) == str(oracle)


def compare(
    view: str,
    published: Iterable[Values],
    oracle: Mapping[Key, Values],
    key: Sequence[str],
    *,
    tolerance: float = 1e-6,
    tolerances: Mapping[str, float] | None = None,
    extra_rows: bool = True,
) -> list[Difference]:
    """Every difference between the view's rows and the oracle's.

    Columns that the oracle does not give are not compared. ``extra_rows=False`` ignores published rows that
    the oracle does not have.
    """
    found: list[Difference] = []
    seen: set[Key] = set()
    for row in published:
        where = tuple(row[name] for name in key)
        seen.add(where)
        expected = oracle.get(where)
        if expected is None:
            if extra_rows:
                found.append(Difference(view, where, "row", dict(row), None))
            continue
        for column, value in expected.items():
            allowed = (tolerances or {}).get(column, tolerance)
            if not same(row[column], value, allowed):
                found.append(Difference(view, where, column, row[column], value))
    found += [
        Difference(view, where, "row", None, dict(oracle[where])) for where in oracle if where not in seen
    ]
    return found
