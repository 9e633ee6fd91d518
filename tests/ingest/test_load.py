"""Loading files through contracts: reconciliation, idempotence, corrections, knowledge time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditops.errors import DataRefusedError
from creditops.ingest import quarantine
from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import LoadResult, load_file
from creditops.settings import get_settings
from creditops.warehouse.connection import connect

HEADER = "payment_id,facility_id,due_item_id,value_date,booked_at,amount,currency,reverses_payment_id,payer"
DAY = date(2026, 6, 30)
PERSON = "张三丰"
PHONE = "13912345678"


def payment(number: int, amount: str = "10.50", day: str = "2026-05-09", facility: str = "F1") -> str:
    return f"P{number},{facility},,{day},,{amount},CNY,,customer"


def load(
    folder: Path,
    lines: Sequence[str],
    *,
    book: str = "demo",
    day: date = DAY,
    header: str = HEADER,
    name: str = "payments.csv",
) -> LoadResult:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    (landed,) = land(book, [path], day)
    return load_file(landed)


def select(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connect("loader") as connection:
        return connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]


@pytest.mark.usefixtures("warehouse")
class TestReconciliation:
    def test_ten_bad_rows_among_ten_thousand_are_listed_and_the_rest_is_loaded(self, tmp_path: Path) -> None:
        lines = [payment(number) for number in range(10_000)]
        for number in range(10):
            lines[number * 700] = payment(number * 700, amount="1.234")
        result = load(tmp_path, lines)
        assert (result.rows_read, result.rows_loaded, result.rows_quarantined) == (10_000, 9_990, 10)
        rows = quarantine.open_rows("demo")
        assert [row["line"] for row in rows] == [number * 700 + 2 for number in range(10)]
        assert all(row["reasons"][0]["column"] == "amount" for row in rows)
        assert rows[0]["reasons"][0]["value"] == "1.234"

    def test_the_same_file_again_loads_nothing(self, tmp_path: Path) -> None:
        lines = [payment(number) for number in range(20)]
        load(tmp_path, lines)
        again = load(tmp_path, lines)
        assert (again.rows_loaded, again.rows_unchanged) == (0, 20)
        assert select("select count(*) from raw.payments") == [(20,)]

    def test_the_same_rows_in_another_file_are_unchanged(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1), payment(2)])
        other = load(tmp_path, [payment(2), payment(1), payment(3)], name="payments.more.csv")
        assert (other.rows_loaded, other.rows_unchanged) == (1, 2)

    def test_equal_amounts_written_differently_are_the_same_fact(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1, amount="10.5")])
        assert load(tmp_path, [payment(1, amount=" 10.50 ")]).rows_unchanged == 1

    def test_an_exact_repeat_is_unchanged_and_a_conflicting_one_is_quarantined(self, tmp_path: Path) -> None:
        lines = [payment(number) for number in range(400)]
        result = load(tmp_path, [*lines, payment(7), payment(8, amount="99")])
        assert (result.rows_loaded, result.rows_unchanged, result.rows_quarantined) == (400, 1, 1)
        (row,) = quarantine.open_rows("demo")
        assert row["line"] == 403
        assert "repeats the key (payment_id) of line 10" in row["reasons"][0]["reason"]

    def test_an_optional_column_may_be_absent_and_the_ledger_says_so(self, tmp_path: Path) -> None:
        header = "payment_id,facility_id,value_date,amount,currency"
        assert load(tmp_path, ["P1,F1,2026-02-03,5,CNY"], header=header).rows_loaded == 1
        (message,) = select("select message from ops.load_ledger")[0]
        assert message.startswith("columns not in the file count as empty: due_item_id, booked_at")

    def test_a_line_with_too_many_fields_is_quarantined_not_shifted(self, tmp_path: Path) -> None:
        lines = [payment(number) for number in range(300)]
        lines[4] += ",stray"
        result = load(tmp_path, lines)
        assert (result.rows_loaded, result.rows_quarantined) == (299, 1)
        assert "10 fields" in quarantine.open_rows("demo")[0]["reasons"][0]["reason"]


@pytest.mark.usefixtures("warehouse")
class TestRefusal:
    def test_a_missing_column_names_file_and_column_and_leaves_raw_as_before(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1)])
        with pytest.raises(DataRefusedError, match=r"payments\.bad\.csv.*'amount' is missing") as refused:
            load(
                tmp_path,
                ["P2,F1"],
                header="payment_id,facility_id,due_item_id,value_date,booked_at,"
                "currency,reverses_payment_id,payer",
                name="payments.bad.csv",
            )
        assert refused.value.exit_code == 3
        assert select("select count(*) from raw.payments") == [(1,)]
        assert select("select status from ops.load_ledger order by batch_id") == [("loaded",), ("refused",)]

    def test_a_file_over_its_bad_row_limit_is_refused_whole(self, tmp_path: Path) -> None:
        with pytest.raises(DataRefusedError, match="2 of 10 rows are bad"):
            load(tmp_path, [payment(n, day="2026-02-30" if n < 2 else "2026-02-03") for n in range(10)])
        assert select("select count(*) from raw.payments") == [(0,)]
        assert select("select count(*) from ops.quarantine") == [(0,)]

    def test_a_truncated_archive_is_refused(self, tmp_path: Path) -> None:
        import gzip

        whole = gzip.compress("\n".join([HEADER, *(payment(n) for n in range(500))]).encode())
        path = tmp_path / "payments.csv.gz"
        path.write_bytes(whole[: len(whole) // 2])
        (landed,) = land("demo", [path], DAY)
        with pytest.raises(DataRefusedError, match=r"payments\.csv\.gz"):
            load_file(landed)

    def test_text_in_an_unknown_encoding_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "payments.csv"
        path.write_bytes(HEADER.encode() + b"\nP1,\xff\xff\xff,,2026-05-09,,1.00,CNY,,\n")
        (landed,) = land("demo", [path], DAY)
        with pytest.raises(DataRefusedError, match="neither UTF-8 nor GB18030"):
            load_file(landed)

    def test_gb18030_and_byte_order_marks_are_read(self, tmp_path: Path) -> None:
        header = "partner_id,name,channel,effective_date"
        for name, encoding in (("partners.a.csv", "gb18030"), ("partners.b.csv", "utf-8-sig")):
            path = tmp_path / name
            path.write_text(f"{header}\n{encoding},合作方甲,online,2025-01-01\n", encoding=encoding)
            (landed,) = land("demo", [path], DAY)
            assert load_file(landed).rows_loaded == 1
        assert {row[0] for row in select("select name from raw.partners")} == {"合作方甲"}


@pytest.mark.usefixtures("warehouse")
class TestBitemporal:
    def test_a_correction_is_a_new_row_and_a_return_to_the_old_value_too(self, tmp_path: Path) -> None:
        for days, amount in enumerate(("10.00", "12.00", "10.00")):
            load(tmp_path, [payment(1, amount=amount), payment(2)], day=DAY + timedelta(days=days))
        amounts = select("select amount::text from raw.payments where payment_id = 'P1' order by _batch_id")
        assert amounts == [("10.00",), ("12.00",), ("10.00",)]

    def test_rows_of_the_first_delivery_count_as_known_on_their_own_day(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1, day="2026-01-05"), payment(2, day="2026-06-30")])
        shanghai = select(
            "select (loaded_at at time zone 'Asia/Shanghai')::text from raw.payments order by 1"
        )
        assert shanghai == [("2026-01-05 23:59:59.999999",), ("2026-06-30 23:59:59.999999",)]

    def test_later_deliveries_count_as_known_on_their_delivery_day(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1)])
        load(tmp_path, [payment(2, day="2026-01-05")], day=DAY + timedelta(days=31), name="payments.july.csv")
        (known,) = select("select loaded_at from raw.payments where payment_id = 'P2'")[0]
        assert known == datetime(2026, 7, 31, 15, 59, 59, 999999, tzinfo=UTC)

    def test_a_file_for_a_published_day_is_late_and_known_only_now(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(1)])
        with connect("owner") as connection:
            connection.execute(
                "insert into ops.publication_history (publication_id, book, as_of_date, known_at,"
                " published_at, status, code_version, models)"
                " values ('p', 'demo', %s, now(), now(), 'published', '1', '[]')",
                (DAY,),
            )
        before = datetime.now(UTC)
        load(tmp_path, [payment(3)], name="payments.late.csv")
        ((known,),) = select("select loaded_at from raw.payments where payment_id = 'P3'")
        assert known >= before


@pytest.mark.usefixtures("warehouse")
class TestQuarantine:
    def test_a_mended_row_is_replayed_and_the_ledger_still_reconciles(self, tmp_path: Path) -> None:
        lines = [payment(number) for number in range(200)]
        lines[3] = payment(3, amount="1,5")
        with pytest.raises(DataRefusedError):
            load(tmp_path, lines[:4])
        lines[3] = payment(3, amount="1.555")
        load(tmp_path, lines)
        landed = get_settings().landing / "demo" / DAY.isoformat() / "payments.csv"
        landed.write_text(landed.read_text().replace("1.555", "1.55"))
        outcome = quarantine.replay(None, book="demo", actor="test")
        assert (outcome.loaded, outcome.still_bad) == (1, 0)
        assert select("select amount::text from raw.payments where payment_id = 'P3'") == [("1.55",)]
        assert select("select status, closed_by from ops.quarantine") == [("replayed", "test")]
        assert select(
            "select count(*) from ops.load_ledger where status <> 'refused' and"
            " rows_read <> rows_loaded + rows_unchanged + rows_quarantined"
        ) == [(0,)]

    def test_a_discarded_row_keeps_who_and_why(self, tmp_path: Path) -> None:
        load(tmp_path, [payment(n, amount="x" if n == 5 else "1.00") for n in range(200)])
        (row,) = quarantine.open_rows("demo")
        assert quarantine.discard([row["quarantine_id"]], reason="test booking", actor="ops") == 1
        assert quarantine.open_rows("demo") == []
        assert select("select actor, reason from ops.audit where action = 'quarantine.discarded'") == [
            ("ops", "test booking")
        ]


@pytest.mark.usefixtures("warehouse")
def test_personal_data_leave_the_landing_zone_only_as_a_keyed_hash(tmp_path: Path) -> None:
    header = (
        "customer_id,customer_type,name,national_id,phone,address,birth_date,sex,region,industry,group_id,"
        "registered_on,monthly_income,employees,is_staff,effective_date"
    )
    good = [
        f"C{n},retail,{PERSON},11010119900307{n:04d},{PHONE},某路1号,1990-03-07,male,CN-31,,,2024-01-01,"
        "9000,,false,2024-01-01"
        for n in range(200)
    ]
    good[9] = good[9].replace("9000", "nine")
    load(tmp_path, good, header=header, name="customers.csv")
    ((birth_year,),) = select("select distinct birth_year from raw.customers")
    assert birth_year == 1990
    everything = str(select("select * from raw.customers")) + str(select("select * from ops.quarantine"))
    assert len(quarantine.open_rows("demo")) == 1
    for secret in (PERSON, PHONE, "11010119900307", "某路"):
        assert secret not in everything


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from(["1.00", "2.00", "3.999", "", "１２", "1e3"]),
            st.sampled_from(["2026-05-09", "2026-02-30", "09/05/2026", ""]),
        ),
        max_size=40,
    )
)
def test_read_is_loaded_plus_unchanged_plus_quarantined(
    rows: list[tuple[int, str, str]], module_warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "1")
    get_settings.cache_clear()
    lines = [payment(number, amount, day) for number, amount, day in rows]
    ((before,),) = select("select count(*) from raw.payments")
    result = load(tmp_path, lines)
    ((after,),) = select("select count(*) from raw.payments")
    assert result.rows_read == len(rows)
    assert result.rows_read == result.rows_loaded + result.rows_unchanged + result.rows_quarantined
    assert after - before == result.rows_loaded
    again = load(tmp_path, lines[::-1], name="payments.again.csv")
    ((still,),) = select("select count(*) from raw.payments")
    assert still - after == again.rows_loaded
