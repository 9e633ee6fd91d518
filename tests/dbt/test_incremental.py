"""Builds of what changed end with the very tables that one build of everything gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, ClassVar

import pytest

import creditops.build
from creditops.build import build
from creditops.warehouse import connect
from creditops.warehouse.dbt import DbtRunner
from tests.dbt.random_accounts import PRODUCT_TYPES, money, random_account, raw_rows
from tests.dbt.raw_rows import customer, known_on, put, put_product
from tests.dbt.warehouse_rows import rows

BOOK = "demo"
ACCOUNTS = 150
FIRST, LAST = date(2024, 11, 12), date(2025, 1, 11)
"""60 days; the accounts' lives lie around them."""
LATE_BATCH = 9
"""Days after FIRST at which a batch arrives that counts as known before."""
LAYERS = ("intermediate", "marts")


def deliveries(random: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of random accounts that arrive up to 40 days late, some corrected, moved or disputed later."""
    accounts = [random_account(random, number) for number in range(ACCOUNTS)]
    sources = raw_rows(accounts)
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
    amount, to less than nothing, to another day.
    """
    sources = raw_rows([random_account(random, number) for number in range(ACCOUNTS)])
    yield "facilities", sources["facilities"]
    yield "due_items", sources["due_items"]
    told: list[list[dict[str, Any]]] = [[], [], []]
    for row in sources["payments"]:
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


def deliver(seed: int, rows_of: Callable[[Random], Iterable[tuple[str, list[dict[str, Any]]]]]) -> None:
    random = Random(seed)
    with connect("owner") as connection:
        for product_type in PRODUCT_TYPES:
            put_product(connection, product_type, product_type)
        pairs = [
            customer(f"CF{number:05d}", ("retail", "corporate")[number % 2]) for number in range(ACCOUNTS)
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
        read = {parent for key in kept for parent in models[key].depends_on.nodes}
        folders = tuple(path.removeprefix("path:models/") for path in super().selection(layer))
        return tuple(
            node.name
            for key, node in models.items()
            if key in kept | read
            and node.path.startswith(folders)
            and node.config.materialized != "ephemeral"
        )


@pytest.fixture
def kept_tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creditops.build, "DbtRunner", KeptTables)
    monkeypatch.setattr(KeptTables, "project", None)  # it knows the warehouse it was read for


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_sixty_daily_builds_equal_one_build_of_everything() -> None:
    deliver(5, deliveries)
    assert_chain_equals_a_full_build(range(61))


@pytest.mark.usefixtures("warehouse", "kept_tables_alone", "only_material_days_count")
def test_builds_with_gaps_equal_one_build_where_only_material_days_count() -> None:
    deliver(6, deliveries)
    assert_chain_equals_a_full_build((0, 1, 2, 9, 17, 18, 19, 34, 35, 60))


@pytest.mark.usefixtures("warehouse", "kept_tables_alone")
def test_builds_in_which_only_payments_change_equal_one_build() -> None:
    deliver(7, payments_alone)
    assert_chain_equals_a_full_build(range(0, 61, 4))


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
