"""docs/domain.md and the code name each other: every citation has an anchor, every anchor one home."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from creditops.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "domain.md"
CITING = ("benchmarks", "creditops", "dags", "dbt_project", "expectations", "models_ml", "tests")
SUFFIXES = {".md", ".py", ".sql", ".yml"}
_CITATION = re.compile(r"domain\.md#([a-z0-9-]+)")
_PLACE = re.compile(r"`([^`]+)`(?: `([^`]+)`)?")


@dataclass(frozen=True)
class Definition:
    """An entry: its anchor, the home and what says the same elsewhere; each a path and, within it, a name."""

    anchor: str
    text: str
    home: tuple[str, str]
    also_in: tuple[tuple[str, str], ...]


def _definitions() -> list[Definition]:
    parts = re.split(r'<a id="([a-z0-9-]+)"></a>\n', PAGE.read_text(encoding="utf-8"))
    found = []
    for anchor, text in zip(parts[1::2], parts[2::2], strict=True):
        homes = re.findall(r"^Home: (.+)$", text, re.MULTILINE)
        assert len(homes) == 1, f"{anchor} has {len(homes)} homes"
        home, _, others = homes[0].partition(". Also in: ")
        also_in = tuple(_PLACE.findall(others))
        place = _PLACE.fullmatch(home)
        assert place is not None, f"{anchor}: {home}"
        found.append(Definition(anchor, text, (place[1], place[2] or ""), also_in))
    return found


DEFINITIONS = _definitions()


def _text_of(path: str) -> str:
    """The file, and for a dbt model the file that describes it and its folder's other models."""
    file = PROJECT_ROOT / path
    described = sorted(file.parent.glob("_*.yml")) if file.suffix == ".sql" else []
    return "\n".join(each.read_text(encoding="utf-8") for each in (file, *described))


def _files() -> list[Path]:
    return sorted(
        path
        for folder in CITING
        for path in (PROJECT_ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES and "target" not in path.parts
    )


def test_anchors_differ_and_entries_say_more_than_their_home() -> None:
    anchors = [each.anchor for each in DEFINITIONS]
    assert len(anchors) == len(set(anchors)) > 60
    for each in DEFINITIONS:
        heading, body = each.text.split("\n", 1)
        assert re.fullmatch(r"### .+ \(.*[\u4e00-\u9fff].*\)", heading), heading
        assert len(body.partition("\nHome: ")[0].strip()) > 40, each.anchor


@pytest.mark.parametrize("each", DEFINITIONS, ids=lambda each: each.anchor)
def test_a_definition_and_its_home_name_each_other(each: Definition) -> None:
    for path, name in (each.home, *each.also_in):
        assert (PROJECT_ROOT / path).is_file(), path
        if name:
            own = (PROJECT_ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"(macro|def|view) {re.escape(name)}\b", own), f"{path} has no {name}"
        assert each.anchor in _CITATION.findall(_text_of(path)), f"{path} does not cite {each.anchor}"


def test_no_two_definitions_have_the_same_home() -> None:
    homes = [each.home for each in DEFINITIONS]
    assert sorted({home for home in homes if homes.count(home) > 1}) == []


def test_every_citation_has_an_anchor() -> None:
    known = {each.anchor for each in DEFINITIONS}
    wrong = [
        f"{path.relative_to(PROJECT_ROOT)}: {anchor}"
        for path in _files()
        for anchor in _CITATION.findall(path.read_text(encoding="utf-8"))
        if anchor not in known
    ]
    assert wrong == []


def test_nothing_cites_a_text_outside_the_repository() -> None:
    citing = re.compile(r"\bDOMAIN(?:\.md)?(?:'s)? \d")
    assert [str(path) for path in _files() if citing.search(path.read_text(encoding="utf-8"))] == []


def test_links_within_the_page_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", text)) <= {each.anchor for each in DEFINITIONS}
