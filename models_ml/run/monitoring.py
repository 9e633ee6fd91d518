"""Monitoring of the champions: stability, backtest, actual against expected, overrides, the challenger."""

from __future__ import annotations

from datetime import date

import numpy as np
import psycopg

from creditops.errors import CreditOpsError
from creditops.warehouse import connect
from models_ml.card.points_table import PointsTable
from models_ml.card.sql import compile_bins, identifier
from models_ml.data.population import feature_columns, scored_relation
from models_ml.lifecycle import registry
from models_ml.lifecycle.overrides import IN_FORCE
from models_ml.measure.stability import index_by_chance, light_of, stability_index
from models_ml.run import shadow
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.validate import backtest
from models_ml.validate.backtest import segment_columns

Figure = tuple[str, str, float, float | None, float | None, str]


def monitor(book: str, as_of: date) -> int:
    """Write ``scoring.model_monitoring`` for (book, as_of); returns the rows written.

    Metrics per champion: ``population`` (customers scored), ``population_shift`` per segment column
    (PSI against the last day scored before), ``psi`` of the score, ``csi`` per characteristic
    (segment), each with what chance alone exceeds once in a hundred as ``high``: below that it is
    green; ``mean_score`` and ``mean_pd`` (also per segment), ``grade_share`` per grade,
    ``override_share`` and ``override_notches``, those of :mod:`models_ml.validate.backtest`, and the
    challenger's of :mod:`models_ml.run.shadow`. A champion that is no points table has no development
    distributions, so neither psi nor csi nor backtest.

    Raises
    ------
    CreditOpsError: the book has no champion, or was not scored for that day.
    """
    champions = registry.champions(book)
    if not champions:
        raise CreditOpsError(f"book {book} has no champion to monitor", hint="see `creditops models list`")
    rows = 0
    for champion in champions:
        spec = find_scorecard(champion["scorecard"])
        table = registry.load_table(champion["name"], champion["version"])
        with connect("modeller", large_joins=True) as connection:
            connection.execute(
                "delete from scoring.model_monitoring where book = %s and as_of_date = %s and scorecard = %s",
                (book, as_of, spec.name),
            )
            if spec.population.may_be_empty and not _is_scored(connection, book, as_of, spec.name):
                continue
            figures = _score_figures(connection, book, as_of, spec, table)
            figures += _segment_figures(connection, book, as_of, spec.name)
            figures += _override_figures(connection, book, as_of, spec)
            figures += shadow.figures(connection, book, as_of, spec.name)
            if table is not None:
                figures += _characteristic_figures(connection, book, as_of, spec, table)
                figures += backtest.figures(connection, book, as_of, spec, table)
            connection.cursor().executemany(
                "insert into scoring.model_monitoring (book, as_of_date, scorecard, model_version,"
                " metric, segment, value, low, high, status)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [(book, as_of, spec.name, champion["version"], *figure) for figure in figures],
            )
        rows += len(figures)
    return rows


def _is_scored(connection: psycopg.Connection, book: str, as_of: date, scorecard: str) -> bool:
    row = connection.execute(
        "select exists (select from scoring.customer_scores"
        " where book = %s and as_of_date = %s and scorecard = %s)",
        (book, as_of, scorecard),
    ).fetchone()
    return bool(row and row[0])


def _score_figures(
    connection: psycopg.Connection, book: str, as_of: date, spec: ScorecardSpec, table: PointsTable | None
) -> list[Figure]:
    found = connection.execute(
        # Exact sums in a fixed order: a second run of the same day gives the same figures.
        "select score, grade, count(*), sum(pd::numeric)::float8 from scoring.customer_scores"
        " where book = %s and as_of_date = %s and scorecard = %s group by 1, 2 order by 1, 2",
        (book, as_of, spec.name),
    ).fetchall()
    if not found:
        raise CreditOpsError(
            f"{spec.name}: book {book} was not scored for {as_of}",
            hint="score the day first: `creditops run publish`",
        )
    scores = np.array([row[0] for row in found], dtype=float)
    counts = np.array([row[2] for row in found], dtype=float)
    total = counts.sum()
    figures: list[Figure] = [
        ("population", "all", float(total), None, None, "green"),
        ("mean_score", "all", float((scores * counts).sum() / total), None, None, "green"),
        ("mean_pd", "all", float(sum(row[3] for row in found) / total), None, None, "green"),
    ]
    for grade in sorted({row[1] for row in found}):
        share = float(sum(row[2] for row in found if row[1] == grade) / total)
        figures.append(("grade_share", grade, share, None, None, "green"))
    if table is not None:
        edges = table.baseline.edges
        actual = np.zeros(len(edges) + 1)
        np.add.at(actual, np.searchsorted(np.array(edges), scores, side="right"), counts)
        psi = stability_index(table.baseline.shares, actual)
        chance = index_by_chance(len(actual), total, table.development_rows)
        figures.append(("psi", "all", psi, None, chance, light_of(psi, chance)))
    return figures


