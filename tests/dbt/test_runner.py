"""What the runner does in place of dbt gives what dbt gives."""

from __future__ import annotations

import pytest
import sqlparse
from dbt import compilation
from dbt.contracts.graph.nodes import InjectedCTE

from creditops.settings import get_settings
from creditops.warehouse.dbt import DbtRunner

CTES = [
    InjectedCTE(id="a", sql=" __dbt__cte__a as (\nselect 1 as x -- one\n)"),
    InjectedCTE(id="b", sql=" __dbt__cte__b as (\nselect 'with' as x)"),
]


@pytest.mark.parametrize(
    "query",
    [
        "\n\nwith c as (select x from __dbt__cte__a) select * from c",
        "/* with */\n-- with\n  With c as (select 1) select * from c",
        "with recursive c as (select 1 union all select 2) select * from c",
        "select x from __dbt__cte__a",
        "-- nothing but\nselect x from __dbt__cte__b",
        "select withheld from __dbt__cte__b",
        "(with c as (select 1) select * from c)",
    ],
)
def test_expressions_of_ephemeral_models_come_first_as_dbt_puts_them(query: str) -> None:
    DbtRunner(get_settings().home / "dbt", {"schema_prefix": ""}, True, None)
    ours, dbts = compilation.inject_ctes_into_sql, compilation.inject_ctes_into_sql.__wrapped__  # type: ignore[attr-defined]

    def words(sql: str) -> str:
        return " ".join(sqlparse.format(sql, strip_comments=True).lower().split())

    assert words(ours(query, CTES)) == words(dbts(query, CTES))
    assert ours(query, []) == query
