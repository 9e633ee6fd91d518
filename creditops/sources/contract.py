"""Source contracts: the form every delivered file is brought to, one YAML file per source.

The language is described by ``schema.json`` beside this module. A contract is the one place
that knows a source's columns: raw tables, typed load, quarantine reasons, expectations, dbt
sources and the data dictionary are all derived from it.

Where contracts come from: this folder (the canonical sources), ``books/<book>/`` (columns that
one book adds to an open source, see :attr:`Contract.extensible`), and the same two places below
``<home>/contracts/`` and every folder of ``CREDITOPS_SOURCES_PATH`` for a user's own sources,
which may add to the canonical ones but not replace them. A user's file that is at fault is left out and
stops nothing but its own source, or its own book (:func:`broken_contracts`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from creditops.errors import UsageError
from creditops.settings import get_settings
from creditops.sources.column import POSTGRES_TYPES, Column, ColumnType, PiiClass
from creditops.sources.document import line_of, place, read_document
from creditops.sources.model import Contract, Delivery, Domain, FileFormat, Relationship
from creditops.sources.row_check import Check, try_checks
from creditops.texts import Text

__all__ = [
    "POSTGRES_TYPES",
    "BrokenContract",
    "Check",
    "Column",
    "ColumnType",
    "Contract",
    "Delivery",
    "Domain",
    "FileFormat",
    "PiiClass",
    "Relationship",
    "Text",
    "broken_contracts",
    "contract_file",
    "load_book_contracts",
    "load_contract",
    "load_contracts",
    "read_contract",
    "sources_of",
    "user_folders",
]

SOURCES_FOLDER = Path(__file__).resolve().parent
SCHEMA = SOURCES_FOLDER / "schema.json"
_CONTRACT_FILES = ("*.yml", "books/*/*.yml")


@dataclass(frozen=True)
class BrokenContract:
    """A user's contract that is left out because of a fault.

    Attributes
    ----------
    source: the source it would define or extend, by the name of its file.
    book: the book whose columns it would add; ``None`` where it defines a source.
    error: what is wrong with it, and where.
    """

    path: Path
    source: str
    book: str | None
    error: UsageError


def load_contract(name: str, book: str | None = None) -> Contract:
    """The contract of source ``name``, with the columns that ``book`` adds where it adds any.

    Raises
    ------
    UsageError: no such source, or its contract file is faulty.
    """
    contracts = load_contracts(book)
    if name not in contracts:
        for broken in broken_contracts():
            if broken.source == name and broken.book is None:
                raise broken.error
        new = user_folders()[0] / f"{name}.yml"
        raise UsageError(
            f"there is no source {name!r}",
            hint=f"sources are {', '.join(contracts)}; a new one goes to {new}",
        )
    return contracts[name]


def load_contracts(book: str | None = None) -> MappingProxyType[str, Contract]:
    """All contracts by source name, sorted; those that ``book`` extends in their extended form.

    Raises
    ------
    UsageError: a file with columns of this book is faulty; names file, place and remedy.
    """
    base, extended, _, faulty = _load()
    if book is None:
        return base
    for broken in faulty:
        if broken.book == book:
            raise broken.error
    return MappingProxyType({name: extended.get((book, name), contract) for name, contract in base.items()})


def sources_of(domain: Domain) -> list[str]:
    """Names of the sources of a domain, sorted."""
    return sorted(name for name, contract in load_contracts().items() if contract.domain == domain)


def load_book_contracts() -> list[Contract]:
    """Every contract that some book extends, in its extended form, sorted by book and source."""
    return list(_load()[1].values())


def broken_contracts() -> tuple[BrokenContract, ...]:
    """Users' contracts that are left out because of a fault, by path."""
    return _load()[3]


def user_folders() -> list[Path]:
    """Folders with a user's own contracts; the first is where new ones are written."""
    settings = get_settings()
    named = [Path(each).expanduser() for each in settings.sources_path.split(os.pathsep) if each]
    return [*named, settings.home / "contracts"]


def contract_file(name: str) -> Path:
    """The file in which the source ``name`` is defined.

    Raises
    ------
    UsageError: no such source, or a contract file is faulty.
    """
    load_contract(name)
    return _load()[2][name]


_Loaded = tuple[
    MappingProxyType[str, Contract],
    MappingProxyType[tuple[str, str], Contract],
    MappingProxyType[str, Path],
    tuple[BrokenContract, ...],
]


def _load() -> _Loaded:
    """All contracts; read again when a user's file has changed."""
    folders = tuple(user_folders())
    stamps = []
    for folder in folders:
        for pattern in _CONTRACT_FILES:
            for path in folder.glob(pattern):
                stat = path.stat()
                stamps.append((str(path), stat.st_mtime_ns, stat.st_size))
    return _load_all(folders, tuple(sorted(stamps)))


