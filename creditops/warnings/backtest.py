"""What each rule was worth on history (domain.md#warning-backtest): precision, recall, lift, lead time.

An alert is a month end at which a warning would have been raised on a customer at risk: one with an
open facility and not in default (or observed by a source of outcomes). Precision over h months: share
of the alerts whose customer defaults within h months after, of those whose h months have passed. Base
rate: the same share of all customers at risk whom the rule's subject covers, on the same month ends.
Lift: precision over base rate. Recall: share of those customers' defaults that the rule's condition
held before, within h months. Lead time: days from the first such month end to the default, in 12 months.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

from creditops.books import check_book
from creditops.warehouse import run_log
from creditops.warehouse.connection import connect
from creditops.warehouse.layers import LIVE_SCHEMAS
from creditops.warnings.calendar import last_month_end, month_end
from creditops.warnings.evaluation import runnable_rules
from creditops.warnings.history import find_onsets, month_ends
from creditops.warnings.rule import Rule, load_rules, rules_in_force

MONTHS = 24
MIN_LIFT = 1.5
"""Lift under which a rule is listed for retirement."""
MIN_ALERTS = 20
"""Alerts with a known outcome below which a rule is not judged."""


@dataclass(frozen=True)
class RuleBacktest:
    """Figures of one rule; ``None`` where nothing is there to divide by.

    ``false_alarms`` and ``actions_approved`` are what people made of the rule's warnings in the
    window. ``verdict``: keep, retire (lift under :data:`MIN_LIFT`) or too_few.
    """

    rule_id: str
    rule_version: int
    first_day: date
    last_day: date
    alerts: int
    alerts_6m: int
    precision_6m: float | None
    base_rate_6m: float | None
    lift_6m: float | None
    alerts_12m: int
    precision_12m: float | None
    base_rate_12m: float | None
    lift_12m: float | None
    defaults: int
    recall_6m: float | None
    recall_12m: float | None
    median_lead_days: float | None
    false_alarms: int
    actions_approved: int
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-ready values."""
        return {
            **asdict(self),
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
        }


def backtest(
    book: str,
    as_of: date,
    *,
    months: int = MONTHS,
    rules: Sequence[Rule] | None = None,
    schemas: Mapping[str, str] = LIVE_SCHEMAS,
    progress: Callable[[str], None] | None = None,
) -> list[RuleBacktest]:
    """Judge the rules on the ``months`` month ends up to ``as_of`` and keep the figures of that day.

    Figures of the same book and day are replaced in ``actions.warning_backtest``.

    Raises
    ------
    UsageError: there is no month end to judge on.
    """
    check_book(book)
    some = rules if rules is not None else load_rules()
    with run_log.step("warnings.backtest", book=book, as_of=as_of, role="publisher") as step:
        with connect("publisher", large_joins=True) as connection:
            first = month_end(last_month_end(as_of), months_before=months - 1)
            judged = measure(connection, some, book, first, as_of, schemas=schemas, progress=progress)
            connection.execute(
                "delete from actions.warning_backtest where book = %s and as_of_date = %s", (book, as_of)
            )
            with connection.cursor() as cursor:
                for each in judged:
                    values = asdict(each)
                    cursor.execute(
                        f"insert into actions.warning_backtest (book, as_of_date, {', '.join(values)})"  # type: ignore[arg-type]
                        f" values (%s, %s, {', '.join(['%s'] * len(values))})",
                        (book, as_of, *values.values()),
                    )
        step.rows = len(judged)
    return judged


def backtest_month(book: str, as_of: date, *, schemas: Mapping[str, str] = LIVE_SCHEMAS) -> int:
    """Judge the rules if ``as_of`` is a month end; rules judged."""
    return len(backtest(book, as_of, schemas=schemas)) if as_of == month_end(as_of) else 0


