"""Keeps published tables and their views in step with the contracts of layer ``serving``.

What loses nothing is done: a new column is added to the table (null in the rows already there), whole
numbers become wider ones, a table without rows follows its contract whatever that says, and a view is made
anew, with the rights on it and the views that stand on it. A table with rows is never re-typed and its key
never changes; nor is a view made anew while another one stands on a column that would go. Such a
:class:`Difference` is said, and nothing is published while there is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from creditops.publish.tables import PublishedTable, load_tables
from creditops.warehouse.raw_tables import SPELLED_OUT, WIDER

_BLOCKED = (
    psycopg.ProgrammingError,
    psycopg.errors.UniqueViolation,
    psycopg.errors.DependentObjectsStillExist,
)
Shape = dict[str, str]
"""Types by column, in their order."""
_PLATFORM: Shape = {"publication_id": "text", "as_of_date": "date", "book": "text"}
_MAKE_ANEW = "`creditops up` brings it up to date, or says what stands in its way"
_GIVE_UP = (
    "go on with the version of creditops that published these rows; or give them up: `truncate published.{}`"
    " as the owner of the warehouse, then `creditops up`, and publish again"
)


class _InTheWayError(Exception):
    """A view that stands on one of the platform's cannot be made again."""


@dataclass(frozen=True)
class Difference:
    """What a published table or view is, what it should be, and what to do.

    Attributes
    ----------
    place: ``published.<table>`` or ``publish.<view>``, with the column where it is about one.
    now, wanted: as a person reads them.
    with_rows: it cannot be mended while the table has rows.
    """

    place: str
    now: str
    wanted: str
    remedy: str
    with_rows: bool = False

    def sentence(self) -> str:
        """It in one line."""
        return f"{self.place} is {self.now} but should be {self.wanted}: {self.remedy}"


@dataclass(frozen=True)
class _Catalogue:
    """What is there: columns of the tables and views of the two schemas, and columns of the tables' keys."""

    columns: Mapping[tuple[str, str], Shape]
    keys: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _View:
    """A view as it is now, to be made again.

    ``about``: statements on its rights and comments, with the column that each is about.
    """

    name: str
    definition: str
    owner: str
    options: list[str] | None
    about: list[tuple[str | None, str]] = field(default_factory=list)


def bring_up(connection: psycopg.Connection) -> list[Difference]:
    """Bring every published table and view up to its contract, as the owner of the warehouse.

    Returns
    -------
    What stays as it was, and why.
    """
    left: list[Difference] = []
    catalogue = _read(connection)
    for table in load_tables().values():
        try:
            with connection.transaction():
                left += _bring_up(connection, table, catalogue)
        except (*_BLOCKED, _InTheWayError) as error:
            left.append(_blocked(table, error))
    _bar(connection)
    return left


def _bar(connection: psycopg.Connection) -> None:
    """Give the barrier to views that an earlier version made without."""
    open_views = connection.execute(
        "select relname from pg_class where relnamespace = 'publish'::regnamespace and relkind = 'v'"
        " and relname = any(%s) and not 'security_barrier=true' = any(coalesce(reloptions, '{}'))",
        (list(load_tables()),),
    ).fetchall()
    for (name,) in open_views:
        connection.execute(
            sql.SQL("alter view {} set (security_barrier = true)").format(sql.Identifier("publish", name))
        )


def differences(connection: psycopg.Connection) -> list[Difference]:
    """Every published table and view that is not what its contract says; for any role, changes nothing."""
    catalogue = _read(connection)
    return [each for table in load_tables().values() for each in _compare(table, catalogue)]


def _compare(table: PublishedTable, catalogue: _Catalogue) -> Iterator[Difference]:
    columns = catalogue.columns.get(("published", table.name))
    if columns is None:
        yield Difference(f"published.{table.name}", "missing", "a table", _MAKE_ANEW)
        return
    give_up = _GIVE_UP.format(table.name)
    wanted = _wanted(table)
    for name, type_ in wanted.items():
        place = f"published.{table.name}.{name}"
        if name not in columns:
            yield Difference(place, "missing", type_, _MAKE_ANEW)
        elif columns[name] != type_:
            wider = type_ in WIDER.get(columns[name], ()) and name not in table.key
            yield Difference(place, columns[name], type_, _MAKE_ANEW if wider else give_up, not wider)
    key = catalogue.keys.get(table.name)
    if key != (unique := ("publication_id", *table.key)):
        yield Difference(
            f"the key of published.{table.name}",
            f"({', '.join(key)})" if key else "missing",
            f"({', '.join(unique)})",
            give_up if key else _MAKE_ANEW,
            key is not None,
        )
    shown = catalogue.columns.get(("publish", table.name))
    if shown is not None:  # a type that the table has as well is said of the table
        shown = {
            name: wanted[name] if name in wanted and columns.get(name) == type_ else type_
            for name, type_ in shown.items()
        }
    yield from _compare_view(table, wanted, shown)


