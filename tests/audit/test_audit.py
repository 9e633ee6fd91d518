"""Published views equal an oracle that knows the source files and the definitions alone (docs/domain.md).

The book is full of edges: reversals, named payments, red-letter items, credits, closings with arrears,
write-offs inside a month, facilities that move, limits that change, ties. It has no scorecard, which spares
the training; the long form, ``tests/soak/test_audit.py``, audits scored books of several seeds.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from creditops.simulate import simulate
from tests.audit.audit import CHECKS, Audit, publish
from tests.audit.edges import add_edges
from tests.audit.sources import Sources

BOOK, AS_OF = "audited", date(2026, 6, 30)


@pytest.fixture(scope="module")
def audit(module_warehouse: str, mlflow_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """A small book with edges, published in this process."""
    folder = tmp_path_factory.mktemp("audited")
    simulate(folder / "plain", customers=600, months=24, seed=20261201, as_of=AS_OF)
    add_edges(folder / "plain", folder / "edges", seed=5, as_of=AS_OF, share=0.08)
    published = publish(BOOK, AS_OF, {AS_OF: folder / "edges"})
    return Audit(Sources([folder / "edges"], AS_OF), published, BOOK)


@pytest.mark.parametrize("view", CHECKS)
def test_the_view_equals_the_oracle(audit: Audit, view: str) -> None:
    found = audit.run(view)
    assert not found, f"{len(found)} differences, the first:\n" + "\n".join(map(str, found[:10]))
