"""Rows of ``ops.audit``: who did what to what, from what to what, and why."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from creditops.personal_data import masked

_INSERT = (
    "insert into ops.audit (actor, action, object, before, after, reason) values (%s, %s, %s, %s, %s, %s)"
)
_dumps = partial(json.dumps, default=str)


def append(
    connection: psycopg.Connection,
    actor: str,
    action: str,
    object_: str,
    *,
    before: Any = None,
    after: Any = None,
    reason: str | None = None,
) -> None:
    """Append a row within the caller's transaction, so that it is kept if and only if the act is.

    When, and as which role, is stamped by the database; personal data in the reason are masked.

    Parameters
    ----------
    action: ``<subject>.<verb>``, for example ``limit.approved``.
    before, after: any value that can be written as JSON; ``None`` where there is none.
    """
    states = (None if each is None else Jsonb(each, dumps=_dumps) for each in (before, after))
    connection.execute(_INSERT, (actor, action, object_, *states, masked(reason)))
