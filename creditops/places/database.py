"""Fetches the rows of queries from a SQL database, streamed, from a watermark on.

A query's rows go to one CSV file of the landing zone, server-side cursor to disk; the watermark moves
only after the file has landed, so that a crash fetches the same rows again and never skips any.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from creditops.books import today
from creditops.errors import ServiceUnreachableError, UsageError
from creditops.places.credentials import airflow_connection, from_environment
from creditops.places.fetched import Fetched, landed_name, landing_file, last_watermark, remember
from creditops.places.place import Database, Query
from creditops.settings import get_settings
from creditops.sources.contract import load_contract


def fetch_rows(place: Database, book: str, day: date | None) -> Iterator[Fetched]:
    """Run every query of the place; one that brings no row lands nothing.

    Raises
    ------
    ServiceUnreachableError: the database does not answer.
    UsageError: a query is faulty, or the URL is not set.
    """
    from sqlalchemy import create_engine

    url = from_environment(place.url_env, f"place {place.place}") or airflow_connection(place.connection).uri
    if url is None:
        raise UsageError(f"place {place.place} names no database", hint="add `url_env` or `connection`")
    engine = create_engine(_with_driver(url), pool_pre_ping=False)
    try:
        for number, query in enumerate(place.queries):
            fetched = _fetch_query(engine, place, query, f"{number}:{query.source}", book, day)
            if fetched is not None:
                remember(fetched)
                yield fetched
    finally:
        engine.dispose()


def _with_driver(url: str) -> str:
    """A PostgreSQL URL for the driver that is installed."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _fetch_query(
    engine: Any, place: Database, query: Query, item: str, book: str, day: date | None
) -> Fetched | None:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    started = time.perf_counter()
    load_contract(query.source, book)
    before = last_watermark(book, place.place, item) or query.start
    parameters: dict[str, Any] = {}
    if ":watermark" in query.query:
        if before is None:
            raise UsageError(
                f"place {place.place}, query of {query.source}: `:watermark` has no first value",
                hint='add `start`, e.g. start: "2000-01-01"',
            )
        parameters["watermark"] = _typed(before)
    try:
        with engine.connect() as connection:
            rows = connection.execution_options(stream_results=True, yield_per=place.chunk_rows).execute(
                text(query.query), parameters
            )
            names = list(rows.keys())
            if query.watermark is not None and query.watermark not in names:
                raise UsageError(
                    f"place {place.place}, query of {query.source}: it gives no column {query.watermark!r}",
                    hint=f"select it; the query gives {', '.join(names)}",
                )
            chunks = rows.partitions(place.chunk_rows)
            first = next(chunks, None)
            if not first:
                return None
            delivery = day or today(book)
            fingerprint = f"{before or ''}@{delivery}"
            name = landed_name(query.source, place.place, item, fingerprint, ".csv")
            with landing_file(book, delivery, name) as (stream, target):
                count, last = _write(stream, names, query.watermark, first, chunks)
                size = stream.tell()
    except OperationalError as error:
        raise ServiceUnreachableError(
            f"place {place.place} does not answer: {_first_line(error)}", hint="check its URL and rights"
        ) from error
    except SQLAlchemyError as error:
        raise UsageError(
            f"place {place.place}, query of {query.source}: {_first_line(error)}", hint="mend the query"
        ) from error
    return Fetched(
        book=book,
        place=place.place,
        item=item,
        fingerprint=fingerprint,
        source=query.source,
        delivery=delivery,
        file=str(target.relative_to(get_settings().landing)),
        bytes=size,
        seconds=time.perf_counter() - started,
        rows=count,
        watermark=last or before,
    )


def _write(
    stream: Any, names: list[str], watermark: str | None, first: Any, chunks: Any
) -> tuple[int, str | None]:
    """Rows as CSV; how many there were and the greatest watermark."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    at = names.index(watermark) if watermark else None
    count, last = 0, None
    chunk = first
    while chunk:
        writer.writerows([[_cell(value) for value in row] for row in chunk])
        count += len(chunk)
        if at is not None:
            seen = [row[at] for row in chunk if row[at] is not None]
            last = max([*seen, *([last] if last is not None else [])], default=last)
        chunk = next(chunks, None)
    text.flush()
    text.detach()
    return count, None if last is None else _cell(last)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat(*([" "] if isinstance(value, datetime) else []))
    return str(value)


def _typed(watermark: str) -> Any:
    """A stored watermark as number, time or text, so that the database compares it as such."""
    try:
        return int(watermark)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(watermark)
    except ValueError:
        return watermark


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
