"""What every load needs: a connection, the lock of its source, the content of its file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from creditops.errors import ServiceUnreachableError
from creditops.ingest.land.landing import LandedFile
from creditops.warehouse.connection import connect


@contextmanager
def loader_connection(landed: LandedFile) -> Iterator[psycopg.Connection]:
    """A connection as the loader.

    Raises
    ------
    ServiceUnreachableError: PostgreSQL cannot be reached, or goes away.
    """
    try:
        with connect("loader") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise ServiceUnreachableError(
            f"{landed.name}: PostgreSQL went away while the file was loaded: {str(error).splitlines()[0]}",
            hint="start it again (`creditops up`) and load the file again: it is loaded whole or not at all",
        ) from error


def lock_source(connection: psycopg.Connection, landed: LandedFile) -> None:
    """One loader per book and source, until the transaction ends."""
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"load {landed.book} {landed.source}",)
    )


def sha256_of(landed: LandedFile) -> str:
    """Hash of the file's content."""
    with landed.path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
