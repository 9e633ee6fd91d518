"""Class and default across a customer's facilities equal a slow, plain oracle on random customers."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from creditops.build import build
from creditops.warehouse import connect
from tests.dbt.class_oracle import Claim, Customer, Report, standings
from tests.dbt.oracle import TOLERANCE, loan_balance, repaid_on
from tests.dbt.random_accounts import FIRST_DAY, PRODUCT_TYPES, money, random_account, raw_rows
from tests.dbt.raw_rows import customer, put, put_product
from tests.dbt.warehouse_rows import rows

CUSTOMERS = 110
AS_OF = FIRST_DAY + timedelta(days=610)
NEVER = date(9999, 12, 31)


def random_customer(random: Random, number: int) -> Customer:
    """A firm or a person with one to four facilities, some classed by hand, closed or written off."""
    claims = []
    for place in range(random.choice((1, 2, 2, 3, 4))):
        account = random_account(random, number * 10 + place)
        claim = Claim(account)
        day = account.opened_on + timedelta(days=random.randrange(30, 400))
        ending = random.random()
        if ending < 0.1:
            claim.closed_on = day
        elif ending < 0.2 and repaid_on(account, day) is None:
            claim.written_off_on = day
        elif ending < 0.35:
            claim.by_hand.append((day, random.choice((NEVER, day + timedelta(days=random.randrange(1, 90))))))
        claims.append(claim)
    pulled = (FIRST_DAY + timedelta(days=random.randrange(60, 500)) for _ in range(random.randrange(3)))
    reports = []
    for day in pulled:
        past_90 = random.choice((0, 30, 6_000))
        reports.append(Report(day, past_90 + random.choice((100, 20_000)), past_90))
    return Customer(f"C{number:03d}", number % 2 == 1, claims, reports)


def deliver(customers: list[Customer]) -> None:
    accounts = [claim.account for each in customers for claim in each.claims]
    sources = raw_rows(accounts)
    holders = {claim.account.facility_id: each for each in customers for claim in each.claims}
    claims = {claim.account.facility_id: claim for each in customers for claim in each.claims}
    facilities: list[dict[str, Any]] = []
    for row in sources["facilities"]:
        row["customer_id"] = holders[row["facility_id"]].customer_id
        claim = claims[row["facility_id"]]
        facilities.append(row)
        for begin, end in claim.by_hand:
            facilities.append({**row, "manual_class": "substandard", "effective_date": begin})
            if end < NEVER:
                facilities.append({**row, "effective_date": end})
        ended_on = claim.closed_on or claim.written_off_on
        if ended_on:
            status = "closed" if claim.closed_on else "written_off"
            facilities.append({**row, "status": status, "closed_on": ended_on, "effective_date": ended_on})
    with connect("owner") as connection:
        for product_type in PRODUCT_TYPES:
            put_product(connection, product_type, product_type)
        put(
            connection,
            "customers",
            [customer(each.customer_id, "corporate" if each.is_firm else "retail") for each in customers],
        )
        put(connection, "facilities", facilities)
        for source in ("due_items", "payments", "disputes"):
            put(connection, source, sources[source])
        reports, lines = [], []
        for each in customers:
            for number, report in enumerate(each.reports):
                known = {"report_id": f"{each.customer_id}-{number}"}
                reports.append(
                    {
                        **known,
                        "customer_id": each.customer_id,
                        "bureau": "b",
                        "pulled_on": report.pulled_on,
                        "hit": True,
                    }
                )
                for status, debt in (("4", report.debt_past_90), ("0", report.debt - report.debt_past_90)):
                    lines.append(
                        {
                            **known,
                            "tradeline_id": status,
                            "lender_type": "bank",
                            "kind": "term_loan",
                            "opened_on": FIRST_DAY,
                            "balance": money(debt),
                            "overdue_amount": money(0),
                            "status_now": status,
                            "worst_status_24m": status,
                            "guarantee": False,
                            "history": "",
                        }
                    )
        put(connection, "bureau_reports", reports)
        put(connection, "bureau_tradelines", lines)


@pytest.mark.usefixtures("warehouse")
def test_class_and_default_of_random_customers_equal_the_oracle() -> None:
    random = Random(20)
    customers = [random_customer(random, number) for number in range(CUSTOMERS)]
    deliver(customers)
    build("demo", AS_OF, layers=("intermediate", "marts"), checks=False)

    columns = "facility_id, class5, class_reason, is_default, is_open"
    found = {
        (row["facility_id"], row["month_end"]): row
        for row in rows(f"select month_end, {columns} from marts.fct_facility_month where status <> 'closed'")
    } | {
        (row["facility_id"], AS_OF): row
        for row in rows(f"select {columns} from marts.fct_facility_standing where status <> 'closed'")
    }
    accounts = {claim.account.facility_id: claim.account for each in customers for claim in each.claims}
    seen: Counter[Any] = Counter()
    differing = []
    for each in customers:
        for facility_id, day, standing in standings(each, AS_OF):
            row = found.get((facility_id, day))
            if row is None:
                # A loan leaves the panel once nothing is owed at any later month end.
                if standing.is_here and loan_balance(accounts[facility_id], day) > TOLERANCE:
                    differing.append((facility_id, day, None, standing))
                continue
            got = tuple(row[name] for name in ("class5", "class_reason", "is_default", "is_open"))
            expected = (standing.class5, standing.reason, standing.is_default, standing.is_here)
            seen[standing.reason, standing.is_default] += 1
            if got != expected:
                differing.append((each.customer_id, facility_id, day, got, expected))
    assert differing == []
    for reason in ("days", "manual", "upgrade_wait", "contagion_here", "contagion_elsewhere"):
        assert seen[reason, True] > 10, (reason, seen)
    assert seen[None, True] > 20, "in default by obligor or pulled, with a class of pass"
