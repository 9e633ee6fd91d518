"""Guesses what a column of text cells holds: type, way of writing, codes, personal data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

import polars as pl

from creditops.personal_data import MASKS, NAMES, Kind, masked
from creditops.reading.date_format import read_date, read_time
from creditops.reading.detection import kinds_in, masked_column
from creditops.sources.column import ColumnType, PiiClass
from creditops.sources.terms import hint_of_name, pii_of_name

NULL_WORDS = ("NULL", "null", "N/A", "n/a", "#N/A", "NaN", "nan", "\\N")
"""Words that stand for no value in any column."""
_MAYBE_NULL = ("None", "NA", "-", "--", "?", "无", "空")
"""Words that do so where numbers or dates are expected; elsewhere they may be values (a country, a kind)."""
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
_SHORT_DATES = ("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%y-%m-%d", "%d-%m-%y")
_COMPACT = "%Y%m%d"
_SHORT_COMPACT = ("%y%m%d", "%d%m%y")
_CLOCKS = (" %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f")
_ISO_TS = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_BOOLS = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"}, {"是", "否"})
_TOTALS = ("合计", "总计", "小计", "共计", "total", "sum", "grand total")
_INTEGER = r"^[+-]?[0-9]{1,18}$"
_PERSONAL_SHARE = 0.5  # over which a file with an undeclared column is refused
_CLASSES: Mapping[Kind, PiiClass] = {
    "national_id": "national_id",
    "phone": "phone",
    "card": "account",
    "email": "email",
}
_MAX_CODES = 20
_MANY = 30
_MAX_INT = 2**31 - 1
_EXCEL_DAY_0 = date(1899, 12, 30)
_EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119


@dataclass
class Guess:
    """What a column seems to hold; ``notes`` say what a person should look at.

    What is not certain is text, and a note says what was seen and what to choose.

    Attributes
    ----------
    null_values: words that stand for no value in this column.
    past: its days are of what has happened.
    point: the decimal mark that the cells show beyond doubt.
    doubt: the mark in cells like ``1,019``, which may group or part decimals: other columns may tell.
    """

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
    null_values: tuple[str, ...] = ()
    past: bool = False
    point: Literal[".", ","] | None = None
    doubt: Literal[".", ","] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Marks:
    """The decimal mark and the mark between thousands that a file's columns show."""

    decimal: Literal[".", ","] | None = None
    thousands: str | None = None


def guess_columns(cells: pl.DataFrame, names: list[str]) -> list[Guess]:
    """Guess every column; what one leaves open about decimal marks the others may tell.

    A file has one decimal mark and one between thousands: columns that show others are text.
    """
    first = [
        guess_column(header, name, cells[header]) for header, name in zip(cells.columns, names, strict=True)
    ]
    points = Counter(guess.point for guess in first if guess.point)
    decimal = points.most_common(1)[0][0] if points else None
    marks = Marks(decimal, _thousands(first, decimal))
    told = [
        guess_column(header, name, cells[header], marks) if guess.doubt and marks != Marks() else guess
        for header, name, guess in zip(cells.columns, names, first, strict=True)
    ]
    thousands = _thousands(told, decimal)
    found = []
    for header, guess in zip(cells.columns, told, strict=True):
        if guess.point not in (None, decimal) or guess.thousands not in (None, thousands):
            seen = f"decimal mark {guess.point or guess.decimal!r}, thousands {guess.thousands!r}"
            guess = as_text(
                guess, cells[header], f"{seen}, unlike other columns: a file has one way of writing"
            )
        found.append(guess)
    return found


def _thousands(guesses: list[Guess], decimal: str | None) -> str | None:
    marks = Counter(guess.thousands for guess in guesses if guess.thousands not in (None, decimal))
    return marks.most_common(1)[0][0] if marks else None


def as_text(guess: Guess, cells: pl.Series, note: str) -> Guess:
    """The column as text, with a note that says why."""
    longest = int(cells.str.len_chars().max() or 1)  # type: ignore[arg-type]
    return Guess(
        "text",
        guess.required,
        max_length=200 if longest <= 100 else 2000,
        pii=guess.pii if guess.pii != "birth_date" else "none",
        notes=[note],
    )


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


def guess_column(header: str, name: str, cells: pl.Series, marks: Marks = Marks()) -> Guess:
    """Guess from the header's words and from the trimmed, non-null cells of a sample.

    Parameters
    ----------
    marks: how other columns of the file write numbers.
    """
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
    words = tuple(word for word in _MAYBE_NULL if (filled == word).any())
    rest = filled.filter(~filled.is_in(list(words))) if words else filled
    if not rest.is_empty() and _quantity(guess, rest, hint, personal, header, marks):
        if words:
            guess.null_values, guess.required = words, False
            guess.notes.append(f"{' and '.join(map(repr, words))} taken as no value here")
        _note_personal(guess, filled)
        return guess
    if words:
        guess.notes.append(f"{' and '.join(map(repr, words))} kept as values: else name them in null_values")
    if set(filled.str.to_lowercase().unique()) in _BOOLS:
        guess.type = "bool"
        return guess
    _word(guess, filled, hint)
    _note_personal(guess, filled)
    return guess


