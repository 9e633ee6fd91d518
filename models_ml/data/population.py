"""The rows a scorecard works on, as SQL over the feature tables.

Training reads labelled rows of several observation dates; scoring reads everyone at one date. Both
get their columns from the same join, so that a feature means the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from creditops.errors import DataRefusedError
from models_ml.card.sql import identifier, literal
from models_ml.spec import ScorecardSpec

_KEYS = ("book", "customer_id", "observation_date")
_BASE = "source_0"


@dataclass(frozen=True)
class FeatureColumns:
    """Where each feature is: ``types`` its PostgreSQL type, ``absent`` the optional tables not there."""

    types: dict[str, str]
    absent: frozenset[str]


def feature_columns(
    connection: psycopg.Connection, spec: ScorecardSpec, names: Sequence[str] | None = None
) -> FeatureColumns:
    """Look the features up in the catalogue of the database.

    Parameters
    ----------
    names: only these features; all candidates by default.

    Raises
    ------
    DataRefusedError: a table or column is missing; the message names all of them.
    """
    types: dict[str, str] = {}
    absent, missing = set(), []
    for source in spec.sources:
        wanted = [f.name for f in source.features if names is None or f.name in names]
        have = _column_types(connection, source.table)
        if not have:
            if source.optional:
                absent.add(source.table)
                types |= {f.name: _null_type(f.kind) for f in source.features if f.name in wanted}
                continue
            missing.append(source.table)
            continue
        missing += [f"{source.table}.{name}" for name in wanted if name not in have]
        types |= {name: have[name] for name in wanted if name in have}
    if missing:
        raise DataRefusedError(
            f"scorecard {spec.name} needs what the warehouse does not have: {', '.join(missing)}",
            hint="build the warehouse first, or take the features out of the scorecard's YAML",
        )
    return FeatureColumns(types, frozenset(absent))


def labelled_relation(spec: ScorecardSpec, book: str, dates: Sequence[date], columns: FeatureColumns) -> str:
    """Parenthesised query of the training rows: keys, ``bad`` and the features as stored.

    Rows have a complete window, label good or bad, and none of the exclusions.
    """
    return (
        f"(\n    select {_select_list(spec, columns)}, label.bad::int as bad"
        f"\n    from {_joined(spec, columns)}"
        f"\n    inner join {spec.label_table} as label using ({', '.join(_KEYS)})"
        f"\n    where {_BASE}.book = {literal(book)}"
        f"\n    and {_BASE}.observation_date in ({_dates(dates)})"
        "\n    and label.window_complete and label.label in ('good', 'bad')"
        f"{not_excluded(spec)}\n) as labelled"
    )


def unlabelled_relation(
    spec: ScorecardSpec, book: str, dates: Sequence[date], columns: FeatureColumns, condition: str
) -> str:
    """Parenthesised query of rows that are not trained on (columns as :func:`labelled_relation`'s), by a
    condition on ``label``: see :func:`declined` and :func:`indeterminate`.
    """
    return (
        f"(\n    select {_select_list(spec, columns)}, null::int as bad"
        f"\n    from {_joined(spec, columns)}"
        f"\n    inner join {spec.label_table} as label using ({', '.join(_KEYS)})"
        f"\n    where {_BASE}.book = {literal(book)}"
        f"\n    and {_BASE}.observation_date in ({_dates(dates)})"
        f"\n    and {condition}\n) as unlabelled"
    )


def declined(spec: ScorecardSpec) -> str:
    """Condition on ``label`` of the rows that reject inference looks at."""
    return f"label.exclusion = {literal(spec.reject_inference.exclusion)}"


def indeterminate(spec: ScorecardSpec) -> str:
    """Condition on ``label`` of the rows that were late and did not default: no example of good or bad."""
    return f"label.window_complete and label.label = 'indeterminate'{not_excluded(spec)}"


def scored_relation(
    spec: ScorecardSpec, book: str, as_of: date, columns: FeatureColumns, *, states: str | None = None
) -> str:
    """Parenthesised query of everyone to be scored on ``as_of``: keys, features, ``is_default``.

    Features are those of ``as_of``. Where outcomes come from outside, a book is observed on days of its own:
    then they are those of the newest of them, see :func:`features_day`.

    ``is_default`` marks customers in default on the day, whose grade is D whatever their points and
    whatever the scorecard was trained on (domain.md#default).

    Parameters
    ----------
    states: the table ``fct_customer_state`` of the day; without it nobody is marked, for readers of the
        features alone.
    """
    in_default, joined = "false", ""
    if states is not None:
        in_default = "coalesce(state.is_default, false)"
        joined = (
            f"\n    left join {states} as state on state.book = {_BASE}.book"
            f" and state.customer_id = {_BASE}.customer_id"
            f" and state.as_of_date = date {literal(as_of.isoformat())}"
        )
    never = ""
    if spec.population.never_scored:
        reasons = ", ".join(literal(reason) for reason in spec.population.never_scored)
        never = f"\n    and (label.exclusion is null or label.exclusion not in ({reasons}))"
    day = f"date {literal(as_of.isoformat())}"
    if spec.observation.label_source == "outcomes":
        day = f"({_newest_day(spec)} where book = {literal(book)} and observation_date <= {day})"
    return (
        f"(\n    select {_select_list(spec, columns)}, {in_default} as is_default"
        f"\n    from {_joined(spec, columns)}"
        f"\n    left join {spec.label_table} as label using ({', '.join(_KEYS)}){joined}"
        f"\n    where {_BASE}.book = {literal(book)}"
        f"\n    and {_BASE}.observation_date = {day}{never}\n) as scored"
    )


def features_day(connection: psycopg.Connection, spec: ScorecardSpec, book: str, as_of: date) -> date | None:
    """The newest day, not after ``as_of``, for which the book has features of the scorecard."""
    row = connection.execute(
        f"{_newest_day(spec)} where book = %s and observation_date <= %s",  # type: ignore[arg-type]
        (book, as_of),
    ).fetchone()
    return row[0] if row else None


def _newest_day(spec: ScorecardSpec) -> str:
    return f"select max(observation_date) from {spec.sources[0].table}"


def not_excluded(spec: ScorecardSpec) -> str:
    """Condition on ``label``, to append: none of the scorecard's exclusions (domain.md#population)."""
    if not spec.population.exclusions:
        return ""
    reasons = ", ".join(literal(reason) for reason in spec.population.exclusions)
    return f"\n    and (label.exclusion is null or label.exclusion not in ({reasons}))"


def _select_list(spec: ScorecardSpec, columns: FeatureColumns) -> str:
    parts = [f"{_BASE}.customer_id", f"{_BASE}.observation_date"]
    for number, source in enumerate(spec.sources):
        for feature in source.features:
            if feature.name not in columns.types:
                continue
            name = identifier(feature.name)
            if source.table in columns.absent:
                parts.append(f"null::{_null_type(feature.kind)} as {name}")
            else:
                parts.append(f"source_{number}.{name}")
    return ", ".join(parts)


def _joined(spec: ScorecardSpec, columns: FeatureColumns) -> str:
    text = f"{spec.sources[0].table} as {_BASE}"
    for number, source in enumerate(spec.sources[1:], start=1):
        if source.table not in columns.absent:
            text += f"\n    left join {source.table} as source_{number} using ({', '.join(_KEYS)})"
    return text


def _dates(dates: Sequence[date]) -> str:
    return ", ".join(f"date {literal(day.isoformat())}" for day in dates)


def _null_type(kind: str) -> str:
    return "double precision" if kind == "numeric" else "text"


def _column_types(connection: psycopg.Connection, table: str) -> dict[str, str]:
    return dict(
        connection.execute(
            "select attname, format_type(atttypid, null) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (table,),
        ).fetchall()
    )
