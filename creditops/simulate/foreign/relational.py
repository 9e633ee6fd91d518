"""The instalment loans of a simulated book as the tables of an invented bank's own system.

Clients, accounts, loans with their terms instead of single dues, and one table with every movement of the
accounts; foreign codes, dates as ``yymmdd``, amounts with a decimal comma, columns parted by ``;``. The book
in canonical form is kept among the hidden truth, to compare with.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from creditops.simulate.files.book_files import Progress
from creditops.simulate.portfolio import Summary

_STATES = {"active": "A", "closed": "B", "written_off": "D", "restructured": "C"}
_SALARY, _TILL = (
    3,
    5,
)  # every third payment's account shows a salary that day, every fifth a row without purpose


def as_relational(summary: Summary, progress: Progress | None = None) -> Summary:
    """Turn a simulated book in place into ``clients``, ``accounts``, ``loans`` and ``transactions``.

    The canonical files move to ``truth/canonical``. Returns the summary of the new files.
    """
    out = summary.directory
    canonical = out / "truth" / "canonical"
    canonical.mkdir(parents=True, exist_ok=True)
    for name, path in summary.paths.items():
        if not name.startswith("truth/"):
            shutil.move(path, canonical / path.name)
    rows, paths = {}, {}
    for name, frame in _tables(canonical).items():
        paths[name], rows[name] = out / f"{name}.csv", len(frame)
        frame.write_csv(paths[name], separator=";")
        if progress is not None:
            progress(name, len(frame))
    hidden = {name for name in summary.paths if name.startswith("truth/")}
    return Summary(
        summary.book,
        summary.as_of,
        summary.seed,
        out,
        rows | {name: summary.rows[name] for name in hidden},
        paths | {name: summary.paths[name] for name in hidden},
    )


def _tables(canonical: Path) -> dict[str, pl.DataFrame]:
    products = _read(canonical, "products").filter(pl.col("product_type") == "instalment_loan")
    facilities = (
        _read(canonical, "facilities")
        .filter(pl.col("product_id").is_in(products["product_id"].implode()))
        .sort("effective_date", maintain_order=True)
        .unique("facility_id", keep="last", maintain_order=True)
        .with_columns((10_000 + _number("facility_id")).alias("account"))
        .sort("account")
    )
    customers = (
        _read(canonical, "customers")
        .sort("effective_date", maintain_order=True)
        .unique("customer_id", keep="last", maintain_order=True)
        .join(facilities.select("customer_id").unique(), on="customer_id", how="semi")
        .sort("customer_id")
    )
    items = _read(canonical, "due_items").join(facilities.select("facility_id", "account"), on="facility_id")
    payments = _read(canonical, "payments").join(
        facilities.select("facility_id", "account"), on="facility_id"
    )
    return {
        "clients": customers.select(
            _number("customer_id").alias("client_nr"),
            _day("birth_date").alias("born"),
            pl.col("sex").replace_strict({"female": "F", "male": "M"}, default=None).alias("sex"),
            pl.col("region").alias("district"),
            _day("registered_on").alias("since"),
        ),
        "accounts": facilities.select(
            pl.col("account").alias("account_nr"),
            _number("customer_id").alias("client_nr"),
            pl.lit("OWNER").alias("role"),
            _day("opened_on").alias("opened"),
        ),
        "loans": _loans(facilities, items),
        "transactions": _transactions(payments),
    }


def _loans(facilities: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    terms = (
        items.filter(pl.col("kind") == "instalment")
        .sort("due_date")
        .group_by("facility_id")
        .agg(
            pl.len().alias("months"),
            pl.col("due_date").first().alias("first_due"),
            pl.col("amount_due").first().alias("instalment"),
            pl.col("amount_due").last().alias("last_instalment"),
        )
    )
    fees = items.filter(pl.col("kind") == "fee").select("facility_id", pl.col("amount_due").alias("fee"))
    return (
        facilities.join(terms, on="facility_id")
        .join(fees, on="facility_id", how="left", maintain_order="left")
        .select(
            _number("facility_id").alias("loan_nr"),
            pl.col("account").alias("account_nr"),
            pl.col("product_id").str.replace("IL", "KR-").alias("type"),
            _day("opened_on").alias("granted"),
            _amount("principal").alias("amount"),
            "months",
            _day("first_due").alias("first_due"),
            _amount("instalment").alias("instalment"),
            _amount("last_instalment").alias("last_instalment"),
            _amount("fee").alias("fee"),
            pl.col("status").replace_strict(_STATES).alias("state"),
            _day("effective_date").alias("state_since"),
        )
        .sort("loan_nr")
    )


def _transactions(payments: pl.DataFrame) -> pl.DataFrame:
    """Every movement: payments of loans and what takes them back, salaries, and rows without a purpose."""
    paid = payments.select(
        _number("payment_id").alias("nr"),
        pl.col("account").alias("account_nr"),
        _day("value_date").alias("booked"),
        pl.when(pl.col("reverses_payment_id").is_null())
        .then(pl.lit("EIN"))
        .otherwise(pl.lit("STO"))
        .alias("kind"),
        pl.col("amount").str.strip_chars_start("-").str.replace(".", ",", literal=True).alias("amount"),
        pl.lit("RATE").alias("purpose"),
        _number("reverses_payment_id").alias("takes_back"),
    )
    last = int(paid["nr"].max() or 0)  # type: ignore[arg-type]
    salaries = paid.gather_every(_SALARY).with_columns(
        (pl.col("nr") + last).alias("nr"),
        pl.lit("GEHA").alias("purpose"),
        pl.lit(None, pl.Int64).alias("takes_back"),
    )
    till = paid.gather_every(_TILL).with_columns(
        (pl.col("nr") + 2 * last).alias("nr"),
        pl.lit("AUS").alias("kind"),
        pl.lit(None, pl.String).alias("purpose"),
        pl.lit(None, pl.Int64).alias("takes_back"),
    )
    return pl.concat([paid, salaries, till]).sort("booked", "nr")


def _read(folder: Path, source: str) -> pl.DataFrame:
    files = sorted(folder.glob(f"{source}.csv")) + sorted(folder.glob(f"{source}.*.csv"))
    return pl.concat([pl.read_csv(file, infer_schema=False) for file in files])


def _number(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars_start("ABCDEFGHIJKLMNOPQRSTUVWXYZ").cast(pl.Int64)


def _day(column: str) -> pl.Expr:
    return pl.col(column).str.to_date("%Y-%m-%d").dt.strftime("%y%m%d")


def _amount(column: str) -> pl.Expr:
    return pl.col(column).str.replace(".", ",", literal=True)
