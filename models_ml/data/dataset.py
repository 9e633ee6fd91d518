"""The point-in-time training set of a scorecard, pulled from the warehouse.

A row is a customer at an observation date with the features as known then and the outcome of the
window after it. The set has a snapshot id, the hash of its bytes: the same id, code version and seed
give the same scorecard.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import psycopg

from creditops.errors import DataRefusedError
from creditops.warehouse import connect
from models_ml.card.sql import identifier
from models_ml.data.population import (
    FeatureColumns,
    declined,
    feature_columns,
    indeterminate,
    labelled_relation,
    not_excluded,
    unlabelled_relation,
)
from models_ml.spec import ScorecardSpec

KEYS = ["customer_id", "observation_date"]


@dataclass(frozen=True)
class TrainingSet:
    """Labelled rows of a scorecard.

    ``frame``: keys and features (float64, or text for categorical), ordered by customer and date.
    ``bad``: 0 or 1. ``counts``: rows by what became of them, exclusions included. ``relation``: the
    query the rows came from. ``dates``: observation dates, ascending. ``declined``: rows without an
    outcome, where the scorecard asks for reject inference. ``indeterminate``: rows that were late and
    did not default; they are no examples, but PD is calibrated on them too. ``long_run_rate``: the
    book's mean default rate over observation dates, where the scorecard is calibrated to it.
    """

    frame: pd.DataFrame
    bad: np.ndarray
    dates: list[date]
    counts: dict[str, int]
    snapshot_id: str
    relation: str = ""
    columns: FeatureColumns = field(default_factory=lambda: FeatureColumns({}, frozenset()))
    declined: pd.DataFrame = field(default_factory=pd.DataFrame)
    indeterminate: pd.DataFrame = field(default_factory=pd.DataFrame)
    long_run_rate: float | None = None


def load_training_set(book: str, spec: ScorecardSpec, as_of: date) -> TrainingSet:
    """Read the training set as of ``as_of``: only windows that had ended by then.

    Raises
    ------
    DataRefusedError: no observation date has a full window, a class is missing, a customer occurs
        twice at a date, or a source row was known only after its observation date.
    """
    with connect("modeller", large_joins=True) as connection:
        columns = feature_columns(connection, spec)
        dates = observation_dates(connection, book, spec, as_of)
        _refuse_future(connection, book, spec, dates, columns)
        relation = labelled_relation(spec, book, dates, columns)
        raw = _copy(connection, spec, columns, relation)
        late = _copy(
            connection, spec, columns,
            unlabelled_relation(spec, book, dates, columns, indeterminate(spec)),
        )  # fmt: skip
        rejected = b""
        if spec.reject_inference.method != "none":
            rejected = _copy(
                connection, spec, columns, unlabelled_relation(spec, book, dates, columns, declined(spec))
            )
        counts = _counts(connection, book, spec, dates)
        long_run = _long_run_rate(connection, book, spec, as_of)
    frame = _read(raw, spec, columns)
    bad = frame.pop("bad").to_numpy(dtype=np.int8)
    twice = int(frame.duplicated(KEYS).sum())
    if twice:
        raise DataRefusedError(
            f"{spec.name}: {twice} rows repeat a customer and observation date",
            hint="the feature tables must have one row per book, customer and observation date",
        )
    if bad.min(initial=1) == bad.max(initial=0):
        raise DataRefusedError(
            f"{spec.name}: the {len(bad)} labelled rows of {book} hold only one outcome",
            hint="train on a longer history",
        )
    if bad.sum() < spec.population.min_bads:
        raise DataRefusedError(
            f"{spec.name}: the {len(bad)} labelled rows of {book} hold only {bad.sum()} bads, fewer than"
            f" {spec.population.min_bads}",
            hint="train on a longer history, or lower population.min_bads",
        )
    no_examples = _read(late, spec, columns).drop(columns="bad")
    refused = _read(rejected, spec, columns).drop(columns="bad") if rejected else pd.DataFrame()
    snapshot = hashlib.sha256(raw + rejected + late + repr(long_run).encode()).hexdigest()[:32]
    return TrainingSet(frame, bad, dates, counts, snapshot, relation, columns, refused, no_examples, long_run)


def observation_dates(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, as_of: date
) -> list[date]:
    """Observation dates by the declaration, ascending: every n-th back from the newest full window.

    Raises
    ------
    DataRefusedError: there is none.
    """
    built = connection.execute("select to_regclass(%s) is not null", (spec.label_table,)).fetchone()
    if not built or not built[0]:
        raise DataRefusedError(
            f"{spec.name}: there is no {spec.label_table}",
            hint="build the features and labels of this book first",
        )
    full = ""
    if spec.observation.label_source == "panel":
        full = " and window_months = %(window)s and (observation_date + interval '1 day'" \
            " + make_interval(months => %(window)s))::date <= %(as_of)s::date + 1"  # fmt: skip
    rows = connection.execute(
        f"select distinct observation_date from {spec.label_table} where book = %(book)s"
        f" and source = %(source)s and window_complete and observation_date <= %(as_of)s{full}"
        " order by 1 desc",
        {
            "book": book,
            "source": spec.observation.label_source,
            "as_of": as_of,
            "window": spec.observation.window_months,
        },
    ).fetchall()
    dates = [row[0] for row in rows][:: spec.observation.every_months]
    dates = sorted(dates[: spec.observation.newest_dates])
    if not dates:
        raise DataRefusedError(
            f"{spec.name}: book {book} has no observation date with a full"
            f" {spec.observation.window_months}-month window by {as_of}",
            hint="build the features and labels of this book first, or train as of a later day",
        )
    return dates


def has_customers(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, dates: Sequence[date]
) -> bool:
    """Whether the scorecard's first feature table is built and knows customers of the book at the dates."""
    table = spec.sources[0].table
    built = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()
    if not built or not built[0]:
        return False
    row = connection.execute(
        f"select exists (select from {table} where book = %s and observation_date = any(%s))",  # type: ignore[arg-type]
        (book, list(dates)),
    ).fetchone()
    return bool(row and row[0])


