"""Decisions replayed against the policy of the day of application (docs/domain.md), from the policy's
YAML.

Readings taken where docs/domain.md leaves a choice:

- "Past due here within 12 months": the most days past due at the twelve month ends before the
  application, on any facility that the customer held then, written off or not.
- Inquiries of three months are those of the report that counts on the day, in the three months up to it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.audit.oracle_bureau import Bureau
from tests.audit.oracle_flow import ZONE, Application, applications
from tests.audit.oracle_panel import Panel
from tests.audit.oracle_portfolio import Found
from tests.audit.oracle_statements import Statements, z2
from tests.audit.sources import add_months, day, month_end, number
from tests.audit.sql_rules import select

Policy = dict[str, Any]
WRITTEN_OFF_DPD = 91
"""A write-off counts as over 90 days past due in the month in which it was made."""


def policies(folder: Path) -> list[Policy]:
    """Versions of a book, by the day from which they are in force."""
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yml")]
    return sorted(found, key=lambda version: version["valid_from"])


def in_force(versions: list[Policy], on: date) -> Policy:
    return [version for version in versions if version["valid_from"] <= on][-1]


class Replay:
    """The inputs of every application and the verdicts on them."""

    def __init__(self, panel: Panel, versions: list[Policy]) -> None:
        self.panel, self.versions = panel, versions
        self.bureau, self.statements = Bureau(panel.sources), Statements(panel.sources)
        self._worst: dict[str, list[tuple[date, int]]] = defaultdict(list)
        for cell in panel.cells.values():
            self._worst[cell.customer].append((cell.on, cell.dpd))
        for facility in panel.opened:
            if (gone := panel.written_off_on(facility, panel.sources.as_of)) is not None:
                holder = panel.version(facility, gone)["customer_id"]
                self._worst[holder].append((month_end(gone), WRITTEN_OFF_DPD))
        self._customers = panel.sources.versions("customers", "customer_id")

    @cached_property
    def applications(self) -> list[Application]:
        """Those that were decided."""
        return [each for each in applications(self.panel) if {"approved", "declined"} & each.stages.keys()]

    @cached_property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """What the standards look at, by application."""
        return {each.application_id: self._inputs(each) for each in self.applications}

    def _inputs(self, each: Application) -> dict[str, Any]:
        on = each.applied.astimezone(ZONE).date()
        versions = self._customers[each.customer]
        customer = versions.on(on) or versions.first
        reports = self.bureau.latest(each.customer, on)
        hits = [report for report in reports if report["hit"] == "true"]
        report = hits[0] if hits else None
        since = month_end(on, -13)
        past = [dpd for when, dpd in self._worst[each.customer] if since < when < on]
        latest = self.statements.latest(each.customer, on)
        return {
            "application_id": each.application_id,
            "customer_type": customer["customer_type"],
            "requested_amount": float(each.rows[0]["requested_amount"]),
            "monthly_income": number(customer["monthly_income"]),
            "bureau_worst_24m": self.bureau.worst_24m(report) if report else None,
            "inquiries_3m": self._hard_inquiries(report["report_id"], on) if report else None,
            "public_records": len(self.bureau.records.get(report["report_id"], ())) if report else None,
            "own_dpd_max_12m": max(past, default=None),
            "z2_score": z2(latest) if latest else None,
        }

    def _hard_inquiries(self, report: str, on: date) -> int:
        return sum(
            row["reason"] == "credit_application" and add_months(on, -3) < day(row["inquired_on"]) <= on
            for row in self.bureau.inquiries.get(report, ())
        )

    def failed(self, version: Policy, inputs: list[dict[str, Any]]) -> dict[str, list[str]]:
        """Standards that decline each application, in the policy's order."""
        found: dict[str, list[str]] = defaultdict(list)
        for standard in version["standards"]:
            for row in select(inputs, standard["decline_when"], standard.get("parameters", {})):
                found[row["application_id"]].append(standard["id"])
        return found

    def declining(self, version: Policy, asked: list[Application]) -> dict[str, list[str]]:
        """Standards of a version that decline each application, in the policy's order."""
        return self.failed(version, [self.inputs[each.application_id] for each in asked])

    @cached_property
    def compliance(self) -> Found:
        decided: dict[str, list[Application]] = defaultdict(list)
        for each in self.applications:
            decided[in_force(self.versions, each.applied.astimezone(ZONE).date())["version"]].append(each)
        found: Found = {}
        for version in self.versions:
            failed = self.declining(version, decided[version["version"]])
            for each in decided[version["version"]]:
                found[each.application_id,] = _verdict(each, version, failed.get(each.application_id, []))
        return found


