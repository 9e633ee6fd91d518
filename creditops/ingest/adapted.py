"""Lands a foreign system's files in canonical form, through an adapter."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from pathlib import Path

import polars as pl

from creditops.adapters import load_adapter
from creditops.books import zone
from creditops.ingest.landing import LandedFile, delivery_folder


def land_adapted(book: str, paths: list[Path], adapter: str, delivery: date | None) -> list[LandedFile]:
    """Write each source that the adapter makes as ``<source>.<origin>.csv`` into the landing zone.

    Parameters
    ----------
    delivery: day of every source; default the adapter's own days, else today.

    Raises
    ------
    UsageError: no such adapter or path.
    DataRefusedError: a file the adapter expects is missing or unreadable.
    """
    mapping = load_adapter(adapter)
    days = mapping.deliveries()
    today = datetime.now(zone(book)).date()
    landed: list[LandedFile] = []
    for path in paths:
        for source, frame, origin in mapping.read(path):
            day = delivery or days.get(source, today)
            stem = origin.name.split(".", 1)[0] if origin.parent != mapping.folder else adapter
            landed.append(_write(frame, book, source, stem, day))
    return sorted(landed, key=lambda file: (file.delivery, file.path.name))


def _write(frame: pl.DataFrame, book: str, source: str, stem: str, day: date) -> LandedFile:
    folder = delivery_folder(book, day)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{source}.{stem}.csv"
    aside = folder / f".{target.name}.{uuid.uuid4().hex}"
    frame.write_csv(aside)
    aside.replace(target)
    return LandedFile(target, book, source, day)
