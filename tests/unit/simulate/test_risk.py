"""Default risk comes from the known hazard, and what a lender can see tells of it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from creditops.simulate.truth.default_probability import default_probability
from creditops.simulate.world.parameters import BEHAVIOUR, STRAIN_PERSISTENCE, UTILISATION_SWING
from tests.unit.simulate.simulated_book import SimulatedBook


@pytest.fixture(scope="module")
def observations(book: SimulatedBook) -> pl.DataFrame:
    """Customer-months with a full year after them: segment, true PD, and whether they went bad."""
    defaults = book["truth/default_dates"].select("customer_id", "default_date").sort("default_date")
    year = pl.col("month_end").dt.offset_by("12mo").dt.month_end()
    return (
        book["truth/customer_pd"]
        .join(book.segments(), on="customer_id")
        .filter(year <= book.summary.as_of)
        .sort("month_end")
        .join_asof(
            defaults,
            left_on="month_end",
            right_on="default_date",
            by="customer_id",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .with_columns((pl.col("default_date") <= year).fill_null(False).alias("bad"))
        .sort("customer_id", "month_end")
    )


@pytest.mark.parametrize(
    ("segment", "low", "high"), [("retail", 0.05, 0.08), ("corporate", 0.035, 0.065), ("trade", 0.02, 0.10)]
)
def test_default_rates_are_those_of_such_books(
    observations: pl.DataFrame, segment: str, low: float, high: float
) -> None:
    assert low < observations.filter(pl.col("segment") == segment)["bad"].mean() < high


def test_observed_defaults_agree_with_the_true_probability(observations: pl.DataFrame) -> None:
    retail = observations.filter(pl.col("segment") == "retail")
    bands = retail.with_columns(pl.col("pd_12m").qcut(5, labels=list("abcde")).alias("band"))
    found = bands.group_by("band").agg(pl.col("bad").mean(), pl.col("pd_12m").mean()).sort("band")
    assert found["bad"].is_sorted()
    top = found.row(-1, named=True)
    assert abs(top["bad"] / top["pd_12m"] - 1) < 0.2
    assert abs(retail["bad"].mean() - retail["pd_12m"].mean()) < 0.012
    assert roc_auc_score(retail["bad"], retail["pd_12m"]) > 0.85


def test_true_probability_equals_its_simulation() -> None:
    """Monte Carlo of the chain itself against the backward recursion, at five starting points."""
    rng = np.random.default_rng(5)
    behaviour, paths, downturn = BEHAVIOUR[0], 20_000, np.linspace(-1, 1, 12)
    catch_up = np.array([1.0, *behaviour.catch_up])
    starts = [(0.0, 0.0, 0, 12), (1.0, 1.5, 0, 12), (-0.5, 0.5, 2, 12), (0.5, -1.0, 1, 4), (1.5, 0.0, 0, 5)]
    for carried, strain_now, state_now, exposure in starts:
        strain, state = np.full(paths, strain_now), np.full(paths, state_now)
        for month in range(12):
            noise = rng.standard_normal(paths) * np.sqrt(1 - STRAIN_PERSISTENCE**2)
            strain = STRAIN_PERSISTENCE * strain + noise
            at = np.minimum(state, 3)
            predictor = carried + behaviour.utilisation * UTILISATION_SWING * strain
            predictor = predictor + behaviour.macro * downturn[month] + np.array(behaviour.intercepts)[at]
            rolls = rng.random(paths) < 1 / (1 + np.exp(-predictor))
            full = rng.random(paths) < catch_up[at]
            moves = (state < 4) & ((month < exposure) | (state > 0))
            state = np.where(moves, np.where(rolls, state + 1, np.where(full, 0, state)), state)
        exact = default_probability(
            behaviour,
            downturn,
            np.array([carried]),
            np.array([strain_now]),
            np.array([state_now]),
            np.array([exposure]),
        )[0]
        drawn = (state == 4).mean()
        assert abs(exact - drawn) < 4 * np.sqrt(drawn * (1 - drawn) / paths) + 0.004


def test_most_customers_one_to_thirty_days_late_are_current_a_month_later(book: SimulatedBook) -> None:
    following = pl.col("bucket").shift(-1).over("facility_id")
    states = book["truth/facility_month"].with_columns(following.alias("next")).drop_nulls("next")
    cured = states.filter(pl.col("bucket") == "M1")["next"] == "M0"
    assert 0.55 < cured.mean() < 0.85
    assert (states.filter(pl.col("bucket") == "M3")["next"] == "M4").mean() > 0.5
    assert book["truth/cure_dates"].height > 20


def test_a_simple_observable_model_ranks_retail_defaults(
    book: SimulatedBook, observations: pl.DataFrame
) -> None:
    """Logistic regression on lags of DPD and utilisation, held out by customer."""
    owner = book.opened().select("facility_id", "customer_id", "opened_on")
    months = (
        book["truth/facility_month"]
        .group_by("customer_id", "month_end")
        .agg(pl.col("dpd").max())
        .sort("customer_id", "month_end")
        .with_columns(
            pl.col("dpd").rolling_max(window, min_samples=1).over("customer_id").alias(f"dpd_{window}")
            for window in (3, 6)
        )
        .with_columns(
            (pl.col("dpd") > 0)
            .cast(pl.Int32)
            .rolling_sum(12, min_samples=1)
            .over("customer_id")
            .alias("late")
        )
    )
    cards = (
        book["facility_snapshots"]
        .join(owner, on="facility_id")
        .group_by("customer_id", "month_end")
        .agg((pl.col("balance") / pl.col("credit_limit")).max().alias("used"))
    )
    income = book["customers"].unique("customer_id", keep="first").select("customer_id", "monthly_income")
    frame = (
        observations.filter(pl.col("segment") == "retail")
        .join(months, on=["customer_id", "month_end"])
        .join(cards, on=["customer_id", "month_end"], how="left")
        .join(income, on="customer_id")
        .sort("customer_id", "month_end")
    )
    features = frame.select(
        "dpd",
        "dpd_3",
        "dpd_6",
        "late",
        pl.col("used").fill_null(0.4),
        pl.col("used").is_null().cast(pl.Float64).alias("no_card"),
        pl.col("monthly_income").log(),
    ).to_numpy()
    bad = frame["bad"].to_numpy()
    held_out = frame["customer_id"].str.slice(1).cast(pl.Int64).to_numpy() % 10 < 4
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features[~held_out], bad[~held_out])
    auc = roc_auc_score(bad[held_out], model.predict_proba(features[held_out])[:, 1])
    assert 0.75 < auc < 0.92
