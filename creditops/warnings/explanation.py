"""Why a warning stands: its inputs, the rule's version, and the arithmetic, for anyone to redo.

The printout holds all that decides. :func:`recompute` works the result out again from the printout
alone; it equals what was published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.expressions import text_literal
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings.acts import unknown
from creditops.warnings.compiler import compile_explanation
from creditops.warnings.rule import Rule, load_rules
from creditops.warnings.subject import Subject, SubjectColumn, load_subjects

_SCHEMAS = {**LIVE_SCHEMAS, "scoring": "scoring"}
_NOT_INPUTS = ("observed_on", "thresholds", "facilities_hit")


def explain(book: str, warning_id: str, *, session: psycopg.Connection | None = None) -> dict[str, Any]:
    """The printout of a warning; ``session``: a connection to use instead of one of its own.

    Returns
    -------
    JSON-ready: ``published`` (the warning as it stands), ``rule`` (the version that decided),
    ``columns`` (name, type and form of each input), ``latest`` and ``at_severity`` (day, inputs and
    ``steps``: expression, the same with its inputs in place, result; the one when the condition was
    last seen, the other when the severity was reached), ``events``.

    Raises
    ------
    UsageError: there is no such warning.
    """
    with nullcontext(session) if session else connect("publisher") as connection:
        warning = _warning(connection, book, warning_id)
        rule = _rule(connection, warning)
        subject = load_subjects()[rule.subject]
        inputs = _at_severity(connection, book, warning)
        named = {name for _, evidence in inputs.values() for name in evidence if name not in _NOT_INPUTS}
        columns = {
            name: {**subject.columns[name].model_dump(), "type": subject.columns[name].sql_type}
            for name in subject.columns
            if name in named
        }
        printout: dict[str, Any] = {
            "published": {key: str(value) if key.endswith("_on") else value for key, value in warning.items()
                          if key != "evidence"},
            "book": book,
            "rule": rule.model_dump(mode="json"),
            "rule_hash": rule.definition_hash(),
            "subject": {"name": subject.name, "zh": subject.description.zh, "en": subject.description.en,
                        "reads": [each.format_map(_SCHEMAS) for each in subject.reads]},
            "columns": columns,
            "events": _events(connection, book, warning_id),
        }  # fmt: skip
        for moment, (day, evidence) in inputs.items():
            kept = {name: evidence[name] for name in columns if name in evidence}
            printout[moment] = {
                "day": str(day),
                "observed_on": evidence.get("observed_on"),
                "facilities_hit": evidence.get("facilities_hit", 1),
                "inputs": kept,
            }
            printout[moment]["steps"] = _steps(connection, rule, subject, book, kept)
    return printout


def recompute(printout: Mapping[str, Any], *, session: psycopg.Connection | None = None) -> dict[str, Any]:
    """Work out again, from the printout alone: holds, severity, text_zh, text_en, recommended_response."""
    rule = Rule.model_validate(printout["rule"])
    columns = {
        name: SubjectColumn.model_validate(column)
        for name, column in printout["columns"].items()
    }  # fmt: skip
    shape = load_subjects()[printout["subject"]["name"]].model_copy(update={"columns": columns})
    expressions = compile_explanation(rule, shape, printout["book"])
    with nullcontext(session) if session else connect("publisher") as connection:
        latest = _evaluate(connection, expressions, columns, printout["latest"]["inputs"])
        risen = _evaluate(connection, expressions, columns, printout["at_severity"]["inputs"])
    return {
        "holds": all(each[name] is True for each in (latest, risen) for name in ("population", "condition")),
        "severity": risen["severity"],
        "text_zh": latest["text_zh"],
        "text_en": latest["text_en"],
        "recommended_response": rule.recommended_response,
    }  # fmt: skip


def _warning(connection: psycopg.Connection, book: str, warning_id: str) -> dict[str, Any]:
    """The warning as the book's publication shows it; one that is not published yet as it stands."""
    columns = (
        "warning_id, customer_id, facility_id, rule_id, rule_version, severity, raised_on,"
        " last_seen_on, status, text_zh, text_en, recommended_response, evidence"
    )
    published = (
        "actions.warning_snapshot where (book, as_of_date)"
        " in (select book, as_of_date from ops.publication) and book = %s and warning_id = %s"
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        for rows in (published, "actions.early_warnings where book = %s and warning_id = %s"):
            found = cursor.execute(
                f"select {columns} from {rows}",  # type: ignore[arg-type]
                (book, warning_id),
            ).fetchone()
            if found is not None:
                return found
    raise unknown(book, warning_id)


def _rule(connection: psycopg.Connection, warning: Mapping[str, Any]) -> Rule:
    """The version that decided, with what it said, as kept in the warehouse; the rest as shipped."""
    version = (warning["rule_id"], warning["rule_version"])
    kept = connection.execute(
        "select definition, first_used_on, said from actions.warning_rules"
        " where rule_id = %s and rule_version = %s",
        version,
    ).fetchone()
    shipped = next((rule for rule in load_rules() if (rule.id, rule.version) == version), None)
    if kept is None:
        raise UsageError(
            f"rule {version[0]} version {version[1]} never ran in this warehouse",
            hint="evaluate the day again: `creditops run publish --as-of D`",
        )
    rest: dict[str, Any] = (
        shipped.model_dump(mode="json")
        if shipped
        else {
            "id": version[0],
            "version": version[1],
            "name": {"zh": version[0], "en": version[0]},
            # Where the template is not kept, the text as published stands in for it.
            "text": {"zh": _plain(warning["text_zh"]), "en": _plain(warning["text_en"])},
            "recommended_response": warning["recommended_response"],
            "owner": "unknown",
            "valid_from": str(kept[1]),
        }
    )
    return Rule.model_validate({**rest, **kept[0], **(kept[2] or {})})


def _plain(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _at_severity(
    connection: psycopg.Connection, book: str, warning: Mapping[str, Any]
) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Day and evidence when the condition was last seen, and when the severity was reached."""
    reached = connection.execute(
        "select state.as_of_date, state.evidence from actions.warning_states as state"
        " where state.book = %s and state.warning_id = %s and not state.restated and state.severity = %s"
        " order by state.as_of_date limit 1",
        (book, warning["warning_id"], warning["severity"]),
    ).fetchone()
    latest = (warning["last_seen_on"], warning["evidence"])
    return {"latest": latest, "at_severity": reached or latest}


def _events(connection: psycopg.Connection, book: str, warning_id: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "select event_at, event, actor, reason from actions.warning_events"
            " where book = %s and warning_id = %s order by event_no",
            (book, warning_id),
        )
        return [{**event, "event_at": event["event_at"].isoformat()} for event in cursor]


def _steps(
    connection: psycopg.Connection, rule: Rule, subject: Subject, book: str, inputs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Population, condition and severity: as written, with parameters, with inputs, and the result."""
    expressions = compile_explanation(rule, subject, book)
    columns = {name: subject.columns[name] for name in inputs}
    results = _evaluate(connection, expressions, columns, inputs)
    written = {
        "population": rule.population,
        "condition": rule.condition,
        "severity": "; ".join(
            f"{step.level}{'' if step.when == 'true' else f' when {step.when}'}" for step in rule.severity
        ),
    }
    return [
        {
            "step": name,
            "rule": " ".join(text.split()),
            "with_inputs": _filled(expressions[name], inputs),
            "result": results[name],
        }
        for name, text in written.items()
    ]


def _filled(expression: str, inputs: Mapping[str, Any]) -> str:
    """The expression with every input's value in its place; texts in quotes stay as they are."""
    parts = []
    for number, piece in enumerate(expression.split("'")):
        if number % 2:
            parts.append(f"'{piece}'")
            continue
        words: list[str] = []
        word = ""
        for character in f"{piece} ":
            if character.isalnum() or character == "_":
                word += character
                continue
            words.append(_literal(inputs[word]) if word in inputs else word)
            words.append(character)
            word = ""
        parts.append("".join(words)[:-1])
    return " ".join("".join(parts).split())


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return text_literal(value) if isinstance(value, str) else str(value)


def _evaluate(
    connection: psycopg.Connection,
    expressions: Mapping[str, str],
    columns: Mapping[str, SubjectColumn],
    inputs: Mapping[str, Any],
) -> dict[str, Any]:
    """Results of the expressions on the inputs, as PostgreSQL computes them on the columns' types."""
    record = ", ".join(f"{name} {column.sql_type}" for name, column in columns.items())
    chosen = ", ".join(f"({expression}) as {name}" for name, expression in expressions.items())
    source = f"jsonb_to_record(%s::jsonb) as inputs ({record})" if columns else "(select %s::jsonb) as inputs"
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            f"select {chosen.replace('%', '%%')} from {source}",  # type: ignore[arg-type]
            (json.dumps(inputs, default=str),),
        ).fetchone()
    assert row is not None
    return row
