"""What a new or changed rule would have raised on history, before it goes live; nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings.backtest import RuleBacktest, measure
from creditops.warnings.calendar import last_month_end
from creditops.warnings.compiler import compile_hits
from creditops.warnings.evaluation import runnable_rules
from creditops.warnings.rule import Rule, load_rules, rules_in_force
from creditops.warnings.subject import load_subjects

EXAMPLES = 5


@dataclass(frozen=True)
class Trial:
    """What a rule would have done.

    Attributes
    ----------
    against: version in force of the rule of the same id; ``None``: the rule is new.
    months: per month end the warnings raised (alerts, by severity), by the version in force
        (alerts_before), by the tried one alone (only_tried) and no longer (no_longer).
    figures: worth of the tried rule; ``figures_before``: of the version in force.
    examples: customers hit at the last month end, severest first, with the text in both languages.
    """

    rule_id: str
    rule_version: int
    against: int | None
    months: list[dict[str, Any]]
    figures: RuleBacktest
    figures_before: RuleBacktest | None
    examples: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """The trial as JSON-ready values."""
        return {
            "rule_id": self.rule_id,
            "rule_version": self.rule_version,
            "against": self.against,
            "months": self.months,
            "figures": self.figures.to_dict(),
            "figures_before": self.figures_before.to_dict() if self.figures_before else None,
            "examples": self.examples,
        }


def try_rule(
    rule: Rule, book: str, first: date, last: date, *, shipped: Sequence[Rule] | None = None
) -> Trial:
    """Run ``rule`` on every month end from ``first`` to ``last`` beside the version in force.

    The rule counts as valid all along. Everything happens in temporary tables of a transaction that
    is rolled back.

    Raises
    ------
    UsageError: no month end between the days, or a table that the rule's subject reads is missing.
    """
    check_book(book)
    current = next(
        (each for each in rules_in_force(shipped or load_rules(), last) if each.id == rule.id), None
    )
    always = {"valid_from": first.replace(year=1900), "valid_to": None}
    tried = rule.model_copy(update={**always, "id": f"{rule.id} tried"})
    before = current.model_copy(update={**always, "id": f"{rule.id} in force"}) if current else None
    rules = [tried, *([before] if before else [])]
    with connect("publisher", large_joins=True) as connection:
        _, missing = runnable_rules(connection, rules)
        if tried.id in missing:
            raise UsageError(
                f"rule {rule.id} cannot run on book {book}: {missing[tried.id]}",
                hint="build the warehouse first, or give the rule another subject",
            )
        figures = {each.rule_id: each for each in measure(connection, rules, book, first, last)}
        months = _months(connection, tried.id, before.id if before else "")
        examples = _examples(connection, rule.model_copy(update=always), book, last_month_end(last))
        connection.rollback()
    return Trial(
        rule_id=rule.id,
        rule_version=rule.version,
        against=current.version if current else None,
        months=months,
        figures=figures[tried.id],
        figures_before=figures[before.id] if before else None,
        examples=examples,
    )


def _months(connection: psycopg.Connection, tried: str, before: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            with compared as (
                select coalesce(tried.day_no, before.day_no) as day_no, tried.severity_rank,
                    tried.customer_id is not null as is_tried, before.customer_id is not null as is_before
                from (select * from onset where rule_id = %(tried)s) as tried
                full join (select * from onset where rule_id = %(before)s) as before
                    on before.customer_id = tried.customer_id and before.day_no = tried.day_no
            )
            select observed_day.day::text as month_end,
                count(*) filter (where is_tried)::int as alerts,
                count(*) filter (where severity_rank = 3)::int as red,
                count(*) filter (where severity_rank = 2)::int as orange,
                count(*) filter (where severity_rank = 1)::int as yellow,
                count(*) filter (where is_before)::int as alerts_before,
                count(*) filter (where is_tried and not is_before)::int as only_tried,
                count(*) filter (where is_before and not is_tried)::int as no_longer
            from observed_day
            left join compared using (day_no)
            where observed_day.counts
            group by observed_day.day
            order by observed_day.day
            """,
            {"tried": tried, "before": before},
        ).fetchall()
    return rows


def _examples(connection: psycopg.Connection, rule: Rule, book: str, day: date) -> list[dict[str, Any]]:
    query = compile_hits([rule], load_subjects(), book=book, as_of=day, schemas=LIVE_SCHEMAS)
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select customer_id, severity, text_zh, text_en"  # type: ignore[arg-type]
            f" from ({query}) as hits"
            " order by array_position(array['red', 'orange', 'yellow'], severity), customer_id"
            f" limit {EXAMPLES}"
        ).fetchall()
