"""The compiled SQL and the pyfunc agree on every row, on a real PostgreSQL."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from creditops.warehouse import connect
from models_ml.card.evaluate import REASONS, bin_index, score_frame
from models_ml.card.points_table import PointsTable
from models_ml.card.sql import compile, compile_bins, identifier
from tests.unit.models_ml.tables import categorical, numeric, table, tables_and_rows


def _load(connection: psycopg.Connection, frame: pd.DataFrame, types: dict[str, str]) -> None:
    columns = ", ".join(f"{identifier(name)} {types[name]}" for name in frame)
    connection.execute("drop table if exists pg_temp.probe")
    connection.execute(f"create temporary table probe (row_number int, {columns})")
    marks = ", ".join(["%s"] * (len(frame.columns) + 1))
    connection.cursor().executemany(
        f"insert into probe values ({marks})",
        [(i, *(_plain(value) for value in row)) for i, row in enumerate(frame.itertuples(index=False))],
    )


def _plain(value: object) -> object:
    return None if value is None or value is pd.NA else value


def _assert_same(
    connection: psycopg.Connection, card: PointsTable, frame: pd.DataFrame, types: dict[str, str]
) -> None:
    _load(connection, frame, types)
    expected = score_frame(card, frame)
    names = list(expected.columns)
    statement = compile(card, "probe", keys=("row_number",), types=types)
    rows = connection.execute(
        f"select {', '.join(map(identifier, names))} from ({statement}) as scored order by row_number"
    ).fetchall()
    assert [list(row) for row in rows] == expected.to_numpy(dtype=object).tolist()
    bins = connection.execute(compile_bins(card, "probe", types=types)).fetchall()
    ours = np.column_stack([bin_index(each, frame[each.name]) for each in card.characteristics])
    assert sorted(map(tuple, bins)) == sorted(map(tuple, ours.tolist()))


@given(tables_and_rows())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_and_pyfunc_agree_on_missing_special_unseen_and_boundary_values(
    module_warehouse: str, case: tuple[PointsTable, pd.DataFrame, dict[str, str]]
) -> None:
    card, frame, types = case
    with connect("modeller") as connection:
        _assert_same(connection, card, frame, types)


def test_values_beside_a_boundary_in_every_direction(module_warehouse: str) -> None:
    cut = 0.1 + 0.2
    card = table(
        numeric("x", [-1.0, cut], [5, 10, 20], missing=3, special={999.0: 7}, mean=12.34),
        categorical("c", [("it's",), ("", "华东")], [1, 2], missing=3, other=4),
    )
    values = [
        cut,
        math.nextafter(cut, 1),
        math.nextafter(cut, 0),
        0.3,
        999.0,
        math.nan,
        None,
        math.inf,
        -math.inf,
    ]
    frame = pd.DataFrame(
        {
            "x": pd.Series(values, dtype=object),
            "c": pd.Series(["it's", "", "华东", "unseen", None, "IT'S", " ", "x", "y"], dtype=object),
        }
    )
    with connect("modeller") as connection:
        _assert_same(connection, card, frame, {"x": "double precision", "c": "text"})


def test_sixty_characteristics_still_compile_and_agree(module_warehouse: str) -> None:
    rng = np.random.default_rng(3)
    card = table(
        *(numeric(f"x{i}", [-0.5, 0.5], rng.integers(0, 30, 3).tolist(), mean=15.5) for i in range(60))
    )
    frame = pd.DataFrame(rng.normal(size=(200, 60)), columns=card.features)
    with connect("modeller") as connection:
        _assert_same(connection, card, frame, dict.fromkeys(card.features, "double precision"))


def test_more_than_sixty_four_characteristics_are_refused() -> None:
    card = table(*(numeric(f"x{i}", [0.0], [1, 2]) for i in range(65)))
    with pytest.raises(ValueError, match="65 characteristics"):
        compile(card, "anything")


def test_the_statement_has_one_case_per_characteristic_and_may_run_in_parallel(module_warehouse: str) -> None:
    card = table(*(numeric(f"x{i}", [-0.5, 0.5], [1, 2, 3]) for i in range(4)))
    points_only = compile(card, "probe", decision=False)
    assert points_only.count(" end as ") == 4
    with connect("modeller") as connection:
        columns = ", ".join(f"{name} double precision" for name in card.features)
        connection.execute("drop table if exists pg_temp.probe")
        connection.execute(f"create temporary table probe (customer_id text, {columns})")
        connection.execute("insert into probe select 'a', 0, 0, 0, 0")
        full = compile(card, "probe")
        row = connection.execute(full).fetchone()
        assert row is not None
        assert len(row) == 5 + 4 + 3 * REASONS
