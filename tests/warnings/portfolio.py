"""The tables that subjects read, empty, and a way to fill them; dates are month ends of 2026."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from psycopg import sql

from creditops.warehouse import connect
from creditops.warnings.calendar import month_end

BOOK = "demo"
JUNE = date(2026, 6, 30)

_TABLES = """
create table if not exists marts.fct_facility_month (
    book text, facility_id text, month_end date, customer_id text, product_id text, product_type text,
    partner_id text, opened_on date, status text, mob int, balance numeric(18, 2),
    credit_limit numeric(18, 2), amount_due numeric(18, 2), amount_paid numeric(18, 2),
    overdue_amount numeric(18, 2), dpd int, bucket text, class5 text, is_default boolean,
    utilisation double precision, months_past_due int, repayment_state int, method text);
create table if not exists marts.fct_customer_state (
    book text, as_of_date date, customer_id text, customer_type text, open_facilities int,
    facilities_in_default int, owes boolean, may_draw boolean, is_default boolean, default_on date,
    default_reason text, class5 text, class_reason text);
create table if not exists marts.fct_customer_position (
    book text, customer_id text, exposure numeric(18, 2), overdue_amount numeric(18, 2),
    loss_given_default numeric, loss_in_default numeric);
create table if not exists marts.dim_customer (
    book text, customer_id text, customer_type text, group_id text, top_group_id text, industry text);
create table if not exists marts.dim_facility (
    book text, facility_id text, customer_id text, partner_id text, opened_on date, first_due_date date,
    first_due_settled_on date, is_first_payment_default boolean);
create table if not exists features.feat_retail_behaviour (
    book text, customer_id text, observation_date date, months_on_book int, active_facilities int,
    balance_total numeric(18, 2), limit_total numeric(18, 2), utilisation_now double precision,
    utilisation_change_3m double precision, dpd_now int, dpd_max_12m int, months_overdue_6m int,
    months_overdue_12m int, months_dpd30_6m int, overdue_amount_now numeric(18, 2),
    payment_ratio_1m double precision, payment_ratio_3m double precision,
    payment_ratio_6m double precision, balance_change_3m numeric(18, 2));
create table if not exists marts.fct_bureau_month (
    book text, customer_id text, observation_date date, bureau_hit boolean, bureau_score int,
    active_tradelines int, bureau_exposure numeric(18, 2), bureau_utilisation double precision,
    bureau_worst_3m int, bureau_worst_12m int, inquiries_1m int, inquiries_3m int, inquiries_6m int,
    new_accounts_6m int, guarantees int, public_records int, overdue_elsewhere numeric(18, 2));
create table if not exists marts.fct_statement_month (
    book text, customer_id text, observation_date date, z2_score double precision,
    interest_cover double precision, receivable_days double precision, sales_growth_yoy double precision,
    cfo_to_debt double precision, current_ratio double precision, debt_to_assets double precision,
    statement_age_months int,
    statement_period_end date, opinion text, opinion_period_end date, opinion_published_on date);
create table if not exists marts.fct_default (
    book text, facility_id text, customer_id text, default_on date, cured_on date, reason text);
create table if not exists features.label_default (
    book text, customer_id text, observation_date date, bad boolean, exclusion text, source text);
create table if not exists marts.fct_sme_counterparty_month (
    book text, customer_id text, direction text, counterparty_id text, month_end date, invoices int,
    void_invoices int, red_invoices int, amount numeric(18, 2));
create table if not exists features.feat_sme_invoice (book text, customer_id text, observation_date date);
create table if not exists marts.fct_trade_month (
    book text, customer_id text, month_end date, invoices_due_3m int, disputed_3m int,
    amount_due_3m numeric(18, 2), dbt_days_3m double precision);
create table if not exists marts.fct_economic_series (
    book text, kind text, series_id text, industry text, period date, value double precision,
    published_on date);