def measure(
    connection: psycopg.Connection,
    rules: Sequence[Rule],
    book: str,
    first: date,
    last: date,
    *,
    schemas: Mapping[str, str] = LIVE_SCHEMAS,
    progress: Callable[[str], None] | None = None,
) -> list[RuleBacktest]:
    """Figures of the rules on the month ends from ``first`` to ``last``, which is also the day known.

    Leaves the temporary tables of :func:`~creditops.warnings.history.find_onsets` behind until the
    transaction ends.
    """
    runnable, _ = runnable_rules(connection, rules, schemas)
    days = month_ends(first, last)
    find_onsets(connection, runnable, book, days, schemas=schemas, progress=progress)
    values = {
        "book": book,
        "first": days[0],
        "known": last,
        "min_lift": MIN_LIFT,
        "min_alerts": MIN_ALERTS,
    }
    cursor = psycopg.ClientCursor(connection, row_factory=dict_row)
    for statement in (_RISK, _DEFAULTS, "analyze risk; analyze defaulted"):
        cursor.execute(statement.format_map(schemas), values)  # type: ignore[arg-type]
    cursor.execute(_FIGURES.format_map(schemas), values)  # type: ignore[arg-type]
    found = {row["rule_id"]: row for row in cursor}
    newest = rules_in_force(runnable, days[-1])
    nothing = dict.fromkeys(_COUNTS, 0)
    return [
        RuleBacktest(
            **{
                **dict.fromkeys(RuleBacktest.__dataclass_fields__),  # type: ignore[arg-type]
                **(found.get(rule.id) or {**nothing, "rule_id": rule.id, "verdict": "too_few"}),
                "rule_version": rule.version,
                "first_day": days[0],
                "last_day": days[-1],
            }
        )
        for rule in newest
    ]


_COUNTS = ("alerts", "alerts_6m", "alerts_12m", "defaults", "false_alarms", "actions_approved")

# What became of each customer at risk; null where the months have not passed yet.
_RISK = """
create temporary table risk on commit drop as
with at_risk as (
    select observed_day.day_no, observed_day.day, label.customer_id, label.source, label.bad,
        (observed_day.day + interval '1 day' + interval '6 months' - interval '1 day')::date as until_6m,
        (observed_day.day + interval '1 day' + interval '12 months' - interval '1 day')::date as until_12m
    from observed_day
    inner join {features}.label_default as label
        on label.book = %(book)s and label.observation_date = observed_day.day
        and (label.exclusion is null or label.exclusion in ('under_3_mob', 'staff'))
    where observed_day.counts
),
next_default as (
    select at_risk.day_no, at_risk.customer_id, min(episode.default_on) as default_on
    from at_risk
    inner join {marts}.fct_default as episode
        on episode.book = %(book)s and episode.customer_id = at_risk.customer_id
        and episode.default_on > at_risk.day
    group by at_risk.day_no, at_risk.customer_id
)
select at_risk.day_no, at_risk.day, at_risk.customer_id, next_default.default_on,
    case
        when source = 'outcomes' then null
        when until_6m <= %(known)s then coalesce(next_default.default_on <= until_6m, false)
    end as bad_6m,
    case
        when source = 'outcomes' then bad
        when until_12m <= %(known)s then coalesce(next_default.default_on <= until_12m, false)
    end as bad_12m,
    source = 'outcomes' as only_outcome
from at_risk
left join next_default using (day_no, customer_id)
"""

# A default counts where its customer was at risk at a month end in the year before.
_DEFAULTS = """
create temporary table defaulted on commit drop as
select distinct customer_id, default_on, default_on - 365 as since, default_on - 183 as since_6m
from risk
where default_on <= %(known)s and default_on - 365 <= day
union all
select customer_id, day + 1, day, null from risk where only_outcome and bad_12m
"""

