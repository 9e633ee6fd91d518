"""What has been fetched: landed whole or not at all, and remembered in ``ops.fetch_ledger``."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO

from creditops.ingest.land.landing import delivery_folder, mark_whole
from creditops.warehouse.connection import connect
from creditops.warehouse.run_log import current_run_id


@dataclass(frozen=True)
class Fetched:
    """One item of a place that now lies in the landing zone.

    Attributes
    ----------
    item: remote path, query or request; fingerprint: what tells its content from an earlier one.
    file: name in the landing zone. rows: where they were counted. watermark: of a query.
    """

    book: str
    place: str
    item: str
    fingerprint: str
    source: str
    delivery: date
    file: str
    bytes: int
    seconds: float
    rows: int | None = None
    watermark: str | None = None


def landed_name(source: str, place: str, item: str, fingerprint: str, suffix: str) -> str:
    """Name of a fetched file: the same content of the same item gets the same name."""
    mark = hashlib.sha256(f"{item}\x1f{fingerprint}".encode()).hexdigest()[:12]
    return f"{source}.{place}.{mark}{suffix}"


@contextmanager
def landing_file(book: str, delivery: date, name: str) -> Iterator[tuple[BinaryIO, Path]]:
    """A file being written aside; it appears in the landing zone, with its ``.done`` marker, only if
    the block ends well.
    """
    folder = delivery_folder(book, delivery)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{name}.{uuid.uuid4().hex}.partial"
    target = folder / name
    try:
        with aside.open("wb") as stream:
            yield stream, target
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(target)
        mark_whole(target)
    finally:
        aside.unlink(missing_ok=True)


def known_fingerprints(book: str, place: str) -> set[tuple[str, str]]:
    """(item, fingerprint) of everything fetched from a place for a book."""
    with connect("loader") as connection:
        return {
            (row[0], row[1])
            for row in connection.execute(
                "select item, fingerprint from ops.fetch_ledger where book = %s and place = %s", (book, place)
            ).fetchall()
        }


def last_watermark(book: str, place: str, item: str) -> str | None:
    """The watermark of the newest fetch of a query."""
    with connect("loader") as connection:
        row = connection.execute(
            "select watermark from ops.fetch_ledger where book = %s and place = %s and item = %s"
            " and watermark is not null order by fetch_id desc limit 1",
            (book, place, item),
        ).fetchone()
    return None if row is None else row[0]


def remember(fetched: Fetched) -> None:
    """Note a fetch; a crash before it only makes the next run fetch the same again."""
    with connect("loader") as connection:
        connection.execute(
            "insert into ops.fetch_ledger (book, place, item, fingerprint, source, delivery_date, file, rows,"
            " bytes, watermark, seconds, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                fetched.book,
                fetched.place,
                fetched.item,
                fetched.fingerprint,
                fetched.source,
                fetched.delivery,
                fetched.file,
                fetched.rows,
                fetched.bytes,
                fetched.watermark,
                round(fetched.seconds, 4),
                current_run_id(),
            ),
        )
