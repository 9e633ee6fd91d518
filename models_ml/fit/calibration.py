"""Calibration (domain.md#calibration): from score to probability of default, and how well it fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.errors import DataRefusedError
from models_ml.card.points_table import Calibration, PointsTable
from models_ml.fit.logistic import fit_logistic, log_odds


def fit_calibration(
    score: np.ndarray, bad: np.ndarray, *, floor: float = 0.0003, long_run_rate: float | None = None
) -> Calibration:
    """Intercept and slope of ln(odds good:bad) on the score.

    Parameters
    ----------
    score, bad: development rows.
    floor: lowest PD given out (Basel's 0.03 %).
    long_run_rate: shift the intercept so that log odds meet this default rate instead of the
        sample's (prior correction).

    Raises
    ------
    DataRefusedError: the odds do not rise with the score.
    """
    bad = np.asarray(bad, dtype=float)
    centre = float(np.mean(score))
    fitted = fit_logistic(((np.asarray(score) - centre) / 100.0)[:, None], 1 - bad)
    slope = float(fitted.coefficients[0]) / 100.0
    if slope <= 0:
        raise DataRefusedError(
            "the score does not rank: odds fall as it rises",
            hint="look at the binning tables of the run; the features hold no signal",
        )
    rate = float(bad.mean())
    shift = 0.0 if long_run_rate is None else log_odds(1 - long_run_rate) - log_odds(1 - rate)
    return Calibration(
        intercept=float(fitted.intercept) - slope * centre + shift,
        slope=slope,
        floor=floor,
        target_rate=rate if long_run_rate is None else long_run_rate,
    )


@dataclass(frozen=True)
class GradeCalibration:
    """Expected against observed defaults of one grade.

    ``binomial_p``: two-sided exact binomial test at the mean PD. ``low`` and ``high``: 95 % Jeffreys
    interval of the observed rate (beta(bads + 1/2, goods + 1/2)).
    """

    grade: str
    rows: int
    bads: int
    expected: float
    observed: float
    low: float
    high: float
    binomial_p: float

    @property
    def inside(self) -> bool:
        """Whether the mean PD lies in the Jeffreys interval."""
        return self.low <= self.expected <= self.high


def calibration_by_grade(
    table: PointsTable, grade: np.ndarray, pd: np.ndarray, bad: np.ndarray
) -> list[GradeCalibration]:
    """One entry per grade that has rows, best grade first."""
    from scipy.stats import binomtest

    results = []
    for each in table.grades:
        here = grade == each.grade
        rows = int(here.sum())
        if rows:
            bads, expected = int(bad[here].sum()), float(pd[here].mean())
            low, high = jeffreys(bads, rows)
            results.append(
                GradeCalibration(
                    each.grade, rows, bads, expected, bads / rows, low, high,
                    float(binomtest(bads, rows, expected).pvalue),
                )
            )  # fmt: skip
    return results


def jeffreys(bads: int, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Jeffreys interval of a default rate: quantiles of beta(bads + 1/2, goods + 1/2)."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    return tuple(float(betaincinv(bads + 0.5, rows - bads + 0.5, q)) for q in (tail, 1 - tail))  # type: ignore[return-value]
