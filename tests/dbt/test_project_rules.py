"""The project keeps the rules of dbt-project-evaluator, checked on dbt's own manifest.

The package itself is fetched from dbt's hub, which a closed network does not reach; its rules
(https://dbt-labs.github.io/dbt-project-evaluator) are written out here for this project's layers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from creditops.build import PROJECT
from creditops.publish.tables import load_tables

Node = dict[str, Any]
PREFIXES = {
    "staging": ("base_", "stg_"),
    "intermediate": ("int_",),
    "marts": ("fct_", "dim_"),
    "features": ("feat_", "label_"),
    "serving": ("",),  # as the published views are
}
# What a layer may read; staging reads sources, or base models of them.
READS = {
    "staging": {"staging"},
    "intermediate": {"staging", "intermediate"},
    "marts": {"staging", "intermediate", "marts"},
    "features": {"staging", "intermediate", "marts", "features"},
    "serving": {"marts", "features", "serving"},
}
KEPT = {"actions", "scoring", "ops"}
"""Schemas of what people, rules, scoring and gates keep: sources of layer ``serving`` alone."""
KEY_TESTS = {"grain"}
# Reads every source that can hold a day to come, so that a daily build knows whom days alone change; and the
# two sources of series, which have one form.
MANY_SOURCES = {"stg_coming_days", "stg_economic_series"}
# Sources that no model reads: ready-made characteristics are read by the scorecards that declare them.
UNREAD = {"characteristics", "bureau_tradeline_months"}
# What people and the build itself look up: restated closed months, the days on which a facility changes.
LOOKED_UP = {"fct_restatement", "int_facility_calendar"}
# Tells what the project's own files say of the published columns.
WITHOUT_PARENT = {"data_dictionary"}
# One row an entry: several payments of a day are as many rows.
WITHOUT_KEY = {"int_credit_entry"}


def layer(node: Node) -> str:
    return str(node["fqn"][1])


def is_stored(node: Node) -> bool:
    """Whether it is a table; staging and what is written into other queries is not."""
    return layer(node) != "staging" and node["config"]["materialized"] != "ephemeral"


def parents(node: Node) -> list[str]:
    return list(node["depends_on"]["nodes"])


def test_models_are_named_by_their_layer(models: dict[str, Node]) -> None:
    assert {
        node["name"] for node in models.values() if not node["name"].startswith(PREFIXES[layer(node)])
    } == set()


def test_models_lie_in_a_folder_of_their_layer_and_subject(models: dict[str, Node]) -> None:
    depths = {node["name"]: len(Path(node["path"]).parts) for node in models.values()}
    assert {name for name, depth in depths.items() if depth != 3} == set()


def sources_of(node: Node) -> set[str]:
    return {key.split(".")[2] for key in parents(node) if key.startswith("source.")}


def test_only_staging_reads_raw_and_only_serving_what_is_kept(models: dict[str, Node]) -> None:
    may_read = {"staging": {"raw"}, "serving": KEPT}
    for node in models.values():
        assert sources_of(node) <= may_read.get(layer(node), set()), node["name"]


def test_a_staging_model_reads_one_source_or_base_models(models: dict[str, Node]) -> None:
    for node in models.values():
        if layer(node) == "staging" and node["name"] not in MANY_SOURCES:
            sources = [key for key in parents(node) if key.startswith("source.")]
            bases = [key for key in parents(node) if key.rpartition(".")[2].startswith("base_")]
            assert len(sources) + len(bases) == len(parents(node)), node["name"]
            assert len(sources) == (0 if bases else 1), node["name"]


def test_every_source_has_one_reader_or_is_known_to_have_none(
    manifest: dict[str, Any], models: dict[str, Node]
) -> None:
    raw = [each for each in manifest["sources"].values() if each["source_name"] not in KEPT]
    readers: dict[str, list[str]] = {source["name"]: [] for source in raw}
    for node in models.values():
        for key in parents(node):
            if key.startswith("source.") and layer(node) == "staging" and node["name"] != "stg_coming_days":
                readers[key.rpartition(".")[2]].append(node["name"])
    assert {name: read for name, read in readers.items() if len(read) > 1} == {}
    assert {name for name, read in readers.items() if not read} <= UNREAD


def test_sources_are_described(manifest: dict[str, Any]) -> None:
    assert all(source["source_description"] for source in manifest["sources"].values())


def test_layers_point_one_way(models: dict[str, Node]) -> None:
    for node in models.values():
        read = {layer(models[key]) for key in parents(node) if key in models}
        assert read <= READS[layer(node)], node["name"]


def test_every_model_has_a_parent_and_a_reader(manifest: dict[str, Any], models: dict[str, Node]) -> None:
    """A mart or feature may be read from outside only: then an exposure says by what."""
    read = {key for node in models.values() for key in parents(node)}
    exposed = {key for exposure in manifest["exposures"].values() for key in exposure["depends_on"]["nodes"]}
    assert {node["name"] for node in models.values() if not parents(node)} <= WITHOUT_PARENT
    unread = {node["name"] for key, node in models.items() if key not in read | exposed}
    assert unread <= LOOKED_UP


def test_no_model_reads_more_than_a_dozen_others(models: dict[str, Node]) -> None:
    """More than that nobody follows."""
    assert {node["name"]: len(parents(node)) for node in models.values() if len(parents(node)) > 12} == {}


def test_no_relation_is_named_without_ref_or_source(models: dict[str, Node]) -> None:
    relation = re.compile(
        r"\b(?:from|join)\s+(?:raw|staging|intermediate|marts|features|scoring|actions|published|publish|ops)\.\w",
        re.IGNORECASE,
    )
    assert {node["name"] for node in models.values() if relation.search(node["raw_code"])} == set()


def test_every_stored_model_has_a_key_test(manifest: dict[str, Any], models: dict[str, Node]) -> None:
    """The keys of published tables are checked by the gate of their publication, and by an index."""
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node.get("test_metadata", {}).get("name") in KEY_TESTS
    }
    stored = {key: node for key, node in models.items() if is_stored(node) and layer(node) != "serving"}
    untested = {node["name"] for key, node in stored.items() if key not in tested}
    assert untested <= WITHOUT_KEY


def test_every_stored_model_enforces_its_contract(models: dict[str, Node]) -> None:
    stored = [node for node in models.values() if is_stored(node)]
    assert {node["name"] for node in stored if not node["contract"]["enforced"]} == set()


def test_models_and_columns_are_described_in_both_languages(models: dict[str, Node]) -> None:
    for node in models.values():
        for described in (node, *node["columns"].values()):
            assert described["description"], (node["name"], described["name"])
            assert described["config"]["meta"].get("zh"), (node["name"], described["name"])
        if layer(node) != "staging":
            assert all(column["data_type"] for column in node["columns"].values()), node["name"]


def test_every_model_with_a_definition_is_named_in_the_readme_layers() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in PREFIXES)


def test_exposures_rest_on_layers_that_are_read_from_outside(
    manifest: dict[str, Any], models: dict[str, Node]
) -> None:
    for exposure in manifest["exposures"].values():
        layers = {layer(models[key]) for key in exposure["depends_on"]["nodes"]}
        assert layers <= {"marts", "features", "serving"}, exposure["name"]


def test_every_published_view_is_a_model_of_its_name_with_an_exposure(
    manifest: dict[str, Any], models: dict[str, Node]
) -> None:
    served = {node["name"] for node in models.values() if layer(node) == "serving" and is_stored(node)}
    shown = {
        models[key]["name"]
        for exposure in manifest["exposures"].values()
        for key in exposure["depends_on"]["nodes"]
        if exposure["label"] == f"publish.{exposure['name']}"
    }
    assert served == shown == set(load_tables())


def test_contracts_of_published_tables_hold_the_columns_of_their_keys() -> None:
    for table in load_tables().values():
        assert set(table.key) <= {"book", *(column.name for column in table.columns)}, table.name