_FIGURES = """
with base as (
    select flag.subject,
        avg(bad_6m::int)::double precision as base_rate_6m,
        avg(bad_12m::int)::double precision as base_rate_12m
    from flag
    inner join risk using (day_no, customer_id)
    where flag.rule_id is null
    group by flag.subject
),
rule_subject as (select distinct rule_id, subject from flag where rule_id is not null),
alert as (
    select onset.rule_id,
        count(*) as alerts,
        count(bad_6m) as alerts_6m, avg(bad_6m::int)::double precision as precision_6m,
        count(bad_12m) as alerts_12m, avg(bad_12m::int)::double precision as precision_12m
    from onset
    inner join risk using (day_no, customer_id)
    group by onset.rule_id
),
covered as (
    select flag.subject, defaulted.customer_id, defaulted.default_on
    from flag
    inner join defaulted
        on defaulted.customer_id = flag.customer_id
        and flag.day >= defaulted.since and flag.day < defaulted.default_on
    where flag.rule_id is null
    group by flag.subject, defaulted.customer_id, defaulted.default_on
),
seen as (
    select flag.rule_id, flag.subject, defaulted.customer_id, defaulted.default_on,
        min(flag.day) as first_day, bool_or(flag.day >= defaulted.since_6m) as within_6m,
        bool_or(defaulted.since_6m is null) as only_outcome
    from flag
    inner join defaulted
        on defaulted.customer_id = flag.customer_id
        and flag.day >= defaulted.since and flag.day < defaulted.default_on
    where flag.rule_id is not null
    group by flag.rule_id, flag.subject, defaulted.customer_id, defaulted.default_on
),
caught as (
    select rule_id, count(*) as caught_12m, count(*) filter (where within_6m) as caught_6m,
        bool_and(only_outcome) as only_outcome,
        percentile_cont(0.5) within group (order by default_on - first_day)
            filter (where not only_outcome) as median_lead_days
    from seen
    group by rule_id
),
defaults as (select subject, count(*) as defaults from covered group by subject),
feedback as (
    select warning.rule_id,
        count(distinct warning.warning_id) filter (where warning.status = 'false_alarm') as false_alarms,
        count(distinct action.action_id) as actions_approved
    from actions.early_warnings as warning
    left join actions.proposed_actions as action
        on action.warning_id = warning.warning_id and action.status in ('approved', 'done')
    where warning.book = %(book)s and not warning.after_default
        and warning.raised_on between %(first)s and %(known)s
    group by warning.rule_id
),
figures as (
    select rule_subject.rule_id,
        coalesce(alert.alerts, 0)::int as alerts,
        coalesce(alert.alerts_6m, 0)::int as alerts_6m,
        alert.precision_6m, base.base_rate_6m,
        alert.precision_6m / nullif(base.base_rate_6m, 0) as lift_6m,
        coalesce(alert.alerts_12m, 0)::int as alerts_12m,
        alert.precision_12m, base.base_rate_12m,
        alert.precision_12m / nullif(base.base_rate_12m, 0) as lift_12m,
        coalesce(defaults.defaults, 0)::int as defaults,
        case
            when not coalesce(caught.only_outcome, false)
            then coalesce(caught.caught_6m, 0) / nullif(defaults.defaults, 0)::double precision
        end as recall_6m,
        coalesce(caught.caught_12m, 0) / nullif(defaults.defaults, 0)::double precision as recall_12m,
        caught.median_lead_days,
        coalesce(feedback.false_alarms, 0)::int as false_alarms,
        coalesce(feedback.actions_approved, 0)::int as actions_approved
    from rule_subject
    left join base using (subject)
    left join alert using (rule_id)
    left join caught using (rule_id)
    left join defaults using (subject)
    left join feedback using (rule_id)
)
select figures.*,
    case
        when greatest(alerts_12m, alerts_6m) < %(min_alerts)s then 'too_few'
        when coalesce(lift_12m, lift_6m, 0) < %(min_lift)s then 'retire'
        else 'keep'
    end as verdict
from figures
"""
