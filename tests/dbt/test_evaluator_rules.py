"""Rules of dbt-project-evaluator on the graph's shape and on files; with ``test_project_rules`` all of them.

Each test names the evaluator's own rule. What the evaluator's seed of exceptions would list is listed here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from creditops.build import PROJECT
from creditops.sources.contract import load_contract

Node = dict[str, Any]
FANOUT, JOINS, VIEWS = 3, 7, 5
"""The evaluator's own thresholds."""
# Core tables: a star has one centre, and each subject's own marts and features rest on it.
READ_BY_MANY = {
    "int_facility", "int_facility_holding", "int_due_item_settlement", "int_default_event", "fct_default",
    "fct_facility_month", "dim_customer", "dim_facility", "int_facility_delinquency", "fct_customer_position",
}  # fmt: skip
# Facilities set aside are listed to people, beside their one reader.
LISTED = {"base_quarantined_facility"}
# The panel, default events and their calendar bring dues, credits, reports and versions of a facility
# together; class and default its customer's other facilities; a position everything of a customer; features
# what was known of it.
READ_MANY = {
    "fct_month_end_position",
    "int_struck_customer",
    "int_default_event",
    "int_facility_calendar",
    "int_facility_delinquency",
    "fct_non_performing",
    "fct_default",
    "fct_customer_position",
    "feat_application",
    "feat_trade_payment",
    "int_facility_month_known_then",
    "credit_assessment",
    "limit_basis",
}
# Sources that come when something happens, so that none of them for a while is no fault.
COME_WHEN_SOMETHING_HAPPENS = {
    *("customers", "groups", "products", "partners", "applications", "facilities", "competitor_products"),
    *("disputes", "collection_actions", "promises", "sme_invoices", "characteristics", "outcomes"),
    # delivered with the report that they belong to
    *("bureau_tradelines", "bureau_tradeline_months", "bureau_inquiries", "bureau_public_records"),
}
# Definitions of docs/domain.md are in models; these only select or count what others define.
NO_DEFINITION_OF_THEIR_OWN = {
    "competitor_outlook", "concentration", "customer_360", "data_dictionary", "data_quality",
    "early_warnings", "limit_basis", "limit_history", "model_monitoring",
    "policy_compliance", "process_funnel", "proposed_actions", "receivables_ageing", "roll_rates", "vintages",
    "warning_backtest", "warning_events",
    "int_facility_holding", "int_struck_customer",
    "fct_collection_action", "fct_open_due_item", "fct_sme_counterparty_month",
    "dim_customer", "dim_facility", "int_facility_version", "int_facility_calendar",
    "int_facility_month_known_then",
}  # fmt: skip


def name_of(key: str) -> str:
    return key.rpartition(".")[2]


@pytest.fixture(scope="module")
def children(models: dict[str, Node]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, node in models.items():
        for parent in node["depends_on"]["nodes"]:
            found[parent].add(key)
    return found


def test_model_fanout(models: dict[str, Node], children: dict[str, set[str]]) -> None:
    """fct_model_fanout: more than three models at the end of the graph read one model."""
    leaves = {key for key in models if not children.get(key)}
    wide = {name_of(key) for key in models if len(children.get(key, set()) & leaves) > FANOUT}
    assert wide <= READ_BY_MANY, wide - READ_BY_MANY


def test_rejoining_of_upstream_concepts(models: dict[str, Node], children: dict[str, set[str]]) -> None:
    """fct_rejoining_of_upstream_concepts: a model between two others that nothing else needs.

    A published table shows figures of several marts side by side, each needed by itself.
    """
    loops = {
        (name_of(key), name_of(between))
        for key, node in models.items()
        if node["fqn"][1] != "serving"
        for between in set(node["depends_on"]["nodes"]) & set(models)
        if children[between] == {key}
        and set(node["depends_on"]["nodes"]) & set(models[between]["depends_on"]["nodes"])
        and name_of(between) not in read_by_exposures() | LISTED
    }
    assert loops == set()


def read_by_exposures() -> set[str]:
    """Names of marts that an exposure reads: these are needed beside their one reader."""
    exposures = yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))[
        "exposures"
    ]
    return {each.split("'")[1] for exposure in exposures for each in exposure["depends_on"]}


