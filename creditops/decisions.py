"""What follows for customers on a day, under the policy in force: limits, worklist, published tables.

dbt makes all of it in layer ``serving``; limits and worklist are kept in ``actions`` as well, where the next
day and people look them up. Decisions on applications are replayed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from creditops import limits
from creditops.build import serve
from creditops.grades import DEFAULT_GRADE
from creditops.policy import PolicyVersion, policy_in_force
from creditops.policy.registry import register
from creditops.policy.replay import replay
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import schemas_of

_KEPT = {
    "credit_limits": "customer_id, product_id, policy_version, current_limit, recommended_limit, cap_policy,"
    " cap_capacity, cap_group, cap_concentration, binding_cap, exposure, utilisation, excess, current_terms,"
    " recommended_terms, adjustment, change_reason, change_reason_zh, inputs",
    "collections_worklist": "customer_id, rank, stage, overdue_amount, dpd, expected_loss_at_stake, priority,"
    " strategy, last_action_on, promise_due_on, assigned_to, response, policy_version, inputs",
}
"""What of each served table is kept for the days to come."""


@dataclass(frozen=True)
class Decided:
    """Rows kept: recommended limits, customers on the worklist, replayed decisions."""

    limits: int
    worklist: int
    decisions: int


def decide(book: str, as_of: date, *, known_at: datetime | None = None, schema_prefix: str = "") -> Decided:
    """Replay decisions, have the published tables made, keep limits and worklist, in place of the day's.

    Parameters
    ----------
    known_at, schema_prefix: as of the build whose marts and features are read.

    Raises
    ------
    UsageError: no policy of the book is in force on the day.
    CreditOpsError: the policy's file changed without a new version, or a model could not be made.
    """
    policy = policy_in_force(book, as_of)
    replayed = replay(book, as_of, schemas=schemas_of(schema_prefix))
    _serve(book, as_of, policy, known_at=known_at, schema_prefix=schema_prefix)
    return Decided(_keep("credit_limits", book, as_of), _keep("collections_worklist", book, as_of), replayed)


def recommend(book: str, as_of: date) -> int:
    """Recommend and keep limits alone; rows kept. Raises as :func:`decide`."""
    _serve(book, as_of, policy_in_force(book, as_of), only=("credit_limits",))
    return _keep("credit_limits", book, as_of)


def make_worklist(book: str, as_of: date) -> int:
    """Make and keep the worklist alone; rows kept. Raises as :func:`decide`."""
    _serve(book, as_of, policy_in_force(book, as_of), only=("collections_worklist",))
    return _keep("collections_worklist", book, as_of)


def _serve(
    book: str,
    as_of: date,
    policy: PolicyVersion,
    *,
    known_at: datetime | None = None,
    schema_prefix: str = "",
    only: Sequence[str] = (),
) -> None:
    with connect("publisher") as connection:
        register(connection, book, policy, as_of)
    serve(
        book, as_of, variables=_variables(policy), only=only, known_at=known_at, schema_prefix=schema_prefix
    )


def _variables(policy: PolicyVersion) -> Mapping[str, Any]:
    """What the models ask of the policy, and the words of its bounds."""
    stated = policy.model_dump(mode="json")
    return {
        "policy": {name: stated[name] for name in ("version", "limits", "collection")},
        "limit_bounds": limits.BINDING,
        "default_grade": DEFAULT_GRADE,
    }


def _keep(table: str, book: str, as_of: date) -> int:
    """Keep in ``actions`` what ``serving`` holds, as that of the day, in place of any; rows kept."""
    columns, day = _KEPT[table], {"book": book, "as_of": as_of}
    with connect("publisher") as connection:
        connection.execute(
            f"delete from actions.{table} where book = %(book)s and as_of_date = %(as_of)s",  # type: ignore[arg-type]
            day,
        )
        return connection.execute(
            f"insert into actions.{table} (book, as_of_date, {columns})"  # type: ignore[arg-type]
            f" select book, %(as_of)s, {columns} from serving.{table} where book = %(book)s",
            day,
        ).rowcount
