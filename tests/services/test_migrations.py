"""A warehouse of an earlier version goes on with this one: its tables move forward, its publications stay.

``before_migrations.sql.xz`` is such a warehouse, a dump of the last version without migrations: a small book
with two publications.
"""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from creditops import chain
from creditops.books import Partition
from creditops.doctor import diagnose
from creditops.errors import CreditOpsError, DataRefusedError
from creditops.publish import published_tables, publisher
from creditops.schema import REPLACED, initialise
from creditops.services import postgres_binaries
from creditops.settings import PROJECT_ROOT, get_settings
from creditops.warehouse import grants, migrate
from creditops.warehouse.connection import connect

KEPT = Path(__file__).parent / "before_migrations.sql.xz"
NEXT_DAY = Partition("demo", date(2026, 7, 2))
Rows = dict[str, list[tuple[str, str]]]


@pytest.fixture(scope="module")
def kept(postgres_server: str, _template_database: str) -> Iterator[str]:
    """A database as the last version without migrations left it."""
    name = f"kept_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template template0")  # type: ignore[arg-type]
        restored = subprocess.run(
            [str(psql()), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"{postgres_server}/{name}"],
            input=lzma.decompress(KEPT.read_bytes()),
            capture_output=True,
            check=False,
        )
        assert restored.returncode == 0, restored.stderr[-2000:].decode()
        yield name
        connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


@pytest.fixture
def older(postgres_server: str, kept: str, session_home: Path) -> Iterator[str]:
    """A copy of it; the environment points at it."""
    name = f"older_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template {kept}")  # type: ignore[arg-type]
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("CREDITOPS_HOME", str(session_home))
                patch.setenv("CREDITOPS_DATABASE_URL", f"{postgres_server}/{name}")
                get_settings.cache_clear()
                yield name
        finally:
            get_settings.cache_clear()
            connection.execute(f"drop database {name} with (force)")  # type: ignore[arg-type]


def psql() -> Path:
    """The client beside the server's own programs, else the machine's."""
    beside = postgres_binaries.find().folder / "psql"
    return beside if beside.exists() else Path(shutil.which("psql") or "psql")


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of the migrations of a release to come; one more file there is one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "FOLDER", folder)
    migrate.known.cache_clear()
    yield folder / "versions"
    migrate.known.cache_clear()


def write_migration(folder: Path, statements: str) -> str:
    """The next migration; its number."""
    head = migrate.known()[-1].revision
    number = f"{int(head) + 1:04d}"
    (folder / f"{number}_next.py").write_text(
        f'"""what the next release needs"""\nfrom alembic import op\nrevision = "{number}"\n'
        f'down_revision = "{head}"\ndef upgrade() -> None:\n    op.execute("""{statements}""")\n'
    )
    migrate.known.cache_clear()
    return number


def read_as_before(columns: dict[str, list[str]] | None = None) -> tuple[dict[str, list[str]], Rows]:
    """Rows of every published table as text with their publication, of the columns given or all."""
    with connect("owner") as connection:
        found = columns or {
            str(table): list(names)
            for table, names in connection.execute(
                "select table_name, array_agg(column_name::text order by ordinal_position)"
                " from information_schema.columns where table_schema = 'published' group by 1 order by 1"
            )
        }
        rows = {
            table: connection.execute(
                sql.SQL("select publication_id, row({})::text from published.{} order by 1, 2").format(
                    sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table)
                )
            ).fetchall()
            for table, names in found.items()
        }
    return found, rows


def shown() -> dict[str, int]:
    """What readers see: rows of every view of ``publish``."""
    with connect("bi_reader") as connection:
        views = connection.execute(
            "select table_name from information_schema.views where table_schema = 'publish' order by 1"
        ).fetchall()
        counted = sql.SQL("select count(*) from publish.{}")
        return {
            str(view): connection.execute(counted.format(sql.Identifier(view))).fetchone()[0]  # type: ignore[index]
            for (view,) in views
        }


def publications() -> dict[str, date]:
    with connect("publisher") as connection:
        return dict(
            connection.execute(
                "select publication_id, as_of_date from ops.publication_history where status = 'published'"
            ).fetchall()
        )


def test_an_older_warehouse_moves_forward_publishes_its_next_day_and_shows_its_old_ones(older: str) -> None:
    columns, before = read_as_before()
    seen, old = shown(), publications()
    assert sorted(old.values()) == [date(2026, 6, 30), date(2026, 7, 1)]
    assert seen["customer_360"] > 20
    said: list[str] = []

    assert initialise(said.append) == []

    assert said == [each.sentence() for each in migrate.known()]
    assert read_as_before(columns)[1] == before
    assert {view: shown()[view] for view in seen} == seen
    with connect("owner") as connection:
        assert published_tables.differences(connection) == []
        assert grants.granted(connection) == grants.expected(connection)

    for step in ("build_intermediate", "build_marts", "build_features", "score", "warn", "decide", "publish"):
        chain.run_step(step, NEXT_DAY.key)

    (new,) = publications().keys() - old.keys()
    with connect("bi_reader") as connection:
        current = connection.execute("select publication_id from publish.publication").fetchall()
    assert current == [(new,)]
    after = read_as_before(columns)[1]
    assert {table: [row for row in after[table] if row[0] in old] for table in before} == before
    publisher.flip(max(old, key=lambda each: old[each]), move_back=True, actor="tester", reason="as before")
    assert {view: shown()[view] for view in seen} == seen


