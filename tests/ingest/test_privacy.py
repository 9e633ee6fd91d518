"""Personal data planted in every column of every source are found nowhere behind the door."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from typer.testing import CliRunner

from creditops.cli import app
from creditops.errors import DataRefusedError
from creditops.ingest import quarantine
from creditops.ingest.check.orphans import list_orphans
from creditops.ingest.land.landing import LandedFile, land
from creditops.ingest.write.loader import load_file
from creditops.ingest.write.strays import landed_strays, note
from creditops.quality.gate import gate_raw
from creditops.settings import get_settings
from creditops.sources.column import Column
from creditops.sources.contract import Contract, load_book_contracts, load_contracts
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)
PLANTED = {
    "name": "欧阳植入",
    "national_id": "31010119900307987X",
    "phone": "13987654321",
    "address": "植入路77号",
    "account": "6222021234567890123",
    "birth_date": "1990-03-07",
}
NEEDLES = [*(value for pii, value in PLANTED.items() if pii != "birth_date"), "1990-03-07"]


# What nobody declared: each is found by its form in any column, and in none of them gets through.
CANARIES = {
    "national_id": ("110105199003078510", "110105 19900307 8510", "１１０１０５１９９００３０７８５１０"),
    "phone": ("13987650001", "139-8765-0001", "+86 139 8765 0001", "１３９８７６５０００１"),
    "card": ("6222021234567890128", "6222 0212 3456 7890 128", "4111111111111111"),
    "email": ("canary.one@example.com", "ｃａｎａｒｙ＠example.com"),
}
CANARY_NEEDLES = [*(each for forms in CANARIES.values() for each in forms), "canary.one", "8765-0001"]


def sources() -> list[Contract]:
    return [
        contract
        for contract in load_contracts().values()
        if any(column.pii != "none" for column in contract.columns)
    ]


def cell(column: Column, number: int) -> str:
    """A good cell; personal columns hold what is planted."""
    if column.pii != "none":
        return PLANTED[column.pii]
    if column.name.endswith("_id") or column.type == "id":
        return f"X{number}"
    if column.values:
        return column.values[0]
    plain = {"date": "2025-01-01", "ts": "2025-01-01 08:00:00", "bool": "true", "code": "CNY", "text": "t"}
    return plain.get(column.type, "1")


def lines_of(contract: Contract) -> list[str]:
    """A header, good rows, and rows broken in ways that move personal data where they do not belong."""
    columns = contract.columns
    rows = [[cell(column, number) for column in columns] for number in range(200)]
    personal = [at for at, column in enumerate(columns) if column.pii != "none"]
    required = next(at for at, column in enumerate(columns) if column.required)
    rows[3][required] = ""
    rows[4] = [*rows[4][1:], ""]  # every cell one column to the left
    rows[5] = ["", *rows[5][:-1]]  # and to the right
    rows[6] = rows[6][:-1]  # a field is missing: no cell can be told from its neighbour
    for number, column in enumerate(columns):  # a personal datum in each column that takes no such text
        if column.pii == "none" and (column.type not in ("id", "text", "code") or column.values):
            rows[10 + number][number] = PLANTED[columns[personal[0]].pii]
    rows.append([*rows[20][:-1], "2024-06-01"])  # repeats a key, with another last cell
    return [",".join(column.name for column in columns), *(",".join(row) for row in rows)]


def whole_database() -> Iterator[tuple[str, str]]:
    """Every table of every schema as text."""
    with connect("owner") as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2"
        ).fetchall()
        for schema, table in tables:
            rows = connection.execute(
                sql.SQL("select t::text from {} as t").format(sql.Identifier(schema, table))
            ).fetchall()
            yield f"{schema}.{table}", "\n".join(row[0] for row in rows)


def files_below(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the data home but the landing zone, which holds the files as they came."""
    landing = get_settings().landing
    for path in sorted(home.rglob("*")):
        if path.is_file() and landing not in path.parents:
            yield str(path.relative_to(home)), path.read_bytes()


