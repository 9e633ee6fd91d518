"""On a simulated book the panel, default and cure dates equal the hidden truth for every facility."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from creditops.build import build
from creditops.simulate import simulate
from creditops.sources.contract import load_contract
from creditops.warehouse import connect
from creditops.warehouse.definitions import get_definitions
from tests.dbt.raw_rows import put
from tests.dbt.warehouse_rows import rows

AS_OF = date(2026, 6, 30)
# The truth is about each facility by itself; what others of its customer add, ``test_class_oracle`` looks at.
OF_FACILITIES = {
    "DEFAULT_LEVEL_CORPORATE": "facility",
    "DEFAULT_LEVEL_RETAIL": "facility",
    "CONTAGION_SHARE": "1",
}
SOURCES = ("customers", "products", "facilities", "due_items", "payments", "facility_snapshots", "disputes")


def read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: value or None for name, value in row.items()}


def deliver(connection: psycopg.Connection, folder: Path) -> None:
    """Put the files into raw; columns that raw keeps in another form are left out."""
    for source in SOURCES:
        kept = {name for name, _, _ in load_contract(source).raw_columns()}
        for batch, path in enumerate(sorted(folder.glob(f"{source}*.csv")), start=1):
            lines = ({name: row[name] for name in row if name in kept} for row in read(path))
            put(connection, source, lines, batch=batch)


@pytest.fixture(scope="module")
def truth(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the hidden truth of a small book that has been built."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, customers=400, months=24, as_of=AS_OF)
    with connect("owner") as connection:
        deliver(connection, folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, choice in OF_FACILITIES.items():
            patch.setenv(f"CREDITOPS_{name}", choice)
        get_definitions.cache_clear()
        build("demo", AS_OF, layers=("intermediate", "marts"))
    get_definitions.cache_clear()
    return folder / "truth"


def test_the_panel_equals_the_truth(truth: Path) -> None:
    measures = ("status", "dpd", "dpd_undisputed", "bucket", "overdue_amount", "balance", "is_default")
    expected = {
        (row["facility_id"], row["month_end"]): tuple(row[name] for name in measures)
        for row in read(truth / "facility_month.csv")
    }
    texts = ", ".join(f"{name}::text as {name}" for name in ("month_end", *measures))
    found = {
        (row["facility_id"], row["month_end"]): tuple(row[name] for name in measures)
        for row in rows(f"select facility_id, {texts} from marts.fct_facility_month")
    }

    assert found.keys() == expected.keys()
    assert [(key, found[key], expected[key]) for key in found if found[key] != expected[key]] == []


def test_default_and_cure_dates_equal_the_truth(truth: Path) -> None:
    cures = {(row["facility_id"], row["episode"]): row["cure_date"] for row in read(truth / "cure_dates.csv")}
    expected = {
        (row["facility_id"], row["default_date"], cures.get((row["facility_id"], row["episode"])))
        for row in read(truth / "default_dates.csv")
    }
    query = "select facility_id, default_on::text, cured_on::text from marts.fct_default"
    found = {(row["facility_id"], row["default_on"], row["cured_on"]) for row in rows(query)}

    assert found == expected
    assert any(cure for _, _, cure in found)


def test_rows_of_the_transition_matrix_sum_to_one(truth: Path) -> None:
    sums = rows(
        "select month, product_id, from_bucket, sum(rate_by_count) as by_count,"
        " sum(rate_by_balance) as by_balance, sum(balance) as balance from marts.fct_roll_rate"
        " group by month, product_id, from_bucket"
    )

    assert len(sums) > 50
    assert all(abs(row["by_count"] - 1) < 1e-9 for row in sums)
    assert all(abs(row["by_balance"] - 1) < 1e-9 for row in sums if row["balance"])


def test_ever_measures_never_fall(truth: Path) -> None:
    cohorts: dict[tuple[Any, Any], list[tuple[float, float, float]]] = {}
    for row in rows("select * from marts.fct_vintage order by origination_month, product_id, mob"):
        measures = (row["ever_30_rate"], row["ever_90_rate"], row["ever_90_amount_rate"])
        cohorts.setdefault((row["origination_month"], row["product_id"]), []).append(measures)

    assert any(steps[-1][0] > steps[0][0] for steps in cohorts.values())
    for steps in cohorts.values():
        for earlier, later in itertools.pairwise(steps):
            assert all(now >= before for before, now in zip(earlier, later, strict=True))


def test_the_portfolio_reconciles_to_its_facilities_to_the_cent(truth: Path) -> None:
    months = rows(
        "select month, sum(balance) as balance, sum(facilities) as facilities, sum(write_offs) as write_offs"
        " from marts.fct_portfolio_month group by month order by month"
    )
    facilities = rows(
        "select month_end as month, sum(balance) as balance,"
        " count(*) filter (where is_open) as facilities,"
        " count(*) filter (where status = 'written_off') as write_offs"
        " from marts.fct_facility_month group by month_end order by month_end"
    )

    assert len(months) >= 24
    assert months == facilities
