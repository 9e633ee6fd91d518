"""Publishes a book through the chain in this process and compares every view with the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from creditops.settings import PROJECT_ROOT
from tests.audit import (
    oracle_collection,
    oracle_concentration,
    oracle_customer,
    oracle_desk,
    oracle_flow,
    oracle_limits,
    oracle_policy,
    oracle_portfolio,
    oracle_product,
    oracle_scores,
    oracle_trade,
    oracle_warnings,
)
from tests.audit.compare import Difference, Values, compare
from tests.audit.oracle_default import Classes
from tests.audit.oracle_panel import Panel
from tests.audit.sources import Sources

POLICIES = PROJECT_ROOT / "creditops" / "policy" / "versions"
RULES = PROJECT_ROOT / "creditops" / "warnings" / "rules"


@dataclass(frozen=True)
class Published:
    """A publication: rows by view, points tables of the champions, the features that were scored."""

    views: Mapping[str, list[dict[str, Any]]]
    tables: tuple[Mapping[str, Any], ...]
    features: Mapping[str, list[dict[str, Any]]]


class Audit:
    """A book's source files beside what was published of them."""

    def __init__(self, sources: Sources, published: Published, book: str = "demo") -> None:
        self.sources, self.published = sources, published
        self.panel = Panel(sources)
        self.classes = Classes(self.panel)
        own = POLICIES / book
        self.versions = oracle_policy.policies(own if own.is_dir() else POLICIES / "default")
        self.policy = oracle_policy.in_force(self.versions, sources.as_of)

    def view(self, name: str) -> list[dict[str, Any]]:
        return self.published.views[name]

    @cached_property
    def replay(self) -> oracle_policy.Replay:
        return oracle_policy.Replay(self.panel, self.versions)

    @cached_property
    def subjects(self) -> oracle_warnings.Subjects:
        return oracle_warnings.Subjects(self.panel, self.classes)

    def run(self, name: str) -> list[Difference]:
        """Differences of one check of ``CHECKS``."""
        return CHECKS[name](self)


def _of(view: str, oracle: Callable[[Audit], Mapping[Any, Values]], *key: str, **options: Any) -> Check:
    return lambda audit: compare(view, audit.view(view), oracle(audit), key, **options)


def _credit_limits(audit: Audit) -> list[Difference]:
    grades = {row["customer_id"]: row["grade"] for row in audit.view("customer_360")}
    return compare(
        "credit_limits",
        oracle_limits.flattened(audit.view("credit_limits")),
        oracle_limits.credit_limits(audit.panel, audit.classes, audit.policy, grades),
        ("customer_id", "product_id"),
        tolerance=0.011,
        tolerances={"utilisation": 1e-6},
    )


def _limits_kept(audit: Audit) -> list[Difference]:
    broken = oracle_limits.broken_promises(audit.panel, audit.policy, audit.view("credit_limits"))
    return [Difference("credit_limits", (text,), "cap", "broken", "kept") for text in broken]


def _scores(audit: Audit) -> list[Difference]:
    """Of customers not in default; who is in default has grade D and PD 1."""
    expected: dict[Any, Any] = {}
    for table in audit.published.tables:
        expected |= oracle_scores.customer_scores(table, audit.published.features[table["scorecard"]])
    rows = [row for row in audit.view("customer_scores") if row["grade"] != "D"]
    shown = {(row["customer_id"], row["scorecard"]) for row in rows}
    return compare(
        "customer_scores", rows, {key: row for key, row in expected.items() if key in shown},
        ("customer_id", "scorecard"), tolerances={"pd": 1.1e-6},
    )  # fmt: skip


def _warnings(audit: Audit) -> list[Difference]:
    return [
        difference
        for rule in oracle_warnings.rules(RULES)
        if rule["id"] in RECOMPUTED_RULES
        for difference in oracle_warnings.differences(audit.subjects, rule, audit.view("early_warnings"))
    ]


