"""Packs the files that were landed for a day into units of work, one mapped task of an ingest run each.

A file is a unit of its own, with two exceptions. Files of one source stay together, in the order of
their names: a later one restates an earlier one, and only one loader works on a source anyway. Small
files of several sources share a unit, because starting a task takes longer than loading them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path

from creditops.errors import DataRefusedError
from creditops.ingest.land.landing import LandedFile, delivery_folder, landed_files, source_of
from creditops.settings import get_settings
from creditops.sources.contract import Domain, sources_of

UNIT_BYTES = 8 * 2**20
"""A unit takes in further sources up to this size: about a second of loading."""


@dataclass
class Unit:
    """Files that one task loads one after the other, and their size in bytes."""

    files: list[LandedFile] = field(default_factory=list)
    size: int = 0

    @property
    def names(self) -> list[str]:
        """The files' names, relative to the landing zone."""
        return [landed.name for landed in self.files]


def landed_units(book: str, delivery: date, domain: Domain) -> list[Unit]:
    """Units of one domain's whole files of one delivery; files still being written are left alone."""
    return pack(landed_files(book, delivery, set(sources_of(domain))))


def pack(files: Iterable[LandedFile], limit: int = UNIT_BYTES) -> list[Unit]:
    """Pack files into units of at most ``limit`` bytes, but for a source that is larger by itself."""
    ordered = sorted(files, key=lambda landed: (landed.source, landed.name))
    units: list[Unit] = []
    for _, group in groupby(ordered, key=lambda landed: landed.source):
        of_source = list(group)
        size = sum(landed.path.stat().st_size for landed in of_source)
        unit = next((each for each in units if each.size + size <= limit), None)
        if unit is None:
            units.append(unit := Unit())
        unit.files += of_source
        unit.size += size
    return units


def unit_files(book: str, delivery: date, names: Iterable[str]) -> list[LandedFile]:
    """The landed files of a unit by their names, in the order given.

    Names come through Airflow, where somebody may have changed them: only files that lie in the folder of
    this book and day, and are no links, are taken.

    Raises
    ------
    DataRefusedError: a file is not one of this book's and day's, or has been taken away since it was listed.
    """
    found: list[LandedFile] = []
    folder = delivery_folder(book, delivery)
    for name in names:
        path = folder / Path(name).name
        if str(path.relative_to(get_settings().landing)) != name or path.is_symlink():
            raise DataRefusedError(
                f"{name!r} is no file of book {book} landed for {delivery}",
                hint="files are loaded from the landing folder of their own book and day only",
            )
        source = source_of(path)
        if source is None or not path.is_file():
            raise DataRefusedError(
                f"{name} was landed and is gone", hint="land it again and run the day's ingest again"
            )
        found.append(LandedFile(path, book, source, delivery))
    return found
