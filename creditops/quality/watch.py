"""Looks at a delivery beside the ones before it: what is within every bound and still unlikely.

A change of scale (amounts in cents), another share of empty cells, identifiers of another kind or of other
facts, dates far in the future. Findings are warnings: a person looks, nothing stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from creditops.sources.column import Column
from creditops.sources.contract import Contract

_ENOUGH = 30  # rows on either side, fewer say nothing of a share or a median
_LOOKED_AT = 100_000
_BATCHES = 3
_SCALE = 20.0
_NEVER, _NOW = 0.05, 0.30  # of the cells
_FOREIGN_SHARE = 0.5
_RENAMED_SHARE = 0.05
_HORIZON = timedelta(days=50 * 365)
_LONGER = timedelta(days=2 * 365)
_NUMBERS = ("money", "rate", "int", "bigint")


@dataclass(frozen=True)
class Cells:
    """One column of some rows: filled cells, median of the amounts that are not 0, latest day, and for
    identifiers their shapes (``A9``: letters, then digits) with how many have each.
    """

    filled: int
    median: float | None = None
    latest: date | None = None
    shapes: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Profile:
    """Rows of one delivery or of several; ``delivered`` is the latest day on which one was."""

    rows: int
    delivered: date
    columns: Mapping[str, Cells]


@dataclass(frozen=True)
class Finding:
    """Something unlikely, in a sentence, and how many rows it is about."""

    check: str
    sentence: str
    rows: int


def compare(now: Profile, before: Profile | None, contract: Contract) -> Iterator[Finding]:
    """What is unlikely in ``now``, given ``before``; without one only what is so by itself."""
    for column in contract.columns:
        name = column.raw_name
        cells = now.columns.get(name)
        known = before.columns.get(name) if before is not None else None
        if cells is None:
            continue
        if column.type in ("date", "ts") and cells.latest is not None:
            yield from _far_days(name, cells.latest, known, now, before)
        if known is None or before is None or min(now.rows, before.rows) < _ENOUGH:
            continue
        yield from _empty_cells(name, cells, known, now, before)
        if cells.median and known.median and min(cells.filled, known.filled) >= _ENOUGH:
            yield from _scale(name, cells, known)
        if cells.shapes and known.shapes:
            yield from _shapes(name, cells, known)


def _far_days(
    name: str, latest: date, known: Cells | None, now: Profile, before: Profile | None
) -> Iterator[Finding]:
    horizon = _HORIZON
    said = ""
    if known is not None and known.latest is not None and before is not None and before.rows >= _ENOUGH:
        usual = max(timedelta(0), known.latest - before.delivered)
        horizon = min(horizon, usual + _LONGER)
        said = f", before at most {usual.days} days"
    if latest - now.delivered > horizon:
        yield Finding(
            f"{name} lies where it did",
            f"{name} reaches {latest}, {(latest - now.delivered).days:,} days after the delivery{said}",
            1,
        )


def _empty_cells(name: str, cells: Cells, known: Cells, now: Profile, before: Profile) -> Iterator[Finding]:
    # Only what was always filled or always empty: a batch holds what changed, so other shares move.
    share, was = 1 - cells.filled / now.rows, 1 - known.filled / before.rows
    if (was <= _NEVER and share >= _NOW) or (was >= 1 - _NEVER and share <= 1 - _NOW):
        yield Finding(
            f"{name} is as full as it was",
            f"{name} is empty in {share:.0%} of the rows, before in {was:.0%}",
            now.rows - cells.filled,
        )


def _scale(name: str, cells: Cells, known: Cells) -> Iterator[Finding]:
    assert cells.median is not None
    assert known.median is not None
    ratio = cells.median / known.median
    if ratio >= _SCALE or ratio <= 1 / _SCALE:
        times = f"{ratio:,.0f} times" if ratio >= 1 else f"1/{1 / ratio:,.0f} of"
        yield Finding(
            f"{name} has the scale it had",
            f"the median of {name} is {cells.median:,.2f}, {times} what it was ({known.median:,.2f}):"
            " another unit?",
            cells.filled,
        )


def _shapes(name: str, cells: Cells, known: Cells) -> Iterator[Finding]:
    assert cells.shapes is not None
    assert known.shapes is not None
    foreign = {shape: rows for shape, rows in cells.shapes.items() if shape not in known.shapes}
    count = sum(foreign.values())
    if count >= _ENOUGH and count >= _FOREIGN_SHARE * cells.filled:
        yield Finding(
            f"{name} looks as it did",
            f"{name} looks like {max(foreign, key=foreign.__getitem__)!r} in {count} rows, before like"
            f" {max(known.shapes, key=known.shapes.__getitem__)!r}: another column?",
            count,
        )


def of_batch(
    connection: psycopg.Connection, contract: Contract, book: str, batch_id: int, delivered: date
) -> list[Finding]:
    """Findings on a batch that lies in raw, beside the last batches before it."""
    now = _profile(connection, contract, book, [batch_id], delivered)
    if not now.rows:
        return []
    found = list(compare(now, _before(connection, contract, book, delivered), contract))
    return [*found, *_renamed(connection, contract, book, batch_id)]


def of_rows(
    connection: psycopg.Connection, contract: Contract, book: str, rows: pl.DataFrame, delivered: date
) -> list[Finding]:
    """Findings on typed rows that are not loaded (:mod:`creditops.reading.typed_cells`)."""
    columns = {}
    for column in contract.columns:
        cells = rows[column.raw_name].drop_nulls()
        columns[column.raw_name] = Cells(
            len(cells), _median(column, cells), _latest(column, cells), _shapes_of(column, cells)
        )
    return list(
        compare(
            Profile(len(rows), delivered, columns), _before(connection, contract, book, delivered), contract
        )
    )


def _median(column: Column, cells: pl.Series) -> float | None:
    if column.type not in _NUMBERS:
        return None
    amounts = cells.filter(cells != 0).abs().median()
    return None if amounts is None else float(amounts) / (100 if column.type == "money" else 1)  # type: ignore[arg-type]


def _latest(column: Column, cells: pl.Series) -> date | None:
    if column.type not in ("date", "ts") or column.pii != "none" or cells.is_empty():
        return None
    latest = cells.cast(pl.Date).max()
    assert isinstance(latest, date)
    return latest


def _shapes_of(column: Column, cells: pl.Series) -> dict[str, int] | None:
    if column.type != "id" or column.is_hashed:
        return None
    shapes = cells.head(_LOOKED_AT).str.replace_all("[0-9]+", "9").str.replace_all("[A-Za-z]+", "A")
    return dict(shapes.alias("shape").value_counts().rows())


def _before(connection: psycopg.Connection, contract: Contract, book: str, delivered: date) -> Profile | None:
    """The last batches of a source that were delivered before a day: files of one day share a delivery."""
    found = connection.execute(
        "select batch_id, delivery_date from ops.load_ledger where book = %s and source = %s"
        " and status = 'loaded' and withdrawn_by is null and rows_loaded > 0"
        " and delivery_date < %s and left(coalesce(message, ''), 9) <> 'replay by'"
        " order by delivery_date desc, batch_id desc limit %s",
        (book, contract.source, delivered, _BATCHES),
    ).fetchall()
    if not found:
        return None
    return _profile(connection, contract, book, [row[0] for row in found], max(row[1] for row in found))


def _profile(
    connection: psycopg.Connection, contract: Contract, book: str, batches: list[int], delivered: date
) -> Profile:
    asked: list[Column] = []
    parts: list[sql.Composable] = [sql.SQL("count(*)")]
    for column in contract.columns:
        name = sql.Identifier(column.raw_name)
        asked.append(column)
        parts.append(sql.SQL("count({})").format(name))
        parts.append(_aggregate(column, name))
    row = connection.execute(
        sql.SQL(
            "select {} from (select * from raw.{} where book = %s and _batch_id = any(%s) and not _deleted"
            " order by _batch_id, _row limit %s) as rows"
        ).format(sql.SQL(", ").join(parts), sql.Identifier(contract.table)),
        (book, batches, _LOOKED_AT),
    ).fetchone()
    assert row is not None
    columns = {
        column.raw_name: _cells(column, *row[1 + 2 * at : 3 + 2 * at]) for at, column in enumerate(asked)
    }
    for column in asked:
        if column.type == "id" and not column.is_hashed:
            known = columns[column.raw_name]
            columns[column.raw_name] = Cells(
                known.filled, shapes=_raw_shapes(connection, contract, column, book, batches)
            )
    return Profile(row[0], delivered, columns)


def _aggregate(column: Column, name: sql.Identifier) -> sql.Composable:
    if column.type in _NUMBERS:
        return sql.SQL(
            "percentile_cont(0.5) within group (order by abs({0})) filter (where {0} <> 0)"
        ).format(name)
    if column.type in ("date", "ts") and column.pii == "none":
        return sql.SQL("max({}::date)").format(name)
    return sql.SQL("null")


def _cells(column: Column, filled: int, found: Any) -> Cells:
    if column.type in _NUMBERS:
        return Cells(filled, median=None if found is None else float(found))
    return Cells(filled, latest=found)


def _raw_shapes(
    connection: psycopg.Connection, contract: Contract, column: Column, book: str, batches: list[int]
) -> dict[str, int]:
    rows = connection.execute(
        sql.SQL(
            "select regexp_replace(regexp_replace({0}, '[0-9]+', '9', 'g'), '[A-Za-z]+', 'A', 'g'), count(*)"
            " from (select {0} from raw.{1} where book = %s and _batch_id = any(%s) and not _deleted"
            " and {0} is not null order by _batch_id, _row limit %s) as rows group by 1"
        ).format(sql.Identifier(column.raw_name), sql.Identifier(contract.table)),
        (book, batches, _LOOKED_AT),
    ).fetchall()
    return dict(rows)


def _renamed(
    connection: psycopg.Connection, contract: Contract, book: str, batch_id: int
) -> Iterator[Finding]:
    """Facts known before that now name another customer, facility and so on, more of them than move."""
    keys = [name for name in contract.key if contract.column(name).type not in ("date", "ts")]
    named = [
        column.raw_name
        for column in contract.columns
        if column.type == "id" and not column.is_hashed and column.name not in contract.key
    ]
    if not keys or not named:
        return
    same = sql.SQL(" and ").join(
        sql.SQL("r.{0} = b.{0}").format(sql.Identifier(contract.column(key).raw_name)) for key in keys
    )
    changed = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where b.{0} <> p.{0})").format(sql.Identifier(name)) for name in named
    )
    row = connection.execute(
        sql.SQL(
            "with b as (select * from raw.{table} where book = %(book)s and _batch_id = %(batch)s"
            " and not _deleted order by _row limit %(most)s)"
            " select (select rows_read from ops.load_ledger where batch_id = %(batch)s), {changed}"
            " from b cross join lateral (select {columns} from raw.{table} as r"
            " where r.book = b.book and {same} and r._batch_id < %(batch)s"
            " order by r.loaded_at desc, r._batch_id desc limit 1) as p"
        ).format(
            table=sql.Identifier(contract.table),
            changed=changed,
            same=same,
            columns=sql.SQL(", ").join(sql.SQL("r.{}").format(sql.Identifier(name)) for name in named),
        ),
        {"book": book, "batch": batch_id, "most": _LOOKED_AT},
    ).fetchone()
    assert row is not None
    for name, count in zip(named, row[1:], strict=True):
        if count >= _ENOUGH and count >= _RENAMED_SHARE * row[0]:
            yield Finding(
                f"{name} is whom it was",
                f"{name} is another than before in {count} of {row[0]} rows: identities swapped?",
                count,
            )
