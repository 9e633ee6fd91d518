"""A build touches one book, repeats itself exactly, tells what it did and says what is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from creditops import chain, past_day
from creditops.books import Partition
from creditops.build import PROJECT, build, drop_build
from creditops.errors import DataRefusedError, UsageError
from creditops.settings import get_settings
from creditops.warehouse import connect
from creditops.warehouse.layers import BUILT_LAYERS, LIVE_SCHEMAS
from tests.dbt.raw_rows import customer, facility, put, put_product
from tests.dbt.warehouse_rows import checksum, rows

AS_OF = date(2025, 6, 30)
TABLES = (
    "intermediate.int_due_item_settlement",
    "marts.fct_facility_month",
    "marts.fct_portfolio_month",
    "marts.fct_roll_rate",
    "features.feat_retail_behaviour",
    "features.label_default",
)


pytestmark = pytest.mark.usefixtures("module_warehouse")  # each test has a book of its own


def deliver(book: str, amount: int = 100) -> None:
    """A card with three statements of ``amount`` each."""
    with connect("owner") as connection:
        put_product(connection, "P", "revolving_card", book)
        put(connection, "customers", [customer("C1")], book=book)
        put(connection, "facilities", [facility("F1", "C1", "P", date(2025, 1, 5))], book=book)
        put(
            connection,
            "facility_snapshots",
            [
                {"facility_id": "F1", "month_end": day, "balance": Decimal(amount), "months_past_due": number}
                for number, day in enumerate((date(2025, 4, 30), date(2025, 5, 31), date(2025, 6, 30)))
            ],
            book=book,
        )


def test_a_build_leaves_other_books_alone() -> None:
    deliver("one")
    deliver("two", amount=500)
    build("one", AS_OF, checks=False)
    before = {table: checksum(table, "one") for table in TABLES}

    build("two", date(2025, 5, 31), checks=False)

    assert {table: checksum(table, "one") for table in TABLES} == before
    assert checksum("marts.fct_facility_month", "two")[0] == 2


def test_building_twice_gives_the_same_rows() -> None:
    deliver("twice")
    first = build("twice", AS_OF, checks=False)
    before = {table: checksum(table, "twice") for table in TABLES}

    again = build("twice", AS_OF, full_refresh=True, checks=False)

    assert {table: checksum(table, "twice") for table in TABLES} == before
    assert again.rows == first.rows


def test_every_model_is_logged_with_rows_and_seconds() -> None:
    deliver("logged")
    result = build("logged", AS_OF)

    logged = rows("select step, seconds, as_of_date from ops.run_log where book = %s", "logged")
    assert {row["step"] for row in logged} == {f"dbt.{model.layer}.{model.name}" for model in result.models}
    assert all(row["as_of_date"] == AS_OF and row["seconds"] > 0 for row in logged)
    assert result.rows["fct_facility_month"] == 3


def test_a_failed_data_test_refuses_the_data_and_names_rows() -> None:
    deliver("refused")
    with connect("owner") as connection:
        put(connection, "customers", [customer("C2", "neither")], book="refused", batch=2)

    with pytest.raises(DataRefusedError) as refused:
        build("refused", AS_OF)

    assert "dim_customer_rules: 1 rows" in refused.value.message
    assert "broken_rule type_is_known" in refused.value.message
    assert "customer_id C2" in refused.value.message
    assert refused.value.exit_code == 3


def test_rows_without_a_facility_are_listed_not_refused() -> None:
    deliver("orphans")
    with connect("owner") as connection:
        put(
            connection,
            "payments",
            [
                {
                    "payment_id": "P1",
                    "facility_id": "nowhere",
                    "value_date": AS_OF,
                    "amount": Decimal(5),
                    "currency": "CNY",
                }
            ],
            book="orphans",
        )

    assert "payments_without_facility: 1 rows" in build("orphans", AS_OF, layers=("intermediate",)).warnings


def test_a_prefix_builds_beside_the_live_schemas() -> None:
    deliver("beside")
    build("beside", AS_OF, layers=("intermediate", "marts"), checks=False)
    build("beside", date(2025, 4, 30), schema_prefix="asof_april_", checks=False)

    assert checksum("asof_april_marts.fct_facility_month", "beside")[0] == 1
    assert checksum("marts.fct_facility_month", "beside")[0] == 3
    with connect("modeller") as connection:
        connection.execute("select * from asof_april_features.feat_retail_behaviour")
    drop_build("asof_april_")
    assert not rows("select 1 from pg_namespace where nspname like 'asof%%'")


def test_a_run_for_a_past_day_leaves_the_live_marts_alone() -> None:
    deliver("past")
    today, april = Partition("past", AS_OF), Partition("past", date(2025, 4, 30))
    for layer in BUILT_LAYERS:
        chain.build_layer(today, layer)
    before = {table: checksum(table, "past") for table in TABLES}

    for layer in BUILT_LAYERS:
        chain.build_layer(april, layer)

    assert {table: checksum(table, "past") for table in TABLES} == before
    assert past_day.schemas(today) == LIVE_SCHEMAS
    marts = past_day.schemas(april)["marts"]
    assert checksum(f"{marts}.fct_facility_month", "past")[0] == 1
    drop_build(past_day.schema_prefix(april))
    assert past_day.schemas(april) == LIVE_SCHEMAS


def test_new_and_changed_columns_are_followed() -> None:
    deliver("columns")
    build("columns", AS_OF, layers=("intermediate", "marts"), checks=False)
    with connect("owner") as connection:
        connection.execute("alter table marts.dim_customer drop column industry, add column stale int")

    build("columns", AS_OF, layers=("marts",), checks=False)

    names = {row["attname"] for row in rows(
        "select attname from pg_attribute where attrelid = 'marts.dim_customer'::regclass and attnum > 0"
        " and not attisdropped"
    )}  # fmt: skip
    assert "industry" in names
    assert "stale" not in names


def test_nothing_is_written_into_the_source_tree() -> None:
    deliver("tree")
    before = {path: path.stat().st_mtime for path in PROJECT.rglob("*")}
    build("tree", AS_OF, layers=("intermediate",), checks=False)

    assert {path: path.stat().st_mtime for path in PROJECT.rglob("*")} == before
    assert (get_settings().home / "dbt" / "live" / "target").is_dir()


@pytest.mark.parametrize(
    ("layers", "prefix"), [(("marts", "gold"), ""), (("marts",), "Bad"), (("marts",), "no_underscore")]
)
def test_wrong_use_is_refused_before_anything_runs(layers: tuple[str, ...], prefix: str) -> None:
    with pytest.raises(UsageError):
        build("demo", AS_OF, layers=layers, schema_prefix=prefix, checks=False)


def test_live_schemas_are_never_dropped() -> None:
    with pytest.raises(UsageError):
        drop_build("")
