"""The points table: a scorecard as data, and the single source of both its executable forms.

A :class:`PointsTable` says, per characteristic, which bin earns how many integer points. The
pyfunc (:mod:`models_ml.card.evaluate`) and the compiled SQL (:mod:`models_ml.card.sql`) are derived from it
and agree on every row. The module needs nothing but the standard library, so that a logged model
carries it along.

Conventions
-----------
* numeric bins are right-open, ``[lower, upper)``, compared in double precision;
* null and NaN fall into the ``missing`` bin, declared special values into ``special`` bins;
* a category that development never showed falls into the ``other`` bin;
* the score of a row is the sum of its bins' points;
* ln(odds good:bad) = calibration.intercept + calibration.slope x score gives the PD.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

FORMAT = 1
BinKind = Literal["range", "values", "special", "missing", "other"]


MISSING_TEXTS = ("", "nan", "NaN", "NAN")
"""Texts that stand for no value, in every form of a scorecard alike."""


@dataclass(frozen=True)
class Text:
    """One text in Chinese and English."""

    zh: str
    en: str


@dataclass(frozen=True)
class Bin:
    """One bin of a characteristic.

    ``lower`` and ``upper`` bound a ``range`` (``None``: unbounded); ``values`` are the categories
    of a ``values`` bin; ``codes`` the numbers of a ``special`` one. ``count`` and ``bads`` are of
    development; ``woe`` = ln(share of goods / share of bads); ``contribution`` is what the bin adds
    to ln(odds good:bad) before scaling.
    """

    kind: BinKind
    lower: float | None = None
    upper: float | None = None
    values: tuple[str, ...] = ()
    codes: tuple[float, ...] = ()
    note: str = ""
    count: int = 0
    bads: int = 0
    woe: float = 0.0
    contribution: float = 0.0
    points: int = 0

    @property
    def label(self) -> str:
        """The bin as a modeller writes it, e.g. ``[0.2, 0.5)``."""
        if self.kind == "range":
            lower = "(-inf" if self.lower is None else f"[{self.lower:.10g}"
            upper = "inf)" if self.upper is None else f"{self.upper:.10g})"
            return f"{lower}, {upper}"
        if self.kind == "values":
            return ", ".join(self.values)
        if self.kind == "special":
            codes = ", ".join(f"{code:.10g}" for code in self.codes)
            return f"special {codes}" + (f" ({self.note})" if self.note else "")
        return self.kind


@dataclass(frozen=True)
class Characteristic:
    """A feature in its bins. ``bins`` order: ranges ascending or value groups, special, missing, other."""

    name: str
    kind: Literal["numeric", "categorical"]
    text: Text
    bins: tuple[Bin, ...]
    direction: str = "none"
    iv: float = 0.0
    coefficient: float = 1.0
    mean_points: float = 0.0

    @property
    def boundaries(self) -> tuple[float, ...]:
        """Inner boundaries of the numeric ranges, ascending."""
        return tuple(b.upper for b in self.bins if b.kind == "range" and b.upper is not None)

    @property
    def losses(self) -> tuple[int, ...]:
        """Per bin, points lost against the development mean, in hundredths of a point."""
        mean = round(self.mean_points * 100)
        return tuple(mean - 100 * b.points for b in self.bins)

    def index_of(self, kind: BinKind) -> int:
        """Position of the bin of a kind that occurs once (``missing``, ``other``)."""
        return next(i for i, b in enumerate(self.bins) if b.kind == kind)


@dataclass(frozen=True)
class Scaling:
    """score = offset + factor x ln(odds good:bad); see :mod:`models_ml.card.scaling`."""

    base_score: float
    base_odds: float
    pdo: float
    factor: float
    offset: float


@dataclass(frozen=True)
class Calibration:
    """ln(odds good:bad) = intercept + slope x score; PD not below ``floor``."""

    intercept: float
    slope: float
    floor: float
    target_rate: float


@dataclass(frozen=True)
class Grade:
    """A grade of the master scale: PD below ``pd_below`` and not in a better grade."""

    grade: str
    pd_below: float


@dataclass(frozen=True)
class Baseline:
    """Score distribution of development: right-open classes between ``edges`` and their shares."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class PointsTable:
    """A whole scorecard."""

    scorecard: str
    book: str
    algorithm: str
    characteristics: tuple[Characteristic, ...]
    scaling: Scaling
    calibration: Calibration
    grades: tuple[Grade, ...]
    baseline: Baseline
    development_rows: int = 0
    format: int = FORMAT
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def features(self) -> list[str]:
        """Names of the columns it reads, in the order of the characteristics."""
        return [c.name for c in self.characteristics]

    @property
    def score_range(self) -> tuple[int, int]:
        """Lowest and highest score any row can get."""
        return (
            sum(min(b.points for b in c.bins) for c in self.characteristics),
            sum(max(b.points for b in c.bins) for c in self.characteristics),
        )

    def pd_of(self, score: int) -> float:
        """Calibrated probability of default of an integer score, rounded to 6 decimals."""
        odds = self.calibration.intercept + self.calibration.slope * score
        pd = 1.0 / (1.0 + math.exp(min(max(odds, -700.0), 700.0)))
        return round(max(pd, self.calibration.floor), 6)

    def pd_table(self) -> list[float]:
        """PD of every score from the lowest to the highest."""
        low, high = self.score_range
        return [self.pd_of(score) for score in range(low, high + 1)]

    def grade_of(self, pd: float) -> str:
        """Grade of a PD on the master scale."""
        for grade in self.grades:
            if pd < grade.pd_below:
                return grade.grade
        return self.grades[-1].grade

    def with_characteristics(self, characteristics: tuple[Characteristic, ...]) -> PointsTable:
        """A copy with other characteristics."""
        return replace(self, characteristics=characteristics)

    def to_json(self) -> str:
        """Canonical JSON: the same table gives the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PointsTable:
        """Read :meth:`to_json`'s output.

        Raises
        ------
        ValueError: written by a later format than this code knows.
        """
        data: dict[str, Any] = json.loads(text)
        if data["format"] > FORMAT:
            raise ValueError(f"points table has format {data['format']}, this code reads up to {FORMAT}")
        return cls(
            **{
                **data,
                "characteristics": tuple(_characteristic(c) for c in data["characteristics"]),
                "scaling": Scaling(**data["scaling"]),
                "calibration": Calibration(**data["calibration"]),
                "grades": tuple(Grade(**grade) for grade in data["grades"]),
                "baseline": Baseline(tuple(data["baseline"]["edges"]), tuple(data["baseline"]["shares"])),
            }
        )


def _characteristic(data: dict[str, Any]) -> Characteristic:
    bins = tuple(Bin(**{**b, "values": tuple(b["values"]), "codes": tuple(b["codes"])}) for b in data["bins"])
    return Characteristic(**{**data, "text": Text(**data["text"]), "bins": bins})
