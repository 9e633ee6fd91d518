"""Development, hold-out and out-of-time rows (domain.md#split).

A customer's place follows from a hash of the seed and the customer's id, so that no customer is in
both development and hold-out, and that a later retraining with the same seed leaves the same
customers out: a champion meets a challenger's hold-out rows as strangers.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from models_ml.spec import Split

DEVELOPMENT, HOLD_OUT, OUT_OF_TIME = "development", "hold_out", "out_of_time"


def split(frame: pd.DataFrame, bad: np.ndarray, settings: Split, seed: int) -> np.ndarray:
    """Name of the split per row; shape (rows,), object.

    Parameters
    ----------
    frame: with ``customer_id`` and ``observation_date``.
    bad: per row; with ``settings.stratified`` a customer's stratum is whether any row is bad.
    """
    names = np.full(len(frame), DEVELOPMENT, dtype=object)
    codes, customers = pd.factorize(frame["customer_id"])
    places = np.array([_place(seed, str(customer)) for customer in customers])
    if settings.stratified:
        ever_bad = np.zeros(len(customers), dtype=bool)
        np.logical_or.at(ever_bad, codes, bad.astype(bool))
        held = np.zeros(len(customers), dtype=bool)
        for stratum in (False, True):
            members = np.flatnonzero(ever_bad == stratum)
            first = np.argsort(places[members], kind="stable")
            held[members[first[: round(settings.hold_out * len(members))]]] = True
    else:
        held = places < settings.hold_out
    names[held[codes]] = HOLD_OUT
    if settings.out_of_time_dates:
        dates = np.sort(frame["observation_date"].unique())
        # Out of time never takes more than half of the dates.
        newest = dates[len(dates) - min(settings.out_of_time_dates, len(dates) // 2) :]
        names[frame["observation_date"].isin(newest).to_numpy()] = OUT_OF_TIME
    return names


def place_more(
    frame: pd.DataFrame, names: np.ndarray, more: pd.DataFrame, settings: Split, seed: int
) -> np.ndarray:
    """Split of further rows: as their customer in ``frame``, a customer of their own by its hash.

    Parameters
    ----------
    names: splits of ``frame``.
    """
    inside = names != OUT_OF_TIME
    known = dict(zip(frame.loc[inside, "customer_id"], names[inside], strict=True))
    found = np.full(len(more), DEVELOPMENT, dtype=object)
    for place, customer in enumerate(more["customer_id"]):
        strange = HOLD_OUT if _place(seed, str(customer)) < settings.hold_out else DEVELOPMENT
        found[place] = known.get(customer, strange)
    newest = set(frame.loc[~inside, "observation_date"])
    found[more["observation_date"].isin(newest).to_numpy()] = OUT_OF_TIME
    return found


def _place(seed: int, customer: str) -> float:
    """A number in [0, 1) that depends on seed and customer alone."""
    digest = hashlib.blake2b(f"{seed}|{customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
