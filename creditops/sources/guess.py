"""Guesses what a column of text cells holds: type, way of writing, codes, personal data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from creditops.sources.column import ColumnType, PiiClass
from creditops.sources.terms import hint_of_name, pii_of_name

NULL_WORDS = ("NULL", "null", "None", "N/A", "NA", "n/a", "NaN", "nan", "-", "--", "\\N", "无", "空")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
_COMPACT = "%Y%m%d"
_CLOCKS = (" %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f")
_ISO_TS = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?$"
_BOOLS = {"true", "false", "t", "f", "yes", "no", "y", "n", "是", "否"}
_TOTALS = ("合计", "总计", "小计", "共计", "total", "sum", "grand total")
_INTEGER = r"^[+-]?\d{1,18}$"
_PHONE = r"^(\+?86)?1[3-9]\d{9}$"
_NATIONAL_ID = r"^\d{17}[\dXx]$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_MAX_CODES = 20
_MAX_INT = 2**31 - 1


@dataclass
class Guess:
    """What a column seems to hold; ``notes`` say what a person should look at."""

    type: ColumnType
    required: bool
    unit: str | None = None
    values: tuple[str, ...] | None = None
    max_length: int | None = None
    pii: PiiClass = "none"
    date_format: str | None = None
    decimal: str = "."
    thousands: str | None = None
    percent: bool = False
    notes: list[str] = field(default_factory=list)


def null_words(cells: pl.DataFrame) -> tuple[str, ...]:
    """The words of the sample that stand for no value."""
    present = {word for name in cells.columns for word in cells[name].unique() if word in NULL_WORDS}
    return tuple(word for word in NULL_WORDS if word in present)


def total_rows(cells: pl.DataFrame) -> pl.Series:
    """Which rows sum up others: their first filled cell is a word for a total."""
    first = cells.select(pl.coalesce(pl.all()).str.strip_chars(" :：").str.to_lowercase()).to_series()
    return first.is_in(list(_TOTALS)).fill_null(False)


def is_row_number(cells: pl.Series) -> bool:
    """Whether the cells only count the rows, which tells nothing of the fact in them."""
    return cells.equals(pl.Series(cells.name, [str(n) for n in range(1, len(cells) + 1)]))


def guess_column(header: str, name: str, cells: pl.Series) -> Guess:
    """Guess from the header's words and from the trimmed, non-null cells of a sample."""
    filled = cells.drop_nulls()
    guess = Guess("text", required=len(filled) == len(cells) and len(cells) > 0)
    if filled.is_empty():
        guess.notes.append("empty in the sample: type unknown")
        return guess
    hint = hint_of_name(name) or hint_of_name(header)
    personal = _personal(header, name, filled)
    if personal and personal != "birth_date":
        guess.pii, guess.max_length = personal, max(64, 2 * int(filled.str.len_chars().max()))  # type: ignore[arg-type]
        guess.notes.append("looks like personal data: raw will hold a keyed hash only")
        return guess
    if _date(guess, filled, compact=hint == "date" or personal == "birth_date"):
        guess.pii = personal or "none"
        return guess
    if set(filled.str.to_lowercase().unique()) <= _BOOLS:
        guess.type = "bool"
        return guess
    leading_zero = filled.str.contains(r"^0\d").any()
    if hint != "id" and not leading_zero and _number(guess, filled, hint, header):
        return guess
    longest = int(filled.str.len_chars().max())  # type: ignore[arg-type]
    distinct = filled.n_unique()
    if hint != "id" and distinct <= _MAX_CODES and len(filled) >= 5 * distinct and longest <= 64:
        guess.type, guess.values = "code", tuple(filled.unique().sort())
        guess.notes.append("codes of the sample: are there more?")
    elif longest <= 64 and (hint == "id" or distinct == len(filled)) and not filled.str.contains(r"\s").any():
        guess.type = "id"
    else:
        guess.max_length = 200 if longest <= 100 else 2000
    return guess


