"""Same input, same output: wherever one of several rows is taken, the order says which (docs/domain.md).

Reads the SQL of the whole project as text. A window that numbers rows or looks at a neighbour, and a
``distinct on``, is in full order if its columns hold a key, and not all of it stands before the order; an
aggregate that lists values says in which order. What is right for another reason is listed with it.
``tests/soak/test_same_output.py`` proves it on a book: shuffled, in parallel, in another locale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from creditops.build import PROJECT
from creditops.publish.tables import load_tables
from creditops.sources.contract import load_contracts
from tests.dbt.test_figures import sql_files

_SAME = {
    "facility_key": "facility_id",
    "scope_key": "facility_id",
    "month_no": "month_end",
    "month": "month_end",
}
"""Columns that tell the same rows apart under another name."""
_OWN_KEYS = (
    {"customer_id", "scorecard"},  # scoring.customer_scores of a book and day
    {"customer_id", "product_id", "decision_no"},
    {"warning_id", "event_no"},
    {"batch_id"},
    {"loaded_at", "_batch_id"},  # versions of a raw row
    {"alert_id"},
    {"quarantine_id"},
    {"publication_id"},
    {"warning_id"},
    {"stage_no"},  # stages of the funnel within their group
)
_INTERMEDIATE = "dbt_project/models/intermediate"
_WORKLIST = "dbt_project/models/serving/collection/collections_worklist.sql"
_IN_ORDER = {
    "dbt_project/macros/credit_entries.sql: value_date, cash_cents": "what ties is the same in every column",
    "dbt_project/macros/credit_entries.sql: entry_no": "numbered before, by item",
    "dbt_project/macros/materiality.sql: day": "days are distinct within a facility",
    "dbt_project/macros/arrears.sql: day": "days are distinct within a facility",
    "dbt_project/macros/arrears.sql: look_on": "days are distinct within a facility",
    f"{_INTERMEDIATE}/repayment/int_due_item_settlement.sql: look_on": "days are distinct",
    f"{_INTERMEDIATE}/statement/int_statement_ratio.sql: changes_at": "a union, so distinct",
    f"{_INTERMEDIATE}/statement/int_statement_ratio.sql: published_on, companion_key": "a version's number",
    "dbt_project/models/features/application/feat_application.sql: effective_date, version_no": "of one",
    "dbt_project/models/staging/facility/base_quarantined_facility.sql: source, row_key": "a source's key",
    "dbt_project/models/marts/customer/fct_customer_position.sql: due_date": "summed by day before",
    "dbt_project/models/marts/delinquency/fct_default.sql: level": "one of a level from a day on",
    "dbt_project/models/marts/product/fct_product_month.sql: month_end": "summed by product and month before",
    "dbt_project/models/serving/customer/customer_credit_health.sql: place": "a theme has its own",
    "creditops/ingest/write/withdrawal.py: at": "times at which a key changed, distinct",
    f"{_WORKLIST}: from_dpd": "stages of a policy begin at different days",
    f"{_WORKLIST}: collector": "one row a collector",
    "creditops/warehouse/slow_steps.py: at": "one build of a book at a time, each step at its own time",
    "creditops/warnings/history.py: day_no": "one row a rule, customer and day",
}
"""Windows in full order for a reason that the text does not show: file and order columns, and the reason."""
_GIVEN = re.compile(r"\{(key|row|direction)\}|\{\{ (key|order_by)")
"""Orders whose columns are filled in by the caller, from a contract's key."""
_NUMBERING = re.compile(
    r"\b(?:row_number|first_value|last_value|nth_value|ntile|lag|lead)\s*\(", re.IGNORECASE
)
_LISTING = re.compile(r"\b(?:array_agg|string_agg|jsonb_agg|json_agg)\s*\(", re.IGNORECASE)
_WORDS = re.compile(r"\b(?:asc|desc|nulls (?:first|last))\b|collate \"?C\"?", re.IGNORECASE)
_TEXT_ORDER = re.compile(r"\{\{ text_order\('([\w.]+)'\) \}\}")


class Order(NamedTuple):
    """What a window or ``distinct on`` sorts by, within what."""

    path: str
    within: frozenset[str]
    by: tuple[str, ...]


def inside(text: str, opening: int) -> str:
    """The text between the bracket at ``opening`` and the one that closes it."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return text[opening + 1 : place]
    return text[opening + 1 :]


def until_closed(text: str) -> str:
    """The text before the bracket that closes what it stands in, or before the end of the query."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0 or text[place:].startswith((" limit ", "\n  union", '",\n', '"\n    )')):
            return text[:place]
    return text


