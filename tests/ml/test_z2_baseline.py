"""Z'' of the warehouse on the Polish firms: the baseline that a corporate scorecard must beat.

The set gives ratios, not statements: a statement with total assets and liabilities of a thousand million each
has working capital, retained earnings and EBIT over assets (Attr3, Attr6, Attr7) and equity over liabilities
(Attr8) as its own, to the cent. Its other figures mean nothing; its two sides do not agree, which is listed.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from creditops.build import build
from creditops.warehouse import connect
from models_ml.measure.discrimination import auc
from tests.dbt.raw_rows import put
from tests.dbt.warehouse_rows import rows

BOOK = "polish_firms"
AS_OF = date(2008, 12, 31)
UNIT = Decimal(10) ** 9
WC_TA, RE_TA, EBIT_TA, BVE_TL = 2, 5, 6, 7  # positions of Attr3, Attr6, Attr7, Attr8


def lines(folder: Path) -> list[list[str]]:
    with gzip.open(folder / "polish_bankruptcy" / "1year.arff.gz", "rt", encoding="utf-8") as file:
        text = file.read().split("@data", 1)[1]
    return [line.split(",") for line in text.splitlines() if line.strip()]


def statement(number: int, cells: list[str]) -> dict[str, Any]:
    def amount(position: int) -> Decimal:
        return (Decimal(cells[position]) * UNIT).quantize(Decimal("0.01"))

    working_capital = amount(WC_TA)
    return {
        "customer_id": f"PL{number:05d}",
        "period_end": date(2007, 12, 31),
        "published_on": date(2008, 6, 30),
        "months": 12,
        "currency": "PLN",
        "total_assets": UNIT,
        "total_liabilities": UNIT,
        "current_assets": max(working_capital, Decimal(0)),
        "current_liabilities": max(-working_capital, Decimal(0)),
        "retained_earnings": amount(RE_TA),
        "ebit": amount(EBIT_TA),
        "equity": amount(BVE_TL),
    }


@pytest.fixture(scope="module")
def firms(module_warehouse: str, shared_data: Path) -> list[list[str]]:
    firms = lines(shared_data)
    with connect("owner") as connection:
        put(connection, "statements", [statement(n, cells) for n, cells in enumerate(firms)], book=BOOK)
    build(BOOK, AS_OF, layers=("intermediate",), checks=False)
    return firms


def test_z2_ranks_bankruptcies_with_the_reported_auc(
    firms: list[list[str]], record_property: Callable[[str, object], None]
) -> None:
    """0.6899, 95 % interval 0.6561 to 0.7236 (DeLong), on 7,027 firms of which 271 went bankrupt."""
    scores = {
        row["customer_id"]: row["z2_score"]
        for row in rows(
            "select customer_id, z2_score from intermediate.int_statement_ratio where book = %s", BOOK
        )
    }
    assert len(scores) == len(firms) == 7027
    scored = [(scores[f"PL{n:05d}"], int(cells[-1])) for n, cells in enumerate(firms)]
    found = auc(-np.array([z for z, _ in scored]), np.array([bad for _, bad in scored]))
    record_property("z2_auc", f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}] on {len(scored)} firms")

    assert (len(scored), sum(bad for _, bad in scored)) == (7027, 271)
    assert found.value == pytest.approx(0.6899, abs=0.0002)
    assert found.low == pytest.approx(0.6561, abs=0.0005)
    assert found.high == pytest.approx(0.7236, abs=0.0005)


def test_z2_of_the_warehouse_is_the_formula(firms: list[list[str]]) -> None:
    query = "select customer_id, z2_score from intermediate.int_statement_ratio where book = %s"
    for row in rows(query, BOOK)[::7]:
        cells = firms[int(row["customer_id"][2:])]
        parts = [cells[position] for position in (WC_TA, RE_TA, EBIT_TA, BVE_TL)]
        wc, re, ebit, bve = (float(part) for part in parts)
        assert row["z2_score"] == pytest.approx(6.56 * wc + 3.26 * re + 6.72 * ebit + 1.05 * bve, abs=2e-6)


def test_a_statement_that_does_not_balance_is_kept() -> None:
    (found,) = rows(
        "select count(*) as n, count(z2_score) as scored from intermediate.int_statement_ratio"
        " where book = %s and is_unbalanced",
        BOOK,
    )
    assert found["n"] > 6000
    assert found["scored"] > 6000
