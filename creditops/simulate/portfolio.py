"""Simulate a whole book: draw it, let it live, write its source files and its hidden truth."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np

from creditops.errors import UsageError
from creditops.simulate.book.behaviour import live
from creditops.simulate.book.events import (
    DEFAULT_COUNTS,
    EventCounts,
    PartnerFraud,
    draw_events,
    draw_fraud,
)
from creditops.simulate.book.origination import plan_facilities
from creditops.simulate.files.block_files import DrawnBook, write_block, write_surroundings
from creditops.simulate.files.book_files import BookFiles, Progress
from creditops.simulate.world import economy
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.population import populate

DEFAULT_AS_OF = date(2026, 6, 30)
BLOCK_CUSTOMERS = 16_000
"""Customers drawn at once: about 0.7 GiB."""


@dataclass(frozen=True)
class Summary:
    """What a simulation wrote: rows and paths by file name (``truth/...`` for hidden ones)."""

    book: str
    as_of: date
    seed: int
    directory: Path
    rows: dict[str, int]
    paths: dict[str, Path]


def simulate(
    out: Path,
    *,
    book: str = "demo",
    customers: int = 2400,
    months: int = 36,
    seed: int = 7,
    as_of: date | None = None,
    events: EventCounts = DEFAULT_COUNTS,
    progress: Progress | None = None,
    block_customers: int = BLOCK_CUSTOMERS,
) -> Summary:
    """Write a simulated book to ``out`` as canonical source files, the truth to ``out/truth``.

    A large book is drawn and written in blocks of customers that share economy, products, partners
    and the fraudulent partner, so that memory is bounded by the block.

    Parameters
    ----------
    customers: split 20 : 3 : 1 over retail, corporate and trade credit; at least 24.
    months: length of the window that ends on ``as_of``, 12 to 120; facilities open up to 36
        months before it, with their whole repayment history.
    seed: the same seed gives the same bytes.
    as_of: a month end, by default ``DEFAULT_AS_OF``.
    events: how many events to inject, by default a share of the book.
    block_customers: customers drawn at once, at least 24.

    Raises
    ------
    UsageError: ``customers``, ``months`` or ``as_of`` out of range.
    """
    if not 12 <= months <= 120:
        raise UsageError(f"months must be from 12 to 120, not {months}")
    grid = MonthGrid.ending(as_of or DEFAULT_AS_OF, months)
    surroundings = economy.draw_economy(seed, grid)
    files = BookFiles(Path(out), progress)
    blocks = max(1, -(-customers // block_customers))
    edges = [customers * number // blocks for number in range(blocks + 1)]
    fraud: PartnerFraud | None = None
    founded: list[int] = []
    for number, (first, last) in enumerate(pairwise(edges)):
        block_seed = seed if number == 0 else zlib.crc32(f"block {number} of {seed}".encode())
        counts = events.of_block(first, last, customers)
        drawn = _draw(block_seed, grid, surroundings, last - first, counts, fraud)
        fraud = fraud or drawn.events.fraud
        founded.append(write_block(files.write, drawn))
        files.next_block()
    write_surroundings(files.write, seed, grid, surroundings, min(founded))
    return Summary(
        book=book, as_of=grid.as_of, seed=seed, directory=Path(out), rows=files.rows, paths=files.paths
    )


def _draw(
    seed: int,
    grid: MonthGrid,
    surroundings: economy.Economy,
    customers: int,
    counts: EventCounts,
    like: PartnerFraud | None,
) -> DrawnBook:
    population = populate(seed, customers)
    fraud = draw_fraud(seed, grid, population, counts, like)
    plan = plan_facilities(seed, grid, population, fraud)
    events = draw_events(seed, grid, population, plan, fraud, counts)
    paths = live(seed, grid, surroundings, population, plan, events)
    plan = replace(plan, early_end=np.where(paths.repaid_early, plan.early_end, -1))
    return DrawnBook(seed, grid, surroundings, population, events, paths, plan.take(paths.opened))
