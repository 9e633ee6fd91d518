"""The true probability of default, computed exactly from the known hazard.

Strain is the only random driver between now and a year ahead (the downturn is taken as it
happens, and shocks that have not struck are unknown). So the probability is a function of the
predictor carried, the strain, the months past due, the months of exposure left and the month;
it is found by backward recursion on a grid and interpolated for each customer.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.world.arrays import Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.economy import AHEAD, Economy
from creditops.simulate.world.parameters import (
    BEHAVIOUR,
    DEFAULT_STATE,
    STRAIN_PERSISTENCE,
    UTILISATION_SWING,
    Behaviour,
)

HORIZON = 12
_CARRIED = np.linspace(-5.0, 13.0, 46)
_STRAIN = np.linspace(-4.0, 4.0, 17)
_FLOOR = 1e-12
_NEVER = np.log(2 * _FLOOR)


def default_probability(
    behaviour: Behaviour, downturn: Floats, carried: Floats, strain: Floats, past_due: Ints, exposure: Ints
) -> Floats:
    """Probability of default within ``HORIZON`` months, shape of ``carried``.

    Parameters
    ----------
    downturn: downturn factor of the next ``HORIZON`` months.
    carried: linear predictor without strain and downturn; strain: of the month just ended.
    past_due: months past due, 0 to 3; exposure: months with a due item to come, 0 to ``HORIZON``.
    """
    table = np.clip(_table(behaviour, downturn), _FLOOR, 1 - _FLOOR)
    table = np.log(table) - np.log1p(-table)
    row, row_share = _place(carried, _CARRIED)
    column, column_share = _place(strain, _STRAIN)
    total = np.zeros(carried.shape)
    for up, weight_up in ((0, 1 - row_share), (1, row_share)):
        for right, weight_right in ((0, 1 - column_share), (1, column_share)):
            corner = table[exposure, past_due, row + up, column + right]
            total += weight_up * weight_right * corner
    return np.where(total <= _NEVER, 0.0, 1 / (1 + np.exp(-total)))


def _place(value: Floats, nodes: Floats) -> tuple[Ints, Floats]:
    step = nodes[1] - nodes[0]
    position = np.clip((value - nodes[0]) / step, 0, nodes.size - 1.000001)
    whole = position.astype(np.int64)
    return whole, position - whole


def _strain_transition() -> Floats:
    """Weights (from, to) that take an expectation over next month's strain on the grid."""
    points, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    ahead = STRAIN_PERSISTENCE * _STRAIN[:, None] + np.sqrt(1 - STRAIN_PERSISTENCE**2) * points
    node, share = _place(ahead, _STRAIN)
    matrix = np.zeros((_STRAIN.size, _STRAIN.size))
    rows = np.broadcast_to(np.arange(_STRAIN.size)[:, None], node.shape)
    np.add.at(matrix, (rows, node), weights * (1 - share))
    np.add.at(matrix, (rows, node + 1), weights * share)
    return matrix


_TRANSITION = _strain_transition()


def _table(behaviour: Behaviour, downturn: Floats) -> Floats:
    """Probabilities, shape (exposure 0 to HORIZON, months past due, carried, strain).

    Going back from the last month, the first row is the customer that nothing falls due for any
    more; every month adds a row in front of the others, for exposure that ends in that month.
    """
    catch_up = (1.0, *behaviour.catch_up)
    swing = behaviour.utilisation * UTILISATION_SWING
    value = np.zeros((1, DEFAULT_STATE + 1, _CARRIED.size, _STRAIN.size))
    value[:, DEFAULT_STATE] = 1.0
    for month in range(HORIZON, 0, -1):
        odds = np.exp(_CARRIED[:, None] + swing * _STRAIN + behaviour.macro * downturn[month - 1])
        exposed = np.empty_like(value)
        exposed[:, DEFAULT_STATE] = 1.0
        for state in range(DEFAULT_STATE):
            scaled = odds * np.exp(behaviour.intercepts[state])
            roll = scaled / (1 + scaled)
            pays = catch_up[state] * value[:, 0] + (1 - catch_up[state]) * value[:, state]
            exposed[:, state] = pays + roll * (value[:, state + 1] - pays)
        idle = exposed[:1].copy()
        idle[:, 0] = value[:1, 0]
        value = np.concatenate([idle, exposed]) @ _TRANSITION.T
    return value[:, :DEFAULT_STATE]


def true_probabilities(grid: MonthGrid, economy: Economy, segment: Ints, paths: Paths) -> pl.DataFrame:
    """True PD of customers who owe and are not in default, at the month ends of the window.

    Returns customer (position), month, months_past_due, static_and_shock, strain, downturn,
    hazard (of rolling one more month, at this month's predictor) and pd_12m.
    """
    past_due = paths.past_due
    frames = []
    for month in range(grid.window_start, grid.count):
        downturn = economy.downturn_at(np.arange(month + 1, month + 1 + AHEAD))
        for code, behaviour in enumerate(BEHAVIOUR):
            owing = paths.exposed_until[month] >= month
            performing = past_due[month] < DEFAULT_STATE
            who = np.flatnonzero((segment == code) & performing & (owing | (past_due[month] > 0)))
            carried, strain = paths.carried[month, who], paths.strain[month, who]
            state = past_due[month, who].astype(np.int64)
            exposure = np.clip(paths.exposed_until[month, who].astype(np.int64) - month, 0, HORIZON)
            intercept = np.array(behaviour.intercepts)[state]
            frames.append(
                pl.DataFrame(
                    {
                        "customer": who,
                        "month": np.full(who.size, month),
                        "months_past_due": state,
                        "static_and_shock": carried,
                        "strain": strain,
                        "downturn": np.full(who.size, float(economy.downturn_at(month))),
                        "hazard": 1 / (1 + np.exp(-(intercept + paths.predictor[month, who]))),
                        "pd_12m": default_probability(behaviour, downturn, carried, strain, state, exposure),
                    }
                )
            )
    return pl.concat(frames).sort("customer", "month")
