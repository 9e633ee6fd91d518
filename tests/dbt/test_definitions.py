"""The definitions hold on their worked examples, and every column is described in both languages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from creditops.build import PROJECT, build, check_definitions, write_docs
from creditops.warehouse.definitions import Definitions

SETTINGS_GUIDE = PROJECT.parent / "docs" / "settings.md"
MODEL_FILES = sorted(PROJECT.glob("models/*/*/*.yml"))


@pytest.fixture(scope="module")
def tables(module_warehouse: str) -> None:
    """Of an empty book: unit tests and documentation need the columns alone."""
    build("demo", date(2026, 6, 30), checks=False)


@pytest.mark.usefixtures("tables")
def test_worked_examples_hold() -> None:
    assert check_definitions() >= 60


@pytest.mark.usefixtures("tables")
def test_the_documentation_is_one_page_with_columns_and_lineage() -> None:
    page = write_docs().read_text(encoding="utf-8")

    assert "model.creditops.fct_facility_month" in page
    assert "Days past due at the month end" in page
    assert "exposure.creditops.portfolio_monthly" in page


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


def test_every_choice_is_a_variable_with_the_same_default_and_is_documented() -> None:
    """``schedule_tolerance_cents`` is no choice of docs/domain.md's but the platform's own rounding."""
    stated = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    guide = SETTINGS_GUIDE.read_text(encoding="utf-8")
    for name, chosen in Definitions.model_fields.items():
        assert stated[name] == chosen.default, name
        assert f"CREDITOPS_{name.upper()}" in guide or f"_{name.rpartition('_')[2].upper()}`" in guide, name
    of_a_run = {
        "book",
        "as_of",
        "known_at",
        "labels_known_at",
        "time_zone",
        "schema_prefix",
        "scope",
        "layer",
        "shares",
        "policy",
        "limit_bounds",
        "default_grade",
    }
    assert set(stated) - of_a_run - {"schedule_tolerance_cents"} == set(Definitions.model_fields)
