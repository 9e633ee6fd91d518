"""Injected events leave the traces that a warning rule could find."""

from __future__ import annotations

import polars as pl

from tests.unit.simulate.simulated_book import SimulatedBook


def of_kind(book: SimulatedBook, kind: str) -> pl.DataFrame:
    return book["truth/injected_events"].filter(pl.col("kind") == kind)


def test_every_kind_of_event_is_injected_inside_the_window(book: SimulatedBook) -> None:
    events = book["truth/injected_events"]
    assert set(events["kind"]) == {
        "sales_crash",
        "partner_fraud",
        "group_contagion",
        "bureau_default_elsewhere",
    }
    window_start = book.summary.as_of.replace(year=book.summary.as_of.year - 3)
    assert events["event_date"].min() > window_start
    assert events["event_date"].max() < book.summary.as_of


def test_a_sales_crash_shows_in_the_statements(book: SimulatedBook) -> None:
    revenue = book["statements"].select("customer_id", "period_end", "months", "revenue").sort("period_end")
    yearly = revenue.with_columns(
        (pl.col("revenue") / pl.col("revenue").shift(1).over("customer_id", "months") - 1).alias("growth")
    ).drop_nulls("growth")
    crashed = of_kind(book, "sales_crash").select("customer_id", "event_date").join(yearly, on="customer_id")
    after = crashed.filter(
        (pl.col("period_end") > pl.col("event_date").dt.offset_by("5mo"))
        & (pl.col("period_end") < pl.col("event_date").dt.offset_by("13mo"))
    )
    worst = after.group_by("customer_id").agg(pl.col("growth").min())
    assert worst.height >= 3
    assert (worst["growth"] < -0.3).all()
    assert yearly["growth"].median() > -0.05


def test_partner_fraud_shows_as_first_payment_default(book: SimulatedBook) -> None:
    event = of_kind(book, "partner_fraud").row(0, named=True)
    loans = book.opened().filter(pl.col("product_id").str.starts_with("IL"))
    first_due = (
        book["due_items"]
        .filter(pl.col("kind") == "instalment")
        .group_by("facility_id")
        .agg(pl.col("due_date").min())
    )
    month = pl.col("due_date").dt.offset_by("1mo").dt.month_end()
    state = book["truth/facility_month"].select("facility_id", "month_end", "dpd")
    fpd = (
        loans.join(first_due, on="facility_id")
        .with_columns(month.alias("month_end"))
        .join(state, on=["facility_id", "month_end"])
        .with_columns((pl.col("dpd") > 30).alias("fpd"))
    )
    struck = (pl.col("partner_id") == event["partner_id"]) & pl.col("opened_on").is_between(
        event["event_date"], pl.lit(event["event_date"]).dt.offset_by("3mo")
    )
    assert fpd.filter(struck)["fpd"].mean() > 2 * fpd["fpd"].mean()
    assert event["customers_hit"] >= 10


def test_a_default_elsewhere_shows_in_the_next_bureau_reports(book: SimulatedBook) -> None:
    events = of_kind(book, "bureau_default_elsewhere").select("customer_id", "event_date")
    worst = (
        book["bureau_tradelines"]
        .with_columns(pl.col("status_now").replace("written_off", "8").cast(pl.Int64))
        .group_by("report_id")
        .agg(pl.col("status_now").max())
    )
    reports = book["bureau_reports"].filter(pl.col("hit")).join(worst, on="report_id")
    after = events.join(reports, on="customer_id").filter(
        (pl.col("pulled_on") > pl.col("event_date").dt.offset_by("1mo"))
        & (pl.col("pulled_on") < pl.col("event_date").dt.offset_by("8mo"))
    )
    seen = after.group_by("customer_id").agg(pl.col("status_now").max())
    assert seen.height >= 0.8 * events.height
    assert (seen["status_now"] >= 2).all()


def test_a_contagion_starts_with_the_default_of_the_groups_leader(book: SimulatedBook) -> None:
    contagion = of_kind(book, "group_contagion")
    defaults = (
        book["truth/default_dates"].select("customer_id", "default_date").unique("customer_id", keep="first")
    )
    both = contagion.join(defaults, on="customer_id")
    assert both.height == contagion.height > 0
    assert (both["default_date"] == both["event_date"]).all()
    group = dict(book["customers"].select("customer_id", "group_id").iter_rows())
    assert all(group[row["customer_id"]] == row["group_id"] for row in both.iter_rows(named=True))


def test_most_customers_struck_by_an_event_default_after_it(book: SimulatedBook) -> None:
    defaults = book["truth/default_dates"].select("customer_id", "default_date").unique("customer_id")
    struck = (
        book["truth/injected_events"].drop_nulls("customer_id").join(defaults, on="customer_id", how="left")
    )
    followed = (struck["default_date"] >= struck["event_date"]).fill_null(False)
    assert followed.mean() > 0.6
