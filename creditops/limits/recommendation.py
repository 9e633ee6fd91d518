"""Recommended limits: what may bind them, in words, and the rows of each day that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import psycopg

BINDING: Mapping[str, Mapping[str, str]] = {
    "policy": {"zh": "政策上限", "en": "policy cap"},
    "capacity": {"zh": "还款能力", "en": "capacity"},
    "concentration": {"zh": "集中度上限", "en": "concentration cap"},
    "group": {"zh": "集团上限", "en": "group cap"},
    "red_warning": {"zh": "当前额度，红色预警未关闭", "en": "limit in force, red warning open"},
    "default": {"zh": "客户或该产品授信违约", "en": "customer or a facility of the product in default"},
    "suspension": {"zh": "已批准暂停授信", "en": "approved suspension"},
    "reduction": {"zh": "已批准调减额度", "en": "approved reduction"},
    "no_rise": {"zh": "当前额度，不得上调", "en": "limit in force, no rise"},
    "rise_step": {"zh": "单次上调上限", "en": "largest rise at once"},
}
"""Names of what may bind, for people."""
_COLUMNS = (
    "customer_id, product_id, policy_version, current_limit, recommended_limit, cap_policy, cap_capacity,"
    " cap_group, cap_concentration, binding_cap, exposure, utilisation, excess, current_terms,"
    " recommended_terms, adjustment, change_reason, change_reason_zh, inputs"
)


def keep(connection: psycopg.Connection, book: str, as_of: date) -> int:
    """Keep the limits that ``serving`` holds as those of the day, in place of any; rows kept."""
    day = {"book": book, "as_of": as_of}
    connection.execute(
        "delete from actions.credit_limits where book = %(book)s and as_of_date = %(as_of)s", day
    )
    return connection.execute(
        f"insert into actions.credit_limits (book, as_of_date, {_COLUMNS})"  # type: ignore[arg-type]
        f" select book, %(as_of)s, {_COLUMNS} from serving.credit_limits where book = %(book)s",
        day,
    ).rowcount
