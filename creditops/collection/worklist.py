"""The collections worklist of each day, as it is kept."""

from __future__ import annotations

from datetime import date

import psycopg

_COLUMNS = (
    "customer_id, rank, stage, overdue_amount, dpd, expected_loss_at_stake, priority, strategy,"
    " last_action_on, promise_due_on, assigned_to, response, policy_version, inputs"
)


def keep(connection: psycopg.Connection, book: str, as_of: date) -> int:
    """Keep the worklist that ``serving`` holds as that of the day, in place of any; rows kept."""
    day = {"book": book, "as_of": as_of}
    connection.execute(
        "delete from actions.collections_worklist where book = %(book)s and as_of_date = %(as_of)s", day
    )
    return connection.execute(
        f"insert into actions.collections_worklist (book, as_of_date, {_COLUMNS})"  # type: ignore[arg-type]
        f" select book, %(as_of)s, {_COLUMNS} from serving.collections_worklist where book = %(book)s",
        day,
    ).rowcount
