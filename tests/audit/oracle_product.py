"""What each product earned by month, before risk (product_performance)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from tests.audit.oracle_panel import Panel
from tests.audit.oracle_portfolio import Found, money
from tests.audit.sources import month_end


def product_performance(panel: Panel) -> Found:
    balances: dict[tuple[str, date], int] = defaultdict(int)
    counts: dict[tuple[str, date], int] = defaultdict(int)
    for cell in panel.cells.values():
        balances[cell.product, cell.on] += cell.balance
        counts[cell.product, cell.on] += 1
    found: Found = {}
    for (product, on), balance in balances.items():
        before = balances.get((product, month_end(on, -1)))
        average = balance if before is None else (before + balance) / 2
        funding = float(panel.sources.products[product]["funding_rate"] or 0)
        found[product, on] = {
            "balance": money(balance),
            "facilities": counts[product, on],
            "funding_cost": money(average * funding / 12),
        }
    return found
