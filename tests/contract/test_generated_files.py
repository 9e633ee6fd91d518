"""Files that follow from the contracts are as the contracts are now."""

from __future__ import annotations

import yaml

from creditops.generate import (
    DAG_SOURCES,
    DBT_EXPOSURES,
    DBT_SOURCES,
    DICTIONARY,
    dag_sources,
    dbt_exposures,
    dbt_sources,
    dictionary,
)
from creditops.publish.tables import load_tables
from creditops.sources.contract import load_contracts


def test_dbts_sources_are_current() -> None:
    assert DBT_SOURCES.read_text(encoding="utf-8") == dbt_sources(), "run `creditops sources generate`"


def test_dbts_exposures_are_current() -> None:
    assert DBT_EXPOSURES.read_text(encoding="utf-8") == dbt_exposures(), "run `creditops sources generate`"


def test_the_data_dictionary_is_current() -> None:
    assert DICTIONARY.read_text(encoding="utf-8") == dictionary(), "run `creditops sources generate`"


def test_the_sources_of_the_ingest_dags_are_current() -> None:
    assert DAG_SOURCES.read_text(encoding="utf-8") == dag_sources(), "run `creditops sources generate`"


def test_dbt_knows_every_raw_column() -> None:
    (source,) = yaml.safe_load(dbt_sources())["sources"]
    tables = {table["name"]: [column["name"] for column in table["columns"]] for table in source["tables"]}
    assert set(tables) == set(load_contracts())
    assert tables["customers"] == [name for name, _, _ in load_contracts()["customers"].raw_columns()]


def test_every_column_that_comes_in_or_goes_out_is_in_the_dictionary() -> None:
    lines = dictionary().splitlines()
    for contract in load_contracts().values():
        at = lines.index(f"### `{contract.source}`")
        section = "\n".join(lines[at : at + 60 + len(contract.columns)])
        assert all(f"| `{column.name}`" in section for column in contract.columns)
    for table in load_tables().values():
        at = lines.index(f"## `publish.{table.name}`")
        section = "\n".join(lines[at : at + 10 + len(table.columns)])
        assert all(f"| `{column.name}`" in section for column in table.columns)
