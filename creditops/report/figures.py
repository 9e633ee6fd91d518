"""The figures of a report, read from one publication. Ratios are decimals, money in currency units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from creditops.report.publication import Publication

Row = dict[str, Any]
MONTHS = 24
BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
SEVERITIES = ("red", "orange", "yellow")
TOP_WARNINGS = 20


@dataclass(frozen=True)
class Figures:
    """Everything that a report shows.

    Attributes
    ----------
    trend: one row a month, oldest first, at most :data:`MONTHS`: month, facilities, balance,
        overdue_balance, npl_balance, overdue_ratio, npl_ratio, new_defaults, cures, write_offs,
        expected_loss.
    segments: the last month by product and segment, with its share of the balance.
    buckets: month -> bucket -> facilities that were on book a month before.
    rolls: pooled last three months: (from, to) -> share of balance; ``roll_months`` of them.
    roll_trend: month -> from bucket -> share of balance that rolled to a later bucket or write-off.
    vintages: origination quarter -> [(mob, ever-30 rate)], where published.
    scores: scorecard -> [(score, customers)].
    grades: scorecard -> grade -> (customers, mean PD).
    reasons: scorecard -> rows with code, zh, en, customers, share.
    npl: the last month's non-performing balance by cause: cause, facilities, balance, share.
    warnings: open early warnings by severity; those on customers in default are counted apart, in
        ``warnings_after_default``. ``warnings_new`` began since the month end before, not merely seen
        for the first time. ``warning_rules`` by rule; ``warning_list`` the severest first, then
        customers with several red ones, then the highest PD.
    """

    customers: int
    trend: list[Row]
    segments: list[Row]
    buckets: dict[date, dict[str, int]]
    rolls: dict[tuple[str, str], float]
    roll_sizes: dict[str, float]
    roll_months: int
    roll_trend: dict[date, dict[str, float]]
    vintages: dict[str, list[tuple[int, float]]]
    scores: dict[str, list[tuple[int, int]]]
    grades: dict[str, dict[str, tuple[int, float]]]
    reasons: dict[str, list[Row]]
    npl: list[Row]
    warnings: dict[str, int]
    warnings_after_default: int
    warnings_new: int
    warnings_unattended: int
    warning_rules: list[Row]
    warning_list: list[Row]
    quality: list[Row]
    failed_checks: list[Row]
    monitoring: dict[str, list[Row]]


def collect(publication: Publication) -> Figures:
    """Read every figure of ``publication``."""
    rolls, sizes, roll_months = _rolls(publication)
    return Figures(
        customers=_one(publication, "select count(distinct customer_id) as n from {customer_scores}")["n"],
        trend=_trend(publication),
        segments=_segments(publication),
        buckets=_buckets(publication),
        rolls=rolls,
        roll_sizes=sizes,
        roll_months=roll_months,
        roll_trend=_roll_trend(publication),
        vintages=_vintages(publication),
        scores=_scores(publication),
        grades=_grades(publication),
        reasons=_reasons(publication),
        npl=_npl(publication),
        **_warnings(publication),
        quality=_quality(publication),
        failed_checks=_failed_checks(publication),
        monitoring=_monitoring(publication),
    )


def _one(publication: Publication, query: str) -> Row:
    return publication.rows(query)[0]


def _trend(publication: Publication) -> list[Row]:
    rows = publication.rows(
        "select month, sum(facilities)::bigint as facilities, sum(balance)::float8 as balance,"
        " sum(overdue_balance)::float8 as overdue_balance, sum(npl_balance)::float8 as npl_balance,"
        " (sum(overdue_balance) / nullif(sum(balance), 0))::float8 as overdue_ratio,"
        " (sum(npl_balance) / nullif(sum(balance), 0))::float8 as npl_ratio,"
        " sum(new_defaults)::int as new_defaults, sum(cures)::int as cures,"
        " sum(write_offs)::int as write_offs, sum(expected_loss)::float8 as expected_loss"
        " from {portfolio_monthly} group by month order by month desc limit %(months)s",
        months=MONTHS,
    )
    return rows[::-1]


def _segments(publication: Publication) -> list[Row]:
    return publication.rows(
        "select product_id, segment, facilities, balance::float8 as balance, overdue_ratio, npl_ratio,"
        " new_defaults, expected_loss::float8 as expected_loss,"
        " (balance / nullif(sum(balance) over (), 0))::float8 as share"
        " from {portfolio_monthly} where month = (select max(month) from {portfolio_monthly})"
        " order by balance desc, product_id, segment"
    )


def _buckets(publication: Publication) -> dict[date, dict[str, int]]:
    found: dict[date, dict[str, int]] = {}
    for row in publication.rows(
        "select month, to_bucket, sum(facilities)::bigint as facilities from {roll_rates}"
        " where to_bucket like 'M_' group by month, to_bucket order by month, to_bucket"
    ):
        found.setdefault(row["month"], {})[row["to_bucket"]] = row["facilities"]
    return dict(list(found.items())[-12:])


def _rolls(publication: Publication) -> tuple[dict[tuple[str, str], float], dict[str, float], int]:
    rows = publication.rows(
        "select from_bucket, to_bucket, sum(balance)::float8 as balance, count(distinct month) as months,"
        " (select count(distinct month) from {roll_rates}"
        "  where month > (select max(month) - 80 from {roll_rates})) as pooled"
        " from {roll_rates} where month > (select max(month) - 80 from {roll_rates})"
        " group by from_bucket, to_bucket"
    )
    sizes: dict[str, float] = {}
    for row in rows:
        sizes[row["from_bucket"]] = sizes.get(row["from_bucket"], 0.0) + row["balance"]
    shares = {
        (row["from_bucket"], row["to_bucket"]): row["balance"] / sizes[row["from_bucket"]]
        for row in rows
        if sizes[row["from_bucket"]] > 0
    }
    return shares, sizes, rows[0]["pooled"] if rows else 0


def _roll_trend(publication: Publication) -> dict[date, dict[str, float]]:
    found: dict[date, dict[str, float]] = {}
    for row in publication.rows(
        "select month, from_bucket,"
        " (sum(balance) filter (where to_bucket > from_bucket and to_bucket like 'M_'"
        "   or to_bucket = 'written_off') / nullif(sum(balance), 0))::float8 as rolled"
        " from {roll_rates} where from_bucket in ('M0', 'M1', 'M2', 'M3')"
        " group by month, from_bucket order by month, from_bucket"
    ):
        found.setdefault(row["month"], {})[row["from_bucket"]] = row["rolled"] or 0.0
    return dict(list(found.items())[-MONTHS:])


def _vintages(publication: Publication) -> dict[str, list[tuple[int, float]]]:
    if not publication.has("vintages"):
        return {}
    found: dict[str, list[tuple[int, float]]] = {}
    for row in publication.rows(
        "select to_char(date_trunc('quarter', origination_month), 'YYYY\"Q\"Q') as cohort, mob,"
        " (sum(ever_30_rate * facilities) / nullif(sum(facilities), 0))::float8 as rate"
        " from {vintages} where origination_month > (select max(origination_month) - 800 from {vintages})"
        " group by 1, 2 order by 1, 2"
    ):
        if row["rate"] is not None:
            found.setdefault(row["cohort"], []).append((row["mob"], row["rate"]))
    return found


def _scores(publication: Publication) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for row in publication.rows(
        "select scorecard, score, count(*) as n from {customer_scores} group by 1, 2 order by 1, 2"
    ):
        found.setdefault(row["scorecard"], []).append((row["score"], row["n"]))
    return found


def _grades(publication: Publication) -> dict[str, dict[str, tuple[int, float]]]:
    found: dict[str, dict[str, tuple[int, float]]] = {}
    for row in publication.rows(
        "select scorecard, grade, count(*) as n, avg(pd)::float8 as pd from {customer_scores} group by 1, 2"
    ):
        found.setdefault(row["scorecard"], {})[row["grade"]] = (row["n"], row["pd"])
    return found


def _reasons(publication: Publication) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in publication.rows(
        "select scorecard, reason.code, max(reason.zh) as zh, max(reason.en) as en, count(*) as customers,"
        " count(*) filter (where reason.place = 1) as first,"
        " count(*)::float8 / max(total) as share"
        " from (select *, count(*) over (partition by scorecard) as total from {customer_scores}) as scored"
        " cross join lateral (values (1, reason_1, reason_1_zh, reason_1_en),"
        " (2, reason_2, reason_2_zh, reason_2_en), (3, reason_3, reason_3_zh, reason_3_en),"
        " (4, reason_4, reason_4_zh, reason_4_en)) as reason (place, code, zh, en)"
        " where reason.code is not null group by scorecard, reason.code order by 1, customers desc, code"
    ):
        found.setdefault(row["scorecard"], []).append(row)
    return {scorecard: rows[:10] for scorecard, rows in found.items()}


def _npl(publication: Publication) -> list[Row]:
    if not publication.has("npl_bridge"):
        return []
    return publication.rows(
        "select cause, sum(facilities)::bigint as facilities, sum(balance)::float8 as balance,"
        " (sum(balance) / nullif(sum(sum(balance)) over (), 0))::float8 as share from {npl_bridge}"
        " where month = (select max(month) from {portfolio_monthly}) group by cause"
        " order by array_position(array['past_due_90', 'manual', 'contagion_here', 'contagion_elsewhere',"
        " 'cure_period'], cause)"
    )


_OPEN = "status in ('raised', 'acknowledged', 'in_response')"
_EARLY = f"{_OPEN} and after_default is not true"
_NEW = (
    "coalesce(first_seen_on, raised_on) = as_of_date"
    " and raised_on >= (date_trunc('month', as_of_date + 1) - interval '1 day')::date"
)
_WORST_FIRST = "array_position(array['red', 'orange', 'yellow'], severity)"


def _warnings(publication: Publication) -> dict[str, Any]:
    totals = _one(
        publication,
        f"select count(*) filter (where {_EARLY} and severity = 'red') as red,"
        f" count(*) filter (where {_EARLY} and severity = 'orange') as orange,"
        f" count(*) filter (where {_EARLY} and severity = 'yellow') as yellow,"
        f" count(*) filter (where {_EARLY} and {_NEW}) as new,"
        f" count(*) filter (where {_OPEN} and after_default) as after_default,"
        f" count(*) filter (where {_EARLY} and status = 'raised' and severity = 'red') as unattended"
        " from {early_warnings}",
    )
    return {
        "warnings": {severity: totals[severity] for severity in SEVERITIES},
        "warnings_after_default": totals["after_default"],
        "warnings_new": totals["new"],
        "warnings_unattended": totals["unattended"],
        "warning_rules": publication.rows(
            "select rule_id, count(*) as open, count(*) filter (where severity = 'red') as red,"
            " count(*) filter (where severity = 'orange') as orange,"
            " count(*) filter (where severity = 'yellow') as yellow,"
            f" count(*) filter (where {_NEW}) as new"
            f" from {{early_warnings}} where {_EARLY} group by rule_id"
            " order by red desc, orange desc, yellow desc, rule_id"
        ),
        "warning_list": publication.rows(
            "select warning_id, early_warnings.customer_id, facility_id, rule_id, severity, raised_on,"
            " status, text_zh, text_en, recommended_response, customer_360.grade from {early_warnings}"
            " left join {customer_360} on customer_360.customer_id = early_warnings.customer_id"
            f" where {_EARLY} order by {_WORST_FIRST},"
            " count(*) filter (where severity = 'red') over (partition by early_warnings.customer_id) desc,"
            " customer_360.pd desc nulls last, raised_on desc, early_warnings.customer_id, rule_id"
            " limit %(top)s",
            top=TOP_WARNINGS,
        ),
    }


def _quality(publication: Publication) -> list[Row]:
    if not publication.has("data_quality"):
        return []
    return publication.rows(
        "select source, count(distinct batch_id) as batches, count(*) as checks,"
        " count(*) filter (where passed) as passed, max(rows_checked) as rows_checked,"
        " sum(rows_failed)::bigint as rows_failed from {data_quality} group by source order by source"
    )


def _failed_checks(publication: Publication) -> list[Row]:
    failed = [
        {
            "table": gate.get("table", ""),
            "check": gate.get("check", gate.get("failed", "")),
            "severity": gate.get("severity", ""),
            "rows_failed": gate.get("rows_failed"),
            "rows_checked": gate.get("rows_checked"),
        }
        for gate in publication.gates
        if not gate.get("passed", False)
    ]
    if publication.has("data_quality"):
        failed += publication.rows(
            'select source as table, "check", severity, rows_failed, rows_checked from {data_quality}'
            ' where not passed order by severity, source, "check"'
        )
    return failed


def _monitoring(publication: Publication) -> dict[str, list[Row]]:
    if not publication.has("model_monitoring"):
        return {}
    found: dict[str, list[Row]] = {}
    for row in publication.rows(
        "select scorecard, metric, segment, value, status from {model_monitoring}"
        " where metric in ('psi', 'csi') order by scorecard, metric desc, value desc"
    ):
        found.setdefault(row["scorecard"], []).append(row)
    return found
