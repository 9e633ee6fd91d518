"""Names of files that come from data stay where they belong."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from creditops.report_names import file_name


@given(st.text(min_size=1, max_size=80))
def test_a_file_name_is_one_part_of_a_path_and_never_hidden(text: str) -> None:
    name = file_name(text)
    assert Path("/a", name).parent == Path("/a")
    assert Path("/a", name).resolve() == Path("/a", name)
    assert not name.startswith(".")
    assert len(name.encode()) < 200


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_two_texts_have_two_names(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)
