"""Makes the collections worklist of a book's day, in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from importlib.resources import files

from creditops.policy import policy_in_force
from creditops.policy.registry import register
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warehouse.panel import latest_month_end

_COLUMNS = (
    "customer_id, rank, stage, overdue_amount, dpd, expected_loss_at_stake, priority, strategy,"
    " last_action_on, promise_due_on, assigned_to, response, inputs"
)


def make_worklist(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """One row per customer with an overdue amount; rows written. The day's rows are replaced.

    Approved responses of the day (intensified collection, a visit) act on strategy and priority.

    Raises
    ------
    UsageError: no policy of the book is in force on the day.
    CreditOpsError: the policy's file changed without a new version.
    """
    policy = policy_in_force(book, as_of)
    query = files("creditops.collection").joinpath("worklist.sql").read_text(encoding="utf-8")
    with connect("publisher") as connection:
        register(connection, book, policy, as_of)
        connection.execute(
            "delete from actions.collections_worklist where book = %s and as_of_date = %s", (book, as_of)
        )
        return connection.execute(
            f"insert into actions.collections_worklist (book, as_of_date, policy_version, {_COLUMNS})"  # type: ignore[arg-type]
            f" select %(book)s, %(as_of)s, %(version)s, {_COLUMNS}"
            f" from ({query.format_map(schemas)}) as list",
            {
                "book": book,
                "as_of": as_of,
                "panel_day": latest_month_end(connection, book, as_of, marts=schemas["marts"]),
                "version": policy.version,
                "stages": json.dumps([each.model_dump(mode="json") for each in policy.collection.stages]),
                "capacity": policy.collection.capacity,
                "intensify": policy.collection.intensify,
            },
        ).rowcount
