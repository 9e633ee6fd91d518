"""Thirty thousand real card holders through the same chain (UCI, doi 10.24432/C55S3H)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Command, query

pytestmark = pytest.mark.e2e

BOOK, DAY = "taiwan_cards", "2005-09-30"


@pytest.fixture(scope="module")
def taiwan(platform: Path, shared_data: Path, creditops: Command) -> None:
    loaded = creditops(
        "ingest", BOOK, str(shared_data / "uci_taiwan_default"), "--adapter", "uci_taiwan_cards"
    )
    assert loaded.returncode == 0, loaded.stderr
    ran = creditops("run", "all", "--book", BOOK, "--as-of", DAY)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.usefixtures("taiwan")
class TestTaiwanCards:
    def test_every_card_holder_is_published_with_score_grade_and_reasons(self, creditops: Command) -> None:
        (row,) = query(
            creditops,
            "select count(*) as rows, count(distinct customer_id) as customers, count(grade) as grades,"
            f" count(reason_1_zh) as reasons from publish.customer_scores where book = '{BOOK}'",
        )
        assert (row["rows"], row["customers"], row["grades"]) == (30_000, 30_000, 30_000)
        assert row["reasons"] > 25_000

    def test_the_champion_is_registered_with_interval_signature_and_example(self) -> None:
        import mlflow

        from models_ml.store import tracking

        client = tracking.client()
        version = client.get_model_version_by_alias("taiwan_cards.taiwan_behaviour", "champion")
        metrics = client.get_run(version.run_id).data.metrics
        assert metrics["hold_out_auc"] >= 0.760
        assert metrics["hold_out_auc_low"] < metrics["hold_out_auc"] < metrics["hold_out_auc_high"]
        model = mlflow.pyfunc.load_model("models:/taiwan_cards.taiwan_behaviour@champion")
        assert model.metadata.signature is not None
        assert model.metadata.saved_input_example_info is not None
        assert len(model.predict(model.input_example)) == len(model.input_example)

    def test_features_know_nothing_after_september(self, creditops: Command) -> None:
        (row,) = query(
            creditops,
            "select max(observation_date)::text as newest from features.feat_retail_behaviour"
            f" where book = '{BOOK}'",
            role="modeller",
        )
        assert row["newest"] == DAY
        (row,) = query(
            creditops,
            f"select min(loaded_at)::text as known from raw.outcomes where book = '{BOOK}'",
            role="loader",
        )
        assert row["known"] > "2005-10-31"

    def test_the_demo_book_is_untouched(self, published: str, creditops: Command) -> None:
        (row,) = query(
            creditops,
            "select count(*) as n, count(distinct book) as books from publish.customer_scores"
            f" where publication_id = '{published}'",
        )
        assert row["n"] > 0
        assert row["books"] == 1
