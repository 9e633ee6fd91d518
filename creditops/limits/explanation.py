"""Why a published limit is what it is: its inputs, the policy version and the arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.limits.arithmetic import work_out
from creditops.policy.registry import kept_policy
from creditops.policy.version import LimitRules
from creditops.warehouse.connection import connect


def explain(
    book: str, customer_id: str, product_id: str, *, session: psycopg.Connection | None = None
) -> dict[str, Any]:
    """The printout of a customer's limit in the current publication; ``session``: a connection to use.

    Returns
    -------
    JSON-ready: ``published`` (the row), ``inputs``, ``rules`` (the policy's limit rules, as they decided),
    ``steps`` (text in zh and en).

    Raises
    ------
    UsageError: there is no such limit.
    """
    with nullcontext(session) if session else connect("publisher") as connection:
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
            others = connection.execute(
                "select book from publish.credit_limits where customer_id = %s and product_id = %s"
                " order by book", (customer_id, product_id),
            ).fetchall()  # fmt: skip
            raise UsageError(
                f"book {book} publishes no limit for customer {customer_id!r} and product {product_id!r}",
                hint=f"there is one in {', '.join(each for (each,) in others)}: name it with --book"
                if others
                else f'see `creditops query "select customer_id, product_id from publish.credit_limits'
                f" where book = '{book}'\"`",
            )
        rules = kept_policy(connection, book, row["policy_version"]).limits
    inputs = row.pop("inputs")
    caps = work_out(inputs, rules, row["exposure"], row["current_limit"], row["current_terms"])
    return {
        "published": {name: None if value is None else str(value) for name, value in row.items()},
        "inputs": inputs,
        "rules": rules.model_dump(mode="json"),
        "steps": [each.model_dump() for each in caps.steps],
    }


def recompute(printout: Mapping[str, Any]) -> dict[str, str | None]:
    """Every figure of the row that follows from others, worked out again from a printout alone."""
    published = printout["published"]
    exposure, current = Decimal(published["exposure"]), _decimal(published["current_limit"])
    terms = published["current_terms"]
    caps = work_out(
        printout["inputs"],
        LimitRules.model_validate(printout["rules"]),
        exposure,
        current,
        None if terms is None else int(terms),
    )
    money = {
        "cap_policy": caps.policy,
        "cap_capacity": caps.capacity,
        "cap_concentration": caps.concentration,
        "cap_group": caps.group,
        "recommended_limit": caps.recommended,
        "excess": max(exposure - current, Decimal(0)) if current is not None else Decimal(0),
    }
    return {
        **{
            name: None if value is None else str(value.quantize(Decimal("0.01")))
            for name, value in money.items()
        },
        "binding_cap": caps.binding,
        "recommended_terms": None if caps.recommended_terms is None else str(caps.recommended_terms),
    }


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
