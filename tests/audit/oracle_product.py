"""What each product earned by month, before risk (product_performance).

What falls due in the month in which a facility ends still counts; what would fall due later does not, unless
a reversal has opened it again.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from tests.audit.oracle_panel import CLOSED, WRITTEN_OFF, Panel
from tests.audit.oracle_portfolio import Found, money
from tests.audit.sources import cents, day, month_end


def product_performance(panel: Panel) -> Found:
    balances: dict[tuple[str, date], int] = defaultdict(int)
    counts: dict[tuple[str, date], int] = defaultdict(int)
    for cell in panel.cells.values():
        balances[cell.product, cell.on] += cell.balance
        counts[cell.product, cell.on] += 1
    earned: dict[tuple[str, date], int] = defaultdict(int)
    for row in panel.sources.rows("due_items"):
        due = day(row["due_date"])
        facility = row["facility_id"]
        if due > panel.sources.as_of or facility not in panel.opened:
            continue
        is_open = (facility, month_end(due)) in panel.cells
        if is_open or panel.state(facility, month_end(due, -1)) not in (CLOSED, WRITTEN_OFF):
            product = panel.sources.facilities[facility].first["product_id"]
            earned[product, month_end(due)] += cents(row["interest"]) + cents(row["fee"])
    found: Found = {}
    for (product, on), balance in balances.items():
        before = balances.get((product, month_end(on, -1)))
        average = balance if before is None else (before + balance) / 2
        annual = earned[product, on] * 12 / average if average else None
        funding = float(panel.sources.products[product]["funding_rate"] or 0)
        found[product, on] = {
            "balance": money(balance),
            "facilities": counts[product, on],
            "yield": annual,
            "funding_cost": money(average * funding / 12),
            "margin_before_risk": annual - funding if annual is not None else None,
        }
    return found
