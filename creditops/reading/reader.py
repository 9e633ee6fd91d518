"""Reads a delivered file as text cells, in batches, with the line or row number of every row.

Delimited text (.csv, .tsv, .txt), JSON lines, Excel and Parquet; text also packed as .gz or .zip.
Cells are trimmed and empty ones are null; typing is the contract's work. The header of a text
counts as a line; blank lines are passed over and not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl

from creditops.errors import DataRefusedError, listed
from creditops.reading import tabular, workbook
from creditops.reading.canonical_cells import as_contract_writes
from creditops.reading.delimited import read_delimited
from creditops.reading.dialect import (
    find_delimiter,
    find_encoding,
    header_cells,
    header_lines,
    read_head,
)
from creditops.reading.file_kinds import EXCEL, JSON_LINES, PARQUET, TEXT, kind_of
from creditops.reading.packed import inner_name
from creditops.sources.contract import Contract

LINE = "_row"


@dataclass
class SourceFile:
    """A file whose header has been checked against its contract.

    Attributes
    ----------
    kind: ``text``, ``json``, ``excel`` or ``parquet``.
    header: column names as the file writes them (JSON lines: those of the contract).
    header_line: line or row on which the header ends; 0 where there is none.
    extra_columns: names that the contract does not know; JSON lines: filled while reading.
    absent_columns: optional columns that the file has not, as if they were empty.
    ragged: lines with another number of fields than the header, as (line, fields), filled while
        the batches are read.
    quote: the character around fields; empty if the text holds none.
    delivery: the day of the delivery, where it is one.
    """

    path: Path
    name: str
    contract: Contract
    header: list[str]
    encoding: str = "utf-8"
    delimiter: str = ","
    kind: str = "text"
    header_line: int = 1
    extra_columns: list[str] = field(default_factory=list)
    absent_columns: list[str] = field(default_factory=list)
    ragged: list[tuple[int, int]] = field(default_factory=list)
    sheet: Iterator[list[workbook.Cell]] | None = None
    quote: str = '"'
    delivery: date | None = None


def open_source_file(
    path: Path, contract: Contract, *, name: str | None = None, delivery: date | None = None
) -> SourceFile:
    """Check form, encoding and header of a file.

    Raises
    ------
    DataRefusedError: unreadable, unknown encoding, no header, a repeated column, a missing one that is
        required.
    """
    name = name or path.name
    inside = inner_name(path, name)
    kind = kind_of(inside)
    if kind is None or (inside != path.name and kind in ("excel", "parquet")):
        raise DataRefusedError(
            f"{name}: a file of this kind cannot be read",
            hint=f"deliver {', '.join((*TEXT, *JSON_LINES))} (also as .gz or .zip), or "
            f"{', '.join((*EXCEL, *PARQUET))}",
        )
    if not contract.format.header and kind not in ("text", "excel"):
        raise DataRefusedError(
            f"{name}: only delimited text and sheets can be without a header",
            hint="take `header: false` out of the contract: in a file of this kind every value has a name",
        )
    file = SourceFile(path, name, contract, [], kind=kind, delivery=delivery)
    match kind:
        case "text":
            _open_text(file)
        case "json":
            file.encoding = find_encoding(path, name, contract.format.encoding).encoding
            file.header, file.header_line = [column.file_name for column in contract.columns], 0
        case "excel":
            workbook.check_formats(path, name, contract.columns)
            file.sheet = workbook.sheet_rows(path, name, contract.format)
            if contract.format.header:
                file.header, file.header_line = workbook.sheet_header(file.sheet, name, contract.format)
            else:
                file.sheet = workbook.first_row(file.sheet, name, contract.format, contract.columns)
                file.header = [column.file_name for column in contract.columns]
                file.header_line = contract.format.skip_lines
        case "parquet":
            file.header, file.header_line = tabular.parquet_header(path, name), 0
    _check_header(file)
    return file


def read_batches(file: SourceFile) -> Iterator[pl.DataFrame]:
    """Batches of the contract's columns as text, with :data:`LINE`; bounded memory.

    Raises
    ------
    DataRefusedError: a damaged archive, a quote that never closes, a line that is no JSON object.
    """
    contract = file.contract
    columns = [column.file_name for column in contract.columns]
    present = [column for column in contract.columns if column.file_name in file.header]

    def ragged(line: int, fields: int) -> None:
        file.ragged.append((line, fields))

    match file.kind:
        case "text":
            batches = read_delimited(
                file.path,
                file.name,
                header=file.header,
                header_line=file.header_line,
                columns=[column.file_name for column in present],
                encoding=file.encoding,
                delimiter=file.delimiter,
                quote=file.quote,
                ragged=ragged,
            )
        case "json":
            batches = tabular.read_json_lines(
                file.path,
                file.name,
                file.encoding,
                lambda key: _note_key(file, key),
                contract.columns,
            )
        case "excel":
            assert file.sheet is not None
            batches = workbook.sheet_batches(
                file.sheet,
                file.name,
                file.header,
                file.header_line,
                present,
                None if contract.format.header else ragged,
            )
        case _:
            batches = tabular.parquet_batches(file.path, file.name, present)
    for lines, frame in batches:
        absent = [name for name in columns if name not in frame.columns]
        yield frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(
            pl.Series(LINE, lines, dtype=pl.Int64),
            *(
                as_contract_writes(column, contract.format, delivery=file.delivery)
                for column in contract.columns
            ),
        )


def _note_key(file: SourceFile, key: str) -> None:
    """Of JSON lines only the end says which columns are absent: those whose key never came."""
    if key in file.absent_columns:
        file.absent_columns.remove(key)
    elif key not in file.header:
        file.extra_columns.append(key)


def _open_text(file: SourceFile) -> None:
    form = file.contract.format
    text = find_encoding(file.path, file.name, form.encoding)
    file.encoding = text.encoding
    head = read_head(file.path, file.name, file.encoding, form.skip_lines)
    file.delimiter = find_delimiter(head, {column.file_name for column in file.contract.columns}, form)
    file.header = header_cells(head, file.delimiter, form.quote)
    # Text without any quote is read several times faster if none is looked for.
    file.quote = form.quote if form.quote != '"' or text.has_quotes else ""
    file.header_line = form.skip_lines + header_lines(head, file.delimiter, form.quote)
    if not form.header:
        _name_columns(file)


def _name_columns(file: SourceFile) -> None:
    """Call the columns of a file without a header as the contract does, in its order."""
    expected = [column.file_name for column in file.contract.columns]
    if len(file.header) != len(expected):
        raise DataRefusedError(
            f"{file.name}: line {file.header_line} has {len(file.header)} fields, not {len(expected)}",
            hint=f"a file without a header must have the columns {', '.join(expected)}, in this order",
        )
    file.header, file.header_line = expected, file.contract.format.skip_lines


def _check_header(file: SourceFile) -> None:
    name, header = file.name, file.header
    where = f"line {file.header_line}: " if file.header_line else ""
    if not any(header):
        raise DataRefusedError(f"{name}: the file is empty", hint="deliver at least the header line")
    expected = [column.file_name for column in file.contract.columns]
    if not set(header) & set(expected):  # a row, perhaps of personal data: not to be shown
        raise DataRefusedError(
            f"{name}: {where}the header is missing, no column of the source is named",
            hint=f"source {file.contract.source} needs the columns {listed(expected)}",
        )
    repeated = sorted({each for each in header if each and header.count(each) > 1})
    if repeated:
        raise DataRefusedError(
            f"{name}: {where}column {listed(repeated[:1], quoted=True)} appears twice",
            hint="keep one of the columns",
        )
    absent = [column for column in file.contract.columns if column.file_name not in header]
    needed = (*file.contract.key, file.contract.delivery.operation)
    missing = [column.file_name for column in absent if column.required or column.name in needed]
    if missing:
        raise DataRefusedError(
            f"{name}: {where}column {listed(missing, quoted=True)} is missing",
            hint=f"source {file.contract.source} needs the columns {listed(expected)}; "
            f"the file has {listed(header)}",
        )
    file.absent_columns = [column.file_name for column in absent] if file.kind != "json" else expected
    file.extra_columns = [each for each in header if each and each not in expected]
