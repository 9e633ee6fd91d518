"""Limits, worklist and hand-overs on a simulated book that dbt has built (docs/domain.md)."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest

from creditops import verdict
from creditops.build import build
from creditops.decisions import make_worklist, recommend
from creditops.errors import CreditOpsError, DataRefusedError, UsageError
from creditops.limits import decide, history, proposals, work_out
from creditops.policy import policy_in_force, version
from creditops.policy.registry import kept_policy, register
from creditops.settings import get_settings
from creditops.simulate import simulate
from creditops.sources.contract import load_contract
from creditops.warehouse import connect
from tests.dbt.raw_rows import put
from tests.dbt.served import served
from tests.dbt.warehouse_rows import rows

AS_OF = date(2026, 6, 30)
BOOK = "demo"
GROUP_CAP = 2_000_000
SOURCES = ("customers", "groups", "products", "partners", "applications", "facilities", "due_items",
           "payments", "statements", "disputes", "collection_actions", "promises")  # fmt: skip
GRADES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")


def deliver(connection: psycopg.Connection, folder: Path) -> None:
    import csv

    for source in SOURCES:
        kept = {name for name, _, _ in load_contract(source).raw_columns()}

        def read(source: str = source, kept: set[str] = kept) -> Iterator[dict[str, Any]]:
            with (folder / f"{source}.csv").open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    yield {name: value or None for name, value in row.items() if name in kept}

        put(connection, source, read())


def score_everybody(connection: psycopg.Connection) -> None:
    """A score for most retail customers, so that every grade occurs; the rest stays unscored."""
    ids = [row["customer_id"] for row in rows("select customer_id from marts.dim_customer order by 1")]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into scoring.customer_scores (book, as_of_date, scorecard, customer_id, model_version,"
            " score, pd, grade, points_total, reason_1, reason_1_zh, reason_1_en, observed_on)"
            " values (%s, %s, 'test', %s, '1', 600, %s, %s, 600, 'utilisation_now', '当前额度使用率',"
            " 'share of the limit in use', %s)",
            [
                (BOOK, AS_OF, customer, 0.001 * 2 ** (number % 10), GRADES[number % 10], AS_OF)
                for number, customer in enumerate(ids)
                if number % 7
            ],
        )


def raise_red(connection: psycopg.Connection, customers: list[str]) -> None:
    connection.execute(
        "insert into actions.warning_runs (book, as_of_date, restated, rules, skipped, hits)"
        " values (%s, %s, false, 1, '{}', %s)",
        (BOOK, AS_OF, len(customers)),
    )
    for customer in customers:
        connection.execute(
            "insert into actions.warning_states (as_of_date, restated, warning_id, book, customer_id,"
            " rule_id, rule_version, severity, raised_on, last_seen_on, status, evidence, text_zh, text_en,"
            " recommended_response, runs_off) values (%(day)s, false, %(id)s, %(book)s, %(customer)s,"
            " 'r', 1, 'red', %(day)s, %(day)s, 'raised', '{}', '预警', 'warning', 'watch', 0)",
            {"day": AS_OF, "id": f"W-{customer}", "book": BOOK, "customer": customer},
        )


def approve_action(connection: psycopg.Connection, customer: str, kind: str, amount: int | None) -> None:
    name = f"A-{customer}"
    connection.execute(
        "insert into actions.proposed_actions values (%s, %s, %s, 'W', %s, %s, 'approved', %s, %s)",
        (name, BOOK, customer, kind, amount, AS_OF, AS_OF),
    )
    for status, actor in (("proposed", "system"), ("approved", "officer")):
        connection.execute(
            "insert into actions.action_events (book, action_id, event_at, as_of_date, status, actor, amount)"
            " values (%s, %s, now(), %s, %s, %s, %s)",
            (BOOK, name, AS_OF, status, actor, amount),
        )


@pytest.fixture(scope="module")
def tight_policy(module_warehouse: str) -> Iterator[None]:
    """The shipped policy with a group cap that binds in a small book, in place of it."""
    folder = get_settings().home / "policy" / BOOK
    folder.mkdir(parents=True)
    for entry in files("creditops.policy").joinpath("versions", BOOK).iterdir():
        text = entry.read_text(encoding="utf-8").replace("group_cap: 80000000", f"group_cap: {GROUP_CAP}")
        (folder / entry.name).write_text(text, encoding="utf-8")
    version._load.cache_clear()
    yield
    shutil.rmtree(folder)
    version._load.cache_clear()


@pytest.fixture(scope="module")
def desk(
    module_warehouse: str, tight_policy: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A built and scored book; who has a red warning, a suspension, a reduction."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, customers=500, months=15, as_of=AS_OF)
    with connect("owner") as connection:
        deliver(connection, folder)
    build(BOOK, AS_OF, layers=("intermediate", "marts"), checks=False)
    lines = [
        row["customer_id"]
        for row in rows(
            "select customer_id from marts.fct_facility_month where month_end = %s and status = 'active'"
            " and credit_limit > 0 and product_type = 'revolving_card' group by 1"
            " having max(dpd) = 0 and max(balance) > 0 order by 1",
            AS_OF,
        )
    ]
    good = [
        row["customer_id"]
        for row in rows(
            "select customer_id from marts.fct_facility_month where month_end = %s and status = 'active'"
            " and product_type = 'revolving_card' and mob >= 6 and customer_id in (select customer_id"
            " from marts.fct_facility_month group by 1 having max(dpd) = 0) order by balance desc, 1",
            AS_OF,
        )
        if row["customer_id"] not in lines[:12]
    ][:20]
    chosen = {"suspended": lines[0], "reduced": lines[1]}
    with connect("owner") as connection:
        score_everybody(connection)
        for statement in (
            "update scoring.customer_scores set grade = '1' where customer_id = any(%s)",
            "update marts.dim_customer set monthly_income = 1000000 where customer_id = any(%s)",
            "update marts.fct_facility_month set credit_limit = ceil(balance * 1.3) + 100"
            " where credit_limit > 0 and customer_id = any(%s)",
        ):
            connection.execute(statement, (good,))
        raise_red(connection, lines[2:12])
        approve_action(connection, chosen["suspended"], "suspend", None)
        approve_action(connection, chosen["reduced"], "reduce_limit", 500)
    verdict.settle(BOOK, AS_OF)
    recommend(BOOK, AS_OF)
    make_worklist(BOOK, AS_OF)
    return chosen


def limits() -> list[dict[str, Any]]:
    return rows("select * from actions.credit_limits where book = %s", BOOK)


def limit_of_the_next_day(customer: str, product: str) -> dict[str, Any]:
    """What the day after recommends; the day's rows are gone afterwards."""
    day = AS_OF + timedelta(days=1)
    recommend(BOOK, day)
    found = [row for row in limits() if row["as_of_date"] == day]
    with connect("owner") as connection:
        connection.execute("delete from actions.credit_limits where as_of_date = %s", (day,))
    return next(row for row in found if (row["customer_id"], row["product_id"]) == (customer, product))


