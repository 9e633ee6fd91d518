"""Recommends the limits of a book's customers for a day, in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from importlib.resources import files

from creditops.grades import DEFAULT_GRADE
from creditops.policy import policy_in_force
from creditops.policy.registry import register
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warehouse.panel import latest_month_end

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


def recommend(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """Recommend a limit and terms for every customer and product held; rows written.

    The day's rows are replaced. Reads the marts, the day's verdicts and warnings, approved actions and
    the policy in force on the day.

    Raises
    ------
    UsageError: no policy of the book is in force on the day.
    CreditOpsError: the policy's file changed without a new version.
    """
    policy = policy_in_force(book, as_of)
    query = _sql("keep.sql").replace("{query}", _sql("recommend.sql").format_map(schemas))
    rules = policy.limits.model_dump(mode="json")
    with connect("publisher", large_joins=True) as connection:
        register(connection, book, policy, as_of)
        connection.execute(
            "delete from actions.credit_limits where book = %s and as_of_date = %s", (book, as_of)
        )
        return connection.execute(
            query,  # type: ignore[arg-type]
            {
                "book": book,
                "as_of": as_of,
                "panel_day": latest_month_end(connection, book, as_of, marts=schemas["marts"]),
                "rules": json.dumps(rules),
                "policy_version": policy.version,
                "default_grade": DEFAULT_GRADE,
                "binding": json.dumps(BINDING),
            },
        ).rowcount


def _sql(name: str) -> str:
    return files("creditops.limits").joinpath(name).read_text(encoding="utf-8")
