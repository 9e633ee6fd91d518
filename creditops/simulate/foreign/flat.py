"""A simulated book as one flat file: a row per borrower with variables of one day, and what became of them.

As data providers sell them: special values stand for states (-1 not stated, 999 never late, 0 no report), and
the last column holds the outcome of the twelve months after the observation day. The book in canonical form
is kept among the hidden truth.
"""

from __future__ import annotations

import shutil
from datetime import date

import polars as pl

from creditops.simulate.portfolio import Summary

_WINDOW_MONTHS = 12
_NOT_STATED, _NEVER_LATE, _NO_REPORT = -1, 999, 0


def as_flat(summary: Summary) -> Summary:
    """Turn a simulated book in place into ``borrowers.csv``; the rest moves to ``truth/canonical``."""
    out = summary.directory
    canonical = out / "truth" / "canonical"
    canonical.mkdir(parents=True, exist_ok=True)
    frames = {name: _read(path) for name, path in summary.paths.items()}
    hidden = {name: path for name, path in summary.paths.items() if name.startswith("truth/")}
    for name, path in summary.paths.items():
        if name not in hidden:
            shutil.move(path, canonical / path.name)
    rows = _borrowers(frames, summary.as_of)
    path = out / "borrowers.csv"
    rows.write_csv(path)
    return Summary(
        summary.book,
        summary.as_of,
        summary.seed,
        out,
        {"borrowers": len(rows), **{name: summary.rows[name] for name in hidden}},
        {"borrowers": path, **hidden},
    )


def _read(path: object) -> pl.DataFrame:
    return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)  # type: ignore[arg-type]


def _borrowers(frames: dict[str, pl.DataFrame], as_of: date) -> pl.DataFrame:
    observed = pl.Series([as_of]).dt.offset_by(f"-{_WINDOW_MONTHS}mo").dt.month_end()[0]
    months = frames["truth/facility_month"].filter(pl.col("month_end") <= observed)
    today = months.filter(pl.col("month_end") == observed).group_by("customer_id")
    people = (
        frames["customers"].filter(pl.col("customer_type") == "retail").unique("customer_id", keep="first")
    )
    defaulted = frames["truth/default_dates"]
    later = defaulted.filter(
        (pl.col("default_date") > observed)
        & (pl.col("default_date") <= pl.lit(observed).dt.offset_by(f"{_WINDOW_MONTHS}mo").dt.month_end())
    )
    before = defaulted.filter(pl.col("default_date") <= observed)
    return (
        people.join(
            today.agg(
                pl.col("balance").sum(), pl.len().alias("facilities"), pl.col("dpd").max()
            ),
            on="customer_id",
        )
        .join(before, on="customer_id", how="anti")
        .join(_arrears(months, observed), on="customer_id", how="left")
        .join(_bureau(frames, observed), on="customer_id", how="left")
        .sort("customer_id")
        .select(
            pl.col("customer_id").alias("borrower_no"),
            pl.lit(observed).alias("observed_on"),
            (pl.lit(observed.year) - pl.col("birth_date").dt.year()).alias("age"),
            pl.col("region").alias("region_code"),
            pl.when(pl.int_range(pl.len()) % 9 > 0)
            .then(pl.col("monthly_income").round(0).cast(pl.Int64))
            .fill_null(_NOT_STATED),
            pl.col("balance").round(2),
            "facilities",
            "dpd",
            pl.col("months_since_late").fill_null(_NEVER_LATE),
            pl.col("months_late_12m").fill_null(0),
            pl.col("bureau_score").fill_null(_NO_REPORT),
            pl.col("inquiries_6m").fill_null(_NOT_STATED),
            pl.col("customer_id").is_in(later["customer_id"].implode()).cast(pl.Int8).alias("default_12m"),
        )
    )  # fmt: skip


def _arrears(months: pl.DataFrame, observed: date) -> pl.DataFrame:
    late = months.filter(pl.col("dpd") > 0).with_columns(
        (
            12 * (observed.year - pl.col("month_end").dt.year().cast(pl.Int32))
            + observed.month
            - pl.col("month_end").dt.month().cast(pl.Int32)
        ).alias("ago")
    )
    return late.group_by("customer_id").agg(
        pl.col("ago").min().alias("months_since_late"),
        pl.col("ago").filter(pl.col("ago") < _WINDOW_MONTHS).n_unique().alias("months_late_12m"),
    )


def _bureau(frames: dict[str, pl.DataFrame], observed: date) -> pl.DataFrame:
    newest = (
        frames["bureau_reports"]
        .filter((pl.col("pulled_on") <= observed) & pl.col("hit"))
        .sort("pulled_on")
        .unique("customer_id", keep="last")
    )
    inquiries = (
        frames["bureau_inquiries"]
        .filter(pl.col("reason") == "credit_application")
        .join(newest.select("report_id", "pulled_on"), on="report_id")
        .filter(pl.col("inquired_on") > pl.col("pulled_on").dt.offset_by("-6mo"))
        .group_by("report_id")
        .agg(pl.len().alias("inquiries_6m"))
    )
    return newest.join(inquiries, on="report_id", how="left").select(
        "customer_id", "bureau_score", pl.col("inquiries_6m").fill_null(0)
    )
