"""What of a book a build has to compute: everything, or what changed since the build before.

Raw rows that arrived since, and days that came, name the changed facilities; with each of them all
facilities that its customers ever held count as changed, because class, default and customer features look at
them together. A firm's bureau report touches all of its facilities, whose class may follow from it. The
lists stand in schema ``staging`` until the layer that reads them is built:

- ``changed_facility``: per layer; ``<layer>_due`` also holds those of which a day that came changes what
  is due or past due, and nothing else.
- ``changed_row``: keys of due items and payments that arrived.
- ``changed_panel``: month ends at which the panel differs from what it was, noted while it is built.

A book is built in full when it never was, when the definitions, the products or the way of asking
changed, or when an earlier day is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from creditops.books import end_of_day
from creditops.warehouse import definitions
from creditops.warehouse.layers import BUILT_LAYERS, SERVING

Scope = Literal["book", "changed"]

# Raw sources that make a facility changed, with their keys.
_SOURCES: Mapping[str, tuple[str, ...]] = {
    "facilities": ("facility_id", "effective_date"),
    "due_items": ("due_item_id",),
    "payments": ("payment_id",),
    "facility_snapshots": ("facility_id", "month_end"),
    "disputes": ("dispute_id",),
    "customers": ("customer_id", "effective_date"),
    "products": ("product_id", "effective_date"),
    "bureau_reports": ("report_id",),
    "bureau_tradelines": ("report_id", "tradeline_id"),
}
_LISTS = ("changed_facility", "changed_row", "changed_panel")
_DDL = """
create table if not exists staging.changed_facility (
    book text not null, layer text not null, facility_id text not null, facility_key bigint not null,
    customer_id text not null, primary key (book, layer, facility_id, customer_id));
do $$ begin
    if exists (select from pg_attribute where attrelid = 'staging.changed_facility'::regclass
        and attname = 'from_on' and not attisdropped) then
        alter table staging.changed_facility drop column from_on;
    end if;
end $$;
create table if not exists staging.changed_row (
    book text not null, source text not null, row_key text not null, primary key (book, source, row_key));
create table if not exists staging.changed_panel (
    book text not null, facility_id text not null, month_end date not null);
"""

_CHANGES = "changes of facilities"

# Every version of a changed row counts, so that a row that moved touches both of its facilities.
_CHANGED_FACILITIES = (
    """
    insert into staging.changed_row (book, source, row_key)
    select %(book)s, 'due_items', due_item_id from new_due_items
    union
    select %(book)s, 'payments', payment_id from new_payments
    on conflict do nothing
    """,
    """
    create temporary table touched on commit drop as
    select facility_id from new_facilities
    union
    select facility_id from new_facility_snapshots
    union
    select facility_id from raw.due_items
    where book = %(book)s and due_item_id = any(array(
        select due_item_id from new_due_items
        union
        select due_item_id from raw.disputes
        where book = %(book)s and dispute_id = any(array(select dispute_id from new_disputes))
    ))
    union
    select facility_id from raw.payments
    where book = %(book)s and payment_id = any(array(select payment_id from new_payments))
    union
    select facility_id from intermediate.int_facility_calendar
    where book = %(book)s and reviewed_on <= %(as_of)s
    union
    select facility_id from staging.base_quarantined_facility where book = %(book)s
    """,
    # A facility that was ever with several customers ties what is looked at together, so all of it counts.
    """
    create temporary table touched_customer on commit drop as
    with recursive told as (
        select distinct facility_id, customer_id from raw.facilities
        where book = %(book)s and facility_id = any(array(select facility_id from touched))
        union
        select facility_id, customer_id from intermediate.int_facility_holding
        where book = %(book)s and facility_key in (
            select facility_key from intermediate.int_facility_holding
            where book = %(book)s and from_on > '0001-01-01'
        )
    ), moved as (
        select facility_id from told group by facility_id having count(*) > 1
    ), tied as (
        select customer_id from told join touched using (facility_id)
        union
        select customer_id from new_customers
        union
        select customer_id from raw.customers
        where book = %(book)s and effective_date > %(before)s and effective_date <= %(as_of)s
        union
        select customer_id from raw.bureau_reports
        where book = %(book)s
            and report_id = any(array(
                select report_id from new_bureau_reports
                union
                select report_id from new_bureau_tradelines
            ))
            and customer_id = any(array(
                select customer_id from raw.customers
                where book = %(book)s
                    and customer_type = 'corporate'
                    and customer_id in (
                        select customer_id from intermediate.int_facility_holding where book = %(book)s
                    )
            ))
        union
        select other.customer_id
        from tied
        join told as one using (customer_id)
        join told as other on one.facility_id = other.facility_id
        where one.facility_id in (select facility_id from moved)
    )
    select customer_id from tied
    """,
    """
    create temporary table changed on commit drop as
    select facility_id, customer_id from raw.facilities
    where book = %(book)s and facility_id = any(array(select facility_id from touched))
    union
    select facility_id, customer_id from intermediate.int_facility_holding
    where book = %(book)s and customer_id = any(array(select customer_id from touched_customer))
    """,
    """
    insert into staging.changed_facility (book, layer, facility_id, facility_key, customer_id)
    select %(book)s, layer, facility_id, hashtextextended(facility_id, 0), customer_id
    from (
        select facility_id, customer_id, layer
        from changed
        join touched_customer using (customer_id)
        cross join unnest(
            array['intermediate', 'intermediate_due', 'marts', 'marts_due', 'features']
        ) as layers (layer)
        union
        select facility_id, customer_id, layer
        from intermediate.int_facility_calendar
        cross join unnest(array['intermediate_due', 'marts_due']) as layers (layer)
        where book = %(book)s and recounted_on <= %(as_of)s
    ) as listed
    on conflict do nothing
    """,
)


@dataclass(frozen=True)
class Request:
    """What a build is asked for."""

    book: str
    as_of: date
    known_at: datetime
    project: Path


@dataclass(frozen=True)
class Plan:
    """What a layer's build computes, why, and what raw held when it was planned."""

    scope: Scope
    reason: str
    batches: Mapping[str, int]
    ledger: str = "{}"


