"""Values of the future are planted, and features that read them: the build fails and says which."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from creditops import build as builder
from creditops.build import build
from creditops.errors import DataRefusedError
from creditops.warehouse import connect, dbt
from tests.dbt.raw_rows import customer, facility, known_on, put, put_product

JUNE, AUGUST = date(2025, 6, 30), date(2025, 8, 31)
LEAKS = {
    "marts/bureau/fct_bureau_month.sql": (
        "and {{ known_at_end_of('reports', 'month_ends.month_end') }}",
        "and reports.known_until is null",
    ),
    "marts/statement/fct_statement_month.sql": (
        "and {{ known_at_end_of('statements', 'month_ends.month_end') }}",
        "and statements.known_until is null",
    ),
    "features/behaviour/feat_retail_behaviour.sql": (
        "(behaviour.known_month_no = 0 and restated_customers.customer_id is null)\n"
        "        or behaviour.known_month_no = behaviour.month_no",
        "behaviour.known_month_no = 0",
    ),
    "features/invoice/feat_sme_invoice.sql": (
        "observations.observation_month_no >= month_entries.seen_month_no",
        "observations.observation_month_no >= month_entries.month_no",
    ),
}
"""Models with the condition that keeps the future out, and what stands there instead."""


@pytest.fixture
def planted(warehouse: str) -> None:
    """A person and a firm of whom something true in June is learnt in July."""
    learnt = known_on(date(2025, 7, 9))
    with connect("owner") as connection:
        put_product(connection, "P", "instalment_loan")
        put(connection, "customers", [customer("C1"), customer("C2", "corporate")])
        put(
            connection,
            "facilities",
            [
                facility(f"F{number}", f"C{number}", "P", date(2025, 1, 5), principal=Decimal(300))
                for number in (1, 2)
            ],
        )
        put(
            connection,
            "due_items",
            [
                {
                    "due_item_id": f"D{number}{month}",
                    "facility_id": f"F{number}",
                    "kind": "instalment",
                    "issued_on": date(2025, 1, 5),
                    "due_date": date(2025, month, 10),
                    "amount_due": Decimal(100),
                    "principal": Decimal(100),
                    "currency": "CNY",
                }
                for number in (1, 2)
                for month in (6, 9, 10)
            ],
        )
        put(
            connection,
            "payments",
            [
                {
                    "payment_id": "P1",
                    "facility_id": "F1",
                    "value_date": date(2025, 6, 10),
                    "amount": Decimal(100),
                    "currency": "CNY",
                }
            ],
            known=learnt,
        )
        put(
            connection,
            "bureau_reports",
            [{"report_id": "R", "customer_id": "C1", "bureau": "b", "pulled_on": JUNE, "hit": True}],
            known=learnt,
        )
        put(
            connection,
            "statements",
            [
                {
                    "customer_id": "C2",
                    "period_end": date(2024, 12, 31),
                    "months": 12,
                    "currency": "CNY",
                    "published_on": date(2025, 6, 20),
                    "total_assets": Decimal(100),
                }
            ],
            known=learnt,
        )
        for number, known in ((1, known_on(date(2025, 7, 1))), (2, known_on(date(2025, 8, 9)))):
            put(
                connection,
                "sme_invoices",
                [
                    {
                        "customer_id": "C2",
                        "direction": "sale",
                        "invoice_no": str(number),
                        "issued_on": date(2025, 7, 1),
                        "counterparty_id": "B",
                        "amount": Decimal(10),
                        "tax": Decimal(1),
                        "total": Decimal(11),
                        "status": "valid",
                    }
                ],
                batch=number,
                known=known,
            )


@pytest.fixture
def leaking_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the dbt project in which features read what was learnt after their observation date."""
    project = tmp_path / "dbt_project"
    shutil.copytree(dbt.PROJECT, project)
    for name, (honest, leak) in LEAKS.items():
        path = project / "models" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(honest) == 1, name
        path.write_text(text.replace(honest, leak), encoding="utf-8")
    monkeypatch.setattr(dbt, "PROJECT", project)
    monkeypatch.setattr(builder, "PROJECT", project)
    return project


@pytest.mark.usefixtures("planted")
def test_honest_features_pass_by_what_is_planted() -> None:
    build("demo", AUGUST)


@pytest.mark.usefixtures("planted", "leaking_project")
def test_features_that_read_what_is_planted_fail_the_build() -> None:
    with pytest.raises(DataRefusedError) as refused:
        build("demo", AUGUST, schema_prefix="leak_")

    assert "no_future_in_bureau_features: 1 rows" in refused.value.message
    assert "no_future_in_statement_features: 1 rows" in refused.value.message
    assert "no_future_in_behaviour_features: 1 rows" in refused.value.message
    assert "no_future_in_invoice_features: 1 rows" in refused.value.message
    assert "customer_id C1, observation_date 2025-06-30" in refused.value.message
