"""Due items and payments: exact schedules, and every kind of payment a warehouse has to stand."""

from __future__ import annotations

import polars as pl

from tests.unit.simulate.simulated_book import SimulatedBook


def cents(column: str) -> pl.Expr:
    return (pl.col(column) * 100).round().cast(pl.Int64)


def test_instalments_repay_the_principal_exactly_and_reach_maturity(book: SimulatedBook) -> None:
    loans = book.opened().filter(pl.col("principal").is_not_null())
    items = book["due_items"].filter(pl.col("kind") == "instalment")
    repaid = items.group_by("facility_id").agg(cents("principal").sum().alias("repaid"))
    both = loans.join(repaid, on="facility_id", how="left")
    assert (both["repaid"] == both.select(cents("principal"))["principal"]).all()
    parts = book["due_items"].select(
        cents("amount_due").alias("whole"),
        (cents("principal") + cents("interest") + cents("fee")).alias("parts"),
    )
    assert (parts["whole"] == parts["parts"]).all()
    running = loans.join(
        book["facilities"].filter(pl.col("closed_on").is_not_null()), on="facility_id", how="anti"
    )
    assert items.join(running, on="facility_id", how="semi")["due_date"].max() > book.summary.as_of


def test_equal_instalments_for_retail_and_equal_principals_for_corporates(book: SimulatedBook) -> None:
    items = (
        book["due_items"]
        .filter(pl.col("kind") == "instalment")
        .join(book.opened().select("facility_id", "segment"), on="facility_id")
    )
    inner = items.group_by("segment", "facility_id", maintain_order=True).agg(
        pl.col("amount_due").slice(0, pl.len() - 1).n_unique().alias("amounts"),
        pl.col("principal").slice(0, pl.len() - 1).n_unique().alias("principals"),
    )
    assert inner.filter(pl.col("segment") == "retail")["amounts"].max() == 1
    assert inner.filter(pl.col("segment") == "corporate")["principals"].max() == 1


def test_repaid_loans_have_received_exactly_what_was_due(book: SimulatedBook) -> None:
    closed = (
        book["facilities"]
        .filter(pl.col("status") == "closed")
        .join(book.opened().filter(pl.col("principal").is_not_null()), on="facility_id", how="semi")
    )
    due = book["due_items"].group_by("facility_id").agg(cents("amount_due").sum())
    paid = book["payments"].group_by("facility_id").agg(cents("amount").sum(), pl.col("value_date").max())
    both = closed.join(due, on="facility_id").join(paid, on="facility_id")
    assert both.height > 300
    assert (both["amount_due"] == both["amount"]).all()
    assert (both["closed_on"] == both["value_date"]).all()


def test_a_reversal_takes_back_one_earlier_payment_of_its_facility(book: SimulatedBook) -> None:
    payments = book["payments"]
    reversals = payments.filter(pl.col("reverses_payment_id").is_not_null())
    both = reversals.join(payments, left_on="reverses_payment_id", right_on="payment_id", suffix="_origin")
    assert both.height == reversals.height > 50
    assert reversals["reverses_payment_id"].is_unique().all()
    assert (both["amount"] == -both["amount_origin"]).all()
    assert (both["facility_id"] == both["facility_id_origin"]).all()
    assert (both["value_date"] > both["value_date_origin"]).all()
    assert (payments.filter(pl.col("reverses_payment_id").is_null())["amount"] > 0).all()


def test_every_kind_of_payment_occurs(book: SimulatedBook) -> None:
    payments = book["payments"]
    due_items = book["due_items"]
    assert payments.filter(pl.col("payer") == "third_party").height > 500
    booked_on = payments["booked_at"].dt.offset_by("8h").dt.date()
    assert (booked_on >= payments["value_date"]).all()
    assert (booked_on > payments["value_date"]).sum() > 1000
    trade = payments.join(book.opened().filter(pl.col("segment") == "trade"), on="facility_id", how="semi")
    assert 0.6 < trade["due_item_id"].is_not_null().mean() < 1
    named = payments.drop_nulls("due_item_id").join(due_items, on="due_item_id")
    assert (named["facility_id"] == named["facility_id_right"]).all()
    red = due_items.filter(pl.col("amount_due") < 0)
    assert red.height > 20
    assert (red["issued_on"] == red["due_date"]).all()
    assert set(due_items["kind"].unique()) == {"instalment", "statement", "invoice", "fee"}
    # A payment below the instalment is partial; credit left after a payment is an overpayment.
    single = payments.join(book.opened().filter(pl.col("product_id") == "IL01"), on="facility_id", how="semi")
    instalment = (
        due_items.filter(pl.col("kind") == "instalment")
        .group_by("facility_id")
        .agg(pl.col("amount_due").first())
    )
    share = single.join(instalment, on="facility_id").select(pl.col("amount") / pl.col("amount_due"))[
        "amount"
    ]
    assert share.is_between(0.05, 0.95).sum() > 100
    assert share.is_between(1.04, 1.31).sum() > 20


