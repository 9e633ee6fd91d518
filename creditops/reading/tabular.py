"""Reads JSON lines and Parquet as text cells, like delimited text; both are streamed.

Numbers are written without loss. Where a binary float cannot say which number was meant, the file is refused
(:mod:`creditops.reading.exact`).
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as arrow_compute
import pyarrow.parquet as arrow_parquet

from creditops.errors import DataRefusedError
from creditops.reading.exact import cents, inexact, is_counted, whole_text, whole_up_to
from creditops.reading.packed import expands, expansion_bound, open_bytes
from creditops.sources.column import Column

BATCH_ROWS = 65_536
_MAX_JSON_LINE, _MOST_KEYS = 8 << 20, 2_000
Numbered = tuple[np.ndarray, pl.DataFrame]


def read_json_lines(
    path: Path, name: str, encoding: str, unknown: Callable[[str], None], columns: Sequence[Column] = ()
) -> Iterator[Numbered]:
    """One JSON object per line, as frames of the keys seen in the batch.

    Parameters
    ----------
    unknown: told every key at its first appearance.
    columns: those of which is known what their numbers mean.

    Raises
    ------
    DataRefusedError: a line is no JSON object; a number is a float that no identifier can be; names line
        and column.
    """
    seen: set[str] = set()
    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    counted = {column.file_name for column in columns if is_counted(column)}
    with open_bytes(path, name) as stream:
        text_lines = io.TextIOWrapper(stream, "utf-8-sig" if encoding == "utf-8" else encoding, newline="\n")
        number = 0
        while line := text_lines.readline(_MAX_JSON_LINE):
            number += 1
            if len(line) == _MAX_JSON_LINE:
                raise DataRefusedError(
                    f"{name}: line {number} is longer than {_MAX_JSON_LINE >> 20} MB",
                    hint="deliver one object a line",
                )
            text = line.strip()
            if not text:
                continue
            row = _object(text, name, number, counted)
            for key in row.keys() - seen:
                seen.add(key)
                if len(seen) > _MOST_KEYS:
                    raise DataRefusedError(
                        f"{name}: line {number}: the file has over {_MOST_KEYS:,} different keys",
                        hint="deliver objects with the keys of the contract",
                    )
                unknown(key)
            rows.append(row)
            lines.append(number)
            if len(rows) == BATCH_ROWS:
                yield _frame(lines, rows, seen)
                rows, lines = [], []
    if rows:
        yield _frame(lines, rows, seen)


def parquet_header(path: Path, name: str) -> list[str]:
    """Column names of a Parquet file.

    Raises
    ------
    DataRefusedError: it is none.
    """
    try:
        return list(arrow_parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(name, error) from error


def parquet_batches(path: Path, name: str, columns: Sequence[Column]) -> Iterator[Numbered]:
    """Rows of a Parquet file as text, numbered from 1.

    Raises
    ------
    DataRefusedError: it cannot be read; a column of floats cannot be what its contract says.
    """
    first, seen, bound = 1, 0, expansion_bound(path.stat().st_size)
    names = [column.file_name for column in columns]
    try:
        texts = [each.name for each in arrow_parquet.read_schema(path) if _is_text(each.type)]
        with arrow_parquet.ParquetFile(path, read_dictionary=texts) as file:
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            if sum(group.total_byte_size for group in groups) > bound:
                raise expands(name, bound)
            for coded in file.iter_batches(BATCH_ROWS, columns=names):
                seen += sum(map(_bytes_of, coded.columns))
                if seen > bound:
                    raise expands(name, bound)
                batch = _decoded(coded)
                frame = pl.DataFrame(pl.from_arrow(batch))
                for column in columns:
                    _check_floats(frame[column.file_name], column, name, first)
                yield (
                    np.arange(first, first + len(frame)),
                    frame.select(_as_text(frame.schema[each.file_name], each) for each in columns),
                )
                first += len(frame)
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(name, error) from error


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        test(kind)
        for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )


def _bytes_of(column: pa.Array) -> int:
    """Bytes of a column's cells, one at least each; of texts those that stand for codes."""
    if not pa.types.is_dictionary(column.type):
        return max(int(column.nbytes), len(column))
    lengths = arrow_compute.binary_length(column.dictionary).take(column.indices)
    return int(arrow_compute.sum(lengths).as_py() or 0) + len(column)


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with texts in place of codes."""
    columns = [
        each.dictionary_decode() if pa.types.is_dictionary(each.type) else each for each in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _check_floats(values: pl.Series, column: Column, name: str, first: int) -> None:
    if not values.dtype.is_float():
        return
    if column.type == "money" and values.dtype != pl.Float64 and values.fill_nan(None).count():
        raise DataRefusedError(
            f"{name}: column {column.file_name!r} holds amounts as {values.dtype}, which keeps seven digits",
            hint="deliver amounts as decimal(18,2), as double or as text",
        )
    if is_counted(column):
        beyond = (values.fill_nan(None).abs() > whole_up_to(values.dtype)).fill_null(False)
        at = beyond.arg_max() if beyond.any() else None
        if at is not None:
            raise inexact(name, first + at, column.file_name, values[at])


def _no_parquet(name: str, error: Exception) -> DataRefusedError:
    return DataRefusedError(
        f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}",
        hint="deliver the file again, whole",
    )


def _as_text(kind: pl.DataType, column: Column) -> pl.Expr:
    cell = pl.col(column.file_name)
    if kind == pl.String:
        return cell
    if kind == pl.Date:
        return cell.dt.strftime("%Y-%m-%d")
    if isinstance(kind, pl.Datetime):
        if kind.time_zone and column.type != "date":
            return cell.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S%.f+00:00")
        text = cell.dt.strftime("%Y-%m-%d %H:%M:%S%.f")
        return text.str.strip_suffix(" 00:00:00")  # many programs keep a date as a time at midnight
    if kind.is_float() and column.type == "money":
        return cents(cell.cast(pl.Float64)).alias(column.file_name)
    if kind.is_float() and is_counted(column):
        whole = cell.cast(pl.Int64, strict=False)
        return (
            pl.when(whole.cast(kind) == cell)
            .then(whole.cast(pl.String))
            .otherwise(pl.when(cell.is_not_nan()).then(cell.cast(pl.String)))
        )
    if kind.is_decimal() and is_counted(column):
        return cell.cast(pl.String).str.replace(r"\.0+$", "")
    if isinstance(kind, pl.Binary):
        return cell.cast(pl.String, strict=False)
    if kind.is_nested():
        return cell.map_elements(
            lambda value: json.dumps(value, ensure_ascii=False, default=str), return_dtype=pl.String
        )
    return cell.cast(pl.String)


class _Float(str):
    """A number of JSON as it is written, with a point, an exponent or a name (NaN)."""


def _object(text: str, name: str, line: int, counted: Set[str]) -> dict[str, str | None]:
    try:
        found = json.loads(
            text,
            parse_float=_Float,
            parse_int=str,
            parse_constant=_Float,
            object_pairs_hook=lambda pairs: pairs,
        )
    except json.JSONDecodeError as error:
        raise DataRefusedError(
            f"{name}: line {line}, column {error.colno}: {error.msg}", hint="deliver one JSON object per line"
        ) from error
    except RecursionError:
        raise DataRefusedError(
            f"{name}: line {line}: is nested too deeply", hint="deliver one JSON object per line"
        ) from None
    if "\\ud" in text.lower() and not _is_unicode(found):
        raise DataRefusedError(
            f"{name}: line {line}: holds half of a character (\\ud800 to \\udfff alone)",
            hint="deliver text as UTF-8",
        )
    if not isinstance(found, list) or (found and not isinstance(found[0], tuple)) or not text.startswith("{"):
        raise DataRefusedError(
            f"{name}: line {line}: is no JSON object", hint="deliver one JSON object per line"
        )
    row = {
        key: _counted(value, name, line, key)
        if key in counted and isinstance(value, _Float)
        else _cell(value)
        for key, value in found
    }
    if len(row) < len(found):
        twice = next(key for key, times in Counter(key for key, _ in found).items() if times > 1)
        raise DataRefusedError(
            f"{name}: line {line}: the key {twice!r} appears twice", hint="deliver each key once"
        )
    return row


def _is_unicode(value: Any) -> bool:
    try:
        return bool(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _counted(value: _Float, name: str, line: int, key: str) -> str | None:
    number = Decimal(value)
    if number.is_nan():
        return None
    try:
        return whole_text(number) or str(value)
    except OverflowError:
        raise inexact(name, line, key, value) from None


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        value = dict(value)
    return json.dumps(value, ensure_ascii=False)


def _frame(lines: list[int], rows: list[dict[str, str | None]], keys: set[str]) -> Numbered:
    schema = {key: pl.String() for key in sorted(keys)}
    return np.array(lines), pl.DataFrame(
        [[row.get(key) for key in schema] for row in rows], schema=schema, orient="row"
    )
