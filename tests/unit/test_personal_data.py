"""Personal data are found by their form, in one text and in whole columns; what only looks so is not."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creditops.errors import DataRefusedError
from creditops.personal_data import find, masked, national_id_check, passes_luhn
from creditops.reading.detection import kinds_in, masked_column

ID = "110105199003078510"
PROVINCES = ("11", "15", "23", "37", "46", "50", "54", "65", "71", "81", "82", "83")
CARD_PREFIXES = {16: ("4", "51", "55", "62", "3528", "3589"), 15: ("34", "37"), 17: ("62",), 18: ("62",)}
CARD_PREFIXES[19] = ("62", "9558", "6013")


def kinds(text: str, *, identifier: bool = False) -> list[str]:
    """The kinds found in a text; a column of it says the same."""
    found = [each.kind for each in find(text, identifier=identifier)]
    assert set(kinds_in(pl.Series([text, None, ""]), identifier=identifier)) == set(found)
    return found


@st.composite
def national_ids(draw: st.DrawFn) -> str:
    born = draw(st.dates(date(1900, 1, 1), date(2049, 12, 31)))
    first = draw(st.sampled_from(PROVINCES)) + draw(digits(4)) + f"{born:%Y%m%d}" + draw(digits(3))
    return first + national_id_check(first)


@st.composite
def cards(draw: st.DrawFn) -> str:
    length = draw(st.sampled_from(sorted(CARD_PREFIXES)))
    prefix = draw(st.sampled_from(CARD_PREFIXES[length]))
    first = prefix + draw(digits(length - 1 - len(prefix)))
    return next(first + last for last in "0123456789" if passes_luhn(first + last))


@st.composite
def phones(draw: st.DrawFn) -> str:
    return f"1{draw(st.sampled_from('3456789'))}{draw(digits(9))}"


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def full_width(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


@settings(deadline=None)
@given(national_ids())
def test_an_identity_number_with_its_check_character_is_found_and_with_no_other(number: str) -> None:
    for written in (
        number,
        number.lower(),
        full_width(number),
        f"证件{number[:6]} {number[6:14]} {number[14:]}。",
    ):
        assert kinds(written) == ["national_id"]
        assert "national_id" in kinds(written, identifier=True)
    for other in "0123456789X":
        if other != number[-1]:
            assert "national_id" not in kinds(number[:-1] + other)


@settings(deadline=None)
@given(cards())
def test_a_card_with_its_check_digit_is_found_and_with_no_other(number: str) -> None:
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    for written in (
        number,
        full_width(number),
        f"卡号：{number}，",
        *([grouped] if len(number) != 15 else []),
    ):
        assert set(kinds(written)) in ({"card"}, {"national_id"})  # one number in ten thousand is both
    for other in "0123456789":
        if other != number[-1]:
            assert "card" not in kinds(number[:-1] + other)


@settings(deadline=None)
@given(phones(), st.sampled_from(["", "+86", "86", "0086", "+86 ", "86-"]))
def test_a_mobile_number_is_found_however_it_is_grouped(number: str, code: str) -> None:
    for middle in ("", " ", "-", "\u2013", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}"):
        written = code + middle.join((number[:3], number[3:7], number[7:]))
        assert kinds(written, identifier=True) == ["phone"]
        assert masked(f"客户{written}来电") == "客户[phone]来电"
    assert kinds(f"\u200b{full_width(number)[:5]}\u200d{number[5:]}") == ["phone"]
    assert kinds(f"{number}7") == kinds(f"5{number}") == []


@pytest.mark.parametrize(
    "text",
    [
        "C000123",
        "P2024063000000017",
        "20240630000000001712",
        "C13800138000",  # an identifier of letters and digits is no number
        "110105199003078511",  # the check digit of another
        "991234199003078510",  # no such province
        "110105199013078510",  # no such month
        "0.4111111111111111",
        "4111 1111 1111 1112",
        "2026-06-30 15:00:13.123456",
        "23800138000",
        "sftp://user:word@host.example.com/in",
        "a@b",
        "150,2000,3000",
        "2026/05/01 13:00:00",
        "3f2b8d1e-9c13-4800-9138-1380013800a1",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "张三 李四",
        "",
    ],
)
def test_what_only_looks_like_a_datum_is_none(text: str) -> None:
    assert kinds(text, identifier=True) == kinds(text) == []
    assert masked(text) is text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"身份证{ID}，手机138-0013-8000", "身份证[national_id]，手机[phone]"),
        ("tel13800138000", "tel[phone]"),
        ("1.13800138000；2.13900139000", "1.[phone]；2.[phone]"),
        ("4111 1111 1111 1111 2027/05", "[card] 2027/05"),
        ("邮箱：ｌｉ.ming@example.com。", "邮箱：[mail]。"),
        ("1 3 8 0 0 1 3 8 0 0 0", "[phone]"),
        ("...li@example.com.cn, see sftp://li@example.com/in", "[mail], see sftp://li@example.com/in"),
        ("138．0013．8000, 138﹒0013﹒8000, 138․0013․8000", "[phone], [phone], [phone]"),
        ("①③⑧00138000 ¹³⁸00138000", "[phone] [phone]"),
        ("138·0013·8000、138 - 0013 - 8000、138/0013/8000", "[phone]、[phone]、[phone]"),
        ("(138)00138000, 1380 0138 000, 13800138000x", "([phone], [phone], [phone]x"),
        ("1\u034f3800138000 138\ufe0f0013\ufe0f8000 138\u316400138000", "[phone] [phone] [phone]"),
        ("138\u200b\u200b\u200b\u200b\u200b00138000", "[phone]"),
        (f"a://13800138000@x http://{ID}@h", "a://[phone]@x http://[national_id]@h"),
        ("٠ 13800138000 ١٣٨٠٠١٣٨٠٠٠", "٠ [phone] [phone]"),
    ],
)
def test_of_a_text_only_the_datum_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked_column(pl.Series(["x", text, None]))[0].to_list() == ["x", shown, None]
    assert masked({"a": [text, 1], text: (text,)}) == {"a": [shown, 1], shown: (shown,)}
    assert find(shown) == []
    error = DataRefusedError(text, hint=text, details={"rows": [text]})
    assert (error.message, error.hint, error.details) == (shown, shown, {"rows": [shown]})
    assert text not in str(error) + repr(error)


@pytest.mark.parametrize("part", ["a", "a.", "a@", "1 ", "138-", "4111 ", "://a@", "\u200b1", "x@y."])
def test_a_long_cell_takes_no_longer_than_many_short_ones(part: str) -> None:
    """A pattern that tried every place anew would not end."""
    text = part * (60_000 // len(part)) + "@1"
    assert find(text) == find(text, identifier=True) == []


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.text("0123456789Xx -@.a·１\u200b", max_size=30), national_ids(), cards(), phones()))
)
def test_a_column_says_what_its_cells_say(cells: list[str]) -> None:
    column = pl.Series("cells", cells, dtype=pl.String)
    for identifier in (True, False):
        found = kinds_in(column, identifier=identifier)
        for at, cell in enumerate(cells):
            assert {kind for kind, flags in found.items() if flags[at]} == {
                each.kind for each in find(cell, identifier=identifier)
            }
    hidden, changed = masked_column(column)
    assert hidden.to_list() == [masked(cell) for cell in cells]
    assert changed == sum(masked(cell) != cell for cell in cells)
    assert all(len(shown) <= len(cell) for shown, cell in zip(hidden, cells, strict=True))
