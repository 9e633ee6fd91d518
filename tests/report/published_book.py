"""A made-up publication of every table that the report reads, seeded, written as the publisher."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from creditops.books import end_of_day
from creditops.warehouse import connect
from creditops.warnings import load_rules
from creditops.warnings.calendar import month_end

BOOK = "demo"
JUNE = date(2026, 6, 30)
MAY = date(2026, 5, 31)
PRODUCTS = (
    ("cash_loan", "retail", 62e6),
    ("credit_card", "retail", 48e6),
    ("term_loan", "corporate", 310e6),
    ("trade_account", "corporate", 56e6),
)
STATES = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "closed", "written_off")
GRADES = ((0.0025, "1"), (0.005, "2"), (0.01, "3"), (0.02, "4"), (0.035, "5"), (0.06, "6"), (0.1, "7"),
          (0.18, "8"), (0.35, "9"), (1.01, "10"))  # fmt: skip
REASONS = (
    ("utilisation_avg_6m", "近6个月额度使用率偏高", "High utilisation over 6 months"),
    ("dpd_max_12m", "近12个月曾有逾期", "Past due within 12 months"),
    ("payment_ratio_3m", "近3个月还款比例偏低", "Low share of dues paid in 3 months"),
    ("inquiries_3m", "近3个月征信查询较多", "Many bureau inquiries in 3 months"),
    ("months_on_book", "账龄较短", "Short time on book"),
)


@dataclass(frozen=True)
class Shape:
    """How much of everything; small for tests that only need the form."""

    months: int = 36
    customers: int = 2400
    warnings: int = 140


def publish(
    day: date = JUNE, *, shape: Shape = Shape(), current: bool = True, seed: int = 3, book: str = BOOK
) -> str:
    """Write one publication for ``day``, make it the book's current one if asked; its id."""
    chance = random.Random(f"{seed}{day}")
    publication_id = f"{book}-{day.isoformat()}-{seed:012x}"
    months = [month_end(day, months_before=n) for n in reversed(range(shape.months))]
    with connect("owner") as connection:
        _record(connection, publication_id, day, book)  # rows are added to candidates alone
        _insert(connection, "portfolio_monthly", publication_id, day, book, _portfolio(months, chance))
        _insert(connection, "roll_rates", publication_id, day, book, _roll_rates(months, chance))
        _insert(connection, "customer_scores", publication_id, day, book, _scores(day, shape, chance))
        _insert(connection, "early_warnings", publication_id, day, book, _warnings(day, shape, chance))
        _insert(connection, "data_quality", publication_id, day, book, _quality())
        _insert(connection, "model_monitoring", publication_id, day, book, _monitoring())
        connection.execute(
            "update ops.publication_history set status = 'published' where publication_id = %s",
            (publication_id,),
        )
        if current:
            _show(connection, publication_id)
    return publication_id


def _portfolio(months: Sequence[date], chance: random.Random) -> Iterable[dict[str, Any]]:
    for n, month in enumerate(months):
        for product, segment, size in PRODUCTS:
            balance = size * (0.55 + 0.45 * n / len(months)) * chance.uniform(0.98, 1.02)
            overdue = 0.045 + 0.012 * math.sin(n / 5) + 0.0004 * n + chance.uniform(-0.004, 0.004)
            npl = 0.012 + 0.0003 * n + chance.uniform(-0.001, 0.001)
            facilities = int(balance / (20000 if segment == "retail" else 900000))
            yield {
                "month": month, "product_id": product, "segment": segment, "facilities": facilities,
                "balance": round(balance, 2), "overdue_balance": round(balance * overdue, 2),
                "npl_balance": round(balance * npl, 2), "overdue_ratio": overdue, "npl_ratio": npl,
                "new_defaults": int(facilities * chance.uniform(0.0015, 0.003)),
                "cures": int(facilities * chance.uniform(0.0002, 0.001)),
                "write_offs": int(facilities * chance.uniform(0.0003, 0.0012)),
                "expected_loss": round(balance * 0.0115, 2) if month == months[-1] else None,
            }  # fmt: skip


def _roll_rates(months: Sequence[date], chance: random.Random) -> Iterable[dict[str, Any]]:
    stay = {
        "M0": {"M0": 0.955, "M1": 0.03, "closed": 0.015},
        "M7": {"M7": 0.9, "M0": 0.02, "written_off": 0.08},
    }
    for k in range(1, 7):
        stay[f"M{k}"] = {"M0": 0.5 - 0.07 * k, f"M{k}": 0.12, f"M{k + 1}": 0.35 + 0.07 * k, "closed": 0.03}
    size = dict(zip(STATES, (52000, 1800, 640, 330, 230, 190, 170, 420), strict=False))
    for month in months[-18:]:
        for product, _, _ in PRODUCTS[:2]:
            for start, ends in stay.items():
                count = {
                    end: max(0, int(size[start] * rate * chance.uniform(0.85, 1.15)))
                    for end, rate in ends.items()
                }
                for end, facilities in count.items():
                    yield {
                        "month": month, "product_id": product, "from_bucket": start, "to_bucket": end,
                        "facilities": facilities, "balance": round(facilities * chance.uniform(900, 1100), 2),
                        "rate_by_count": facilities / sum(count.values()),
                        "rate_by_balance": facilities / sum(count.values()),
                    }  # fmt: skip


