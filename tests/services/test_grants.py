"""Each role has the rights that are declared, and none beyond; what was gated does not change."""

from __future__ import annotations

import psycopg
import pytest

from creditops.publish import publisher
from creditops.schema import initialise
from creditops.settings import PROJECT_ROOT
from creditops.warehouse import grants
from creditops.warehouse.connection import connect

ID = "demo-2026-06-30-0123456789ab"


@pytest.fixture(autouse=True)
def _warehouse(module_warehouse: str) -> None:
    """A warehouse without data."""


def test_the_catalogue_grants_what_is_declared() -> None:
    with connect("owner") as connection:
        granted, expected = grants.granted(connection), grants.expected(connection)
    assert granted == expected
    assert len(granted) > 200


def test_what_is_granted_beyond_is_taken_away_at_the_next_start() -> None:
    with connect("owner") as connection:
        before = grants.granted(connection)
        connection.execute("grant all on all tables in schema ops, published to publisher, bi_reader")
        connection.execute("grant delete on ops.audit to loader")
    initialise()
    with connect("owner") as connection:
        assert grants.granted(connection) == before


def test_the_documented_matrix_is_the_declared_one() -> None:
    assert grants.page() in (PROJECT_ROOT / "docs" / "grants.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def candidate(module_warehouse: str) -> str:
    """A candidate with one row, gated and shown."""
    with connect("publisher") as connection:
        connection.execute(
            "insert into ops.publication_history (publication_id, book, as_of_date, known_at, code_version,"
            " models) values (%s, 'demo', '2026-06-30', now(), '0', '[]')", (ID,),
        )  # fmt: skip
        connection.execute(_A_SCORE, (ID,))
    publisher.record_gate(ID, [], passed=True)
    assert publisher.flip(ID, actor="tester", reason="for the test")
    return ID


_A_SCORE = (
    "insert into published.customer_scores (publication_id, as_of_date, book, customer_id, scorecard,"
    " model_version, score, pd, grade, points_total, observed_on)"
    " values (%s, '2026-06-30', 'demo', 'C1', 'card', '1', 600, 0.02, '5', 600, '2026-06-30')"
)


def test_no_expression_of_a_reader_sees_rows_that_no_publication_shows(candidate: str) -> None:
    hidden = "f" * len(ID)
    with connect("publisher") as connection:
        connection.execute(
            "insert into ops.publication_history (publication_id, book, as_of_date, known_at, code_version,"
            " models) values (%s, 'demo', '2026-06-30', now(), '0', '[]')", (hidden,),
        )  # fmt: skip
        connection.execute(_A_SCORE.replace("'C1'", "'hidden'"), (hidden,))
    with connect("bi_reader") as connection:
        shown = connection.execute(
            "select count(*) from publish.customer_scores where"
            f" (case when publication_id <> '{ID}' then customer_id else '1' end)::int > 0"
        ).fetchone()
        assert shown == (1,)
        barred = connection.execute(
            "select count(*) from pg_class where relnamespace = 'publish'::regnamespace and relkind = 'v'"
            " and relname <> 'publication' and not 'security_barrier=true' = any(coalesce(reloptions, '{}'))"
        ).fetchone()
    assert barred == (0,)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("publisher", f"update published.customer_scores set score = 999 where publication_id = '{ID}'"),
        ("publisher", f"delete from published.customer_scores where publication_id = '{ID}'"),
        ("publisher", "truncate published.customer_scores"),
        ("publisher", "update ops.publication set models = '[]'"),
        ("publisher", "update ops.publication_history set status = 'ready'"),
        ("publisher", "insert into ops.publication_history (publication_id, book, as_of_date, known_at,"
         " code_version, models, status) values ('x', 'demo', '2026-06-30', now(), '0', '[]', 'ready')"),
        ("publisher", "delete from ops.audit"),
        ("publisher", "insert into ops.audit (at, actor, action, object) values (now(), 'a', 'b', 'c')"),
        ("publisher", "insert into ops.audit (role, actor, action, object) values ('owner', 'a', 'b', 'c')"),
        ("publisher", "insert into ops.model_decision default values"),
        ("loader", "update ops.publication set publication_id = ''"),
        ("loader", "delete from ops.load_ledger"),
        ("loader", "update ops.audit set actor = 'nobody'"),
        ("loader", "update raw.payments set amount = 0"),
        ("loader", f"select ops.flip('{ID}', true, 'loader', 'mine')"),
        ("modeller", "update ops.model_version set gates = '[]'"),
        ("modeller", "delete from ops.model_decision"),
        ("modeller", "insert into published.customer_scores (publication_id) values ('x')"),
        ("modeller", "update scoring.grade_override set grade_to = '1'"),
        ("builder", "create schema mine"),
        ("builder", "select ops.make_build_schema('raw')"),
        ("builder", "insert into raw.payments default values"),
        ("bi_reader", "select * from ops.audit"),
        ("bi_reader", f"select ops.flip('{ID}', true, 'reader', 'mine')"),
        ("bi_reader", "select ops.make_build_schema('past_marts')"),
    ],
)  # fmt: skip
def test_no_role_goes_beyond_its_work(candidate: str, role: str, statement: str) -> None:
    with (
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException)),
        connect(role) as connection,
    ):
        connection.execute(statement)  # type: ignore[arg-type]


def test_rows_are_added_to_candidates_alone(candidate: str) -> None:
    for publication in (candidate, "of nobody"):
        with (
            pytest.raises(psycopg.errors.RaiseException, match="no candidate any more"),
            connect("publisher") as connection,
        ):
            connection.execute(
                _A_SCORE.replace("'C1'", "'C2'"),
                (publication,),  # type: ignore[arg-type]
            )


def test_what_a_book_shows_is_neither_purged_nor_thinned_out(candidate: str) -> None:
    with connect("publisher") as connection:
        purge = "select ops.purge_publications(%s, 'tester', 'old')"
        purged = connection.execute(purge, ([candidate],)).fetchone()
        thinned = connection.execute("select ops.thin_out('customer_scores', 0, 'tester')").fetchone()
        left = connection.execute("select count(*) from publish.customer_scores").fetchone()
    assert (purged, thinned, left) == ((0,), (0,), (1,))


def test_the_database_says_when_and_as_which_role_an_act_was_noted(candidate: str) -> None:
    with connect("publisher") as connection:
        row = connection.execute(
            "select actor, role, reason from ops.audit where action = 'publish.flip'"
            " and after = to_jsonb(%s::text)",
            (candidate,),
        ).fetchone()
    assert row == ("tester", "publisher", "for the test")


def test_nobody_but_the_owner_connects_to_the_servers_own_database(candidate: str) -> None:
    from creditops.warehouse.connection import address, credentials

    user, password = credentials("bi_reader")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(
            host=address().host, port=address().port, dbname="postgres", user=user, password=password
        )
