"""Recommends the limits of a book's customers for a day, in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from importlib.resources import files

from creditops.policy import policy_in_force
from creditops.warehouse.connection import connect

LIVE_SCHEMAS: Mapping[str, str] = {"marts": "marts", "features": "features"}

# What changed since the recommendation before, in words: the figure, what binds, the grade.
_INSERT = """
insert into actions.credit_limits (
    book, as_of_date, customer_id, product_id, policy_version, current_limit, recommended_limit,
    cap_policy, cap_capacity, cap_group, cap_concentration, binding_cap, exposure, utilisation, excess,
    change_reason, change_reason_zh, inputs
)
with fresh as ({query}),

earlier as (
    select *
    from actions.credit_limits
    where book = %(book)s and as_of_date = (
        select max(as_of_date) from actions.credit_limits where book = %(book)s and as_of_date < %(as_of)s
    )
)

select
    %(book)s, %(as_of)s, fresh.customer_id, fresh.product_id, %(policy_version)s, fresh.current_limit,
    fresh.recommended_limit, fresh.cap_policy, fresh.cap_capacity, fresh.cap_group,
    fresh.cap_concentration, fresh.binding_cap, fresh.exposure, fresh.utilisation, fresh.excess,
    case
        when earlier.customer_id is null then 'first recommendation'
        when earlier.recommended_limit = fresh.recommended_limit then 'unchanged'
        else format(
            '%%s from %%s: %%s%%s%%s',
            case when fresh.recommended_limit > earlier.recommended_limit then 'raised' else 'lowered' end,
            earlier.recommended_limit, fresh.binding_cap,
            case when earlier.inputs ->> 'grade' <> fresh.inputs ->> 'grade'
                then format(', grade %%s to %%s', earlier.inputs ->> 'grade', fresh.inputs ->> 'grade')
            else '' end,
            case when earlier.policy_version <> %(policy_version)s
                then format(', policy %%s to %%s', earlier.policy_version, %(policy_version)s) else '' end
        )
    end,
    case
        when earlier.customer_id is null then '首次建议'
        when earlier.recommended_limit = fresh.recommended_limit then '无变化'
        else format(
            '由%%s%%s：%%s%%s%%s',
            earlier.recommended_limit,
            case when fresh.recommended_limit > earlier.recommended_limit then '上调' else '下调' end,
            fresh.binding_cap,
            case when earlier.inputs ->> 'grade' <> fresh.inputs ->> 'grade'
                then format('，等级%%s变为%%s', earlier.inputs ->> 'grade', fresh.inputs ->> 'grade')
            else '' end,
            case when earlier.policy_version <> %(policy_version)s
                then format('，政策%%s变为%%s', earlier.policy_version, %(policy_version)s) else '' end
        )
    end,
    fresh.inputs
from fresh
left join earlier using (customer_id, product_id)
"""


def recommend(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """Recommend a limit for every customer and product held; rows written.

    The day's rows are replaced. Reads the marts, the day's scores and warnings, approved actions and
    the policy in force on the day.

    Raises
    ------
    UsageError: no policy of the book is in force on the day.
    """
    policy = policy_in_force(book, as_of)
    query = files("creditops.limits").joinpath("recommend.sql").read_text(encoding="utf-8")
    rules = policy.limits.model_dump(mode="json")
    with connect("publisher") as connection:
        connection.execute(
            "delete from actions.credit_limits where book = %s and as_of_date = %s", (book, as_of)
        )
        return connection.execute(
            _INSERT.replace("{query}", query.format_map(schemas)),  # type: ignore[arg-type]
            {"book": book, "as_of": as_of, "rules": json.dumps(rules), "policy_version": policy.version},
        ).rowcount
