"""Files written from the contracts and kept in the repository: dbt's sources and exposures, the dictionary,
the sources of the ingest DAGs.

A test says when one is out of date; ``creditops sources generate`` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from creditops.errors import UsageError
from creditops.publish.tables import SERVING, load_tables
from creditops.settings import PROJECT_ROOT
from creditops.sources.column import Column
from creditops.sources.contract import (
    SOURCES_FOLDER,
    Contract,
    contract_file,
    load_book_contracts,
    load_contracts,
    user_folders,
)

DBT_SOURCES = PROJECT_ROOT / "dbt_project" / "models" / "staging" / "sources.yml"
DBT_EXPOSURES = SERVING / "exposures.yml"
DICTIONARY = PROJECT_ROOT / "docs" / "data-dictionary.md"
DAG_SOURCES = PROJECT_ROOT / "dags" / "ingest_sources.json"
_DOMAINS = {
    "reference": "Reference / 基础资料",
    "repayment": "Repayment / 还款",
    "financial": "Financial / 财务",
    "bureau": "Bureau / 征信",
}
_PLATFORM_COLUMNS = {
    "book": ("Book (portfolio) of the load.", "所属账簿。"),
    "loaded_at": ("Time from which the row counts as known.", "该行视为已知的时间。"),
    "_batch_id": ("Load that brought the row (ops.load_ledger).", "带来该行的装载批次（ops.load_ledger）。"),
    "_row": ("Line or row of the file.", "文件中的行号。"),
    "_row_hash": ("Hash of the row's content.", "行内容的哈希。"),
    "_deleted": ("The source no longer has the row.", "来源中已不存在该行。"),
}


def generate() -> dict[Path, str]:
    """Each generated file with the text that it should have."""
    return {
        DBT_SOURCES: dbt_sources(),
        DBT_EXPOSURES: dbt_exposures(),
        DICTIONARY: dictionary(),
        DAG_SOURCES: dag_sources(),
    }


def stale(files: Mapping[Path, str] | None = None) -> list[Path]:
    """Generated files, default the platform's, that are missing or out of date."""
    wanted = generate() if files is None else files
    return [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def write(files: Mapping[Path, str]) -> None:
    """Write generated files."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def generate_own(folder: Path) -> dict[Path, str]:
    """The same for a user's own contracts: dbt's sources and dictionary pages, to lie in ``folder``.

    Raises
    ------
    UsageError: there are no contracts of one's own.
    """
    extended = [each for each in load_book_contracts() if _is_users(each)]
    own = [each for each in load_contracts().values() if _is_users(each)] + extended
    if not own:
        raise UsageError(
            "there are no contracts of your own",
            hint=f"draft one with `creditops sources new`; they are looked for in {user_folders()[0]}",
        )
    page = ["# Own sources / 自有来源", "", "Written by `creditops sources generate --own`; do not edit."]
    for contract in own:
        page += ["", *_source_section(contract)]
    return {
        folder / "sources.yml": dbt_sources(own, name="own"),
        folder / "data-dictionary.md": "\n".join(page) + "\n",
    }


def dbt_sources(contracts: Sequence[Contract] | None = None, *, name: str = "raw") -> str:
    """dbt's ``sources.yml`` of raw tables; default those of the platform's own contracts."""
    tables = [_dbt_table(contract) for contract in (_own_contracts() if contracts is None else contracts)]
    document = {
        "version": 2,
        "sources": [
            {
                "name": name,
                "schema": "raw",
                "description": "Rows as delivered, typed by their contracts, append-only and bitemporal.",
                "config": {"meta": {"zh": "按来源契约定型的原始数据，只追加，双时态。"}},
                "tables": tables,
            }
        ],
    }
    origin = "creditops/sources" if contracts is None else "your own contracts"
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    return f"# Written by `creditops sources generate` from {origin}; do not edit.\n{text}"


def dbt_exposures() -> str:
    """dbt's exposures of the published views: each shows the model of its name."""
    exposures = [
        {
            "name": table.name,
            "type": "dashboard",
            "label": f"publish.{table.name}",
            "description": f"{table.description.en} / {table.description.zh}",
            "depends_on": [f"ref('{table.name}')"],
            "owner": {"name": "Credit risk"},
        }
        for table in load_tables().values()
    ]
    document = {"version": 2, "exposures": exposures}
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)
    return f"# Written by `creditops sources generate` from the models of this layer; do not edit.\n{text}"


