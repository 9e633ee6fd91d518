"""Quarterly financial statements: income, balance sheet and cash flow rolled forward in cents.

Every figure follows from the one before, so assets = liabilities + equity and the cash flow
equals the change in cash exactly. Flows are for the year to date (3, 6, 9 or 12 months).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from creditops.simulate.outside.revenue import Revenue
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.economy import BEFORE
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

_TAX, _LENDING_RATE, _DEPRECIATION = 0.25, 0.055, 0.022
_LISTED = 0.08
_OPINIONS = ("unqualified", "emphasis", "qualified", "disclaimer")
_HISTORY_MONTHS = 15
FLOWS = (
    "revenue",
    "cost_of_sales",
    "gross_profit",
    "operating_profit",
    "ebit",
    "interest_expense",
    "net_profit",
    "depreciation",
    "cfo",
    "cfi",
    "cff",
    "net_change_in_cash",
)


_RESTATED = 0.06
_WRITTEN_DOWN = (
    "receivables",
    "current_assets",
    "total_assets",
    "retained_earnings",
    "equity",
    "operating_profit",
    "ebit",
    "net_profit",
)


class _Company:
    """Traits of all companies, arrays of shape (corporates,)."""

    def __init__(self, rng: np.random.Generator, quality: Floats) -> None:
        n = quality.size
        self.margin = np.clip(0.25 + 0.012 * quality + 0.04 * rng.standard_normal(n), 0.12, 0.45)
        self.overhead = self.margin * np.clip(
            0.52 - 0.035 * quality + 0.05 * rng.standard_normal(n), 0.3, 0.75
        )
        self.receivable_days = np.clip(62 + 18 * rng.standard_normal(n), 20, 120)
        self.inventory_days = np.clip(52 + 16 * rng.standard_normal(n), 10, 110)
        self.payable_days = np.clip(48 + 12 * rng.standard_normal(n), 15, 90)
        self.debt = np.clip(0.24 - 0.05 * quality + 0.05 * rng.standard_normal(n), 0.05, 0.5)
        self.fixed = np.clip(0.32 + 0.08 * rng.standard_normal(n), 0.1, 0.6)
        self.equity_share = np.clip(0.5 + 0.2 * rng.standard_normal(n), 0.1, 0.9)
        self.listed = rng.random(n) < _LISTED


def statements_table(
    seed: int,
    grid: MonthGrid,
    population: Population,
    revenue: Revenue,
    first_month: Ints,
    written_off: Ints,
) -> pl.DataFrame:
    """Rows of ``statements`` published by ``as_of``, ordered by customer and period.

    ``first_month`` and ``written_off`` (corporates,) bound each company's history: statements
    reach back ``_HISTORY_MONTHS`` before the first facility and end at the write-off.
    """
    rng = stream(seed, "statements")
    company = _Company(rng, population.quality[revenue.customer])
    ends = np.arange(-BEFORE, grid.count)
    ends = ends[(grid.calendar_month(ends) % 3 == 0) & (ends >= 2 - BEFORE)]
    ends = ends[np.flatnonzero(grid.calendar_month(ends) == 3)[0] :]
    state = _opening(company, revenue, int(ends[0]))
    year_to_date = np.zeros((len(FLOWS), revenue.customer.size), dtype=np.int64)
    frames = []
    for month in ends.tolist():
        months = int(grid.calendar_month(np.array([month]))[0])
        flows = _quarter(company, revenue, month, months, state)
        year_to_date = flows if months == 3 else year_to_date + flows
        shown = (month >= first_month - _HISTORY_MONTHS) & (month <= written_off)
        frames.append(_rows(rng, grid, company, revenue, month, months, state, year_to_date, shown))
    return pl.concat(frames).filter(pl.col("published_on") <= grid.last_day).sort("customer", "period_end")


def restated(seed: int, grid: MonthGrid, statements: pl.DataFrame) -> pl.DataFrame:
    """Some yearly statements published again, months later, with a write-down of receivables.

    What is written off leaves receivables, profit and equity; cash and cash flows stay as they were.
    """
    rng = stream(seed, "restatements")
    yearly = statements.filter(pl.col("months") == 12)
    chosen = yearly.filter(pl.Series(rng.random(yearly.height) < _RESTATED))
    share = pl.Series(rng.uniform(0.1, 0.5, chosen.height))
    later = pl.Series(rng.integers(90, 300, chosen.height))
    write_down = (chosen["receivables"] * share).round().cast(pl.Int64)
    return chosen.with_columns(
        *(pl.col(name) - write_down for name in _WRITTEN_DOWN), pl.col("published_on") + later
    ).filter(pl.col("published_on") <= grid.last_day)


def _opening(company: _Company, revenue: Revenue, month: int) -> dict[str, Ints]:
    yearly = revenue.trend[:, month + BEFORE] * 12
    cash, fixed, other = 0.09 * yearly, company.fixed * yearly, 0.02 * yearly
    receivables = yearly * company.receivable_days / 360
    inventory = yearly * (1 - company.margin) * company.inventory_days / 360
    payables = yearly * (1 - company.margin) * company.payable_days / 360
    short, long = 0.6 * company.debt * yearly, 0.4 * company.debt * yearly
    state = {
        "cash": cash,
        "receivables": receivables,
        "inventory": inventory,
        "other_assets": other,
        "fixed": fixed,
        "payables": payables,
        "short_term_debt": short,
        "long_term_debt": long,
        "other_liabilities": 0.025 * yearly,
    }
    cents = {name: np.rint(value).astype(np.int64) for name, value in state.items()}
    assets = sum(cents[name] for name in ("cash", "receivables", "inventory", "other_assets", "fixed"))
    owed = sum(cents[n] for n in ("payables", "short_term_debt", "long_term_debt", "other_liabilities"))
    cents["equity"] = np.asarray(assets - owed)
    cents["retained_earnings"] = np.rint(cents["equity"] * company.equity_share).astype(np.int64)
    return cents


def _cents(value: npt.NDArray[Any]) -> Ints:
    return np.rint(value).astype(np.int64)


def _quarter(company: _Company, revenue: Revenue, month: int, months: int, state: dict[str, Ints]) -> Ints:
    """Roll ``state`` forward one quarter; returns the quarter's flows (len(FLOWS), corporates)."""
    quarter = slice(month + BEFORE - 2, month + BEFORE + 1)
    strain = revenue.strain[:, quarter].mean(axis=1)
    arrears = np.minimum(revenue.past_due[:, month + BEFORE], 4)
    trend = revenue.trend[:, quarter].sum(axis=1)
    sales = _cents(revenue.actual[:, quarter].sum(axis=1))
    cost = _cents(sales * (1 - company.margin + 0.016 * strain + 0.01 * arrears))
    depreciation = _cents(state["fixed"] * _DEPRECIATION)
    overhead = _cents(trend * company.overhead)
    gross = sales - cost
    ebit = gross - overhead - depreciation
    interest = _cents((state["short_term_debt"] + state["long_term_debt"]) * (_LENDING_RATE / 4))
    before_tax = ebit - interest
    profit = before_tax - _cents(np.maximum(before_tax, 0) * _TAX)

    stretch = np.maximum(0.0, strain)
    receivables = _cents(sales * (company.receivable_days + 9 * stretch + 6 * arrears) / 90)
    inventory = _cents(cost * (company.inventory_days + 6 * stretch) / 90)
    payables = _cents(cost * (company.payable_days + 5 * stretch + 8 * arrears) / 90)
    tied_up = (receivables - state["receivables"]) + (inventory - state["inventory"])
    cfo = profit + depreciation - tied_up + (payables - state["payables"])
    cfi = -_cents(depreciation * np.where(arrears > 0, 0.4, 1.15))
    cash = state["cash"] + cfo + cfi
    borrowing, dividends = _financing(cash, trend, state, arrears, profit, months)
    cff = borrowing - dividends
    state["short_term_debt"] = state["short_term_debt"] + borrowing
    state["cash"] = cash + cff
    state["fixed"] = state["fixed"] - depreciation - cfi
    state["receivables"], state["inventory"], state["payables"] = receivables, inventory, payables
    state["equity"] = state["equity"] + profit - dividends
    state["retained_earnings"] = state["retained_earnings"] + profit - dividends
    change = cfo + cfi + cff
    return np.stack([sales, cost, gross, ebit, ebit, interest, profit, depreciation, cfo, cfi, cff, change])


