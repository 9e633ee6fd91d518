"""Bureau reports (docs/domain.md): the reports that count on a day, and what they say.

Guarantees given are counted apart (docs/domain.md), so worst states and debt are those of the customer's own
accounts. Two reports of one day are both the latest: no rule says which counts, so each is right.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from tests.audit.sources import Row, Sources, cents, day

MAX_AGE = 90
STATES = {str(n): n for n in range(8)} | {"written_off": 8}


class Bureau:
    """Reports of every customer with what stands in them."""

    def __init__(self, sources: Sources) -> None:
        self._reports: dict[str, list[Row]] = defaultdict(list)
        for row in sources.rows("bureau_reports"):
            self._reports[row["customer_id"]].append(row)
        self.lines = sources.grouped("bureau_tradelines", "report_id")
        self.inquiries = sources.grouped("bureau_inquiries", "report_id")
        self.records = sources.grouped("bureau_public_records", "report_id")

    def latest(self, customer: str, on: date) -> list[Row]:
        """The newest report not older than 90 days; several if they are of one day."""
        fresh = [
            row for row in self._reports.get(customer, ())
            if day(row["pulled_on"]) <= on and (on - day(row["pulled_on"])).days <= MAX_AGE
        ]  # fmt: skip
        newest = max((row["pulled_on"] for row in fresh), default="")
        return [row for row in fresh if row["pulled_on"] == newest]

    def worst_24m(self, report: Row) -> int | None:
        """Worst state of the customer's own accounts in 24 months; none without a hit or an account."""
        if report["hit"] != "true":
            return None
        own = [line for line in self.lines.get(report["report_id"], ()) if line["guarantee"] != "true"]
        return max((STATES[line["worst_status_24m"]] for line in own), default=None)

    def debt(self, report: Row) -> tuple[int, int]:
        """Balance of the customer's own debt in the report, and what of it is past due over 90 days."""
        total = late = 0
        for line in self.lines.get(report["report_id"], ()):
            if line["guarantee"] == "true" or line["closed_on"]:
                continue
            total += cents(line["balance"])
            if STATES[line["status_now"]] >= 4:
                late += cents(line["balance"])
        return total, late
