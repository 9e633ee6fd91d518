"""Random accounts full of what makes settlement hard, and their rows in raw form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from tests.dbt.oracle import Account, Dispute, DueItem, Payment
from tests.dbt.raw_rows import facility

PRODUCT_TYPES = ("instalment_loan", "term_loan", "revolving_card", "trade_credit")
FIRST_DAY = date(2024, 1, 1)


def random_account(random: Random, number: int, first_day: date = FIRST_DAY) -> Account:
    """One account opened within 90 days with up to 14 dues and up to 20 payments within 500 days.

    Amounts come from a small set, so that sums meet to the cent; reversals, payments by name, red-letter
    items, zero amounts, several events on one day, overpayments and disputes all occur.
    """
    product_type = random.choice(PRODUCT_TYPES)
    opened_on = first_day + timedelta(days=random.randrange(90))
    account = Account(f"F{number:05d}", product_type, opened_on)
    is_loan = product_type.endswith("loan")
    amounts = [random.choice((1, 2, 100, 5000, 10000, 10001)) for _ in range(3)]
    due = opened_on
    for item_number in range(random.randrange(15)):
        due = due + timedelta(days=random.choice((0, 1, 20, 28, 30, 31, 31, 45)))
        amount = random.choice(amounts)
        if random.random() < {"trade_credit": 0.12}.get(product_type, 0.03 if is_loan else 0):
            amount = -amount
        elif not is_loan and random.random() < 0.03 and product_type != "trade_credit":
            amount = 0
        issued_on = max(opened_on, due - timedelta(days=random.choice((0, 10, 30, 60))))
        account.due_items.append(
            DueItem(
                due_item_id=f"{account.facility_id}-{item_number:02d}",
                due_date=due,
                amount=amount,
                issued_on=opened_on if is_loan else issued_on,
                principal=None if not is_loan else amount - amount // 10 if amount > 0 else amount,
            )
        )
    if is_loan and account.due_items:
        account.principal = sum(item.principal or 0 for item in account.due_items if item.amount > 0)
    account.payments = list(_payments(random, account))
    account.disputes = list(_disputes(random, account))
    return account


def _payments(random: Random, account: Account) -> Iterator[Payment]:
    made: list[Payment] = []
    positive = [item for item in account.due_items if item.amount > 0]
    for number in range(random.randrange(20) if positive else random.randrange(2)):
        day = account.opened_on + timedelta(days=random.choice((0, 15, 30, 31, 60, 90, 120, 200, 300, 420)))
        busy_days = [item.due_date for item in positive] + [payment.value_date for payment in made]
        day = random.choice([day, *busy_days])
        day = day + timedelta(days=random.choice((0, 0, 0, 1, 2, 35)))
        item = random.choice(positive) if positive else None
        owed = item.amount if item else 100
        identifier = f"{account.facility_id}-P{number:02d}"
        reversible = [p for p in made if p.amount > 0]
        if reversible and random.random() < 0.2:
            target = random.choice(reversible)
            day = max(day, target.value_date)
            made.append(Payment(identifier, day, -target.amount, reverses=target.payment_id))
        else:
            amount = random.choice((owed, owed, owed, owed // 2, owed - 1, owed - 2, owed + 1, owed * 3))
            amount = max(amount, 1)
            names = item.due_item_id if item and random.random() < 0.5 else None
            made.append(Payment(identifier, day, amount, names=names))
    yield from made


def _disputes(random: Random, account: Account) -> Iterator[Dispute]:
    for item in account.due_items:
        if item.amount > 0 and random.random() < 0.04:
            opened_on = item.due_date + timedelta(days=random.choice((-5, 0, 1, 30, 90, 91, 100)))
            lasts = random.choice((None, 0, 1, 20, 90, 200))
            closed_on = None if lasts is None else opened_on + timedelta(days=lasts)
            yield Dispute(item.due_item_id, opened_on, closed_on)


def money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def raw_rows(accounts: list[Account]) -> dict[str, list[dict[str, Any]]]:
    """Rows of facilities, due items, payments and disputes; products are named after their type."""
    facilities = [
        facility(
            account.facility_id,
            f"C{account.facility_id}",
            account.product_type,
            account.opened_on,
            principal=None if account.principal is None else money(account.principal),
        )
        for account in accounts
    ]
    due_items = [
        {
            "due_item_id": item.due_item_id,
            "facility_id": account.facility_id,
            "kind": "instalment",
            "issued_on": item.issued_on,
            "due_date": item.due_date,
            "amount_due": money(item.amount),
            "principal": None if item.principal is None else money(item.principal),
            "currency": "CNY",
        }
        for account in accounts
        for item in account.due_items
    ]
    payments = [
        {
            "payment_id": payment.payment_id,
            "facility_id": account.facility_id,
            "due_item_id": payment.names,
            "value_date": payment.value_date,
            "amount": money(payment.amount),
            "currency": "CNY",
            "reverses_payment_id": payment.reverses,
        }
        for account in accounts
        for payment in account.payments
    ]
    disputes = [
        {
            "dispute_id": f"X{dispute.due_item_id}",
            "due_item_id": dispute.due_item_id,
            "opened_on": dispute.opened_on,
            "closed_on": dispute.closed_on,
            "amount": money(1),
        }
        for account in accounts
        for dispute in account.disputes
    ]
    return {"facilities": facilities, "due_items": due_items, "payments": payments, "disputes": disputes}
