"""Array types of the simulator, and sums within runs of equal keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
SmallInts = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


def run_starts(keys: Ints) -> Ints:
    """Positions (n_runs,) where a run of equal neighbours starts in ``keys`` (n,)."""
    if keys.size == 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])


def running_sum(amounts: Ints, starts: Ints) -> Ints:
    """Running sum of ``amounts`` (n,) that begins anew at every position in ``starts``."""
    total = np.cumsum(amounts)
    if starts.size == 0:
        return total
    before = total[starts] - amounts[starts]
    lengths = np.diff(np.r_[starts, amounts.size])
    return total - np.repeat(before, lengths)


def rank_in_run(starts: Ints, size: int) -> Ints:
    """0, 1, 2, ... within every run; shape (size,)."""
    lengths = np.diff(np.r_[starts, size])
    return np.arange(size, dtype=np.int64) - np.repeat(starts, lengths)


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Owner and rank of each member when owner i has ``counts[i]`` members; shapes (sum,)."""
    owner = np.repeat(np.arange(counts.size, dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(owner.size, dtype=np.int64) - first[owner]
