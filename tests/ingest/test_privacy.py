"""Personal data planted in every personal column of every source are found nowhere behind the door."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from creditops.errors import DataRefusedError
from creditops.ingest import quarantine
from creditops.ingest.landing import land
from creditops.ingest.loader import load_file
from creditops.ingest.orphans import list_orphans
from creditops.quality.gate import gate_raw
from creditops.settings import get_settings
from creditops.sources.column import Column
from creditops.sources.contract import Contract, load_contracts
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
