"""The oracle itself, on the worked examples of docs/domain.md."""

from __future__ import annotations

from datetime import date

import pytest

from tests.audit.oracle_settlement import Account
from tests.audit.oracle_statements import Statement, z2
from tests.audit.sources import Row


def item(number: int, due: str, amount: str, kind: str = "instalment") -> Row:
    return {
        "due_item_id": f"D{number}", "kind": kind, "issued_on": "2025-01-01", "due_date": due,
        "amount_due": amount, "principal": amount,
    }  # fmt: skip


def payment(number: int, on: str, amount: str, names: str = "", reverses: str = "") -> Row:
    return {
        "payment_id": f"P{number}", "value_date": on, "amount": amount, "due_item_id": names,
        "reverses_payment_id": reverses,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("on", "dpd", "overdue"),
    [("2025-03-09", 37, 14000), ("2025-03-10", 10, 8000), ("2025-04-01", 32, 18000), ("2025-04-20", 0, 0)],
)
def test_payments_settle_the_oldest_due_first(on: str, dpd: int, overdue: int) -> None:
    account = Account(
        [item(1, "2025-01-31", "100"), item(2, "2025-02-28", "100"), item(3, "2025-03-31", "100")],
        [payment(1, "2025-02-05", "60"), payment(2, "2025-03-10", "60"), payment(3, "2025-04-20", "180")],
        {},
    )
    day = date.fromisoformat(on)

    assert (account.dpd(day), account.overdue(day)) == (dpd, overdue)


def test_a_reversal_opens_again_what_a_named_payment_had_settled() -> None:
    account = Account(
        [item(1, "2025-01-31", "100", "invoice"), item(2, "2025-02-28", "100", "invoice")],
        [payment(1, "2025-02-20", "100", names="D2"), payment(2, "2025-03-10", "-100", reverses="P1"),
         payment(3, "2025-02-01", "100")],
        {},
    )  # fmt: skip

    assert account.dpd(date(2025, 3, 9)) == 0
    assert account.dpd(date(2025, 3, 10)) == 10


def test_a_red_letter_item_settles_from_its_own_due_date_on() -> None:
    account = Account([item(1, "2025-01-31", "100"), item(2, "2025-02-10", "-100")], [], {})

    assert account.dpd(date(2025, 2, 9)) == 9
    assert account.dpd(date(2025, 2, 10)) == 0


def test_a_dispute_takes_an_invoice_out_of_the_undisputed_days() -> None:
    dispute = {"due_item_id": "D1", "opened_on": "2025-02-10", "closed_on": "2025-02-20"}
    account = Account([item(1, "2025-01-31", "100", "invoice")], [], {"D1": [dispute]})

    assert [account.dpd(date(2025, 2, day), undisputed=True) for day in (9, 10, 19, 20)] == [9, 0, 0, 20]
    assert account.dpd(date(2025, 2, 15)) == 15


def test_altman_vector() -> None:
    row = {
        "current_assets": "50", "current_liabilities": "30", "total_assets": "100", "retained_earnings": "30",
        "equity": "50", "total_liabilities": "50",
    }  # fmt: skip

    assert z2(Statement(date(2025, 12, 31), 12, row, {"ebit": 15.0})) == pytest.approx(4.348)
