"""Evaluating the rules for a book and a day, and the snapshot that a publication shows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from creditops.books import check_book
from creditops.errors import CreditOpsError, DataRefusedError
from creditops.warehouse import run_log
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings import beginning, day_close, life_cycle, responses
from creditops.warnings.compiler import compile_hits
from creditops.warnings.rule import Rule, load_rules, rules_in_force
from creditops.warnings.subject import Subject, load_subjects, placeholders, with_needs

PUBLISHED_COLUMNS = (
    "warning_id", "customer_id", "facility_id", "rule_id", "rule_version", "severity", "raised_on",
    "last_seen_on", "status", "evidence", "text_zh", "text_en", "recommended_response", "escalated_on",
    "first_seen_on", "after_default",
)  # fmt: skip


@dataclass(frozen=True)
class WarningSummary:
    """What one evaluation found; the same for the same book, day and data.

    Attributes
    ----------
    restated: a past day, evaluated without touching the life cycle of later days.
    rules: rules that ran; ``skipped``: rule -> why it could not.
    hits: customers x rules whose condition holds.
    raised, cleared, expired: warnings that came or went on this day.
    open: open warnings by severity.
    seconds: wall time.
    """

    book: str
    as_of: date
    restated: bool
    rules: int
    skipped: dict[str, str]
    hits: int
    raised: int
    cleared: int
    expired: int
    open: dict[str, int]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return {**asdict(self), "as_of": self.as_of.isoformat()}


def evaluate(
    book: str,
    as_of: date,
    *,
    rules: Sequence[Rule] | None = None,
    schemas: Mapping[str, str] = LIVE_SCHEMAS,
    progress: Callable[[str], None] | None = None,
) -> WarningSummary:
    """Evaluate every rule in force and bring the warnings of the book to the close of ``as_of``.

    The outcome follows from the state at the close of the evaluated day before, the day's hits and
    what people did that day; so a second run changes nothing, and a run after a correction of the
    day's data corrects the day. A day before the last evaluated one is evaluated for its own
    snapshot only; the life cycle of later days stays as it is.

    Rules speak about customers who owe something or may draw, as ``actions.customer_verdict`` of the day
    says; who is not in it is in scope.

    Parameters
    ----------
    rules: rules to run instead of the shipped ones.
    schemas: where ``marts`` and ``features`` are, for a build of a past day in schemas of its own.
    progress: called with one line of text after each step.

    Raises
    ------
    DataRefusedError: a subject that had rows in the run before has none for this day.
    CreditOpsError: a rule changed without a new version, or does not run on the tables.
    """
    check_book(book)
    started = time.perf_counter()
    tell = progress or (lambda text: None)
    in_force = rules_in_force(rules if rules is not None else load_rules(), as_of)
    subjects = load_subjects()
    with run_log.step("warnings.evaluate", book=book, as_of=as_of, role="publisher") as step:
        with connect("publisher", large_joins=True) as connection:
            life_cycle.lock(connection, book)
            runnable, skipped = runnable_rules(connection, in_force, schemas)
            restated, opened_from = life_cycle.place(connection, book, as_of)
            if not restated:
                _register(connection, runnable, as_of)
            values = placeholders(book, as_of, schemas)
            _refuse_vanished(connection, runnable, subjects, values, book, opened_from)
            _find_hits(connection, runnable, subjects, book, as_of, schemas)
            hits = _keep_to_scope(connection, book, as_of)
            beginning.date_back(
                connection, runnable, subjects, book=book, as_of=as_of, since=opened_from, schemas=schemas
            )
            tell(f"{len(runnable)} rules, {hits} hits")
            life_cycle.close_day(
                connection,
                book,
                as_of,
                in_force=[rule.id for rule in in_force],
                ran=[rule.id for rule in runnable],
                restated=restated,
                since=opened_from,
            )
            life_cycle.record_run(
                connection, book, as_of, restated=restated, rules=len(runnable), skipped=skipped, hits=hits
            )
            counts = life_cycle.counts(connection, as_of)
            if not restated:
                responses.propose(connection, book, as_of, schemas=schemas)
        step.rows = hits
    tell(f"open warnings: {counts['open']}")
    return WarningSummary(
        book, as_of, restated, len(runnable), skipped, hits, **counts, seconds=time.perf_counter() - started
    )


def snapshot_sql(book: str, as_of: date) -> sql.Composed:
    """The select of the published columns of ``early_warnings`` at the close of ``as_of``."""
    columns = sql.SQL(", ").join(map(sql.Identifier, PUBLISHED_COLUMNS))
    return sql.SQL("select {} from actions.warning_snapshot where book = {} and as_of_date = {}").format(
        columns, sql.Literal(book), sql.Literal(as_of)
    )


def runnable_rules(
    connection: psycopg.Connection, rules: Sequence[Rule], schemas: Mapping[str, str] = LIVE_SCHEMAS
) -> tuple[list[Rule], dict[str, str]]:
    """Rules whose tables exist, and why each of the others cannot run."""
    subjects = load_subjects()
    names = {"scoring": "scoring", **schemas}
    missing: dict[str, str] = {}
    for subject in with_needs({rule.subject for rule in rules}, subjects):
        for table in subject.reads:
            name = table.format_map(names)
            row = connection.execute("select to_regclass(%s) is null", (name,)).fetchone()
            if row and row[0]:
                missing[subject.name] = f"there is no table {name}"
        for needed in subject.needs:
            if needed in missing:
                missing[subject.name] = missing[needed]
    runnable = [rule for rule in rules if rule.subject not in missing]
    return runnable, {rule.id: missing[rule.subject] for rule in rules if rule.subject in missing}


def _register(connection: psycopg.Connection, rules: Sequence[Rule], as_of: date) -> None:
    """Keep each version's definition and texts at its first run, and compare at every later one."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into actions.warning_rules as known"
            " (rule_id, rule_version, definition, definition_hash, first_used_on, said)"
            " values (%s, %s, %s, %s, %s, %s)"
            " on conflict (rule_id, rule_version)"
            " do update set said = excluded.said where known.said is null",
            [
                (
                    rule.id, rule.version, json.dumps(rule.definition()), rule.definition_hash(), as_of,
                    json.dumps(rule.said()),
                )
                for rule in rules
            ],
        )  # fmt: skip
    known = {
        (rule_id, version): (digest, said)
        for rule_id, version, digest, said in connection.execute(
            "select rule_id, rule_version, definition_hash, said from actions.warning_rules"
        )
    }
    for rule in rules:
        if known[rule.id, rule.version] != (rule.definition_hash(), rule.said()):
            raise CreditOpsError(
                f"rule {rule.id} version {rule.version} is not what it was when it first ran",
                hint=f"give the changed rule version {rule.version + 1}, or restore its file",
            )


