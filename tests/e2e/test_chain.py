"""The chain through the real Airflow scheduler, PostgreSQL, dbt, Great Expectations and MLflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from creditops import runner
from creditops.books import Partition
from creditops.errors import ServiceUnreachableError
from creditops.services.airflow_api import AirflowApi, DagRun
from creditops.services.follow import follow
from creditops.warehouse.connection import connect
from tests.e2e.conftest import BOOK, DAY, Command, current_publication, query

pytestmark = pytest.mark.e2e

TABLES = ("customer_scores", "early_warnings", "portfolio_monthly", "roll_rates", "model_monitoring",
          "data_quality", "data_dictionary", "warning_events")  # fmt: skip


def checksums() -> dict[str, tuple[int, str]]:
    """Rows and content of every mart, feature and published table."""
    found: dict[str, tuple[int, str]] = {}
    with connect("owner") as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('intermediate', 'marts', 'features', 'scoring', 'actions', 'published')"
            " and table_type = 'BASE TABLE' order by 1, 2"
        ).fetchall()
        for schema, table in tables:
            row = connection.execute(
                "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
                f" from {schema}.{table} t"
            ).fetchone()
            assert row is not None
            found[f"{schema}.{table}"] = (row[0], row[1])
        pointer = connection.execute("select * from ops.publication").fetchall()
        found["ops.publication"] = (len(pointer), str(pointer))
    return found


def test_every_row_of_every_file_is_accounted_for(
    published: str, simulated: Path, creditops: Command
) -> None:
    rows = json.loads(creditops("ledger", "--book", BOOK, "--json").stdout)
    read = {Path(row["file"]).stem: row["rows_read"] for row in rows if row["status"] == "loaded"}
    in_files = {path.stem: len(pl.read_csv(path, infer_schema=False)) for path in simulated.glob("*.csv")}
    assert read == in_files
    for row in rows:
        assert row["rows_read"] == row["rows_loaded"] + row["rows_unchanged"] + row["rows_quarantined"]


def test_the_warehouse_equals_the_simulated_truth(published: str, simulated: Path) -> None:
    truth = pl.read_csv(simulated / "truth" / "facility_month.csv", try_parse_dates=True)
    with connect("publisher") as connection:
        rows = connection.execute(
            "select facility_id, month_end, dpd, bucket, overdue_amount::text, balance::text"
            " from marts.fct_facility_month where book = %s",
            (BOOK,),
        ).fetchall()
    # Default, to which others of a customer add: tests/dbt/test_simulated_truth.py.
    columns = ["facility_id", "month_end", "dpd", "bucket", "overdue_amount", "balance"]
    built = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.col("overdue_amount", "balance").cast(pl.Float64)
    )
    assert built.sort("facility_id", "month_end").equals(
        truth.select(columns).sort("facility_id", "month_end").cast(dict(built.schema))  # type: ignore[arg-type]
    )


def test_published_tables_have_rows_and_one_publication(published: str, creditops: Command) -> None:
    for table in TABLES:
        (row,) = query(
            creditops,
            f"select count(*) as rows, min(publication_id) as first, max(publication_id) as last"
            f" from publish.{table} where book = '{BOOK}'",
        )
        if table not in ("model_monitoring",):
            assert row["rows"] > 0, table
            assert row["first"] == row["last"] == published


def test_scores_in_the_warehouse_equal_the_registered_model_on_every_row(published: str) -> None:
    import mlflow

    from models_ml.store import tracking

    tracking.client()
    model = mlflow.pyfunc.load_model("models:/demo.retail_behaviour@champion")
    assert model.metadata.signature is not None
    names = [column.name for column in model.metadata.signature.inputs]
    with connect("modeller") as connection:
        cursor = connection.execute(
            "select f.*, b.*, s.customer_id as scored, s.points_total, s.pd from scoring.customer_scores s"
            " join features.feat_retail_behaviour f on f.book = s.book and f.customer_id = s.customer_id"
            " and f.observation_date = s.observed_on"
            " left join features.feat_bureau b on b.book = s.book and b.customer_id = s.customer_id"
            " and b.observation_date = s.observed_on"
            " where s.book = %s and s.as_of_date = %s and s.scorecard = 'retail_behaviour'",
            (BOOK, DAY),
        )
        assert cursor.description is not None
        header = [column.name for column in cursor.description]
        rows = cursor.fetchall()
    import pandas as pd

    frame = pd.DataFrame(rows, columns=header).loc[:, lambda each: ~each.columns.duplicated()]
    assert len(frame) > 500
    inputs = frame[names].astype("float64")
    predicted = model.predict(inputs)
    assert (predicted["points_total"].to_numpy() == frame["points_total"].to_numpy()).all()


def test_bi_reader_sees_publications_and_nothing_else(published: str, creditops: Command) -> None:
    assert query(creditops, "select count(*) as n from publish.customer_scores")[0]["n"] > 0
    for table in ("raw.payments", "marts.dim_customer", "ops.load_ledger", "published.customer_scores"):
        refused = creditops("query", f"select * from {table} limit 1", "--as", "bi_reader")
        assert refused.returncode == 2
        assert "permission denied" in refused.stderr
    assert creditops("query", "delete from publish.customer_scores", "--as", "bi_reader").returncode == 2


def test_published_tables_are_analysed_when_they_are_filled(published: str) -> None:
    with connect("owner") as connection:
        unknown = connection.execute(
            "select relname from pg_class where relnamespace = 'published'::regnamespace and relkind = 'r'"
            " and reltuples < 0"
        ).fetchall()
    assert unknown == []


def test_status_agrees_with_the_publication(published: str, creditops: Command) -> None:
    status = json.loads(creditops("status", "--json").stdout)
    assert status["healthy"]
    assert {row["publication_id"] for row in status["publications"] if row["book"] == BOOK} == {published}
    assert {run["state"] for run in status["runs"]} == {"success"}


def test_the_report_is_rendered_in_both_languages(published: str, platform: Path) -> None:
    for lang in ("zh", "en"):
        page = (platform / "reports" / f"{BOOK}-{DAY}-{lang}.html").read_text()
        assert published in page
        assert "<svg" in page
        assert "http://" not in page.replace("http://www.w3.org/", "")


def test_running_the_same_day_again_changes_nothing(published: str, creditops: Command) -> None:
    before = checksums()
    again = creditops("run", "all", "--book", BOOK, "--as-of", DAY.isoformat())
    assert again.returncode == 0, again.stderr
    after = checksums()
    assert {name for name in before if before[name] != after.get(name)} == set()
    assert current_publication(creditops, BOOK) == published


def test_a_file_with_a_missing_column_is_refused_and_the_publication_stays(
    published: str, creditops: Command, simulated: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "payments.csv"
    pl.read_csv(simulated / "payments.csv", infer_schema=False).drop("amount").write_csv(broken)
    refused = creditops("ingest", BOOK, str(broken), "--as-of", "2026-09-30")
    assert refused.returncode == 3
    assert "payments.csv" in refused.stderr
    assert "'amount'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert current_publication(creditops, BOOK) == published


def test_a_failed_gate_stops_the_run_and_the_publication_stays(
    published: str, creditops: Command, simulated: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "products.csv"
    pl.read_csv(simulated / "products.csv", infer_schema=False).clear().write_csv(empty)
    landed = creditops("ingest", BOOK, str(empty), "--as-of", "2026-08-31", "--land-only")
    assert landed.returncode == 0, landed.stderr
    stopped = creditops("run", "all", "--book", BOOK, "--as-of", "2026-08-31")
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "products: a delivery has at least 1 rows failed" in stopped.stderr
    assert current_publication(creditops, BOOK) == published


class Faltering(AirflowApi):
    """Airflow's API, of which every second answer does not come."""

    polls = 0

    def dag_runs(self, *arguments: Any, **named: Any) -> list[DagRun]:
        self.polls += 1
        if self.polls % 2 == 0:
            raise ServiceUnreachableError("Airflow does not answer")
        return super().dag_runs(*arguments, **named)


