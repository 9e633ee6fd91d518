"""After the whole chain no personal datum of any customer is in a table, a log or an artifact."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg
import pytest
from psycopg import sql

from creditops.secrets import get_secret
from creditops.services import databases
from creditops.warehouse.connection import connect

pytestmark = pytest.mark.e2e

# What a personal datum looks like, in runs that hold it whole; hits are looked up among the delivered.
_HAN = rb"(?:[\xe4-\xe9][\x80-\xbf]{2})"
SHAPES = {
    "national_id": re.compile(rb"[0-9A-Za-z]{18,}"),
    "phone": re.compile(rb"[0-9]{11,}"),
    "address": re.compile(_HAN + rb"+[0-9]+" + "号".encode() + rb"[0-9]+" + "室".encode()),
    "name": re.compile(_HAN + rb"{3,}"),
}
# Most of what is looked through is ASCII, in which the last two are not.
_ASCII_TO_BLANKS = bytes(byte if byte >= 0x80 else ord(" ") for byte in range(256))
SOURCE_FILES = {"landing", "simulated"}


@pytest.fixture(scope="module")
def delivered(published: str, simulated: Path) -> dict[str, set[bytes]]:
    """Every personal datum of the demo book by its class; short names are words of the language, too."""
    customers = pl.read_csv(simulated / "customers.csv", infer_schema=False)
    found = {kind: {value.encode() for value in customers[kind].drop_nulls()} for kind in SHAPES}
    found["name"] = {name for name in found["name"] if len(name.decode()) > 2}
    assert all(len(values) > 500 for values in found.values())
    return found


def told(content: bytes, delivered: dict[str, set[bytes]]) -> dict[str, set[bytes]]:
    """Delivered data that a text shows."""
    texts = {
        "name": b" ".join(set(content.translate(_ASCII_TO_BLANKS).split())),
        "address": content if "室".encode() in content else b"",
    }
    found = {
        kind: delivered[kind] & set(shape.findall(texts.get(kind, content))) for kind, shape in SHAPES.items()
    }
    return {kind: values for kind, values in found.items() if values}


def tables(connection: psycopg.Connection) -> Iterator[tuple[str, bytes]]:
    """Every table of a database as text."""
    names = connection.execute(
        "select schemaname, tablename from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2"
    ).fetchall()
    for schema, table in names:
        statement = sql.SQL("copy (select * from {}) to stdout").format(sql.Identifier(schema, table))
        with connection.cursor() as cursor, cursor.copy(statement) as stream:
            yield f"{schema}.{table}", b"".join(stream)


def artifacts(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the home as bytes, packed ones unpacked; not the database's own, read as tables."""
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home)
        if not path.is_file() or place.parts[0] in {*SOURCE_FILES, "postgres"}:
            continue
        if path.suffix == ".parquet":
            yield str(place), pl.read_parquet(path).write_csv().encode()
        elif path.suffix == ".gz":
            yield str(place), gzip.decompress(path.read_bytes())
        else:
            yield str(place), path.read_bytes()


def test_the_shapes_find_personal_data(delivered: dict[str, set[bytes]], simulated: Path) -> None:
    found = told((simulated / "customers.csv").read_bytes(), delivered)
    assert {kind: len(values) for kind, values in found.items()} == {
        kind: len(values) for kind, values in delivered.items()
    }


def test_no_table_of_any_database_shows_one(delivered: dict[str, set[bytes]]) -> None:
    shown: dict[str, dict[str, set[bytes]]] = {}
    seen = 0
    with connect("owner") as warehouse:
        for name, content in tables(warehouse):
            seen += len(content) > 0
            shown[name] = told(content, delivered)
    for service in ("airflow", "mlflow"):
        with databases.connect(service, get_secret(f"postgres_{service}"), service) as connection:
            shown |= {f"{service}: {name}": told(text, delivered) for name, text in tables(connection)}
    assert seen > 60
    assert {name: found for name, found in shown.items() if found} == {}


def test_no_log_report_page_or_model_shows_one(platform: Path, delivered: dict[str, set[bytes]]) -> None:
    shown = {name: told(content, delivered) for name, content in artifacts(platform)}
    for folder in ("logs/airflow", "reports", "data_docs", "mlflow/artifacts"):
        assert any(name.startswith(folder) for name in shown), f"nothing was looked at below {folder}"
    assert {name: found for name, found in shown.items() if found} == {}
