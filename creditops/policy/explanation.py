"""Why a published policy verdict is what it is: inputs, the version that decided, each standard."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from creditops.errors import UsageError
from creditops.policy.registry import kept_policy
from creditops.policy.replay import INPUTS, conditions, failed_standards
from creditops.policy.version import PolicyVersion
from creditops.warehouse.connection import connect


def explain(book: str, application_id: str, *, session: psycopg.Connection | None = None) -> dict[str, Any]:
    """The printout of a published policy verdict; ``session``: a connection to use.

    Returns
    -------
    JSON-ready: ``published`` (the row), ``inputs``, ``policy`` (the version), ``standards`` (id, text,
    condition and whether it declines).

    Raises
    ------
    UsageError: there is no such verdict.
    """
    with nullcontext(session) if session else connect("publisher") as connection:
        row = (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select replay.* from actions.policy_replay as replay inner join ops.publication as p"
                " on p.book = replay.book and p.as_of_date = replay.as_of_date"
                " where replay.book = %s and replay.application_id = %s",
                (book, application_id),
            )
            .fetchone()
        )
        if row is None:
            raise UsageError(
                f"book {book} publishes no verdict on application {application_id!r}",
                hint='`creditops query "select book, application_id from publish.policy_compliance"` lists'
                " them; --book names another book",
            )
        policy = kept_policy(connection, book, row["policy_version"])
    inputs = row.pop("inputs")
    sentences = conditions(policy)
    return {
        "published": {
            name: value if isinstance(value, list) or value is None else str(value)
            for name, value in row.items()
        },
        "inputs": inputs,
        "policy": policy.definition(),
        "standards": [
            {
                "id": each.id,
                "zh": each.text.zh,
                "en": each.text.en,
                "decline_when": sentences[each.id],
                "declines": each.id in row["rules_failed"],
            }
            for each in policy.standards
        ],
    }


def recompute(printout: Mapping[str, Any], *, session: psycopg.Connection | None = None) -> dict[str, Any]:
    """Replayed decision, failed standards and verdict, worked out again from a printout alone."""
    policy = PolicyVersion.model_validate(printout["policy"])
    types = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in INPUTS.items()
    )
    with nullcontext(session) if session else connect("publisher") as connection:
        row = connection.execute(
            sql.SQL("select {} from jsonb_to_record(%s) as inputs ({})").format(
                failed_standards(policy), types
            ),
            (Jsonb(printout["inputs"]),),
        ).fetchone()
    assert row is not None
    replayed = "declined" if row[0] else "approved"
    return {
        "replayed_decision": replayed,
        "rules_failed": row[0],
        "verdict": _verdict(printout["published"], replayed),
    }


def _verdict(published: Mapping[str, Any], replayed: str) -> str:
    if published["decision"] == replayed:
        return "agree"
    if published["decision"] == "declined":
        return "override_down"
    return "override_up" if published["override"] == "up" else "breach"
