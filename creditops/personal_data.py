"""Finds personal data by their form where nobody declared them, and masks them (domain.md#personal-data).

Four kinds have a form that tells them from other text:

- ``national_id``: the 18-character number of a Chinese resident (GB 11643), with a province, a day of
  birth from 1900 to 2049 and the right check character;
- ``phone``: a mobile number of mainland China, with or without 86 before it;
- ``card``: a bank card by prefix, length and Luhn's check digit (ISO/IEC 7812);
- ``email``: an address, but not the user of a URL.

Full-width and other digits count as digits; up to three blanks, points, dashes, brackets or strokes may stand
between groups of them, and what cannot be seen stands for nothing.
Names, addresses and numbers without a check digit have no such form: their columns are declared ``pii``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Kind = Literal["national_id", "phone", "card", "email"]
#: What each kind is called where a person reads it.
NAMES: Mapping[Kind, str] = {
    "email": "an e-mail address",
    "national_id": "a resident identity number",
    "card": "a bank card number",
    "phone": "a mobile phone number",
}
SHORTEST = 6
"""Characters of the shortest datum."""

#: What stands in place of a datum of each kind.
MASKS: Mapping[Kind, str] = {
    "email": "[mail]",  # never longer than what it hides
    "national_id": "[national_id]",
    "card": "[card]",
    "phone": "[phone]",
}
#: What may stand between digits of one number; no comma, which stands between numbers.
_MARK = "[\\s.()/_\u00b7\u2010-\u2015\u2022\u2027\u2212\u2219\u22c5\u30fb-]"
_MARKS = _MARK + "{0,3}"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def _spaced(*groups: str) -> str:
    """The groups, with a few marks between two."""
    return _MARKS.join(groups)


_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_DAY = ("(?:19|20)", "[0-9]", "[0-9]", "[01]", "[0-9]", "[0-3]", "[0-9]")
_FOUR, _DIGIT = "[0-9]{4}", "[0-9]"
#: Forms in the syntax that Python and Rust share, without what may stand before and after.
FORMS: Mapping[Kind, str] = {
    "email": r"[0-9A-Za-z._%+-]+@(?:[0-9A-Za-z-]+\.)+[A-Za-z]{2,}",
    "national_id": _spaced(_PROVINCE, *[_DIGIT] * 4, *_DAY, *[_DIGIT] * 3, "[0-9Xx]"),
    "card": "|".join(
        (
            _spaced("62[0-9]{2}", _FOUR, _FOUR, _FOUR) + f"(?:{_MARKS}[0-9]{{1,3}})?",  # UnionPay, 16 to 19
            _spaced("(?:9558|6013)", _FOUR, _FOUR, _FOUR, "[0-9]{3}"),  # the same before it had 62
            _spaced("(?:4[0-9]{3}|5[1-5][0-9]{2}|35[2-8][0-9])", _FOUR, _FOUR, _FOUR),
            _spaced("3[47][0-9]{2}", "[0-9]{6}", "[0-9]{5}"),
        )
    ),
    "phone": rf"(?:(?:\+|00)?86{_MARKS})?(?:"
    rf"1[3-9][0-9]{_MARKS}{_FOUR}{_MARKS}{_FOUR}"
    rf"|1[3-9][0-9]{{2}}{_MARK}{{1,3}}{_FOUR}{_MARK}{{1,3}}[0-9]{{3}}"
    rf"|1{_MARK}{{1,3}}[3-9](?:{_MARK}{{1,3}}[0-9]){{9}})",
}
# What may not stand before and after; a digit after "0." is a decimal of a share.
_BORDERS: Mapping[Kind, tuple[str, str]] = {
    "email": ("(?<![0-9A-Za-z._%+-])", "(?![0-9A-Za-z-])"),
    "national_id": ("(?<![0-9])", "(?![0-9])"),
    "card": (r"(?<![0-9A-Za-z])(?<!\b0\.)", "(?![0-9A-Za-z])"),
    "phone": (r"(?<![0-9A-Za-z])(?<!\b0\.)", "(?![0-9A-Za-z])"),
}
# In a text a word may run into a number: "tel13800138000".
_WORD: Mapping[Kind, str] = {"card": "(?:[A-Za-z]{2,12})?", "phone": "(?:[A-Za-z]{2,12})?"}


_WORD_AFTER: Mapping[Kind, str] = {"card": "(?![0-9])", "phone": "(?![0-9])"}


def _patterns(words: Mapping[Kind, str], after: Mapping[Kind, str]) -> dict[Kind, re.Pattern[str]]:
    return {
        kind: re.compile(
            f"{_BORDERS[kind][0]}{words.get(kind, '')}({form}){after.get(kind, _BORDERS[kind][1])}"
        )
        for kind, form in FORMS.items()
    }


_IN_IDENTIFIER, _IN_TEXT = _patterns({}, {}), _patterns(_WORD, _WORD_AFTER)
_URL_USER = re.compile(r"(?<![0-9A-Za-z+.-])[A-Za-z][0-9A-Za-z+.-]*://[^\s/@]*@")
_MAY_HOLD = re.compile(rf"[0-9](?:{_MARKS}[0-9]){{10}}|@")


class Found(NamedTuple):
    """One datum in a text: ``text[start:end]``."""

    start: int
    end: int
    kind: Kind


def find(text: str, *, identifier: bool = False) -> list[Found]:
    """Personal data in ``text``, in their order.

    Parameters
    ----------
    identifier: the text is an identifier or a code, in which letters before a number make it another one.
    """
    flat, places = _flat(text)
    if not _MAY_HOLD.search(flat):
        return []
    taken = bytearray(len(flat))
    urls = [match.span() for match in _URL_USER.finditer(flat)] if "@" in flat else []
    found = []
    for kind, pattern in (_IN_IDENTIFIER if identifier else _IN_TEXT).items():
        for match in pattern.finditer(flat):
            start, end = match.span(1)
            of_url = kind == "email" and any(first < end and start < last for first, last in urls)
            if of_url or any(taken[start:end]) or not _is_real(kind, match[1]):
                continue
            taken[start:end] = b"\1" * (end - start)
            found.append(
                Found(start, end, kind) if places is None else Found(places[start], places[end - 1] + 1, kind)
            )
    return sorted(found)


def masked(value: Any) -> Any:
    """``value`` with every datum in its texts replaced by its kind in brackets; what holds none is the same.

    Lists and mappings are masked in what they hold, names of mappings included.
    """
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, Mapping):
        return {masked(name): masked(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(masked, value))
    return value


def passes_luhn(digits: str) -> bool:
    """Whether the last of ``digits`` is Luhn's check digit of those before it (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def national_id_check(first: str) -> str:
    """The check character of the first 17 digits of a resident identity number (GB 11643, MOD 11-2)."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first, strict=True)) % 11]


def _masked_text(text: str) -> str:
    return "".join(_parts(text, find(text))) if len(text) >= SHORTEST else text


def _parts(text: str, found: list[Found]) -> Iterator[str]:
    at = 0
    for start, end, kind in found:
        yield text[at:start]
        yield MASKS[kind]
        at = end
    yield text[at:]


def _flat(text: str) -> tuple[str, list[int] | None]:
    """``text`` with usual digits and letters and nothing invisible, and where each character of it comes
    from; ``None`` where that is its own place.
    """
    if text.isascii():
        return text, None
    flat: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        usual = character if character.isascii() else _usual(character)
        flat.append(usual)
        places.extend([at] * len(usual))
    return "".join(flat), places


#: Letters that cannot be seen (Unicode's Default_Ignorable_Code_Point among its letters).
_FILLERS = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0")


@lru_cache(4096)
def _usual(character: str) -> str:
    return "".join(
        str(unicodedata.decimal(each, each))
        for each in unicodedata.normalize("NFKC", character)
        if unicodedata.category(each) not in ("Cf", "Mn", "Me") and each not in _FILLERS
    )


def _is_real(kind: Kind, written: str) -> bool:
    digits = re.sub(_MARK, "", written)
    if kind == "card":
        return passes_luhn(digits)
    if kind == "national_id":
        return _is_birthday(digits[6:14]) and national_id_check(digits[:17]) == digits[17].upper()
    return True


def _is_birthday(digits: str) -> bool:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return day.year < 2050
