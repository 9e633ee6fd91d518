"""Replays credit decisions against the policy in force (domain.md#policy).

A replayed decision is ``declined`` where any standard of the version fails on what was known when the
customer applied, else ``approved``. The verdict compares it with what was decided: ``agree``;
``override_up``, approved against policy by an override; ``breach``, approved against policy with no override
on record; ``override_down``, declined though policy approves: stricter than policy breaks none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import sql
from psycopg.rows import dict_row

from creditops.errors import UsageError
from creditops.expressions import compile_expression
from creditops.policy.registry import register
from creditops.policy.version import PolicyVersion, load_policies, policy_before
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS

INPUTS: Mapping[str, str] = {
    "customer_type": "text",
    "product_type": "text",
    "requested_amount": "numeric",
    "term_months": "int",
    "monthly_income": "numeric",
    "months_registered": "int",
    "bureau_hit": "boolean",
    "bureau_score": "int",
    "bureau_worst_12m": "int",
    "bureau_worst_24m": "int",
    "bureau_exposure": "numeric",
    "inquiries_3m": "int",
    "inquiries_6m": "int",
    "new_accounts_6m": "int",
    "guarantees": "int",
    "public_records": "int",
    "overdue_elsewhere": "numeric",
    "own_balance": "numeric",
    "own_dpd_max_12m": "int",
    "debt_to_assets": "double precision",
    "interest_cover": "double precision",
    "sales_growth_yoy": "double precision",
    "z2_score": "double precision",
}
"""What a standard may look at, as known when the customer applied, with its SQL type."""


@dataclass(frozen=True)
class Trial:
    """What a version would have decided on history, beside what the versions in force say."""

    version: str
    applications: int
    approval_rate: float
    approval_rate_in_force: float
    swap_in: int
    swap_out: int
    bad_rate_swap_out: float | None
    declined_by: dict[str, int]


def conditions(policy: PolicyVersion) -> dict[str, str]:
    """SQL of each standard, over the columns of :data:`INPUTS`; true where it declines.

    Raises
    ------
    UsageError: an expression uses what is not there; with version and standard.
    """
    return {
        each.id: compile_expression(
            each.decline_when,
            columns=INPUTS,
            parameters=each.parameters,
            where=f"policy {policy.version}, standard {each.id}",
        ).sql
        for each in policy.standards
    }


def replay(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """Replay every application decided by the day; rows written. The day's rows are replaced."""
    versions = load_policies(book)
    with connect("publisher") as connection:
        connection.execute(
            "delete from actions.policy_replay where book = %s and as_of_date = %s", (book, as_of)
        )
        rows = 0
        for number, policy in enumerate(versions):
            until = versions[number + 1].valid_from if number + 1 < len(versions) else date.max
            register(connection, book, policy, as_of)
            before = policy_before(book, policy.version)
            rows += connection.execute(
                sql.SQL(_REPLAY).format(
                    inputs=_inputs(schemas),
                    failed=failed_standards(policy),
                    before=_decision(before) if before else sql.SQL("null"),
                    kept=_kept(),
                ),
                {
                    "book": book,
                    "as_of": as_of,
                    "version": policy.version,
                    "since": policy.valid_from,
                    "until": until,
                },
            ).rowcount
        return rows


_REPLAY = """
insert into actions.policy_replay (
    book, as_of_date, application_id, policy_version, stated_version, decision, decided_by, override,
    replayed_decision, replayed_before, verdict, rules_failed, applied_on, inputs
)
with replayed as ({inputs}),
tried as (select *, {failed} as rules_failed, {before} as replayed_before from replayed),
judged as (
    select *, case when cardinality(rules_failed) > 0 then 'declined' else 'approved' end as again from tried
)
select %(book)s, %(as_of)s, application_id, %(version)s, stated_version, decision, decided_by, override,
    again, replayed_before,
    case
        when decision = again then 'agree'
        when decision = 'approved' and override = 'up' then 'override_up'
        when decision = 'declined' then 'override_down'
        else 'breach'
    end,
    rules_failed, applied_on, {kept}
from judged
"""


