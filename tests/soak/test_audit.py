"""Every published view of larger books of several seeds equals the oracle; short form: ``tests/audit``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from creditops.simulate import simulate
from tests.audit.audit import CHECKS, Audit, publish
from tests.audit.edges import add_edges
from tests.audit.sources import Sources
from tests.soak.conftest import Shown

AS_OF = date(2026, 6, 30)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [4711, 815, 20262])
def test_published_views_equal_the_oracle(
    warehouse: str, mlflow_store: Path, tmp_path: Path, seed: int, shown: Shown
) -> None:
    simulate(tmp_path / "plain", customers=1200, months=36, seed=seed, as_of=AS_OF)
    add_edges(tmp_path / "plain", tmp_path / "edges", seed=seed, as_of=AS_OF)
    published = publish("demo", AS_OF, {AS_OF: tmp_path / "edges"})
    audit = Audit(Sources([tmp_path / "edges"], AS_OF), published)

    found = {view: audit.run(view) for view in CHECKS}

    assert not any(found.values()), "\n".join(
        f"{view}: {len(rows)} differences, first {rows[0]}" for view, rows in found.items() if rows
    )
    rows = sum(len(published.views[view]) for view in found if view in published.views)
    shown(
        f"Views of a book full of edges equal an oracle that reads its files alone (seed {seed})",
        rows,
    )
