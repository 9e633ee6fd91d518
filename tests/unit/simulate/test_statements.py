"""Statements and VAT invoices: identities hold to the cent, and trouble shows before default."""

from __future__ import annotations

import polars as pl

from tests.unit.simulate.simulated_book import SimulatedBook


def in_cents(book: SimulatedBook) -> pl.DataFrame:
    frame = book["statements"]
    money = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
    return frame.with_columns((pl.col(name) * 100).round().cast(pl.Int64) for name in money)


def test_balance_sheet_and_income_statement_add_up_to_the_cent(book: SimulatedBook) -> None:
    c = pl.col
    identities = in_cents(book).select(
        balances=c("total_assets") == c("total_liabilities") + c("equity"),
        current=c("current_assets") >= c("cash") + c("receivables") + c("inventory"),
        owed=c("total_liabilities") == c("current_liabilities") + c("long_term_debt"),
        gross=c("gross_profit") == c("revenue") - c("cost_of_sales"),
        positive=(c("revenue") > 0) & (c("total_assets") > 0),
    )
    assert all(identities[name].all() for name in identities.columns)


def test_cash_flow_reconciles_with_cash_at_the_start_of_the_year(book: SimulatedBook) -> None:
    frame = in_cents(book)
    assert (frame["cfo"] + frame["cfi"] + frame["cff"] == frame["net_change_in_cash"]).all()
    year_end = frame.filter(pl.col("months") == 12).select(
        "customer_id", (pl.col("period_end").dt.year() + 1).alias("year"), pl.col("cash").alias("opening")
    )
    both = frame.with_columns(pl.col("period_end").dt.year().alias("year")).join(
        year_end, on=["customer_id", "year"]
    )
    assert both.height > 2000
    assert (both["cash"] - both["opening"] == both["net_change_in_cash"]).all()


def test_statements_are_quarterly_and_published_20_to_75_days_later(book: SimulatedBook) -> None:
    frame = book["statements"]
    lag = (frame["published_on"] - frame["period_end"]).dt.total_days()
    assert (lag.min(), lag.max()) >= (20, 60)
    assert lag.max() <= 75
    assert (frame["period_end"].dt.month() == frame["months"]).all()
    assert (frame["audited"] == (frame["months"] == 12)).all()
    corporates = book.segments().filter(pl.col("segment") == "corporate")["customer_id"]
    assert set(frame["customer_id"]) == set(corporates)


def test_statements_deteriorate_before_default(book: SimulatedBook) -> None:
    defaults = book["truth/default_dates"].group_by("customer_id").agg(pl.col("default_date").min())
    frame = book["statements"].with_columns((pl.col("ebit") / pl.col("revenue")).alias("margin"))
    before = frame.join(defaults, on="customer_id").filter(
        (pl.col("published_on") < pl.col("default_date"))
        & (pl.col("published_on") > pl.col("default_date").dt.offset_by("-9mo"))
    )
    assert before.height > 20
    assert before["margin"].median() < frame["margin"].median() - 0.02


def test_some_yearly_statements_are_restated_months_later_and_still_add_up(book: SimulatedBook) -> None:
    key = ["customer_id", "period_end"]
    restated = book["statements.restated"]
    both = restated.join(book["statements"], on=key, suffix="_first")
    assert both.height == restated.height > 20
    assert (both["published_on"] >= both["published_on_first"].dt.offset_by("90d")).all()
    assert (both["equity"] < both["equity_first"]).all()
    assert (both["cash"] == both["cash_first"]).all()
    assert (restated["total_assets"] - restated["total_liabilities"] - restated["equity"]).abs().max() < 0.01
    assert (restated["audited"] & (restated["months"] == 12)).all()


def test_vat_invoices_come_from_a_third_of_corporates_and_follow_revenue(book: SimulatedBook) -> None:
    invoices = book["sme_invoices"]
    customers = invoices["customer_id"].n_unique()
    assert 70 <= customers <= 140
    months = invoices.group_by("customer_id", pl.col("issued_on").dt.truncate("1mo")).len()
    assert 8 <= months["len"].mean() <= 30
    assert set(invoices["status"]) == {"valid", "void"}
    assert (invoices["amount"] < 0).sum() > 100
    sales = (
        invoices.filter((pl.col("direction") == "sale") & (pl.col("amount") > 0))
        .group_by(
            "customer_id",
            pl.col("issued_on").dt.quarter().alias("q"),
            pl.col("issued_on").dt.year().alias("y"),
        )
        .agg(pl.col("amount").sum())
        .filter(pl.col("q") == 1)
    )
    revenue = (
        book["statements"]
        .filter(pl.col("months") == 3)
        .select("customer_id", pl.col("period_end").dt.year().alias("y"), "revenue")
    )
    share = sales.join(revenue, on=["customer_id", "y"]).select(pl.col("amount") / pl.col("revenue"))[
        "amount"
    ]
    assert 0.9 < share.median() < 1.1