def test_too_many_joins(models: dict[str, Node]) -> None:
    """fct_too_many_joins: a model reads seven others or more."""
    many = {node["name"] for node in models.values() if len(node["depends_on"]["nodes"]) >= JOINS}
    assert many <= READ_MANY, many - READ_MANY


def test_duplicate_sources(manifest: Node) -> None:
    """fct_duplicate_sources: two sources are one table."""
    tables = Counter((each["schema"], each["identifier"]) for each in manifest["sources"].values())
    assert {table for table, times in tables.items() if times > 1} == set()


def test_undocumented_source_tables(manifest: Node) -> None:
    """fct_undocumented_source_tables."""
    assert {each["name"] for each in manifest["sources"].values() if not each["description"]} == set()


def raw_sources(manifest: Node) -> list[Node]:
    return [each for each in manifest["sources"].values() if each["source_name"] == "raw"]


def test_sources_without_freshness(manifest: Node) -> None:
    """fct_sources_without_freshness: the loader checks what the contract says, before anything is built."""
    for source in raw_sources(manifest):
        if source["name"] not in COME_WHEN_SOMETHING_HAPPENS:
            assert load_contract(source["name"]).freshness_days, source["name"]


def test_source_directories(manifest: Node) -> None:
    """fct_source_directories: sources are described in staging."""
    places = {each["original_file_path"] for each in manifest["sources"].values()}
    assert all(PurePosixPath(place).parts[:2] == ("models", "staging") for place in places)


def test_test_directories(manifest: Node) -> None:
    """fct_test_directories: a model's tests stand in the folder of the model."""
    for node in manifest["nodes"].values():
        model = manifest["nodes"].get(node.get("attached_node") or "")
        if node["resource_type"] == "test" and model:
            folders = {PurePosixPath(each["original_file_path"]).parent for each in (node, model)}
            assert len(folders) == 1, node["name"]
    for test in manifest["unit_tests"].values():
        (key,) = (each for each in test["depends_on"]["nodes"] if name_of(each) == test["model"])
        model = manifest["nodes"][key]
        folders = {PurePosixPath(each["original_file_path"]).parent for each in (test, model)}
        assert len(folders) == 1, test["name"]


def test_chained_views(models: dict[str, Node]) -> None:
    """fct_chained_views_dependencies: more than five models in a row that are not stored."""

    def length(key: str) -> int:
        node = models.get(key)
        if node is None or node["config"]["materialized"] not in ("view", "ephemeral"):
            return 0
        return 1 + max((length(parent) for parent in node["depends_on"]["nodes"]), default=0)

    assert max(map(length, models)) <= VIEWS


def test_exposures_rest_on_stored_models_that_are_not_private(
    manifest: Node, models: dict[str, Node]
) -> None:
    """fct_exposure_parents_materializations, fct_exposures_dependent_on_private_models."""
    for exposure in manifest["exposures"].values():
        for key in exposure["depends_on"]["nodes"]:
            assert models[key]["config"]["materialized"] == "book_partition", (exposure["name"], key)
            assert models[key]["access"] != "private", (exposure["name"], key)


def test_public_models_have_contracts_and_descriptions(models: dict[str, Node]) -> None:
    """fct_public_models_without_contract, fct_undocumented_public_models."""
    for node in models.values():
        if node["access"] == "public":
            assert node["contract"]["enforced"], node["name"]
            assert node["description"], node["name"]


def test_every_model_that_holds_a_definition_has_a_unit_test(manifest: Node, models: dict[str, Node]) -> None:
    """Beyond the evaluator: staging holds none."""
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    stored = {node["name"] for node in models.values() if node["fqn"][1] != "staging"}
    assert stored - tested <= NO_DEFINITION_OF_THEIR_OWN, stored - tested - NO_DEFINITION_OF_THEIR_OWN
    assert tested & NO_DEFINITION_OF_THEIR_OWN == set()
