"""What early warning finds of the events that were put into a simulated book, month by month.

A book with its hidden truth is loaded and built, then the rules are evaluated at every month end in
turn, so that warnings live as they would have. Then, per kind of event:

- ``struck``: customers the event hit who are not in default before it and still owe when it starts
  (of a contagion the members other than the one that it starts from, of a fraud the loans that the
  partner brought in its three months and that default);
- ``recall``: share of them warned after the event began and, where they default, before the default;
- ``recall_of_defaults``: the same of those who default;
- ``by_rules_for_it``: recall by the rules made for that kind alone (``RULES_FOR``);
- ``lead_days``: median days from the first warning to the default.

Precision: share of the warnings raised at least ``HORIZON`` months before the end whose customer
was hit by an event in the ``HORIZON`` months before, or defaults in the ``HORIZON`` months after.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from creditops.settings import get_settings

CUSTOMERS = 6000
MONTHS = 36
SEED = 11
BOOK = "demo"
DAY = date(2026, 6, 30)
HORIZON = 12
RULES_FOR: dict[str, tuple[str, ...]] = {
    "sales_crash": ("sales_down", "sme_sales_down", "z_enters_distress", "receivable_days_up",
                    "interest_cover_low", "cash_flow_negative", "auditor_or_late_statement"),
    "partner_fraud": ("partner_fpd_high", "first_payment_default"),
    "group_contagion": ("group_member_in_default",),
    "bureau_default_elsewhere": ("bureau_new_delinquency", "overdue_elsewhere"),
}  # fmt: skip


def run() -> dict[str, Any]:
    """Simulate, load, build, evaluate month by month and measure, on an embedded server of its own."""
    from creditops.schema import initialise
    from creditops.services import lifecycle
    from creditops.simulate import simulate

    home = Path(tempfile.mkdtemp(prefix="creditops-bench-"))
    os.environ["CREDITOPS_HOME"] = str(home)
    get_settings.cache_clear()
    try:
        lifecycle.up(only={"postgres"}, prepare_warehouse=initialise)
        folder = home / "simulated"
        simulate(folder, book=BOOK, customers=CUSTOMERS, months=MONTHS, seed=SEED, as_of=DAY)
        load_and_build(folder)
        started = time.perf_counter()
        days = evaluate_months(MONTHS - 3)
        seconds = time.perf_counter() - started
        return {"customers": CUSTOMERS, "months": len(days), "seconds": round(seconds, 1), **measure(folder)}
    finally:
        lifecycle.down()
        shutil.rmtree(home, ignore_errors=True)


def load_and_build(folder: Path) -> None:
    """Bring the simulated files into the warehouse through the platform's own door."""
    from creditops.build import build
    from creditops.chain import DOMAINS
    from creditops.ingest.land.landing import land
    from creditops.ingest.write.loader import load_delivery

    land(BOOK, [folder], DAY)
    for domain in sorted(DOMAINS, key=lambda each: each != "reference"):  # what the others refer to first
        load_delivery(BOOK, DAY, domain)
    build(BOOK, DAY)


def evaluate_months(months: int) -> list[date]:
    """Evaluate every rule at the last ``months`` month ends, oldest first; the days."""
    from creditops.warnings import evaluate
    from creditops.warnings.calendar import month_end

    days = [month_end(DAY, months_before=back) for back in range(months - 1, -1, -1)]
    for day in days:
        evaluate(BOOK, day)
    return days


def measure(folder: Path) -> dict[str, Any]:
    """Recall, lead time and precision of the warnings in the warehouse against ``folder/truth``."""
    from creditops.warehouse.connection import connect

    with connect("publisher") as connection:
        warnings = connection.execute(
            "select customer_id, rule_id, first_seen_on, severity from actions.early_warnings"
            " where book = %s and rule_id <> 'customer_in_default'",
            (BOOK,),
        ).fetchall()
    struck = struck_customers(folder)
    defaults = default_days(folder)
    raised: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for customer, rule_id, raised_on, _ in warnings:
        raised[customer].append((raised_on, rule_id))
    kinds = {kind: _recall(hits, defaults, raised, RULES_FOR[kind]) for kind, hits in sorted(struck.items())}
    return {"events": kinds, "precision": _precision(warnings, struck, defaults)}


