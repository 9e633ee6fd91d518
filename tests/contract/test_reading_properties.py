"""Whatever a well-formed delimited file holds is read back cell by cell, with its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditops.ingest.reader import LINE, open_source_file, read_batches
from creditops.sources.contract import Contract

CONTRACT = Contract.model_validate(
    {
        "source": "cells",
        "domain": "reference",
        "version": 1,
        "description": {"en": "Cells.", "zh": "单元格。"},
        "grain": "one row per line",
        "key": ["a"],
        "columns": [
            {"name": name, "type": "text", "required": name == "a", "description": {"en": name, "zh": "列"}}
            for name in ("a", "b", "c")
        ],
    }
)
CELL = st.text(st.characters(codec="gb18030", exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["", " ", "x\ny", 'he "said"', "a,b;c\td|e", "'", '"', "\\", "１２", "é", "NULL", "\u3000x\u3000"]
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=12),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_cells_come_back(
    tmp_path: Path, encoding: str, rows: list[tuple[str, str, str]], delimiter: str, ending: str, last: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *rows])
    content = text.getvalue() if last else text.getvalue().removesuffix(ending)
    path = tmp_path / "cells.csv"
    path.write_bytes(content.encode(encoding))
    batches = list(read_batches(open_source_file(path, CONTRACT)))
    frame = pl.concat(batches) if batches else pl.DataFrame(schema=[LINE, "a", "b", "c"])
    expected = [tuple(cell.strip() or None for cell in row) for row in rows]
    found = [
        tuple(None if cell is None else cell.strip() or None for cell in row[1:]) for row in frame.rows()
    ]
    assert found == expected
    assert frame[LINE].to_list() == list(range(2, len(rows) + 2))
