"""The known hazard of the simulated portfolio: every coefficient that drives default.

A customer's linear predictor in month t is::

    eta = quality x q + income x z + channel + habit/strain x (habit + SWING x strain_t)
          + macro x downturn_t + shock_t + scar x (defaulted before)

and the monthly hazard of rolling one more month into arrears, from d months past due, is
``logistic(intercept[d] + eta)``. Who does not roll either pays everything (``catch_up``) or the
oldest instalment alone. The fourth roll is default in the sense of domain.md#default (DPD > 90).
Sex and age are no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from creditops.simulate.world.arrays import Floats, Ints

RETAIL, CORPORATE, TRADE = 0, 1, 2
SEGMENTS = ("retail", "corporate", "trade")
SEGMENT_SHARES = (2000, 300, 100)

STRAIN_PERSISTENCE = 0.9
"""Month-to-month correlation of a customer's strain, a unit-variance AR(1)."""
UTILISATION_SWING = 0.9
"""Change of logit utilisation for one unit of strain."""
DEFAULT_STATE = 4
"""Months past due at which DPD passes 90."""
SHOCK_MONTHS = 18
"""How long the shock of an injected event lasts."""


@dataclass(frozen=True)
class Behaviour:
    """Coefficients of one segment; see the module for the formula.

    Attributes
    ----------
    intercepts: of the roll hazard at 0, 1, 2 and 3 months past due.
    catch_up: share of those at 1, 2, 3 months past due who pay everything, given no roll.
    default_cure: monthly chance that a defaulted customer pays all arrears.
    write_off: least and most months past due at write-off.
    """

    intercepts: tuple[float, float, float, float]
    catch_up: tuple[float, float, float]
    quality: float
    income: float
    utilisation: float
    macro: float
    scar: float
    default_cure: float
    write_off: tuple[int, int]


BEHAVIOUR: tuple[Behaviour, ...] = (
    Behaviour((-3.85, -1.65, -0.15, 0.6), (0.88, 0.6, 0.5), -0.42, -0.32, 0.5, 0.18, 0.6, 0.05, (9, 14)),
    Behaviour((-4.7, -1.4, -0.1, 0.6), (0.86, 0.6, 0.5), -0.45, -0.15, 0.48, 0.22, 0.6, 0.04, (14, 22)),
    Behaviour((-3.3, -2.0, -0.4, 0.5), (0.88, 0.6, 0.5), -0.4, -0.1, 0.45, 0.2, 0.6, 0.05, (11, 18)),
)


def intercept_table() -> Floats:
    """Intercepts of the roll hazard, shape (segments, 4)."""
    return np.array([b.intercepts for b in BEHAVIOUR])


def catch_up_table() -> Floats:
    """Shares of full payment given no roll, shape (segments, 4); 1 where nothing is past due."""
    return np.array([(1.0, *b.catch_up) for b in BEHAVIOUR])


def of_segment(name: str, segment: Ints) -> Floats:
    """One scalar coefficient for every customer, shape of ``segment``."""
    return np.array([getattr(b, name) for b in BEHAVIOUR], dtype=np.float64)[segment]
