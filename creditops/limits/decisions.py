"""What people decide about recommended limits, and the history of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from creditops.errors import DataRefusedError, UsageError
from creditops.warehouse import audit
from creditops.warehouse.connection import connect


def proposals(book: str) -> list[dict[str, Any]]:
    """Recommendations of the newest day that differ from the limit in force and wait for a decision."""
    with connect("publisher") as connection:
        return (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select l.as_of_date, l.customer_id, l.product_id, l.current_limit, l.recommended_limit,"
                " l.current_terms, l.recommended_terms, l.binding_cap, l.exposure, l.adjustment,"
                " l.change_reason from actions.credit_limits l"
                " where l.book = %(book)s and (l.recommended_limit is distinct from l.current_limit"
                " or l.recommended_terms is distinct from l.current_terms)"
                " and l.as_of_date ="
                " (select max(as_of_date) from actions.credit_limits where book = %(book)s)"
                " and not exists (select 1 from actions.limit_decisions d where d.book = l.book"
                " and d.customer_id = l.customer_id and d.product_id = l.product_id"
                " and d.as_of_date = l.as_of_date)"
                " order by abs(l.recommended_limit - coalesce(l.current_limit, 0)) desc, l.customer_id,"
                " l.product_id",
                {"book": book},
            )
            .fetchall()
        )


def decide(
    book: str,
    customer_id: str,
    product_id: str,
    decision: Literal["approved", "rejected"],
    *,
    actor: str,
    reason: str,
    valid_to: date | None = None,
) -> dict[str, Any]:
    """Approve or reject the newest recommended limit and terms of a customer's product.

    What is approved is in force from the day after the recommendation, to ``valid_to`` if given: it is the
    current limit, with the current terms, of later days, and the recommendation's own day can be run
    again without a change.

    Raises
    ------
    UsageError: no name or reason, a validity that ends before it begins, or no such recommendation.
    DataRefusedError: it was decided before, or is a rise while a red warning is open.
    """
    if not actor.strip() or actor.strip().lower() == "system":
        raise UsageError(f"{actor!r} is nobody's name", hint="say who decides")
    if not reason.strip():
        raise UsageError("a decision on a limit needs a reason", hint="say it with --reason")
    with connect("publisher") as connection:
        cursor = connection.cursor(row_factory=dict_row)
        row = cursor.execute(
            "select * from actions.credit_limits where book = %s and customer_id = %s and product_id = %s"
            " order by as_of_date desc limit 1",
            (book, customer_id, product_id),
        ).fetchone()
        if row is None:
            raise UsageError(
                f"book {book} recommends no limit for customer {customer_id} and product {product_id}",
                hint="see `creditops limits list`",
            )
        valid_from = row["as_of_date"] + timedelta(days=1)
        if valid_to is not None and valid_to < valid_from:
            raise UsageError(
                f"the limit would hold from {valid_from} to {valid_to}",
                hint="give a day after the recommendation's",
            )
        if decision == "approved":
            _refuse_a_rise_under_red(cursor, row)
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", (f"limits {book}",))
        earlier = cursor.execute(
            "select decision, approver from actions.limit_decisions where book = %s and customer_id = %s"
            " and product_id = %s and as_of_date = %s",
            (book, customer_id, product_id, row["as_of_date"]),
        ).fetchone()
        if earlier is not None:
            raise DataRefusedError(
                f"the recommendation of {row['as_of_date']} was {earlier['decision']}"
                f" by {earlier['approver']}",
                hint="a new recommendation comes with the next run",
            )
        decided = cursor.execute(
            "insert into actions.limit_decisions (book, customer_id, product_id, as_of_date, limit_before,"
            " limit_after, decision, valid_from, valid_to, approver, reason, policy_version, terms_before,"
            " terms_after) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning *",
            (
                book,
                customer_id,
                product_id,
                row["as_of_date"],
                row["current_limit"],
                row["recommended_limit"] if decision == "approved" else row["current_limit"] or 0,
                decision,
                valid_from,
                valid_to,
                actor.strip(),
                reason.strip(),
                row["policy_version"],
                row["current_terms"],
                row["recommended_terms"] if decision == "approved" else row["current_terms"],
            ),
        ).fetchone()
        assert decided is not None
        audit.append(
            connection,
            actor.strip(),
            f"limit.{decision}",
            f"{book}/{customer_id}/{product_id}",
            before={"limit": row["current_limit"], "terms": row["current_terms"]},
            after={"limit": decided["limit_after"], "terms": decided["terms_after"]},
            reason=reason.strip(),
        )
    return decided


def history(book: str, customer_id: str) -> list[dict[str, Any]]:
    """Every decision on a customer's limits, newest first."""
    with connect("publisher") as connection:
        return (
            connection.cursor(row_factory=dict_row)
            .execute(
                "select product_id, as_of_date, limit_before, limit_after, terms_before, terms_after,"
                " decision, valid_from, valid_to, approver, reason, policy_version, decided_at"
                " from actions.limit_decisions where book = %s and customer_id = %s"
                " order by decision_no desc",
                (book, customer_id),
            )
            .fetchall()
        )


def _refuse_a_rise_under_red(cursor: psycopg.Cursor[dict[str, Any]], row: Mapping[str, Any]) -> None:
    """A red warning may have come up since the day of the recommendation."""
    rises = row["current_limit"] is not None and row["recommended_limit"] > row["current_limit"]
    longer = row["current_terms"] is not None and row["recommended_terms"] > row["current_terms"]
    if not (rises or longer):
        return
    open_red = cursor.execute(
        "select warning_id from actions.early_warnings where book = %s and customer_id = %s"
        " and severity = 'red' and closed_on is null order by raised_on, warning_id limit 1",
        (row["book"], row["customer_id"]),
    ).fetchone()
    if open_red is not None:
        raise DataRefusedError(
            f"customer {row['customer_id']} has an open red warning, {open_red['warning_id']}: no rise",
            hint="resolve the warning first, or wait for the next recommendation",
        )