def test_what_ran_does_not_run_again_and_stands_in_the_audit(warehouse: str) -> None:
    said: list[str] = []
    assert initialise(said.append) == []
    assert said == []
    with connect("owner") as connection:
        noted = connection.execute(
            "select object, reason, role from ops.audit where action = 'warehouse.migrate' order by at"
        ).fetchall()
    assert [(each.revision, each.what) for each in migrate.known()] == [row[:2] for row in noted]
    assert [each.ok for each in diagnose() if each.check == "migrations"] == [True]


def test_a_table_of_another_form_is_named_and_nothing_is_changed(older: str) -> None:
    with connect("owner") as connection:
        connection.execute("alter table ops.load_ledger alter column seconds type text")
        connection.execute("alter table ops.failure alter column message drop not null")
        connection.execute("alter table scoring.grade_override drop constraint grade_override_check")
        connection.execute("alter table ops.run_log add column theirs int")
    with pytest.raises(DataRefusedError, match="not what the version before left") as refused:
        initialise()
    said = str(refused.value)
    assert "ops.load_ledger.seconds is text not null but should be numeric(12,4) not null" in said
    assert "ops.failure.message is text but should be text not null" in said
    assert "constraint grade_override_check of scoring.grade_override is missing" in said
    assert "theirs" not in said
    with connect("owner") as connection:
        assert connection.execute("select to_regclass('ops.alembic_version')").fetchone() == (None,)
        aside = connection.execute("select nspname from pg_namespace where nspname like '%found'").fetchall()
    assert aside == []


def test_a_release_changes_tables_with_rows_also_those_of_contracts(older: str, release: Path) -> None:
    """The older version called a published column otherwise."""
    with connect("owner") as connection:
        before = connection.execute("select sum(facilities) from published.roll_rates").fetchone()
        connection.execute("alter table published.roll_rates rename column facilities to heads")
    number = write_migration(
        release,
        "alter table ops.run_log add column machine text not null default 'one';"
        " drop view publish.roll_rates; alter table published.roll_rates rename column heads to facilities",
    )
    said: list[str] = []
    assert initialise(said.append) == []
    assert said[-1] == f"migration {number}: what the next release needs"
    with connect("bi_reader") as connection:
        connection.execute("select facilities from publish.roll_rates")
    with connect("publisher") as connection:
        assert connection.execute("select sum(facilities) from published.roll_rates").fetchone() == before
        counted = connection.execute("select count(*), count(machine) from ops.run_log").fetchone()
    assert counted is not None
    assert counted[0] == counted[1] > 0


def test_a_migration_that_fails_leaves_everything_as_it_was(warehouse: str, release: Path) -> None:
    write_migration(release, "alter table ops.alert add column told int; select 1 / 0")
    (told,) = [each for each in diagnose() if each.check == "migrations"]
    assert not told.ok
    assert "not run yet" in told.detail
    with pytest.raises(CreditOpsError, match=r"next release needs: failed \(division by zero.*nothing was"):
        initialise()
    with connect("owner") as connection:
        columns = connection.execute("select * from ops.alert").description or ()
    assert "told" not in [column.name for column in columns]


def test_a_warehouse_of_a_newer_version_is_refused(warehouse: str) -> None:
    with connect("owner") as connection:
        connection.execute("update ops.alembic_version set version_num = '9999'")
    with pytest.raises(DataRefusedError, match="is at migration 9999"):
        initialise()
    assert [each.ok for each in diagnose() if each.check == "migrations"] == [False]


def test_migrations_are_one_line_and_each_says_what_it_changes() -> None:
    known = migrate.known()
    assert [each.revision for each in known] == [f"{number + 1:04d}" for number in range(len(known))]
    assert all(each.what for each in known)


def test_tables_are_made_and_changed_by_migrations_alone() -> None:
    """What is replaced at every start holds views, functions, triggers and comments; no other file is run."""
    listed = {Path(str(files(package).joinpath(name))) for package, name in REPLACED}
    declared = {
        path
        for folder in ("creditops", "models_ml")
        for path in (PROJECT_ROOT / folder).rglob("*.sql")
        if path.name in {"schema.sql", "ops.sql"}
    }
    assert declared == listed
    allowed = re.compile(
        r"(create or replace (view|function|trigger)|comment on (view|function)) ", re.IGNORECASE
    )
    for path in listed:
        for statement in statements(path.read_text(encoding="utf-8")):
            assert allowed.match(statement), f"{path}: {statement[:80]}"


def statements(text: str) -> list[str]:
    """Statements of a file, without comments; bodies of functions are left out."""
    plain = re.sub(r"\$\$.*?\$\$", "''", re.sub(r"--[^\n]*", "", text), flags=re.DOTALL)
    plain = re.sub(r"'[^']*'", "''", plain)
    return [each.strip() for each in plain.split(";") if each.strip()]