def struck_customers(folder: Path) -> dict[str, list[tuple[str, date]]]:
    """Per kind of event the customers it hit, each with the day on which it began."""
    truth, defaults = folder / "truth", default_days(folder)
    events = pl.read_csv(truth / "injected_events.csv", try_parse_dates=True)
    customers = _source(folder, "customers").unique("customer_id", keep="last")
    facilities = _source(folder, "facilities")
    months = pl.read_csv(truth / "facility_month.csv", try_parse_dates=True)
    owing = (
        months.filter(pl.col("status").is_in(["active", "restructured"]))
        .join(facilities.select("facility_id", "customer_id").unique(), on="facility_id")
        .group_by("customer_id")
        .agg(pl.col("month_end").min().alias("first"), pl.col("month_end").max().alias("last"))
    )
    spans = {row[0]: (row[1], row[2]) for row in owing.iter_rows()}
    groups: dict[str, list[str]] = defaultdict(list)
    for row in customers.drop_nulls("group_id").iter_rows(named=True):
        groups[row["group_id"]].append(row["customer_id"])
    struck: dict[str, list[tuple[str, date]]] = defaultdict(list)
    for event in events.iter_rows(named=True):
        began = event["event_date"]
        if event["kind"] == "partner_fraud":
            until = began + timedelta(days=92)
            brought = facilities.filter(
                (pl.col("partner_id") == event["partner_id"])
                & pl.col("opened_on").is_between(began, until)
                & pl.col("product_id").str.starts_with("IL")
            )["customer_id"].unique()
            hit = [each for each in sorted(brought) if any(day > began for day in defaults.get(each, []))]
        elif event["kind"] == "group_contagion":
            hit = [each for each in groups[event["group_id"]] if each != event["customer_id"]]
        else:
            hit = [event["customer_id"]]
        for customer in hit:
            first, last = spans.get(customer, (date.max, date.min))
            before = [day for day in defaults.get(customer, []) if day <= began]
            if not before and last > began and (first <= began or event["kind"] == "partner_fraud"):
                struck[event["kind"]].append((customer, began))
    return struck


def default_days(folder: Path) -> dict[str, list[date]]:
    """Days on which each customer defaulted, in order."""
    found: dict[str, list[date]] = defaultdict(list)
    frame = pl.read_csv(folder / "truth" / "default_dates.csv", try_parse_dates=True)
    for customer, day in frame.select("customer_id", "default_date").sort("default_date").iter_rows():
        found[customer].append(day)
    return found


def _recall(
    struck: list[tuple[str, date]],
    defaults: dict[str, list[date]],
    raised: dict[str, list[tuple[date, str]]],
    rules: tuple[str, ...],
) -> dict[str, Any]:
    found, found_by_own, defaulted, found_before, leads = 0, 0, 0, 0, []
    for customer, began in struck:
        default = min((day for day in defaults.get(customer, []) if day > began), default=None)
        timely = [
            (day, rule)
            for day, rule in raised.get(customer, [])
            if day >= began and (default is None or day < default)
        ]
        found += bool(timely)
        found_by_own += any(rule in rules for _, rule in timely)
        if default is not None:
            defaulted += 1
            if timely:
                found_before += 1
                leads.append((default - min(timely)[0]).days)
    return {
        "struck": len(struck),
        "defaulted": defaulted,
        "recall": _share(found, len(struck)),
        "recall_of_defaults": _share(found_before, defaulted),
        "by_rules_for_it": _share(found_by_own, len(struck)),
        "lead_days": statistics.median(leads) if leads else None,
    }


def _precision(
    warnings: list[tuple[Any, ...]],
    struck: dict[str, list[tuple[str, date]]],
    defaults: dict[str, list[date]],
) -> dict[str, Any]:
    months = timedelta(days=HORIZON * 30.5)
    began: dict[str, list[date]] = defaultdict(list)
    for hits in struck.values():
        for customer, day in hits:
            began[customer].append(day)
    by_severity: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for customer, _, raised_on, severity in warnings:
        if raised_on > DAY - months:
            continue
        injected = any(day <= raised_on < day + months for day in began.get(customer, []))
        natural = any(raised_on < day <= raised_on + months for day in defaults.get(customer, []))
        for name in (severity, "all"):
            by_severity[name].append((injected, natural))
    return {
        name: {
            "warnings": len(causes),
            "injected": _share(sum(injected for injected, _ in causes), len(causes)),
            "default_follows": _share(sum(natural for _, natural in causes), len(causes)),
            "either": _share(sum(injected or natural for injected, natural in causes), len(causes)),
        }
        for name, causes in sorted(by_severity.items())
    }


def _source(folder: Path, name: str) -> pl.DataFrame:
    frames = [pl.read_csv(path, try_parse_dates=True, infer_schema_length=None) for path in
              sorted(folder.glob(f"{name}*.csv"))]  # fmt: skip
    return pl.concat(frames, how="diagonal_relaxed")


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None
