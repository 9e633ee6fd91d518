"""Lands a foreign system's files in canonical form, through an adapter."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import date
from pathlib import Path

from creditops.adapters import Adapter, Made, load_adapter
from creditops.books import today
from creditops.errors import UsageError
from creditops.ingest.land.file_names import refuse_personal
from creditops.ingest.land.landing import LandedFile, delivery_folder, mark_whole
from creditops.settings import get_settings
from creditops.sources.contract import load_contract


def land_adapted(book: str, paths: list[Path], adapter: str, delivery: date | None) -> list[LandedFile]:
    """Write each source that the adapter makes as ``<source>.<origin>.csv`` into the landing zone.

    Where several outputs make rows of one source of one file, the second is ``<source>.<origin>.2.csv``.

    Parameters
    ----------
    delivery: day of every source; default the adapter's own days, else today.

    Raises
    ------
    UsageError: no such adapter or path, or the book lacks columns that the adapter's book declares.
    DataRefusedError: a file the adapter expects is missing or unreadable, or its name holds a personal datum.
    """
    mapping = load_adapter(adapter)
    _check_book(book, mapping)
    days = mapping.deliveries()
    landed: list[LandedFile] = []
    written: Counter[str] = Counter()
    for path in paths:
        for made in mapping.read(path):
            day = delivery or days.get(made.source, today(book))
            stem = made.origin.name.split(".", 1)[0] if made.origin.parent != mapping.folder else adapter
            name = f"{made.source}.{stem}"
            written[name] += 1
            name += f".{written[name]}" if written[name] > 1 else ""
            landed.append(_write(made, book, name, day))
    return sorted(landed, key=lambda file: (file.delivery, file.path.name))


def _check_book(book: str, mapping: Adapter) -> None:
    """The book must declare the columns that the adapter's own book adds to a source."""
    for source, contract in mapping.contracts.items():
        declared = {column.name for column in load_contract(source, book).columns}
        missing = [column.name for column in contract.columns if column.name not in declared]
        if missing:
            raise UsageError(
                f"the book {book} declares no column {missing[0]!r} of {source}"
                + (f" ({len(missing)} are missing)" if len(missing) > 1 else ""),
                hint=f"load into {mapping.book}, or declare the columns in "
                f"{get_settings().home / 'contracts' / 'books' / book / source}.yml, as those of "
                f"{mapping.book} are",
            )


def _write(made: Made, book: str, name: str, day: date) -> LandedFile:
    refuse_personal(name, known_as=made.origin.name)
    folder = delivery_folder(book, day)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.csv"
    aside = folder / f".{target.name}.{uuid.uuid4().hex}"
    made.frame.write_csv(aside)
    aside.replace(target)
    mark_whole(target, made.left_out)
    return LandedFile(target, book, made.source, day)
