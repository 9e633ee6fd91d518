"""Libraries are used as they are: nothing of them is replaced while the platform runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from creditops.settings import PROJECT_ROOT

OURS = ("creditops", "models_ml", "chain_", "book_turn", "data_docs", "model_approval")


def imported(tree: ast.Module) -> set[str]:
    """Names of a module that come from a library."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(each.asname or each.name).split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith(OURS):
            found |= {each.asname or each.name for each in node.names}
    return found


def replacing(text: str) -> Iterator[str]:
    """Places where an attribute of something imported is set."""
    tree = ast.parse(text)
    theirs = imported(tree)
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            yield f"{node.lineno}: {ast.unparse(node)}"
        for target in targets:
            root = target
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(target, ast.Attribute) and isinstance(root, ast.Name) and root.id in theirs:
                yield f"{node.lineno}: {ast.unparse(target)}"


def test_nothing_of_a_library_is_replaced_at_run_time() -> None:
    paths = [
        path
        for folder in ("creditops", "models_ml", "dags")
        for path in (PROJECT_ROOT / folder).rglob("*.py")
    ]
    assert len(paths) > 100
    found = {
        f"{path.relative_to(PROJECT_ROOT)}:{place}"
        for path in paths
        for place in replacing(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_a_replaced_function_is_found() -> None:
    text = (
        "import dbt.compilation\nfrom dbt import adapters as theirs\nfrom creditops import build\n"
        "dbt.compilation.inject = None\ntheirs.sql.release = None\nbuild.own = 1\n"
        "setattr(theirs, 'release', None)\n"
    )
    assert [place.split(":")[0] for place in replacing(text)] == ["4", "5", "7"]