create table if not exists marts.fct_promise (
    book text, promise_id text, facility_id text, customer_id text, promised_on date, due_on date,
    amount numeric(18, 2), paid_by_due numeric(18, 2), outcome text);
"""

_FACILITY: dict[str, Any] = {
    "product_id": "card", "product_type": "revolving_card", "status": "active", "mob": 24,
    "balance": 1000, "credit_limit": 10000, "amount_due": 100, "amount_paid": 1000,
    "overdue_amount": 0, "dpd": 0, "is_default": False, "repayment_state": -1, "method": "settled",
}  # fmt: skip
_BUREAU: dict[str, Any] = {
    "bureau_hit": True, "bureau_exposure": 50000, "bureau_worst_3m": 0, "inquiries_3m": 1,
    "public_records": 0, "overdue_elsewhere": 0,
}  # fmt: skip
_STATEMENT: dict[str, Any] = {
    "z2_score": 4.0, "interest_cover": 6.0, "receivable_days": 60.0, "sales_growth_yoy": 0.05,
    "cfo_to_debt": 0.2, "statement_age_months": 2,
}  # fmt: skip
_BEHAVIOUR: dict[str, Any] = {
    "months_on_book": 24, "dpd_now": 0, "months_overdue_6m": 0, "months_dpd30_6m": 0,
    "overdue_amount_now": 0, "payment_ratio_3m": 1.0, "payment_ratio_6m": 1.0,
}  # fmt: skip


class Portfolio:
    """Writes rows of the tables that subjects read; what a test does not say is unremarkable."""

    def __init__(self) -> None:
        with connect("builder") as connection:
            connection.execute(_TABLES)

    def facility(self, customer: str, months_before: int = 0, *, day: date = JUNE, **values: Any) -> None:
        """A panel row ``months_before`` months before ``day``; bucket and utilisation follow."""
        row = {**_FACILITY, **values}
        row.setdefault("facility_id", f"{customer}-1")
        row["bucket"] = f"M{min(7, -(-row['dpd'] // 30))}"
        if row["credit_limit"]:
            row["utilisation"] = float(row["balance"]) / float(row["credit_limit"])
        end = month_end(day, months_before=months_before)
        self._insert("marts.fct_facility_month", {"customer_id": customer, "month_end": end, **row})

    def bureau(self, customer: str, months_before: int = 0, **values: Any) -> None:
        self._observe("marts.fct_bureau_month", customer, months_before, {**_BUREAU, **values})

    def statement(self, customer: str, months_before: int = 0, **values: Any) -> None:
        row = {
            "statement_period_end": month_end(JUNE, months_before=months_before + 3),
            **_STATEMENT,
            **values,
        }
        self._observe("marts.fct_statement_month", customer, months_before, row)

    def promise(self, customer: str, due_on: date, amount: float, paid: float) -> None:
        row = {"customer_id": customer, "facility_id": f"{customer}-1", "due_on": due_on,
               "amount": amount, "paid_by_due": paid, "promise_id": f"{customer}-{due_on}"}  # fmt: skip
        self._insert("marts.fct_promise", row)

    def sales(
        self, customer: str, months_before: int, amount: float, *, buyer: str = "b1", invoices: int = 4,
        void: int = 0,
    ) -> None:  # fmt: skip
        row = {"direction": "sale", "counterparty_id": buyer, "invoices": invoices, "void_invoices": void,
               "red_invoices": 0, "amount": amount, "customer_id": customer,
               "month_end": month_end(JUNE, months_before=months_before)}  # fmt: skip
        self._insert("marts.fct_sme_counterparty_month", row)

    def firm(self, customer: str, *, day: date = JUNE) -> None:
        """A firm whose invoices are looked at on ``day``, whether or not it issued any that month."""
        self._insert("features.feat_sme_invoice", {"customer_id": customer, "observation_date": day})

    def trade(self, customer: str, months_before: int = 0, **values: Any) -> None:
        row = {"invoices_due_3m": 10, "disputed_3m": 0, "amount_due_3m": 1000, "dbt_days_3m": 5, **values}
        row |= {"customer_id": customer, "month_end": month_end(JUNE, months_before=months_before)}
        self._insert("marts.fct_trade_month", row)

    def series(
        self, series_id: str, months_before: int, value: float, *, industry: str | None = None
    ) -> None:
        """A value of a month, published on its last day."""
        period = month_end(JUNE, months_before=months_before)
        row = {"kind": "industry" if industry else "macro", "series_id": series_id, "industry": industry,
               "period": period, "value": value, "published_on": period}  # fmt: skip
        self._insert("marts.fct_economic_series", row)

    def label(
        self, customer: str, months_before: int = 0, *, exclusion: str | None = None, bad: bool = False,
        source: str = "panel",
    ) -> None:  # fmt: skip
        row = {"exclusion": exclusion, "bad": bad, "source": source}
        self._observe("features.label_default", customer, months_before, row)

    def default(self, customer: str, day: date) -> None:
        row = {"customer_id": customer, "facility_id": f"{customer}-1", "default_on": day}
        self._insert("marts.fct_default", row)

    def behaviour(self, customer: str, **values: Any) -> None:
        self._observe("features.feat_retail_behaviour", customer, 0, {**_BEHAVIOUR, **values})

    def customer(self, customer: str, **values: Any) -> None:
        values = {"top_group_id": values.get("group_id"), **values}
        self._insert("marts.dim_customer", {"customer_id": customer, **values})

    def first_payment(self, customer: str, due_on: date, settled_on: date | None, **values: Any) -> None:
        """When the facility's first payment fell due and was made."""
        late = (settled_on or date.max) - due_on > timedelta(days=30)
        row = {"first_due_date": due_on, "first_due_settled_on": settled_on, "is_first_payment_default": late}
        row |= {"customer_id": customer, "facility_id": f"{customer}-1", **values}
        self._insert("marts.dim_facility", row)

    def score(self, customer: str, day: date, score: int, pd: float, grade: str, model: str = "1") -> None:
        self._insert(
            "scoring.customer_scores",
            {
                "customer_id": customer, "as_of_date": day, "observed_on": day, "scorecard": "behaviour",
                "model_version": model, "score": score, "points_total": score, "pd": pd, "grade": grade,
            },
            role="modeller",
        )  # fmt: skip

    def state(self, customer: str, *, day: date = JUNE, **values: Any) -> None:
        """What the customer is on ``day``; unless said otherwise one who owes and is not in default."""
        in_default = values.get("is_default", False)
        row = {
            "as_of_date": day, "customer_type": "retail", "open_facilities": 1, "owes": True,
            "may_draw": True, "is_default": False, "facilities_in_default": int(in_default),
            "class5": "substandard" if in_default else "pass", **values,
        }  # fmt: skip
        self._insert("marts.fct_customer_state", {"customer_id": customer, **row})
        with connect("builder") as connection:
            connection.execute("delete from marts.fct_customer_position where customer_id = %s", (customer,))
        self._insert(
            "marts.fct_customer_position", {"customer_id": customer, "exposure": 1000, "overdue_amount": 0}
        )

    def clear(self) -> None:
        """Take every panel row away, as a build does before it writes the day anew."""
        with connect("builder") as connection:
            connection.execute("delete from marts.fct_facility_month")

    def _observe(self, table: str, customer: str, months_before: int, values: dict[str, Any]) -> None:
        day = month_end(JUNE, months_before=months_before)
        self._insert(table, {"customer_id": customer, "observation_date": day, **values})

    def _insert(self, table: str, row: dict[str, Any], role: str = "builder") -> None:
        row = {"book": BOOK, **row}
        with connect(role) as connection:
            connection.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.SQL(table),  # type: ignore[arg-type]
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                list(row.values()),
            )


def after(days: int) -> date:
    """A day in July 2026 whose observed month end is still June's."""
    return JUNE + timedelta(days=days)