def _quantity(
    guess: Guess, filled: pl.Series, hint: str | None, personal: PiiClass | None, header: str, marks: Marks
) -> bool:
    """Whether the cells are dates, times or numbers; those in doubt are text with a note."""
    if _date(guess, filled, compact=hint == "date" or personal == "birth_date"):
        if guess.type in ("date", "ts"):
            guess.pii = personal or "none"
        return True
    if hint == "date" and _excel_days(guess, filled):
        return True
    if hint is None and _perhaps_days(guess, filled):
        return True
    leading_zero = filled.str.contains(r"^0[0-9]").any()
    return hint != "id" and not leading_zero and _number(guess, filled, hint, header, marks)


def _word(guess: Guess, filled: pl.Series, hint: str | None) -> None:
    """Codes, identifiers or text."""
    longest = int(filled.str.len_chars().max())  # type: ignore[arg-type]
    distinct = filled.n_unique()
    if hint != "id" and distinct <= _MAX_CODES and len(filled) >= 5 * distinct and longest <= 64:
        guess.type, guess.values = "code", tuple(filled.unique().sort())
        guess.notes.append("codes of the sample: are there more?")
    elif longest <= 64 and (
        filled.str.contains(r"^[0-9]+$").all()  # with a leading zero, else they would be numbers
        or ((hint == "id" or distinct == len(filled)) and not filled.str.contains(r"\s").any())
    ):
        guess.type = "id"
    else:
        guess.max_length = 200 if longest <= 100 else 2000


def _personal(header: str, name: str, filled: pl.Series) -> PiiClass | None:
    by_name = pii_of_name(name) or pii_of_name(header)
    if by_name and hint_of_name(name) not in ("money", "rate", "count"):
        return by_name
    if hint_of_name(name) in ("money", "rate", "count"):
        return None
    hidden = masked_column(filled)[0]
    many = _PERSONAL_SHARE * len(filled)
    return next((_CLASSES[kind] for kind, mask in MASKS.items() if (hidden == mask).sum() > many), None)


def _note_personal(guess: Guess, filled: pl.Series) -> None:
    """Say which cells of a column that is not personal look like personal data, and show none of them."""
    guess.notes = masked(guess.notes)
    if guess.type in ("text", "id", "code", "bigint"):
        for kind, holding in kinds_in(filled, identifier=guess.type != "text").items():
            guess.notes.append(
                f"{holding.sum()} cells hold what looks like {NAMES[kind]}: declare pii, or see detect"
            )
        if guess.values and masked(guess.values) != guess.values:
            guess.type, guess.values, guess.max_length = "text", None, 200


def _date(guess: Guess, filled: pl.Series, *, compact: bool) -> bool:
    """Whether all cells are dates or times of one form; where it is in doubt they are text with a note."""
    if filled.str.contains(_ISO_TS).all():
        guess.type = "ts"
        return True
    sample = filled.unique()
    for clock in ("", *_CLOCKS):
        fitting = _fitting(sample, (*_DATES, *((_COMPACT,) if compact else ())), clock)
        if len(fitting) > 1:
            _doubt(guess, filled, f"dates as {' or '.join(fitting)}: set type and date_format")
            return True
        if fitting:
            guess.type = "ts" if clock else "date"
            if fitting[0] not in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
                guess.date_format = fitting[0]
            return True
        short = _fitting(sample, (*_SHORT_DATES, *(_SHORT_COMPACT if compact else ())), clock)
        if short:
            _doubt(
                guess,
                filled,
                f"dates as {' or '.join(short)}, the century left open: set type and date_format",
            )
            return True
    return False


def _doubt(guess: Guess, filled: pl.Series, note: str) -> None:
    guess.type, guess.max_length = "text", 200
    guess.notes.append(f"{note} (seen: {filled[0]})")


def _excel_days(guess: Guess, filled: pl.Series) -> bool:
    low, high = _EXCEL_DAYS
    if not filled.str.contains(r"^[0-9]{5}(\.[0-9]+)?$").all():
        return False
    days = filled.cast(pl.Float64)
    if not days.is_between(low, high).all():
        return False
    day = _EXCEL_DAY_0 + timedelta(days=int(days[0]))
    _doubt(guess, filled, f"day numbers of a spreadsheet? then this is {day}: have dates delivered as dates")
    return True


