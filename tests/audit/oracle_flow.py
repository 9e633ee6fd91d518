"""From application to collection: funnel, partners, first payment default (docs/domain.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from tests.audit.oracle_panel import WRITTEN_OFF, Panel
from tests.audit.oracle_portfolio import Found
from tests.audit.oracle_settlement import Item
from tests.audit.sources import month_end

ZONE = ZoneInfo("Asia/Shanghai")
STAGES = ("applied", "reviewing", "approved", "declined", "cancelled", "contracted", "disbursed", "first_due",
          "first_collected")  # fmt: skip
BEFORE = {"reviewing": "applied", "approved": "reviewing", "declined": "reviewing", "cancelled": "reviewing",
          "contracted": "approved", "disbursed": "contracted", "first_due": "disbursed",
          "first_collected": "first_due"}  # fmt: skip
FIRST_KINDS = ("instalment", "statement", "invoice")


@dataclass
class Application:
    application_id: str
    customer: str
    product: str
    partner: str
    applied: datetime
    stages: dict[str, datetime] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)

    @property
    def month(self) -> date:
        return month_end(self.applied.astimezone(ZONE).date())


def applications(panel: Panel) -> list[Application]:
    """Applications made by the day, with the first time of each stage they reached by then."""
    sources = panel.sources
    end = datetime.combine(sources.as_of + timedelta(1), time(), ZONE)
    found: dict[str, Application] = {}
    for row in sorted(sources.rows("applications"), key=lambda row: datetime.fromisoformat(row["stage_at"])):
        at = datetime.fromisoformat(row["stage_at"])
        if at >= end:
            continue
        each = found.setdefault(
            row["application_id"],
            Application(row["application_id"], row["customer_id"], row["product_id"], row["partner_id"],
                        datetime.fromisoformat(row["applied_at"])),
        )  # fmt: skip
        each.stages.setdefault(row["stage"], at)
        each.rows.append(row)
    return list(found.values())


def first_item(panel: Panel, facility: str) -> Item | None:
    """The first instalment, statement or invoice; fees paid at disbursal do not count."""
    return next((item for item in panel.accounts[facility].items if item.kind in FIRST_KINDS), None)


def first_settled_on(panel: Panel, facility: str) -> date | None:
    """Day on which all that fell due first, on one day, is settled."""
    first, account = first_item(panel, facility), panel.accounts[facility]
    days = [
        account.settled_on(item)
        for item in account.items
        if first and item.due == first.due and item.kind in FIRST_KINDS
    ]
    return None if None in days else max((day for day in days if day), default=None)


def with_first_dues(panel: Panel) -> list[Application]:
    """Applications with the days on which the first due fell due and was collected, as stages."""
    by_application = {v.first["application_id"]: key for key, v in panel.sources.facilities.items()}
    found = applications(panel)
    for each in found:
        facility = by_application.get(each.application_id)
        item = first_item(panel, facility) if facility else None
        if (
            facility is None
            or item is None
            or "disbursed" not in each.stages
            or item.due > panel.sources.as_of
        ):
            continue
        each.stages["first_due"] = datetime.combine(item.due, time(), ZONE)
        if (settled := first_settled_on(panel, facility)) is not None and settled > date.min:
            each.stages["first_collected"] = datetime.combine(settled, time(), ZONE)
    return found


def percentile(values: Iterable[float], share: float) -> float:
    """With linear interpolation between the nearest values."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def process_funnel(panel: Panel) -> Found:
    groups: dict[tuple[date, str, str], list[Application]] = defaultdict(list)
    for each in with_first_dues(panel):
        channel = panel.sources.partners[each.partner]["channel"] if each.partner else "direct"
        groups[each.month, each.product, channel].append(each)
    found: Found = {}
    for key, members in groups.items():
        rows: dict[str, dict[str, Any]] = {}
        for stage in STAGES:
            reached = [each for each in members if stage in each.stages]
            if not reached:
                continue
            before = BEFORE.get(stage)
            earlier = [each for each in members if before in each.stages] if before else []
            hours = [
                (each.stages[stage] - each.stages[before]).total_seconds() / 3600
                for each in reached
                if before and before in each.stages
            ]
            rows[stage] = {
                "count": len(reached),
                "conversion": len(reached) / len(earlier) if earlier else None,
                "median_hours": median(hours) if hours else None,
                "p90_hours": percentile(hours, 0.9) if hours else None,
            }
        timed = {
            s: r["median_hours"]
            for s, r in rows.items()
            if r["median_hours"] is not None and "first" not in s
        }
        for stage, row in rows.items():
            row["is_slowest"] = stage in timed and timed[stage] == max(timed.values())
            found[(*key, stage)] = row
    return found