def _compare_view(table: PublishedTable, wanted: Shape, now: Shape | None) -> Iterator[Difference]:
    view = f"publish.{table.name}"
    if now is None:
        yield Difference(view, "missing", "a view", _MAKE_ANEW)
        return
    for name in {**wanted, **now}:
        if wanted.get(name) != now.get(name):
            is_, should = now.get(name, "missing"), wanted.get(name, "not there")
            yield Difference(f"{view}.{name}", is_, should, _MAKE_ANEW)
    if set(now) == set(wanted) and list(now) != list(wanted):
        yield Difference(
            view, f"in the order {', '.join(now)}", f"in the order {', '.join(wanted)}", _MAKE_ANEW
        )


def _bring_up(
    connection: psycopg.Connection, table: PublishedTable, catalogue: _Catalogue
) -> list[Difference]:
    place = sql.Identifier("published", table.name)
    found = [] if ("published", table.name) not in catalogue.columns else list(_compare(table, catalogue))
    kept = [each for each in found if each.with_rows]
    if kept and not _is_empty(connection, table):
        return kept
    now = catalogue.columns.get(("published", table.name), {})
    view = catalogue.columns.get(("publish", table.name), {})
    wanted = _wanted(table)
    retyped = any(now.get(name, type_) != type_ for name, type_ in wanted.items())
    grows = list(wanted)[: len(view)] == list(view) and all(wanted[name] == view[name] for name in view)
    aside: list[_View] = []
    if view and (retyped or kept or not grows):
        aside = _set_aside(connection, table)
    if kept:
        connection.execute(sql.SQL("drop table {}").format(place))
        now = {}
    if now:
        _alter(connection, table, now)
    else:
        _create(connection, table)
    connection.execute(
        sql.SQL("create unique index if not exists {} on {} (publication_id, {})").format(
            sql.Identifier(f"{table.name}_key"), place, sql.SQL(", ").join(map(sql.Identifier, table.key))
        )
    )
    connection.execute(
        sql.SQL(
            "create or replace trigger candidates_only after insert on {}"
            " referencing new table as added for each statement execute function ops.refuse_gated()"
        ).format(place)
    )
    _create_view(connection, table)
    _make_again(connection, aside, table)
    return []


def _create(connection: psycopg.Connection, table: PublishedTable) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {} {}").format(
            sql.Identifier(name),
            sql.SQL(type_),  # type: ignore[arg-type]
            sql.SQL("not null" if name in _PLATFORM else ""),
        )
        for name, type_ in _wanted(table).items()
    )
    connection.execute(
        sql.SQL("create table {} ({})").format(sql.Identifier("published", table.name), columns)
    )


def _alter(connection: psycopg.Connection, table: PublishedTable, now: Shape) -> None:
    """Add and widen columns; one that is no longer published stays, and may be empty from now on."""
    wanted = _wanted(table)
    changes = [
        sql.SQL("add column {} {}" if name not in now else "alter column {} type {}").format(
            sql.Identifier(name),
            sql.SQL(type_),  # type: ignore[arg-type]
        )
        for name, type_ in wanted.items()
        if now.get(name) != type_
    ]
    changes += [
        sql.SQL("alter column {} drop not null").format(sql.Identifier(name))
        for name in now
        if name not in wanted
    ]
    if changes:
        connection.execute(
            sql.SQL("alter table {} {}").format(
                sql.Identifier("published", table.name), sql.SQL(", ").join(changes)
            )
        )


def _create_view(connection: psycopg.Connection, table: PublishedTable) -> None:
    connection.execute(
        sql.SQL(
            # The barrier keeps a reader's own expressions from rows that no publication shows.
            "create or replace view {} with (security_barrier = true) as select {} from {} as rows"
            " join ops.publication as current on current.publication_id = rows.publication_id"
        ).format(
            sql.Identifier("publish", table.name),
            sql.SQL(", ").join(sql.SQL("rows.{}").format(sql.Identifier(each)) for each in _wanted(table)),
            sql.Identifier("published", table.name),
        )
    )


def _set_aside(connection: psycopg.Connection, table: PublishedTable) -> list[_View]:
    """Drop a view and the views that stand on it; what is needed to make these and its rights again, the
    view itself first.
    """
    found = connection.execute(
        "with recursive standing as ("
        " select to_regclass(format('publish.%%I', %s::text))::oid as oid, 0 as depth union"
        " select r.ev_class, s.depth + 1 from standing as s join pg_depend as d on d.refobjid = s.oid"
        "  and d.refclassid = 'pg_class'::regclass and d.classid = 'pg_rewrite'::regclass"
        " join pg_rewrite as r on r.oid = d.objid where r.ev_class <> s.oid)"
        " select c.oid, format('%%I.%%I', n.nspname, c.relname), pg_get_viewdef(c.oid),"
        " c.relowner::regrole::text, c.reloptions from pg_class as c join pg_namespace as n"
        " on n.oid = c.relnamespace join (select oid, max(depth) as depth from standing group by oid) as s"
        " on s.oid = c.oid where c.relkind = 'v' order by s.depth, c.oid",
        (table.name,),
    ).fetchall()
    views = [
        _View(name, definition, owner, options, _about(connection, oid, name))
        for oid, name, definition, owner, options in found
    ]
    for view in reversed(views):
        connection.execute(sql.SQL("drop view " + view.name))  # type: ignore[arg-type]
    return views


