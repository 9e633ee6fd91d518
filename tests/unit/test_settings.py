"""A setting that cannot be read is named with its remedy, and its value is never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from creditops.errors import UsageError
from creditops.settings import get_settings


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "problem", "remedy"),
    [
        ("CREDITOPS_BOOK_CURRENCIES", "mybook=EUR", "is no JSON", '{"mybook": "USD"}'),
        ("CREDITOPS_BOOK_CURRENCIES", '{"mybook": "eur"}', "'eur' of book mybook is no currency", "USD"),
        ("CREDITOPS_POSTGRES_PORT", "five", "valid integer", "Preferred port"),
        ("CREDITOPS_BAD_ROW_LIMIT", "2", "less than or equal to 1", "Share of bad rows"),
        ("CREDITOPS_ALERT_URL", "token-of-a-chat", "is no web address", "Address that alerts"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"setting {name}: ") as caught:
        get_settings()
    assert problem in caught.value.message
    assert remedy in str(caught.value.hint)
    assert "token-of-a-chat" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOOK_CURRENCIES", '{"demo": ["CNY", "USD"]}'),
        ("BOOK_CURRENCIES", '{"demo": {"CNY": 1, "USD": 7}}'),
        ("BOOK_CURRENCIES", '{"demo": "CNY+USD"}'),
        ("CURRENCY", "CNY,USD"),
    ],
)
def test_several_currencies_of_a_book_are_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CREDITOPS_{name}", value)
    with pytest.raises(
        UsageError, match=r"has several currencies \(CNY, USD\), yet a book has one"
    ) as caught:
        get_settings()
    assert "several currencies (CNY, USD)" in caught.value.message
    assert "Make a book of each currency" in caught.value.message
    assert "docs/decisions/0011-one-currency.md" in caught.value.message
