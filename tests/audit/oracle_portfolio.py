"""Portfolio by month, roll rates, vintages (docs/domain.md)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from tests.audit.oracle_default import SUBSTANDARD, Classes
from tests.audit.oracle_panel import CLOSED, WRITTEN_OFF, Panel, bucket
from tests.audit.sources import cents, month_end, months_between

Found = dict[tuple[Any, ...], dict[str, Any]]


def money(amount: int) -> float:
    return amount / 100


def segments(panel: Panel) -> dict[str, str]:
    """Customer type of every customer."""
    return {
        key: v.rows[-1]["customer_type"]
        for key, v in panel.sources.versions("customers", "customer_id").items()
    }


COUNTS = ("facilities", "balance", "overdue_balance", "npl_balance", "write_offs", "new_defaults", "cures")


def portfolio_monthly(panel: Panel, classes: Classes) -> Found:
    """Counts, balances, ratios and what came into default, was cured or written off in the month.

    A default that ends because the facility is paid up and closed is no cure.
    """
    kinds = segments(panel)
    found: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for cell in panel.cells.values():
        row = found[cell.on, cell.product, kinds[cell.customer]]
        row["facilities"] += 1
        row["balance"] += cell.balance
        row["overdue_balance"] += cell.balance if cell.dpd > 0 else 0
        row["npl_balance"] += cell.balance if classes.class_of(cell) >= SUBSTANDARD else 0

    def row_of(facility: str, on: date) -> dict[str, Any]:
        version = panel.version(facility, on)
        return found[month_end(on), version["product_id"], kinds[version["customer_id"]]]

    for facility in panel.opened:
        gone = panel.written_off_on(facility, panel.sources.as_of)
        if gone is not None:
            row_of(facility, gone)["write_offs"] += 1
    for facility, spans in classes.defaults.items():
        for begin, end in spans:
            if begin <= panel.sources.as_of:
                row_of(facility, begin)["new_defaults"] += 1
            if end <= panel.sources.as_of and end < classes.life[facility][1]:
                row_of(facility, end)["cures"] += 1
    for row in found.values():
        balance = row["balance"]
        row["overdue_ratio"] = row["overdue_balance"] / balance if balance else None
        row["npl_ratio"] = row["npl_balance"] / balance if balance else None
        for name in ("balance", "overdue_balance", "npl_balance"):
            row[name] = money(row[name])
    return dict(found)


def roll_rates(panel: Panel) -> Found:
    """From the bucket a month before to the bucket now, closed or written off."""
    moves: dict[tuple[date, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for cell in panel.cells.values():
        on = month_end(cell.on, 1)
        if on > panel.sources.as_of:
            continue
        after = panel.cells.get((cell.facility, on))
        to = bucket(after.dpd) if after else panel.state(cell.facility, on)
        assert after or to in (CLOSED, WRITTEN_OFF)
        move = moves[on, cell.product, bucket(cell.dpd), to]
        move[0] += 1
        move[1] += cell.balance
    totals: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for (on, product, start, _), (count, balance) in moves.items():
        totals[on, product, start][0] += count
        totals[on, product, start][1] += balance
    return {
        key: {
            "facilities": count,
            "balance": money(balance),
            "rate_by_count": count / totals[key[:3]][0],
            "rate_by_balance": balance / totals[key[:3]][1] if totals[key[:3]][1] else None,
        }
        for key, (count, balance) in moves.items()
    }


def vintages(panel: Panel, defaulted_on: dict[str, date] | None = None) -> Found:
    """Ever-rates by month of origination, product and months on book.

    ``defaulted_on`` says when a facility first came into default; without it days past due and write-off
    alone count.
    """
    cohorts: dict[tuple[date, str], list[str]] = defaultdict(list)
    for facility, opened in panel.opened.items():
        cohorts[month_end(opened), panel.sources.facilities[facility].first["product_id"]].append(facility)
    found: Found = {}
    for (origin, product), members in cohorts.items():
        amounts = {}
        for facility in members:
            first = panel.version(facility, panel.opened[facility])
            amounts[facility] = cents(first["principal"] or first["credit_limit"])
        total = sum(amounts.values())
        ever_30: set[str] = set()
        ever_90: set[str] = set()
        for mob in range(months_between(origin, panel.sources.as_of) + 1):
            on = month_end(origin, mob)
            if on > panel.sources.as_of:
                break
            for facility in members:
                cell = panel.cells.get((facility, on))
                gone = panel.state(facility, on) == WRITTEN_OFF
                default = bool(defaulted_on) and (defaulted_on or {}).get(facility, date.max) <= on
                if gone or default or (cell and cell.dpd > 30):
                    ever_30.add(facility)
                if gone or default or (cell and cell.dpd > 90):
                    ever_90.add(facility)
            found[origin, product, mob] = {
                "facilities": len(members),
                "original_amount": money(total),
                "ever_30_rate": len(ever_30) / len(members),
                "ever_90_rate": len(ever_90) / len(members),
                "ever_90_amount_rate": sum(amounts[f] for f in ever_90) / total if total else None,
            }
    return found
