"""Lets a block of customers live and makes its files: who they are, what they owe, pay and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from creditops.simulate.book import applications, products
from creditops.simulate.book.behaviour import Paths
from creditops.simulate.book.cards import card_balances, card_limits, snapshots
from creditops.simulate.book.collection import collection_tables
from creditops.simulate.book.due_items import KINDS, DueItems, card_items, join, loan_items, with_settlement
from creditops.simulate.book.events import Events
from creditops.simulate.book.facility_plan import FacilityPlan
from creditops.simulate.book.facility_states import FacilityStates, end_facilities, facility_rows
from creditops.simulate.book.payments import Payments, pay
from creditops.simulate.book.trade import dispute, invoices, opened
from creditops.simulate.outside import bureau
from creditops.simulate.outside.revenue import draw_revenue
from creditops.simulate.outside.sme_invoices import sme_invoices_table
from creditops.simulate.outside.statements import restated, statements_table
from creditops.simulate.outside.tradelines import draw_tradelines
from creditops.simulate.people.customers import customers_table, groups_table, registration_days
from creditops.simulate.truth.all_truth import FacilityTruth, customer_pd, facility_truth, owing_days
from creditops.simulate.truth.default_probability import true_probabilities
from creditops.simulate.truth.event_truth import injected_events
from creditops.simulate.world import economy
from creditops.simulate.world.calendar import MonthGrid
from creditops.simulate.world.population import Population

Write = Callable[[str, pl.DataFrame], None]
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class DrawnBook:
    """Everything drawn and lived through, before any file is made of it."""

    seed: int
    grid: MonthGrid
    economy: economy.Economy
    population: Population
    events: Events
    paths: Paths
    facilities: FacilityPlan


@dataclass(frozen=True)
class _Repayment:
    """The repayment history of a book."""

    items: DueItems
    payments: Payments
    disputes: pl.DataFrame
    states: FacilityStates
    limits: np.ndarray
    raised: np.ndarray
    balances: np.ndarray


def write_block(write: Write, drawn: DrawnBook) -> int:
    """Let a block of customers live and write its files; returns the first day of registration."""
    repayment = _repay(drawn)
    truth = facility_truth(
        drawn.grid,
        drawn.facilities,
        repayment.states,
        repayment.items,
        repayment.payments,
        repayment.disputes,
        repayment.balances,
    )
    founded = _write_reference(write, drawn, repayment)
    _write_repayment(write, drawn, repayment, truth)
    _write_financial(write, drawn)
    _write_bureau(write, drawn, repayment)
    _write_truth(write, drawn, truth)
    return founded


def _repay(book: DrawnBook) -> _Repayment:
    seed, grid, facilities, paths = book.seed, book.grid, book.facilities, book.paths
    limits, raised = card_limits(grid, facilities, paths)
    balances = card_balances(seed, grid, book.population, facilities, paths, limits)
    issued = (
        *loan_items(seed, grid, facilities),
        card_items(grid, facilities, paths, balances),
        invoices(seed, grid, book.population.annual_revenue, facilities, paths),
    )
    *others, trade = (with_settlement(grid, facilities, paths, part) for part in issued)
    trade, red, disputes = dispute(seed, grid, facilities, paths, trade)
    items, place = join([*others, trade, red])
    first = sum(part.size for part in others)
    disputes = disputes.with_columns(pl.Series("item", place[first + disputes["item"].to_numpy()]))
    payments = pay(seed, grid, facilities, paths, items)
    states = end_facilities(seed, grid, facilities, paths, items, payments)
    return _Repayment(items, payments, disputes, states, limits, raised, balances)


def _write_reference(write: Write, book: DrawnBook, repayment: _Repayment) -> int:
    seed, grid, facilities = book.seed, book.grid, book.facilities
    seconds, applied_on = applications.applied_seconds(seed, facilities)
    first_applied = np.full(book.population.size, grid.last_day)
    np.minimum.at(first_applied, facilities.customer, applied_on)
    registered_on = registration_days(seed, book.population, first_applied)
    founded = int(registered_on.min())
    write("customers", customers_table(seed, grid, book.population, registered_on))
    write("groups", groups_table(seed, book.population, registered_on))
    applied = applications.applications_table(seed, grid, book.population, facilities, seconds, registered_on)
    write("applications", applied)
    booked = applied.filter(pl.col("facility") >= 0).select("facility", "application").unique()
    frame = facility_rows(grid, facilities, repayment.states, repayment.limits, repayment.raised)
    write("facilities", frame.join(booked, on="facility", how="left", maintain_order="left"))
    return founded


def write_surroundings(
    write: Write, seed: int, grid: MonthGrid, surroundings: economy.Economy, founded: int
) -> None:
    """What all blocks share."""
    write("products", products.products_table(founded))
    write("partners", products.partners_table(founded))
    write("macro_series", economy.macro_series(seed, grid, surroundings))
    write("industry_series", economy.industry_series(grid, surroundings))
    write("competitor_products", products.competitor_products(seed, grid))


def _write_repayment(write: Write, book: DrawnBook, repayment: _Repayment, truth: FacilityTruth) -> None:
    seed, grid, facilities = book.seed, book.grid, book.facilities
    items, payments, states = repayment.items, repayment.payments, repayment.states
    write(
        "due_items",
        pl.DataFrame(
            {
                "item": np.arange(items.size),
                "facility": items.facility,
                "kind": pl.Series(items.kind).replace_strict(dict(enumerate(KINDS)), return_dtype=pl.String),
                "issued_on": items.issued_on,
                "due_on": items.due_on,
                "amount_due": items.amount,
                "principal": items.principal,
                "interest": items.interest,
                "fee": items.fee,
            }
        ),
    )
    write(
        "payments",
        pl.DataFrame(
            {
                "payment": np.arange(payments.size),
                "facility": payments.facility,
                "item": payments.item,
                "value_day": payments.value_day,
                "booked_at": payments.booked_day * _DAY_SECONDS + payments.booked_second - 8 * 3600,
                "amount": payments.amount,
                "reverses": payments.reverses,
                "third_party": payments.third_party,
            }
        ).with_columns(
            pl.when("third_party").then(pl.lit("third_party")).otherwise(pl.lit("customer")).alias("payer")
        ),
    )
    month = grid.month_of(payments.value_day)
    shape = (grid.count, facilities.size)
    weights = payments.amount.astype(np.float64)
    cell = month * facilities.size + payments.facility
    collected = np.bincount(cell, weights, shape[0] * shape[1]).astype(np.float64)
    cards = snapshots(
        seed,
        grid,
        book.population,
        facilities,
        book.paths,
        repayment.limits,
        repayment.balances,
        collected.reshape(shape),
        states.closed_on,
        states.written_off,
    )
    write("facility_snapshots", cards)
    disputes = repayment.disputes.with_row_index("dispute").cast({"dispute": pl.Int64})
    write("disputes", opened(disputes))
    write("disputes.resolved", disputes.filter(pl.col("closed_on") >= 0))
    late = truth.months.filter((pl.col("dpd") > 0) & pl.col("status").is_in(["active", "restructured"]))
    start = int(grid.start(np.array([grid.window_start]))[0])
    actions, promises = collection_tables(seed, late, start)
    write("collection_actions", actions)
    write("promises", promises.with_row_index("promise").cast({"promise": pl.Int64}))


def _write_financial(write: Write, book: DrawnBook) -> None:
    seed, grid = book.seed, book.grid
    revenue = draw_revenue(seed, grid, book.economy, book.population, book.paths, book.events)
    first = np.full(book.population.size, grid.count)
    np.minimum.at(first, book.facilities.customer, book.facilities.open_month)
    written_off = book.paths.written_off[revenue.customer]
    statements = statements_table(seed, grid, book.population, revenue, first[revenue.customer], written_off)
    write("statements", statements)
    write("statements.restated", restated(seed, grid, statements))
    crash_from = book.events.crash_from[revenue.customer]
    write("sme_invoices", sme_invoices_table(seed, grid, revenue, crash_from, written_off))


def _write_bureau(write: Write, book: DrawnBook, repayment: _Repayment) -> None:
    seed, grid, population, paths = book.seed, book.grid, book.population, book.paths
    lines = draw_tradelines(seed, grid, population, paths, book.events)
    first, last = owing_days(book.facilities, repayment.states, population.size)
    reports = bureau.pull_reports(seed, grid, population, paths, book.events, lines, first, last)
    write("bureau_reports", reports.table())
    write("bureau_tradelines", bureau.tradelines_table(seed, grid, paths, reports, lines))
    write("bureau_inquiries", bureau.inquiries_table(seed, grid, population, paths, reports))
    write("bureau_public_records", bureau.public_records_table(seed, grid, population, paths, reports))


def _write_truth(write: Write, book: DrawnBook, truth: FacilityTruth) -> None:
    grid, population = book.grid, book.population
    probabilities = true_probabilities(grid, book.economy, population.segment, book.paths)
    write("truth/customer_pd", customer_pd(grid, probabilities, truth.months))
    write("truth/facility_month", truth.months)
    write("truth/default_dates", truth.episodes)
    write("truth/cure_dates", truth.episodes.filter(pl.col("cured_on") >= 0))
    events, struck = injected_events(grid, population, book.facilities, book.events, truth.episodes)
    write("truth/injected_events", events)
    write("truth/event_customers", struck)
