"""Files that nothing is loaded from, in the ledger: nothing that is delivered vanishes.

What is not taken is said with the reason and has its line in ``ops.load_ledger`` (status ``not_taken``),
once for each content.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from creditops.ingest import ledger
from creditops.ingest.file_names import Stray, is_plain, strays_among
from creditops.ingest.landing import delivery_folder, is_whole
from creditops.personal_data import masked
from creditops.warehouse.connection import connect

_log = logging.getLogger(__name__)


def landed_strays(book: str, delivery: date) -> list[Stray]:
    """What is not taken of one delivery's folder in the landing zone; a file still being written waits."""
    folder = delivery_folder(book, delivery)
    return [each for each in strays_among([folder]) if not is_plain(each.path) or is_whole(each.path)]


def note(book: str, delivery: date, strays: Iterable[Stray]) -> list[Stray]:
    """Give each stray its line in the ledger, unless this content has one; returns all of them."""
    found = list(strays)
    if not found:
        return found
    with connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"strays {book}",))
        for each in found:
            _log.warning("book %s: %s", book, each.sentence())
            ledger.note_not_taken(
                connection,
                book=book,
                file=masked(f"{book}/{delivery}/{each.path.name}"),
                delivery=delivery,
                sha256=_sha256(each.path),
                why=each.why,
                at=datetime.now(UTC),
            )
    return found


@dataclass(frozen=True)
class Absent:
    """A file of another system that stays there; ``fingerprint`` tells its content."""

    name: str
    delivery: date
    fingerprint: str
    why: str


def note_absent(book: str, files: Sequence[Absent]) -> None:
    """The same for files that are not fetched, because no source takes them."""
    if not files:
        return
    with connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"strays {book}",))
        for each in files:
            is_new = ledger.note_not_taken(
                connection,
                book=book,
                file=f"{book}/{each.delivery}/{each.name}",
                delivery=each.delivery,
                sha256=hashlib.sha256(each.fingerprint.encode()).hexdigest(),
                why=each.why,
                at=datetime.now(UTC),
            )
            if is_new:
                _log.warning("book %s: %s is not taken: %s", book, each.name, each.why)


def _sha256(path: Path) -> str:
    if not is_plain(path):
        return ""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
