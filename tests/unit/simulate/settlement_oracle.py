"""docs/domain.md in plain Python, one day of one facility at a time. Slow, and meant to be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

DEFAULT_DAYS, CURE_DAYS = 91, 90
EPOCH = date(1970, 1, 1)


@dataclass
class Item:
    due: int
    amount: int
    dispute: tuple[int, int] | None = None


@dataclass
class Payment:
    day: int
    amount: int
    item: int | None = None


@dataclass
class Facility:
    """Items in order of due day, payments in any order; amounts in cents, days as numbers."""

    items: list[Item] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)

    def state(self, day: int) -> tuple[int, int, int]:
        """Days past due, the same without disputed items, and overdue amount on ``day``."""
        received = [payment for payment in self.payments if payment.day <= day]
        named = [0] * len(self.items)
        for payment in received:
            if payment.item is not None:
                named[payment.item] += payment.amount
        applied = [
            min(max(money, 0), max(item.amount, 0)) for money, item in zip(named, self.items, strict=True)
        ]
        pool = sum(payment.amount for payment in received) - sum(applied)
        dpd = undisputed = 0
        due_so_far = overdue = 0
        for item, money in zip(self.items, applied, strict=True):
            remaining = item.amount - money
            due_so_far += remaining
            if item.due >= day:
                continue
            overdue = due_so_far - pool
            if remaining <= 1 or due_so_far - pool <= 1:
                continue
            dpd = max(dpd, day - item.due)
            if item.dispute is None or not item.dispute[0] <= day < item.dispute[1]:
                undisputed = max(undisputed, day - item.due)
        return dpd, undisputed, max(0, overdue) if dpd else 0

    def upgraded_on(self, clean_from: int, due_days: list[int]) -> int:
        """The same day six months on or, if later, the second of ``due_days`` after the first clean day."""
        begin = EPOCH + timedelta(days=clean_from)
        index = begin.year * 12 + begin.month - 1 + 6
        last_of_month = date((index + 1) // 12, (index + 1) % 12 + 1, 1) - timedelta(days=1)
        half_a_year = last_of_month.replace(day=min(begin.day, last_of_month.day))
        later = sorted({day for day in due_days if day > clean_from})[:2]
        return max([(half_a_year - EPOCH).days, *later])

    def default_and_cure(self, first: int, last: int, instalments: list[int]) -> list[tuple[int, int]]:
        """Default day and cure day (-1 if none) of each episode, found day by day, as if the customer had no
        other facility. ``instalments`` are due days of a loan's.
        """
        episodes: list[tuple[int, int]] = []
        in_default, clean_from = False, -1
        for day in range(first, last + 1):
            dpd = self.state(day)[1]
            clean_from = -1 if dpd else (clean_from if clean_from >= 0 else day)
            cured = clean_from >= 0 and day >= max(
                clean_from + CURE_DAYS - 1, self.upgraded_on(clean_from, instalments)
            )
            if in_default and cured:
                episodes[-1] = (episodes[-1][0], day)
                in_default = False
            elif not in_default and dpd >= DEFAULT_DAYS:
                episodes.append((day, -1))
                in_default = True
        return episodes