def _financing(
    cash: Ints, trend: Floats, state: dict[str, Ints], arrears: Ints, profit: Ints, months: int
) -> tuple[Ints, Ints]:
    """Short-term debt drawn (negative: repaid) and dividends paid in a quarter."""
    floor = _cents(trend * np.where(arrears > 0, 0.02, 0.12))
    ceiling = _cents(trend * 0.55)
    drawn = np.maximum(0, floor - cash)
    repaid = np.clip(cash - ceiling, 0, np.maximum(0, state["short_term_debt"] // 2))
    spare = np.maximum(0, cash - repaid - ceiling)
    pays = (months == 6) & (profit > 0) & (state["retained_earnings"] > 0)
    dividends = np.where(pays, np.minimum(spare, state["retained_earnings"] // 4), 0)
    return drawn - repaid, dividends


def _rows(
    rng: np.random.Generator,
    grid: MonthGrid,
    company: _Company,
    revenue: Revenue,
    month: int,
    months: int,
    state: dict[str, Ints],
    flows: Ints,
    shown: Bools,
) -> pl.DataFrame:
    n = revenue.customer.size
    strain = revenue.strain[:, month + BEFORE]
    trouble = strain + 0.8 * np.minimum(revenue.past_due[:, month + BEFORE], 3)
    period_end = np.full(n, int(grid.end(np.array([month]))[0]))
    lag = np.clip(rng.integers(20, 62, n) + _cents(6 * np.maximum(trouble, 0)), 20, 75)
    cut = np.column_stack([1.9 - 0.25 * trouble, 2.4 - 0.25 * trouble, 3.2 - 0.25 * trouble])
    opinion = (rng.standard_normal(n)[:, None] > cut).sum(axis=1)
    current = state["cash"] + state["receivables"] + state["inventory"] + state["other_assets"]
    current_owed = state["payables"] + state["short_term_debt"] + state["other_liabilities"]
    multiple = np.exp(0.4 - 0.25 * strain + 0.15 * rng.standard_normal(n))
    value = np.where(company.listed, np.maximum(0, _cents(state["equity"] * multiple)), -1)
    balance = {
        "cash": state["cash"],
        "receivables": state["receivables"],
        "inventory": state["inventory"],
        "current_assets": current,
        "total_assets": current + state["fixed"],
        "payables": state["payables"],
        "current_liabilities": current_owed,
        "short_term_debt": state["short_term_debt"],
        "long_term_debt": state["long_term_debt"],
        "total_liabilities": current_owed + state["long_term_debt"],
        "retained_earnings": state["retained_earnings"],
        "equity": state["equity"],
        "market_value": value,
    }
    audited = months == 12
    frame = pl.DataFrame(
        {
            "customer": revenue.customer,
            "period_end": period_end,
            "months": np.full(n, months),
            "audited": np.full(n, audited),
            "opinion": np.array(_OPINIONS)[opinion].tolist() if audited else [None] * n,
            "published_on": period_end + lag,
            **balance,
            **dict(zip(FLOWS, flows, strict=True)),
        },
        schema_overrides={"opinion": pl.String},
    )
    return frame.filter(pl.Series(shown))
