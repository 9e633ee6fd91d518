"""The dbt project as dbt reads it, and choices of definitions that tests make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import creditops.build
from creditops.build import PROJECT
from creditops.warehouse.definitions import get_definitions
from tests.dbt.daily_builds import KeptTables

LEAST_MATERIAL = {"retail": 10_000, "corporate": 4_000}
"""Cents over which what is past due is material; with the share they split random accounts well."""
MATERIAL_SHARE = 0.3


@pytest.fixture
def only_material_days_count() -> Iterator[None]:
    """The switch for materiality is on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDITOPS_MATERIALITY", "true")
        for customer_type, cents in LEAST_MATERIAL.items():
            patch.setenv(f"CREDITOPS_MATERIALITY_AMOUNT_{customer_type.upper()}", str(cents / 100))
        patch.setenv("CREDITOPS_MATERIALITY_SHARE", str(MATERIAL_SHARE))
        get_definitions.cache_clear()
        yield
    get_definitions.cache_clear()


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """dbt's own account of the project."""
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("dbt")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOST", "USER", "PASSWORD", "DATABASE"):
            patch.setenv(f"CREDITOPS_DBT_{name}", "none")
        parsed = dbtRunner().invoke(
            ["--log-level", "none", "--no-write-json", "parse", "--project-dir", str(PROJECT),
             "--profiles-dir", str(PROJECT), "--target-path", str(folder), "--log-path", str(folder)]
        )  # fmt: skip
    assert parsed.success, parsed.exception
    return parsed.result.to_dict()  # type: ignore[union-attr]


@pytest.fixture(scope="session")
def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Models by their unique name."""
    return {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}


@pytest.fixture
def kept_tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creditops.build, "DbtRunner", KeptTables)
    monkeypatch.setattr(KeptTables, "project", None)  # it knows the warehouse it was read for
