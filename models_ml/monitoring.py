"""Stability of the champions on a day's population against their development."""

from __future__ import annotations

from datetime import date

import numpy as np
import psycopg

from creditops.errors import CreditOpsError
from creditops.warehouse import connect
from models_ml import registry, tracking
from models_ml.points_table import PointsTable
from models_ml.population import expect_large_joins, feature_columns, scored_relation
from models_ml.spec import ScorecardSpec
from models_ml.spec import scorecard as find_scorecard
from models_ml.sql import compile_bins, identifier
from models_ml.stability import stability_index, status

Figure = tuple[str, str, float, float | None, float | None, str]


def monitor(book: str, as_of: date) -> int:
    """Write ``scoring.model_monitoring`` for (book, as_of); returns the rows written.

    Metrics per champion: ``population`` (customers scored), ``psi`` of the score, ``csi`` per
    characteristic (segment), ``mean_score``, ``mean_pd``, and ``grade_share`` per grade. A champion
    that is no points table has no development distributions, so neither psi nor csi.

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
        table = tracking.load_table(champion["name"], champion["version"])
        with connect("modeller") as connection:
            expect_large_joins(connection)
            figures = _score_figures(connection, book, as_of, spec, table)
            if table is not None:
                figures += _characteristic_figures(connection, book, as_of, spec, table)
            connection.execute(
                "delete from scoring.model_monitoring where book = %s and as_of_date = %s and scorecard = %s",
                (book, as_of, spec.name),
            )
            connection.cursor().executemany(
                "insert into scoring.model_monitoring (book, as_of_date, scorecard, model_version,"
                " metric, segment, value, low, high, status)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [(book, as_of, spec.name, champion["version"], *figure) for figure in figures],
            )
        rows += len(figures)
    return rows


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
        figures.append(("psi", "all", psi, None, None, status(psi)))
    return figures


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
        csi = stability_index([b.count for b in each.bins], actual)
        figures.append(("csi", each.name, csi, None, None, status(csi)))
    return figures
