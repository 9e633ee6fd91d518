"""The clock is read in one place; what a run works on reaches SQL from its partition alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache

from creditops import books, clock
from creditops.settings import PROJECT_ROOT

HOME = "creditops/clock.py"
_READS = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
}
_OTHER_NAMES = re.compile(
    r"\bnow\s*\(\s*\)|\b(current_(date|time|timestamp)|local(time|timestamp)"
    r"|(transaction|statement)_timestamp)\b",
    re.IGNORECASE,
)
#: Where the clock of the database stamps rows of ``ops``, or tells how old such a stamp or a session is.
STAMPS = {
    "creditops/alerts.py",
    "creditops/cli/services.py",
    "creditops/ingest/check/freshness.py",
    "creditops/ingest/quarantine.py",
    "creditops/ingest/write/withdrawal.py",
    "creditops/maintenance.py",
    "creditops/turns.py",
    "creditops/warehouse/audit.py",
    "creditops/warehouse/build_scope.py",
    "creditops/warehouse/migrations/versions/0001_baseline.sql",
    "creditops/warehouse/ops.sql",
    "creditops/warehouse/readers.py",
}


@cache
def python_files() -> list[tuple[str, ast.Module]]:
    return [
        (str(path.relative_to(PROJECT_ROOT)), ast.parse(path.read_text(encoding="utf-8")))
        for folder in ("creditops", "models_ml", "dags")
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py"))
    ]


def queries() -> Iterator[tuple[str, str]]:
    """Every text that may be SQL, with its file: files of SQL and YAML, and strings of Python that are no
    docstrings.
    """
    for folder in ("creditops", "models_ml", "dbt_project", "expectations"):
        for path in sorted((PROJECT_ROOT / folder).rglob("*")):
            if path.suffix in {".sql", ".yml"} and "target" not in path.parts:
                yield str(path.relative_to(PROJECT_ROOT)), path.read_text(encoding="utf-8")
    for name, tree in python_files():
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield name, node.value


def without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*|#[^\n]*", "", text)


def test_python_reads_the_clock_in_one_place() -> None:
    reads = {
        f"{name}:{node.lineno}"
        for name, tree in python_files()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in _READS
    }
    assert {each.split(":")[0] for each in reads} == {HOME}, reads
    assert len(reads) == 1


def test_sql_knows_one_clock_and_stamps_rows_with_it_alone() -> None:
    maybe = [
        (name, text) for name, text in queries() if _OTHER_NAMES.search(text) or "clock_timestamp" in text
    ]
    read = [(name, without_comments(text)) for name, text in maybe]
    assert {name for name, text in read if _OTHER_NAMES.search(text)} == set()
    assert {name for name, text in read if "clock_timestamp()" in text} == STAMPS


def test_models_take_day_and_knowledge_from_their_macros() -> None:
    asked = re.compile(r"""\bvar\(\s*['"](as_of|known_at|labels_known_at)['"]""")
    places = {
        str(path.relative_to(PROJECT_ROOT))
        for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql")
        if asked.search(path.read_text(encoding="utf-8"))
    }
    assert places == {"dbt_project/macros/run_scope.sql"}


def test_a_day_begins_where_the_book_is() -> None:
    assert clock.now().tzinfo is UTC
    assert books.today("demo") in {clock.today("Asia/Shanghai"), datetime.now(books.zone("demo")).date()}
    assert clock.today("Pacific/Kiritimati") >= clock.today("Pacific/Pago_Pago")
