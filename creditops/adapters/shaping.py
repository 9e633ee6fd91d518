"""The steps that make an output's rows of an input's: look up, unpivot, leave out, generate.

Each step is given a frame and returns one. Rows that a step leaves out are counted by the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import polars as pl

from creditops.adapters.foreign_file import LINE
from creditops.adapters.mapping import Generate, Join, Unpivot
from creditops.errors import DataRefusedError
from creditops.expressions import sql_expression

MOST_GENERATED = 10_000
_WHOLE = r"^\+?[0-9]{1,9}(\.0*)?$"


def column(rows: pl.DataFrame, name: str) -> pl.Expr:
    """The column ``name``; where there is none of this name, ``<join>.<column>``."""
    join, _, field = name.partition(".")
    if name not in rows.columns and isinstance(rows.schema.get(join), pl.Struct):
        return pl.col(join).struct.field(field)
    return pl.col(name)


def keep(rows: pl.DataFrame, where: str, left_out: Counter[str], why: str = "where") -> pl.DataFrame:
    """The rows for which the condition is true, as SQL's WHERE; false and null alike leave a row out."""
    kept = rows.filter(sql_expression(where))
    left_out[why] += len(rows) - len(kept)
    return kept


def look_up(rows: pl.DataFrame, join: Join, partners: pl.DataFrame, left_out: Counter[str]) -> pl.DataFrame:
    """``rows`` with the columns of its partner in a struct column called as the join.

    Parameters
    ----------
    partners: the joined input's rows.

    Raises
    ------
    DataRefusedError: two partners that differ have the same key.
    """
    if join.where is not None:
        partners = keep(partners, join.where, Counter())
    lines = partners[LINE]
    partners = partners.drop(LINE)
    unique = partners.with_columns(lines.alias(LINE)).unique(
        partners.columns, keep="first", maintain_order=True
    )
    keys = list(join.on.values())
    known = unique.filter(pl.all_horizontal(pl.col(keys).is_not_null()))
    twice = known.filter(pl.struct(keys).is_duplicated()).sort(LINE)
    if len(twice):
        first = twice.filter(pl.all_horizontal(pl.col(key) == twice[key][0] for key in keys))
        at = ", ".join(f"{key} {first[key][0]}" for key in keys)
        raise DataRefusedError(
            f"the input {join.input!r} has more than one row for {at}: lines {first[LINE][0]}"
            f" and {first[LINE][1]}",
            hint="a join looks one row up: narrow it by `where`, or make the output `from` that input",
        )
    names = [f"_key_{at}" for at in range(len(keys))]
    looked = known.drop(LINE).select(
        *(pl.col(key).alias(name) for key, name in zip(keys, names, strict=True)),
        pl.struct(partners.columns).alias(join.name),
    )
    made = rows.with_columns(
        column(rows, key).alias(name) for key, name in zip(join.on, names, strict=True)
    ).join(looked, on=names, how="left", maintain_order="left")
    if join.missing == "leave_out":
        found = made.filter(pl.col(join.name).is_not_null())
        left_out[f"no {join.name}"] += len(made) - len(found)
        made = found
    return made.drop(names)


def unpivot(rows: pl.DataFrame, form: Unpivot) -> pl.DataFrame:
    """One row per entry for each row."""
    return pl.concat(
        rows.with_columns(
            pl.lit(entry).alias(form.name), *(column(rows, old).alias(new) for new, old in columns.items())
        )
        for entry, columns in form.rows.items()
    )


def generate(
    rows: pl.DataFrame, form: Generate, start: Callable[[pl.DataFrame], pl.Expr], left_out: Counter[str]
) -> pl.DataFrame:
    """``count`` rows for each, with their number and, where asked for, their day.

    Parameters
    ----------
    start: gives the expression of the first day, as ISO text.
    """
    text = rows.select(
        sql_expression(form.count).cast(pl.String).str.strip_chars().alias("count")
    ).to_series()
    count = text.set(~text.str.contains(_WHOLE), None).str.strip_suffix(".").cast(pl.Float64).cast(pl.Int64)
    count = count.set(count > MOST_GENERATED, None)
    left_out["generate: count 0"] += int((count == 0).sum())
    total = form.total or "_total"
    numbers = pl.int_ranges(1, pl.col(total) + 1)
    made = (
        rows.with_columns(count.alias(total))
        .filter(pl.col(total).is_null() | (pl.col(total) > 0))
        .with_columns(
            pl.when(pl.col(total).is_null()).then(pl.lit([None])).otherwise(numbers).alias(form.number)
        )
        .explode(form.number)
    )
    made = made if form.total else made.drop(total)
    if form.dates is None:
        return made
    dates = form.dates
    length, unit = dates.period
    first = start(made).str.to_date("%Y-%m-%d", strict=False)
    steps = (pl.col(form.number) - 1 + dates.first) * length
    # Counted from the start each time: a short month does not shorten those behind it.
    day = first.dt.offset_by(pl.format("{}" + unit, steps))
    if dates.month_end == "last_day":
        day = day.dt.month_end()
    elif dates.month_end == "stay":
        day = pl.when(first == first.dt.month_end()).then(day.dt.month_end()).otherwise(day)
    return made.with_columns(pl.when(pl.col(form.number).is_not_null()).then(day).alias(dates.name))