def plan(connection: psycopg.Connection, request: Request, layer: str, *, full_refresh: bool) -> Plan:
    """Decide the scope of a layer's build and, for ``intermediate``, list what changed.

    The caller holds the book's build lock. In autocommit mode each list is complete before the next.
    """
    _make_lists(connection)
    if layer == "intermediate":
        with connection.transaction():
            return _plan_first(connection, request, full_refresh)
    reason = _why_all_later(connection, request, layer, full_refresh)
    return Plan("book" if reason else "changed", reason or _CHANGES, {})


def done(
    connection: psycopg.Connection, request: Request, layer: str, plan_: Plan, *, schema_prefix: str = ""
) -> None:
    """Note that a layer was built, and strike its list; a build with a prefix has none."""
    with connection.transaction():
        note_built(connection, request, schema_prefix + layer, plan_)
        if schema_prefix:
            return
        connection.execute(
            "delete from staging.changed_facility where book = %s and layer = any(%s)",
            (request.book, [layer, f"{layer}_due"]),
        )
        if layer == "intermediate":
            connection.execute("delete from staging.changed_row where book = %s", (request.book,))
        if layer == "marts":
            connection.execute("delete from staging.changed_panel where book = %s", (request.book,))


def note_built(connection: psycopg.Connection, request: Request, layer: str, plan_: Plan) -> None:
    """Note for which day and time a layer, with its prefix if it has one, was built."""
    connection.execute(
        "insert into ops.build_state (book, layer, as_of, known_at, definition, batches, ledger)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict (book, layer) do update set"
        " as_of = excluded.as_of, known_at = excluded.known_at, definition = excluded.definition,"
        " batches = excluded.batches, ledger = excluded.ledger, built_at = clock_timestamp()",
        (
            request.book,
            layer,
            request.as_of,
            request.known_at,
            definition(request.project),
            Jsonb(dict(plan_.batches)),
            plan_.ledger,
        ),
    )


def forget(connection: psycopg.Connection, book: str) -> None:
    """Have the next build of a book compute everything; for acts that change raw rows in place."""
    _make_lists(connection)
    connection.execute(
        "delete from ops.build_state where book = %s and layer = any(%s)", (book, list(BUILT_LAYERS))
    )
    for name in _LISTS:
        connection.execute(
            sql.SQL("delete from staging.{} where book = %s").format(sql.Identifier(name)), (book,)
        )


def _make_lists(connection: psycopg.Connection) -> None:
    with connection.transaction():  # of two books' first builds one makes them
        connection.execute("select pg_advisory_xact_lock(hashtext('creditops.changed lists'))")
        connection.execute(_DDL)


def definition(project: Path) -> str:
    """Fingerprint of every definition that is built by what changed, and of the choices between them."""
    return f"{_fingerprint(project)} {json.dumps(definitions.variables(), sort_keys=True)}"


@lru_cache
def _fingerprint(project: Path) -> str:
    digest = hashlib.sha256()
    models = [each for each in project.glob("models/*/**/*.sql") if each.parts[-3] != SERVING]
    for path in sorted([*models, *project.glob("macros/**/*.sql")]):
        digest.update(str(path.relative_to(project)).encode())
        digest.update(path.read_bytes())
    digest.update((project / "dbt_project.yml").read_bytes())
    return digest.hexdigest()


def _plan_first(connection: psycopg.Connection, request: Request, full_refresh: bool) -> Plan:
    before = _state(connection, request.book, "intermediate")
    ledger = _ledger(connection, request.book)
    reason = _why_all(request, before, full_refresh)
    if reason is None and before is not None:
        arrived, batches = _list_new_rows(connection, request, before)
        reason = "a product changed" if arrived["products"] else _changed_type(connection, request.book)
        if reason is None:
            _list_changed_facilities(connection, request, before)
            return Plan("changed", _CHANGES, batches, ledger)
    forget(connection, request.book)
    return Plan("book", reason or "", _newest_batches(connection, request.book), ledger)