@pytest.fixture
def own_home(warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the keys of the session's, so that nothing else lies in it."""
    session = get_settings().home
    home = tmp_path / "home"
    home.mkdir()
    for path in session.glob("secrets*"):
        target = home / path.name
        if path.is_dir():
            target.mkdir(mode=0o700)
            for each in path.iterdir():
                (target / each.name).write_bytes(each.read_bytes())
        else:
            target.write_bytes(path.read_bytes())
    monkeypatch.setenv("CREDITOPS_HOME", str(home))
    monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.5")
    get_settings.cache_clear()
    return home


def test_planted_personal_data_are_nowhere_behind_the_door(
    own_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []

    assert sources()
    for contract in sources():
        text = lines_of(contract)
        for name, lines in (("", text), (".headless", text[1:]), (".bad", [text[0], *text[4:7]])):
            path = tmp_path / f"{contract.source}{name}.csv"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            (landed,) = land("demo", [path], DAY)
            try:
                result = load_file(landed)
                assert result.rows_quarantined > 4
                assert result.rows_loaded > 100
            except DataRefusedError as refused:
                messages.append(str(refused))
    assert len(messages) == 2 * len(sources())
    replayed = quarantine.replay(None, book="demo", actor="test")
    assert (replayed.loaded, replayed.still_bad > 0) == (0, True)
    assert list_orphans("demo")
    checks = gate_raw("demo", DAY)
    assert any(not check.passed for check in checks), "orphans, which the pages show"
    messages.append(str(checks))
    assert "customers" in (own_home / "data_docs/demo/raw/2026-06-30/index.html").read_text(encoding="utf-8")
    as_delivered = b"".join(path.read_bytes() for path in get_settings().landing.rglob("*.csv"))
    assert all(needle.encode() in as_delivered for needle in ("欧阳植入", "13987654321", "1990-03-07"))
    shown: list[Any] = [quarantine.show(row["quarantine_id"]) for row in quarantine.open_rows("demo")]
    out, err = capfd.readouterr()
    places = {
        **dict(whole_database()),
        "messages": "\n".join(messages),
        "quarantine show": str(shown),
        "log": caplog.text,
        "output": out + err,
    }
    found = {(where, needle) for where, text_ in places.items() for needle in NEEDLES if needle in text_}
    found |= {
        (where, needle)
        for where, content in files_below(own_home)
        for needle in NEEDLES
        if needle.encode() in content
    }
    assert found == set()


def lines_with_canaries(contract: Contract) -> list[str]:
    """Good rows, then a row for each canary in each column that nobody declared personal."""
    columns = contract.columns
    header = [column.name for column in columns]
    planted = [
        [at, form]
        for at, column in enumerate(columns)
        if column.pii == "none"
        for forms in CANARIES.values()
        for form in forms
        if not (column.type in ("money", "rate", "bigint") and form.isdigit() and len(form) < 18)  # an amount
    ]
    rows = [[good_cell(column, number) for column in columns] for number in range(3 * len(planted))]
    for number, (at, form) in enumerate(planted):
        rows[number][at] = form
    return [",".join(header), *(",".join(row) for row in rows)]


def good_cell(column: Column, number: int) -> str:
    if column.pattern is not None and column.values is None:
        return {"[0-7WC-]{24}": "0" * 24}.get(column.pattern, "CNY" if column.name == "currency" else "1")
    if column.name in ("month_end", "months"):
        return "2025-01-31" if column.type == "date" else "12"
    if isinstance(column.min, int | float) and column.min > 1:
        return str(column.min)
    if column.type == "id" or (column.type == "text" and column.required):
        return f"{column.name[0].upper()}{number}" if column.required else ""
    return cell(column, number)


def test_canaries_in_columns_that_nobody_declared_are_nowhere_behind_the_door(
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CREDITOPS_BAD_ROW_LIMIT", "0.99")
    get_settings.cache_clear()
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []
    contracts = [*load_contracts().values(), *load_book_contracts()]
    loaded = 0
    for contract in contracts:
        lines = lines_with_canaries(contract)
        for name, text in (("", lines), (".extra", [f"{line},{CANARIES['phone'][0]}" for line in lines])):
            path = tmp_path / f"{contract.source}{name}.csv"
            path.write_text("\n".join(text) + "\n", encoding="utf-8")
            (landed,) = land(contract.book or "demo", [path], DAY)
            result = load_file(landed)
            assert result.rows_quarantined >= len(CANARIES)
            loaded += result.rows_loaded
            messages.append(str(result))
        # Nearly all of a column: the file is refused, and the message says what to do.
        at = next(
            i
            for i, column in enumerate(contract.columns)
            if contract.detection(column) == "quarantine" and not column.pattern
        )
        rows = [line.split(",") for line in lines[1:]]
        rows = [[*row[:at], f"139{number:08}", *row[at + 1 :]] for number, row in enumerate(rows)]
        path.write_text("\n".join((lines[0], *(",".join(row) for row in rows))) + "\n", encoding="utf-8")
        (landed,) = land(contract.book or "demo", [path], DAY)
        with pytest.raises(
            DataRefusedError, match=r"holds personal data: \d+ of \d+ values; the first"
        ) as no:
            load_file(landed)
        assert "detect: allow" in str(no.value)
        messages.append(str(no.value))
    assert loaded > 100 * len(contracts)
    for forms in CANARIES.values():
        path = tmp_path / f"customers.{forms[0]}.csv"
        path.write_text("customer_id\nC1\n", encoding="utf-8")
        with pytest.raises(DataRefusedError, match="the name of the file holds") as no:
            land("demo", [path], DAY)
        messages.append(str(no.value))
        dropped = get_settings().landing / "demo" / str(DAY) / path.name
        dropped.write_bytes(path.read_bytes())
        (dropped.parent / f"{dropped.name}.done").touch()
    strays = note("demo", DAY, landed_strays("demo", DAY))
    assert len(strays) == len(CANARIES)
    assert list_orphans("demo")
    checks = gate_raw("demo", DAY)
    assert any(not check.passed for check in checks)
    messages.append(str(checks))
    shown = [quarantine.show(row["quarantine_id"]) for row in quarantine.open_rows("demo")[::20]]
    out, err = capfd.readouterr()
    places = {
        **dict(whole_database()),
        "messages": "\n".join(messages),
        "quarantine show": str(shown),
        "log": caplog.text,
        "output": out + err,
    }
    assert "[phone]" in places["raw.partners"], "free text is masked and loaded"
    assert "[national_id]" in places["ops.quarantine"]
    found = {
        (where, needle) for where, text_ in places.items() for needle in CANARY_NEEDLES if needle in text_
    }
    found |= {
        (where, needle)
        for where, content in files_below(own_home)
        for needle in CANARY_NEEDLES
        if needle.encode() in content
    }
    assert found == set()


ORDERS = """
source: orders
domain: repayment
version: 1
description: { en: "Orders.", zh: "订单。" }
grain: one row per order
key: [order_no]
bad_row_limit: 1
columns:
  - { name: order_no, type: id, required: true, KEY description: { en: "Order.", zh: "订单。" } }
  - { name: customer_no, type: bigint, description: { en: "Customer.", zh: "客户。" } }
  - { name: amount, type: money, unit: currency, description: { en: "Amount.", zh: "金额。" } }
  - { name: note, type: text, NOTE description: { en: "Note.", zh: "备注。" } }
"""


def orders(home: Path, tmp_path: Path, rows: list[str], *, key: str = "", note: str = "") -> LandedFile:
    """A landed file of a source of one's own, with what its contract says of found personal data."""
    contract = home / "contracts" / "orders.yml"
    contract.parent.mkdir(exist_ok=True)
    contract.write_text(ORDERS.replace("KEY", key).replace("NOTE", note), encoding="utf-8")
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["order_no,customer_no,amount,note", *rows]) + "\n", encoding="utf-8")
    (landed,) = land("demo", [path], DAY)
    return landed


def loaded() -> list[tuple[Any, ...]]:
    with connect("loader") as connection:
        return connection.execute("select order_no, note from raw.orders order by _row").fetchall()


def test_what_is_no_datum_is_loaded_as_it_is(own_home: Path, tmp_path: Path) -> None:
    rows = [
        "110105199003078511,13987650001,13987650001,no",  # a wrong check digit; counts and amounts
        "C000123,1,4111111111111111,6222021234567890127",
        "C13987650001,2,1,订单 20260630000000001712",
    ]
    result = load_file(orders(own_home, tmp_path, rows))
    assert (result.rows_loaded, result.message) == (3, None)
    assert loaded() == [(row.split(",")[0], row.split(",")[3]) for row in rows]


def test_by_default_an_identifier_is_quarantined_and_free_text_masked(own_home: Path, tmp_path: Path) -> None:
    rows = ["13987650001,1,1,x", "A2,110105199003078510,1,x", "A3,3,1,回电 139-8765-0001。"]
    result = load_file(orders(own_home, tmp_path, rows))
    assert (result.rows_loaded, result.rows_quarantined) == (1, 2)
    assert result.message == "personal data were masked in 1 cells of note"
    assert loaded() == [("A3", "回电 [phone]。")]
    assert [(row["row_text"], quarantine.sentence(row["reasons"][0])) for row in quarantine.open_rows()] == [
        (
            "[phone],1,1,x",
            "order_no '[phone]' looks like a mobile phone number, and the column is not declared personal",
        ),
        (
            "A2,[national_id],1,x",
            "customer_no '[national_id]' looks like a resident identity number, and the column is not"
            " declared personal",
        ),
    ]


def test_a_contract_lets_through_what_it_gives_a_reason_for_but_not_into_the_quarantine(
    own_home: Path, tmp_path: Path
) -> None:
    allowed = "detect: allow, detect_reason: made by our order system,"
    rows = ["13987650001,1,1,x", "13987650002,2,none,x", "A3,3,1,13987650003"]
    result = load_file(orders(own_home, tmp_path, rows, key=allowed, note="detect: quarantine,"))
    assert (result.rows_loaded, result.rows_quarantined) == (1, 2)
    assert [row["row_text"] for row in quarantine.open_rows()] == ["[phone],2,none,x", "A3,3,1,[phone]"]
    mended = [rows[0], rows[1].replace("none", "2"), rows[2]]
    orders(own_home, tmp_path, mended, key=allowed, note="detect: mask,")
    replayed = quarantine.replay(None, book="demo", actor="test")
    assert (replayed.loaded, replayed.still_bad) == (2, 0), "rows are found again by their masked keys"
    assert set(loaded()) == {("13987650001", "x"), ("13987650002", "x"), ("A3", "[phone]")}


def test_a_column_declared_personal_holds_a_hash_of_every_spelling(own_home: Path, tmp_path: Path) -> None:
    rows = ["Li.Ming@Example.com,1,1,", "ｌｉ.ming@example.com,2,1,"]
    result = load_file(orders(own_home, tmp_path, rows, key="pii: email,"))
    assert result.rows_quarantined == 1, "one address is one key"
    ((hashed, _),) = loaded()
    assert len(hashed) == 64


def test_what_people_write_as_a_reason_is_masked_in_the_audit(own_home: Path, tmp_path: Path) -> None:
    load_file(orders(own_home, tmp_path, ["A1,x,1,y", "A2,2,1,y"]))
    (row,) = quarantine.open_rows()
    words = [
        "quarantine",
        "discard",
        str(row["quarantine_id"]),
        "--reason",
        f"来电 {CANARIES['phone'][0]} 确认",
    ]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    with connect("loader") as connection:
        assert connection.execute("select reason from ops.audit where actor <> 'creditops'").fetchall() == [
            ("来电 [phone] 确认",)
        ]