def dag_sources() -> str:
    """``dags/ingest_sources.json``: the sources of each ingest DAG, with what they are in both languages."""
    found: dict[str, dict[str, str]] = {domain: {} for domain in _DOMAINS}
    for contract in _own_contracts():
        found[contract.domain][contract.source] = f"{contract.description.en} {contract.description.zh}"
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def dictionary() -> str:
    """``docs/data-dictionary.md``: every column that comes in and every column that BI reads."""
    lines = [
        "# Data dictionary / 数据字典",
        "",
        "Written by `creditops sources generate` from the source contracts (`creditops/sources`) and the",
        "published tables (`dbt_project/models/serving`); do not edit.",
        "由来源契约与发布表定义自动生成，请勿手工修改。",
        "",
        "`*` marks the business key, `?` a column that may be empty. Every raw table also has:",
        "",
        *(f"- `{name}`: {en} {zh}" for name, (en, zh) in _PLATFORM_COLUMNS.items()),
        "",
        "Every published view also has `publication_id`, `as_of_date` and `book`.",
        "",
        "# Sources / 来源",
    ]
    for domain, title in _DOMAINS.items():
        lines += ["", f"## {title}"]
        for contract in _own_contracts():
            if contract.domain == domain:
                lines += ["", *_source_section(contract)]
    lines += ["", "# Published views / 发布视图"]
    for table in load_tables().values():
        lines += [
            "",
            f"## `publish.{table.name}`",
            "",
            f"{table.description.en} {table.description.zh}",
            "",
            "| column | type | unit | meaning | 含义 | from |",
            "|---|---|---|---|---|---|",
        ]
        for column in table.columns:
            star = "*" if column.name in table.key else ""
            cells = (f"`{column.name}`{star}", column.type, column.unit or "", column.description.en,
                     column.description.zh, column.source)  # fmt: skip
            lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _is_users(contract: Contract) -> bool:
    """Whether a contract, or a book's columns, are defined in a folder of the user's."""
    if contract.book is None:
        return contract_file(contract.source).parent != SOURCES_FOLDER
    return any(
        (folder / "books" / contract.book / f"{contract.source}.yml").is_file() for folder in user_folders()
    )


def _own_contracts() -> list[Contract]:
    """The platform's contracts, without what a user's home adds."""
    return [each for name, each in load_contracts().items() if contract_file(name).parent == SOURCES_FOLDER]


def _dbt_table(contract: Contract) -> dict[str, object]:
    columns = [
        {
            "name": column.raw_name,
            "description": column.description.en,
            "config": {
                "meta": {"zh": column.description.zh, **({"unit": column.unit} if column.unit else {})}
            },
        }
        for column in contract.columns
    ]
    table: dict[str, object] = {
        "name": contract.table,
        "description": f"{contract.description.en} Grain: {contract.grain}.",
        "config": {"meta": {"zh": contract.description.zh, "key": list(contract.key)}},
        "columns": columns,
    }
    return table


def _source_section(contract: Contract) -> Iterator[str]:
    yield f"### `{contract.table}`"
    yield ""
    yield f"{contract.description.en} {contract.description.zh}"
    yield ""
    facts = [f"{contract.grain[0].upper()}{contract.grain[1:]}", f"version {contract.version}"]
    if contract.delivery.mode != "incremental":
        facts.append(f"delivery: {contract.delivery.mode}")
    if contract.freshness_days is not None:
        facts.append(f"expected every {contract.freshness_days} days")
    if contract.extensible:
        facts.append("books add columns of their own")
    yield "; ".join(facts) + "."
    if contract.relationships:
        yield ""
    for relationship in contract.relationships:
        yield f"- `{', '.join(relationship.columns)}` refers to `{relationship.to}`"
    yield ""
    yield "| column | type | unit | values | meaning | 含义 |"
    yield "|---|---|---|---|---|---|"
    for column in contract.columns:
        mark = "*" if column.name in contract.key else "" if column.required else "?"
        yield _row(
            (
                f"`{column.name}`{mark}",
                column.type + (f", {column.pii}: hashed" if column.is_hashed else ""),
                column.unit or "",
                _values(column),
                column.description.en,
                column.description.zh,
            )
        )


def _values(column: Column) -> str:
    if column.pii == "birth_date":
        return "kept as `birth_year`"
    if column.past:
        return "at the latest the day of the delivery"
    if column.labels:
        return "; ".join(f"`{code}` {label.en} {label.zh}" for code, label in column.labels.items())
    if column.values:
        return ", ".join(f"`{value}`" for value in column.values)
    return f"`{column.pattern}`" if column.pattern else ""


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
