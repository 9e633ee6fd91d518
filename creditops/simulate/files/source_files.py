"""The files a simulation writes: canonical columns, identifiers and number formats.

Frames of the simulator hold money in cents, days since 1970, seconds since 1970 and positions;
here they become what the source contracts ask for. -1 stands for null in optional columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

Columns = tuple[tuple[str, str, str], ...]
"""Column name, form, and the frame's column it is made from ("" for the same name)."""

_IDENTIFIERS = {
    "customer": ("C", 7),
    "group": ("G", 5),
    "partner": ("PT", 2),
    "application": ("A", 7),
    "facility": ("F", 7),
    "due_item": ("D", 9),
    "payment": ("P", 9),
    "dispute": ("DS", 7),
    "action": ("CA", 8),
    "promise": ("PR", 7),
    "collector": ("COL", 2),
    "counterparty": ("CP", 6),
    "report": ("R", 8),
    "tradeline": ("TL", 8),
    "record": ("PB", 7),
    "event": ("EV", 4),
}


def _same(form: str, *names: str) -> Columns:
    return tuple((name, form, "") for name in names)


_CUSTOMER = ("customer_id", "id customer", "customer")
_FACILITY = ("facility_id", "id facility", "facility")
_REPORT = ("report_id", "id report", "report")
_CURRENCY = ("currency", "constant CNY", "")
_SERIES: Columns = (
    *_same("text", "series_id", "industry"),
    ("period", "date", ""),
    ("value", "rate", ""),
    ("published_on", "date", ""),
)

SOURCES: dict[str, Columns] = {
    "customers": (
        _CUSTOMER,
        *_same("text", "customer_type", "name", "national_id", "phone", "address"),
        ("birth_date", "date", ""),
        *_same("text", "sex", "region", "industry"),
        ("group_id", "id group", "group"),
        ("registered_on", "date", ""),
        ("monthly_income", "money?", ""),
        ("employees", "int", ""),
        ("is_staff", "bool", ""),
        ("effective_date", "date", ""),
    ),
    "groups": (
        ("group_id", "id group", "group"),
        ("name", "text", ""),
        ("parent_group_id", "id group", "parent"),
        ("effective_date", "date", ""),
    ),
    "products": (
        *_same("text", "product_id", "name", "product_type"),
        *_same("rate", "lgd", "ccf", "annual_rate", "funding_rate"),
        ("effective_date", "date", ""),
    ),
    "partners": (*_same("text", "partner_id", "name", "channel"), ("effective_date", "date", "")),
    "applications": (
        ("application_id", "id application", "application"),
        _CUSTOMER,
        ("product_id", "text", ""),
        ("partner_id", "id partner", "partner"),
        ("applied_at", "ts", ""),
        ("requested_amount", "money", ""),
        ("term_months", "int", ""),
        ("stage", "text", ""),
        ("stage_at", "ts", ""),
        ("decision_amount", "money?", ""),
        *_same("text", "decided_by", "override", "policy_version", "reason"),
    ),
    "facilities": (
        _FACILITY,
        _CUSTOMER,
        ("product_id", "text", ""),
        ("partner_id", "id partner", "partner"),
        ("application_id", "id application", "application"),
        ("opened_on", "date", ""),
        ("closed_on", "date", ""),
        _CURRENCY,
        *_same("money?", "principal", "credit_limit"),
        ("secured", "bool", ""),
        ("status", "text", ""),
        ("manual_class", "null", ""),
        ("effective_date", "date", ""),
    ),
    "macro_series": _SERIES,
    "industry_series": _SERIES,
    "competitor_products": (
        *_same("text", "competitor", "product_type"),
        ("annual_rate", "rate", ""),
        ("max_amount", "money?", ""),
        ("max_term_months", "int", ""),
        ("observed_on", "date", ""),
    ),
    "due_items": (
        ("due_item_id", "id due_item", "item"),
        _FACILITY,
        ("kind", "text", ""),
        ("issued_on", "date", ""),
        ("due_date", "date", "due_on"),
        *_same("money", "amount_due", "principal", "interest", "fee"),
        _CURRENCY,
    ),
    "payments": (
        ("payment_id", "id payment", "payment"),
        _FACILITY,
        ("due_item_id", "id due_item", "item"),
        ("value_date", "date", "value_day"),
        ("booked_at", "ts", ""),
        ("amount", "money", ""),
        _CURRENCY,
        ("reverses_payment_id", "id payment", "reverses"),
        ("payer", "text", ""),
    ),
    "facility_snapshots": (
        _FACILITY,
        ("month_end", "date", ""),
        *_same("money", "balance", "credit_limit", "amount_paid"),
        *_same("null", "dpd", "months_past_due"),
        ("status", "text", ""),
    ),
    "disputes": (
        ("dispute_id", "id dispute", "dispute"),
        ("due_item_id", "id due_item", "item"),
        *_same("date", "opened_on", "closed_on"),
        ("amount", "money", ""),
        ("outcome", "text", ""),
    ),
    "collection_actions": (
        ("action_id", "id action", "action_position"),
        _CUSTOMER,
        _FACILITY,
        ("acted_at", "ts", ""),
        *_same("text", "action", "result"),
        ("collector", "id collector", ""),
    ),
    "promises": (
        ("promise_id", "id promise", "promise"),
        _FACILITY,
        *_same("date", "promised_on", "due_on"),
        ("amount", "money", ""),
    ),
    "statements": (
        _CUSTOMER,
        ("period_end", "date", ""),
        ("months", "int", ""),
        _CURRENCY,
        ("audited", "bool", ""),
        ("opinion", "text", ""),
        ("published_on", "date", ""),
        *_same("money", "cash", "receivables", "inventory", "current_assets", "total_assets", "payables"),
        *_same("money", "current_liabilities", "short_term_debt", "long_term_debt", "total_liabilities"),
        *_same("money", "retained_earnings", "equity"),
        ("market_value", "money?", ""),
        *_same("money", "revenue", "cost_of_sales", "gross_profit", "operating_profit", "ebit"),
        *_same("money", "interest_expense", "net_profit", "depreciation", "cfo", "cfi", "cff"),
        ("net_change_in_cash", "money", ""),
    ),
    "sme_invoices": (
        _CUSTOMER,
        ("direction", "text", ""),
        ("invoice_no", "text", ""),
        ("issued_on", "date", ""),
        ("counterparty_id", "id counterparty", "counterparty"),
        *_same("money", "amount", "tax", "total"),
        ("status", "text", ""),
    ),
    "bureau_reports": (
        _REPORT,
        _CUSTOMER,
        ("bureau", "text", ""),
        ("pulled_on", "date", ""),
        ("hit", "bool", ""),
        ("bureau_score", "int", ""),
    ),
    "bureau_tradelines": (
        _REPORT,
        ("tradeline_id", "id tradeline", "line"),
        *_same("text", "lender_type", "kind"),
        *_same("date", "opened_on", "closed_on"),
        *_same("money", "limit_amount", "balance", "overdue_amount"),
        *_same("text", "status_now", "worst_status_24m"),
        ("guarantee", "bool", ""),
        ("history", "text", ""),
    ),
    "bureau_inquiries": (_REPORT, ("inquired_on", "date", ""), *_same("text", "inquirer", "reason")),
    "bureau_public_records": (
        _REPORT,
        ("record_id", "id record", "record"),
        ("kind", "text", ""),
        ("recorded_on", "date", ""),
        ("amount", "money?", ""),
    ),
}
"""Canonical columns of every source, in contract order."""