def _about(connection: psycopg.Connection, oid: int, name: str) -> list[tuple[str | None, str]]:
    """Rights on a view and comments on it, as statements."""
    return connection.execute(
        "with rights as ("
        " select null::name as attname, a.* from pg_class as c, aclexplode(c.relacl) as a"
        "  where c.oid = %(oid)s and a.grantee <> c.relowner union all"
        " select t.attname, a.* from pg_attribute as t, aclexplode(t.attacl) as a where t.attrelid = %(oid)s)"
        " select attname::text, format('grant %%s%%s on %%s to %%s%%s', privilege_type,"
        "  case when attname is null then '' else format(' (%%I)', attname) end, %(name)s::text,"
        "  case grantee when 0 then 'public' else grantee::regrole::text end,"
        "  case when is_grantable then ' with grant option' else '' end) from rights union all"
        " select t.attname::text, case when d.objsubid = 0"
        "  then format('comment on view %%s is %%L', %(name)s::text, d.description)"
        "  else format('comment on column %%s.%%I is %%L', %(name)s::text, t.attname, d.description) end"
        " from pg_description as d left join pg_attribute as t on t.attrelid = d.objoid"
        "  and t.attnum = d.objsubid and d.objsubid > 0"
        " where d.objoid = %(oid)s and d.classoid = 'pg_class'::regclass",
        {"oid": oid, "name": name},
    ).fetchall()


def _make_again(connection: psycopg.Connection, views: list[_View], table: PublishedTable) -> None:
    """Make the views that stood on a new one again; the first of ``views`` is the new one."""
    for number, view in enumerate(views):
        if number:
            options = f" with ({', '.join(view.options)})" if view.options else ""
            try:
                connection.execute(f"create view {view.name}{options} as {view.definition}")  # type: ignore[call-overload]
            except _BLOCKED as error:
                raise _InTheWayError(f"{view.name} stands on it: {error.diag.message_primary}") from error
            connection.execute(f"alter view {view.name} owner to {view.owner}")  # type: ignore[call-overload]
        for column, statement in view.about:
            if number or column is None or column in _wanted(table):
                connection.execute(statement)  # type: ignore[call-overload]


def _blocked(table: PublishedTable, error: Exception) -> Difference:
    said = [str(error)]
    if isinstance(error, psycopg.Error):
        said = [error.diag.message_primary or "", error.diag.message_detail or ""]
    return Difference(
        f"publish.{table.name} with its table",
        f"as it was ({'; '.join(filter(None, said))})",
        "as its contract says",
        "mend that, or drop what stands on the view, then `creditops up`",
    )


def _is_empty(connection: psycopg.Connection, table: PublishedTable) -> bool:
    place = sql.Identifier("published", table.name)
    return connection.execute(sql.SQL("select not exists (select from {})").format(place)).fetchone() == (
        True,
    )


def _wanted(table: PublishedTable) -> Shape:
    """The columns that table and view should have, with types as PostgreSQL spells them."""
    own = {column.name: SPELLED_OUT.get(column.type, column.type) for column in table.columns}
    return {**_PLATFORM, **own}


def _read(connection: psycopg.Connection) -> _Catalogue:
    """What the catalogue says of every table and view."""
    columns: dict[tuple[str, str], Shape] = defaultdict(dict)
    for schema, name, column, type_ in connection.execute(
        "select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute as a"
        " join pg_class as c on c.oid = a.attrelid join pg_namespace as n on n.oid = c.relnamespace"
        " where (n.nspname, c.relkind) in (('published', 'r'), ('publish', 'v')) and a.attnum > 0"
        " and not a.attisdropped order by 1, 2, a.attnum"
    ).fetchall():
        columns[schema, name][column] = type_
    keys = connection.execute(
        "select c.relname, array_agg(a.attname::text order by k.at) from pg_index as i"
        " join pg_class as c on c.oid = i.indrelid join pg_class as x on x.oid = i.indexrelid"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " cross join lateral unnest(i.indkey) with ordinality as k (attnum, at)"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum"
        " where n.nspname = 'published' and i.indisunique and x.relname = c.relname || '_key' group by 1"
    ).fetchall()
    return _Catalogue(dict(columns), {name: tuple(key) for name, key in keys})
