"""The landing zone: ``<landing>/<book>/<delivery day>/<source>[.anything].csv[.gz]``.

Files are copied in whole (write aside, then rename) with a marker ``<file>.done`` beside them, so that a
loader never sees half a file. Others may write there too: their file counts as whole when its marker is
there, or when it has not changed for ``CREDITOPS_LANDING_SETTLE_SECONDS``. Until then it is left alone.
"""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from creditops import clock
from creditops.books import check_book, check_day, parse_day
from creditops.errors import DataRefusedError, UsageError
from creditops.files import replace
from creditops.ingest.land.file_names import is_plain, marker_of, refuse_personal, source_of, strays_among
from creditops.settings import get_settings
from creditops.sources.contract import load_contracts

_log = logging.getLogger(__name__)
_SAID = 5


@dataclass(frozen=True)
class LandedFile:
    """A file of one source, waiting in the landing zone."""

    path: Path
    book: str
    source: str
    delivery: date

    @property
    def name(self) -> str:
        """Name shown in ledger and messages, relative to the landing zone."""
        return str(self.path.relative_to(get_settings().landing))

    def came(self) -> datetime:
        """When the file was landed or last changed."""
        marker = marker_of(self.path)
        times = [each.stat().st_mtime for each in (self.path, marker) if each.is_file()]
        return datetime.fromtimestamp(max(times), UTC)

    @property
    def left_out(self) -> dict[str, int]:
        """Rows of the delivered file that its adapter left out, by the reason; none without an adapter."""
        marker = marker_of(self.path)
        text = marker.read_text(encoding="utf-8") if marker.is_file() else ""
        try:
            said = json.loads(text).get("left_out", {})
        except (ValueError, AttributeError):  # a marker that another system wrote
            return {}
        return {str(why): int(rows) for why, rows in said.items()}


def delivery_folder(book: str, delivery: date) -> Path:
    """Folder of one book's files of one delivery day.

    Raises
    ------
    UsageError: the book's name is none, or the day has not come yet.
    DataRefusedError: a link stands where the folder should be.
    """
    landing = get_settings().landing
    folder = landing / check_book(book) / check_day(book, delivery).isoformat()
    if folder.is_symlink() or folder.parent.is_symlink():
        raise DataRefusedError(
            f"{folder} is a link: files would be taken from, or put, elsewhere",
            hint="put a folder in its place",
        )
    return folder


def land(book: str, paths: list[Path], delivery: date) -> list[LandedFile]:
    """Copy source files, or the source files of folders, into the landing zone.

    Raises
    ------
    UsageError: a path does not exist.
    DataRefusedError: a named file stands for no source, changes while it is copied, or nothing was
        found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [each for each in sorted(path.iterdir()) if is_plain(each) and source_of(each)]
        elif not path.is_file():
            raise UsageError(f"{path} does not exist", hint="name a file or a folder with source files")
        elif source_of(path) is None:
            refuse_personal(path.name)
            raise DataRefusedError(
                f"{path.name}: no source is called {path.name.split('.', 1)[0]!r}",
                hint="name files <source>.csv or <source>.<anything>.csv[.gz], give the contract a `files` "
                "pattern, or use --adapter; "
                f"sources: {', '.join(sorted(load_contracts()))}",
            )
        else:
            found.append(path)
    if not found:
        said = "; ".join(each.sentence() for each in strays_among(paths)[:_SAID])
        raise DataRefusedError(
            f"no source file in {', '.join(map(str, paths))}" + (f": {said}" if said else ""),
            hint="name files <source>.csv or <source>.csv.gz, or use --adapter",
        )
    return [_copy_in(path, book, delivery) for path in found]


def deliveries() -> list[tuple[str, date]]:
    """Books and days that have a folder in the landing zone, oldest day first."""
    found = [each for each in _by_folder().values() if each is not None]
    return sorted(found, key=lambda each: (each[1], each[0]))


def stray_folders() -> list[str]:
    """Folders of the landing zone that nothing is loaded from: they name no book and day that has come."""
    return sorted(f"{each.parent.name}/{each.name}" for each, found in _by_folder().items() if found is None)


def _by_folder() -> dict[Path, tuple[str, date] | None]:
    found: dict[Path, tuple[str, date] | None] = {}
    for folder in filter(Path.is_dir, get_settings().landing.glob("*/*")):
        try:
            if folder.is_symlink() or folder.parent.is_symlink():
                raise UsageError(f"{folder} is a link")
            book = check_book(folder.parent.name)
            found[folder] = (book, check_day(book, parse_day(folder.name)))
        except UsageError:
            found[folder] = None
    return found


def landed_files(book: str, delivery: date, sources: set[str]) -> list[LandedFile]:
    """Whole files of the given sources in one delivery's folder, by name; what is not whole is logged."""
    whole: list[LandedFile] = []
    for landed in _files_of(book, delivery, sources):
        if is_whole(landed.path):
            whole.append(landed)
        else:
            _log.warning("%s is still being written: left alone until it is whole", landed.name)
    return whole


def files_being_written(book: str, delivery: date) -> list[LandedFile]:
    """Files in one delivery's folder that are left alone for now."""
    files = _files_of(book, delivery, set(load_contracts()))
    return [landed for landed in files if not is_whole(landed.path)]


def is_whole(path: Path) -> bool:
    """Whether a file has its marker, no older than itself, or has not changed for a while."""
    changed = path.stat().st_mtime
    marker = marker_of(path)
    if marker.exists() and marker.stat().st_mtime >= changed:
        return True
    return clock.now().timestamp() - changed >= get_settings().landing_settle_seconds


def mark_whole(path: Path, left_out: Mapping[str, int] | None = None) -> None:
    """Write the marker of ``path``, with the rows that an adapter left out by the reason."""
    replace(marker_of(path), json.dumps({"left_out": dict(left_out)}) if left_out else "")


def _files_of(book: str, delivery: date, sources: set[str]) -> list[LandedFile]:
    folder = delivery_folder(book, delivery)
    if not folder.is_dir():
        return []
    return [
        LandedFile(path, book, source, delivery)
        for path in sorted(folder.iterdir())
        if (source := source_of(path)) in sources and source is not None and is_plain(path)
    ]


def _copy_in(path: Path, book: str, delivery: date) -> LandedFile:
    folder = delivery_folder(book, delivery)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    source = source_of(path)
    assert source is not None
    if path.resolve() != target.resolve():
        aside = folder / f".{path.name}.{uuid.uuid4().hex}"
        before = path.stat()
        shutil.copyfile(path, aside)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            aside.unlink()
            raise DataRefusedError(
                f"{path.name} is still being written", hint="land it again when it is whole"
            )
        aside.replace(target)
    mark_whole(target)
    return LandedFile(target, book, source, delivery)