def published(name: str, day: date = AS_OF) -> list[dict[str, Any]]:
    return served(name, BOOK, day)


@pytest.mark.usefixtures("desk")
class TestLimits:
    def test_every_limit_is_worked_out_again_by_hand(self) -> None:
        rules = policy_in_force(BOOK, AS_OF).limits
        found = limits()
        assert len(found) > 300
        for row in found:
            caps = work_out(row["inputs"], rules, row["exposure"], row["current_limit"], row["current_terms"])
            assert (caps.policy, caps.capacity, caps.concentration, caps.group, caps.recommended) == (
                row["cap_policy"],
                row["cap_capacity"],
                row["cap_concentration"],
                row["cap_group"],
                row["recommended_limit"],
            ), row
            assert (caps.binding, caps.recommended_terms) == (row["binding_cap"], row["recommended_terms"]), (
                row
            )

    def test_each_is_the_least_of_its_caps_or_lower(self) -> None:
        for row in limits():
            caps = [row[name] for name in ("cap_policy", "cap_capacity", "cap_group", "cap_concentration")]
            assert row["recommended_limit"] <= min(cap for cap in caps if cap is not None)

    def test_every_kind_of_bound_occurs(self) -> None:
        assert {row["binding_cap"] for row in limits()} >= {
            "policy",
            "capacity",
            "no_rise",
            "suspension",
            "reduction",
            "red_warning",
        }

    def test_default_is_lent_nothing_and_given_no_longer_terms(self) -> None:
        in_default = [row for row in limits() if row["inputs"]["in_default"]]
        assert in_default
        assert {(row["recommended_limit"], row["binding_cap"]) for row in in_default} == {(0, "default")}
        assert all(row["recommended_terms"] == row["current_terms"] for row in in_default)
        assert {row["inputs"]["grade"] for row in in_default} == {"D"}

    def test_no_terms_get_longer_where_a_limit_of_the_customer_is_lowered(self) -> None:
        lowered = {row["customer_id"] for row in limits() if row["recommended_limit"] < row["current_limit"]}
        longer = {
            row["customer_id"]
            for row in limits()
            if (row["recommended_terms"] or 0) > (row["current_terms"] or 0)
        }
        assert lowered
        assert longer
        assert not lowered & longer

    def test_none_rises_under_a_red_warning(self) -> None:
        warned = [row for row in limits() if row["inputs"]["open_red"]]
        assert len(warned) >= 10
        assert all(row["recommended_limit"] <= row["current_limit"] for row in warned)

    def test_good_customers_are_offered_more_and_nobody_else(self) -> None:
        rules = policy_in_force(BOOK, AS_OF).limits
        assert rules.terms is not None
        offered = [row for row in limits() if row["adjustment"]]
        assert {row["adjustment"] for row in offered} >= {"limit_rise", "longer_terms"}
        for row in offered:
            inputs = row["inputs"]
            assert (inputs["open_red"], inputs["worst_dpd_12m"], inputs["is_suspended"]) == (0, 0, False)
            if "longer_terms" in row["adjustment"]:
                assert inputs["grade"] in rules.terms.best_grades
                assert row["current_terms"] < row["recommended_terms"]
                assert row["recommended_terms"] <= rules.terms.most[inputs["product_type"]]
            else:
                assert inputs["grade"] in rules.rise.best_grades

    def test_a_groups_members_stay_within_its_cap(self) -> None:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in limits():
            if row["inputs"]["group_id"]:
                sums[row["inputs"]["group_id"]] += row["recommended_limit"]
        assert sums
        assert "group" in {row["binding_cap"] for row in limits()}
        assert max(sums.values()) <= GROUP_CAP

    def test_an_approved_suspension_and_reduction_take_effect(self, desk: dict[str, str]) -> None:
        by_customer = {(row["customer_id"], row["product_id"]): row for row in limits()}
        suspended = [row for key, row in by_customer.items() if key[0] == desk["suspended"]]
        reduced = [row for key, row in by_customer.items() if key[0] == desk["reduced"]]
        assert {row["recommended_limit"] for row in suspended} == {Decimal(0)}
        assert sum(row["recommended_limit"] for row in reduced) <= sum(
            row["current_limit"] for row in reduced
        ) - Decimal(499)
        status = {row["customer_id"]: row["status"] for row in published("handover_sales")}
        assert status[desk["suspended"]] == "stopped"

    def test_the_same_day_again_gives_the_same_rows(self) -> None:
        before = sorted(map(str, limits()))
        recommend(BOOK, AS_OF)
        assert sorted(map(str, limits())) == before


