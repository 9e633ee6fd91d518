"""Files as nobody would write them on purpose, read as a plain reader reads them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.contract.random_sheets import RandomSheet
from tests.contract.random_texts import comes_back, random_text
from tests.soak.conftest import Shown

pytestmark = pytest.mark.soak
TEXTS, SHEETS = 10_000, 2_000


def test_random_dialects_equal_a_plain_reader_whatever_the_block(tmp_path: Path, shown: Shown) -> None:
    differing = [seed for seed in range(TEXTS) if not comes_back(random_text(Random(seed)), tmp_path)]
    assert differing == []
    shown("A CSV of any dialect is read, at any block size, as Python's csv reads the whole text", TEXTS)


def test_random_sheets_equal_a_plain_reader(tmp_path: Path, shown: Shown) -> None:
    path = tmp_path / "cells.xlsx"
    differing = [seed for seed in range(SHEETS) if not RandomSheet(Random(seed), path).comes_back()]
    assert differing == []
    shown("A random spreadsheet is read as what was put in, and as fastexcel reads it", SHEETS)
