"""Source contracts: the form every delivered file is brought to, one YAML file per source.

The language is described by ``schema.json`` beside this module. A contract is the one place
that knows a source's columns: raw tables, typed load, quarantine reasons, expectations, dbt
sources and the data dictionary are all derived from it.

Where contracts come from: this folder (the canonical sources), ``books/<book>/`` (columns that
one book adds to an open source, see :attr:`Contract.extensible`), and the same two places below
``<home>/contracts/`` for a user's own sources, which may add to the canonical ones but not
replace them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from creditops.errors import UsageError
from creditops.settings import get_settings
from creditops.sources.column import POSTGRES_TYPES, Column, ColumnType, PiiClass, Text
from creditops.sources.document import place, read_document
from creditops.sources.row_check import Check, try_checks

__all__ = [
    "POSTGRES_TYPES",
    "Check",
    "Column",
    "ColumnType",
    "Contract",
    "Delivery",
    "Domain",
    "PiiClass",
    "Relationship",
    "Text",
    "load_book_contracts",
    "load_contract",
    "load_contracts",
]

Domain = Literal["repayment", "financial", "bureau", "reference"]

SOURCES_FOLDER = Path(__file__).resolve().parent
SCHEMA = SOURCES_FOLDER / "schema.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Delivery(_Part):
    """How files arrive.

    Attributes
    ----------
    mode: ``incremental`` (new and changed rows), ``snapshot`` (all rows; a missing one is gone)
        or ``changes`` (change events).
    history: in the first delivery of a book rows count as known since the end of their
        ``available`` day, not only since the delivery.
    """

    mode: Literal["incremental", "snapshot", "changes"] = "incremental"
    history: bool = True


class Relationship(_Part):
    """Every non-null combination of ``columns`` should exist as ``to_columns`` of source ``to``."""

    columns: tuple[str, ...]
    to: str
    to_columns: tuple[str, ...]

    @model_validator(mode="after")
    def _same_width(self) -> Relationship:
        if len(self.columns) != len(self.to_columns):
            raise ValueError("`columns` and `to_columns` name different numbers of columns")
        return self


class Contract(_Part):
    """What a source delivers; see ``schema.json`` for each key.

    Attributes
    ----------
    key: business key; with ``book`` it identifies a fact, of which later rows are restatements.
    effective: column with the date on which the fact is true.
    available: columns of which the first non-null one is the day the row could first be known;
        empty if the row itself does not say (it is then known when its parent is).
    extensible: books add columns of their own in ``books/<book>/<source>.yml``.
    book: set on such an extended contract, which has a raw table of its own.
    """

    source: str
    domain: Domain
    version: int
    description: Text
    grain: str
    key: tuple[str, ...]
    effective: str | None = None
    available: tuple[str, ...] = ()
    delivery: Delivery = Delivery()
    freshness_days: int | None = None
    min_rows_per_delivery: int | None = None
    bad_row_limit: float | None = None
    relationships: tuple[Relationship, ...] = ()
    checks: tuple[Check, ...] = ()
    extensible: bool = False
    book: str | None = None
    columns: tuple[Column, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the column {', '.join(twice)} is declared twice")
        raw = [column.raw_name for column in self.columns]
        if len(set(raw)) != len(raw):
            raise ValueError("`birth_year` is declared beside a birth date, which becomes birth_year in raw")
        for use, used in (
            ("key", self.key),
            ("effective", (self.effective,) if self.effective else ()),
            ("available", self.available),
            *(("relationships", relationship.columns) for relationship in self.relationships),
        ):
            for name in used:
                if name not in names:
                    raise ValueError(f"`{use}` names the column {name!r}, which is not declared")
                column = self.column(name)
                if use == "key" and not column.required:
                    raise ValueError(f"the key column {name!r} must be `required: true`")
                if use == "key" and column.pii == "birth_date":
                    raise ValueError(f"the key column {name!r} would lose its value in raw")
                if use in ("effective", "available") and column.type not in ("date", "ts"):
                    raise ValueError(f"`{use}` names {name!r}, which is no date or ts")
        return self

    @property
    def table(self) -> str:
        """Name of the raw table: the source, with the book where the book extends it."""
        return f"{self.source}_{self.book}" if self.book else self.source

    def column(self, name: str) -> Column:
        """The column called ``name``.

        Raises
        ------
        KeyError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def raw_columns(self) -> list[tuple[str, str, bool]]:
        """(name, PostgreSQL type, nullable) of each contract column in raw, in contract order."""
        return [(column.raw_name, column.postgres_type, not column.required) for column in self.columns]

    @staticmethod
    def sources_of(domain: Domain) -> list[str]:
        """Names of the sources of a domain, sorted."""
        return sorted(name for name, contract in load_contracts().items() if contract.domain == domain)


def load_contract(name: str, book: str | None = None) -> Contract:
    """The contract of source ``name``, with the columns that ``book`` adds where it adds any.

    Raises
    ------
    UsageError: no such source, or a contract file is faulty.
    """
    contracts = load_contracts(book)
    if name not in contracts:
        raise UsageError(
            f"there is no source {name!r}",
            hint=f"sources are {', '.join(contracts)}; a new one goes to {_user_folder() / (name + '.yml')}",
        )
    return contracts[name]


def load_contracts(book: str | None = None) -> MappingProxyType[str, Contract]:
    """All contracts by source name, sorted; those that ``book`` extends in their extended form.

    Raises
    ------
    UsageError: a contract file is faulty; names file, place and remedy.
    """
    base, extended = _load_all(_user_folder())
    if book is None:
        return base
    return MappingProxyType({name: extended.get((book, name), contract) for name, contract in base.items()})


def load_book_contracts() -> list[Contract]:
    """Every contract that some book extends, in its extended form, sorted by book and source."""
    return list(_load_all(_user_folder())[1].values())


def _user_folder() -> Path:
    return get_settings().home / "contracts"


@lru_cache
def _load_all(
    user_folder: Path,
) -> tuple[MappingProxyType[str, Contract], MappingProxyType[tuple[str, str], Contract]]:
    base: dict[str, Contract] = {}
    origin: dict[str, Path] = {}
    for path in [*sorted(SOURCES_FOLDER.glob("*.yml")), *sorted(user_folder.glob("*.yml"))]:
        contract = read_contract(path)
        if contract.source in base:
            raise UsageError(
                f"{path}: source: {contract.source!r} is already defined by {origin[contract.source]}",
                hint="choose another name; a canonical source cannot be replaced",
            )
        if path.parent == user_folder:
            try_checks(path, contract.checks, contract.columns)
        base[contract.source], origin[contract.source] = contract, path
    for contract in base.values():
        _check_relationships(contract, base, origin[contract.source])
    extended: dict[tuple[str, str], Contract] = {}
    for folder in (SOURCES_FOLDER / "books", user_folder / "books"):
        for path in sorted(folder.glob("*/*.yml")):
            contract = _read_extension(path, base)
            if (contract.book or "", contract.source) in extended:
                raise UsageError(f"{path}: the book's columns are already defined", hint="remove one file")
            if folder.parent == user_folder:
                try_checks(path, contract.checks, contract.columns)
            extended[contract.book or "", contract.source] = contract
    return MappingProxyType(dict(sorted(base.items()))), MappingProxyType(dict(sorted(extended.items())))


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
        where = place(document, [step for step in first["loc"] if isinstance(step, str | int)])
        problem = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {where}: {problem}", hint="mend the contract at that place") from error


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