TRUTH: dict[str, Columns] = {
    "customer_pd": (
        _CUSTOMER,
        ("month_end", "date", ""),
        ("months_past_due", "int", ""),
        *_same("rate", "static_and_shock", "strain", "downturn", "hazard", "pd_12m"),
    ),
    "facility_month": (
        _FACILITY,
        _CUSTOMER,
        ("month_end", "date", ""),
        ("status", "text", ""),
        *_same("int", "dpd", "dpd_undisputed"),
        ("bucket", "text", ""),
        *_same("money", "overdue_amount", "balance"),
        ("is_default", "bool", ""),
    ),
    "default_dates": (_FACILITY, _CUSTOMER, ("episode", "int", ""), ("default_date", "date", "default_on")),
    "cure_dates": (_FACILITY, _CUSTOMER, ("episode", "int", ""), ("cure_date", "date", "cured_on")),
    "injected_events": (
        ("event_id", "id event", "event"),
        ("kind", "text", ""),
        _CUSTOMER,
        ("partner_id", "id partner", "partner"),
        ("group_id", "id group", "group"),
        ("event_date", "date", "event_on"),
        ("customers_hit", "int", ""),
        ("default_date", "date", "default_on"),
    ),
    "event_customers": (
        ("event_id", "id event", "event"),
        _CUSTOMER,
        ("role", "text", ""),
        ("default_date", "date", "default_on"),
    ),
}
"""Files under ``truth/``: what only the simulator knows."""


def identifiers(columns: Columns) -> list[tuple[str, str]]:
    """Kind and frame's column of every identifier among ``columns``."""
    return [(form[3:], origin or name) for name, form, origin in columns if form.startswith("id ")]


def append_file(
    path: Path, frame: pl.DataFrame, columns: Columns, *, first: bool, base: Mapping[str, int]
) -> int:
    """Write ``frame`` as canonical CSV (UTF-8, empty for null); returns the rows written.

    Parameters
    ----------
    first: begin the file with its header; otherwise the rows go behind those that are there.
    base: per kind of identifier, what to add to the frame's positions.
    """
    made = frame.select(*(_column(name, form, origin or name, base) for name, form, origin in columns))
    with path.open("wb" if first else "ab") as file:
        made.write_csv(
            file,
            include_header=first,
            datetime_format="%Y-%m-%dT%H:%M:%SZ",
            date_format="%Y-%m-%d",
            float_precision=2,
        )
    return frame.height


def _column(name: str, form: str, origin: str, base: Mapping[str, int]) -> pl.Expr:
    kind, _, argument = form.partition(" ")
    value = pl.col(origin)
    match kind:
        case "id":
            prefix, digits = _IDENTIFIERS[argument]
            number = (value + (1 + base.get(argument, 0))).cast(pl.String).str.zfill(digits)
            made: pl.Expr = pl.when(value >= 0).then(pl.concat_str(pl.lit(prefix), number))
        case "money":
            made = value.cast(pl.Float64) / 100
        case "money?":
            made = pl.when(value != -1).then(value.cast(pl.Float64) / 100)
        case "rate":
            made = value.round(8).cast(pl.String)
        case "date":
            made = pl.when(value != -1).then(value).cast(pl.Int32).cast(pl.Date)
        case "ts":
            made = pl.from_epoch(value.cast(pl.Int64), time_unit="s")
        case "int":
            made = pl.when(value != -1).then(value)
        case "constant":
            made = pl.lit(argument)
        case "null":
            made = pl.lit(None, dtype=pl.String)
        case "bool" | "text":
            made = value
        case _:
            raise ValueError(f"unknown form {form!r} of column {name}")
    return made.alias(name)
