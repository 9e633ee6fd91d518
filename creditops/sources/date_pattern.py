"""Patterns by which a file's dates and times are written (``strptime``), as regular expressions.

Digits are ASCII. Numbers that stand side by side have their full width (``%Y%m%d`` takes eight digits),
others may lack leading zeros (``%d.%m.%Y`` takes ``5.1.2026``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2}
_OTHERS = {
    "f": "(?P<f>[0-9]{1,6})0*",
    "p": "(?P<p>(?i:am|pm))",
    "z": "(?P<z>Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])",
    "b": f"(?P<b>(?i:{'|'.join(f'{month}|{month[:3]}' for month in MONTHS)}))",
    "%": "%",
}
_LONG = {
    "%F": "%Y-%m-%d",
    "%T": "%H:%M:%S",
    "%R": "%H:%M",
    "%D": "%m/%d/%y",
    "%B": "%b",
    "%h": "%b",
    "%e": "%d",
}
KNOWN = "%Y %y %m %d %b %B %H %I %p %M %S %f %z %F %T %R %D"


@lru_cache
def expression(pattern: str) -> tuple[str, frozenset[str]]:
    """The regular expression of a pattern and the parts that it names.

    Raises
    ------
    ValueError: a directive that is not known, one twice, or no whole date.
    """
    text = pattern.replace("%.f", ".%f").replace("%-", "%")
    for short, meant in _LONG.items():
        text = text.replace(short, meant)
    pieces = re.findall(r"%.|[^%]+|%$", text)
    parts = [piece[1:] for piece in pieces if piece.startswith("%") and piece != "%%"]
    unknown = next((part for part in parts if part not in _DIGITS and part not in _OTHERS), None)
    if unknown is not None:
        raise ValueError(f"{pattern!r}: %{unknown} is not read; known are {KNOWN}")
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if twice is not None:
        raise ValueError(f"{pattern!r}: %{twice} stands twice")
    names = frozenset(parts)
    if not (names & {"Y", "y"} and names & {"m", "b"} and "d" in names):
        raise ValueError(f"{pattern!r} names no year, month and day")
    if ("I" in names) != ("p" in names):
        raise ValueError(f"{pattern!r}: %I and %p belong together")
    tight = {at for at, (one, other) in enumerate(pairwise(pieces)) if _is_number(one) and _is_number(other)}
    tight |= {at + 1 for at in tight}
    return "^" + "".join(_piece(piece, at in tight) for at, piece in enumerate(pieces)) + "$", names


def _is_number(piece: str) -> bool:
    return piece[0] == "%" and piece[1:] in (*_DIGITS, "f")


def _piece(piece: str, is_tight: bool) -> str:
    if piece[0] != "%":
        return re.sub(r"(\\ )+", " +", re.escape(piece))
    part = piece[1:]
    if part in _OTHERS:
        return _OTHERS[part]
    width = _DIGITS[part]
    least = width if is_tight or part in "YyMS" else 1
    return f"(?P<{part}>[0-9]{{{least},{width}}})"
