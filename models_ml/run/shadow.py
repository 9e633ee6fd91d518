"""Shadow scores: the challenger scores beside the champion, in a table that is never published."""

from __future__ import annotations

from datetime import date

import psycopg

from creditops.warehouse import connect
from models_ml.card.master_scale import master_scale
from models_ml.card.sql import compile, literal
from models_ml.data.population import feature_columns, scored_relation
from models_ml.measure.stability import stability_index, status
from models_ml.spec import load_scorecards
from models_ml.store import versions

Figure = tuple[str, str, float, float | None, float | None, str]


def score_challengers(book: str, as_of: date, *, marts: str = "marts") -> int:
    """Replace the day's rows of ``scoring.shadow_scores`` by those of the book's challengers.

    A challenger whose gates failed, or that is no points table, does not score. Returns rows written.
    """
    rows = 0
    with connect("modeller", large_joins=True) as connection:
        connection.execute(
            "delete from scoring.shadow_scores where book = %s and as_of_date = %s", (book, as_of)
        )
        for each in versions.challengers(book):
            spec = load_scorecards().get(each["scorecard"])
            table = versions.load_table(each["name"], each["version"])
            if spec is None or table is None or not each["gates_passed"]:
                continue
            columns = feature_columns(connection, spec, table.features)
            compiled = compile(
                table,
                scored_relation(spec, book, as_of, columns, states=f"{marts}.fct_customer_state"),
                keys=("customer_id", "is_default"),
                types=columns.types,
                points=False,
                texts=False,
            )
            rows += connection.execute(
                "insert into scoring.shadow_scores (book, as_of_date, scorecard, customer_id,"  # type: ignore[arg-type]
                f" model_version, score, pd, grade) select {literal(book)},"
                f" date {literal(as_of.isoformat())}, {literal(spec.name)}, customer_id,"
                f" {literal(each['version'])}, score, case when is_default then 1.0 else pd end,"
                f" case when is_default then {literal(master_scale().default_grade)} else grade end"
                f" from ({compiled}) as scored"
            ).rowcount
    return rows


def figures(connection: psycopg.Connection, book: str, as_of: date, scorecard: str) -> list[Figure]:
    """The challenger beside the champion, segment ``version N``: mean PD, share of customers whose
    grade it changes, PSI of its grades against the champion's.
    """
    rows = connection.execute(
        "select s.model_version, c.grade, s.grade, count(*), sum(s.pd::numeric)::float8"
        " from scoring.shadow_scores as s join scoring.customer_scores as c"
        " using (book, as_of_date, scorecard, customer_id)"
        " where book = %s and as_of_date = %s and scorecard = %s group by 1, 2, 3 order by 1, 2, 3",
        (book, as_of, scorecard),
    ).fetchall()
    if not rows:
        return []
    total = sum(row[3] for row in rows)
    grades = sorted({grade for row in rows for grade in row[1:3]})
    old, new = ([sum(r[3] for r in rows if r[side] == grade) for grade in grades] for side in (1, 2))
    psi = stability_index(old, new)
    segment = f"version {rows[0][0]}"
    changed = sum(row[3] for row in rows if row[1] != row[2]) / total
    return [
        ("shadow_mean_pd", segment, sum(row[4] for row in rows) / total, None, None, "green"),
        ("shadow_grade_changed", segment, changed, None, None, "green"),
        ("shadow_psi", segment, psi, None, None, status(psi)),
    ]
