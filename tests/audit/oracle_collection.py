"""What collection achieved, and what competitors offer beside the own rate.

Reading taken where docs/domain.md leaves a choice: recovered of what was past due is what of it is no longer
unsettled a month later, except where the facility was written off.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from tests.audit.compare import places
from tests.audit.oracle_panel import CLOSED, Panel, bucket
from tests.audit.oracle_portfolio import Found, money
from tests.audit.sources import cents, day, month_end


def kept(panel: Panel, facility: str, first: date, last: date, amount: int) -> bool:
    """Whether so much was paid on a facility between two days, both included."""
    paid = sum(paid for when, paid, _ in panel.accounts[facility].payments if first <= when <= last)
    return paid >= amount


def collections_performance(panel: Panel) -> Found:
    promises: dict[tuple[str, date], list[bool]] = defaultdict(list)
    for row in panel.sources.rows("promises"):
        due = day(row["due_on"])
        if due <= panel.sources.as_of and row["facility_id"] in panel.opened:
            told = kept(panel, row["facility_id"], day(row["promised_on"]), due, cents(row["amount"]))
            promises[row["facility_id"], month_end(due)].append(told)
    sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for cell in panel.cells.values():
        on = month_end(cell.on, 1)
        if cell.dpd == 0 or on > panel.sources.as_of:
            continue
        row = sums[on, cell.product, bucket(cell.dpd)]
        after = panel.cells.get((cell.facility, on))
        left = sum(e.unsettled for e in panel.accounts[cell.facility].queue(on)[0] if e.item.due < cell.on)
        row["facilities"] += 1
        row["overdue"] += cell.overdue
        row["recovered"] += max(0, cell.overdue - left)
        row["cured"] += after.dpd == 0 if after else panel.state(cell.facility, on) == CLOSED
        row["due"] += len(promises[cell.facility, on])
        row["kept"] += sum(promises[cell.facility, on])
    return {
        key: {
            "facilities": row["facilities"],
            "overdue_amount": money(row["overdue"]),
            "recovered_amount": money(row["recovered"]),
            "recovery_rate": row["recovered"] / row["overdue"] if row["overdue"] else None,
            "cure_rate": row["cured"] / row["facilities"],
            "promises_due": row["due"],
            "promise_kept_rate": row["kept"] / row["due"] if row["due"] else None,
        }
        for key, row in sums.items()
    }


def competitor_outlook(panel: Panel) -> Found:
    """Offers as last seen within six months of a month end, beside the own balance and rate."""
    sources = panel.sources
    seen: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in sorted(sources.rows("competitor_products"), key=lambda row: row["observed_on"]):
        seen[row["competitor"], row["product_type"]].append(row)
    own: dict[tuple[str, date], list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for cell in panel.cells.values():
        product = sources.products[cell.product]
        sums = own[product["product_type"], cell.on]
        sums[0] += cell.balance
        if product["annual_rate"]:
            sums[1] += cell.balance * float(product["annual_rate"])
            sums[2] += cell.balance

    def offer(key: tuple[str, str], on: date) -> dict[str, str] | None:
        known = [row for row in seen[key] if month_end(on, -6) < day(row["observed_on"]) <= on]
        return known[-1] if known else None

    found: Found = {}
    for competitor, kind in seen:
        for on in panel.months:
            row = offer((competitor, kind), on)
            if row is None:
                continue
            before = offer((competitor, kind), month_end(on, -6))
            rate, (balance, weighted, priced) = float(row["annual_rate"]), own[kind, on]
            found[on, kind, competitor] = {
                "annual_rate": rate,
                "rate_change_6m": rate - float(before["annual_rate"]) if before else None,
                "max_amount": float(row["max_amount"]) if row["max_amount"] else None,
                "max_term_months": int(row["max_term_months"]) if row["max_term_months"] else None,
                "observed_on": day(row["observed_on"]),
                "own_balance": money(int(balance)),
                "own_rate": weighted / priced if priced else None,
                "rate_gap": weighted / priced - rate if priced else None,
            }
    for (on, kind, _), row in found.items():
        rivals = [
            other["annual_rate"] for (month, which, _), other in found.items() if (month, which) == (on, kind)
        ]
        row["rank"] = places(-row["annual_rate"], [-rate for rate in rivals])
    return found
