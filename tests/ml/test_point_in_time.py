"""Training refuses data that cannot be honest."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from creditops.errors import DataRefusedError
from creditops.warehouse import connect
from models_ml.data.dataset import load_training_set
from models_ml.fit.fitting import fit
from models_ml.run.training import train_declared
from models_ml.spec import Source, scorecard
from tests.ml.feature_tables import labels, synthetic_retail, write_table

AS_OF = date(2026, 6, 30)


@pytest.fixture
def features(warehouse: str) -> pd.DataFrame:
    behaviour, bureau, bad = synthetic_retail(customers=400, dates=6)
    write_table("feat_retail_behaviour", behaviour)
    write_table("feat_bureau", bureau.assign(pulled_on_offset=0.0))
    write_table("label_default", labels(behaviour[["book", "customer_id", "observation_date"]], bad))
    return behaviour


def test_a_row_known_only_after_its_observation_date_is_refused(features: pd.DataFrame) -> None:
    spec = scorecard("retail_behaviour")
    dated = spec.sources[1].model_copy(update={"known_on": "pulled_on"})
    spec = spec.model_copy(update={"sources": (spec.sources[0], dated)})
    with connect("builder") as connection:
        connection.execute("alter table features.feat_bureau add column pulled_on date")
        connection.execute("update features.feat_bureau set pulled_on = observation_date")
    assert len(load_training_set("demo", spec, AS_OF).frame) > 0
    with connect("builder") as connection:
        connection.execute(
            "update features.feat_bureau set pulled_on = observation_date + 1 where customer_id = 'R000001'"
        )
    with pytest.raises(DataRefusedError, match=r"known only after their\s+observation date"):
        load_training_set("demo", spec, AS_OF)


def test_a_planted_future_value_stops_the_version_at_its_gate(
    features: pd.DataFrame, mlflow_store: Path
) -> None:
    spec = scorecard("retail_behaviour")
    with connect("builder") as connection:
        connection.execute(
            "update features.feat_retail_behaviour as f set balance_change_5m = 1000 * l.bad::int + random()"
            " from features.label_default as l where l.customer_id = f.customer_id"
            " and l.observation_date = f.observation_date"
        )
    outcome = train_declared("demo", spec, AS_OF)
    failed = {gate.name: gate.message for gate in outcome.gates if not gate.passed}
    assert "balance_change_5m" in failed["no_leakage"]


def test_a_repeated_customer_and_date_is_refused(features: pd.DataFrame) -> None:
    with connect("builder") as connection:
        connection.execute(
            "insert into features.feat_retail_behaviour select * from features.feat_retail_behaviour"
            " where customer_id = 'R000001'"
        )
    with pytest.raises(DataRefusedError, match="repeat a customer"):
        load_training_set("demo", scorecard("retail_behaviour"), AS_OF)


def test_no_full_window_is_refused(features: pd.DataFrame) -> None:
    with pytest.raises(DataRefusedError, match="no observation date with a full 12-month window"):
        load_training_set("demo", scorecard("retail_behaviour"), date(2025, 2, 28))


def test_one_outcome_alone_is_refused(features: pd.DataFrame) -> None:
    with connect("builder") as connection:
        connection.execute("update features.label_default set bad = false, label = 'good'")
    with pytest.raises(DataRefusedError, match="only one outcome"):
        load_training_set("demo", scorecard("retail_behaviour"), AS_OF)


def test_a_missing_column_is_named(features: pd.DataFrame) -> None:
    with connect("builder") as connection:
        connection.execute("alter table features.feat_retail_behaviour drop column paid_m3")
    with pytest.raises(DataRefusedError, match=r"feat_retail_behaviour\.paid_m3"):
        load_training_set("demo", scorecard("retail_behaviour"), AS_OF)


def test_an_optional_table_may_be_absent(features: pd.DataFrame) -> None:
    spec = scorecard("retail_behaviour")
    gone = Source(table="features.feat_elsewhere", optional=True, features=spec.sources[1].features)
    data = load_training_set("demo", spec.model_copy(update={"sources": (spec.sources[0], gone)}), AS_OF)
    assert data.frame["inquiries_3m"].isna().all()


def test_the_snapshot_id_changes_with_one_value(features: pd.DataFrame) -> None:
    spec = scorecard("retail_behaviour")
    before = load_training_set("demo", spec, AS_OF)
    assert load_training_set("demo", spec, AS_OF).snapshot_id == before.snapshot_id
    used = np.isin(before.frame["customer_id"], ["R000003"])
    assert used.any()
    with connect("builder") as connection:
        connection.execute(
            "update features.feat_retail_behaviour set utilisation_now = utilisation_now + 1e-12"
            " where customer_id = 'R000003'"
        )
    assert load_training_set("demo", spec, AS_OF).snapshot_id != before.snapshot_id


def test_pd_is_calibrated_to_the_books_long_run_rate(features: pd.DataFrame) -> None:
    spec = scorecard("retail_behaviour")
    assert spec.calibration.long_run_rate == "book"
    with connect("builder") as connection:
        # A year before anything that is trained on: nobody defaulted; one with too few customers to count.
        for day, customers in (("2023-06-30", 200), ("2023-05-31", 5)):
            for table in ("feat_retail_behaviour", "label_default"):
                connection.execute(
                    f"insert into features.{table} select (jsonb_populate_record(t, jsonb_build_object("  # type: ignore[arg-type]
                    f"'observation_date', '{day}'))).* from features.{table} as t"
                    f" where observation_date = (select min(observation_date) from features.{table})"
                    " and customer_id in (select customer_id from features.label_default"
                    f" order by customer_id limit {customers})"
                )
        connection.execute(
            "update features.label_default set bad = false, label = 'good'"
            " where observation_date = '2023-06-30'"
        )
        rates = connection.execute(
            "select avg(bad::int)::float8 from features.label_default where window_complete"
            " and observation_date between '2023-06-01' and '2025-06-30' group by observation_date"
        ).fetchall()
    newest = spec.model_copy(update={"observation": spec.observation.model_copy(update={"newest_dates": 1})})
    data = load_training_set("demo", newest, AS_OF)
    assert data.long_run_rate == pytest.approx(np.mean([row[0] for row in rates]))
    assert fit("demo", newest, data).table.calibration.target_rate == data.long_run_rate
