"""Housekeeping keeps what is read and lets go what is large and past."""

from __future__ import annotations

from creditops.maintenance import thin_out
from creditops.warehouse.connection import connect

_HISTORY = """
insert into ops.publication_history (
    publication_id, book, as_of_date, known_at, created_at, published_at, status, code_version, models
)
select
    book || n, book, '2026-06-30', now(), now() - make_interval(days => 10 - n), now(), 'candidate', '1', '[]'
from generate_series(1, 6) as n, (values ('demo'), ('other')) as books (book)
"""
_CURRENT = """
insert into ops.publication (
    book, publication_id, as_of_date, known_at, published_at, code_version, models, gates
)
select book, publication_id, as_of_date, known_at, published_at, '1', '[]', '[]'
from ops.publication_history where publication_id = 'demo2'
"""


def test_assessments_stay_for_the_newest_publications_and_the_current_one(module_warehouse: str) -> None:
    with connect("owner") as connection:
        connection.execute(_HISTORY)
        for table in ("credit_assessment", "customer_scores"):
            connection.execute(
                f"insert into published.{table} (publication_id, as_of_date, book, customer_id)"  # type: ignore[arg-type]
                " select publication_id, as_of_date, book, 'C1' from ops.publication_history"
            )
        connection.execute("update ops.publication_history set status = 'published'")
        connection.execute(_CURRENT)  # rolled back to an old one
    assert thin_out() == 2 + 3
    assert thin_out() == 0
    with connect("owner") as connection:
        kept = connection.execute(
            "select publication_id from published.credit_assessment order by 1"
        ).fetchall()
        scores = connection.execute("select count(*) from published.customer_scores").fetchone()
    assert [name for (name,) in kept] == ["demo2", "demo4", "demo5", "demo6", "other4", "other5", "other6"]
    assert scores == (12,)
