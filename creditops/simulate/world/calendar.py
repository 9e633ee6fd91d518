"""The month grid of a simulation: seasoning months, then the window that ends on ``as_of``.

Months are integers, 0 being the first seasoning month; days are integers since 1970-01-01.
"""

from __future__ import annotations

import calendar as gregorian
from dataclasses import dataclass
from datetime import date

import numpy as np

from creditops.errors import UsageError
from creditops.simulate.world.arrays import Ints

SEASONING_MONTHS = 36
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class MonthGrid:
    """Months of a simulation.

    Attributes
    ----------
    origin: months between 1970-01 and month 0.
    window: months of the observation window; it is preceded by ``SEASONING_MONTHS``.
    """

    origin: int
    window: int

    @classmethod
    def ending(cls, as_of: date, window: int) -> MonthGrid:
        """Grid whose last month ends on ``as_of``; :class:`UsageError` if that is no month end."""
        if as_of.day != gregorian.monthrange(as_of.year, as_of.month)[1]:
            raise UsageError(f"as_of {as_of} is not a month end", hint="Name the last day of a month.")
        last = (as_of.year - 1970) * 12 + as_of.month - 1
        return cls(origin=last - SEASONING_MONTHS - window + 1, window=window)

    @property
    def count(self) -> int:
        """Simulated months, seasoning included."""
        return SEASONING_MONTHS + self.window

    @property
    def window_start(self) -> int:
        return SEASONING_MONTHS

    @property
    def last_day(self) -> int:
        """``as_of`` as a day number."""
        return int(self.end(np.array([self.count - 1]))[0])

    @property
    def as_of(self) -> date:
        return date.fromordinal(_EPOCH.toordinal() + self.last_day)

    def start(self, month: Ints) -> Ints:
        """First day of each month."""
        months = np.asarray(month, dtype=np.int64) + self.origin
        return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)

    def end(self, month: Ints) -> Ints:
        """Last day of each month."""
        return self.start(np.asarray(month) + 1) - 1

    def day(self, month: Ints, day_of_month: Ints) -> Ints:
        """The given day of each month, at most its last."""
        return np.minimum(self.start(month) + np.asarray(day_of_month) - 1, self.end(month))

    def month_of(self, day: Ints) -> Ints:
        """Month that holds each day."""
        days = np.asarray(day, dtype=np.int64).astype("datetime64[D]")
        return days.astype("datetime64[M]").astype(np.int64) - self.origin

    def calendar_month(self, month: Ints) -> Ints:
        """1 for January to 12 for December."""
        return (np.asarray(month) + self.origin) % 12 + 1