def _scores(day: date, shape: Shape, chance: random.Random) -> Iterable[dict[str, Any]]:
    for n in range(shape.customers):
        score = int(min(690, max(430, chance.gauss(588, 38))))
        pd = 1 / (1 + math.exp((score - 487.123) / 28.8539))
        reasons = chance.sample(REASONS, chance.randint(1, 4))
        row: dict[str, Any] = {
            "customer_id": f"R{n:06d}", "scorecard": "retail_behaviour", "model_version": "3", "score": score,
            "pd": round(pd, 6), "grade": next(grade for below, grade in GRADES if pd < below),
            "points_total": score, "observed_on": day,
        }  # fmt: skip
        for place, (code, zh, en) in enumerate(reasons, start=1):
            row |= {f"reason_{place}": code, f"reason_{place}_zh": zh, f"reason_{place}_en": en}
        yield row


def _warnings(day: date, shape: Shape, chance: random.Random) -> Iterable[dict[str, Any]]:
    rules = load_rules()
    for n in range(shape.warnings):
        rule = rules[min(int(chance.expovariate(0.18)), len(rules) - 1)]
        severity = chance.choice([step.level for step in rule.severity])
        status = chance.choices(("raised", "acknowledged", "in_response", "resolved"), (6, 2, 1, 1))[0]
        yield {
            "warning_id": f"w{n:020x}", "customer_id": f"R{chance.randrange(shape.customers):06d}",
            "facility_id": f"F{chance.randrange(9999):06d}" if rule.subject == "facility_month" else None,
            "rule_id": rule.id, "rule_version": 1, "severity": severity,
            "raised_on": chance.choice((day, day, month_end(day, months_before=1))), "last_seen_on": day,
            "first_seen_on": day, "after_default": False,
            "status": status, "evidence": json.dumps({"dpd": 45, "overdue_amount": 1234.5}),
            "text_zh": "逾期45天，由M1恶化至M2，逾期金额12,340。",
            "text_en": "45 days past due, rolled from M1 to M2; 12,340 overdue.",
            "recommended_response": rule.recommended_response,
        }  # fmt: skip


def _quality() -> Iterable[dict[str, Any]]:
    for source, rows in (
        ("customers", 2400),
        ("facilities", 3100),
        ("due_items", 61200),
        ("payments", 58400),
    ):
        for check, failed in (
            ("key is unique", 0),
            ("amounts are in range", 0),
            ("dates are not in the future", 3),
        ):
            bad = failed if source == "payments" else 0
            yield {
                "source": source, "batch_id": "17", "check": check, "rows_checked": rows, "rows_failed": bad,
                "passed": bad == 0, "severity": "warning",
            }  # fmt: skip


def _monitoring() -> Iterable[dict[str, Any]]:
    for metric, segment, value, status in (
        ("psi", "all", 0.034, "green"),
        ("csi", "utilisation_avg_6m", 0.13, "amber"),
        ("csi", "dpd_max_12m", 0.02, "green"),
        ("population", "all", 2400.0, "green"),
    ):
        yield {
            "scorecard": "retail_behaviour", "model_version": "3", "metric": metric, "segment": segment,
            "value": value, "low": None, "high": None, "status": status,
        }  # fmt: skip


def _record(connection: psycopg.Connection, publication_id: str, day: date, book: str) -> None:
    row = {
        "publication_id": publication_id,
        "book": book,
        "as_of_date": day,
        "known_at": end_of_day(book, day),
        "published_at": end_of_day(book, day),
        "code_version": "0.1.0",
        "models": json.dumps([MODEL]),
        "policy_version": None,
        "gates": json.dumps(GATES),
    }
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    marks = sql.SQL(", ").join(sql.Placeholder() * len(row))
    connection.execute(
        sql.SQL("insert into ops.publication_history ({}) values ({})").format(names, marks),
        list(row.values()),
    )


def _show(connection: psycopg.Connection, publication_id: str) -> None:
    connection.execute("select ops.flip(%s, true, 'tester', 'for the test')", (publication_id,))


MODEL = {
    "name": "demo.retail_behaviour", "scorecard": "retail_behaviour", "version": "3", "run_id": "a1b2",
    "gates_passed": True,
    "metrics": {
        "hold_out_auc": 0.8123, "hold_out_auc_low": 0.7921, "hold_out_auc_high": 0.8325,
        "hold_out_gini": 0.6246, "hold_out_ks": 0.4811,
        "out_of_time_auc": 0.7988, "out_of_time_auc_low": 0.7702,
        "out_of_time_auc_high": 0.8274, "hold_out_brier": 0.0312,
    },
}  # fmt: skip
GATES: list[dict[str, Any]] = [
    {"table": "customer_scores", "check": check, "severity": "critical", "passed": True, "rows_failed": 0}
    for check in ("score is in range", "grade is known", "customer and scorecard are unique")
]
GATES.append(
    {
        "table": "portfolio_monthly",
        "check": "balance moves less than half",
        "severity": "warning",
        "passed": False,
        "rows_checked": 144,
        "rows_failed": 2,
    }
)


def _insert(
    connection: psycopg.Connection,
    table: str,
    publication_id: str,
    day: date,
    book: str,
    rows: Iterable[dict[str, Any]],
) -> None:
    full = [{"publication_id": publication_id, "as_of_date": day, "book": book, **row} for row in rows]
    names = list(dict.fromkeys(name for row in full for name in row))
    if full:
        with connection.cursor().copy(
            sql.SQL("copy published.{} ({}) from stdin").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
            )
        ) as copy:
            for row in full:
                copy.write_row([row.get(name) for name in names])