def _refuse_future(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, dates: list[date],
    columns: FeatureColumns,
) -> None:  # fmt: skip
    for source in spec.sources:
        if source.known_on is None or source.table in columns.absent:
            continue
        row = connection.execute(
            f"select count(*) from {source.table} where book = %s and observation_date = any(%s)"
            f" and {identifier(source.known_on)}::date > observation_date",
            (book, dates),
        ).fetchone()
        if row and row[0]:
            raise DataRefusedError(
                f"{spec.name}: {row[0]} rows of {source.table} were known only after their"
                f" observation date ({source.known_on})",
                hint="features may use nothing after the observation date; rebuild them",
            )


def _copy(
    connection: psycopg.Connection, spec: ScorecardSpec, columns: FeatureColumns, relation: str
) -> bytes:
    casts = []
    for name, type_ in columns.types.items():
        kind = spec.features[name].kind
        target = "double precision" if kind == "numeric" else "text"
        cast = f"{identifier(name)}::int" if type_ == "boolean" and kind == "numeric" else identifier(name)
        casts.append(f"{cast}::{target} as {identifier(name)}")
    query = (
        f"copy (select customer_id, observation_date, bad, {', '.join(casts)} from {relation}"
        ' order by customer_id collate "C", observation_date) to stdout (format csv, header)'
    )
    buffer = io.BytesIO()
    with connection.cursor().copy(query) as copy:  # type: ignore[arg-type]
        for chunk in copy:
            buffer.write(chunk)
    return buffer.getvalue()


def _read(raw: bytes, spec: ScorecardSpec, columns: FeatureColumns) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import csv

    types = {
        name: pa.float64() if spec.features[name].kind == "numeric" else pa.string() for name in columns.types
    }
    types |= {"customer_id": pa.string(), "observation_date": pa.date32(), "bad": pa.int8()}
    table = csv.read_csv(
        io.BytesIO(raw),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return table.to_pandas()


def _long_run_rate(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, as_of: date
) -> float | None:
    """Mean over observation dates of the share that defaulted; every date weighs the same.

    Dates with fewer than 30 customers say little of a rate and are passed over.
    """
    if spec.calibration.long_run_rate != "book":
        return None
    row = connection.execute(
        "select avg(rate)::float8 from (select avg(label.bad::int) as rate"  # type: ignore[arg-type]
        f" from {spec.label_table} as label inner join {spec.sources[0].table} as population"
        " using (book, customer_id, observation_date) where book = %s and label.source = %s"
        f" and label.window_complete and label.label is not null{not_excluded(spec)}"
        " and observation_date <= %s group by observation_date having count(*) >= 30) as dates",
        (book, spec.observation.label_source, as_of),
    ).fetchone()
    return row[0] if row and row[0] and 0 < row[0] < 1 else None


def _counts(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, dates: list[date]
) -> dict[str, int]:
    rows = connection.execute(
        f"select coalesce(exclusion, ''), coalesce(label, 'window incomplete'), count(*)"  # type: ignore[arg-type]
        f" from {spec.label_table} inner join {spec.sources[0].table} as population"
        " using (book, customer_id, observation_date)"
        " where book = %s and observation_date = any(%s) group by 1, 2",
        (book, dates),
    ).fetchall()
    counts: dict[str, int] = {}
    for exclusion, label, rows_ in rows:
        excluded = exclusion in spec.population.exclusions
        name = f"excluded: {exclusion}" if excluded else label
        counts[name] = counts.get(name, 0) + rows_
    return dict(sorted(counts.items()))
