"""Published tables and views that are not what they should be: mended without loss, or said and refused."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from psycopg import sql

from creditops.doctor import diagnose
from creditops.errors import DataRefusedError
from creditops.publish.published_tables import differences
from creditops.publish.publisher import assemble
from creditops.publish.tables import load_tables
from creditops.schema import initialise
from creditops.warehouse import grants
from creditops.warehouse.connection import connect

DAY = date(2026, 6, 30)
TABLE = load_tables()["roll_rates"]
COLUMNS = ["publication_id", "as_of_date", "book", *(column.name for column in TABLE.columns)]
MIDDLE = TABLE.columns[len(TABLE.columns) // 2].name


def run(*statements: str) -> None:
    with connect("owner") as connection:
        for statement in statements:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


def put_rows(publication: str = "demo-1") -> None:
    """One published row of the table, of a book's publication, which becomes the current one."""
    values = {"text": "'x'", "date": "'2026-06-30'", "integer": "1", "int": "1", "bigint": "1"}
    types = {column.name: column.type for column in TABLE.columns}
    with connect("owner") as connection:
        connection.execute(
            "insert into ops.publication_history (publication_id, book, as_of_date, known_at, code_version,"
            " models) values (%s, 'demo', %s, now(), '1', '[]')",
            (publication, DAY),
        )
        connection.execute(
            sql.SQL("insert into published.roll_rates ({}) select {}, '2026-06-30', 'demo', {}").format(
                sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
                sql.Literal(publication),
                sql.SQL(", ").join(sql.SQL(values.get(types[name], "0.5")) for name in COLUMNS[3:]),  # type: ignore[arg-type]
            )
        )
        connection.execute("select ops.record_gate(%s, '[]', true)", (publication,))
        connection.execute("select ops.flip(%s, false, 'test', null)", (publication,))


def made_as(columns: list[str], name: str = "roll_rates") -> str:
    """The statement that makes the view with these columns."""
    return (
        f"create view publish.{name} as select {', '.join(f'rows.{each}' for each in columns)}"
        f" from published.{name} as rows join ops.publication as current using (publication_id);"
        f" grant select on publish.{name} to bi_reader, publisher"
    )


def shown(name: str = "roll_rates") -> list[str]:
    with connect("bi_reader") as connection:
        cursor = connection.execute(sql.SQL("select * from publish.{}").format(sql.Identifier(name)))
        return [column.name for column in cursor.description or ()]


def rows() -> list[tuple[object, ...]]:
    with connect("bi_reader") as connection:
        return connection.execute("select * from publish.roll_rates").fetchall()


def said() -> list[str]:
    with connect("publisher") as connection:
        return [each.sentence() for each in differences(connection)]


def assert_as_it_should_be() -> None:
    assert shown() == COLUMNS
    assert said() == []
    with connect("owner") as connection:
        assert grants.granted(connection) == grants.expected(connection)
    assert [each for each in diagnose() if each.check == "published tables"] == []


def assert_refused(*words: str) -> str:
    """`up`, `doctor` and the publisher say the same, and the rows and the view are as before."""
    before = rows()
    (problem,) = initialise()
    assert all(word in problem for word in words), problem
    (finding,) = [each for each in diagnose() if each.check == "published tables"]
    assert not finding.ok
    assert all(word in finding.detail + finding.remedy for word in words), finding
    with pytest.raises(DataRefusedError, match="nothing is published") as refused:
        assemble("demo", DAY, models=[])
    assert all(word in refused.value.message for word in words)
    assert rows() == before
    return problem


def test_a_warehouse_that_was_just_made_has_nothing_to_say(warehouse: str) -> None:
    assert_as_it_should_be()
    assert initialise() == []


def test_a_new_column_in_the_middle_is_published_and_rights_of_others_stay(warehouse: str) -> None:
    put_rows()
    without = [name for name in COLUMNS if name != MIDDLE]
    run(
        "drop view publish.roll_rates",
        f"alter table published.roll_rates drop column {MIDDLE}",
        made_as(without),
        "grant select on publish.roll_rates to public",
        "grant update (book) on publish.roll_rates to modeller",
        "comment on view publish.roll_rates is 'theirs'",
        f"comment on column publish.roll_rates.{without[-1]} is 'its column'",
        "create schema bi",
        f"create view bi.worst with (security_barrier) as select book, {without[-1]} from publish.roll_rates",
        "create view bi.worst_of_all as select count(*) as n from bi.worst",
        "grant select on bi.worst to bi_reader with grant option",
        "alter view bi.worst owner to publisher",
        "grant usage on schema bi to bi_reader",
    )
    assert any(f"publish.roll_rates.{MIDDLE} is missing" in each for each in said())
    assert initialise() == []
    run("revoke all on publish.roll_rates from modeller", "revoke all on publish.roll_rates from public")
    assert_as_it_should_be()
    with connect("owner") as connection:
        assert connection.execute("select n from bi.worst_of_all").fetchone() == (1,)
        assert connection.execute(
            "select relowner::regrole::text, reloptions, obj_description('publish.roll_rates'::regclass),"
            " col_description('publish.roll_rates'::regclass, %s)"
            " from pg_class where oid = 'bi.worst'::regclass",
            (len(COLUMNS),),
        ).fetchone() == ("publisher", ["security_barrier=true"], "theirs", "its column")
    with connect("bi_reader") as connection:
        assert len(connection.execute("select * from bi.worst").fetchall()) == 1


