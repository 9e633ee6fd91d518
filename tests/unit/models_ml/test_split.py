"""Development, hold-out and out of time."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from models_ml.data.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME, split
from models_ml.spec import Split

_DATES = [date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30), date(2024, 12, 31)]


def _frame(customers: int) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.DataFrame(
        {
            "customer_id": np.repeat([f"C{i}" for i in range(customers)], len(_DATES)),
            "observation_date": np.tile(_DATES, customers),
        }
    )
    return frame, (np.arange(len(frame)) % 7 == 0).astype(int)


@given(st.integers(1, 60), st.integers(0, 9), st.booleans())
def test_no_customer_is_in_development_and_hold_out(customers: int, seed: int, stratified: bool) -> None:
    frame, bad = _frame(customers)
    names = split(frame, bad, Split(stratified=stratified, out_of_time_dates=1), seed)
    by_split = {name: set(frame.loc[names == name, "customer_id"]) for name in (DEVELOPMENT, HOLD_OUT)}
    assert not by_split[DEVELOPMENT] & by_split[HOLD_OUT]
    assert set(frame.loc[names == OUT_OF_TIME, "observation_date"]) == {_DATES[-1]}


def test_a_customer_keeps_its_place_when_the_book_grows() -> None:
    small, bad_small = _frame(200)
    large, bad_large = _frame(300)
    before = split(small, bad_small, Split(), 0)
    after = split(large, bad_large, Split(), 0)
    assert (before == after[: len(before)]).all()


def test_strata_are_held_out_in_the_same_share() -> None:
    frame = pd.DataFrame(
        {"customer_id": [str(i) for i in range(1000)], "observation_date": [_DATES[0]] * 1000}
    )
    bad = (np.arange(1000) % 5 == 0).astype(int)
    held = split(frame, bad, Split(stratified=True), 3) == HOLD_OUT
    assert held[bad == 1].sum() == 60
    assert held[bad == 0].sum() == 240


def test_out_of_time_never_takes_more_than_half_of_the_dates() -> None:
    frame, bad = _frame(30)
    frame = frame[frame["observation_date"].isin(_DATES[:2])].reset_index(drop=True)
    names = split(frame, bad[: len(frame)], Split(out_of_time_dates=5), 0)
    assert (names == OUT_OF_TIME).sum() == 30
