"""Two deliveries of payments for the crash tests, and checksums of what a load writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from creditops.warehouse.connection import connect

HEADER = "payment_id,facility_id,due_item_id,value_date,booked_at,amount,currency,reverses_payment_id,payer"
FIRST, SECOND = date(2026, 6, 30), date(2026, 7, 31)
ROWS, BAD = 3_000, 5


def deliveries(folder: Path) -> dict[date, Path]:
    """A first delivery, and a second with new, changed, repeated, conflicting and bad rows."""
    bad = [(number, "1.234") for number in range(BAD)]
    later = [(number, "2.00" if number % 7 == 0 else "1.00") for number in range(1_000, ROWS + 500)]
    return {
        FIRST: _write(folder / "first", [*bad, *((number, "1.00") for number in range(BAD, ROWS))]),
        SECOND: _write(folder / "second", [*later, later[3], (later[4][0], "9.00")]),
    }


def state() -> list[Any]:
    """Checksums of raw, ledger and quarantine, without the batch numbers, which a killed load uses up."""
    queries = (
        "select count(*), md5(string_agg(md5((payment_id, facility_id, value_date, amount, _row,"
        " _row_hash, loaded_at, _deleted)::text), '' order by payment_id, loaded_at)) from raw.payments",
        "select file, sha256, status, rows_read, rows_loaded, rows_unchanged, rows_quarantined"
        " from ops.load_ledger where status = 'loaded' order by delivery_date",
        "select file, line, row_text, reasons from ops.quarantine order by file, line",
    )
    with connect("loader") as connection:
        return [connection.execute(query).fetchall() for query in queries]


def take_back(*days: date) -> None:
    """Remove what the deliveries of these days left."""
    with connect("owner") as connection:
        of_days = "(select batch_id from ops.load_ledger where delivery_date = any(%s))"
        for table, column in (
            ("raw.payments", "_batch_id"),
            ("ops.quarantine", "batch_id"),
            ("ops.load_warning", "batch_id"),
            ("ops.load_ledger", "batch_id"),
        ):
            connection.execute(f"delete from {table} where {column} in {of_days}", (list(days),))  # type: ignore[arg-type]


def _write(folder: Path, rows: Sequence[tuple[int, str]]) -> Path:
    folder.mkdir()
    path = folder / "payments.csv"
    lines = [f"P{number},F1,,2026-05-09,,{amount},CNY,," for number, amount in rows]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path
