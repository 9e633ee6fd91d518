"""The DAG files: they import, parse fast, do no work, and are joined by assets as designed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from creditops.chain import DOMAINS, STEPS, TAKES_TURNS
from creditops.runner import DAG_STEPS, INGEST
from creditops.settings import PROJECT_ROOT
from creditops.sources.contract import load_contracts

DAGS = PROJECT_ROOT / "dags"
HEAVY = ("pandas", "polars", "dbt", "great_expectations", "mlflow", "sklearn", "psycopg", "creditops")

# Parsed in a process of its own, as Airflow's dag processor does, with its own configuration.
_PARSE = """
import json, sys, time
import airflow.sdk
from airflow.dag_processing.dagbag import DagBag
heavy_before = set(sys.modules)

def waits_for_several(condition):
    if type(condition).__name__.endswith("AssetAll") and len(condition.objects) > 1:
        return True
    return any(waits_for_several(each) for each in getattr(condition, "objects", ()))

def names(condition):
    if hasattr(condition, "objects"):
        return [name for each in condition.objects for name in names(each)]
    return [condition.name]

bag = DagBag({dags!r})
before_plugins = set(sys.modules)
sys.path.insert(0, {dags!r} + "/plugins")
import data_docs_server
print("RESULT" + json.dumps({{
    "errors": bag.import_errors,
    "seconds": {{each.file: each.duration.total_seconds() for each in bag.dagbag_stats}},
    "plugins": sorted(set(sys.modules) - before_plugins),
    "imported": sorted({{name.split(".")[0] for name in set(sys.modules) - heavy_before}}),
    "dags": {{
        dag.dag_id: {{
            "doc": dag.doc_md,
            "tasks": {{task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}},
            "outlets": {{task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks}},
            "mapped": [task.task_id for task in dag.tasks if task.is_mapped],
            "links": {{
                task.task_id: [link.name for link in task.operator_extra_links]
                for task in dag.tasks if not task.is_mapped
            }},
            "rules": {{task.task_id: task.trigger_rule for task in dag.tasks}},
            "retries": [task.retries for task in dag.tasks],
            "timetable": type(dag.timetable).__name__,
            "late_start": str(getattr(dag.timetable, "run_immediately", None)),
            "paused": bool(dag.is_paused_upon_creation),
            "assets": sorted(names(dag.timetable.asset_condition))
            if getattr(dag.timetable, "asset_condition", None) else [],
            "waits_for_several": waits_for_several(getattr(dag.timetable, "asset_condition", None)),
            "max_active_runs": dag.max_active_runs,
        }}
        for dag in bag.dags.values()
    }},
}}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of the folder."""
    import os

    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": f"{PROJECT_ROOT}:{DAGS}",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PARSE.format(dags=str(DAGS))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return dict(json.loads(line.removeprefix("RESULT")))


def test_every_dag_imports(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert set(DAG_STEPS) <= set(bag["dags"])


def test_nothing_runs_by_the_clock_when_the_platform_is_first_started(bag: dict[str, Any]) -> None:
    """Airflow makes up for a time of the clock that has just passed unless it is told not to at all."""
    by_clock = {name: dag for name, dag in bag["dags"].items() if "Cron" in dag["timetable"]}
    assert {"maintain", "deliver"} <= set(by_clock)
    assert {dag["late_start"] for dag in by_clock.values() if not dag["paused"]} == {"0:00:00"}


def test_every_file_parses_within_a_second(bag: dict[str, Any]) -> None:
    slow = {file: seconds for file, seconds in bag["seconds"].items() if seconds >= 1.0}
    assert slow == {}


def test_parsing_imports_nothing_heavy(bag: dict[str, Any]) -> None:
    assert not set(HEAVY) & set(bag["imported"])


def test_plugins_cost_a_task_nothing(bag: dict[str, Any]) -> None:
    """Every task loads them; what they serve with comes with the first request."""
    assert "data_docs_server" in bag["plugins"]
    assert not [name for name in bag["plugins"] if name.startswith(("fastapi", "creditops", "airflow.api"))]


def test_a_run_follows_the_steps_that_the_command_line_runs(bag: dict[str, Any]) -> None:
    for dag_id, steps in DAG_STEPS.items():
        if dag_id == INGEST:
            continue  # one step of the command line for each domain, three here
        tasks = bag["dags"][dag_id]["tasks"]
        assert sorted(tasks) == sorted(steps)
        for place, task in enumerate(steps):
            assert set(tasks[task]) <= set(steps[place + 1 :])
        for place, task in enumerate(steps[1:], start=1):
            assert any(task in tasks[before] for before in steps[:place])


def test_an_ingest_run_maps_over_the_landed_files_and_accounts_for_all(bag: dict[str, Any]) -> None:
    dag = bag["dags"][INGEST]
    assert {"list_files", "load_files", "account_files"} <= set(STEPS)
    for domain in DOMAINS:
        assert dag["tasks"][f"{domain}.list_files"] == [f"{domain}.load_files"]
        assert dag["tasks"][f"{domain}.load_files"] == [f"{domain}.account_files"]
        assert dag["tasks"][f"{domain}.account_files"] == ["complete"]
        assert f"{domain}.load_files" in dag["mapped"]
        assert dag["rules"][f"{domain}.account_files"] == "none_failed", "also where nothing was landed"
        assert dag["outlets"][f"{domain}.account_files"] == [f"creditops_raw_{domain}"]
    assert dag["outlets"]["complete"] == ["creditops_raw"]
    assert dag["rules"]["complete"] == "all_success"
    assert len(dag["tasks"]) == 3 * len(DOMAINS) + 1


def test_the_tasks_of_gates_link_to_their_pages(bag: dict[str, Any]) -> None:
    linked = {
        f"{dag_id}.{task}"
        for dag_id, dag in bag["dags"].items()
        for task, links in dag["links"].items()
        if "Data Docs" in links
    }
    assert linked == {
        "build_warehouse.gate_raw",
        "publish.publish",
        *(f"ingest.{each}.account_files" for each in DOMAINS),
    }


def test_dags_are_joined_by_assets(bag: dict[str, Any]) -> None:
    dags = bag["dags"]
    raw = {"creditops_raw", *(f"creditops_raw_{domain}" for domain in DOMAINS)}
    emitted = {
        asset: dag_id
        for dag_id, dag in dags.items()
        for assets in dag["outlets"].values()
        for asset in assets
    }
    assert {asset for asset, dag in emitted.items() if dag == INGEST} == raw
    assert dags["build_warehouse"]["assets"] == ["creditops_raw"]
    assert dags["publish"]["assets"] == ["creditops_champion", "creditops_scorecards"]
    assert dags["retrain_scorecards"]["assets"] == ["creditops_drift", "creditops_marts"]
    assert dags["approve_scorecards"]["assets"] == ["creditops_challenger"]
    assert dags["monitor"]["assets"] == ["creditops_publication"]
    awaited = {asset for dag in dags.values() for asset in dag["assets"]}
    assert awaited <= set(emitted)


def test_no_dag_waits_for_several_assets_of_one_partition(bag: dict[str, Any]) -> None:
    """Airflow loses the partition where two such events come at once (docs/decisions/0018)."""
    assert {dag_id for dag_id, dag in bag["dags"].items() if dag["waits_for_several"]} == set()


def test_the_chain_has_no_cycle_but_that_of_drift(bag: dict[str, Any]) -> None:
    """Drift leads back to training; it calls once a day and champion, which ends the round."""
    dags = bag["dags"]
    edges = {
        (dag_id, consumer)
        for dag_id, dag in dags.items()
        for assets in dag["outlets"].values()
        for asset in assets
        for consumer, other in dags.items()
        if asset in other["assets"] and asset != "creditops_drift"
    }
    seen: set[str] = set()
    waiting = set(dags)
    while free := {
        dag for dag in waiting if all(source in seen for source, target in edges if target == dag)
    }:
        seen |= free
        waiting -= free
    assert waiting == set()


def test_every_dag_says_what_it_does(bag: dict[str, Any]) -> None:
    for dag_id, dag in bag["dags"].items():
        for word in ("**What**", "**When**", "**On failure**"):
            assert word in (dag["doc"] or ""), f"{dag_id} does not say {word}"


def test_the_ingest_dag_names_the_sources_that_the_contracts_put_in_it(bag: dict[str, Any]) -> None:
    for name, contract in load_contracts().items():
        assert f"- `{name}`: {contract.description.en}" in bag["dags"][INGEST]["doc"]


def test_one_books_run_holds_up_no_other_book(bag: dict[str, Any]) -> None:
    for dag_id in DAG_STEPS:
        assert bag["dags"][dag_id]["max_active_runs"] == 16


def test_every_step_but_loading_takes_its_books_turn() -> None:
    later = {step for dag, steps in DAG_STEPS.items() if dag != INGEST for step in steps}
    assert later - {"gate_raw"} == TAKES_TURNS


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_file_fits_a_screen_and_holds_no_sql(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    strings = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    assert not any(isinstance(value, str) and "select " in value.lower() for value in strings)
