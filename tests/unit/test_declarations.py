"""One broken file of a user's stops only what uses it, and is said by `up`, `doctor` and every run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from creditops.adapters import load_adapter
from creditops.cli import app
from creditops.declarations import broken_files
from creditops.doctor import diagnose
from creditops.errors import UsageError
from creditops.places.place import load_places
from creditops.settings import PROJECT_ROOT, get_settings
from models_ml.spec import load_scorecards, scorecard, scorecards_of

FILES = {
    "contract": ("contracts/tape.yml", "source: tape\nkey: [\n"),
    "adapter": ("adapters/old_bank/adapter.yml", "adapter: old_bank\ninputs: 7\n"),
    "place": ("places/bank.yml", "place: bank\nkind: folder\n"),
    "scorecard": ("scorecards/mine.yml", "name: mine\nbooks: [mybook]\nsources: 7\n"),
}
SHIPPED = PROJECT_ROOT / "models_ml" / "scorecards" / "retail_behaviour.yml"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("CREDITOPS_HOME", str(tmp_path))
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def write(home: Path, name: str, text: str) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_home_without_files_of_ones_own_has_no_broken_ones(home: Path) -> None:
    assert broken_files() == []
    (finding,) = [each for each in diagnose() if each.check == "your own files"]
    assert finding.ok


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_file_is_named_with_a_remedy_and_what_goes_without(home: Path, kind: str) -> None:
    path = write(home, *FILES[kind])
    (broken,) = broken_files()
    assert (broken.kind, broken.path) == (kind, path)
    assert str(path) in broken.sentence()
    assert broken.error.hint
    (finding,) = [each for each in diagnose() if each.check == kind]
    assert not finding.ok
    assert finding.remedy == broken.error.hint


def test_others_are_listed_beside_a_broken_one(home: Path) -> None:
    for name, text in FILES.values():
        write(home, name, text)
    write(home, "places/other.yml", "place: other\nkind: folder\npath: /out\n")
    assert list(load_places()) == ["other"]
    for kind in ("adapters", "places"):
        rows = json.loads(CliRunner().invoke(app, [kind, "list", "--json"]).stdout)
        (broken,) = [each for each in rows if each["problem"]]
        assert broken[kind.removesuffix("s")] in ("old_bank", "bank")
        assert len(rows) > 1
    with pytest.raises(UsageError, match="old_bank"):
        load_adapter("old_bank")
    assert load_adapter("home_credit").book == "home_credit"


class TestScorecards:
    def test_a_broken_one_stops_the_books_that_it_names(self, home: Path) -> None:
        write(home, *FILES["scorecard"])
        assert len(scorecards_of("demo")) == 4
        assert scorecards_of("other") == []
        with pytest.raises(UsageError, match=r"mine\.yml: sources"):
            scorecards_of("mybook")
        with pytest.raises(UsageError, match=r"mine\.yml: sources"):
            scorecard("mine")

    @pytest.mark.parametrize(
        "text",
        [
            "name: mine\nbooks: [mybook, second]\nsources: [\n",
            "name: mine\nbooks:\n  - mybook\n  - second\nname: twice\n",
            "name: mine\nbooks: [mybook]\nsources: [features]\n",
            "name: mine\nbooks: [mybook]\nsources: {}\n",
            "name: mine\nbooks: [mybook]\nsources: [{table: features.x, features: 3}]\n",
            "name: mine\nbooks: [mybook]\nsources: [{table: features.x, features: [3]}]\n",
        ],
    )
    def test_however_it_is_broken(self, home: Path, text: str) -> None:
        write(home, "scorecards/mine.yml", text)
        assert len(scorecards_of("demo")) == 4
        with pytest.raises(UsageError, match=r"mine\.yml"):
            scorecards_of("mybook")

    def test_the_shipped_one_does_not_stand_in_for_its_broken_replacement(self, home: Path) -> None:
        text = SHIPPED.read_text(encoding="utf-8")
        write(home, "scorecards/retail_behaviour.yml", text + "\nalgoritm: woe\n")
        assert "retail_behaviour" not in load_scorecards()
        with pytest.raises(UsageError, match="algoritm"):
            scorecards_of("demo")
        assert [spec.name for spec in scorecards_of("taiwan_cards")] == ["taiwan_behaviour"]

    def test_two_of_one_name_are_not_silently_one(self, home: Path) -> None:
        text = SHIPPED.read_text(encoding="utf-8").replace("books: [demo]", "books: [mybook]")
        write(home, "scorecards/a.yml", text.replace("name: retail_behaviour", "name: mine"))
        write(home, "scorecards/b.yml", text.replace("name: retail_behaviour", "name: mine"))
        (broken,) = broken_files()
        assert (broken.path.name, "declared twice" in str(broken.error)) == ("b.yml", True)
