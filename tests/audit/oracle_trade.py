"""Receivables of trade customers (docs/domain.md).

Readings taken where docs/domain.md leaves a choice:

- The period is the last three months by month index, the month of the day included.
- Credit sales are invoices issued in the period less red-letter items that fall due in it.
- DBT looks at invoices settled in the period, or open and past due, that are not in dispute on the day;
  what is settled early counts with days below 0. The weight is the invoice's amount.
- Countback takes the newest month's sales off the receivables first; where the sales of the last twelve
  months do not reach, or there are none, it means nothing.
- A customer whose last account was written off or closed has a row, in which nothing is owed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.audit.oracle_panel import Panel
from tests.audit.oracle_portfolio import Found, money
from tests.audit.oracle_settlement import NEVER, Account
from tests.audit.sources import month_end

PERIOD_MONTHS = 3
AGES = ((0, "not_due"), (30, "d1_30"), (60, "d31_60"), (90, "d61_90"), (120, "d91_120"))


def receivables_ageing(panel: Panel) -> Found:
    on = panel.sources.as_of
    held: dict[str, list[Trade]] = defaultdict(list)
    for facility in panel.opened:
        account, gone = panel.accounts[facility], panel.written_off_on(facility, on)
        if panel.kind(facility) == "trade_credit" and any(item.issued <= on for item in account.all):
            held[panel.version(facility, gone or on)["customer_id"]].append(Trade(account, gone or NEVER))
    return {(customer,): _ageing(each, on) for customer, each in held.items()}


@dataclass(frozen=True)
class Trade:
    """An account of invoices, and when it was written off."""

    account: Account
    gone: date


def sales(accounts: list[Account], first: date, last: date) -> int:
    total = 0
    for account in accounts:
        for item in account.all:
            when = item.issued if item.amount > 0 else item.due
            if item.kind == "invoice" and first <= when <= last:
                total += item.amount
    return total


def receivables(held: list[Trade], on: date) -> int:
    """Open invoices issued by a day, less credit; of what is written off nothing."""
    total = 0
    for each in held:
        if each.gone <= on:
            continue
        standing, over = each.account.queue(on)
        total += max(0, sum(each.unsettled for each in standing if each.item.issued <= on) - over)
    return total


def _ageing(held: list[Trade], on: date) -> dict[str, Any]:
    accounts = [each.account for each in held]
    ages: dict[str, int] = dict.fromkeys([name for _, name in AGES] + ["d120_plus"], 0)
    disputed = not_due = open_invoices = 0
    weights = days = 0
    begin = month_end(on, -PERIOD_MONTHS)
    for trade in held:
        account, lost = trade.account, trade.gone <= on
        for each in account.queue(on)[0]:
            item = each.item
            if item.issued > on:
                continue
            late = (on - item.due).days if item.due < on else 0
            if each.unsettled and not lost:
                open_invoices += 1
                not_due += each.unsettled if not late else 0
                if account.is_disputed(item, on):
                    disputed += each.unsettled
                else:
                    ages[next((name for limit, name in AGES if late <= limit), "d120_plus")] += each.unsettled
            if item.kind != "invoice" or account.is_disputed(item, on):
                continue
            settled = None if each.unsettled else account.settled_on(item)
            if settled is not None and begin < settled <= on:
                weights += item.amount
                days += item.amount * (settled - item.due).days
            elif each.unsettled and late and not lost:
                weights += item.amount
                days += item.amount * late
    closing, opening = receivables(held, on), receivables(held, begin)
    sold = sales(accounts, begin + timedelta(1), on)
    length = (on - begin).days
    dso = closing / sold * length if sold > 0 else None
    best = not_due / sold * length if sold > 0 else None
    base = opening + sold - not_due
    return {
        **{name: money(amount) for name, amount in ages.items()},
        "disputed": money(disputed),
        "receivables": money(closing),
        "open_invoices": open_invoices,
        "opening_receivables": money(opening),
        "credit_sales": money(sold),
        "period_days": length,
        "dso": dso,
        "best_possible_dso": best,
        "add_days": dso - best if dso is not None and best is not None else None,
        "dbt_days": days / weights if weights else None,
        "cei": (opening + sold - closing) / base * 100 if base > 0 else None,
        "countback_dso": _countback(accounts, closing, on),
    }


def _countback(accounts: list[Account], owed: int, on: date) -> float | None:
    if sales(accounts, month_end(on, -12) + timedelta(1), on) <= 0:
        return None
    days = 0.0
    for back in range(12):
        last = month_end(on, -back)
        sold = sales(accounts, month_end(last, -1) + timedelta(1), last)
        length = last.day
        if owed <= 0:
            return days
        if sold <= 0:
            days += length
            continue
        if owed < sold:
            return days + length * owed / sold
        owed -= sold
        days += length
    return None if owed > 0 else days
