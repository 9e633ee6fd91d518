"""Components of recommended limits (docs/domain.md): exposure, caps, and what no recommendation may break.

The grade is taken from the published view (scores are recomputed apart); the rest comes from the sources.

Readings taken where docs/domain.md leaves a choice:

- Existing monthly debt service: the mean of the dues, less red-letter items, of the last six months, that of
  the day included, of each facility of the customer's other products that is open; the mean divides by the
  months the facility existed.
- What is closed with arrears has no limit, and what is owed on it counts as exposure of its product.
- A product of which a facility is in default has grade D.
- Monthly credit sales of a trade customer: the net invoices of those months over the months the account
  existed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from tests.audit.oracle_default import Classes
from tests.audit.oracle_desk import held
from tests.audit.oracle_panel import Cell, Panel
from tests.audit.oracle_portfolio import Found, money
from tests.audit.oracle_statements import Statements
from tests.audit.oracle_trade import sales
from tests.audit.sources import cents, month_end, number

MONTHS = 6


def credit_limits(
    panel: Panel, classes: Classes, policy: dict[str, Any], grades: Mapping[str, str | None]
) -> Found:
    sources, on = panel.sources, panel.sources.as_of
    rules, statements = policy["limits"], Statements(panel.sources)
    found: Found = {}
    for customer, cells in held(panel).items():
        person = sources.customers[customer]
        products: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            products[cell.product].append(cell)
        for product, own in products.items():
            kind = sources.products[product]["product_type"]
            grade = grades.get(customer) or "ungraded"
            if any(classes.is_default(cell.facility, on) for cell in own):
                grade = "D"
            live = [cell for cell in own if cell.status != "closed_with_arrears"]
            granted = sum(
                cell.limit if cell.limit is not None else cents(panel.version(cell.facility, on)["principal"])
                for cell in live
            )
            exposure = sum(cell.balance for cell in own)
            service = sum(
                _monthly_dues(panel, cell)
                for cell in cells
                if cell.product != product and cell.status != "closed_with_arrears"
            )
            row: dict[str, Any] = {
                "current_limit": money(granted),
                "cap_policy": float(rules["caps"][kind][grade]),
                "exposure": money(exposure),
                "utilisation": exposure / granted if granted else None,
                "excess": money(max(0, exposure - granted)),
            }
            if kind == "trade_credit":
                row["monthly_sales"] = round(sum(_monthly_sales(panel, cell) for cell in live) / 100, 2)
            elif person["customer_type"] == "retail":
                income = number(person["monthly_income"])
                row["other_debt_service"] = round(service / 100, 2)
                multiple = rules["income_multiple"][kind]
                row["cap_capacity"] = None if income is None else max(0.0, multiple * income - service / 100)
            else:
                latest = statements.latest(customer, on)
                ebit = latest.flows["ebit"] if latest else None
                row["cap_capacity"] = (
                    None if ebit is None else max(0.0, ebit / rules["min_dscr"] * rules["years"])
                )
            found[customer, product] = row
    return found


def _months(panel: Panel, cell: Cell) -> int:
    return min(MONTHS, cell.mob + 1)


def _monthly_dues(panel: Panel, cell: Cell) -> float:
    on = panel.sources.as_of
    first = month_end(on, -MONTHS)
    dues = sum(item.amount for item in panel.accounts[cell.facility].all if first < item.due <= on)
    return max(0, dues) / _months(panel, cell)


def _monthly_sales(panel: Panel, cell: Cell) -> float:
    on = panel.sources.as_of
    first = month_end(on, -MONTHS) + timedelta(1)
    return sales([panel.accounts[cell.facility]], first, on) / _months(panel, cell)


def flattened(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Published rows with the figures of ``inputs`` beside the columns."""
    return [{**row["inputs"], **row} for row in rows]


def broken_promises(panel: Panel, policy: dict[str, Any], rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Recommendations over a cap of their own, a group or a customer, or raised under a red warning."""
    rules, sources = policy["limits"], panel.sources
    book = sum(cell.balance for cells in held(panel).values() for cell in cells) / 100
    groups: dict[str, float] = defaultdict(float)
    customers: dict[str, float] = defaultdict(float)
    found = []
    for row in rows:
        recommended = float(row["recommended_limit"])
        for cap in ("cap_policy", "cap_capacity", "cap_group", "cap_concentration"):
            if row[cap] is not None and recommended > float(row[cap]) + 0.01:
                found.append(f"{row['customer_id']} {row['product_id']}: {recommended} over {cap} {row[cap]}")
        if row["inputs"]["open_red"] and recommended > float(row["current_limit"]):
            found.append(f"{row['customer_id']} {row['product_id']}: raised while a red warning is open")
        customers[row["customer_id"]] += recommended
        if group := sources.customers[row["customer_id"]]["group_id"]:
            groups[sources.top_group.get(group, group)] += recommended
    for group, total in groups.items():
        if total > rules["group_cap"] + 0.01:
            found.append(f"group {group}: {total} over its cap")
    for customer, total in customers.items():
        if total > rules["concentration_share"] * book + 0.01:
            found.append(f"{customer}: {total} over the share of one customer")
    return found
