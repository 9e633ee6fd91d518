"""Facilities as planned: who opens what, when, for how much and for how long.

Plans are made for everybody; the behaviour of :mod:`creditops.simulate.book.behaviour` then refuses
those whose customer is past due or has defaulted when the facility would open.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from creditops.simulate.book.events import PartnerFraud
from creditops.simulate.book.facility_plan import OPEN_ENDED, FacilityPlan
from creditops.simulate.book.products import CARD, INSTALMENT, INVOICE, TERM
from creditops.simulate.world.arrays import Bools, Floats, Ints
from creditops.simulate.world.calendar import SEASONING_MONTHS, MonthGrid
from creditops.simulate.world.parameters import CORPORATE, TRADE
from creditops.simulate.world.population import Population
from creditops.simulate.world.randomness import stream

_RETAIL_TERMS, _RETAIL_TERM_SHARE = np.array([6, 12, 18, 24, 36]), np.array([0.1, 0.32, 0.18, 0.25, 0.15])
_CORPORATE_TERMS, _CORPORATE_TERM_SHARE = np.array([12, 24, 36, 60]), np.array([0.35, 0.3, 0.25, 0.1])
_TRADE_TERMS = np.array([30, 45, 60, 90])
_RENEWALS = 5


def plan_facilities(seed: int, grid: MonthGrid, population: Population, fraud: PartnerFraud) -> FacilityPlan:
    """Plan all facilities of the book, ordered by customer and opening day."""
    rng = stream(seed, "origination")
    start = _first_months(rng, grid, population)
    in_fraud = np.zeros(population.size, dtype=bool)
    in_fraud[fraud.customers] = True
    start[fraud.customers] = fraud.months
    retail_loans = np.flatnonzero(population.has_loan)
    corporates = population.members(CORPORATE)
    parts = [
        _loans(rng, grid, population, retail_loans, start, in_fraud),
        _loans(rng, grid, population, corporates, start, in_fraud),
        _cards(rng, grid, population, start),
        _trade_accounts(rng, grid, population, start),
    ]
    joined = FacilityPlan(
        **{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(FacilityPlan)}
    )
    joined.partner[in_fraud[joined.customer]] = fraud.partner
    return joined.take(np.lexsort((joined.opened_on, joined.customer)))


def _first_months(rng: np.random.Generator, grid: MonthGrid, population: Population) -> Ints:
    seasoned = rng.random(population.size) < np.array([0.60, 0.68, 0.75])[population.segment]
    early = rng.integers(0, SEASONING_MONTHS, population.size)
    late = rng.integers(SEASONING_MONTHS, max(SEASONING_MONTHS + 1, grid.count - 1), population.size)
    return np.where(seasoned, early, late)


def _loans(
    rng: np.random.Generator,
    grid: MonthGrid,
    population: Population,
    borrowers: Ints,
    start: Ints,
    in_fraud: Bools,
) -> FacilityPlan:
    """First loans, loans side by side, and renewals after maturity."""
    corporate = bool(borrowers.size) and int(population.segment[borrowers[0]]) == CORPORATE
    terms, shares = (
        (_CORPORATE_TERMS, _CORPORATE_TERM_SHARE) if corporate else (_RETAIL_TERMS, _RETAIL_TERM_SHARE)
    )
    renewal = 0.75 if corporate else 0.5
    beside = borrowers[(rng.random(borrowers.size) < 0.25) & ~in_fraud[borrowers]]
    customer = np.concatenate([borrowers, beside])
    opening = np.concatenate([start[borrowers], start[beside] + rng.integers(2, 14, beside.size)])
    delayed = population.has_card[customer] & ~in_fraud[customer]
    opening = opening + delayed * rng.integers(0, 12, customer.size)
    customers, openings, lengths = [], [], []
    for _ in range(_RENEWALS):
        term = rng.choice(terms, customer.size, p=shares)
        customers.append(customer)
        openings.append(opening)
        lengths.append(term)
        again = (rng.random(customer.size) < renewal) & ~in_fraud[customer]
        gap = rng.integers(1, 6, customer.size)
        customer, opening = customer[again], (opening + term + gap)[again]
    customer, opening, term = (np.concatenate(part) for part in (customers, openings, lengths))
    begun = opening < grid.count
    customer, opening, term = customer[begun], opening[begun], term[begun]
    n = customer.size
    partner = np.where(rng.random(n) < 0.8, population.partner[customer], -1)
    second = rng.random(n) < (0.3 if corporate else 0.15)
    product = 4 + second if corporate else np.where(partner >= 0, np.where(second, 0, 1), 0)
    early = (rng.random(n) < 0.08) & ~in_fraud[customer]
    early_end = np.where(early, opening + 1 + (term * (0.3 + 0.6 * rng.random(n))).astype(np.int64), -1)
    size = rng.normal(0.0, 0.45, n)
    if corporate:
        principal = population.annual_revenue[customer] * np.exp(size) * 0.12
    else:
        principal = population.income[customer] * np.exp(size) * (1.2 + term / 7)
    return FacilityPlan(
        customer=customer,
        kind=np.full(n, TERM if corporate else INSTALMENT),
        product=product.astype(np.int64),
        partner=partner,
        open_month=opening,
        opened_on=grid.day(opening, rng.integers(1, 29, n)),
        due_day=rng.integers(5, 26, n),
        first_due=opening + 1,
        last_due=opening + term,
        early_end=np.where(early_end < opening + term, early_end, -1),
        principal=_round_to(principal, 10_000_000 if corporate else 100_000),
        credit_limit=np.full(n, -1),
        secured=second & corporate,
        dormant=np.zeros(n, dtype=bool),
        terms_days=np.zeros(n, dtype=np.int64),
        raise_month=np.full(n, -1),
    )


def _cards(rng: np.random.Generator, grid: MonthGrid, population: Population, start: Ints) -> FacilityPlan:
    customer = np.flatnonzero(population.has_card)
    n = customer.size
    opening = start[customer]
    closes = rng.random(n) < 0.10
    gold = population.affluence[customer] > 0.9
    limit = population.income[customer] * np.exp(rng.normal(0.9, 0.35, n)) * (1 + 0.5 * gold)
    raised = rng.random(n) < 0.15
    return FacilityPlan(
        customer=customer,
        kind=np.full(n, CARD),
        product=2 + gold.astype(np.int64),
        partner=np.where(rng.random(n) < 0.4, population.partner[customer], -1),
        open_month=opening,
        opened_on=grid.day(opening, rng.integers(1, 29, n)),
        due_day=rng.integers(5, 26, n),
        first_due=opening + 1,
        last_due=np.where(closes, opening + rng.integers(10, 50, n), OPEN_ENDED),
        early_end=np.full(n, -1),
        principal=np.full(n, -1),
        credit_limit=_round_to(limit, 100_000),
        secured=np.zeros(n, dtype=bool),
        dormant=~population.has_loan[customer] & (rng.random(n) < 0.03),
        terms_days=np.zeros(n, dtype=np.int64),
        raise_month=np.where(raised, opening + rng.integers(9, 40, n), -1),
    )


def _trade_accounts(
    rng: np.random.Generator, grid: MonthGrid, population: Population, start: Ints
) -> FacilityPlan:
    customer = population.members(TRADE)
    n = customer.size
    terms = rng.choice(_TRADE_TERMS, n)
    opening = start[customer]
    return FacilityPlan(
        customer=customer,
        kind=np.full(n, INVOICE),
        product=np.full(n, 6),
        partner=np.full(n, -1),
        open_month=opening,
        opened_on=grid.day(opening, rng.integers(1, 29, n)),
        due_day=np.full(n, 6),
        first_due=opening + 2 + terms // 30,
        last_due=np.full(n, OPEN_ENDED),
        early_end=np.full(n, -1),
        principal=np.full(n, -1),
        credit_limit=_round_to(population.annual_revenue[customer] * 0.02 * (1 + terms / 60), 1_000_000),
        secured=np.zeros(n, dtype=bool),
        dormant=np.zeros(n, dtype=bool),
        terms_days=terms,
        raise_month=np.full(n, -1),
    )


def _round_to(amount: Floats, unit: int) -> Ints:
    """Round to a whole, positive multiple of ``unit`` cents."""
    return np.maximum(1, np.rint(amount / unit)).astype(np.int64) * unit
