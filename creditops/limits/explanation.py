"""Why a published limit is what it is: its inputs, the policy version and the arithmetic."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.limits.arithmetic import work_out
from creditops.policy import load_policies
from creditops.policy.version import LimitRules
from creditops.warehouse.connection import connect


def explain(book: str, customer_id: str, product_id: str) -> dict[str, Any]:
    """The printout of a customer's limit in the current publication.

    Returns
    -------
    JSON-ready: ``published`` (the row), ``rules`` (the policy's limit rules), ``steps`` (text).

    Raises
    ------
    UsageError: there is no such limit, or its policy version is no longer on file.
    """
    with connect("bi_reader") as connection:
        row = (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select * from publish.credit_limits"
                " where book = %s and customer_id = %s and product_id = %s",
                (book, customer_id, product_id),
            )
            .fetchone()
        )
    if row is None:
        raise UsageError(
            f"book {book} publishes no limit for customer {customer_id!r} and product {product_id!r}",
            hint='`creditops query "select customer_id, product_id from publish.credit_limits"` lists them',
        )
    policy = next((each for each in load_policies(book) if each.version == row["policy_version"]), None)
    if policy is None:
        raise UsageError(f"policy version {row['policy_version']} of book {book} is no longer on file")
    inputs = row.pop("inputs")
    caps = work_out(inputs, policy.limits, row["exposure"], row["current_limit"])
    return {
        "published": {name: None if value is None else str(value) for name, value in row.items()},
        "inputs": inputs,
        "rules": policy.limits.model_dump(mode="json"),
        "steps": list(caps.steps),
    }


def recompute(printout: dict[str, Any]) -> dict[str, str | None]:
    """Every cap and the recommendation, worked out again from a printout alone."""
    published = printout["published"]
    current = published["current_limit"]
    caps = work_out(
        printout["inputs"],
        LimitRules.model_validate(printout["rules"]),
        Decimal(published["exposure"]),
        None if current is None else Decimal(current),
    )
    found = {
        "cap_policy": caps.policy,
        "cap_capacity": caps.capacity,
        "cap_concentration": caps.concentration,
        "cap_group": caps.group,
        "recommended_limit": caps.recommended,
    }
    return {
        name: None if value is None else str(value.quantize(Decimal("0.01"))) for name, value in found.items()
    }
