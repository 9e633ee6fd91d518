"""What the replay says of decisions (docs/domain.md): agree, overrides up and down, breach."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from creditops.policy.replay import INPUTS, replay
from creditops.warehouse import connect

AS_OF = date(2026, 6, 30)
BOOK = "demo"


@pytest.fixture(scope="module")
def verdicts(module_warehouse: str) -> dict[str, tuple[str, str]]:
    """Verdict and failed standards of applications that differ in one thing each."""
    kept: dict[str, Any] = {"customer_type": "corporate", "product_type": "term_loan", "bureau_hit": True}
    late, clean = {"own_dpd_max_12m": 91}, {"own_dpd_max_12m": 0}
    applications = {
        "approved_clean": ("approved", "rule", "none", clean),
        "approved_late": ("approved", "rule", "none", late),
        "approved_late_override": ("approved", "model", "up", late),
        "approved_late_by_hand": ("approved", "manual", "none", late),
        "declined_late": ("declined", "rule", "none", late),
        "declined_clean": ("declined", "rule", "none", clean),
        "declined_clean_override": ("declined", "model", "down", clean),
        "declined_new": ("declined", "model", "none", {"own_dpd_max_12m": None}),
    }
    with connect("builder") as connection:
        connection.execute(
            "create table marts.fct_application (book text, application_id text, policy_version text,"
            " decision text, decided_by text, override text, applied_on date, facility_id text,"
            " approved_at timestamptz, declined_at timestamptz)"
        )
        columns = ", ".join(f"{name} {kind}" for name, kind in INPUTS.items())
        connection.execute(
            f"create table features.feat_application (book text, application_id text, {columns})"
        )  # type: ignore[arg-type]
        for name, (decision, by, override, own) in applications.items():
            connection.execute(
                "insert into marts.fct_application values (%s, %s, null, %s, %s, %s, '2026-05-20', null,"
                " '2026-05-21', null)",
                (BOOK, name, decision, by, override),
            )
            row = {"book": BOOK, "application_id": name, **kept, **own}
            connection.execute(
                f"insert into features.feat_application ({', '.join(row)})"  # type: ignore[arg-type]
                f" values ({', '.join(['%s'] * len(row))})",
                list(row.values()),
            )
    assert replay(BOOK, AS_OF) == len(applications)
    with connect("publisher") as connection:
        return {
            name: (verdict, failed)
            for name, verdict, failed in connection.execute(
                "select application_id, verdict, array_to_string(rules_failed, ', ')"
                " from actions.policy_replay"
            )
        }


def test_a_firm_past_due_here_fails_the_standard(verdicts: dict[str, tuple[str, str]]) -> None:
    assert verdicts["declined_late"] == ("agree", "overdue_here")
    assert verdicts["approved_clean"] == ("agree", "")


def test_approved_against_policy_is_a_breach_unless_an_override_is_on_record(
    verdicts: dict[str, tuple[str, str]],
) -> None:
    assert verdicts["approved_late"] == ("breach", "overdue_here")
    assert verdicts["approved_late_override"][0] == "override_up"
    assert verdicts["approved_late_by_hand"] == (
        "breach",
        "overdue_here",
    )  # no override on record


def test_a_decline_that_policy_would_approve_is_an_override_down_and_no_breach(
    verdicts: dict[str, tuple[str, str]],
) -> None:
    declined = ("declined_clean", "declined_clean_override", "declined_new")
    assert {verdicts[name] for name in declined} == {("override_down", "")}
