"""A 64-bit hash of each row of a frame of typed values, vectorised.

Rows are compared only with rows of the same business key, so 64 bits are ample. The hash of a row is
the sum (modulo 2**64) of a well-mixed hash of each value that is not null, salted with the column's
name. So it does not depend on the order of the columns, and a contract that gains a column restates
no row in which the new column is empty. It is defined here and by nothing else, because raw keeps it
for years: no library's hash promises to stay the same. Mixing is the finaliser of MurmurHash3 (Appleby).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl

_A = np.uint64(0xFF51AFD7ED558CCD)
_B = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_WORD = 8


def row_hashes(frame: pl.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Hash of each row over ``columns``; ``int64``, one per row."""
    total = np.zeros(len(frame), dtype=np.uint64)
    for name in columns:
        series = frame[name]
        if series.null_count() == len(series):
            continue
        salt = _salt(name)
        is_text = series.dtype == pl.String
        hashes = _text_hashes(series, salt) if is_text else _mix(_words(series) ^ salt)
        if series.null_count():
            hashes[series.is_null().to_numpy()] = 0
        total += hashes
    return total.view(np.int64)


def _salt(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:_WORD], "little"))


def _mix(words: np.ndarray) -> np.ndarray:
    mixed = words ^ (words >> _SHIFT)
    mixed *= _A
    mixed ^= mixed >> _SHIFT
    mixed *= _B
    mixed ^= mixed >> _SHIFT
    return mixed


def _words(series: pl.Series) -> np.ndarray:
    """Each value as one 64-bit word; what stands for null does not matter."""
    if series.dtype == pl.Float64:
        # Minus zero equals zero, so it must hash alike.
        return (series.fill_null(0.0).to_numpy() + 0.0).view(np.uint64)
    return series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().view(np.uint64)


def _text_hashes(series: pl.Series, salt: np.uint64) -> np.ndarray:
    """Hash of each text from its UTF-8 bytes, eight at a time."""
    array = series.fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    start, lengths = offsets[:-1], np.diff(offsets)
    size = int(offsets[-1])
    padded = np.zeros((size // _WORD + 2) * _WORD, dtype=np.uint8)
    if size:
        padded[:size] = np.frombuffer(data, dtype=np.uint8, count=size)
    words = padded.view("<u8")
    hashes = _mix(lengths.astype(np.uint64) ^ salt)
    for at in range(0, int(lengths.max(initial=0)), _WORD):
        rows = np.flatnonzero(lengths > at) if at else np.flatnonzero(lengths)
        hashes[rows] = _mix(hashes[rows] ^ _word_at(words, start[rows] + at, lengths[rows] - at))
    return hashes


def _word_at(words: np.ndarray, position: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The eight bytes from each byte position on, zero behind the ``left`` ones that belong to the text."""
    index = position >> 3
    shift = ((position & 7) << 3).astype(np.uint64)
    low = words[index] >> shift
    # A shift by 64 is undefined, so the upper part goes in two steps.
    high = (words[index + 1] << np.uint64(1)) << (np.uint64(63) - shift)
    beyond = np.maximum(_WORD - left, 0).astype(np.uint64) << np.uint64(3)
    return ((low | high) << beyond) >> beyond
