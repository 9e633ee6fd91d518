"""A book (domain.md#book): a portfolio with its own source systems, currency and calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from creditops import clock
from creditops.errors import UsageError
from creditops.settings import get_settings
from creditops.zone_rules import day_end

_BOOK = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SHIPPED_CURRENCIES = {
    "demo": "CNY",
    "home_credit": "XXX",
    "polish_firms": "PLN",
    "sme_invoices": "CNY",
    "taiwan_cards": "TWD",
    "trade_receivables": "USD",
}
"""Currencies of the simulated book and of the adapters' books, whatever ``CREDITOPS_CURRENCY`` says."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_book(book: str) -> str:
    """``book`` itself, if it is a book's name (lower case letters, digits, ``_``).

    Raises
    ------
    UsageError: it is not.
    """
    if not _BOOK.fullmatch(book):
        raise UsageError(
            f"{book!r} is no book name",
            hint="use lower case letters, digits and _, starting with a letter, e.g. demo",
        )
    return book


def zone(book: str) -> ZoneInfo:
    """Time zone of the book's calendar."""
    check_book(book)
    return ZoneInfo(get_settings().timezone)


def currency(book: str) -> str:
    """The book's one currency (ISO 4217): every amount is in it, and a row in another is quarantined.

    A portfolio in several currencies is several books (``docs/decisions/0011-one-currency.md``).
    """
    check_book(book)
    settings = get_settings()
    return settings.book_currencies.get(book, _SHIPPED_CURRENCIES.get(book, settings.currency))


def end_of_day(book: str, day: date) -> datetime:
    """Last microsecond of ``day`` in the book's calendar, as UTC (domain.md#end-of-day)."""
    return day_end(zone(book).key, day)


def parse_day(text: str) -> date:
    """A calendar date from ``YYYY-MM-DD``, and from no other way of writing one.

    Raises
    ------
    UsageError: the text is no such date.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # 2026-02-30
    raise UsageError(f"{text!r} is no date", hint="write it as YYYY-MM-DD, e.g. 2026-06-30")


def today(book: str) -> date:
    """The day it is in the book's calendar."""
    return clock.today(zone(book).key)


def check_day(book: str, day: date) -> date:
    """``day`` itself, if it has come in the book's calendar.

    Raises
    ------
    UsageError: it lies in the future: to publish it would hide every day until then.
    """
    if day > (now := today(book)):
        raise UsageError(
            f"{day} has not come yet: it is {now} in {zone(book).key}", hint="name a day up to today"
        )
    return day


@dataclass(frozen=True)
class Partition:
    """A book and a day that has come: what one run works on.

    Raises
    ------
    UsageError: the day lies in the future.
    """

    book: str
    as_of: date

    def __post_init__(self) -> None:
        check_day(self.book, self.as_of)

    @property
    def key(self) -> str:
        """The partition key of Airflow's assets, ``book|YYYY-MM-DD``."""
        return f"{self.book}|{self.as_of.isoformat()}"

    @classmethod
    def parse(cls, key: str | None) -> Partition:
        """Read a partition key.

        Raises
        ------
        UsageError: the key is missing or not ``book|YYYY-MM-DD``.
        """
        book, separator, day = (key or "").partition("|")
        if not separator:
            raise UsageError(
                f"{key!r} is no partition key",
                hint="trigger the DAG with partition_key book|YYYY-MM-DD, or use `creditops run`",
            )
        return cls(check_book(book), parse_day(day))
