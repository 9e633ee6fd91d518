"""What a simulated book tells in two steps is known in two steps: no look-ahead in raw."""

from __future__ import annotations

from datetime import date

import pytest

from creditops.ingest.land.landing import land
from creditops.ingest.write.loader import load_file
from creditops.simulate import simulate
from tests.ingest.real_books import select

DAY = date(2026, 6, 30)


@pytest.fixture(scope="module", autouse=True)
def book(module_warehouse: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, customers=300, months=18, seed=3, as_of=DAY)
    files = [path for name in ("disputes", "statements") for path in sorted(folder.glob(f"{name}*.csv"))]
    for landed in land("demo", files, DAY):
        load_file(landed)


def test_a_dispute_is_known_open_from_its_opening_and_closed_from_its_closing() -> None:
    assert select(
        "select count(*) filter (where (loaded_at at time zone 'Asia/Shanghai')::date"
        " <> coalesce(closed_on, opened_on)), count(*) filter (where closed_on is null) > 0,"
        " count(*) filter (where closed_on is not null) > 0 from raw.disputes"
    ) == [(0, True, True)]
    ((early,),) = select(
        "select count(*) from raw.disputes where closed_on is not null"
        " and loaded_at < closed_on::timestamp at time zone 'Asia/Shanghai'"
    )
    assert early == 0


def test_a_restated_statement_is_known_from_its_second_publication() -> None:
    versions = select(
        "select count(*), count(distinct loaded_at), count(distinct equity) from raw.statements"
        " group by customer_id, period_end having count(*) > 1"
    )
    assert versions
    assert set(versions) == {(2, 2, 2)}
