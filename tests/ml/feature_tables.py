"""Feature and label tables for model tests, filled without the warehouse build.

Columns and types are those of the built tables, so that what runs here runs after a build: counts
are integers, money is numeric, ratios are double precision, ``overdue_elsewhere`` is boolean.
"""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from creditops.warehouse import connect

_MONEY = (
    "balance",
    "limit_total",
    "paid_m",
    "paid_avg",
    "paid_max",
    "paid_min",
    "overdue_amount",
    "bureau_exposure",
)
_RATIO = ("utilisation", "ratio", "trend", "paid_to_balance")
_COUNT = ("months", "dpd", "state", "active", "products", "newest", "inquiries", "oldest", "new_accounts",
          "guarantees", "public", "worst", "bureau_score")  # fmt: skip


# Whom the labels leave out as defaulted is in default on the day.
_STATES = """
create or replace view marts.fct_customer_state as
select book, customer_id, observation_date as as_of_date,
    coalesce(exclusion = 'in_default', false) as is_default
from features.label_default
"""


def column_type(name: str) -> str:
    """PostgreSQL type of a feature column."""
    if name in ("overdue_elsewhere", "bureau_hit"):
        return "boolean"
    if any(part in name for part in _RATIO):
        return "double precision"
    if any(name.startswith(part) for part in _MONEY):
        return "numeric(18,2)"
    if any(part in name for part in _COUNT):
        return "integer"
    return "double precision"


def write_table(table: str, frame: pd.DataFrame) -> None:
    """Create ``features.<table>`` as role builder, if need be, and append the frame.

    The frame has book, customer_id, observation_date and further columns.
    """
    types = {"book": "text", "customer_id": "text", "observation_date": "date"}
    columns = [f'"{name}" {types.get(name) or column_type(name)}' for name in frame.columns]
    if table == "label_default":
        columns = [
            "book text", "customer_id text", "observation_date date", "window_months int",
            "window_complete bool", "bad bool", "worst_dpd int", "label text", "exclusion text",
            "source text",
        ]  # fmt: skip
    out = frame.copy()
    for name in out.columns:
        if name not in types and table != "label_default" and column_type(name) == "integer":
            out[name] = out[name].round().astype("Int64")
    buffer = io.StringIO()
    out.to_csv(buffer, index=False, header=False)
    with connect("builder") as connection:
        connection.execute(f"create table if not exists features.{table} ({', '.join(columns)})")
        names = ", ".join(f'"{name}"' for name in out.columns)
        with connection.cursor().copy(f"copy features.{table} ({names}) from stdin (format csv)") as copy:
            copy.write(buffer.getvalue())
        if table == "label_default":
            connection.execute(_STATES)


def labels(keys: pd.DataFrame, bad: np.ndarray, *, source: str = "panel", months: int = 12) -> pd.DataFrame:
    """``label_default`` rows with full windows and no exclusion."""
    return keys.assign(
        window_months=months,
        window_complete=True,
        bad=bad.astype(bool),
        worst_dpd=np.where(bad, 120, 0),
        label=np.where(bad, "bad", "good"),
        exclusion=None,
        source=source,
    )


