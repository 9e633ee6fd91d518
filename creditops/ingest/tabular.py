"""Reads Excel workbooks, JSON lines and Parquet as text cells, like delimited text.

Numbers are written without loss where the format keeps them exactly; a double of Excel with its 15
digits, which is what a user saw. JSON lines and Parquet are streamed; a workbook cannot be and is
read whole (its unpacked size is bounded).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from creditops.errors import DataRefusedError
from creditops.ingest.packed import check_workbook, open_bytes
from creditops.sources.model import FileFormat

BATCH_ROWS = 65_536
_MAX_JSON_LINE = 8 << 20
Numbered = tuple[np.ndarray, pl.DataFrame]


def read_workbook(path: Path, name: str, form: FileFormat) -> tuple[list[str], int, pl.DataFrame]:
    """Header cells, the header's row number and all rows below it of one sheet.

    The frame's columns are called by position (``0``, ``1``, ...).

    Raises
    ------
    DataRefusedError: no workbook, no such sheet, or an empty one.
    """
    import fastexcel

    check_workbook(path, name)
    try:
        workbook = fastexcel.read_excel(path)
        if form.sheet is not None and form.sheet not in workbook.sheet_names:
            raise DataRefusedError(
                f"{name}: there is no sheet {form.sheet!r}",
                hint=f"the workbook has {', '.join(workbook.sheet_names)}; see `format` in the contract",
            )
        sheet = workbook.load_sheet(form.sheet or 0, header_row=None, dtypes="string")
        frame = pl.DataFrame(pl.from_arrow(sheet.to_arrow()))
    except fastexcel.FastExcelError as error:
        raise DataRefusedError(
            f"{name}: is no Excel workbook: {str(error).splitlines()[0]}",
            hint="deliver the file again, whole",
        ) from error
    if len(frame) <= form.skip_lines:
        raise DataRefusedError(f"{name}: the sheet is empty", hint="deliver at least the header row")
    frame.columns = [str(position) for position in range(frame.width)]
    header = [str(cell or "").strip() for cell in frame.row(form.skip_lines)]
    while header and not header[-1]:
        header.pop()
    return header, form.skip_lines + 1, frame[form.skip_lines + 1 :]


def workbook_batches(
    frame: pl.DataFrame, header: list[str], header_row: int, columns: list[str], numbers: set[str]
) -> Iterator[Numbered]:
    """The rows of a sheet that are not blank, by their row numbers; only ``columns``."""
    numbered = frame.with_row_index("_n", offset=header_row + 1)
    texts = [str(header.index(name)) for name in columns]
    everything = [str(position) for position in range(len(header))]
    filled = numbered.filter(pl.any_horizontal(pl.col(everything).str.strip_chars().str.len_chars() > 0))
    for batch in filled.iter_slices(BATCH_ROWS):
        cells = batch.select(
            (
                _fifteen_digits(pl.col(text))
                if name in numbers
                else pl.col(text).str.strip_suffix(" 00:00:00")
            ).alias(name)
            for text, name in zip(texts, columns, strict=True)
        )
        yield batch["_n"].cast(pl.Int64).to_numpy(), cells


def read_json_lines(
    path: Path, name: str, encoding: str, unknown: Callable[[str], None]
) -> Iterator[Numbered]:
    """One JSON object per line, as frames of the keys seen in the batch.

    Parameters
    ----------
    unknown: told every key at its first appearance.

    Raises
    ------
    DataRefusedError: a line is no JSON object; names line and column.
    """
    seen: set[str] = set()
    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    with open_bytes(path, name) as stream:
        number = 0
        while line := stream.readline(_MAX_JSON_LINE):
            number += 1
            if len(line) == _MAX_JSON_LINE:
                raise DataRefusedError(
                    f"{name}: line {number} is longer than {_MAX_JSON_LINE >> 20} MB",
                    hint="deliver one object a line",
                )
            text = line.decode("utf-8-sig" if number == 1 and encoding == "utf-8" else encoding).strip()
            if not text:
                continue
            row = _object(text, name, number)
            for key in row.keys() - seen:
                seen.add(key)
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


def parquet_batches(path: Path, name: str, columns: list[str], cents: set[str]) -> Iterator[Numbered]:
    """Rows of a Parquet file as text, numbered from 1; ``cents`` are rounded if they are doubles."""
    first = 1
    try:
        with arrow_parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield (
                    np.arange(first, first + len(frame)),
                    frame.select(_as_text(frame.schema[each], each, each in cents) for each in columns),
                )
                first += len(frame)
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(name, error) from error


def _no_parquet(name: str, error: Exception) -> DataRefusedError:
    return DataRefusedError(
        f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}",
        hint="deliver the file again, whole",
    )


def _as_text(kind: pl.DataType, name: str, is_money: bool) -> pl.Expr:
    cell = pl.col(name)
    if kind == pl.String:
        return cell
    if kind == pl.Date:
        return cell.dt.strftime("%Y-%m-%d")
    if isinstance(kind, pl.Datetime):
        pattern = "%Y-%m-%d %H:%M:%S%.6f"
        return (
            cell.dt.convert_time_zone("UTC").dt.strftime(pattern + "+00:00")
            if kind.time_zone
            else cell.dt.strftime(pattern)
        )
    if kind.is_float() and is_money:
        cents = cell.cast(pl.Float64).round(2)
        # A double next to a whole cent is that cent; any other is a fault of the row.
        is_cent = (cell - cents).abs() <= 1e-9 * pl.max_horizontal(cell.abs(), 1.0)
        return (
            pl.when(is_cent)
            .then(cents.cast(pl.Decimal(38, 2)).cast(pl.String))
            .otherwise(cell.cast(pl.String))
            .alias(name)
        )
    if isinstance(kind, pl.Binary):
        return cell.cast(pl.String, strict=False)
    if kind.is_nested():
        return cell.map_elements(
            lambda value: json.dumps(value, ensure_ascii=False, default=str), return_dtype=pl.String
        )
    return cell.cast(pl.String)


def _fifteen_digits(cell: pl.Expr) -> pl.Expr:
    """A number of a sheet as shown: 1234.5699999 is 1234.57."""
    longer = cell.str.contains(r"^-?\d+\.\d{5,}$")
    shown = cell.map_elements(
        lambda text: _plain(float(text)) if _is_number(text) else text, return_dtype=pl.String
    )
    return pl.when(longer).then(shown).otherwise(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(value: float) -> str:
    text = f"{value:.15g}"
    return f"{value:.20f}".rstrip("0").rstrip(".") if "e" in text else text


def _object(text: str, name: str, line: int) -> dict[str, str | None]:
    try:
        found = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=lambda pairs: pairs)
    except json.JSONDecodeError as error:
        raise DataRefusedError(
            f"{name}: line {line}, column {error.colno}: {error.msg}", hint="deliver one JSON object per line"
        ) from error
    if not isinstance(found, list) or (found and not isinstance(found[0], tuple)) or not text.startswith("{"):
        raise DataRefusedError(
            f"{name}: line {line}: is no JSON object", hint="deliver one JSON object per line"
        )
    row = {key: _cell(value) for key, value in found}
    if len(row) < len(found):
        twice = next(key for key, _ in found if sum(other == key for other, _ in found) > 1)
        raise DataRefusedError(
            f"{name}: line {line}: the key {twice!r} appears twice", hint="deliver each key once"
        )
    return row


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
