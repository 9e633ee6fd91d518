"""Backtest of a champion: what its PDs said at past month ends against what happened since.

The full window ends with the newest observation date whose whole window has passed; early windows of
a few months show trouble before that. Past month ends are scored anew with today's champion, on the
features as they were known, and set against the defaults of the same population as training, exclusions
left out; who was late and did not default counts as not defaulted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import psycopg

from models_ml.card.points_table import PointsTable
from models_ml.card.sql import compile, literal
from models_ml.data.dataset import observation_dates
from models_ml.data.population import feature_columns, scored_relation
from models_ml.fit.calibration import jeffreys
from models_ml.measure.discrimination import auc
from models_ml.spec import ScorecardSpec

EARLY_MONTHS = (3, 6)
_SURE, _LIKELY = 0.99, 0.95
_RATIO = (2 / 3, 1.5)  # actual over expected beyond which a surely wrong level is red

Figure = tuple[str, str, float, float | None, float | None, str]


@dataclass(frozen=True)
class Window:
    """An observation date and the months of outcome after it that have passed."""

    observed_on: date
    months: int


def figures(
    connection: psycopg.Connection, book: str, as_of: date, spec: ScorecardSpec, table: PointsTable
) -> list[Figure]:
    """Figures of every window, for :func:`models_ml.run.monitoring.monitor`.

    ``backtest_<n>m`` per grade: observed default rate with Jeffreys 95 % interval; green where the mean
    PD lies in it, amber where only in the 99 % one, else red. ``actual_to_expected_<n>m`` for all and
    per segment. ``backtest`` and ``actual_to_expected`` for all are those of the longest window; the
    former is the number of red grades. ``auc_<n>m`` with DeLong interval.
    """
    found: list[Figure] = []
    longest: list[Figure] = []
    for window in windows(connection, book, as_of, spec):
        rows = scored_outcomes(connection, book, spec, table, window)
        if rows.empty:
            continue
        rows["expected"] = _expected(rows["pd"], window.months, spec.observation.window_months)
        longest = [*_by_grade(rows, window.months), *_by_segment(rows, window.months)]
        longest += _discrimination(rows, window.months)
        found += longest
    for metric, segment, value, low, high, light in longest:
        if segment == "all" and metric.startswith(("backtest_", "actual_to_expected_")):
            found.append((metric.rpartition("_")[0], segment, value, low, high, light))
    return found


def windows(connection: psycopg.Connection, book: str, as_of: date, spec: ScorecardSpec) -> list[Window]:
    """Early windows, then the full one, as far as labels are there; shortest first."""
    from creditops.errors import DataRefusedError

    have = {
        row[0]
        for row in connection.execute(
            f"select distinct observation_date from {spec.label_table} where book = %s and source = %s",
            (book, spec.observation.label_source),
        )
    }
    found = []
    if spec.observation.label_source == "panel":
        for months in EARLY_MONTHS:
            day = (pd.Timestamp(as_of) + pd.offsets.MonthEnd(-months)).date()
            if months < spec.observation.window_months and day in have:
                found.append(Window(day, months))
    try:
        newest = observation_dates(connection, book, spec, as_of)[-1]
    except DataRefusedError:
        return found
    return [*found, Window(newest, spec.observation.window_months)]


def scored_outcomes(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, table: PointsTable, window: Window
) -> pd.DataFrame:
    """Customers of a window by score: columns score, pd, grade, segments, bad, count."""
    columns = feature_columns(connection, spec, table.features)
    relation = scored_relation(spec, book, window.observed_on, columns)
    keys = ("customer_id", "observation_date")
    compiled = compile(table, relation, keys=keys, types=columns.types, points=False, texts=False)
    excluded = ""
    if spec.population.exclusions:
        reasons = ", ".join(literal(reason) for reason in spec.population.exclusions)
        excluded = f" and (label.exclusion is null or label.exclusion not in ({reasons}))"
    segments = segment_columns(connection)
    picked = "".join(f", coalesce(customer.{name}::text, '') as {name}" for name in segments)
    joined = (
        " left join marts.dim_customer as customer on customer.book = label.book"
        " and customer.customer_id = label.customer_id"
        if segments
        else ""
    )
    grouped = ", ".join(str(place) for place in range(1, 5 + len(segments)))
    rows = connection.execute(
        f"select score, pd, grade, label.bad::int as bad{picked}, count(*) from ({compiled}) as scored"  # type: ignore[arg-type]
        f" join {spec.label_table} as label using (customer_id, observation_date){joined}"
        f" where label.book = {literal(book)} and label.bad is not null"
        f" and label.source = {literal(spec.observation.label_source)}{excluded}"
        f" group by {grouped} order by {grouped}"
    ).fetchall()
    return pd.DataFrame(rows, columns=["score", "pd", "grade", "bad", *segments, "count"])


def segment_columns(connection: psycopg.Connection) -> list[str]:
    """Segments the book can be cut by: columns of ``marts.dim_customer``, where it is built."""
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass('marts.dim_customer')"
        " and attname in ('customer_type', 'region', 'industry') and not attisdropped order by attname"
    ).fetchall()
    return [str(row[0]) for row in rows]


def light(expected: float, bads: int, rows: int) -> str:
    """Traffic light of a default rate: where ``expected`` lies in the Jeffreys intervals."""
    low, high = jeffreys(bads, rows, _LIKELY)
    if low <= expected <= high:
        return "green"
    low, high = jeffreys(bads, rows, _SURE)
    return "amber" if low <= expected <= high else "red"


def _by_grade(rows: pd.DataFrame, months: int) -> list[Figure]:
    found: list[Figure] = []
    grades = sorted(rows["grade"].unique(), key=lambda grade: (len(grade), grade))
    for grade in grades:
        count, bads, expected = _totals(rows[rows["grade"] == grade])
        low, high = jeffreys(bads, count, _LIKELY)
        status = light(expected / count, bads, count)
        found.append((f"backtest_{months}m", grade, bads / count, low, high, status))
    red = sum(figure[-1] == "red" for figure in found)
    status = "green" if not red else "amber" if red == 1 else "red"
    return [*found, (f"backtest_{months}m", "all", float(red), None, None, status)]


def _by_segment(rows: pd.DataFrame, months: int) -> list[Figure]:
    parts = [("all", rows)]
    for column in rows.columns[4:-2]:
        for value in sorted(rows[column].unique()):
            if value:
                parts.append((f"{column}={value}", rows[rows[column] == value]))
    found: list[Figure] = []
    for name, part in parts:
        count, bads, expected = _totals(part)
        if expected <= 0:
            continue
        low, high = jeffreys(bads, count, _LIKELY)
        ratio, status = bads / expected, light(expected / count, bads, count)
        if status == "red" and _RATIO[0] <= ratio <= _RATIO[1]:
            status = "amber"  # surely off, but not by much
        scale = count / expected
        found.append((f"actual_to_expected_{months}m", name, ratio, low * scale, high * scale, status))
    return found


def _discrimination(rows: pd.DataFrame, months: int) -> list[Figure]:
    times = rows["count"].to_numpy(dtype=int)
    area = auc(-np.repeat(rows["score"].to_numpy(), times), np.repeat(rows["bad"].to_numpy(), times))
    if not np.isfinite(area.low):
        return []
    status = "green" if area.low > 0.6 else "amber" if area.low > 0.5 else "red"
    return [(f"auc_{months}m", "all", area.value, area.low, area.high, status)]


def _totals(rows: pd.DataFrame) -> tuple[int, int, float]:
    count = rows["count"].to_numpy(dtype=int)
    return int(count.sum()), int((count * rows["bad"]).sum()), float((count * rows["expected"]).sum())


def _expected(pds: Sequence[float] | pd.Series, months: int, window: int) -> np.ndarray:
    """PD of the first ``months`` of a window of ``window``, at a constant hazard."""
    return 1 - (1 - np.asarray(pds, dtype=float)) ** (months / window)
