"""Secrets are made once, kept whole, closed to others, and never made anew over damaged ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from creditops.errors import CreditOpsError
from creditops.files import replace
from creditops.secrets import get_secret
from creditops.settings import get_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of secrets of a home that is not there yet."""
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    yield tmp_path / "home" / "secrets.json"
    get_settings.cache_clear()


def test_many_that_ask_at_once_get_the_same(file: Path) -> None:
    names = [f"name_{number % 5}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(get_secret, names))
    assert dict(zip(names, given, strict=True)) == json.loads(file.read_text())
    assert len(set(given)) == 5


def test_the_home_and_the_file_are_closed_to_others(file: Path) -> None:
    get_secret("pii_key")
    assert file.parent.stat().st_mode & 0o077 == 0
    file.chmod(0o644)
    get_secret("pii_key")
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["", '{"pii_key": "x', "[]", '{"pii_key": ""}', '{"pii_key": null}'])
def test_a_damaged_file_is_explained_and_left_as_it_is(file: Path, damage: str) -> None:
    file.parent.mkdir()
    file.write_text(damage)
    with pytest.raises(CreditOpsError, match="is damaged") as refused:
        get_secret("another")
    assert "backup" in str(refused.value)
    assert file.read_text() == damage


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    outside, file = tmp_path / "outside", tmp_path / "file"
    outside.write_text("theirs")
    file.symlink_to(outside)
    replace(file, "ours")
    assert (file.read_text(), file.is_symlink(), outside.read_text()) == ("ours", False, "theirs")
    with pytest.raises(UnicodeEncodeError):
        replace(file, "\ud800")
    assert file.read_text() == "ours"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "outside"]
