"""Cells of columns that a contract does not know: kept aside per row until it does.

Nobody has said whether such a column holds personal data, so only short plain values (codes, numbers,
dates) are kept as they are; anything else as its keyed hash. The landed file keeps the whole.
"""

from __future__ import annotations

import json

import polars as pl
import psycopg

from creditops.ingest.check.privacy import hash_series
from creditops.personal_data import masked
from creditops.reading.canonical_cells import as_contract_writes
from creditops.reading.delimited import read_delimited
from creditops.reading.reader import SourceFile
from creditops.sources.column import Column
from creditops.sources.model import FileFormat
from creditops.texts import Text

_PLAIN = (
    r"^(?:[0-9A-Za-z_+-]{1,3}|[A-Za-z_]{1,12}|[+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?|[0-9]{4}-[0-9]{2}-[0-9]{2})$"
)
_UNKNOWN = "undeclared"


def keep_aside(connection: psycopg.Connection, batch_id: int, file: SourceFile) -> None:
    """Store the undeclared cells of a text file's rows in ``ops.undeclared_cells``.

    Other kinds of files are only reported: their rows name their columns, and the file stays.
    """
    if file.kind != "text" or not file.extra_columns:
        return
    batches = read_delimited(
        file.path,
        file.name,
        header=file.header,
        header_line=file.header_line,
        columns=file.extra_columns,
        encoding=file.encoding,
        delimiter=file.delimiter,
        quote=file.quote,
        ragged=lambda _line, _fields: None,
    )
    statement = "copy ops.undeclared_cells (batch_id, line, cells) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for lines, frame in batches:
            cells = frame.select(as_contract_writes(_column(name), FileFormat()) for name in frame.columns)
            kept = cells.select(_private(cells[name]) for name in cells.columns)
            for line, row in zip(lines, kept.iter_rows(named=True), strict=True):
                filled = {masked(name): value for name, value in row.items() if value is not None}
                if filled:
                    stream.write_row((batch_id, int(line), json.dumps(filled, ensure_ascii=False)))


def _private(cells: pl.Series) -> pl.Series:
    plain = cells.str.contains(_PLAIN)
    return cells.zip_with(plain.fill_null(True), hash_series(cells, _UNKNOWN))


def _column(name: str) -> Column:
    return Column(name=name, type="text", description=Text(en=name, zh=name))
