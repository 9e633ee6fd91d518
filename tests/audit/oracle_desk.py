"""Collections worklist and hand-overs, as far as sources and policy decide them (docs/domain.md)."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from tests.audit.oracle_flow import ZONE
from tests.audit.oracle_panel import Cell, Panel
from tests.audit.oracle_portfolio import Found, money
from tests.audit.sources import day

WEEKS = 13


def held(panel: Panel) -> dict[str, list[Cell]]:
    """Facilities open on the day, by customer."""
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in panel.cells.values():
        if cell.on == panel.sources.as_of:
            found[cell.customer].append(cell)
    return found


def worklist(panel: Panel, policy: dict[str, Any]) -> Found:
    """One row per customer with something past due."""
    on = panel.sources.as_of
    stages = sorted(policy["collection"]["stages"], key=lambda stage: -stage["from_dpd"])
    last: dict[str, date] = {}
    for row in panel.sources.rows("collection_actions"):
        acted = datetime.fromisoformat(row["acted_at"]).astimezone(ZONE).date()
        if acted <= on:
            last[row["customer_id"]] = max(last.get(row["customer_id"], date.min), acted)
    found: Found = {}
    for customer, cells in held(panel).items():
        overdue = sum(cell.overdue for cell in cells)
        if not overdue:
            continue
        dpd = max(cell.dpd for cell in cells)
        found[customer,] = {
            "stage": next(stage["stage"] for stage in stages if dpd >= stage["from_dpd"]),
            "overdue_amount": money(overdue),
            "dpd": dpd,
            "last_action_on": last.get(customer),
        }
    return found


def handover_legal(panel: Panel) -> Found:
    """Facilities over 90 undisputed days past due."""
    return {
        (cell.customer, cell.facility): {"dpd": cell.clean_dpd, "overdue_amount": money(cell.overdue)}
        for cells in held(panel).values()
        for cell in cells
        if cell.clean_dpd > 90
    }


def handover_finance(panel: Panel) -> Found:
    """What falls due in the weeks from the day on and is not paid yet."""
    on = panel.sources.as_of
    monday = on - timedelta(on.weekday())
    found: dict[tuple[Any, ...], int] = defaultdict(int)
    for cells in held(panel).values():
        for cell in cells:
            for each in panel.accounts[cell.facility].queue(on)[0]:
                due = each.item.due
                week = due - timedelta(due.weekday())
                if (
                    due > on
                    and week < monday + timedelta(7 * WEEKS)
                    and each.item.issued <= on
                    and each.unsettled
                ):
                    found[week, cell.product] += each.unsettled
    return {key: {"due": money(amount)} for key, amount in found.items()}


def industry_outlook(panel: Panel) -> Found:
    """Index as published by the day beside own exposure and overdue ratio."""
    sources, on = panel.sources, panel.sources.as_of
    series: dict[tuple[str, date], tuple[date, float]] = {}
    for row in sources.rows("industry_series"):
        published = day(row["published_on"])
        key = (row["industry"], day(row["period"]))
        if published <= on and (key not in series or series[key][0] < published):
            series[key] = (published, float(row["value"]))
    own: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for cell in panel.cells.values():
        if industry := sources.customers[cell.customer]["industry"]:
            own[industry, cell.on][0] += cell.balance
            own[industry, cell.on][1] += cell.balance if cell.dpd > 0 else 0
    found: Found = {}
    for (industry, month), (balance, overdue) in own.items():
        found[industry, month] = {
            "own_exposure": money(balance),
            "own_overdue_ratio": overdue / balance if balance else None,
        }
    for (industry, month), (_, value) in series.items():
        if (industry, month) in found:
            found[industry, month]["index_value"] = value
    return found
