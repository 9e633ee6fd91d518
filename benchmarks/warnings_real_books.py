"""The warning rules on real books: how many warnings, and their lift over the known outcome.

Each book comes in through its adapter, is built, and its rules are evaluated month end by month end up
to the last day, as they would have been. Then: warnings open on the last day by severity and rule, and,
where the set holds an outcome, the share of warned customers who default over the share of all customers
with an outcome (the base rate): of those with a warning open on the last day, and of those ever warned.

The data are read from ``shared/data`` beside the project; a book that is not there is left out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from creditops.settings import PROJECT_ROOT, get_settings

DATA = PROJECT_ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class RealBook:
    """A book, where its files are, its last day and how many month ends are evaluated."""

    name: str
    adapter: str
    folder: str
    last_day: date
    months: int


BOOKS = (
    RealBook("taiwan_cards", "uci_taiwan_cards", "uci_taiwan_default", date(2005, 9, 30), 6),
    RealBook("trade_receivables", "ibm_receivables", "ibm_accounts_receivable", date(2013, 12, 31), 18),
    RealBook("sme_invoices", "cumcm_sme_invoices", "cumcm2020c_sme_invoices", date(2020, 2, 29), 24),
)


def run() -> dict[str, Any]:
    """Every book whose data are there, on an embedded server of its own."""
    from creditops.schema import initialise
    from creditops.services import lifecycle

    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        return {book.name: warn(book) for book in BOOKS if (DATA / book.folder).is_dir()}
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)


def warn(book: RealBook) -> dict[str, Any]:
    """Load, build and evaluate one book in the current warehouse; its counts and lifts."""
    from creditops.build import build
    from creditops.ingest.land.adapted import land_adapted
    from creditops.ingest.write.loader import load_file
    from creditops.warnings import evaluate
    from creditops.warnings.calendar import month_end

    for landed in land_adapted(book.name, [DATA / book.folder], book.adapter, None):
        load_file(landed)
    build(book.name, book.last_day, labels_known_at=datetime.now(UTC))
    for back in range(book.months - 1, -1, -1):
        summary = evaluate(book.name, month_end(book.last_day, months_before=back))
    return {
        "last_day": book.last_day.isoformat(),
        "open": summary.open,
        "skipped_rules": sorted(summary.skipped),
        **lifts(book.name, book.last_day),
    }


def lifts(book: str, day: date) -> dict[str, Any]:
    """Warned customers by rule and severity, and their lift over the base rate."""
    from creditops.warehouse.connection import connect

    with connect("publisher") as connection:
        warned = connection.execute(
            "select customer_id, rule_id, severity from actions.warning_snapshot"
            " where book = %s and as_of_date = %s and status in ('raised', 'acknowledged', 'in_response')",
            (book, day),
        ).fetchall()
        raised = connection.execute(
            "select customer_id, rule_id, severity from actions.early_warnings where book = %s", (book,)
        ).fetchall()
        outcomes: dict[str, bool] = dict(
            connection.execute(
                "select customer_id, bad from features.label_default where book = %s and source = 'outcomes'",
                (book,),
            ).fetchall()
        )
    base = sum(outcomes.values()) / len(outcomes) if outcomes else None
    return {
        "raised_in_all": dict(sorted(Counter(severity for _, _, severity in raised).items())),
        "base_rate": round(base, 4) if base is not None else None,
        "open_on_last_day": _by_rule_and_severity(warned, outcomes, base),
        "raised_at_any_time": _by_rule_and_severity(raised, outcomes, base),
    }


def _by_rule_and_severity(
    warnings: list[tuple[Any, ...]], outcomes: dict[str, bool], base: float | None
) -> dict[str, dict[str, float | int | None]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for customer, rule_id, severity in warnings:
        for name in (rule_id, f"{rule_id} {severity}", f"any {severity}", "any"):
            groups[name].add(customer)
    found: dict[str, dict[str, float | int | None]] = {}
    for name, customers in sorted(groups.items()):
        known = [outcomes[each] for each in customers if each in outcomes]
        rate = sum(known) / len(known) if known else None
        found[name] = {
            "customers": len(customers),
            "with_outcome": len(known),
            "default_rate": round(rate, 4) if rate is not None else None,
            "lift": round(rate / base, 2) if rate is not None and base else None,
        }
    return found
