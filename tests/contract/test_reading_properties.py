"""Whatever a well-formed delimited file holds is read back cell by cell, with its line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from creditops.errors import DataRefusedError
from creditops.reading.delimited import BLOCK_BYTES
from creditops.reading.reader import LINE, open_source_file, read_batches
from creditops.sources.contract import Contract
from creditops.sources.model import FileFormat
from tests.contract.random_texts import comes_back, random_text

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


def test_random_dialects_equal_a_plain_reader_whatever_the_block(tmp_path: Path) -> None:
    """Short form of ``tests/soak/test_random_files.py``."""
    differing = [seed for seed in range(400) if not comes_back(random_text(Random(seed)), tmp_path)]
    assert differing == []


def test_a_line_break_in_quotes_may_lie_on_the_border_of_two_blocks(tmp_path: Path) -> None:
    start = b'a,b,c\nfirst,"'
    filler = b"x" * (BLOCK_BYTES - len(start) - 1)
    path = tmp_path / "cells.csv"
    path.write_bytes(start + filler + b'\r\ny",z\nlast,b,c\n')
    frame = pl.concat(read_batches(open_source_file(path, CONTRACT)))
    assert frame["b"].to_list() == [f"{filler.decode()}\r\ny", "b"]


@pytest.mark.parametrize("title", ["x\u2028y", "x\x0by", "x\x85y", "x\x0cy\x1cz", '"open'])
def test_only_line_ends_part_the_lines_above_a_header(tmp_path: Path, title: str) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(f"{title}\na,b,c\n1,2,3\n", encoding="utf-8")
    contract = CONTRACT.model_copy(update={"format": FileFormat(skip_lines=1)})
    assert pl.concat(read_batches(open_source_file(path, contract))).rows() == [(3, "1", "2", "3")]


def test_a_quote_that_never_closes_is_found_though_quotes_are_even(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text('a,b,c\n1,5" pipe,3\n2,"open,3\n4,5,6\n', encoding="utf-8")
    with pytest.raises(DataRefusedError, match=r"cells\.csv: line 3: a quote never closes"):
        list(read_batches(open_source_file(path, CONTRACT)))
