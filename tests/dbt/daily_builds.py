"""Chains of builds of what changed, over 60 days of a hard book, and what they are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, ClassVar

from creditops.build import build
from creditops.warehouse import connect
from creditops.warehouse.dbt import DbtRunner
from tests.dbt.oracle import Account, DueItem, Payment
from tests.dbt.random_accounts import PRODUCT_TYPES, money, random_account, raw_rows
from tests.dbt.raw_rows import customer, known_on, put, put_product
from tests.dbt.warehouse_rows import rows

BOOK = "demo"
ACCOUNTS = 150
FIRST, LAST = date(2024, 11, 29), date(2025, 1, 28)
"""60 days amid the accounts' lives. A month end builds the marts in full, which hides what went wrong on
a day before it: the days go on for four weeks after the last one.
"""
LATE_BATCH = 36
"""Days after FIRST at which a batch arrives that counts as known before."""
PAID_LATE = date(2024, 10, 5)
ACCOUNTS_PAID_LATE = (
    Account(
        *("Card", "revolving_card", date(2024, 5, 10)),
        due_items=[
            DueItem("Card-1", date(2024, 6, 20), 100, date(2024, 6, 1), None),
            DueItem("Card-2", date(2024, 7, 20), 100, date(2024, 7, 1), None),
        ],
        payments=[Payment("Card-P1", date(2024, 6, 20), 100), Payment("Card-P2", PAID_LATE, 100)],
    ),
    Account(
        *("Back", "term_loan", date(2024, 2, 1)),
        principal=90,
        due_items=[DueItem("Back-1", date(2024, 6, 10), 100, date(2024, 2, 1), 90)],
        payments=[Payment("Back-P1", date(2024, 6, 10), 100), Payment("Back-P2", PAID_LATE, -100)],
    ),
    Account(
        *("Nothing", "revolving_card", date(2024, 7, 1)),
        due_items=[DueItem("Nothing-1", date(2024, 8, 18), 0, date(2024, 7, 19))],
        payments=[Payment("Nothing-P1", date(2024, 10, 6), -5), Payment("Nothing-P2", PAID_LATE, 5)],
    ),
    Account(
        *("Reversed", "trade_credit", date(2024, 7, 1)),
        due_items=[DueItem("Reversed-1", date(2024, 12, 10), 100, date(2024, 7, 1))],
        payments=[
            Payment("Reversed-P1", PAID_LATE, 100, names="Reversed-1"),
            Payment("Reversed-P2", date(2024, 9, 20), -100, reverses="Reversed-P1"),
        ],
    ),
    Account(
        *("Repaid", "term_loan", date(2024, 2, 1)),
        principal=90,
        due_items=[DueItem("Repaid-1", date(2024, 8, 10), 100, date(2024, 2, 1), 90)],
        payments=[Payment("Repaid-P1", date(2024, 8, 10), 100)],
    ),
    Account(
        *("Owed", "term_loan", date(2024, 1, 10)),
        principal=1800,
        due_items=[
            DueItem("Owed-1", date(2024, 2, 10), 1000, date(2024, 1, 10), 900),
            DueItem("Owed-2", date(2025, 6, 10), 1000, date(2024, 1, 10), 900),
        ],
        payments=[Payment("Owed-P1", PAID_LATE, 10)],
    ),
)
LAYERS = ("intermediate", "marts")


def some_accounts(random: Random) -> list[Account]:
    """Accounts of which a half are young enough to come to their first default within the 60 days."""
    first_days = (date(2024, 1, 1), date(2024, 6, 1))
    return [random_account(random, number, first_days[number // 2 % 2]) for number in range(ACCOUNTS)]


def deliveries(random: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of random accounts, two a customer, that arrive up to 40 days late, some corrected, moved or
    disputed later.
    """
    accounts = some_accounts(random)
    sources = raw_rows(accounts)
    for number, row in enumerate(sources["facilities"]):
        row["customer_id"] = f"CF{number - number % 4 + number % 2:05d}"
    for source, day_of in (
        ("facilities", "opened_on"),
        ("due_items", "issued_on"),
        ("payments", "value_date"),
    ):
        first, corrected = [], []
        for row in sources[source]:
            known = row[day_of] + timedelta(days=random.choice((-2, 0, 0, 0, 1, 3, 40)))
            first.append({**row, "loaded_at": known_on(known)})
            if source != "facilities" and random.random() < 0.1:
                amount = "amount_due" if source == "due_items" else "amount"
                changed = {**row, amount: row[amount] + money(random.choice((-1, 100)))}
                if random.random() < 0.2:
                    changed["facility_id"] = random.choice(accounts).facility_id
                later = max(known, FIRST) + timedelta(days=random.randrange(60))
                corrected.append({**changed, "loaded_at": known_on(later)})
        yield source, first
        yield source, corrected
    states = []
    for account in accounts[: ACCOUNTS // 5]:
        day = FIRST + timedelta(days=random.randrange(60))
        change = random.choice(
            ({"status": "restructured"}, {"status": "written_off"}, {"manual_class": "substandard"},
             {"closed_on": day + timedelta(days=3), "status": "closed"},
             {"customer_id": f"C{random.choice(accounts).facility_id}"})
        )  # fmt: skip
        (row,) = (each for each in sources["facilities"] if each["facility_id"] == account.facility_id)
        states.append({**row, **change, "effective_date": day, "loaded_at": known_on(day)})
    yield "facilities", states
    yield (
        "disputes",
        [
            {
                "dispute_id": f"X{item['due_item_id']}",
                "due_item_id": item["due_item_id"],
                "opened_on": item["due_date"],
                "closed_on": item["due_date"] + timedelta(days=random.randrange(90)),
                "amount": item["amount_due"],
                "loaded_at": known_on(item["due_date"] + timedelta(days=2)),
            }
            for item in sources["due_items"]
            if item["amount_due"] > 0 and random.random() < 0.05
        ],
    )


def bureau(random: Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Reports on some firms, learnt up to 40 days late, with a line that is or is not long past due."""
    reports, tradelines = [], []
    for number in range(1, ACCOUNTS, 6):
        pulled_on = FIRST + timedelta(days=random.randrange(-60, 60))
        known = {
            "report_id": f"R{number}",
            "loaded_at": known_on(pulled_on + timedelta(days=random.choice((0, 40)))),
        }
        reports.append(
            {**known, "customer_id": f"CF{number:05d}", "bureau": "b", "pulled_on": pulled_on, "hit": True}
        )
        tradelines.append(
            {
                **known,
                "tradeline_id": "T",
                "lender_type": "bank",
                "kind": "term_loan",
                "opened_on": FIRST,
                "balance": money(10_000),
                "overdue_amount": money(0),
                "status_now": random.choice(("0", "4")),
                "worst_status_24m": "4",
                "guarantee": False,
                "history": "",
            }
        )
    return reports, tradelines


def late_batch() -> dict[str, Any]:
    """A payment that arrives between two builds but counts as known before the first of them."""
    return {
        "payment_id": "late batch",
        "facility_id": "F00003",
        "value_date": FIRST,
        "amount": money(5000),
        "currency": "CNY",
        "loaded_at": known_on(FIRST),
    }


def payments_alone(random: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Accounts known from the start, whose payments arrive late or not and are corrected later: to another
    amount, to less than nothing, to another day. Customers hold two of them, some of which report months,
    and what repaid a loan may be taken back. Some payments arrive, alone, when their month is over: one on a
    card whose last report is older, one that takes back what repaid a loan, one that makes good what was
    taken back of nothing, one for an item of trade credit that was reversed on an earlier day, one of a firm
    that repaid another loan while past due with this one.
    """
    accounts = [*some_accounts(random), *ACCOUNTS_PAID_LATE]
    sources = raw_rows(accounts)
    for number, row in enumerate(sources["facilities"]):
        if number < ACCOUNTS:
            row["customer_id"] = f"CF{number - number % 4 + number % 2:05d}"
    sources["facilities"][-1]["customer_id"] = sources["facilities"][-2]["customer_id"]
    yield "facilities", sources["facilities"]
    yield "due_items", sources["due_items"]
    report = {"facility_id": "Card", "month_end": date(2024, 8, 31), "balance": money(50)}
    yield "facility_snapshots", [report, *reports_of_months(random, accounts[:ACCOUNTS])]
    told: list[list[dict[str, Any]]] = [[], [], []]
    for row in [*sources["payments"], *taken_back(random, accounts[:ACCOUNTS])]:
        if row["facility_id"] in [account.facility_id for account in ACCOUNTS_PAID_LATE]:
            known = LAST - timedelta(days=10) if row["value_date"] == PAID_LATE else row["value_date"]
            told[0].append({**row, "loaded_at": known_on(known)})
            continue
        known = row["value_date"] + timedelta(days=random.choice((0, 0, 10, 40, 90)))
        told[0].append({**row, "loaded_at": known_on(known)})
        for corrected in told[1 : random.choice((1, 1, 2, 3))]:
            known = max(known, FIRST) + timedelta(days=random.randrange(20))
            changed = {
                "amount": row["amount"] * random.choice((-3, -1, 0, 1, 1, 2)),
                "value_date": row["value_date"] + timedelta(days=random.choice((-30, 0, 0, 30))),
            }
            corrected.append({**row, **changed, "loaded_at": known_on(known)})
    for rows_of_batch in told:
        yield "payments", rows_of_batch


def reports_of_months(random: Random, accounts: list[Account]) -> Iterator[dict[str, Any]]:
    """Reports of some months of a third of the accounts."""
    for account in accounts[::3]:
        for month in range(4, 12):
            if random.random() < 0.6:
                yield {
                    "facility_id": account.facility_id,
                    "month_end": date(2024, month % 12 + 1, 1) - timedelta(days=1),
                    "balance": money(random.randrange(10_000)),
                    "dpd": random.choice((0, 0, 0, 31)),
                }


def taken_back(random: Random, accounts: list[Account]) -> Iterator[dict[str, Any]]:
    """Of loans: what is due in all, paid with the last item, and all of it or a part taken back later."""
    for account in (*accounts[::4], *accounts[1::4]):
        owed = sum(item.amount for item in account.due_items)
        if account.product_type.endswith("loan") and owed:
            last = account.due_items[-1].due_date
            later = last + timedelta(days=random.choice((70, 100, 130)))
            part = random.choice((1, 2))
            for name, amount, day in (("paid", owed, last), ("back", -owed // part, later)):
                yield {
                    "payment_id": f"{account.facility_id}-{name}",
                    "facility_id": account.facility_id,
                    "value_date": day,
                    "amount": money(amount),
                    "currency": "CNY",
                }


def deliver(seed: int, rows_of: Callable[[Random], Iterable[tuple[str, list[dict[str, Any]]]]]) -> None:
    random = Random(seed)
    with connect("owner") as connection:
        for product_type in PRODUCT_TYPES:
            put_product(connection, product_type, product_type)
        pairs = [
            customer(f"CF{number:05d}", ("retail", "corporate")[number % 2]) for number in range(ACCOUNTS)
        ]
        pairs += [
            *map(customer, ("CCard", "CBack", "CNothing", "CReversed")),
            customer("CRepaid", "corporate"),
        ]
        put(connection, "customers", pairs)
        for batch, (source, delivered) in enumerate(rows_of(random), start=1):
            put(connection, source, delivered, batch=batch)
        reports, tradelines = bureau(random)
        put(connection, "bureau_reports", reports)
        put(connection, "bureau_tradelines", tradelines)


class KeptTables(DbtRunner):
    """Builds the models that keep rows from one build to the next, and what they read; every build makes the
    others as a whole, so a day without them leaves nothing behind. Reads the project once for all days, and
    without its tests.
    """

    project: ClassVar[Any] = None

    def _parse(self) -> None:
        self._manifest = KeptTables.project
        super()._parse()
        if KeptTables.project is None:
            KeptTables.project = self._manifest
            for key in [each for each in self._manifest.nodes if not each.startswith("model.")]:
                del self._manifest.nodes[key]
            for others in (self._manifest.unit_tests, self._manifest.exposures):
                others.clear()
            super()._parse()

    def selection(self, layer: str) -> tuple[str, ...]:
        models = {key: node for key, node in self._manifest.nodes.items() if key.startswith("model.")}
        kept = {key for key, node in models.items() if node.config.get("follows")}
        read: set[str] = set()
        behind = list(kept)
        while behind:
            new = set(models[behind.pop()].depends_on.nodes) & set(models) - read
            read |= new
            behind.extend(new)
        folders = tuple(path.removeprefix("path:models/") for path in super().selection(layer))
        return tuple(
            node.name
            for key, node in models.items()
            if key in kept | read
            and node.path.startswith(folders)
            and node.config.materialized != "ephemeral"
        )


def assert_chain_equals_a_full_build(days: Iterable[int]) -> None:
    """Build on the given days after FIRST, then everything anew on the last, by one process and by three:
    the same rows in every table.
    """
    for day in days:
        build(BOOK, FIRST + timedelta(days=day), layers=LAYERS, checks=False)
        if day == LATE_BATCH:
            with connect("owner") as connection:
                put(connection, "payments", [late_batch()], batch=99)
    chain = {table: contents(table) for table in tables()}
    changed = [row["scope"] for row in rows("select distinct scope from ops.run_log order by scope")]
    assert changed == ["book", "changed"]

    assert len(chain["marts.fct_facility_month"]) > ACCOUNTS
    assert sum(chain["marts.fct_restatement"].values()) > 10
    for shares in (1, 3):
        build(BOOK, LAST, layers=LAYERS, full_refresh=True, checks=False, shares=shares)

        differing = {table: (now := contents(table)) - chain[table] | chain[table] - now for table in chain}
        assert {table: sorted(found)[:6] for table, found in differing.items() if found} == {}, shares


def tables() -> list[str]:
    """Every table that models are stored in."""
    found = rows(
        "select oid::regclass::text as name from pg_class where relkind = 'p'"
        " and relnamespace::regnamespace::text in ('staging', 'intermediate', 'marts') order by 1"
    )
    return [row["name"] for row in found]


def contents(table: str) -> Counter[str]:
    """How often each row of the book stands in a table, as text."""
    with connect("owner") as connection:
        found = connection.execute(f"select t::text from {table} as t where book = %s", (BOOK,))  # type: ignore[arg-type]
        return Counter(row[0] for row in found)