@pytest.mark.usefixtures("desk")
class TestDecisions:
    def test_an_approved_limit_is_in_force_with_its_history(self) -> None:
        waiting = proposals(BOOK)
        chosen = next(row for row in waiting if row["recommended_limit"] > 0)
        customer, product = chosen["customer_id"], chosen["product_id"]
        decide(BOOK, customer, product, "approved", actor="officer", reason="seen the accounts")
        with pytest.raises(DataRefusedError, match="was approved by officer"):
            decide(BOOK, customer, product, "rejected", actor="other", reason="no")
        before = sorted(map(str, limits()))
        recommend(BOOK, AS_OF)
        assert sorted(map(str, limits())) == before
        after = limit_of_the_next_day(customer, product)
        assert after["current_limit"] == chosen["recommended_limit"]
        assert "limit in force" in after["change_reason"] or after["change_reason"] == "unchanged"
        (kept,) = history(BOOK, customer)
        assert (kept["approver"], kept["reason"]) == ("officer", "seen the accounts")
        (audited,) = rows("select actor, reason from ops.audit where action = 'limit.approved'")
        assert audited == {"actor": "officer", "reason": "seen the accounts"}

    def test_approved_terms_are_the_current_ones_of_the_next_recommendation(self) -> None:
        chosen = next(row for row in proposals(BOOK) if row["adjustment"] == "longer_terms")
        customer, product = chosen["customer_id"], chosen["product_id"]
        decide(BOOK, customer, product, "approved", actor="officer", reason="pays early")
        assert limit_of_the_next_day(customer, product)["current_terms"] == chosen["recommended_terms"]
        assert published("limit_history") == []
        (told,) = [
            r for r in published("limit_history", AS_OF + timedelta(days=1)) if r["customer_id"] == customer
        ]
        assert (told["terms_before"], told["terms_after"]) == (
            chosen["current_terms"],
            chosen["recommended_terms"],
        )
        assert (told["approver"], told["reason"]) == ("officer", "pays early")
        assert (told["valid_from"], told["valid_to"]) == (AS_OF + timedelta(days=1), None)

    def test_a_rise_is_refused_once_a_red_warning_is_open(self) -> None:
        chosen = next(row for row in proposals(BOOK) if row["adjustment"] == "limit_rise")
        customer, product = chosen["customer_id"], chosen["product_id"]
        with connect("owner") as connection:
            connection.execute(
                "insert into actions.early_warnings (warning_id, book, customer_id, rule_id, rule_version,"
                " severity, raised_on, last_seen_on, status, evidence, text_zh, text_en,"
                " recommended_response) values ('W-late', %s, %s, 'r', 1, 'red', %s, %s, 'raised', '{}',"
                " '预警', 'warning', 'watch')",
                (BOOK, customer, AS_OF, AS_OF),
            )
        with pytest.raises(DataRefusedError, match="open red warning, W-late"):
            decide(BOOK, customer, product, "approved", actor="officer", reason="asked for it")
        assert history(BOOK, customer) == []

    def test_a_validity_must_not_end_before_it_begins(self) -> None:
        chosen = proposals(BOOK)[-1]
        with pytest.raises(UsageError, match="would hold from 2026-07-01 to 2026-06-30"):
            decide(
                BOOK, chosen["customer_id"], chosen["product_id"], "approved", actor="officer", reason="r",
                valid_to=AS_OF,
            )  # fmt: skip

    def test_a_decision_needs_a_reason_and_a_recommendation(self) -> None:
        with pytest.raises(UsageError, match="nobody's name"):
            decide(BOOK, "x", "y", "approved", actor=" ", reason="r")
        with pytest.raises(UsageError, match="needs a reason"):
            decide(BOOK, "x", "y", "approved", actor="officer", reason=" ")
        with pytest.raises(UsageError, match="recommends no limit"):
            decide(BOOK, "x", "y", "approved", actor="officer", reason="r")


