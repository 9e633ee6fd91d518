"""Finds personal data in columns of text cells, millions at a time (:mod:`creditops.personal_data`).

A regular expression passes over every cell and leaves the few that may hold a datum; only these are looked
at one by one.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from creditops.personal_data import FORMS, NAMES, SHORTEST, Kind, find, masked

_SHORTEST_NUMBER = 11
_MAY_HOLD = "|".join(f"(?:^|[^0-9])(?:{FORMS[kind]})(?:[^0-9]|$)" for kind in NAMES if kind != "email")
# Of other writings only how many numbers there are, whatever they look like; a circled one may be two digits.
_MAY_HOLD_OTHER = r"(?s)\p{N}(?:.*?\p{N}){5}|[@\u{FF20}\u{FE6B}]"
_OTHER_DIGIT = r"[\p{Nd}--[0-9]]"
_UNSEEN = r"[\p{Cf}\p{Mn}\p{Me}\u{115F}\u{1160}\u{17B4}\u{17B5}\u{3164}\u{FFA0}]"
_CARD_ALONE = r"^[3-9][0-9]{14,18}$"


def kinds_in(
    cells: pl.Series, *, identifier: bool, kinds: Collection[Kind] = tuple(NAMES)
) -> dict[Kind, pl.Series]:
    """Which cells hold a datum, as a boolean column for each kind that occurs.

    Parameters
    ----------
    identifier: as in :func:`creditops.personal_data.find`.
    """
    places = _candidates(cells)
    if not len(places):
        return {}
    texts = cells.gather(places)
    distinct = texts.unique()
    found = {text: {each.kind for each in find(text, identifier=identifier)} for text in distinct}
    flags: dict[Kind, pl.Series] = {}
    for kind in kinds:
        holding = [text for text, held in found.items() if kind in held]
        if holding:
            flag = np.zeros(len(cells), dtype=bool)
            flag[places[texts.is_in(holding).to_numpy()]] = True
            flags[kind] = pl.Series(cells.name, flag)
    return flags


def masked_column(cells: pl.Series) -> tuple[pl.Series, int]:
    """The cells with every datum masked, and how many cells changed by it."""
    places = _candidates(cells)
    if not len(places):
        return cells, 0
    texts = cells.gather(places)
    changed = {text: hidden for text in texts.unique() if (hidden := masked(text)) != text}
    if not changed:
        return cells, 0
    hit = texts.is_in(list(changed))
    return (
        cells.scatter(places[hit.to_numpy()], texts.filter(hit).replace_strict(changed)),
        int(hit.sum()),
    )


def _candidates(cells: pl.Series) -> np.ndarray:
    """Numbers of the cells that may hold a datum; every one that does is among them."""
    lengths = cells.str.len_bytes()
    longest = lengths.max()
    if longest is None or int(longest) < SHORTEST:  # type: ignore[arg-type]
        return np.empty(0, dtype=np.int64)
    may = cells.str.contains("@", literal=True)
    if int(longest) >= _SHORTEST_NUMBER:  # type: ignore[arg-type]
        may = may | cells.str.contains(_MAY_HOLD)
    places = np.flatnonzero(may.fill_null(False).to_numpy())
    if len(places):
        places = places[_not_a_bare_number(cells.gather(places))]
    other = np.flatnonzero((lengths != cells.str.len_chars()).fill_null(False).to_numpy())
    if len(other):
        other = other[cells.gather(other).str.contains(_MAY_HOLD_OTHER).to_numpy()]
    if len(other):
        usual = cells.gather(other).str.normalize("NFKC").str.replace_all(_UNSEEN, "")
        may = usual.str.contains(f"{_MAY_HOLD}|@|{_OTHER_DIGIT}")
        places = np.union1d(places, other[may.to_numpy()])
    return places


def _not_a_bare_number(texts: pl.Series) -> np.ndarray:
    """False where a cell is one number that Luhn's check digit rules out as a card, and is nothing else."""
    alone = texts.str.contains(_CARD_ALONE) & ~texts.str.contains(f"^(?:{FORMS['national_id']})$")
    keep = np.ones(len(texts), dtype=bool)
    at = np.flatnonzero(alone.to_numpy())
    if len(at):
        keep[at] = _luhn(texts.gather(at).cast(pl.UInt64).to_numpy())
    return keep


def _luhn(numbers: np.ndarray) -> np.ndarray:
    total = np.zeros(len(numbers), dtype=np.uint64)
    rest = numbers.copy()
    for at in range(19):
        rest, digit = np.divmod(rest, np.uint64(10))
        doubled = digit * np.uint64(1 + at % 2)
        total += np.where(doubled > 9, doubled - np.uint64(9), doubled)
    return total % np.uint64(10) == 0