def _verdict(each: Application, version: Policy, failed: list[str]) -> dict[str, Any]:
    row = next(row for row in each.rows if row["stage"] in ("approved", "declined"))
    decision, replayed = row["stage"], "declined" if failed else "approved"
    if decision == replayed:
        verdict = "agree"
    elif decision == "declined":
        verdict = "override_down"
    else:
        verdict = "override_up" if row["override"] == "up" else "breach"
    return {
        "policy_version": version["version"],
        "decision": decision,
        "replayed_decision": replayed,
        "verdict": verdict,
        "rules_failed": ", ".join(failed),
        "stated_version": row["policy_version"] or None,
    }


def policy_effect(replay: Replay, defaulted_on: dict[str, date] | None = None) -> Found:
    """What each version did by month of application; ``defaulted_on``: first default of a facility."""
    panel = replay.panel
    by_application = {v.first["application_id"]: key for key, v in panel.sources.facilities.items()}
    compliance = replay.compliance
    months: dict[tuple[str, date], list[Application]] = defaultdict(list)
    for each in replay.applications:
        months[compliance[each.application_id,]["policy_version"], each.month].append(each)
    declined_before: dict[str, dict[str, list[str]]] = {}
    for earlier, version in zip(replay.versions, replay.versions[1:], strict=False):
        name = version["version"]
        asked = [each for (which, _), members in months.items() if which == name for each in members]
        declined_before[name] = replay.declining(earlier, asked)
    found: Found = {}
    for (name, on), asked in months.items():
        rows = [compliance[each.application_id,] for each in asked]
        swap_in = swap_out = 0
        if name in declined_before:
            for each, row in zip(asked, rows, strict=True):
                declined = bool(declined_before[name].get(each.application_id))
                swap_in += row["replayed_decision"] == "approved" and declined
                swap_out += row["replayed_decision"] == "declined" and not declined
        facilities = [
            by_application[each.application_id] for each in asked if each.application_id in by_application
        ]
        found[name, on] = {
            "applications": len(asked),
            "approval_rate": sum(row["decision"] == "approved" for row in rows) / len(rows),
            "override_rate": sum(row["verdict"].startswith("override") for row in rows) / len(rows),
            "bad_rate_mob6": _bad_rate(panel, facilities, 6, defaulted_on or {}),
            "bad_rate_mob12": _bad_rate(panel, facilities, 12, defaulted_on or {}),
            "swap_in": swap_in,
            "swap_out": swap_out,
        }
    return found


def _bad_rate(panel: Panel, facilities: list[str], mob: int, defaulted_on: dict[str, date]) -> float | None:
    """Share ever over 90 days past due by a month on book, of all who could reach it, gone or not."""
    seen = bad = 0
    for facility in facilities:
        last = month_end(panel.opened[facility], mob)
        if last > panel.sources.as_of:
            continue
        seen += 1
        bad += defaulted_on.get(facility, date.max) <= last or any(
            cell.dpd > 90 and cell.on <= last for cell in panel.by_facility[facility]
        ) or (panel.written_off_on(facility, last) or date.max) <= last  # fmt: skip
    return bad / seen if seen else None