def _segment_figures(connection: psycopg.Connection, book: str, as_of: date, scorecard: str) -> list[Figure]:
    """Mean score and PD by segment, and the shift of the segments' shares since the day scored before."""
    figures: list[Figure] = []
    for column in segment_columns(connection):
        rows = connection.execute(
            # Exact sums in a fixed order, as above.
            f"select coalesce(customer.{column}::text, ''), count(*) filter (where s.as_of_date = %(as_of)s),"  # type: ignore[arg-type]
            " count(*) filter (where s.as_of_date < %(as_of)s),"
            " (sum(s.score) filter (where s.as_of_date = %(as_of)s))::float8,"
            " (sum(s.pd::numeric) filter (where s.as_of_date = %(as_of)s))::float8"
            " from scoring.customer_scores as s join marts.dim_customer as customer"
            " on customer.book = s.book and customer.customer_id = s.customer_id"
            " where s.book = %(book)s and s.scorecard = %(scorecard)s and s.as_of_date in (%(as_of)s,"
            " (select max(as_of_date) from scoring.customer_scores where book = %(book)s"
            " and scorecard = %(scorecard)s and as_of_date < %(as_of)s)) group by 1 order by 1",
            {"book": book, "as_of": as_of, "scorecard": scorecard},
        ).fetchall()
        for value, now, _, score, pd_ in rows:
            if value and now:
                figures.append(("mean_score", f"{column}={value}", score / now, None, None, "green"))
                figures.append(("mean_pd", f"{column}={value}", pd_ / now, None, None, "green"))
        if len(rows) > 1 and sum(row[2] for row in rows):
            before, now_ = [row[2] for row in rows], [row[1] for row in rows]
            shift = stability_index(before, now_)
            chance = index_by_chance(len(rows), sum(now_), sum(before))
            figures.append(("population_shift", column, shift, None, chance, light_of(shift, chance)))
    return figures


def _override_figures(
    connection: psycopg.Connection, book: str, as_of: date, spec: ScorecardSpec
) -> list[Figure]:
    """Share of scored customers with a grade by hand, and by how many notches, down being positive."""
    limit = spec.overrides.max_share
    row = connection.execute(
        "select count(s.*), count(o.*),"
        " coalesce(avg(o.grade_to::int - o.grade_from::int), 0)::float8"
        " from scoring.customer_scores as s left join scoring.grade_override as o"
        " on o.book = s.book and o.scorecard = s.scorecard and o.customer_id = s.customer_id"
        f" and {IN_FORCE}"  # type: ignore[arg-type]
        " where s.book = %(book)s and s.scorecard = %(scorecard)s and s.as_of_date = %(as_of)s",
        {"book": book, "as_of": as_of, "scorecard": spec.name},
    ).fetchone()
    assert row is not None
    share = row[1] / row[0]
    light = "green" if share <= limit / 2 else "amber" if share <= limit else "red"
    return [
        ("override_share", "all", share, None, None, light),
        ("override_notches", "all", row[2], None, None, "green"),
    ]


def _characteristic_figures(
    connection: psycopg.Connection, book: str, as_of: date, spec: ScorecardSpec, table: PointsTable
) -> list[Figure]:
    """CSI of every characteristic, from one scan with a grouping set a characteristic."""
    columns = feature_columns(connection, spec, table.features)
    bins = compile_bins(table, scored_relation(spec, book, as_of, columns), types=columns.types)
    names = [identifier(f"bin_{each.name}") for each in table.characteristics]
    sets = ", ".join(f"({name})" for name in names)
    rows = connection.execute(
        f"select {', '.join(names)}, count(*) from ({bins}) as binned"  # type: ignore[arg-type]
        f" group by grouping sets ({sets})"
    ).fetchall()
    figures: list[Figure] = []
    for position, each in enumerate(table.characteristics):
        actual = np.zeros(len(each.bins))
        for row in rows:
            if row[position] is not None:
                actual[row[position]] += row[-1]
        counts = [b.count for b in each.bins]
        csi = stability_index(counts, actual)
        used = int(np.count_nonzero((np.array(counts) > 0) | (actual > 0)))
        chance = index_by_chance(used, actual.sum(), table.development_rows)
        figures.append(("csi", each.name, csi, None, chance, light_of(csi, chance)))
    return figures