@pytest.mark.usefixtures("desk")
class TestWorklist:
    def test_everybody_past_due_is_listed_once_with_what_they_owe(self) -> None:
        owed = {
            row["customer_id"]: row["owed"]
            for row in rows(
                "select customer_id, sum(overdue_amount) as owed from marts.fct_facility_month"
                " where month_end = %s and status in ('active', 'restructured') and overdue_amount > 0"
                " group by 1",
                AS_OF,
            )
        }
        listed = published("collections_worklist")
        assert len(listed) > 10
        assert {row["customer_id"]: row["overdue_amount"] for row in listed} == owed
        assert sorted(row["rank"] for row in listed) == list(range(1, len(listed) + 1))

    def test_priority_is_expected_loss_times_urgency_and_orders_the_list(self) -> None:
        listed = sorted(published("collections_worklist"), key=lambda row: row["rank"])
        free = [row for row in listed if row["inputs"]["hold"] is None]
        for row in free:
            expected = row["expected_loss_at_stake"] * Decimal(str(row["inputs"]["urgency"]))
            assert abs(row["priority"] - expected) <= Decimal("0.01")
        assert [row["priority"] for row in free] == sorted((row["priority"] for row in free), reverse=True)
        assert all(row["priority"] == 0 for row in listed[len(free) :])

    def test_stages_follow_the_days_past_due(self) -> None:
        for row in published("collections_worklist"):
            expected = (
                "legal"
                if row["dpd"] > 90
                else "visit"
                if row["dpd"] > 30
                else "call"
                if row["dpd"] > 7
                else "reminder"
            )
            assert row["stage"] == expected

    def test_no_collector_has_more_than_the_capacity(self) -> None:
        many: dict[str, int] = defaultdict(int)
        for row in published("collections_worklist"):
            if row["assigned_to"]:
                many[row["assigned_to"]] += 1
        assert many
        assert max(many.values()) <= policy_in_force(BOOK, AS_OF).collection.capacity


