"""What the runner does in place of dbt gives what dbt gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlparse
from dbt import compilation
from dbt.contracts.graph.nodes import InjectedCTE
from dbt_common.behavior_flags import Behavior
from dbt_common.events.base_types import EventLevel, msg_from_base_event
from dbt_common.events.logger import LoggerConfig, _Logger, _TextLogger
from dbt_common.events.types import Formatting, Note, PrintEvent

from creditops.build import build
from creditops.settings import get_settings
from creditops.warehouse.dbt import DbtRunner

CTES = [
    InjectedCTE(id="a", sql=" __dbt__cte__a as (\nselect 1 as x -- one\n)"),
    InjectedCTE(id="b", sql=" __dbt__cte__b as (\nselect 'with' as x)"),
]


def ours_and_dbts(owner: Any, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    DbtRunner(get_settings().home / "dbt", {"book": "demo", "schema_prefix": ""}, True, None)
    ours = getattr(owner, name)
    return ours, ours.__wrapped__


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
    ours, dbts = ours_and_dbts(compilation, "inject_ctes_into_sql")

    def words(sql: str) -> str:
        return " ".join(sqlparse.format(sql, strip_comments=True).lower().split())

    assert words(ours(query, CTES)) == words(dbts(query, CTES))
    assert ours(query, []) == query


@pytest.mark.usefixtures("warehouse")
def test_the_models_of_a_layer_share_the_connections_of_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    connect, opened = psycopg2.connect, []

    def counted(*arguments: Any, **named: Any) -> Any:
        opened.append(connect(*arguments, **named))
        return opened[-1]

    monkeypatch.setattr(psycopg2, "connect", counted)
    result = build("nothing", date(2025, 6, 30), layers=("intermediate",), checks=False)

    assert len(result.models) > 10
    assert 1 <= len(opened) <= 6
    assert all(connection.closed for connection in opened)


@pytest.mark.parametrize("level", ["info", "warn"])
def test_the_log_holds_what_dbt_writes_into_it(tmp_path: Path, level: str) -> None:
    events = [
        msg_from_base_event(event, level=EventLevel(told))
        for event in (Note(msg="a note"), Formatting(msg="a line"), PrintEvent(msg="printed"))
        for told in ("debug", "info", "warn", "error")
    ]
    written = []
    for number, write in enumerate(ours_and_dbts(_Logger, "write_line")):
        path = tmp_path / f"{number}.log"
        logger = _TextLogger(
            LoggerConfig(
                name=path.name, level=EventLevel(level), output_file_name=str(path), output_file_max_bytes=0
            )
        )
        for event in events:
            write(logger, event)
        logger.flush()
        written.append([line.split("  ", 1)[-1] for line in path.read_text().splitlines()])
    assert written[0] == written[1] != []


def test_a_flag_without_a_source_is_declared_by_dbt() -> None:
    ours_and_dbts(_Logger, "write_line")
    flags = Behavior([{"name": "wanted", "default": True, "description": "why"}], {})
    assert flags.wanted.setting
    assert flags.wanted._behavior_change_event.flag_source == "dbt"
