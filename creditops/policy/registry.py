"""The policy versions that ever decided in a warehouse, with what they said; a version never changes."""

from __future__ import annotations

import hashlib
import json
from datetime import date

import psycopg

from creditops.errors import CreditOpsError, UsageError
from creditops.policy.version import PolicyVersion


def register(connection: psycopg.Connection, book: str, policy: PolicyVersion, as_of: date) -> None:
    """Keep a version's definition at its first use, and compare at every later one.

    Raises
    ------
    CreditOpsError: its file says something else than when it was first used.
    """
    definition = json.dumps(policy.definition(), sort_keys=True)
    digest = hashlib.sha256(definition.encode()).hexdigest()
    connection.execute(
        "insert into actions.policy_versions values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
        (book, policy.version, policy.valid_from, definition, digest, as_of),
    )
    kept = connection.execute(
        "select definition_hash, first_used_on from actions.policy_versions where book = %s and version = %s",
        (book, policy.version),
    ).fetchone()
    assert kept is not None
    if kept[0] != digest:
        raise CreditOpsError(
            f"policy {policy.version} of book {book} is not what it was when it was first used,"
            f" for {kept[1]}",
            hint="give the changed policy a version and a valid_from of its own, or restore its file",
        )


def kept_policy(connection: psycopg.Connection, book: str, version: str) -> PolicyVersion:
    """The version as it decided, whether or not its file is still there.

    Raises
    ------
    UsageError: it never decided in this warehouse.
    """
    row = connection.execute(
        "select definition from actions.policy_versions where book = %s and version = %s", (book, version)
    ).fetchone()
    if row is None:
        raise UsageError(
            f"policy {version} of book {book} never decided in this warehouse",
            hint="run the day again: `creditops run publish --as-of D`",
        )
    return PolicyVersion.model_validate(row[0])
