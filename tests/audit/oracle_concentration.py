"""Concentration of exposure (docs/domain.md): shares, ranks, HHI; what has no member stands apart."""

from __future__ import annotations

from collections import defaultdict

from tests.audit.compare import places
from tests.audit.oracle_panel import Cell, Panel
from tests.audit.oracle_portfolio import Found, money

NONE = "none"


def concentration(panel: Panel) -> Found:
    sources = panel.sources
    cells = [cell for cell in panel.cells.values() if cell.on == sources.as_of and cell.balance > 0]

    def group(cell: Cell) -> str:
        own = sources.customers[cell.customer]["group_id"]
        return sources.top_group.get(own, own)

    members = {
        "customer": lambda cell: cell.customer,
        "group": group,
        "industry": lambda cell: sources.customers[cell.customer]["industry"],
        "region": lambda cell: sources.customers[cell.customer]["region"],
        "product": lambda cell: cell.product,
        "partner": lambda cell: cell.partner,
    }
    found: Found = {}
    for dimension, member in members.items():
        sums: dict[str, int] = defaultdict(int)
        for cell in cells:
            sums[member(cell)] += cell.balance
        apart = sums.pop("", 0)
        total = sum(sums.values())
        hhi = sum((amount / total) ** 2 for amount in sums.values()) if total else None
        for name, amount in sums.items():
            found[dimension, name] = {
                "exposure": money(amount),
                "share": amount / total,
                "rank": places(amount, list(sums.values())),
                "hhi": hhi,
            }
        if apart:
            found[dimension, NONE] = {"exposure": money(apart), "share": None, "rank": None, "hhi": hhi}
    return found
