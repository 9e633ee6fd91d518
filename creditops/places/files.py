"""Fetches files from a folder, an SFTP server or an S3-compatible store, through fsspec.

A file is fetched once per content (size and time or entity tag); it lands whole or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from creditops import clock
from creditops.books import today
from creditops.errors import CreditOpsError, DataRefusedError, ServiceUnreachableError, UsageError
from creditops.ingest.land.file_names import DONE, is_plain, source_of, why_no_source
from creditops.ingest.write.strays import Absent, note_absent
from creditops.places.credentials import airflow_connection, from_environment
from creditops.places.fetched import Fetched, known_fingerprints, landed_name, landing_file, remember
from creditops.places.place import S3, Folder, Sftp
from creditops.settings import get_settings
from creditops.sources.contract import broken_contracts, load_contract

_BLOCK = 4 << 20
_ATTEMPTS = 3


@dataclass(frozen=True)
class RemoteFile:
    """A file of a place, and the source whose rows it holds; empty where no source takes it."""

    path: str
    source: str
    size: int
    changed: float | None
    fingerprint: str


def fetch_files(place: Folder | Sftp | S3, book: str, day: date | None) -> Iterator[Fetched]:
    """Fetch what has not been fetched yet, oldest name first.

    Parameters
    ----------
    day: only files of this delivery; ``None`` fetches all.

    Raises
    ------
    ServiceUnreachableError: the place does not answer.
    UsageError: the path does not exist there, or a secret is not set.
    """
    system = _file_system(place)
    known = known_fingerprints(book, place.place)
    taken, others = _list(system, place)
    days = [(each, place.day_of(each.path) or day or today(book)) for each in others]
    note_absent(book, [_stays(place, each, of) for each, of in days if day is None or of == day])
    for remote in taken:
        delivery = place.day_of(remote.path) or day or today(book)
        if (day is not None and delivery != day) or (remote.path, remote.fingerprint) in known:
            continue
        fetched = _fetch_one(system, place, book, remote, delivery)
        remember(fetched)
        yield fetched


def _stays(place: Folder | Sftp | S3, file: RemoteFile, delivery: date) -> Absent:
    name = PurePosixPath(file.path).name
    link = "it is a link, a pipe or a device, which may lead anywhere"
    reason = link if _leads_elsewhere(place, file.path) else why_no_source(name)
    why = f"{reason}; it stays in the place {place.place} at {file.path}"
    return Absent(f"{place.place}:{name}", delivery, file.fingerprint, why)


def _fetch_one(
    system: Any, place: Folder | Sftp | S3, book: str, remote: RemoteFile, delivery: date
) -> Fetched:
    started = time.perf_counter()
    name = landed_name(
        remote.source, place.place, remote.path, remote.fingerprint, "." + PurePosixPath(remote.path).name
    )
    try:
        for attempt in Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential_jitter(initial=0.2, max=5),
            retry=retry_if_exception_type(OSError),
            reraise=True,
        ):
            with attempt, _named(place, remote.path), landing_file(book, delivery, name) as (stream, target):
                with _open(system, place, remote) as source:
                    shutil.copyfileobj(source, stream, _BLOCK)
                if stream.tell() != remote.size:
                    raise OSError(f"{stream.tell()} of {remote.size} bytes came")
    except OSError as error:
        raise ServiceUnreachableError(
            f"place {place.place}: {remote.path}: {error}",
            hint="the file may still be written: set `marker` or `settled_seconds`, then fetch again",
        ) from error
    return Fetched(
        book=book,
        place=place.place,
        item=remote.path,
        fingerprint=remote.fingerprint,
        source=remote.source,
        delivery=delivery,
        file=str(target.relative_to(get_settings().landing)),
        bytes=remote.size,
        seconds=time.perf_counter() - started,
    )


def _open(system: Any, place: Folder | Sftp | S3, remote: RemoteFile) -> Any:
    """A file for reading. In a folder of this machine others may have put a link in its place, or in that of
    a folder above it, since it was listed: what is opened must still be that very file.
    """
    if not isinstance(place, Folder):
        return system.open(remote.path, "rb")
    try:
        descriptor = os.open(remote.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _replaced(place, remote) from error
        raise
    stream = os.fdopen(descriptor, "rb")
    told = os.fstat(descriptor)
    opened = Path(f"/proc/self/fd/{descriptor}")
    elsewhere = opened.exists() and not opened.resolve().is_relative_to(Path(place.path).resolve())
    if not stat.S_ISREG(told.st_mode) or elsewhere:
        stream.close()
        raise _replaced(place, remote)
    return stream


def _replaced(place: Folder | Sftp | S3, remote: RemoteFile) -> DataRefusedError:
    return DataRefusedError(
        f"place {place.place}: {remote.path}: a link has taken the place of this file since it was listed",
        hint="nothing of it was fetched; find out who may write to that folder, then fetch again",
    )


def _list(system: Any, place: Folder | Sftp | S3) -> tuple[list[RemoteFile], list[RemoteFile]]:
    """Files to fetch, and files that no source takes; hidden ones and markers are neither."""
    with _named(place, place.path):
        if not system.exists(place.path):
            raise UsageError(
                f"place {place.place}: {place.path} does not exist there", hint="mend its `path`"
            )
        listed = system.find(place.path, detail=True)
    now = clock.now().timestamp()
    found: list[RemoteFile] = []
    others: list[RemoteFile] = []
    for path, info in sorted(listed.items()):
        name = PurePosixPath(path).name
        is_marker = name.endswith((DONE, place.marker or DONE))
        if info.get("type") == "directory" or name.startswith(".") or is_marker:
            continue
        source = None if _leads_elsewhere(place, path) else _source(place, name)
        if source and place.marker is not None and f"{path}{place.marker}" not in listed:
            continue
        changed = _changed(info)
        if changed is not None and now - changed < place.settled_seconds:
            continue
        mark = info.get("ETag") or changed
        fingerprint = f"{info['size']}-{mark}".replace('"', "")
        of_kind = found if source else others
        of_kind.append(RemoteFile(path, source or "", int(info["size"]), changed, fingerprint))
    return found, others


def _leads_elsewhere(place: Folder | Sftp | S3, path: str) -> bool:
    """Whether what others put into a folder of this machine is no file of its own."""
    return isinstance(place, Folder) and not is_plain(Path(path))


def _source(place: Folder | Sftp | S3, name: str) -> str | None:
    for pattern, source in place.patterns.items():
        if fnmatchcase(name.lower(), pattern.lower()):
            if not any(each.source == source for each in broken_contracts()):  # that is for its load to say
                load_contract(source)
            return source
    return source_of(Path(name))


def _changed(info: dict[str, Any]) -> float | None:
    value = info.get("mtime") or info.get("LastModified")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if value is not None else None


class _named:  # noqa: N801 - used like a function
    """Errors of a place's library as the platform's own, with place and path."""

    def __init__(self, place: Folder | Sftp | S3, path: str) -> None:
        self._where = f"place {place.place}: {path}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, CreditOpsError) or not isinstance(error, Exception):
            return
        if isinstance(error, FileNotFoundError):
            raise UsageError(
                f"{self._where}: is not there (any more)", hint="look at the place, fetch again"
            ) from error
        if isinstance(error, OSError) and not isinstance(error, PermissionError | ConnectionError):
            return  # worth another attempt; the last one is reported by the caller
        raise ServiceUnreachableError(
            f"{self._where}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            hint="check host, rights and the secrets that the place names; fetching again goes on",
        ) from error


def _file_system(place: Folder | Sftp | S3) -> Any:
    import fsspec

    try:
        match place:
            case Folder():
                return fsspec.filesystem("file", skip_instance_cache=True)
            case Sftp():
                return _sftp(place)
            case S3():
                return _s3(place)
    except CreditOpsError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise ServiceUnreachableError(
            f"place {place.place} does not answer: {type(error).__name__}: {reason}",
            hint="check host, port and the secrets that the place names",
        ) from error


def _sftp(place: Sftp) -> Any:
    from sshfs import SSHFileSystem

    stored = airflow_connection(place.connection)
    host = place.host or stored.host
    if host is None:
        raise UsageError(f"place {place.place} names no host", hint="add `host` or `connection`")
    key = from_environment(place.private_key_env, f"place {place.place}")
    options: dict[str, Any] = {"port": stored.port or place.port, "skip_instance_cache": True}
    if place.known_hosts is not None:
        options["known_hosts"] = str(Path(place.known_hosts).expanduser())
    if key is not None:
        import asyncssh

        options["client_keys"] = [asyncssh.import_private_key(key)]
    password = from_environment(place.password_env, f"place {place.place}") or stored.password
    return SSHFileSystem(host, username=place.username or stored.login, password=password, **options)


def _s3(place: S3) -> Any:
    import s3fs

    stored = airflow_connection(place.connection)
    endpoint = place.endpoint_url or stored.extra.get("endpoint_url")
    region = place.region or stored.extra.get("region_name")
    return s3fs.S3FileSystem(
        key=from_environment(place.access_key_env, f"place {place.place}") or stored.login,
        secret=from_environment(place.secret_key_env, f"place {place.place}") or stored.password,
        endpoint_url=endpoint,
        client_kwargs={"region_name": region} if region else {},
        use_listings_cache=False,
        skip_instance_cache=True,
    )
