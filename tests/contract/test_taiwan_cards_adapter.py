"""The adapter of the Taiwan card holders, on the real file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from creditops.adapters import load_adapter
from creditops.sources.contract import load_contract


@pytest.fixture(scope="module")
def taiwan(shared_data: Path) -> dict[str, pl.DataFrame]:
    adapter = load_adapter("uci_taiwan_cards")
    return {made.source: made.frame for made in adapter.read(shared_data / "uci_taiwan_default")}


def test_default_is_not_delivered_before_it_happened() -> None:
    adapter = load_adapter("uci_taiwan_cards")
    days = adapter.deliveries()
    assert days.pop("outcomes") == date(2005, 10, 31)
    assert set(days.values()) == {date(2005, 9, 30)}
    assert adapter.history["facility_snapshots"] is True
    assert adapter.history["outcomes"] is False
    assert adapter.book == "taiwan_cards"


def test_every_card_holder_arrives(taiwan: dict[str, pl.DataFrame]) -> None:
    assert {source: len(frame) for source, frame in taiwan.items()} == {
        "products": 1,
        "customers": 30_000,
        "facilities": 30_000,
        "facility_snapshots": 180_000,
        "characteristics": 30_000,
        "outcomes": 30_000,
    }


def test_frames_are_in_canonical_form(taiwan: dict[str, pl.DataFrame]) -> None:
    for source, frame in taiwan.items():
        contract = load_contract(source, "taiwan_cards")
        assert frame.columns == [column.name for column in contract.columns]
        assert set(frame.dtypes) == {pl.String}
        assert frame.select(contract.key).is_unique().all()
        for column in contract.columns:
            cells = frame[column.name]
            if column.required:
                assert cells.null_count() == 0, column.name
            if column.values:
                assert set(cells.drop_nulls()) <= set(column.values), column.name
            if column.type == "money":
                assert cells.drop_nulls().str.contains(r"^-?\d+(\.\d{1,2})?$").all(), column.name


def test_second_card_holder_reads_as_in_the_file(taiwan: dict[str, pl.DataFrame]) -> None:
    """Row 2: limit 120000; states -1, 2, 0, 0, 0, 2 from September back to April; default."""
    history = taiwan["facility_snapshots"].filter(facility_id="TW000002-CARD").sort("month_end")
    columns = ["month_end", "balance", "credit_limit", "amount_paid", "months_past_due", "status"]
    assert history.select(columns).rows() == [
        ("2005-04-30", "3261", "120000", "2000", "2", "revolving"),
        ("2005-05-31", "3455", "120000", "0", "0", "revolving"),
        ("2005-06-30", "3272", "120000", "1000", "0", "revolving"),
        ("2005-07-31", "2682", "120000", "1000", "0", "revolving"),
        ("2005-08-31", "1725", "120000", "1000", "2", "revolving"),
        ("2005-09-30", "2682", "120000", "0", "0", "paid_in_full"),
    ]
    customer = taiwan["customers"].filter(customer_id="TW000002").row(0, named=True)
    assert (customer["sex"], customer["birth_date"], customer["region"]) == ("female", None, None)
    known = taiwan["characteristics"].filter(customer_id="TW000002").row(0)
    assert known == ("TW000002", "2005-09-30", "university", "single", "26")
    assert taiwan["outcomes"].filter(customer_id="TW000002").row(0) == ("TW000002", "2005-09-30", "true")


def test_an_unused_card_is_not_current_but_unused(taiwan: dict[str, pl.DataFrame]) -> None:
    april = taiwan["facility_snapshots"].filter(facility_id="TW000001-CARD", month_end="2005-04-30")
    assert april.select("status", "months_past_due", "balance").row(0) == ("no_use", "0", "0")


def test_totals_agree_with_the_file(taiwan: dict[str, pl.DataFrame]) -> None:
    assert (taiwan["outcomes"]["default"] == "true").sum() == 6_636
    states = taiwan["facility_snapshots"].filter(month_end="2005-09-30")
    assert (states["status"] == "no_use").sum() == 2_759
    assert (states["status"] == "paid_in_full").sum() == 5_686
    assert states["months_past_due"].cast(pl.Int64).gt(0).sum() == 6_818
    assert taiwan["characteristics"]["education"].str.starts_with("undocumented").sum() == 345
    assert (taiwan["characteristics"]["marriage"] == "undocumented_0").sum() == 54


def test_round_amounts_in_exponent_form_and_credit_balances_are_kept(taiwan: dict[str, pl.DataFrame]) -> None:
    balances = taiwan["facility_snapshots"]["balance"].cast(pl.Decimal(18, 2))
    assert balances.min() == -339_603
    assert balances.max() == 1_664_089
    assert taiwan["facilities"]["credit_limit"].cast(pl.Decimal(18, 2)).max() == 1_000_000
