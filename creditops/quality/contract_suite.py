"""The Great Expectations suite that a source contract implies for its raw batches.

The loader has checked every row already; the gate confirms on what lies in raw that nothing was lost
or changed on the way, adds what one row cannot show (relationships, volume), and lists warnings.
All rules of single columns are one query, so that a table is scanned once.
"""

from __future__ import annotations

import re

from creditops.expressions import condition
from creditops.quality.suites import ExpectationSpec, Suite, load_checkpoint, load_suites
from creditops.sources.column import Column
from creditops.sources.contract import Contract, load_contracts
from creditops.sources.model import Relationship

# Regular expressions that mean the same to the loader and to PostgreSQL.
_PORTABLE = re.compile(r"(?:[\w\-\[\]{}(),|.*+?^$/;#@ ]|\\[dws.\-])*")


def contract_suite(contract: Contract) -> Suite:
    """Expectations on one delivered batch of ``raw.<source>``."""
    specs = [
        *_volume(contract),
        _columns(contract),
        *(_relationship(contract, each) for each in contract.relationships),
        *(
            _query(
                each.name.replace("_", " "), "warning", _failing(contract, each.expression), each.message.en
            )
            for each in contract.checks
            if each.severity == "warning" and not _names_hashed(contract, each.expression)
        ),
    ]
    return Suite(table=contract.table, expectations=tuple(specs))


def relationship_name(relationship: Relationship) -> str:
    """Name of a relationship's check, by which a suite of one's own may replace it."""
    return f"{', '.join(relationship.columns)} is a known {relationship.to}"


def _volume(contract: Contract) -> list[ExpectationSpec]:
    """Rows read of the delivered file, whether they were new or not."""
    low, high = contract.min_rows_per_delivery, contract.max_rows_per_delivery
    bounds = [f"rows_read < {low}"] * (low is not None) + [f"rows_read > {high}"] * (high is not None)
    if not bounds:
        return []
    words = " and ".join([f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None))
    statement = (
        "select l.file, l.rows_read from ops.load_ledger as l"
        f" where l.batch_id = {{batch_id}} and ({' or '.join(bounds)})"
        " and left(coalesce(l.message, ''), 9) <> 'replay by'"  # single rows, no delivery
        " and not exists (select 1 from batch where false)"
    )
    return [_query(f"a delivery has {words} rows", "critical", statement, "Volume expected by the contract.")]


def _columns(contract: Contract) -> ExpectationSpec:
    faults = {column.raw_name: _faults(column) for column in contract.columns}
    rules = [(name, rule) for name, found in faults.items() for rule in found]
    rules += [
        (each.name, f"not ({_condition(each.expression)})")
        for each in contract.checks
        if each.severity == "error" and not _names_hashed(contract, each.expression)
    ]
    if not rules:
        rules = [(contract.key[0], f"{_quoted(contract.key[0])} is null")]
    named = ", ".join(f"case when {rule} then '{name}' end" for name, rule in rules)
    statement = (
        f"select {_key(contract)}, concat_ws(', ', {named}) as faults"
        f" from {_by_day(contract)} where {' or '.join(f'({rule})' for _, rule in rules)}"
    )
    return _query(
        "columns keep their contract",
        "critical",
        statement,
        "Nulls, codes, ranges, lengths, patterns and row conditions as the contract states them.",
    )


def _faults(column: Column) -> list[str]:
    name = _quoted(column.raw_name)
    found = [f"{name} is null"] if column.required else []
    if column.is_hashed or column.pii == "birth_date":
        return [*found, f"{name} !~ '^[0-9a-f]{{{{64}}}}$'"] if column.is_hashed else found
    if column.values is not None:
        found.append(f"{name} not in ({', '.join(_text(value) for value in column.values)})")
    low, high = column.min, column.max
    if low is not None:
        found.append(f"{name} < {_bound(column, low)}")
    if high is not None:
        found.append(f"{name} > {_bound(column, high)}")
    if column.max_length is not None:
        found.append(f"length({name}) > {column.max_length}")
    if column.pattern is not None and _PORTABLE.fullmatch(column.pattern) and "(?" not in column.pattern:
        found.append(f"{name} !~ {_text(f'^({column.pattern})$').replace('{', '{{').replace('}', '}}')}")
    return found


def _relationship(contract: Contract, relationship: Relationship) -> ExpectationSpec:
    ours = [_quoted(name) for name in relationship.columns]
    pairs = zip(ours, relationship.to_columns, strict=True)
    same = " and ".join(f"p.{_quoted(theirs)} = b.{name}" for name, theirs in pairs)
    statement = (
        f"select {', '.join(f'b.{name}' for name in ours)} from batch as b"
        f" where {' and '.join(f'b.{name} is not null' for name in ours)}"
        f" and not exists (select 1 from raw.{relationship.to} as p where p.book = b.book and {same})"
    )
    return _query(
        relationship_name(relationship), relationship.severity, statement, "Relationship of the contract."
    )


def _failing(contract: Contract, expression: str) -> str:
    return f"select {_key(contract)} from {_by_day(contract)} where not ({_condition(expression)})"


def _condition(expression: str) -> str:
    """A check as SQL in a statement whose places are still to be filled in."""
    return condition(expression).replace("{", "{{").replace("}", "}}")


def _by_day(contract: Contract) -> str:
    """The batch as the loader's checks see it: a time is a day of the book's calendar."""
    times = {column.name for column in contract.columns if column.type == "ts"}
    if not times:
        return "batch"
    columns = (
        f"cast({_quoted(name)} at time zone '{{time_zone}}' as date) as {_quoted(name)}"
        if name in times
        else _quoted(name)
        for name, _, _ in contract.raw_columns()
    )
    return f"(select {', '.join(columns)} from batch) as by_day"


def _names_hashed(contract: Contract, expression: str) -> bool:
    """Whether a condition is about personal data, which raw does not hold."""
    words = set(re.findall(r"\w+", expression))
    return any(column.pii != "none" and column.name in words for column in contract.columns)


def _query(name: str, severity: str, statement: str, description: str) -> ExpectationSpec:
    """An expectation that ``statement``, over the rows called ``batch``, finds nothing."""
    statement = f"with batch as (select * from {{batch}}) {statement}"
    return ExpectationSpec.model_validate(
        {
            "name": name,
            "type": "unexpected_rows_expectation",
            "severity": severity,
            "description": description,
            "kwargs": {"unexpected_rows_query": statement},
        }
    )


def _key(contract: Contract) -> str:
    return ", ".join(_quoted(contract.column(name).raw_name) for name in contract.key)


def _bound(column: Column, bound: float | str) -> str:
    return f"date {_text(str(bound))}" if column.type in ("date", "ts") else str(bound)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return f'"{name}"'


def raw_suites(book: str) -> dict[str, Suite]:
    """Suites of a book's raw tables: what the contracts imply, and the hand-written ones beside it.

    A hand-written expectation replaces the implied one of the same name.

    Raises
    ------
    UsageError: a contract or a suite file is faulty.
    """
    own = load_suites(load_checkpoint("raw"))
    suites: dict[str, Suite] = {}
    for contract in load_contracts(book).values():
        written = own[contract.source].expectations if contract.source in own else ()
        replaced = {spec.name for spec in written}
        implied = [spec for spec in contract_suite(contract).expectations if spec.name not in replaced]
        suites[contract.table] = Suite(table=contract.table, expectations=(*implied, *written))
    return suites
