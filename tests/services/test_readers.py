"""What a reader may take of the server, and that it cannot hold up the platform."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from creditops.doctor import diagnose
from creditops.schema import initialise
from creditops.warehouse.connection import connect, credentials
from creditops.warehouse.readers import READER, set_password_back


@pytest.mark.parametrize(
    "attack",
    [
        "select pg_advisory_lock(hashtextextended('publish demo', 0))",
        "select pg_try_advisory_lock_shared(1, 2)",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "select pg_logical_emit_message(false, 'a', 'b')",
        "create temporary table mine as select generate_series(1, 1000)",
        "do $$ begin raise log 'mine'; end $$",
        "set log_min_messages = 'debug1'",
        "set temp_file_limit = -1",
        "alter role bi_reader connection limit -1",
        "alter role bi_reader valid until 'infinity'",
    ],
)
def test_a_reader_may_not(module_warehouse: str, attack: str) -> None:
    with connect(READER, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL(attack))  # type: ignore[arg-type]


def test_no_function_that_holds_up_or_fills_the_server_is_open_to_readers(module_warehouse: str) -> None:
    with connect(READER) as connection:
        found = connection.execute(
            "select oid::regprocedure::text from pg_proc where has_function_privilege(oid, 'execute')"
            " and (proname like '%advisory%' or proname like 'lo\\_%' or proname like 'lo%write')"
        ).fetchall()
    assert found == []


def test_a_reader_is_bounded_from_its_first_statement_on(module_warehouse: str) -> None:
    with connect(READER) as connection:
        assert connection.execute(
            "select current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('temp_file_limit'),"
            " current_setting('default_transaction_read_only')"
        ).fetchone() == ("5min", "10s", "1min", "2GB", "on")


def test_readers_leave_connections_to_the_platform(module_warehouse: str) -> None:
    user, password = credentials(READER)
    held: list[psycopg.Connection] = []
    try:
        for _ in range(100):
            held.append(psycopg.connect(module_warehouse, user=user, password=password))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(module_warehouse, user=user, password=password)
        for role in ("loader", "builder", "modeller", "publisher"):
            with connect(role) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
    finally:
        for connection in held:
            connection.close()


def test_the_platforms_roles_alone_have_the_connections_kept_back(module_warehouse: str) -> None:
    with connect("owner") as connection:
        (kept,) = connection.execute("show reserved_connections").fetchone() or (0,)
        members = connection.execute(
            "select rolname from pg_roles where not rolsuper"
            " and pg_has_role(oid, 'pg_use_reserved_connections', 'member') and rolname !~ '^pg_' order by 1"
        ).fetchall()
    assert int(kept) >= 60
    assert {name for (name,) in members} >= {"builder", "loader", "modeller", "publisher"}
    assert (READER,) not in members


def test_what_a_reader_changed_about_itself_is_set_back(module_warehouse: str) -> None:
    user, password = credentials(READER)
    with connect(READER, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute("alter role bi_reader set statement_timeout = 0")
        connection.execute("alter role bi_reader password 'mine now'")
    initialise()
    assert password != "mine now"
    with connect(READER) as connection:
        assert connection.info.user == user
        assert connection.execute("show statement_timeout").fetchone() == ("5min",)


def test_a_changed_password_is_told_by_doctor_and_set_back_by_the_maintenance(module_warehouse: str) -> None:
    def told() -> list[bool]:
        return [each.ok for each in diagnose() if each.check == "password of bi_reader"]

    assert told() == [True]
    assert set_password_back() is False
    with connect(READER, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute("alter role bi_reader password 'mine now'")
    assert told() == [False]
    assert set_password_back() is True
    assert told() == [True]
    with connect("publisher") as connection:
        assert connection.execute(
            "select role, reason from ops.audit where action = 'reader.password'"
        ).fetchall() == [("publisher", "its password was not the platform's: set back")]
        with pytest.raises(psycopg.errors.RaiseException, match="no hash of a password"):
            connection.execute("select ops.set_reader_back('mine now')")


def test_a_reader_that_sits_in_a_transaction_does_not_hold_up_a_start(module_warehouse: str) -> None:
    with connect(READER) as sitting, ThreadPoolExecutor(1) as pool:
        sitting.execute("set idle_in_transaction_session_timeout = 0")
        sitting.execute("select count(*) from publish.customer_scores")
        pool.submit(initialise).result(timeout=120)
        with pytest.raises(psycopg.OperationalError):
            sitting.execute("select 1")
        sitting.close()
