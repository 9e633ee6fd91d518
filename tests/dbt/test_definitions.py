"""The definitions hold on their worked examples, and every column is described in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from creditops.build import PROJECT, build, check_definitions

MODEL_FILES = sorted(PROJECT.glob("models/*/*/*.yml"))


def test_worked_examples_hold(warehouse: str) -> None:
    build("demo", date(2026, 6, 30))  # an empty book: the unit tests need the tables' columns

    assert check_definitions() >= 30


def described_models(path: Path) -> list[dict[str, Any]]:
    return yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])


@pytest.mark.parametrize(
    "path", MODEL_FILES, ids=lambda path: f"{path.parent.parent.name}.{path.parent.name}"
)
def test_models_and_columns_are_described_in_english_and_chinese(path: Path) -> None:
    for model in described_models(path):
        assert "Grain: " in model["description"], model["name"]
        for described in (model, *model.get("columns", ())):
            assert described["description"].isascii(), described["name"]
            assert not described["config"]["meta"]["zh"].isascii(), described["name"]


def test_every_model_is_described() -> None:
    described = {
        model["name"] for path in PROJECT.glob("models/*/**/*.yml") for model in described_models(path)
    }

    assert described == {path.stem for path in PROJECT.glob("models/**/*.sql")}
