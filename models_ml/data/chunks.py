"""The population of a scorecard as Arrow chunks, and decisions written back: memory stays bounded.

Rows stream out of PostgreSQL by COPY and through Arrow's CSV reader block by block, whatever their number;
what is decided on a chunk streams back by COPY before the next one is read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import psycopg
import pyarrow as pa
from pyarrow import csv

from models_ml.card.sql import identifier
from models_ml.data.population import feature_columns, scored_relation
from models_ml.spec import ScorecardSpec

BLOCK_BYTES = 4 << 20


def population_chunks(
    connection: psycopg.Connection, spec: ScorecardSpec, features: Sequence[str], book: str, as_of: date,
    rows: int, *, states: str | None = None,
) -> Iterator[pa.Table]:  # fmt: skip
    """Everyone to be scored on ``as_of``, at most ``rows`` at a time; ``states`` as there.

    Columns: customer_id, observation_date, is_default, then ``features`` as float64 or text. The connection
    is busy until the last chunk was taken.
    """
    columns = feature_columns(connection, spec, features)
    parts, types = [], {"customer_id": pa.string(), "observation_date": pa.date32(), "is_default": pa.bool_()}
    for each in features:
        numeric = spec.features[each].kind == "numeric"
        whole = "::int" if numeric and columns.types[each] == "boolean" else ""
        parts.append(f"{identifier(each)}{whole}::{'double precision' if numeric else 'text'}")
        types[each] = pa.float64() if numeric else pa.string()
    relation = scored_relation(spec, book, as_of, columns, states=states)
    query = f"copy (select customer_id, observation_date, is_default, {', '.join(parts)} from {relation})"
    options = csv.ConvertOptions(
        column_types=types,
        null_values=[""],
        true_values=["t"],
        false_values=["f"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    reading = csv.ReadOptions(column_names=list(types), block_size=BLOCK_BYTES, use_threads=False)
    with connection.cursor().copy(f"{query} to stdout (format csv)") as copy:  # type: ignore[arg-type]
        stream = io.BufferedReader(_CopyStream(iter(copy)), BLOCK_BYTES)
        first = stream.peek(1)
        if not first:
            return
        for batch in csv.open_csv(stream, read_options=reading, convert_options=options):
            for start in range(0, batch.num_rows, rows):
                yield pa.Table.from_batches([batch.slice(start, rows)])


def write_chunk(connection: psycopg.Connection, table: str, chunk: pa.Table) -> None:
    """Append a chunk to a table by COPY; its column names are the table's."""
    buffer = io.BytesIO()
    csv.write_csv(chunk, buffer, csv.WriteOptions(include_header=False, quoting_style="needed"))
    names = ", ".join(identifier(name) for name in chunk.column_names)
    with connection.cursor().copy(f"copy {table} ({names}) from stdin (format csv)") as copy:  # type: ignore[arg-type]
        copy.write(buffer.getvalue())


class _CopyStream(io.RawIOBase):
    """A COPY out of the database as a stream of bytes."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._left = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(bytes(block))
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