def try_version(
    book: str,
    policy: PolicyVersion,
    since: date,
    until: date,
    *,
    schemas: Mapping[str, str] = LIVE_SCHEMAS,
) -> Trial:
    """What a version, which need not be in force or shipped, would have decided on applications of a time.

    Nothing is written. ``bad_rate_swap_out``: share ever over 90 days past due of the facilities that the
    versions in force let through and this one would have declined.

    Raises
    ------
    UsageError: an expression uses what is not there, or nothing was decided in that time.
    """
    in_force = sql.SQL("case {} end").format(
        sql.SQL(" ").join(
            sql.SQL("when applied_on >= {} then {}").format(sql.Literal(each.valid_from), _decision(each))
            for each in reversed(load_policies(book))
        )
    )
    statement = sql.SQL(
        "with replayed as ({inputs}), tried as (select *, {failed} as rules_failed, {in_force} as now"
        " from replayed), bad as (select facility.facility_id, mark.mob_90 is not null as is_bad"
        " from {facilities} as facility left join {marks} as mark"
        " on mark.book = %(book)s and mark.facility_id = facility.facility_id"
        " where facility.book = %(book)s)"
        " select rules_failed, cardinality(rules_failed) = 0 as passes, now = 'approved' as passed,"
        " bad.is_bad from tried left join bad using (facility_id)"
    ).format(
        inputs=_inputs(schemas),
        failed=failed_standards(policy),
        in_force=in_force,
        facilities=sql.Identifier(schemas["marts"], "dim_facility"),
        marks=sql.Identifier(schemas["marts"], "fct_facility_mark"),
    )
    values = {"book": book, "since": since, "until": until, "as_of": until}
    with connect("publisher") as connection:
        rows = connection.cursor(row_factory=dict_row).execute(statement, values).fetchall()
    if not rows:
        raise UsageError(f"book {book} decided no application from {since} to {until}")
    swapped_out = [row for row in rows if row["passed"] and not row["passes"]]
    known = [row["is_bad"] for row in swapped_out if row["is_bad"] is not None]
    return Trial(
        version=policy.version,
        applications=len(rows),
        approval_rate=sum(row["passes"] for row in rows) / len(rows),
        approval_rate_in_force=sum(row["passed"] for row in rows) / len(rows),
        swap_in=sum(row["passes"] and not row["passed"] for row in rows),
        swap_out=len(swapped_out),
        bad_rate_swap_out=sum(known) / len(known) if known else None,
        declined_by={
            each.id: sum(each.id in row["rules_failed"] for row in rows) for each in policy.standards
        },
    )


def _inputs(schemas: Mapping[str, str]) -> sql.Composed:
    """Applications of ``since`` to before ``until`` that were decided by ``as_of``, with their inputs."""
    return sql.SQL(
        "select application.application_id, application.policy_version as stated_version,"
        " application.decision, application.decided_by, application.override, application.applied_on,"
        " application.facility_id, {columns} from {applications} as application"
        " inner join {inputs} as inputs on inputs.book = %(book)s"
        " and inputs.application_id = application.application_id"
        " where application.book = %(book)s and application.decision is not null"
        " and application.applied_on >= %(since)s and application.applied_on < %(until)s"
        " and coalesce(application.approved_at, application.declined_at)::date <= %(as_of)s"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("inputs", name) for name in INPUTS),
        applications=sql.Identifier(schemas["marts"], "fct_application"),
        inputs=sql.Identifier(schemas["features"], "feat_application"),
    )


def failed_standards(policy: PolicyVersion) -> sql.Composed:
    """Array of the standards that decline, in their order; an unknown input does not decline."""
    parts: Sequence[sql.Composed] = [
        sql.SQL("case when ({}) then {} end").format(sql.SQL(condition), sql.Literal(name))  # type: ignore[arg-type]
        for name, condition in conditions(policy).items()
    ]
    return sql.SQL("array_remove(array[{}]::text[], null)").format(sql.SQL(", ").join(parts))


def _decision(policy: PolicyVersion) -> sql.Composed:
    return sql.SQL("case when cardinality({}) > 0 then 'declined' else 'approved' end").format(
        failed_standards(policy)
    )


def _kept() -> sql.Composed:
    pairs = sql.SQL(", ").join(
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier(name)) for name in INPUTS
    )
    return sql.SQL("jsonb_build_object({})").format(pairs)