def _refuse_vanished(
    connection: psycopg.Connection,
    rules: Sequence[Rule],
    subjects: Mapping[str, Subject],
    values: Mapping[str, str],
    book: str,
    since: date | None,
) -> None:
    """A subject without any row would clear all its warnings; refuse if it has open ones."""
    if since is None:
        return
    for name in sorted({rule.subject for rule in rules}):
        presence = subjects[name].presence
        rule_ids = [rule.id for rule in rules if rule.subject == name]
        row = connection.execute(
            sql.SQL(
                "select exists (select 1 from actions.warning_states where book = {book}"
                " and as_of_date = {since} and rule_id = any({rules}) and closed_on is null)"
                " and not exists (select 1 from {table} where book = {book} and {column} = {day})"
            ).format(
                book=sql.Literal(book),
                since=sql.Literal(since),
                rules=sql.Literal(rule_ids),
                table=sql.SQL(presence.table.format_map(values)),  # type: ignore[arg-type]
                column=sql.Identifier(presence.column),
                day=sql.SQL(values[presence.day]),  # type: ignore[arg-type]
            )
        ).fetchone()
        if row and row[0]:
            raise DataRefusedError(
                f"{presence.table.format_map(values)} has no row of book {book} for"
                f" {presence.column} {values[presence.day]}, but warnings on it are open",
                hint="build the warehouse and score for this day first; warnings stay as they were",
            )


def _find_hits(
    connection: psycopg.Connection,
    rules: Sequence[Rule],
    subjects: Mapping[str, Subject],
    book: str,
    as_of: date,
    schemas: Mapping[str, str],
) -> None:
    """Fill the temporary table ``warning_hit``."""
    if not rules:
        connection.execute(day_close.NO_HITS)
        return
    query = compile_hits(rules, subjects, book=book, as_of=as_of, schemas=schemas)
    try:
        connection.execute(
            sql.SQL("create temporary table warning_hit on commit drop as ") + sql.SQL(query)  # type: ignore[arg-type]
        )
    except psycopg.errors.UndefinedColumn as error:
        raise CreditOpsError(
            f"a subject of the warning rules reads a column that is not there: {error.diag.message_primary}",
            hint="build the warehouse with this version of the models",
        ) from error
    connection.execute("analyze warning_hit")


def _keep_to_scope(connection: psycopg.Connection, book: str, as_of: date) -> int:
    """Drop hits of who owes nothing and may not draw (domain.md#warning-rule); how many stay."""
    connection.execute(day_close.NO_SCOPE)
    connection.execute(
        "insert into warning_scope select customer_id, owes or may_draw, facilities_in_default > 0"
        " from actions.customer_verdict where book = %s and as_of_date = %s",
        (book, as_of),
    )
    connection.execute(
        "delete from warning_hit where customer_id in"
        " (select customer_id from warning_scope where not in_scope)"
    )
    row = connection.execute("select count(*) from warning_hit").fetchone()
    assert row is not None
    return int(row[0])