def test_a_run_waits_for_another_of_its_key_and_outlives_polls_without_answer(published: str) -> None:
    partition = Partition(BOOK, DAY)
    since = datetime.now(UTC)
    with Faltering() as api:
        api.trigger("monitor", partition.key)
        states = [(each.task_id, each.state) for each in follow(partition.key, ["monitor"], since, api=api)]
        assert states[-1] == (None, "success")
        assert api.polls > 2
    with AirflowApi() as api:
        api.trigger("monitor", partition.key)
    first, *rest = runner.run_in_airflow("monitor", partition)
    assert (first.step, first.state) == ("wait", "running")
    assert f"monitor for {partition.key} is under way" in str(first.note)
    assert ("monitor", "success") in [(each.step, each.state) for each in rest]


def test_the_only_publication_cannot_be_rolled_back(published: str, creditops: Command) -> None:
    alone = creditops("publish", "rollback", "--book", BOOK, "--reason", "test")
    assert alone.returncode == 2
    assert "no earlier publication" in alone.stderr
    assert current_publication(creditops, BOOK) == published


def test_a_second_day_is_published_beside_the_first_and_rolls_back(
    published: str, creditops: Command
) -> None:
    """A day without new files: dues fall due unpaid, so the portfolio is another one."""
    second = creditops("run", "all", "--book", BOOK, "--as-of", "2026-07-31")
    assert second.returncode == 0, second.stdout + second.stderr
    newer = current_publication(creditops, BOOK)
    assert newer.startswith("demo-2026-07-31-")
    undone = creditops("publish", "rollback", "--book", BOOK, "--to", published, "--reason", "test")
    assert undone.returncode == 0, undone.stderr
    assert current_publication(creditops, BOOK) == published
    default = creditops("publish", "rollback", "--book", BOOK, "--reason", "test")
    assert default.returncode == 0, default.stderr
    assert current_publication(creditops, BOOK) == newer, "the default is what was current before"
    assert (
        creditops("publish", "rollback", "--book", BOOK, "--to", published, "--reason", "test").returncode
        == 0
    )
    (row,) = query(
        creditops, f"select max(as_of_date)::text as day from publish.customer_scores where book = '{BOOK}'"
    )
    assert row["day"] == DAY.isoformat()
    audited = query(
        creditops,
        "select reason from ops.audit where action = 'publish.flip' order by at desc limit 1",
        "publisher",
    )
    assert audited == [{"reason": "test"}]
