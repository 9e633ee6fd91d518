"""What each role may do in the warehouse, declared in one place and applied as declared.

:func:`apply` takes away what is not declared; :func:`granted` reads from the catalogue what is granted.
``docs/grants.md`` shows what is declared, and a test holds both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from creditops.warehouse.layers import BUILT_LAYERS

SCHEMAS = (
    "ops",
    "raw",
    "staging",
    "intermediate",
    "marts",
    "features",
    "scoring",
    "actions",
    "serving",
    "published",
    "publish",
)
BUILT_SCHEMAS = ("staging", "intermediate", "marts", "features", "serving")
VERBS = ("select", "insert", "update", "delete", "truncate")


@dataclass(frozen=True)
class Rights:
    """Verbs on every table of a schema, and beyond them on single tables; ``create`` tables in it.

    A verb with columns, ``update (status, closed_at)``, is granted on those columns alone.
    """

    all_tables: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)
    create: bool = False


_LOGS = {
    "run_log": "insert",
    "audit": "insert (action, actor, object, before, after, reason)",
    "failure": "insert",
    "operations_warning": "insert",
    "alert": "insert, update (sent_at)",
}
_GATE = {"gate_result": "insert, delete"}
RIGHTS: Mapping[str, Mapping[str, Rights]] = {
    "loader": {
        "raw": Rights("select, insert, delete"),
        "ops": Rights(
            "select",
            {
                **_LOGS,
                "load_ledger": "insert, update",
                "load_warning": "insert",
                "quarantine": "insert, update (status, closed_at, closed_by, closed_reason)",
                "undeclared_cells": "insert, delete",
                "fetch_ledger": "insert",
                "freshness": "insert, update",
            },
        ),
    },
    "builder": {
        **dict.fromkeys(("raw", "scoring", "actions"), Rights("select")),
        "ops": Rights("select", {**_LOGS, **_GATE, "build_state": "insert, update, delete"}),
        **dict.fromkeys(BUILT_SCHEMAS, Rights("select, insert, update, delete, truncate", create=True)),
    },
    "modeller": {
        **dict.fromkeys(BUILT_LAYERS, Rights("select")),
        "scoring": Rights(
            "select",
            {
                **dict.fromkeys(
                    ("customer_scores", "model_monitoring", "shadow_scores"), "insert, update, delete"
                ),
                "grade_override": "insert, update (ended_on, ended_by, end_reason)",
            },
        ),
        "ops": Rights("select", {**_LOGS, "model_version": "insert", "model_decision": "insert"}),
    },
    "publisher": {
        **dict.fromkeys(("marts", "features", "scoring", "serving", "publish"), Rights("select")),
        "actions": Rights("select, insert, update, delete"),
        "published": Rights("select, insert"),
        "ops": Rights(
            "select",
            {
                **_LOGS,
                **_GATE,
                "book_turn": "insert, update, delete",
                "publication_history": "insert (publication_id, book, as_of_date, known_at, code_version,"
                " models, policy_version)",
            },
        ),
    },
    "bi_reader": {"publish": Rights("select")},
}
#: Who may analyse and vacuum the tables of a schema that somebody else owns.
MAINTAINERS: Mapping[str, str] = {
    "raw": "loader",
    "scoring": "modeller",
    "actions": "publisher",
    "published": "publisher",
}
#: Functions that act with the owner's rights, and who may call them.
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "ops.record_gate(text, jsonb, boolean)": ("publisher",),
    "ops.flip(text, boolean, text, text)": ("publisher",),
    "ops.purge_publications(text[], text, text)": ("publisher",),
    "ops.thin_out(text, integer, text)": ("publisher",),
    "ops.set_reader_back(text)": ("publisher",),
    "ops.make_build_schema(text)": ("builder",),
}


def apply(connection: psycopg.Connection) -> None:
    """Grant what is declared and nothing else, as the owner of the warehouse."""
    database = sql.Identifier(connection.info.dbname)
    connection.execute("revoke all on schema public from public")
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    for role, schemas in RIGHTS.items():
        grantee = sql.Identifier(role)
        connection.execute(sql.SQL("revoke all on database {} from {}").format(database, grantee))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(database, grantee))
        if role != "bi_reader":
            connection.execute(sql.SQL("grant temporary on database {} to {}").format(database, grantee))
        for schema in SCHEMAS:
            _grant(connection, schema, role, schemas.get(schema))
    if connection.info.server_version >= 170000:  # before 17 only an owner may analyse
        for schema, role in MAINTAINERS.items():
            connection.execute(
                sql.SQL("grant maintain on all tables in schema {} to {}").format(
                    sql.Identifier(schema), sql.Identifier(role)
                )
            )
    for function, callers in FUNCTIONS.items():
        name = sql.SQL(function)  # type: ignore[arg-type]
        connection.execute(sql.SQL("revoke all on function {} from public").format(name))
        for role in callers:
            connection.execute(
                sql.SQL("grant execute on function {} to {}").format(name, sql.Identifier(role))
            )


def apply_to_new(connection: psycopg.Connection, schema: str, table: str) -> None:
    """Grant on a table just made what is declared for all tables of its schema."""
    place = sql.Identifier(schema, table)
    for role, schemas in RIGHTS.items():
        if rights := schemas.get(schema):
            verbs = sql.SQL(rights.all_tables)  # type: ignore[arg-type]
            connection.execute(sql.SQL("grant {} on {} to {}").format(verbs, place, sql.Identifier(role)))
            if role == MAINTAINERS.get(schema) and connection.info.server_version >= 170000:
                connection.execute(sql.SQL("grant maintain on {} to {}").format(place, sql.Identifier(role)))


Cell = tuple[str, str, str]


def granted(connection: psycopg.Connection) -> dict[Cell, str]:
    """What the catalogue grants: verbs by role, schema and table; columns in brackets where not on all."""
    rows = connection.execute(
        "select g.rolname, n.nspname, c.relname, lower(a.privilege_type), a.attname from pg_class as c"
        " join pg_namespace as n on n.oid = c.relnamespace cross join lateral ("
        "   select grantee, privilege_type, null::name as attname from aclexplode(c.relacl)"
        "   union all select x.grantee, x.privilege_type, t.attname from pg_attribute as t"
        "   cross join lateral aclexplode(t.attacl) as x where t.attrelid = c.oid and not t.attisdropped"
        " ) as a join pg_roles as g on g.oid = a.grantee"
        " where g.rolname = any(%(roles)s) and n.nspname = any(%(schemas)s) and c.relkind in ('r', 'v', 'p')"
        " and lower(a.privilege_type) = any(%(verbs)s) order by 1, 2, 3, 4, 5 nulls first",
        {"roles": list(RIGHTS), "schemas": list(SCHEMAS), "verbs": list(VERBS)},
    ).fetchall()
    found: dict[Cell, dict[str, list[str]]] = {}
    for role, schema, table, verb, column in rows:
        columns = found.setdefault((role, schema, table), {}).setdefault(verb, [])
        if column:
            columns.append(column)
    return {cell: _worded(verbs) for cell, verbs in found.items()}


def expected(connection: psycopg.Connection) -> dict[Cell, str]:
    """What :data:`RIGHTS` say for the tables there are, in the form of :func:`granted`."""
    tables = connection.execute(
        "select table_schema, table_name from information_schema.tables where table_schema = any(%s)",
        (list(SCHEMAS),),
    ).fetchall()
    found = {}
    for role, schemas in RIGHTS.items():
        for schema, table in tables:
            rights = schemas.get(schema, Rights())
            verbs = dict(_verbs(rights.all_tables)) | dict(_verbs(rights.tables.get(table, "")))
            if verbs:
                found[role, schema, table] = _worded(verbs)
    return found


def page() -> str:
    """:data:`RIGHTS` and :data:`FUNCTIONS` as the tables of ``docs/grants.md``."""
    lines = ["| role | schema | tables | may |", "|---|---|---|---|"]
    for role, schemas in RIGHTS.items():
        for schema, rights in schemas.items():
            may = rights.all_tables + (", create tables" if rights.create else "")
            lines.append(f"| `{role}` | `{schema}` | all | {may} |")
            lines += [f"| | | `{table}` | also {verbs} |" for table, verbs in sorted(rights.tables.items())]
    lines += ["", "| function with the owner's rights | called by |", "|---|---|"]
    lines += [
        f"| `{name}` | {', '.join(f'`{each}`' for each in callers)} |" for name, callers in FUNCTIONS.items()
    ]
    return "\n".join(lines) + "\n"


def _grant(connection: psycopg.Connection, schema: str, role: str, rights: Rights | None) -> None:
    place, grantee = sql.Identifier(schema), sql.Identifier(role)
    connection.execute(sql.SQL("revoke all on schema {} from {}").format(place, grantee))
    own = schema in BUILT_SCHEMAS and role == "builder"  # its tables are its own
    if not own:
        connection.execute(sql.SQL("revoke all on all tables in schema {} from {}").format(place, grantee))
    if rights is None:
        return
    usage = sql.SQL("usage, create" if rights.create else "usage")
    connection.execute(sql.SQL("grant {} on schema {} to {}").format(usage, place, grantee))
    if own:
        return
    granted = sql.SQL(rights.all_tables)  # type: ignore[arg-type]
    connection.execute(sql.SQL("grant {} on all tables in schema {} to {}").format(granted, place, grantee))
    if schema in BUILT_SCHEMAS:
        connection.execute(
            sql.SQL("alter default privileges for role builder in schema {} grant {} on tables to {}").format(
                place, granted, grantee
            )
        )
    for table, verbs in rights.tables.items():
        connection.execute(
            sql.SQL("grant {} on {} to {}").format(
                sql.SQL(verbs),  # type: ignore[arg-type]
                sql.Identifier(schema, table),
                grantee,
            )
        )


def _verbs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Verbs of a grant and the columns of each, none for all."""
    for verb, columns in re.findall(r"(\w+)(?:\s*\(([^)]*)\))?", text):
        yield verb, [each.strip() for each in columns.split(",") if each.strip()]


def _worded(verbs: Mapping[str, list[str]]) -> str:
    return ", ".join(
        f"{verb} ({', '.join(sorted(verbs[verb]))})" if verbs[verb] else verb
        for verb in VERBS
        if verb in verbs
    )
