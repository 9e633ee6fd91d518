"""Month ends, on which panel and features are observed (domain.md#window)."""

from __future__ import annotations

from datetime import date, timedelta


def month_end(day: date, *, months_before: int = 0) -> date:
    """End of the month that lies ``months_before`` months before the month of ``day``."""
    month = day.year * 12 + day.month - months_before
    return date(month // 12, month % 12 + 1, 1) - timedelta(days=1)


def last_month_end(day: date) -> date:
    """``day`` itself if it is a month end, else the month end before."""
    return day if day == month_end(day) else month_end(day, months_before=1)


def months_earlier(day: date, months: int) -> date:
    """The same day ``months`` months earlier; a month end stays one, a missing day becomes one."""
    end = month_end(day, months_before=months)
    return end if day == month_end(day) or day.day > end.day else end.replace(day=day.day)
