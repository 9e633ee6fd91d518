"""Collection actions on facilities past due at a month end, and the promises they bring."""

from __future__ import annotations

import numpy as np
import polars as pl

from creditops.simulate.world.arrays import Floats
from creditops.simulate.world.randomness import stream

_DAY_SECONDS = 86_400
_ACTIONS = ("sms", "call", "visit", "letter", "legal")
_CHANCE = np.array(
    [
        [0.75, 0.45, 0.0, 0.0, 0.0],
        [0.40, 0.75, 0.15, 0.10, 0.0],
        [0.20, 0.70, 0.35, 0.30, 0.0],
        [0.05, 0.30, 0.15, 0.20, 0.25],
    ]
)
"""Chance of each action in a month, by 1-30, 31-60, 61-90 and over 90 days past due."""
_RESULTS = ("no_contact", "promised", "refused", "contacted", "paid")
_RESULT_SHARE = [0.35, 0.25, 0.08, 0.22, 0.10]
_COLLECTORS = 12


def collection_tables(
    seed: int, past_due: pl.DataFrame, window_start: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of ``collection_actions`` and ``promises``, ordered by time.

    ``past_due`` has facility, customer, month_end, dpd (over 0) and overdue_amount; actions fall
    between the oldest open item's due day and the month end, from day ``window_start`` on.
    ``acted_at`` is in seconds since 1970.
    """
    columns = ("facility", "customer", "month_end", "dpd", "overdue_amount")
    facility, customer, month_end, dpd, overdue = (past_due[name].to_numpy() for name in columns)
    rng = stream(seed, "collection")
    stage = np.clip((dpd - 1) // 30, 0, 3)
    row, action = np.nonzero(rng.random((dpd.size, len(_ACTIONS))) < _CHANCE[stage])
    room = np.minimum(dpd[row], 27)
    early: Floats = rng.random(row.size) ** np.where(action == 0, 0.4, 1.0)
    day = month_end[row] - (room * early).astype(np.int64)
    day = np.maximum(day, month_end[row] - dpd[row] + 1)
    second = day * _DAY_SECONDS + rng.integers(1 * 3600, 11 * 3600, row.size)
    kept = day >= window_start
    row, action, day, second = row[kept], action[kept], day[kept], second[kept]
    order = np.lexsort((facility[row], second))
    row, action, day, second = row[order], action[order], day[order], second[order]
    result = rng.choice(len(_RESULTS), row.size, p=_RESULT_SHARE)
    spoken = (action == 1) | (action == 2)
    actions = pl.DataFrame(
        {
            "action_position": np.arange(row.size),
            "customer": customer[row],
            "facility": facility[row],
            "acted_at": second,
            "action": np.array(_ACTIONS)[action].tolist(),
            "result": np.where(spoken, np.array(_RESULTS)[result], "delivered").tolist(),
            "collector": np.where(action == 0, -1, facility[row] % _COLLECTORS),
        }
    )
    promised = np.flatnonzero(spoken & (result == 1))
    share = np.where(rng.random(promised.size) < 0.7, 1.0, 0.5)
    promises = pl.DataFrame(
        {
            "facility": facility[row[promised]],
            "promised_on": day[promised],
            "due_on": day[promised] + rng.integers(2, 15, promised.size),
            "amount": np.maximum(1, np.rint(overdue[row[promised]] * share)).astype(np.int64),
        }
    ).unique(["facility", "promised_on"], keep="first", maintain_order=True)
    return actions, promises
