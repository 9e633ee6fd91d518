"""``ops.run_log``: what every step of a run did, in rows and seconds.

The benchmark ``demo`` and the operations page read it; a step's seconds are its own work,
without the scheduler around it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date

import psycopg

from creditops.warehouse.connection import connect


@dataclass
class Step:
    """A running step; set :attr:`rows` before it ends."""

    rows: int | None = None


def current_run_id() -> str:
    """The run this process works for: ``CREDITOPS_RUN_ID``, set by the DAGs, else ``local``."""
    return os.environ.get("CREDITOPS_RUN_ID", "local")


def record(
    step: str,
    rows: int | None,
    seconds: float,
    *,
    book: str | None = None,
    as_of: date | None = None,
    role: str = "builder",
    scope: str | None = None,
    connection: psycopg.Connection | None = None,
) -> None:
    """Append one line to ``ops.run_log``.

    Parameters
    ----------
    step: dotted name, for example ``dbt.marts.fct_facility_month``.
    rows: rows written, or ``None`` where a count has no meaning.
    seconds: wall seconds of the step's own work.
    role: warehouse role of the caller.
    scope: whether it worked on all of the book or on what changed, where that makes a difference.
    connection: an open one of the caller to write with; by default one of its own.
    """
    with connect(role) if connection is None else nullcontext(connection) as writer:
        writer.execute(
            "insert into ops.run_log (run_id, step, rows, seconds, book, as_of_date, scope)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            (current_run_id(), step, rows, round(seconds, 4), book, as_of, scope),
        )


@contextmanager
def step(
    name: str, *, book: str | None = None, as_of: date | None = None, role: str = "builder"
) -> Iterator[Step]:
    """Time a block and log it when it ends well."""
    started = time.perf_counter()
    running = Step()
    yield running
    record(name, running.rows, time.perf_counter() - started, book=book, as_of=as_of, role=role)
