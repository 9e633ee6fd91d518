"""What the guide to sources shows is what the platform accepts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from creditops.cli import app
from creditops.places.place import load_places
from creditops.settings import PROJECT_ROOT
from creditops.sources.lint import check

GUIDE = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
CONTRACT, PLACES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_contract_of_the_guide_is_one(home: Path) -> None:
    path = home / "contracts" / "loan_tape.yml"
    path.parent.mkdir()
    path.write_text(CONTRACT, encoding="utf-8")
    assert check([str(path)]) == []


def test_the_places_of_the_guide_are_some(home: Path) -> None:
    (home / "places").mkdir()
    for text in PLACES.split("---\n"):
        name = yaml.safe_load(text)["place"]
        (home / "places" / f"{name}.yml").write_text(text, encoding="utf-8")
    assert sorted(load_places("mybook")) == ["bank_sftp", "bureau", "core", "lake"]
    assert "bank_sftp" not in load_places("other")


@pytest.mark.parametrize("page", ["sources.md", "sources.zh-CN.md"])
def test_every_command_of_the_guide_exists(page: str) -> None:
    text = (PROJECT_ROOT / "docs" / page).read_text(encoding="utf-8")
    commands = set(
        re.findall(r"creditops ((?:sources|places|quarantine) \w+|fetch|ingest|ledger|run)\b", text)
    )
    assert {"sources new", "sources check", "ingest", "ledger", "fetch"} <= commands
    for command in commands:
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0, command
