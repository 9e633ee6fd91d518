"""Lints contracts: what the language itself refuses, and what it allows but a reviewer would not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from creditops.errors import UsageError
from creditops.sources.column import Column
from creditops.sources.contract import (
    SOURCES_FOLDER,
    Contract,
    broken_contracts,
    contract_file,
    load_book_contracts,
    load_contracts,
    read_contract,
)
from creditops.sources.document import line_of
from creditops.sources.row_check import try_checks
from creditops.sources.terms import DRAFT_EN, DRAFT_ZH, pii_of_name

_CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class Finding:
    """One remark on a contract: an ``error`` keeps it from loading, a ``warning`` does not."""

    severity: Literal["error", "warning"]
    file: str
    line: int | None
    message: str
    remedy: str


def check(names: Iterable[str] = ()) -> list[Finding]:
    """Findings on the named contracts (source names or files), or on all of them.

    A file may be one that no folder of contracts holds yet.
    """
    chosen = list(names)
    found: list[Finding] = []
    for name in chosen:
        path = Path(name)
        if path.suffix in (".yml", ".yaml") and path.exists():
            found += _check_file(path)
        else:
            found += _check_loaded(name)
    if not chosen:
        found += [_as_finding(each.error) for each in broken_contracts()]
        for source in load_contracts():
            found += _check_loaded(source)
        for contract in load_book_contracts():
            found += _remarks(contract, None)
    return found


def _check_file(path: Path) -> list[Finding]:
    if path.parent.parent.name == "books" or path.resolve().parent == SOURCES_FOLDER:
        at_fault = [each.error for each in broken_contracts() if each.path.resolve() == path.resolve()]
        if at_fault or path.parent.parent.name == "books":
            return [_as_finding(error) for error in at_fault]
    try:
        contract = read_contract(path)
        try_checks(path, contract.checks, contract.columns)
    except UsageError as error:
        return [_as_finding(error)]
    return list(_remarks(contract, path))


def _check_loaded(name: str) -> list[Finding]:
    contract = load_contracts().get(name)
    if contract is None:
        at_fault = [each.error for each in broken_contracts() if each.source == name]
        if at_fault:
            return [_as_finding(error) for error in at_fault]
        raise UsageError(f"there is no source {name!r}", hint=f"sources are {', '.join(load_contracts())}")
    path = contract_file(name)
    try:
        try_checks(path, contract.checks, contract.columns)
    except UsageError as error:
        return [_as_finding(error)]
    return list(_remarks(contract, path))


def _as_finding(error: UsageError) -> Finding:
    where = re.match(
        r"(?P<file>.*?\.ya?ml): (?:line (?P<line>\d+)(?:, column \d+)?: )?(?P<rest>.*)", error.message
    )
    if where is None:
        return Finding("error", "", None, error.message, error.hint or "")
    line = int(where["line"]) if where["line"] else None
    return Finding("error", where["file"], line, where["rest"], error.hint or "")


def _remarks(contract: Contract, path: Path | None) -> Iterator[Finding]:
    text = path.read_text(encoding="utf-8") if path is not None else ""

    def remark(steps: list[str | int], message: str, remedy: str) -> Finding:
        line = int(line_of(text, steps).split()[1].rstrip(":")) if text else None
        return Finding(
            "warning", str(path or f"books/{contract.book}/{contract.source}.yml"), line, message, remedy
        )

    for number, column in enumerate(contract.columns):
        for message, remedy in _column_remarks(column):
            yield remark(["columns", number], f"columns[{column.name}]: {message}", remedy)
    if not _CHINESE.search(contract.description.zh) or _is_draft(contract.description.en):
        yield remark(
            ["description"], "description: is a draft, or not in both languages", "say what a row means"
        )
    is_own = path is not None and path.parent != SOURCES_FOLDER
    if is_own and contract.freshness_days is None and contract.domain != "reference":
        yield remark([], "no `freshness_days`: a source that stays away is not noticed", "add freshness_days")
    if not contract.effective and not contract.relationships:
        yield remark(
            [], "neither `effective` nor a relationship: nothing says when a row is true", "add `effective`"
        )
    for index, relationship in enumerate(contract.relationships):
        target = load_contracts().get(relationship.to)
        for ours, theirs in zip(relationship.columns, relationship.to_columns, strict=True):
            if target is None or theirs not in {each.name for each in target.columns}:
                yield remark(
                    ["relationships", index],
                    f"relationships: {relationship.to}.{theirs} does not exist",
                    "name a source and columns that do",
                )
            elif target.column(theirs).postgres_type != contract.column(ours).postgres_type:
                yield remark(
                    ["relationships", index],
                    f"relationships: {ours} and {relationship.to}.{theirs} have different types",
                    "give both the same type",
                )
    for pattern in contract.files:
        for other in load_contracts().values():
            taken = f"{other.source}.csv"
            if other.source != contract.source and (
                fnmatchcase(taken, pattern.lower()) or pattern in other.files
            ):
                yield remark(
                    ["files"], f"files: {pattern!r} also takes files of {other.source}", "narrow the pattern"
                )


def _column_remarks(column: Column) -> Iterator[tuple[str, str]]:
    if column.type in ("money", "rate", "int", "bigint") and not column.unit:
        yield "a number without a `unit`", "say what it counts, e.g. unit: currency"
    if _is_draft(column.description.en) or column.description.zh.startswith(DRAFT_ZH):
        yield "the description is still the draft's", "say what the value means, in both languages"
    elif not _CHINESE.search(column.description.zh):
        yield "the Chinese description holds no Chinese", "write it in Chinese"
    for label in column.labels.values():
        if not _CHINESE.search(label.zh):
            yield f"the label {label.zh!r} is not Chinese", "write it in Chinese"
    guess = pii_of_name(column.name) or pii_of_name(column.header or "")
    if guess not in (None, "name") and column.pii == "none" and column.type in ("text", "id"):
        yield f"looks like personal data ({guess})", f"add `pii: {guess}`, or rename the column"


def _is_draft(text: str) -> bool:
    return text.startswith(DRAFT_EN)
