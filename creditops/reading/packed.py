"""Opens a delivered file as a stream of bytes, unpacked as it is read, with a bound on expansion.

A packed file of a few kilobytes can hold gigabytes ("zip bomb"): reading stops with a refusal as
soon as the unpacked bytes pass a ratio that no table of text reaches, or the size that
``CREDITOPS_MAX_EXPANDED_MB`` allows. Nothing is unpacked to disk.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from creditops.errors import DataRefusedError
from creditops.settings import get_settings

PACKED = (".gz", ".zip")
MAX_RATIO = 250  # repetitive CSV packs 10 to 60 times; DEFLATE's own bound is 1,032
_RATIO_COUNTS_FROM = 64 << 20  # small files may pack any way they like
_DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


class BoundedStream(io.RawIOBase):
    """Reads from another stream and refuses to pass a bound of bytes or of expansion."""

    def __init__(self, inner: BinaryIO, *, packed: int, name: str) -> None:
        self._inner = inner
        self._name = name
        self._seen = 0
        self._bound = expansion_bound(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        try:
            read = self._inner.readinto(buffer)  # type: ignore[attr-defined]
        except _DAMAGED as error:
            raise _damaged(self._name, error) from error
        self._seen += read
        if self._seen > self._bound:
            raise expands(self._name, self._bound)
        return int(read)

    def close(self) -> None:
        self._inner.close()
        super().close()


def expansion_bound(packed: int) -> int:
    """Bytes to which so many packed ones may expand."""
    return min(get_settings().max_expanded_mb << 20, max(_RATIO_COUNTS_FROM, packed * MAX_RATIO))


def expands(name: str, bound: int) -> DataRefusedError:
    """The refusal of a file that expands beyond its bound."""
    return DataRefusedError(
        f"{name}: unpacks to more than {bound >> 20:,} MB",
        hint="deliver it unpacked or in parts; a larger bound is CREDITOPS_MAX_EXPANDED_MB",
    )


def inner_name(path: Path, name: str) -> str:
    """File name without its packing, which says what is in it: ``a.csv.gz`` is ``a.csv``; a zip
    archive's only member names itself.

    Raises
    ------
    DataRefusedError: a zip archive is damaged, encrypted or holds not exactly one file.
    """
    if path.suffix.lower() == ".gz":
        return path.stem
    if path.suffix.lower() == ".zip":
        with _archive(path, name) as archive:
            return Path(_member(archive, name).filename).name
    return path.name


@contextmanager
def open_bytes(path: Path, name: str) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked.

    Raises
    ------
    DataRefusedError: the packing is damaged, encrypted or expands out of bounds; while reading.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with BoundedStream(gzip.GzipFile(path), packed=path.stat().st_size, name=name) as stream:  # type: ignore[arg-type]
            yield io.BufferedReader(stream, 1 << 20)  # type: ignore[misc]
    elif suffix == ".zip":
        with _archive(path, name) as archive:
            member = _member(archive, name)
            opened = archive.open(member)
            with BoundedStream(opened, packed=member.compress_size, name=name) as stream:  # type: ignore[arg-type]
                yield io.BufferedReader(stream, 1 << 20)  # type: ignore[misc]
    else:
        _check_holes(path, name)
        with path.open("rb") as plain:
            yield plain


def check_workbook(path: Path, name: str) -> bool:
    """Refuse an Excel workbook (a zip archive) whose parts expand out of bounds; whether it has formulas.

    Every part is unpacked once and counted, because sizes in the archive's index may lie.
    """
    if not zipfile.is_zipfile(path):
        return False  # the old binary form, which is not packed
    packed = path.stat().st_size
    bound = expansion_bound(packed)
    seen = 0
    has_formulas = False
    with _archive(path, name) as archive:
        for member in archive.infolist():
            try:
                with archive.open(member) as part:
                    last = b""
                    while block := part.read(1 << 20):
                        seen += len(block)
                        if member.filename.startswith("xl/worksheets/"):
                            has_formulas = has_formulas or b"<f" in last + block
                            last = block[-1:]
                        if seen > bound:
                            raise DataRefusedError(
                                f"{name}: the workbook unpacks to more than {bound >> 20:,} MB",
                                hint="deliver it as CSV",
                            )
            except _DAMAGED as error:
                raise _damaged(name, error) from error
    return has_formulas


@contextmanager
def _archive(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(name, error) from error
    with archive:
        yield archive


def _member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [
        each
        for each in archive.infolist()
        if each.filename
        and not each.is_dir()
        and not each.filename.startswith("__MACOSX/")
        and not Path(each.filename).name.startswith(".")
    ]
    if len(members) != 1:
        raise DataRefusedError(
            f"{name}: the archive holds {len(members)} files", hint="pack one source file per archive"
        )
    if members[0].flag_bits & 0x1:
        raise DataRefusedError(f"{name}: the archive is encrypted", hint="deliver it without a password")
    return members[0]


def _check_holes(path: Path, name: str) -> None:
    """Refuse a file of holes, which says to be terabytes and holds nothing; packed by the file system."""
    held = path.stat()
    if held.st_size > max(_RATIO_COUNTS_FROM, held.st_blocks * 512 * MAX_RATIO):  # whatever a setting allows
        raise DataRefusedError(
            f"{name}: of {held.st_size >> 20:,} MB only {held.st_blocks >> 11:,} MB were ever written",
            hint="deliver the file again, whole",
        )


def _damaged(name: str, error: Exception) -> DataRefusedError:
    return DataRefusedError(
        f"{name}: the packed file is truncated or damaged: {error}", hint="deliver the file again, whole"
    )
