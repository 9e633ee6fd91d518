"""Files that nothing is loaded from, in the ledger: nothing that is delivered vanishes.

What is not taken is said with the reason and has its line in ``ops.load_ledger`` (status ``not_taken``),
once for each content.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from creditops import clock
from creditops.ingest.land.file_names import Stray, is_plain, strays_among
from creditops.ingest.land.landing import delivery_folder, is_whole
from creditops.ingest.write import ledger
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
    lines = [(delivery, each.path.name, _sha256(each.path), each.why) for each in found]
    for each in found:
        _log.warning("book %s: %s", book, each.sentence())
    _note(book, lines)
    return found


@dataclass(frozen=True)
class Absent:
    """A file of another system that stays there; ``fingerprint`` tells its content."""

    name: str
    delivery: date
    fingerprint: str
    why: str


def note_absent(book: str, files: Iterable[Absent]) -> None:
    """The same for files that are not fetched, because no source takes them; only new ones are logged."""
    lines = [
        (each.delivery, each.name, hashlib.sha256(each.fingerprint.encode()).hexdigest(), each.why)
        for each in files
    ]
    for _, name, _, why in _note(book, lines):
        _log.warning("book %s: %s is not taken: %s", book, masked(name), masked(why))


_Line = tuple[date, str, str, str]
"""Day of the delivery, name, SHA-256 and reason of a file that is not taken."""


def _note(book: str, lines: Sequence[_Line]) -> list[_Line]:
    """Write lines of the ledger, personal data masked; those that are new."""
    if not lines:
        return []
    with connect("loader") as connection:
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"strays {book}",))
        return [
            line
            for line in lines
            if ledger.note_not_taken(
                connection,
                book=book,
                file=masked(f"{book}/{line[0]}/{line[1]}"),
                delivery=line[0],
                sha256=line[2],
                why=masked(line[3]),
                at=clock.now(),
            )
        ]


def _sha256(path: Path) -> str:
    if not is_plain(path):
        return ""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
