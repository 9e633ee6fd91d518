"""Housekeeping: old publications go, tables are vacuumed, sources that stay away are noticed."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from creditops import clock
from creditops.build import drop_build, write_docs
from creditops.identity import current_actor
from creditops.ingest.check import freshness
from creditops.past_day import PREFIX
from creditops.publish.tables import load_tables
from creditops.settings import get_settings
from creditops.warehouse import readers
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import BUILT_LAYERS, SERVING
from creditops.warehouse.run_log import step

# Which role keeps which schemas in shape: each the tables it owns or may maintain.
_KEEPERS = (("loader", ("raw",)), ("builder", (*BUILT_LAYERS, SERVING)))


@dataclass(frozen=True)
class Maintenance:
    """What was done: publications removed with their rows, tables vacuumed, builds of past days dropped;
    and how many sources are overdue today.
    """

    publications_removed: int
    tables_vacuumed: int
    past_days_dropped: int = 0
    sources_overdue: int = 0


def maintain() -> Maintenance:
    """Remove publications past their retention, then vacuum and analyse; safe at any time.

    The current publication of a book, and the last one of every month, are never removed; of tables that
    say so (``kept_publications``) the rows of older ones are.
    """
    with step("maintain.publications", role="publisher") as running:
        running.rows = removed = _remove_old_publications()
    with step("maintain.thin_out", role="publisher") as running:
        running.rows = thin_out()
    with step("maintain.vacuum", role="publisher") as running:
        running.rows = vacuumed = sum(_vacuum(role, schemas) for role, schemas in _KEEPERS)
    with step("maintain.past_days", role="publisher") as running:
        running.rows = dropped = _drop_past_days()
    with step("maintain.reader", role="publisher") as running:
        running.rows = int(readers.set_password_back())
    with step("maintain.docs", role="publisher"):
        write_docs()
    with step("maintain.freshness", role="loader") as running:
        running.rows = overdue = freshness.watch(clock.now())
    return Maintenance(removed, vacuumed, dropped, overdue)


def _drop_past_days() -> int:
    """Schemas of past days serve the run they were built for, and what looks into it, for a day."""
    with connect("builder") as connection:
        found = connection.execute(
            "select distinct regexp_replace(layer, '(intermediate|marts|features)$', '') from ops.build_state"
            " where layer like %s group by 1 having max(built_at) < clock_timestamp() - interval '1 day'",
            (PREFIX.replace("_", r"\_") + "%",),
        ).fetchall()
    for (prefix,) in found:
        drop_build(prefix)
    return len(found)


def _remove_old_publications() -> int:
    with connect("publisher") as connection:
        rows = connection.execute(
            "select publication_id from ops.publication_history h"
            " where created_at < clock_timestamp() - make_interval(days => %s)"
            " and not exists (select from ops.publication p where p.publication_id = h.publication_id)"
            " and publication_id not in (select distinct on (book, date_trunc('month', as_of_date))"
            "   publication_id from ops.publication_history where status = 'published'"
            "   order by book, date_trunc('month', as_of_date), as_of_date desc, published_at desc,"
            "   publication_id)"
            " and status <> 'removed'",
            (get_settings().publication_retention_days,),
        ).fetchall()
        old = [row[0] for row in rows]
        connection.execute(
            "select ops.purge_publications(%s, %s, %s)",
            (old, current_actor(), f"older than {get_settings().publication_retention_days} days"),
        )
    return len(old)


def thin_out() -> int:
    """Remove rows of large tables from all but a book's newest publications; how many rows."""
    removed = 0
    with connect("publisher") as connection:
        for table in load_tables().values():
            if table.kept_publications is None:
                continue
            row = connection.execute(
                "select ops.thin_out(%s, %s, %s)", (table.name, table.kept_publications, current_actor())
            ).fetchone()
            removed += row[0] if row else 0
    return removed


def _vacuum(role: str, schemas: tuple[str, ...]) -> int:
    with connect(role, autocommit=True) as connection:
        tables = connection.execute(
            "select schemaname, relname from pg_stat_user_tables where schemaname = any(%s) order by 1, 2",
            (list(schemas),),
        ).fetchall()
        for schema, table in tables:
            connection.execute(
                sql.SQL("vacuum (analyze, skip_locked) {}.{}").format(
                    sql.Identifier(schema), sql.Identifier(table)
                )
            )
    return len(tables)
