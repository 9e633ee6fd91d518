"""One row per customer: what is owed, how late, limits, statement, bureau, next due (customer_360)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from tests.audit.compare import OneOf
from tests.audit.oracle_bureau import Bureau
from tests.audit.oracle_default import CLASSES, Classes
from tests.audit.oracle_panel import Cell, Panel, bucket
from tests.audit.oracle_portfolio import Found, money
from tests.audit.oracle_statements import Statements, z2, zone
from tests.audit.sources import month_end


def customer_360(panel: Panel, classes: Classes, pds: Mapping[str, float | None]) -> Found:
    """Of every customer; the PD of the expected loss is the published one.

    The class is that of open facilities; it is not compared where one was written off.
    """
    sources, on = panel.sources, panel.sources.as_of
    held: dict[str, list[Cell]] = defaultdict(list)
    past: dict[str, list[Cell]] = defaultdict(list)
    for cell in panel.cells.values():
        if cell.on == on:
            held[cell.customer].append(cell)
        if cell.on > month_end(on, -12):
            past[cell.customer].append(cell)
    gone: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for facility, account in panel.accounts.items():
        when = classes.life[facility][1]
        if month_end(on, -12) < when <= on:
            customer = panel.version(facility, when)["customer_id"]
            gone[customer].append((account.dpd(when), account.dpd(month_end(when))))
    lost = {
        panel.version(facility, when)["customer_id"]
        for facility in panel.opened
        if (when := panel.written_off_on(facility, on)) is not None
    }
    bad: dict[str, set[str]] = defaultdict(set)
    for facility in panel.opened:
        owing = (facility, on) in panel.cells or panel.written_off_on(facility, on) is not None
        if owing and classes.is_default(facility, on):
            bad[classes.holding(facility)[-1][0]].add(facility)
    statements, bureau = Statements(sources), Bureau(sources)
    found: Found = {}
    for customer, row in sources.customers.items():
        cells = held[customer]
        limited = [cell for cell in cells if cell.limit is not None and cell.status != "closed_with_arrears"]
        limit = sum(cell.limit or 0 for cell in limited)
        dpd = max((cell.dpd for cell in cells), default=0)
        latest = statements.latest(customer, on)
        z = z2(latest) if latest else None
        reports = bureau.latest(customer, on)
        next_due = _next_due(panel, cells, on)
        found[customer,] = {
            "customer_type": row["customer_type"],
            "industry": row["industry"] or None,
            "region": row["region"] or None,
            "group_id": row["group_id"] or None,
            "exposure": money(sum(cell.balance for cell in cells)),
            "overdue_amount": money(sum(cell.overdue for cell in cells)),
            "dpd": dpd,
            "bucket": bucket(dpd),
            "worst_dpd_12m": _worst_dpd(past[customer], gone[customer]),
            "limit_total": money(limit) if limited else None,
            "utilisation": sum(cell.balance for cell in limited) / limit if limit else None,
            "last_statement_on": latest.period_end if latest else None,
            "z_score": z,
            "z_zone": zone(z),
            "bureau_hit": OneOf(tuple(report["hit"] == "true" for report in reports)) if reports else None,
            "bureau_worst_24m": OneOf(tuple(bureau.worst_24m(report) for report in reports))
            if reports
            else None,
            "open_facilities": len(cells),
            "facilities_in_default": len(bad[customer]),
            "in_default": _in_default(row["customer_type"], cells, bad[customer]),
            "expected_loss": _expected_loss(panel, classes, cells, pds.get(customer)),
            **next_due,
        }
        if cells and customer not in lost:
            found[customer,]["class5"] = CLASSES[max(classes.class_of(cell) for cell in cells)]
    return found


def _in_default(kind: str, cells: list[Cell], bad: set[str]) -> bool:
    """A firm by any facility; a person by all that is open, itself or pulled (domain.md#customer-state)."""
    return bool(bad) and (kind == "corporate" or all(cell.facility in bad for cell in cells))


def _expected_loss(panel: Panel, classes: Classes, cells: list[Cell], pd: float | None) -> float | None:
    """PD x LGD x EAD, PD 1 in default.

    An undrawn limit counts by the credit conversion factor while the facility may draw.
    """
    if pd is None or not cells:
        return None
    total = 0.0
    for cell in cells:
        product = panel.sources.products[cell.product]
        undrawn = max(0, (cell.limit or 0) - cell.balance) if cell.status != "closed_with_arrears" else 0
        each = 1.0 if classes.is_default(cell.facility, cell.on) else pd
        total += each * float(product["lgd"]) * (cell.balance + float(product["ccf"]) * undrawn)
    return round(total) / 100


def _worst_dpd(cells: list[Cell], gone: list[tuple[int, int]]) -> OneOf:
    """Most days past due at twelve month ends; the month of the end may count."""
    values = [cell.dpd for cell in cells]
    return OneOf((
        max(values, default=None),
        max([*values, *(at_event for at_event, _ in gone)], default=None),
        max([*values, *(at_month_end for _, at_month_end in gone)], default=None),
    ))  # fmt: skip


def _next_due(panel: Panel, cells: list[Cell], on: date) -> dict[str, Any]:
    """The next day on which something falls due, and what is unpaid of the dues of that day."""
    dues: dict[date, int] = defaultdict(int)
    for cell in cells:
        for each in panel.accounts[cell.facility].queue(on)[0]:
            if each.item.due > on and each.item.issued <= on and each.unsettled:
                dues[each.item.due] += each.unsettled
    if not dues:
        return {"next_due_date": None, "next_due_amount": None}
    first = min(dues)
    return {"next_due_date": first, "next_due_amount": money(dues[first])}