def _personal(header: str, name: str, filled: pl.Series) -> PiiClass | None:
    by_name = pii_of_name(name) or pii_of_name(header)
    if by_name and hint_of_name(name) not in ("money", "rate", "count"):
        return by_name
    patterns: tuple[tuple[PiiClass, str], ...] = (
        ("phone", _PHONE),
        ("national_id", _NATIONAL_ID),
        ("name", _EMAIL),
    )
    return next((kind for kind, pattern in patterns if filled.str.contains(pattern).mean() > 0.9), None)  # type: ignore[operator]


def _date(guess: Guess, filled: pl.Series, *, compact: bool) -> bool:
    """Whether all cells are dates or times of one format; ambiguous day and month are noted."""
    if filled.str.contains(_ISO_TS).all():
        guess.type = "ts"
        return True
    sample = filled.unique()
    for clock in ("", *_CLOCKS):
        fitting = [
            pattern + clock
            for pattern in (*_DATES, *((_COMPACT,) if compact else ()))
            if _parses(sample, pattern + clock)
        ]
        if fitting:
            guess.type = "ts" if clock else "date"
            if fitting[0] not in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
                guess.date_format = fitting[0]
            if len(fitting) > 1:
                guess.notes.append(f"could also be {fitting[1]}: look which is right")
            return True
    return False


def _parses(sample: pl.Series, pattern: str) -> bool:
    try:
        days = (
            sample.str.to_datetime(pattern, strict=False)
            if "%H" in pattern
            else sample.str.to_date(pattern, strict=False)
        )
    except pl.exceptions.PolarsError:
        return False
    return days.null_count() == 0 and bool(days.dt.year().is_between(1900, 2100).all())


def _number(guess: Guess, filled: pl.Series, hint: str | None, header: str) -> bool:
    signed = filled.str.ends_with("%").all()
    guess.percent = signed or (hint == "rate" and bool(re.search(r"[%％]|percent|pct|百分", header.lower())))
    filled = text = filled.str.strip_suffix("%").str.strip_chars() if signed else filled
    if _grouped(filled, ",", "."):
        guess.thousands, text = ",", filled.str.replace_all(",", "", literal=True)
    elif _grouped(filled, ".", ","):
        guess.thousands, guess.decimal = ".", ","
        text = filled.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif filled.str.contains(r"^[+-]?\d+(,\d+)?$").all() and filled.str.contains(",", literal=True).any():
        guess.decimal, text = ",", filled.str.replace(",", ".", literal=True)
    if not text.str.contains(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$").all():
        guess.percent = False
        return False
    whole = bool(text.str.contains(_INTEGER).all())
    two = bool(text.str.contains(r"^[+-]?\d{1,16}(\.\d{1,2}0*)?$").all())
    if guess.percent:
        guess.type, guess.unit = "rate", "decimal"
        guess.notes.append("per cent in the file, a share in raw")
    elif two and (hint == "money" or guess.thousands or (not whole and hint != "rate")):
        guess.type, guess.unit = "money", "currency"
    elif whole:
        biggest = int(text.cast(pl.Int64).abs().max())  # type: ignore[arg-type]
        guess.type = "int" if biggest <= _MAX_INT else "bigint"
        guess.unit = "days" if re.search(r"day|dpd|天", filled.name.lower()) else "count"
    else:
        guess.type, guess.unit = "rate", "decimal"
        guess.notes.append("a decimal: is it a share (0.05) or a percentage (5)?")
    return True


def _grouped(filled: pl.Series, mark: str, point: str) -> bool:
    group, decimal = re.escape(mark), re.escape(point)
    return bool(
        filled.str.contains(
            rf"^[+-]?\d{{1,3}}({group}\d{{3}})*({decimal}\d+)?$|^[+-]?\d+({decimal}\d+)?$"
        ).all()
        and filled.str.contains(rf"^[+-]?\d{{1,3}}({group}\d{{3}})+{decimal}?").any()
        and (filled.str.contains(decimal).any() or filled.str.contains(rf"{group}\d{{3}}{group}").any())
    )