def first_payment_default(panel: Panel, facility: str) -> bool | None:
    """Whether the first due stayed unpaid over 30 days; none until 30 days have passed since it was due."""
    item = first_item(panel, facility)
    if item is None or (panel.sources.as_of - item.due).days <= 30:
        return None
    settled = first_settled_on(panel, facility)
    return settled is None or (settled - item.due).days > 30


def ever_30_by(panel: Panel, facility: str, mob: int, defaulted: date | None = None) -> bool | None:
    """Whether over 30 days past due, written off or in default by that month on book."""
    opened = panel.opened[facility]
    if month_end(opened, mob) > panel.sources.as_of:
        return None
    for k in range(mob + 1):
        on = month_end(opened, k)
        cell = panel.cells.get((facility, on))
        if (
            (cell and cell.dpd > 30)
            or panel.state(facility, on) == WRITTEN_OFF
            or (defaulted and defaulted <= on)
        ):
            return True
    return False


def share(values: Iterable[bool | None]) -> tuple[float | None, int]:
    known = [value for value in values if value is not None]
    return (sum(known) / len(known) if known else None), len(known)


def partner_performance(panel: Panel, defaulted_on: dict[str, date] | None = None) -> Found:
    made: dict[tuple[str, date], list[Application]] = defaultdict(list)
    for each in applications(panel):
        if each.partner:
            made[each.partner, each.month].append(each)
    opened: dict[tuple[str, date], list[str]] = defaultdict(list)
    for facility, on in panel.opened.items():
        if (partner := panel.sources.facilities[facility].first["partner_id"]) and on <= panel.sources.as_of:
            opened[partner, month_end(on)].append(facility)
    found: Found = {}
    for key in made.keys() | opened.keys():
        asked, facilities = made.get(key, []), opened.get(key, [])
        decided = [each for each in asked if {"approved", "declined"} & each.stages.keys()]
        fpd, fpd_observed = share(first_payment_default(panel, each) for each in facilities)
        late, late_observed = share(
            ever_30_by(panel, each, 3, (defaulted_on or {}).get(each)) for each in facilities
        )
        decision = [
            (
                min(each.stages[s] for s in ("approved", "declined") if s in each.stages) - each.applied
            ).total_seconds()
            for each in decided
        ]
        paid = [
            (each.stages["disbursed"] - each.applied).total_seconds()
            for each in asked
            if "disbursed" in each.stages
        ]
        found[key] = {
            "applications": len(asked),
            "approval_rate": sum("approved" in each.stages for each in decided) / len(decided)
            if decided
            else None,
            "facilities": len(facilities),
            "fpd_rate": fpd,
            "fpd_observed": fpd_observed,
            "ever_30_mob3_rate": late,
            "mob3_observed": late_observed,
            "disbursed_rate": sum("disbursed" in each.stages for each in asked) / len(asked)
            if asked
            else None,
            "median_hours_to_decision": median(decision) / 3600 if decision else None,
            "median_hours_to_disbursal": median(paid) / 3600 if paid else None,
        }
    return found