def _perhaps_days(guess: Guess, filled: pl.Series) -> bool:
    """Whether numbers that no header explains would all be days, which so many others would not."""
    sample = filled.unique()
    fitting = _fitting(sample, (_COMPACT, *_SHORT_COMPACT), "") if len(sample) >= _MANY else []
    if fitting:
        _doubt(guess, filled, f"dates as {' or '.join(fitting)}? set type and date_format, or int")
    return bool(fitting)


def _fitting(sample: pl.Series, patterns: tuple[str, ...], clock: str) -> list[str]:
    return [pattern + clock for pattern in patterns if _parses(sample, pattern + clock)]


def _parses(sample: pl.Series, pattern: str) -> bool:
    read = read_time if "%H" in pattern else read_date
    days = sample.to_frame("cell").select(read(pl.col("cell"), pattern)).to_series()
    years = days.str.head(4).cast(pl.Int32)
    return days.null_count() == 0 and bool(years.is_between(1900, 2100).all())


def _number(guess: Guess, filled: pl.Series, hint: str | None, header: str, marks: Marks) -> bool:
    signed = filled.str.ends_with("%").all()
    guess.percent = signed or (hint == "rate" and bool(re.search(r"[%％]|percent|pct|百分", header.lower())))
    filled = text = filled.str.strip_suffix("%").str.strip_chars() if signed else filled
    doubt = _doubtful(filled, hint)
    if doubt and not marks.decimal and marks.thousands != doubt:
        guess.percent, guess.doubt = False, doubt
        other = "." if doubt == "," else ","
        _doubt(
            guess,
            filled,
            f"{doubt!r} in numbers: set decimal {doubt!r}, or thousands {doubt!r} and decimal {other!r}",
        )
        return True
    groups = doubt is not None and marks.decimal != doubt
    if (groups and doubt == ",") or _grouped(filled, ",", "."):
        guess.thousands, text = ",", filled.str.replace_all(",", "", literal=True)
    elif (groups and doubt == ".") or _grouped(filled, ".", ","):
        guess.thousands, guess.decimal = ".", ","
        text = filled.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif (
        filled.str.contains(r"^[+-]?[0-9]+(,[0-9]+)?$").all() and filled.str.contains(",", literal=True).any()
    ):
        guess.decimal, text = ",", filled.str.replace(",", ".", literal=True)
    if not text.str.contains(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$").all():
        guess.percent, guess.thousands, guess.decimal = False, None, "."
        return False
    if text.str.contains(".", literal=True).any():
        guess.point = guess.decimal  # type: ignore[assignment]
    counted = hint in ("count", None) and text.str.contains(r"^[+-]?[0-9]{1,18}(\.0+)?$").all()
    whole = counted or bool(text.str.contains(_INTEGER).all())
    two = bool(text.str.contains(r"^[+-]?[0-9]{1,16}(\.[0-9]{1,2}0*)?$").all())
    if guess.percent:
        guess.type, guess.unit = "rate", "decimal"
        guess.notes.append("per cent in the file, a share in raw")
    elif two and (hint == "money" or guess.thousands or (not whole and hint != "rate")):
        guess.type, guess.unit = "money", "currency"
    elif whole:
        biggest = int(text.str.replace(r"\.0+$", "").cast(pl.Int64).abs().max())  # type: ignore[arg-type]
        guess.type = "int" if biggest <= _MAX_INT else "bigint"
        guess.unit = "days" if re.search(r"day|dpd|天", filled.name.lower()) else "count"
    else:
        guess.type, guess.unit = "rate", "decimal"
        guess.notes.append("a decimal: is it a share (0.05) or a percentage (5)?")
    return True


def _doubtful(filled: pl.Series, hint: str | None) -> Literal[".", ","] | None:
    """The mark that either groups thousands or parts three decimals in every cell that has one."""
    marks: tuple[Literal[".", ","], ...] = (",", ".")
    for mark in marks:
        marked = filled.filter(filled.str.contains(mark, literal=True))
        three = marked.str.contains(rf"^[+-]?[1-9][0-9]{{0,2}}{re.escape(mark)}[0-9]{{3}}$").all()
        other = filled.str.contains(r"[^0-9+-]").sum() > len(marked)
        if len(marked) and three and not other and not (mark == "." and hint == "rate"):
            return mark
    return None


def _grouped(filled: pl.Series, mark: str, point: str) -> bool:
    group, decimal = re.escape(mark), re.escape(point)
    return bool(
        filled.str.contains(
            rf"^[+-]?[0-9]{{1,3}}({group}[0-9]{{3}})*({decimal}[0-9]+)?$|^[+-]?[0-9]+({decimal}[0-9]+)?$"
        ).all()
        and filled.str.contains(rf"^[+-]?[0-9]{{1,3}}({group}[0-9]{{3}})+{decimal}?").any()
        and (filled.str.contains(decimal).any() or filled.str.contains(rf"{group}[0-9]{{3}}{group}").any())
    )