Check = Callable[[Audit], list[Difference]]
RECOMPUTED_RULES = (
    "auditor_qualified", "bureau_exposure_surge", "bureau_hard_inquiries", "bureau_new_delinquency",
    "cash_flow_negative", "court_enforcement", "dpd_rolled_forward", "first_payment_default",
    "interest_cover_low", "limit_excess", "overdue_elsewhere", "receivable_days_up", "sales_down",
    "sme_buyer_concentration", "sme_invoicing_stopped", "sme_sales_down", "sme_void_rate",
    "statement_late", "utilisation_high_3m", "z_enters_distress",
)  # fmt: skip
CHECKS: Mapping[str, Check] = {
    "portfolio_monthly": _of(
        "portfolio_monthly",
        lambda audit: oracle_portfolio.portfolio_monthly(audit.panel, audit.classes),
        "month", "product_id", "segment",
    ),
    "roll_rates": _of(
        "roll_rates",
        lambda audit: oracle_portfolio.roll_rates(audit.panel),
        "month", "product_id", "from_bucket", "to_bucket",
    ),
    "vintages": _of(
        "vintages",
        lambda audit: oracle_portfolio.vintages(audit.panel, audit.classes.first_default),
        "origination_month", "product_id", "mob",
    ),
    "customer_360": _of(
        "customer_360",
        lambda audit: oracle_customer.customer_360(
            audit.panel, audit.classes, {row["customer_id"]: row["pd"] for row in audit.view("customer_360")}
        ),
        "customer_id", tolerances={"expected_loss": 0.011},
    ),
    "receivables_ageing": _of(
        "receivables_ageing", lambda audit: oracle_trade.receivables_ageing(audit.panel), "customer_id"
    ),
    "concentration": _of(
        "concentration", lambda audit: oracle_concentration.concentration(audit.panel), "dimension", "member"
    ),
    "process_funnel": _of(
        "process_funnel",
        lambda audit: oracle_flow.process_funnel(audit.panel),
        "month", "product_id", "channel", "stage",
    ),
    "partner_performance": _of(
        "partner_performance",
        lambda audit: oracle_flow.partner_performance(audit.panel, audit.classes.first_default),
        "partner_id", "month",
    ),
    "product_performance": _of(
        "product_performance",
        lambda audit: oracle_product.product_performance(audit.panel),
        "product_id", "month", tolerances={"funding_cost": 0.011},
    ),
    "policy_compliance": _of(
        "policy_compliance", lambda audit: audit.replay.compliance, "application_id"
    ),
    "policy_effect": _of(
        "policy_effect",
        lambda audit: oracle_policy.policy_effect(audit.replay, audit.classes.first_default),
        "policy_version", "month",
    ),
    "collections_worklist": _of(
        "collections_worklist", lambda audit: oracle_desk.worklist(audit.panel, audit.policy), "customer_id"
    ),
    "handover_legal": _of(
        "handover_legal", lambda audit: oracle_desk.handover_legal(audit.panel), "customer_id", "facility_id"
    ),
    "handover_finance": _of(
        "handover_finance", lambda audit: oracle_desk.handover_finance(audit.panel), "week", "product_id"
    ),
    "industry_outlook": _of(
        "industry_outlook",
        lambda audit: oracle_desk.industry_outlook(audit.panel),
        "industry", "month", extra_rows=False,
    ),
    "collections_performance": _of(
        "collections_performance",
        lambda audit: oracle_collection.collections_performance(audit.panel),
        "month", "product_id", "bucket",
    ),
    "competitor_outlook": _of(
        "competitor_outlook",
        lambda audit: oracle_collection.competitor_outlook(audit.panel),
        "month", "product_type", "competitor",
    ),
    "credit_limits": _credit_limits,
    "limits_kept": _limits_kept,
    "customer_scores": _scores,
    "early_warnings": _warnings,
}  # fmt: skip


# -- publishing ------------------------------------------------------------------------------------


def publish(book: str, as_of: date, deliveries: Mapping[date, Path]) -> Published:
    """Land and run deliveries in this process, each day with the whole chain, and read the last publication.

    The environment names a home with a warehouse, and a tracking store.
    """
    from creditops.books import Partition
    from creditops.ingest.land.landing import land, mark_whole
    from creditops.runner import run_local

    for day, folder in sorted(deliveries.items()):
        for landed in land(book, [folder], day):
            mark_whole(landed.path)
        if day < as_of:
            list(run_local("ingest", Partition(book, day)))
    list(run_local("all", Partition(book, as_of)))
    return read(book, as_of)


def read(book: str, as_of: date) -> Published:
    """The current publication of a book."""
    from creditops.warehouse.connection import connect
    from models_ml.spec import scorecard
    from models_ml.store.versions import champions, load_table

    with connect("owner") as connection:

        def rows(query: Any, *values: Any) -> list[dict[str, Any]]:
            cursor = connection.execute(query, values)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        names = rows("select table_name from information_schema.views where table_schema = 'publish'")
        views = {
            row["table_name"]: rows(f"select * from publish.{row['table_name']} where book = %s", book)
            for row in names
        }
        tables, features = [], {}
        for champion in champions(book):
            table = load_table(champion["name"], champion["version"])
            assert table is not None
            tables.append(json.loads(table.to_json()))
            spec = scorecard(table.scorecard)
            found: dict[str, dict[str, Any]] = {}
            for source in spec.sources:
                for row in rows(
                    f"select * from {source.table} where book = %s and observation_date = %s", book, as_of
                ):
                    found.setdefault(row["customer_id"], {}).update(row)
            wanted = [each["name"] for each in tables[-1]["characteristics"]]
            features[table.scorecard] = [
                {name: row.get(name) for name in ("customer_id", *wanted)} for row in found.values()
            ]
    return Published(views, tuple(tables), features)
