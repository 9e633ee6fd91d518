"""Rows of ``ops.audit``: who did what to what, from what to what, and why."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from creditops.personal_data import masked

_INSERT = (
    "insert into ops.audit (actor, action, object, before, after, reason) values (%s, %s, %s, %s, %s, %s)"
)
_WHO_ASKED = """
select actor from ops.audit
where action = 'run.request' and object = %(key)s
    and at > coalesce(%(until)s, clock_timestamp()) - interval '1 day'
    and at <= coalesce(%(until)s, clock_timestamp())
group by actor order by max(at) desc, actor
"""
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


def who_asked(connection: psycopg.Connection, key: str, until: datetime | None = None) -> list[str]:
    """Everybody who asked for the chain of a partition key within the day before ``until``, or before now;
    who did so last comes first.
    """
    rows = connection.execute(_WHO_ASKED, {"key": key, "until": until}).fetchall()
    return [str(actor) for (actor,) in rows]