@pytest.mark.usefixtures("desk")
class TestResponsesOnTheWorklist:
    def test_approved_responses_act_on_strategy_and_priority_of_the_next_list(self) -> None:
        free = [row for row in published("collections_worklist") if row["inputs"]["hold"] is None]
        called = next(row for row in free if row["stage"] == "call")
        visited = next(row for row in free if row["stage"] == "reminder")
        with connect("owner") as connection:
            approve_action(connection, called["customer_id"], "intensify_collection", None)
            approve_action(connection, visited["customer_id"], "visit", None)
        make_worklist(BOOK, AS_OF)
        after = {row["customer_id"]: row for row in published("collections_worklist")}
        intensified, seen = after[called["customer_id"]], after[visited["customer_id"]]
        weight = Decimal(str(policy_in_force(BOOK, AS_OF).collection.intensify))
        assert (intensified["strategy"], intensified["response"]) == ("site_visit", "intensify_collection")
        assert abs(intensified["priority"] - called["priority"] * weight) <= Decimal("0.01")
        assert (seen["strategy"], seen["priority"]) == ("site_visit", visited["priority"])
        assert seen["assigned_to"] is not None
        assert {row["customer_id"] for row in published("collections_worklist") if row["response"]} == {
            called["customer_id"],
            visited["customer_id"],
        }
        in_force = {row["customer_id"]: row["responses_in_force"] for row in published("customer_360")}
        assert in_force[visited["customer_id"]] == "visit"


@pytest.mark.usefixtures("desk")
class TestHandOvers:
    def test_finance_sees_every_due_of_thirteen_weeks(self) -> None:
        (expected,) = rows(
            "select sum(item.open_amount) as due from marts.fct_open_due_item as item"
            " inner join marts.fct_facility_month as month using (facility_id)"
            " where month.month_end = %s and month.status in ('active', 'restructured')"
            " and item.due_date > %s and item.due_date <= %s",
            AS_OF,
            AS_OF,
            date(2026, 9, 29),
        )
        weeks = published("handover_finance")
        assert sum(row["due"] for row in weeks) == expected["due"]
        assert all(0 <= row["expected_collections"] <= row["due"] for row in weeks)

    def test_legal_gets_everything_undisputed_over_ninety_days(self) -> None:
        expected = {
            row["facility_id"]
            for row in rows(
                "select facility_id from marts.fct_facility_month where month_end = %s"
                " and status in ('active', 'restructured') and dpd_undisputed > 90",
                AS_OF,
            )
        }
        found = published("handover_legal")
        assert {row["facility_id"] for row in found} == expected
        assert {row["documents_status"] for row in found} <= {"complete", "demand_letter_missing"}

    def test_the_customers_view_names_no_threshold(self) -> None:
        found = published("customer_credit_health")
        assert len(found) > 200
        assert {row["band"] for row in found} <= {"excellent", "good", "fair", "weak", "poor"}
        for row in found:
            said = "".join(
                str(row[f"{part}_{language}"])
                for part in ("helps", "hurts", "advice")
                for language in ("zh", "en")
            )
            assert not any(character.isdigit() or character == "_" for character in said), row
            assert row["advice_zh"]
            assert bool(row["hurts_zh"]) == bool(row["hurts_en"])


@pytest.mark.usefixtures("desk")
def test_a_version_that_decided_never_changes() -> None:
    policy = policy_in_force(BOOK, AS_OF)
    changed = policy.model_copy(update={"collection": policy.collection.model_copy(update={"capacity": 41})})
    with connect("publisher") as connection:
        register(connection, BOOK, policy, AS_OF)
        assert kept_policy(connection, BOOK, policy.version) == policy
        with pytest.raises(CreditOpsError, match=r"CP-2025\.1 of book demo is not what it was"):
            register(connection, BOOK, changed, AS_OF)
        with pytest.raises(UsageError, match=r"CP-2024\.1 of book demo never decided"):
            kept_policy(connection, BOOK, "CP-2024.1")