def _why_all(request: Request, before: _State | None, full_refresh: bool) -> str | None:
    if full_refresh:
        return "asked for"
    if before is None:
        return "never built"
    if before.definition != definition(request.project):
        return "definitions changed"
    if request.as_of < before.as_of:
        return "an earlier day"
    usual = (
        request.known_at == end_of_day(request.book, request.as_of),
        before.known_at == end_of_day(request.book, before.as_of),
    )
    return None if all(usual) else "an unusual knowledge time"


def _why_all_later(
    connection: psycopg.Connection, request: Request, layer: str, full_refresh: bool
) -> str | None:
    before = _state(connection, request.book, layer)
    reason = _why_all(request, before, full_refresh)
    if reason is None and before is not None and _closes_a_month(before.as_of, request.as_of):
        return "a month ends"
    return reason


def _closes_a_month(before: date, now: date) -> bool:
    """Whether a month end lies in the days after ``before``, up to ``now``."""
    first, last = before + timedelta(days=1), now + timedelta(days=1)
    return (first.year, first.month) != (last.year, last.month)


@dataclass(frozen=True)
class _State:
    as_of: date
    known_at: datetime
    definition: str
    batches: Mapping[str, int]
    ledger: str


def _state(connection: psycopg.Connection, book: str, layer: str) -> _State | None:
    row = connection.execute(
        "select as_of, known_at, definition, batches, ledger::text from ops.build_state"
        " where book = %s and layer = %s",
        (book, layer),
    ).fetchone()
    return None if row is None else _State(*row)


def _newest_batches(connection: psycopg.Connection, book: str) -> dict[str, int]:
    newest: dict[str, int] = {}
    for source in _SOURCES:
        row = connection.execute(
            sql.SQL("select coalesce(max(_batch_id), 0) from raw.{} where book = %s").format(
                sql.Identifier(source)
            ),
            (book,),
        ).fetchone()
        assert row is not None
        newest[source] = row[0]
    return newest


def _list_new_rows(
    connection: psycopg.Connection, request: Request, before: _State
) -> tuple[dict[str, int], dict[str, int]]:
    """Temporary tables ``new_<source>`` of the keys that arrived; how many, and the newest batches.

    A row is new if its batch is, or if it became known since. The batches of loads that were under
    way during the build before carry lower numbers than its newest: the ledger names them.
    """
    counts: dict[str, int] = {}
    newest = dict(before.batches)
    for source, key in _SOURCES.items():
        late = _batches_in_between(connection, request.book, source, before)
        columns = sql.SQL(", ").join(map(sql.Identifier, key))
        connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(_new(source)))
        counts[source] = connection.execute(
            sql.SQL(
                "create temporary table {new} on commit drop as select {key}, _batch_id from raw.{source}"
                " where book = {book} and loaded_at <= {known}"
                " and (_batch_id > {newest} or loaded_at > {known_before}{late})"
            ).format(
                new=_new(source),
                key=columns,
                source=sql.Identifier(source),
                book=sql.Literal(request.book),
                known=sql.Literal(request.known_at),
                newest=sql.Literal(before.batches.get(source, 0)),
                known_before=sql.Literal(before.known_at),
                late=sql.SQL(" or _batch_id = any({})").format(sql.Literal(late)) if late else sql.SQL(""),
            )
        ).rowcount
        row = connection.execute(
            sql.SQL("select coalesce(max(_batch_id), 0) from {}").format(_new(source))
        ).fetchone()
        assert row is not None
        newest[source] = max(newest.get(source, 0), row[0])
    return counts, newest


def _batches_in_between(connection: psycopg.Connection, book: str, source: str, before: _State) -> list[int]:
    """Batches numbered below the newest one of the build before that it did not see."""
    rows = connection.execute(
        "select batch_id from ops.load_ledger where book = %s and source = %s"
        " and status in ('loaded', 'withdrawal') and batch_id <= %s and not batch_id <@ %s::int8multirange",
        (book, source, before.batches.get(source, 0), before.ledger),
    ).fetchall()
    return [row[0] for row in rows]


def _ledger(connection: psycopg.Connection, book: str) -> str:
    row = connection.execute(
        "select coalesce(range_agg(int8range(batch_id, batch_id + 1)), '{}')::text from ops.load_ledger"
        " where book = %s and status in ('loaded', 'withdrawal')",
        (book,),
    ).fetchone()
    assert row is not None
    return str(row[0])


def _changed_type(connection: psycopg.Connection, book: str) -> str | None:
    """Why segments of the past change, if they do."""
    row = connection.execute(
        "select customer_id from new_customers"
        " join raw.customers using (customer_id, effective_date, _batch_id)"
        " join intermediate.int_facility using (book, customer_id)"
        " where book = %s and int_facility.customer_type is distinct from customers.customer_type"
        " order by customer_id limit 1",
        (book,),
    ).fetchone()
    return None if row is None else f"customer {row[0]} is of another type"


def _list_changed_facilities(connection: psycopg.Connection, request: Request, before: _State) -> None:
    parameters = {"book": request.book, "as_of": request.as_of, "before": before.as_of}
    for statement in _CHANGED_FACILITIES:
        connection.execute(statement, parameters)


def _new(source: str) -> sql.Identifier:
    return sql.Identifier(f"new_{source}")