@lru_cache
def _load_all(folders: tuple[Path, ...], stamps: tuple[tuple[str, int, int], ...]) -> _Loaded:
    base: dict[str, Contract] = {}
    origin: dict[str, Path] = {}
    broken: list[BrokenContract] = []
    for path in sorted(SOURCES_FOLDER.glob("*.yml")):
        contract = read_contract(path)
        base[contract.source], origin[contract.source] = contract, path
    for path in (path for folder in folders for path in sorted(folder.glob("*.yml"))):
        try:
            contract = _read_own(path, origin)
        except UsageError as error:
            broken.append(BrokenContract(path, path.stem, None, error))
        else:
            base[contract.source], origin[contract.source] = contract, path
    broken += _without_partner(base, origin)
    extended: dict[tuple[str, str], Contract] = {}
    for folder in (SOURCES_FOLDER, *folders):
        for path in sorted(folder.glob("books/*/*.yml")):
            try:
                contract = _read_extension(path, base)
                if (contract.book or "", contract.source) in extended:
                    raise UsageError(
                        f"{path}: the book's columns are already defined", hint="remove one file"
                    )
                if folder != SOURCES_FOLDER:
                    try_checks(path, contract.checks, contract.columns)
            except UsageError as error:
                if folder == SOURCES_FOLDER:
                    raise
                broken.append(BrokenContract(path, path.stem, path.parent.name, error))
            else:
                extended[contract.book or "", contract.source] = contract
    return (
        MappingProxyType(dict(sorted(base.items()))),
        MappingProxyType(dict(sorted(extended.items()))),
        MappingProxyType(origin),
        tuple(sorted(broken, key=lambda each: str(each.path))),
    )


def _read_own(path: Path, origin: dict[str, Path]) -> Contract:
    contract = read_contract(path)
    if contract.source in origin:
        raise UsageError(
            f"{path}: source: {contract.source!r} is already defined by {origin[contract.source]}",
            hint="choose another name; a canonical source cannot be replaced",
        )
    try_checks(path, contract.checks, contract.columns)
    return contract


def _without_partner(base: dict[str, Contract], origin: dict[str, Path]) -> list[BrokenContract]:
    """Take out users' contracts that refer to a source that is not there, or is taken out itself."""
    broken: list[BrokenContract] = []
    while True:
        found = []
        for name, contract in base.items():
            try:
                _check_relationships(contract, base, origin[name])
            except UsageError as error:
                if origin[name].parent == SOURCES_FOLDER:
                    raise
                found.append(BrokenContract(origin[name], name, None, error))
        if not found:
            return broken
        broken += found
        for each in found:
            del base[each.source], origin[each.source]


def read_contract(path: Path) -> Contract:
    """The contract in one YAML file, checked by itself.

    Raises
    ------
    UsageError: names file, place and remedy.
    """
    document = read_document(path, SCHEMA)
    if "extends" in document:
        raise UsageError(
            f"{path}: extends: only a book's file extends a source", hint="move it to books/<book>/"
        )
    if document["source"] != path.stem:
        raise UsageError(
            f"{path}: source: {document['source']!r} is not the name of the file",
            hint=f"write `source: {path.stem}` or rename the file",
        )
    return _build(path, document)


def _read_extension(path: Path, base: dict[str, Contract]) -> Contract:
    document = read_document(path, SCHEMA)
    parent = base.get(document.get("extends", ""))
    if parent is None or not parent.extensible:
        raise UsageError(
            f"{path}: extends: names no source that books may extend",
            hint="use one of " + ", ".join(sorted(n for n, c in base.items() if c.extensible)),
        )
    own = {key: value for key, value in document.items() if key != "extends"}
    inherited = parent.model_dump(exclude_unset=True)
    inherited["columns"] = [column.model_dump(exclude_defaults=True) for column in parent.columns]
    merged = {
        **inherited,
        **own,
        "version": parent.version + own["version"] - 1,  # raised when either is
        "book": path.parent.name,
        "columns": [*inherited["columns"], *own["columns"]],
        "checks": [*inherited.get("checks", ()), *own.get("checks", ())],
    }
    return _build(path, merged)


def _build(path: Path, document: dict) -> Contract:  # type: ignore[type-arg]
    try:
        return Contract.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = [step for step in first["loc"] if isinstance(step, str | int)]
        line = "" if "book" in document else line_of(path.read_text(encoding="utf-8"), steps)
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{path}: {line}{place(document, steps)}: {problem}", hint="mend the contract at that place"
        ) from error


def _check_relationships(contract: Contract, known: dict[str, Contract], path: Path) -> None:
    for relationship in contract.relationships:
        target = known.get(relationship.to)
        names = {column.name for column in target.columns} if target else set()
        missing = [name for name in relationship.to_columns if name not in names]
        if target is None or missing:
            what = f"the source {relationship.to!r}" if target is None else f"{relationship.to}.{missing[0]}"
            raise UsageError(
                f"{path}: relationships: {what} does not exist", hint="name a source and columns that do"
            )