def test_rights_that_others_gave_on_a_view_outlive_it(warehouse: str) -> None:
    run(
        "drop view publish.roll_rates",
        made_as([*COLUMNS[1:], COLUMNS[0]]),
        "grant select on publish.roll_rates to public",
        "grant update (book) on publish.roll_rates to public",
    )
    assert any("is in the order as_of_date, book" in each for each in said())
    assert initialise() == []
    assert shown() == COLUMNS
    with connect("owner") as connection:
        assert connection.execute(
            "select has_table_privilege('public', 'publish.roll_rates', 'select'),"
            " has_column_privilege('public', 'publish.roll_rates', 'book', 'update')"
        ).fetchone() == (True, True)


def test_a_removed_column_is_published_no_longer_and_its_values_stay(warehouse: str) -> None:
    put_rows()
    run(
        "alter table published.roll_rates add column dropped_since integer not null default 7",
        "drop view publish.roll_rates",
        made_as([*COLUMNS[:4], "dropped_since", *COLUMNS[4:]]),
    )
    (sentence,) = said()
    assert "publish.roll_rates.dropped_since is integer but should be not there" in sentence
    assert initialise() == []
    assert_as_it_should_be()
    with connect("publisher") as connection:
        assert connection.execute("select dropped_since from published.roll_rates").fetchone() == (7,)
    put_rows("demo-2")  # which knows nothing of it
    assert [row[0] for row in rows()] == ["demo-2"]


def test_a_view_of_others_on_a_removed_column_stops_publishing_and_is_left(warehouse: str) -> None:
    put_rows()
    run(
        "alter table published.roll_rates add column dropped_since integer",
        "drop view publish.roll_rates",
        made_as([*COLUMNS[:4], "dropped_since", *COLUMNS[4:]]),
        "create view public.theirs as select dropped_since from publish.roll_rates",
    )
    problem = assert_refused("publish.roll_rates", "creditops up")
    assert 'public.theirs stands on it: column "dropped_since" does not exist' in problem
    run("drop view public.theirs")
    assert initialise() == []
    assert_as_it_should_be()


@pytest.mark.parametrize("with_rows", [True, False])
def test_a_retyped_column_is_refused_with_rows_and_mended_without(warehouse: str, with_rows: bool) -> None:
    if with_rows:
        put_rows()
    run(
        "drop view publish.roll_rates",
        f"alter table published.roll_rates alter column {MIDDLE} type varchar(20)",
        made_as(COLUMNS),
    )
    if with_rows:
        assert_refused(
            f"published.roll_rates.{MIDDLE} is character varying(20) but should be",
            "truncate published.roll_rates",
        )
        run("truncate published.roll_rates")
    assert initialise() == []
    assert_as_it_should_be()


def test_whole_numbers_become_wider_with_their_rows(warehouse: str) -> None:
    put_rows()
    column = next(each for each in TABLE.columns if each.type in ("bigint", "double precision"))
    run(
        "drop view publish.roll_rates",
        f"alter table published.roll_rates alter column {column.name} type integer",
        made_as(COLUMNS),
    )
    assert initialise() == []
    assert_as_it_should_be()
    assert len(rows()) == 1


@pytest.mark.parametrize("with_rows", [True, False])
def test_another_key_is_refused_with_rows_and_mended_without(warehouse: str, with_rows: bool) -> None:
    if with_rows:
        put_rows()
    run(
        "drop index published.roll_rates_key",
        f"create unique index roll_rates_key on published.roll_rates (publication_id, {TABLE.key[0]})",
    )
    if with_rows:
        assert_refused(
            f"the key of published.roll_rates is (publication_id, {TABLE.key[0]}) but should be",
            "truncate published.roll_rates",
        )
        run("truncate published.roll_rates")
    assert initialise() == []
    assert_as_it_should_be()


def test_a_key_that_is_gone_while_rows_repeat_it_is_said(warehouse: str) -> None:
    put_rows()
    run(
        "drop index published.roll_rates_key",
        "alter table published.roll_rates disable trigger user",
        "insert into published.roll_rates select * from published.roll_rates",
    )
    problem = assert_refused("roll_rates", "creditops up")
    assert "could not create unique index" in problem
    assert "is duplicated" in problem


def test_a_raw_table_of_another_form_is_told_by_doctor(warehouse: str) -> None:
    run("alter table raw.groups alter column name type varchar(9)")
    run(
        "insert into raw.groups (group_id, effective_date, book, _batch_id, _row, _row_hash, loaded_at)"
        " values ('G1', '2026-06-30', 'demo', 1, 1, 1, now())"
    )
    (finding,) = [each for each in diagnose() if each.check == "raw tables"]
    assert "raw.groups.name is character varying(9) but its contract says text" in finding.detail
    assert "never re-typed" in finding.remedy
    (problem,) = initialise()
    assert finding.detail in problem


def test_readers_wait_for_a_view_that_is_made_anew_and_see_no_gap(warehouse: str) -> None:
    put_rows()
    run("drop view publish.roll_rates", made_as([*COLUMNS[1:], COLUMNS[0]]))
    with connect("bi_reader", autocommit=True) as reader:
        before = reader.execute("select count(*) from publish.roll_rates").fetchone()
        assert initialise() == []
        assert reader.execute("select count(*) from publish.roll_rates").fetchone() == before == (1,)


def test_the_catalogue_is_all_that_is_asked_of_a_role(warehouse: str) -> None:
    for role in ("loader", "builder", "modeller", "publisher", "bi_reader"):
        with connect(role) as connection:
            assert differences(connection) == []
    assert issubclass(psycopg.errors.UniqueViolation, psycopg.IntegrityError)
