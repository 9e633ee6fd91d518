"""The answers of docs/architecture.md lead to what they name, and its packages are those there are."""

from __future__ import annotations

import re

import pytest

from creditops.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\| (.+\?) \| (.+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    "answer", [answer for _, answer in ANSWERS], ids=[question for question, _ in ANSWERS]
)
def test_an_answer_leads_to_the_place_it_names(answer: str) -> None:
    places = re.findall(r"`((?:creditops|dbt_project|models_ml)/[^` ]+)` `([^`]+)`", answer)
    assert places
    for path, name in places:
        assert name in (PROJECT_ROOT / path).read_text(encoding="utf-8"), f"{path} says nothing of {name}"


def test_five_questions_are_answered() -> None:
    assert len(ANSWERS) == 5


def test_every_package_is_described() -> None:
    table = PAGE[PAGE.index("## Packages") : PAGE.index("## How a row flows")]
    named = set(re.findall(r"`(?:creditops\.)?([a-z_]+)`", table))
    packages = {each.parent.name for each in (PROJECT_ROOT / "creditops").glob("*/__init__.py")}
    assert packages <= named, packages - named