def test_cards_owe_the_minimum_payment_and_report_balance_limit_and_all_that_was_paid(
    book: SimulatedBook,
) -> None:
    snapshots = book["facility_snapshots"]
    cards = book.opened().filter(pl.col("product_id").str.starts_with("RC"))
    assert set(snapshots["facility_id"]) <= set(cards["facility_id"])
    assert snapshots["dpd"].null_count() == snapshots["months_past_due"].null_count() == snapshots.height
    assert (snapshots["month_end"].dt.month_end() == snapshots["month_end"]).all()
    items = book["due_items"].filter(pl.col("kind") == "statement")
    assert (items["amount_due"] >= 50).all()
    last = items.filter(pl.col("due_date") > book.summary.as_of)
    assert (last["issued_on"] <= book.summary.as_of).all()
    collected = (
        book["payments"]
        .with_columns(pl.col("value_date").dt.month_end().alias("month_end"))
        .group_by("facility_id", "month_end")
        .agg(pl.col("amount").sum())
    )
    both = snapshots.join(collected, on=["facility_id", "month_end"])
    assert (both["amount_paid"] >= both["amount"] - 0.005).all()
    assert (both["amount_paid"] > both["amount"] + 1).mean() > 0.3


def test_balances_follow_their_rule(book: SimulatedBook) -> None:
    """Loans: principal not settled, what is paid on an item going to interest first. Invoices: issued less
    money. At least 0; nothing once closed or written off.
    """
    truth = book["truth/facility_month"].join(
        book.opened().select("facility_id", "product_id"), on="facility_id"
    )
    truth = truth.filter(~pl.col("status").is_in(["closed", "written_off"]))
    ends = truth.select("month_end").unique().sort("month_end")["month_end"].to_list()
    ordered = book["due_items"].sort("facility_id", "due_date", "due_item_id")
    items = ordered.select(
        "facility_id", "kind", "issued_on", cents("amount_due").alias("due"), cents("principal").fill_null(0)
    ).with_columns(pl.col("due").cum_sum().over("facility_id").alias("through"))
    for end in (ends[40], ends[60], ends[-1]):
        rows = truth.filter((pl.col("month_end") == end) & ~pl.col("product_id").str.starts_with("RC"))
        paid = (
            book["payments"]
            .filter(pl.col("value_date") <= end)
            .group_by("facility_id")
            .agg(cents("amount").sum().alias("paid"))
        )
        states = items.join(paid, on="facility_id", how="left").with_columns(pl.col("paid").fill_null(0))
        on_item = (pl.col("paid") - pl.col("through") + pl.col("due")).clip(0, pl.col("due"))
        settled = (
            pl.when(pl.col("paid") >= pl.col("through") - 1)
            .then(pl.col("principal"))
            .otherwise((on_item - pl.col("due") + pl.col("principal")).clip(0))
        )
        is_trade = (pl.col("kind") == "invoice").any()
        issued = pl.col("due").filter(pl.col("issued_on") <= end).sum() - pl.col("paid").first()
        owed = states.group_by("facility_id").agg(
            pl.when(is_trade)
            .then(issued)
            .otherwise((pl.col("principal") - settled).sum())
            .clip(0)
            .alias("owed")
        )
        compared = rows.join(owed, on="facility_id", how="left").select(
            cents("balance"), pl.col("owed").fill_null(0)
        )
        assert compared.height > 500
        assert (compared["balance"] == compared["owed"]).all()


def test_a_facility_row_tells_nothing_that_happened_later(book: SimulatedBook) -> None:
    rows = book["facilities"]
    first = rows.unique("facility_id", keep="first", maintain_order=True)
    assert (first["effective_date"] == first["opened_on"]).all()
    assert first["closed_on"].null_count() == first.height
    assert set(first["status"]) == {"active"}
    ended = rows.drop_nulls("closed_on")
    assert (ended["effective_date"] == ended["closed_on"]).all()
    assert set(rows["status"]) == {"active", "closed", "written_off", "restructured"}


def test_collection_follows_arrears_and_promises_follow_calls(book: SimulatedBook) -> None:
    actions = book["collection_actions"]
    states = book["truth/facility_month"].select("facility_id", "month_end", "dpd")
    joined = actions.with_columns(
        pl.col("acted_at").dt.offset_by("8h").dt.date().dt.month_end().alias("month_end")
    ).join(states, on=["facility_id", "month_end"], how="left")
    assert (joined["dpd"] > 0).mean() > 0.8
    legal = joined.filter((pl.col("action") == "legal") & (pl.col("dpd") > 0))
    assert (legal["dpd"] > 90).all()
    calls = actions.filter(pl.col("result") == "promised").select(
        "facility_id", pl.col("acted_at").dt.offset_by("8h").dt.date().alias("promised_on")
    )
    unheard = book["promises"].join(calls, on=["facility_id", "promised_on"], how="anti")
    assert unheard.is_empty()
