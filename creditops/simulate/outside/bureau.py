"""Quarterly bureau reports with tradelines, inquiries and public records; some customers are unknown.

A report shows statuses up to the month end before it. The history's characters are 0 to 7 for
months past due, ``W`` after a write-off, ``-`` before opening and ``C`` after closing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.events import NEVER, Events
from creditops.simulate.outside.tradelines import HISTORY, KINDS, LENDERS, WRITTEN_OFF_STATUS, Tradelines
from creditops.simulate.world.arrays import Bools, Bytes, Ints, expand
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.parameters import DEFAULT_STATE, RETAIL
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

_UNKNOWN = (0.06, 0.04)
"""Share of retail and of corporate customers that the bureau does not know."""
_INQUIRERS = (
    "银行甲",
    "银行乙",
    "银行丙",
    "消费金融甲",
    "消费金融乙",
    "网络小贷甲",
    "网络小贷乙",
    "融资租赁甲",
)
_REASONS, _REASON_SHARE = ("credit_application", "review", "guarantee", "own"), [0.58, 0.31, 0.04, 0.07]
_RECORD_KINDS, _RECORD_SHARE = ("enforcement", "judgment", "tax", "penalty"), [0.3, 0.35, 0.2, 0.15]
_INQUIRY_DAYS, _RECORD_DAYS, _CLOSED_SHOWN = 365, 1825, 24
_BEFORE_OPENING, _AFTER_CLOSING, _LOST = ord("-"), ord("C"), ord("W")


@dataclass(frozen=True)
class Reports:
    """Reports ordered by customer and day; arrays (reports,), ``month`` being that of the pull."""

    customer: Ints
    month: Ints
    pulled_on: Ints
    hit: Bools
    score: Ints

    @property
    def size(self) -> int:
        return int(self.customer.size)

    def table(self) -> pl.DataFrame:
        """Rows of ``bureau_reports``; report (position), score -1 where the bureau has none."""
        return pl.DataFrame(
            {
                "report": np.arange(self.size),
                "customer": self.customer,
                "bureau": np.where(self.customer % 5 == 0, "baihang", "pbc").tolist(),
                "pulled_on": self.pulled_on,
                "hit": self.hit,
                "bureau_score": np.where(self.hit, self.score, -1),
            }
        )


def pull_reports(
    seed: int,
    grid: MonthGrid,
    population: Population,
    paths: Paths,
    events: Events,
    lines: Tradelines,
    first_day: Ints,
    last_day: Ints,
) -> Reports:
    """One report in the last month of each quarter for customers with a facility on that day.

    ``first_day`` and ``last_day`` (n,) bound the days on which a customer has a facility.
    """
    rng = stream(seed, "bureau reports")
    n = population.size
    unknown = rng.random(n) < np.array(_UNKNOWN)[np.minimum(population.segment, 1)]
    unknown &= events.elsewhere_from == NEVER
    quirk = rng.standard_normal(n)
    months = np.arange(grid.window_start, grid.count)
    months = months[grid.calendar_month(months) % 3 == 0]
    customer, month = np.tile(np.arange(n), months.size), np.repeat(months, n)
    pulled_on = grid.day(month, rng.integers(3, 25, month.size))
    wanted = (first_day[customer] <= pulled_on) & (pulled_on <= last_day[customer])
    customer, month, pulled_on = customer[wanted], month[wanted], pulled_on[wanted]
    order = np.lexsort((pulled_on, customer))
    customer, month, pulled_on = customer[order], month[order], pulled_on[order]
    worst = np.zeros((grid.count, n), dtype=np.int64)
    for shown in np.unique(month - 1).tolist():
        np.maximum.at(worst[shown], lines.customer, lines.status[HISTORY + shown].astype(np.int64))
    latent = population.static[customer] + 0.35 * paths.strain[month - 1, customer] + 0.4 * quirk[customer]
    score = 640 - 48 * (latent + 0.25 * rng.standard_normal(customer.size))
    score = score - 22 * np.minimum(worst[month - 1, customer], 4)
    missed = (rng.random(customer.size) < 0.01) & (events.elsewhere_from[customer] == NEVER)
    return Reports(
        customer=customer,
        month=month,
        pulled_on=pulled_on,
        hit=~(unknown[customer] | missed),
        score=np.clip(np.rint(score), 350, 900).astype(np.int64),
    )


def tradelines_table(
    seed: int, grid: MonthGrid, paths: Paths, reports: Reports, lines: Tradelines
) -> pl.DataFrame:
    """Rows of ``bureau_tradelines``: report and line (positions), amounts in cents."""
    noise = stream(seed, "tradeline balances").random(lines.customer.size)
    known = np.flatnonzero(reports.hit)
    first = np.searchsorted(lines.customer, reports.customer[known])
    last = np.searchsorted(lines.customer, reports.customer[known], side="right")
    pair, rank = expand(last - first)
    line, report = first[pair] + rank, known[pair]
    month = reports.month[report] - 1
    closed = lines.closed_month[line]
    shown = (lines.opened_month[line] <= month) & (closed > month - _CLOSED_SHOWN)
    line, report, month, closed = line[shown], report[shown], month[shown], closed[shown]
    is_closed = closed <= month
    status = np.where(is_closed, 0, lines.status[HISTORY + month, line]).astype(np.int64)
    limit = lines.limit[line]
    aged = 1 - (month - lines.opened_month[line]) / np.maximum(lines.term[line], 1)
    strain = paths.strain[month, lines.customer[line]]
    used = 1 / (1 + np.exp(-(1.2 * noise[line] - 0.9 + 0.7 * strain)))
    balance = np.rint(limit * np.where(lines.revolving[line], used, np.clip(aged, 0.03, 1.0)))
    balance = np.where(is_closed, 0, balance).astype(np.int64)
    months_owed = np.minimum(status, 6)
    overdue = (
        np.where(lines.revolving[line], 0.08 * balance, limit / np.minimum(lines.term[line], 36))
        * months_owed
    )
    history, worst = _history(lines, line, month)
    return pl.DataFrame(
        {
            "report": report,
            "line": line,
            "lender_type": np.array(LENDERS)[lines.lender[line]].tolist(),
            "kind": np.array(KINDS)[lines.kind[line]].tolist(),
            "opened_on": lines.opened_on[line],
            "closed_on": np.where(is_closed, grid.day(np.where(is_closed, closed, 0), np.array(15)), -1),
            "limit_amount": limit,
            "balance": balance,
            "overdue_amount": np.minimum(np.rint(overdue), balance).astype(np.int64),
            "status_now": _codes(status),
            "worst_status_24m": _codes(worst),
            "guarantee": lines.guarantee[line],
            "history": history,
        },
        schema_overrides={"history": pl.String},
    )


def _codes(status: Ints) -> list[str]:
    return np.array([*"01234567", "written_off"])[status].tolist()


def _history(lines: Tradelines, line: Ints, month: Ints) -> tuple[list[str], Ints]:
    """24 status characters, newest first, of each line up to ``month``, and the worst of them."""
    text: Bytes = np.empty((line.size, HISTORY), dtype=np.uint8)
    worst = np.zeros(line.size, dtype=np.int64)
    for back in range(HISTORY):
        at = month - back
        before, after = at < lines.opened_month[line], at >= lines.closed_month[line]
        status = np.where(before | after, 0, lines.status[np.maximum(HISTORY + at, 0), line])
        worst = np.maximum(worst, status)
        character = np.where(status >= WRITTEN_OFF_STATUS, _LOST, ord("0") + status)
        text[:, back] = np.where(before, _BEFORE_OPENING, np.where(after, _AFTER_CLOSING, character))
    joined = text.tobytes().decode("ascii")
    return [joined[i : i + HISTORY] for i in range(0, len(joined), HISTORY)], worst


def inquiries_table(
    seed: int, grid: MonthGrid, population: Population, paths: Paths, reports: Reports
) -> pl.DataFrame:
    """Rows of ``bureau_inquiries``: each inquiry of the 12 months before a report."""
    rng = stream(seed, "inquiries")
    first = grid.window_start - 12
    strain = paths.strain[first:] - 0.3 * population.quality
    count = rng.poisson(0.11 * np.exp(0.45 * np.clip(strain, -3, 3.5)))
    month, customer = np.nonzero(count)
    event, _ = expand(count[month, customer])
    customer = customer[event]
    day = grid.day(month[event] + first, rng.integers(1, 29, event.size))
    inquirer = rng.integers(0, len(_INQUIRERS), event.size)
    key = np.unique((customer * 100_000 + day) * len(_INQUIRERS) + inquirer)
    reason = rng.choice(len(_REASONS), key.size, p=_REASON_SHARE)
    inquirer, rest = key % len(_INQUIRERS), key // len(_INQUIRERS)
    report, event = _shown(reports, rest // 100_000, rest % 100_000, _INQUIRY_DAYS)
    return pl.DataFrame(
        {
            "report": report,
            "inquired_on": (rest % 100_000)[event],
            "inquirer": np.array(_INQUIRERS)[inquirer[event]].tolist(),
            "reason": np.array(_REASONS)[reason[event]].tolist(),
        }
    )


def public_records_table(
    seed: int, grid: MonthGrid, population: Population, paths: Paths, reports: Reports
) -> pl.DataFrame:
    """Rows of ``bureau_public_records``; more of them with risk, most after default."""
    rng = stream(seed, "public records")
    rate = 0.0006 * np.exp(0.7 * np.clip(population.static + 0.4 * paths.strain, -4, 4))
    rate = rate + np.where(paths.past_due > DEFAULT_STATE, 0.03, 0.0)
    month, customer = np.nonzero(rng.random(rate.shape) < rate)
    order = np.lexsort((month, customer))
    month, customer = month[order], customer[order]
    day = grid.day(month, rng.integers(1, 29, month.size))
    firm = population.segment[customer] != RETAIL
    money = np.where(firm, population.annual_revenue[customer] * 0.01, population.income[customer] * 3.0)
    amount = np.rint(money * rng.gamma(1.5, 0.7, month.size)).astype(np.int64)
    kind = rng.choice(len(_RECORD_KINDS), month.size, p=_RECORD_SHARE)
    report, event = _shown(reports, customer, day, _RECORD_DAYS)
    return pl.DataFrame(
        {
            "report": report,
            "record": event,
            "kind": np.array(_RECORD_KINDS)[kind[event]].tolist(),
            "recorded_on": day[event],
            "amount": np.where(kind[event] == 3, -1, amount[event]),
        }
    )


def _shown(reports: Reports, customer: Ints, day: Ints, days: int) -> tuple[Ints, Ints]:
    """Pairs (report, event): events of the report's customer in the ``days`` before the pull."""
    known = np.flatnonzero(reports.hit)
    key = customer * 100_000 + day
    pulled = reports.customer[known] * 100_000 + reports.pulled_on[known]
    first = np.searchsorted(key, pulled - days)
    last = np.searchsorted(key, pulled)
    pair, rank = expand(last - first)
    return known[pair], first[pair] + rank
