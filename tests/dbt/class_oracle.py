"""Class and default of a customer's facilities, day by day from docs/domain.md: slow, plain, no SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from tests.dbt import oracle
from tests.dbt.oracle import Account

CLASSES = ("pass", "special_mention", "substandard", "doubtful", "loss")
SUBSTANDARD = 2
ALWAYS = date(1900, 1, 1)


@dataclass
class Claim:
    """A facility: what happened on it, spells of a class by hand of substandard, and how it ended."""

    account: Account
    by_hand: list[tuple[date, date]] = field(default_factory=list)
    closed_on: date | None = None
    written_off_on: date | None = None


@dataclass(frozen=True)
class Report:
    pulled_on: date
    debt: int
    debt_past_90: int


@dataclass
class Customer:
    customer_id: str
    is_firm: bool
    claims: list[Claim]
    reports: list[Report] = field(default_factory=list)


@dataclass(frozen=True)
class Standing:
    """What a facility is on a day; ``is_here`` says whether it is owed on or may be drawn."""

    class5: str
    reason: str | None
    is_default: bool
    is_here: bool


class _State:
    """A claim and what each of the rules remembers of it."""

    def __init__(self, claim: Claim, as_of: date) -> None:
        self.claim, self.account = claim, claim.account
        self.left_on = _left_on(claim, as_of)
        self.days = 0
        self.clean_from: date | None = ALWAYS
        # Non-performing on its own account: since when it is clean, and whether it only waits for others.
        self.is_non_performing = self.waits = False
        self.own_clean: date | None = None
        # Tainted at the last month end, by what, and whether by a cause; held by contagion until upgraded.
        self.tainted_by: str | None = None
        self.has_cause = False
        self.is_held = False
        self.held_clean: date | None = None
        self.own_default = False
        self.default_clean: date | None = ALWAYS
        self.is_pulled = self.pulled_now = self.pulled_by_cause = False
        self.pulled_clean: date | None = ALWAYS

    def is_lost(self, day: date) -> bool:
        return self.claim.written_off_on is not None and self.claim.written_off_on <= day

    def is_here(self, day: date) -> bool:
        return self.account.opened_on <= day and (self.left_on is None or day < self.left_on)

    def balance(self, day: date) -> int:
        owed = oracle.loan_balance if self.account.product_type.endswith("loan") else oracle.trade_balance
        return owed(self.account, day)

    def is_by_hand(self, day: date) -> bool:
        is_gone = self.left_on is not None and day >= self.left_on
        return not is_gone and any(begin <= day < end for begin, end in self.claim.by_hand)

    def is_dirty(self, day: date) -> bool:
        return self.days > 0 or self.is_by_hand(day) or self.is_lost(day)

    def is_bad(self) -> bool:
        return self.is_non_performing or self.is_held or self.tainted_by is not None


def _left_on(claim: Claim, as_of: date) -> date | None:
    if claim.written_off_on:
        return claim.written_off_on
    repaid = oracle.repaid_on(claim.account, as_of)
    if repaid or claim.closed_on is None or claim.closed_on > as_of:
        return repaid
    days = oracle.settled_on(claim.account, as_of)
    settled = [days[item.due_item_id] for item in claim.account.due_items if item.amount > 0]
    if any(day is None for day in settled):
        return None
    return max([claim.closed_on, *(day for day in settled if day)])


def standings(customer: Customer, as_of: date) -> Iterator[tuple[str, date, Standing]]:
    """Facility, day and standing of every month end up to ``as_of``, and of that day."""
    states = [_State(claim, as_of) for claim in customer.claims]
    day = min(state.account.opened_on for state in states)
    while day <= as_of:
        opened = [state for state in states if state.account.opened_on <= day]
        is_month_end = (day + timedelta(days=1)).day == 1
        for state in opened:
            state.days = oracle.days_past_due(state.account, day, undisputed=True)
            _own(state, day)
        _release(opened, day)
        if is_month_end:
            _taint(customer, opened, day)
        for state in opened:
            _hold(state, day)
            _default(state, day)
        if is_month_end:
            _pull(customer, opened, day)
        for state in opened:
            _cure_pulled(state, day)
        if is_month_end or day == as_of:
            in_default = customer.is_firm and any(_counts(state, day) for state in opened)
            for state in opened:
                own = state.own_default or state.is_pulled
                yield (
                    state.account.facility_id,
                    day,
                    _standing(state, day, in_default if customer.is_firm else own),
                )
        day += timedelta(days=1)


def _own(state: _State, day: date) -> None:
    is_struck = state.days > 90 or state.is_by_hand(day) or state.is_lost(day)
    if is_struck and (not state.is_non_performing or state.waits):
        state.is_non_performing, state.waits, state.own_clean = True, False, None
    if state.is_non_performing and not state.waits:
        state.own_clean = None if state.is_dirty(day) else state.own_clean or day
        if state.own_clean and day >= oracle.upgraded_on(state.account, state.own_clean):
            state.waits = True


def _release(states: list[_State], day: date) -> None:
    """While a claim of the customer is non-performing, none is upgraded."""
    if not any(s.is_non_performing and not s.waits and s.is_here(day) for s in states):
        for state in states:
            if state.waits:
                state.is_non_performing = state.waits = False


def _taint(customer: Customer, states: list[_State], day: date) -> None:
    here = [state for state in states if state.is_here(day)]
    for state in states:
        state.tainted_by, state.has_cause = None, False
    if not customer.is_firm:
        return
    owed = sum(state.balance(day) for state in here)
    bad = sum(state.balance(day) for state in here if state.is_non_performing)
    cause = sum(state.balance(day) for state in here if state.is_non_performing and state.is_dirty(day))
    past_90 = sum(state.balance(day) for state in here if state.days > 90)
    reports = [each for each in customer.reports if 0 <= (day - each.pulled_on).days <= 90]
    latest = max(reports, key=lambda each: each.pulled_on, default=None)
    elsewhere = latest is not None and 5 * (past_90 + latest.debt_past_90) > owed + latest.debt
    for state in here:
        if state.is_non_performing:
            continue
        if 10 * bad > owed or 10 * cause > owed:
            state.tainted_by = "contagion_here"
        elif elsewhere:
            state.tainted_by = "contagion_elsewhere"
        state.has_cause = 10 * cause > owed or elsewhere


def _hold(state: _State, day: date) -> None:
    """By contagion, until its cause is over for as long as an upgrade takes."""
    state.is_held = state.is_held or state.has_cause
    if state.is_held:
        dirty = state.is_dirty(day) or state.has_cause
        state.held_clean = None if dirty else state.held_clean or day
        if state.held_clean and day >= oracle.upgraded_on(state.account, state.held_clean):
            state.is_held, state.held_clean = False, None


def _default(state: _State, day: date) -> None:
    dirty = state.is_dirty(day) or state.has_cause
    state.default_clean = None if dirty else state.default_clean or day
    if state.is_bad():
        state.own_default = True
    elif state.own_default and state.default_clean and day >= state.default_clean + timedelta(days=89):
        state.own_default = False


def _pull(customer: Customer, states: list[_State], day: date) -> None:
    for state in states:
        state.pulled_now = state.pulled_by_cause = False
    if customer.is_firm:
        return
    here = [state for state in states if state.is_here(day)]
    owed = sum(state.balance(day) for state in here)
    bad = sum(state.balance(day) for state in here if state.own_default)
    cause = sum(state.balance(day) for state in here if state.own_default and state.is_dirty(day))
    for state in here:
        if not state.own_default:
            state.pulled_now = 5 * bad > owed or 5 * cause > owed
            state.pulled_by_cause = 5 * cause > owed


def _cure_pulled(state: _State, day: date) -> None:
    dirty = state.is_dirty(day) or state.pulled_by_cause
    state.pulled_clean = None if dirty else state.pulled_clean or day
    if state.pulled_now:
        state.is_pulled = True
    elif state.is_pulled and state.pulled_clean and day >= state.pulled_clean + timedelta(days=89):
        state.is_pulled = False


def _counts(state: _State, day: date) -> bool:
    """Whether a firm's claim in default puts all in default; one that is repaid, until it would be cured."""
    if not state.own_default or state.is_here(day) or state.is_lost(day):
        return state.own_default
    if state.left_on is None or state.default_clean is None:
        return True
    return day < max(state.left_on, state.default_clean + timedelta(days=89))


def _standing(state: _State, day: date, is_default: bool) -> Standing:
    if state.is_lost(day):
        return Standing("loss", "written_off", is_default, False)
    limits = (0, 90, 120, 180) if state.account.product_type == "revolving_card" else (0, 90, 270, 360)
    by_days = sum(state.days > limit for limit in limits)
    rank = max(by_days, SUBSTANDARD if state.is_by_hand(day) or state.is_bad() else 0)
    if by_days >= SUBSTANDARD:
        reason: str | None = "days"
    elif state.is_by_hand(day):
        reason = "manual"
    elif state.tainted_by:
        reason = state.tainted_by
    elif state.is_bad():
        reason = "upgrade_wait"
    else:
        reason = "days" if by_days else None
    return Standing(CLASSES[rank], reason, is_default, state.is_here(day))
