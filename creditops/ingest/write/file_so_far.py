"""What has been read of a file so far, and whether the file as a whole may be loaded."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date

import numpy as np
import polars as pl

from creditops.errors import DataRefusedError, listed
from creditops.ingest.check.row_hash import row_hashes
from creditops.ingest.check.validation import LOOKS_LIKE, BadRow, Breaches, Validated, ragged_row
from creditops.ingest.land.landing import LandedFile
from creditops.personal_data import masked
from creditops.reading.book_time import local_days
from creditops.reading.reader import SourceFile
from creditops.reading.typed_cells import needs
from creditops.settings import get_settings
from creditops.sources.contract import Contract

_RETYPED_FROM_CELLS = 20
_RETYPED_SHARE = 0.5
_NUMBERS = 'say in the contract how the file writes numbers, e.g. `format: { decimal: ",", thousands: "." }`'
_DATES = 'say in the contract how the file writes it, e.g. `date_format: "%d.%m.%Y"` at the column'
DECLARE = (
    "declare {} in the contract as personal (`pii: national_id`, `phone`, `account` or `email`: raw holds a"
    " keyed hash), or write `detect: allow` and a `detect_reason` if its values only look like it"
)
_REMEDIES = {
    **dict.fromkeys(("date", "ts"), _DATES),
    **dict.fromkeys(("money", "rate", "int", "bigint"), _NUMBERS),
    "other": "give the column another type in the contract, e.g. `text` or `code`",
}


class Reading:
    """Counts and bad rows of a file while its batches pass.

    Attributes
    ----------
    is_first: the book has no row of the source yet, so that nothing can have changed.
    rows: rows read, good or bad.
    good: rows that may be loaded.
    bad: rows for the quarantine.
    breaches: rows that break a check of severity ``warning``, by check.
    keys_of_bad: business keys of bad rows whose key can be read, as typed values.
    nameless: how many bad rows have no key that can be read.
    covers: first and last day of the good rows' ``effective`` column; ``None`` without one.
    remark: what the ledger should say of the file.
    file: the file, once it is read to its end.
    """

    def __init__(self, contract: Contract, zone: str, *, is_first: bool = False) -> None:
        self.contract = contract
        self._zone = zone
        self.is_first = is_first
        self.rows = 0
        self.good = 0
        self.bad: list[BadRow] = []
        self.breaches: dict[str, Breaches] = defaultdict(Breaches)
        self.keys_of_bad: list[pl.DataFrame] = []
        self.nameless = 0
        self.covers: tuple[date, date] | None = None
        self.remark: str | None = None
        self.file: SourceFile | None = None
        self._keys: list[np.ndarray] = []
        self._unreadable: Counter[str] = Counter()
        self._filled: Counter[str] = Counter()
        self._personal: Counter[str] = Counter()
        self._masked: Counter[str] = Counter()

    def take(self, checked: Validated, rows: int) -> None:
        """Count a batch of ``rows`` rows."""
        self.rows += rows
        self.good += len(checked.good)
        self.bad += checked.bad
        self._keys.append(row_hashes(checked.good, self.contract.key))
        self._unreadable.update(checked.unreadable)
        self._filled.update(checked.filled)
        self._personal.update(checked.personal)
        self._masked.update(checked.masked)
        self._cover(checked.good)
        for name, lines in checked.breaches.items():
            self.breaches[name].add(lines)
        if checked.bad:
            self.keys_of_bad.append(checked.keys_of_bad)
            self.nameless += len(checked.bad) - len(checked.keys_of_bad)

    def end(self, file: SourceFile) -> None:
        """Count what the reader had to pass over."""
        self.file = file
        self.rows += len(file.ragged)
        self.nameless += len(file.ragged)
        self.bad += [ragged_row(line, fields, len(file.header)) for line, fields in file.ragged]
        remarks = []
        if not self.rows:
            remarks.append("the file has a header and no rows")
        for name, cells in self._masked.items():
            remarks.append(f"personal data were masked in {cells} cells of {name}")
        if file.extra_columns:
            remarks.append(f"columns not in the contract were kept aside: {listed(file.extra_columns)}")
        if file.absent_columns and self.rows:
            remarks.append(f"columns not in the file count as empty: {', '.join(file.absent_columns)}")
        self.remark = masked("; ".join(remarks)) or None

    def has_repeated_keys(self) -> bool:
        """Whether two good rows may have one key (their hashes are equal)."""
        hashes = np.concatenate(self._keys) if self._keys else np.empty(0, dtype=np.int64)
        return len(np.unique(hashes)) < len(hashes)

    def refuse_if_unfit(self, landed: LandedFile) -> None:
        """Refuse a file with a re-typed column, a column of personal data that nobody declared, or with more
        bad rows than its limit.

        Raises
        ------
        DataRefusedError: it is one; the message names the column or the first bad line.
        """
        limit = self.contract.bad_row_limit
        if limit is None:
            limit = get_settings().bad_row_limit
        self._refuse_retyped(landed, limit)
        self._refuse_personal(landed, limit)
        if self.rows and len(self.bad) > limit * self.rows:
            first = min(self.bad, key=lambda row: row.line)
            reason = first.reasons[0]
            what = f"column {reason['column']}: {reason['value']!r} " if reason["column"] else ""
            hint = "mend the file and deliver it again, or raise bad_row_limit in the contract"
            if reason["column"] in self._personal:
                hint += f"; {DECLARE.format(reason['column'])}"
            raise DataRefusedError(
                f"{landed.name}: {len(self.bad)} of {self.rows} rows are bad, over the limit of"
                f" {limit:.2%}; the first is line {first.line}: {what}{reason['reason']}",
                hint=hint,
            )

    def _cover(self, good: pl.DataFrame) -> None:
        if self.contract.effective is None:
            return
        days = good[self.contract.effective]
        if days.dtype != pl.Date:
            days = local_days(days, self._zone)
        first, last = days.min(), days.max()
        if not isinstance(first, date) or not isinstance(last, date):
            return  # no row says
        before = self.covers or (first, last)
        self.covers = (min(first, before[0]), max(last, before[1]))

    def _refuse_retyped(self, landed: LandedFile, limit: float) -> None:
        if limit >= 1:  # whoever accepts any row accepts any type
            return
        for name, count in self._unreadable.items():
            filled = self._filled[name]
            if filled < _RETYPED_FROM_CELLS or count <= _RETYPED_SHARE * filled:
                continue
            column = self.contract.column(name)
            line, value = self._first_unreadable(name)
            what = needs(column, self.contract.format)
            many = f"{count} of {filled} values are not"
            if self.is_first:
                said = f"line {line}: column {name!r}: {value!r} is not {what}; {many}"
            else:
                said = (
                    f"column {name!r} has changed its type: {many} {what}; the first: line {line}, {value!r}"
                )
            raise DataRefusedError(
                f"{landed.name}: {said}",
                hint=_REMEDIES.get(column.type, _REMEDIES["other"])
                + ("" if self.is_first else "; or deliver the column as before, or give it a new name"),
            )

    def _refuse_personal(self, landed: LandedFile, limit: float) -> None:
        """A column that is nearly all hits is a column of personal data, or none of them is a datum."""
        for name, count in self._personal.items():
            filled = self._filled[name]
            many = filled >= _RETYPED_FROM_CELLS or len(self.bad) > limit * self.rows
            if not many or count <= _RETYPED_SHARE * filled:
                continue
            line, reason = min(
                (row.line, str(reason["reason"]))
                for row in self.bad
                for reason in row.reasons
                if reason["column"] == name and str(reason["reason"]).startswith(LOOKS_LIKE.split("{")[0])
            )
            raise DataRefusedError(
                f"{landed.name}: column {name!r} holds personal data: {count} of {filled} values; the first,"
                f" on line {line}, {reason}",
                hint=DECLARE.format(name),
            )

    def _first_unreadable(self, name: str) -> tuple[int, str | None]:
        """Line and cell (personal data masked) of the first bad row that is at fault in a column."""
        found = [
            (row.line, reason["value"])
            for row in self.bad
            for reason in row.reasons
            if reason["column"] == name
        ]
        return min(found, key=lambda each: each[0])