def columns(listed: str) -> tuple[str, ...]:
    """Bare names of the columns in a list; of an expression nothing but what it ends with."""
    parts, depth = [""], 0
    for letter in _TEXT_ORDER.sub(r"\1", listed):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    bare = (_WORDS.sub("", part).strip().split(".")[-1] for part in parts)
    return tuple(_SAME.get(name, name) for name in bare if name)


def windows(path: str, text: str) -> Iterator[Order]:
    """Orders of the windows that number rows; frames of macros order by month alone, one row each."""
    for found in _NUMBERING.finditer(text):
        arguments = inside(text, found.end() - 1)
        rest = text[found.end() + len(arguments) + 1 :]
        over = re.match(r"\s*over\s+(\w+|\()", rest)
        if over is None:
            continue
        spec = inside(rest, over.end() - 1) if over[1] == "(" else ""
        if not spec:
            named = re.search(rf"\b{over[1]} as \(", text)
            assert named is not None, (path, over[1])
            spec = inside(text, named.end() - 1)
        spec = re.sub(r"\s+", " ", spec)
        within = re.search(r"partition by (.*?)(?= order by|$)", spec)
        by = re.search(r"order by (.*?)(?= rows | range |$)", spec)
        yield Order(path, frozenset(columns(within[1]) if within else ()), columns(by[1]) if by else ())


def distincts(path: str, text: str) -> Iterator[Order]:
    for found in re.finditer(r"distinct on \(", text, re.IGNORECASE):
        on = inside(text, found.end() - 1)
        by = re.search(r"order by\s+(.*)", until_closed(text[found.end() + len(on) + 1 :]), re.DOTALL)
        within = frozenset(columns(on))
        order = columns(re.sub(r"[\s\"]+", " ", by[1])) if by else ()
        yield Order(path, within, tuple(name for name in order if name not in within))


@pytest.fixture(scope="module")
def keys() -> set[frozenset[str]]:
    """Columns that tell the rows of some relation apart within a book."""
    declared = [set(contract.key) for contract in load_contracts().values()]
    declared += [set(table.key) for table in load_tables().values()]
    for path in PROJECT.glob("models/*/*/*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            tests = [each for each in model.get("data_tests", []) if isinstance(each, dict)]
            declared += [set(each["grain"]["arguments"]["columns"]) for each in tests if "grain" in each]
    declared += _OWN_KEYS
    return {frozenset(_SAME.get(name, name) for name in key - {"book"}) for key in declared}


def is_full(order: Order, keys: set[frozenset[str]]) -> bool:
    reached = order.within | set(order.by)
    return any(key <= reached and not key <= order.within for key in keys)


@pytest.mark.parametrize("orders", [windows, distincts])
def test_whichever_row_is_taken_its_order_holds_a_key(orders, keys: set[frozenset[str]]) -> None:
    ties = {
        f"{order.path}: {', '.join(order.by)}"
        for path, text in sql_files()
        for order in orders(path, text)
        if not is_full(order, keys)
    }

    unexplained = {each for each in ties - set(_IN_ORDER) if not _GIVEN.search(each)}
    assert unexplained == set()


def test_lists_of_values_say_their_order() -> None:
    unordered = {
        f"{path}: {found[0]}{inside(text, found.end() - 1)[:60]}"
        for path, text in sql_files()
        for found in _LISTING.finditer(text)
        if "order by" not in inside(text, found.end() - 1)
    }

    assert unordered == set()


def test_a_limit_follows_an_order() -> None:
    """``limit`` without an order takes any row; where only its existence is asked it is ``select 1``."""
    loose = set()
    for path, text in sql_files():
        for found in re.finditer(r"\blimit (?:[1-9]\d*|%\(\w+\)s|%s)", text, re.IGNORECASE):
            query = text[: found.start()]
            query = query[query.lower().rfind("select") :]
            if not re.search(r"order by", query, re.IGNORECASE) and not re.match(r"select 1\b", query):
                loose.add(f"{path}: {' '.join(query.split())[:80]}")

    assert loose == set()


def test_a_tie_is_found() -> None:
    tie = "select distinct on (customer_id) * from t order by customer_id, pd desc\n)"
    full = "row_number() over (partition by customer_id order by pd desc, scorecard)"
    (one,), (other,) = distincts("x", tie), windows("x", full)
    known = {frozenset({"customer_id", "scorecard"}), frozenset({"customer_id"})}

    assert (is_full(one, known), is_full(other, known)) == (False, True)