def taiwan(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Behaviour features of the real card holders at 2005-09-30, and default in October 2005.

    Derived by the definitions of ``features.feat_retail_behaviour`` from the reported statements:
    month 0 is September; paid in month k is set against the balance of month k + 1.
    """
    raw = pd.read_csv(folder / "uci_taiwan_default" / "UCI_Credit_Card.csv.gz")
    state = raw[["PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"]].to_numpy()
    balance = raw[[f"BILL_AMT{k}" for k in range(1, 7)]].to_numpy(dtype=float)
    paid = raw[[f"PAY_AMT{k}" for k in range(1, 7)]].to_numpy(dtype=float)
    limit = raw["LIMIT_BAL"].to_numpy(dtype=float)
    used, dpd = balance / limit[:, None], 30 * np.maximum(state, 0)
    overdue = dpd > 0
    frame = pd.DataFrame(
        {
            "book": "taiwan_cards",
            "customer_id": raw["ID"].astype(str),
            "observation_date": date(2005, 9, 30),
            "months_on_book": 6,
            "active_facilities": 1,
            "balance_total": balance[:, 0],
            "limit_total": limit,
            "utilisation_now": used[:, 0],
            "utilisation_avg_3m": used[:, :3].mean(axis=1),
            "utilisation_avg_6m": used.mean(axis=1),
            "utilisation_max_6m": used.max(axis=1),
            "utilisation_change_3m": used[:, 0] - used[:, 3],
            "dpd_now": dpd[:, 0],
            "dpd_max_3m": dpd[:, :3].max(axis=1),
            "dpd_max_6m": dpd.max(axis=1),
            "dpd_max_12m": dpd.max(axis=1),
            "months_overdue_6m": overdue.sum(axis=1),
            "months_overdue_12m": overdue.sum(axis=1),
            "months_dpd30_6m": (dpd >= 30).sum(axis=1),
            "months_since_overdue": np.where(overdue.any(axis=1), overdue.argmax(axis=1), np.nan),
            "overdue_amount_now": np.nan,
            **{f"repayment_state_m{k}": state[:, k] for k in range(6)},
            **{f"balance_m{k}": balance[:, k] for k in range(6)},
            **{f"paid_m{k}": paid[:, k] for k in range(6)},
            "payment_ratio_1m": _ratio(paid[:, :1], balance[:, 1:2]),
            "payment_ratio_3m": _ratio(paid[:, :3], balance[:, 1:4]),
            "payment_ratio_6m": _ratio(paid[:, :5], balance[:, 1:6]),
            "paid_to_balance_3m": _ratio(paid[:, :3], balance[:, :3]),
            "paid_avg_3m": paid[:, :3].mean(axis=1),
            "paid_avg_6m": paid.mean(axis=1),
            "paid_max_6m": paid.max(axis=1),
            "paid_min_6m": paid.min(axis=1),
            "balance_change_3m": balance[:, 0] - balance[:, 3],
            "balance_change_5m": balance[:, 0] - balance[:, 5],
            "balance_to_limit_trend_6m": (used * np.array([2.5, 1.5, 0.5, -0.5, -1.5, -2.5])).sum(axis=1)
            / 17.5,
            "products_held": 1,
            "newest_account_months": 6,
        }
    )  # fmt: skip
    return frame, raw["default.payment.next.month"].to_numpy()


def synthetic_retail(
    customers: int = 800, dates: int = 6, seed: int = 3
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Behaviour and bureau features of book ``demo`` at quarter ends from 2024-03-31, and outcomes.

    Defaults follow a logistic law on utilisation, days past due, payment ratio and inquiries; every
    fourth customer has no bureau report.
    """
    rng = np.random.default_rng(seed)
    ends = [d.date() for d in pd.date_range("2024-03-31", periods=dates, freq="QE")]
    rows = customers * dates
    person = np.repeat(np.arange(customers), dates)
    risk = np.repeat(rng.normal(size=customers), dates)
    used = 1 / (1 + np.exp(-(0.9 * risk + rng.normal(size=rows))))
    late = np.maximum(0, rng.poisson(np.exp(0.8 * risk - 1.4)))
    ratio = np.clip(1.2 - 0.25 * risk + 0.3 * rng.normal(size=rows), 0, 3)
    inquiries = rng.poisson(np.exp(0.5 * risk - 0.3))
    odds = -3.4 + 2.2 * used + 0.9 * late - 0.8 * ratio + 0.25 * inquiries
    bad = (rng.uniform(size=rows) < 1 / (1 + np.exp(-odds))).astype(int)
    keys = pd.DataFrame(
        {
            "book": "demo",
            "customer_id": [f"R{n:06d}" for n in person],
            "observation_date": np.tile(ends, customers),
        }
    )
    from models_ml.spec import scorecard

    spec = scorecard("retail_behaviour")
    behaviour = keys.copy()
    for feature in spec.sources[0].features:
        behaviour[feature.name] = rng.normal(size=rows).round(3)
    behaviour["utilisation_now"] = used
    behaviour["utilisation_avg_3m"] = np.clip(used + 0.08 * rng.normal(size=rows), 0, 1.5)
    behaviour["dpd_now"] = late * 10
    behaviour["dpd_max_6m"] = late * 10 + rng.integers(0, 2, size=rows) * 5
    behaviour["payment_ratio_3m"] = np.where(rng.uniform(size=rows) < 0.05, np.nan, ratio)
    behaviour["months_on_book"] = np.tile(np.arange(dates) * 3 + 6, customers)
    bureau = keys.copy()
    for feature in spec.sources[1].features:
        bureau[feature.name] = rng.normal(size=rows).round(3)
    bureau["inquiries_3m"] = inquiries
    bureau["overdue_elsewhere"] = rng.uniform(size=rows) < 0.2
    return behaviour, bureau[person % 4 != 0], bad


def _ratio(paid: np.ndarray, due: np.ndarray) -> np.ndarray:
    total = due.sum(axis=1)
    return np.where(total > 0, paid.sum(axis=1) / np.where(total > 0, total, 1), np.nan)
