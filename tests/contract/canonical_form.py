"""The canonical form of every source, in the notation of the platform's contract page.

``name*`` is part of the business key, ``type?`` may be empty, ``PII`` is hashed at the door.
"""

CANONICAL_FORM = {
    "customers": (
        "customer_id* id, customer_type code(retail, corporate), name PII text?, national_id PII text?, "
        "phone PII text?, address PII text?, birth_date PII date?, sex code?, region code?, industry code?, "
        "group_id id?, registered_on date?, monthly_income money?, employees int?, is_staff bool?, "
        "effective_date* date"
    ),
    "groups": "group_id* id, name text?, parent_group_id id?, effective_date* date",
    "products": (
        "product_id* id, name text, product_type code(instalment_loan, revolving_card, term_loan, "
        "trade_credit), lgd rate, ccf rate, annual_rate rate?, funding_rate rate?, effective_date* date"
    ),
    "partners": "partner_id* id, name text, channel code, effective_date* date",
    "applications": (
        "application_id* id, customer_id id, product_id id, partner_id id?, applied_at ts, requested_amount "
        "money, term_months int?, stage code(applied, reviewing, approved, declined, contracted, disbursed, "
        "cancelled), stage_at* ts, decision_amount money?, decided_by code(rule, model, manual)?, override "
        "code(none, up, down)?, policy_version text?, reason text?"
    ),
    "facilities": (
        "facility_id* id, customer_id id, product_id id, partner_id id?, application_id id?, opened_on "
        "date, closed_on date?, currency code, principal money?, credit_limit money?, secured bool?, status "
        "code(active, closed, written_off, restructured), manual_class code?, effective_date* date"
    ),
    "macro_series": "series_id* text, industry code?, period* date, value rate, published_on* date",
    "industry_series": "series_id* text, industry code?, period* date, value rate, published_on* date",
    "competitor_products": (
        "competitor* text, product_type* code, annual_rate rate, max_amount money?, max_term_months int?, "
        "observed_on* date"
    ),
    "due_items": (
        "due_item_id* id, facility_id id, kind code(instalment, statement, invoice, fee), issued_on date?, "
        "due_date date, amount_due money, principal money?, interest money?, fee money?, currency code"
    ),
    "payments": (
        "payment_id* id, facility_id id, due_item_id id?, value_date date, booked_at ts?, amount money, "
        "currency code, reverses_payment_id id?, payer code(customer, third_party)?"
    ),
    "facility_snapshots": (
        "facility_id* id, month_end* date, balance money, credit_limit money?, amount_paid money?, dpd "
        "int?, months_past_due int?, status code?"
    ),
    "disputes": (
        "dispute_id* id, due_item_id id, opened_on date, closed_on date?, amount money, outcome code?"
    ),
    "collection_actions": (
        "action_id* id, customer_id id, facility_id id?, acted_at ts, action code(sms, call, visit, letter, "
        "legal), result code?, collector id?"
    ),
    "promises": "promise_id* id, facility_id id, promised_on date, due_on date, amount money",
    "statements": (
        "customer_id* id, period_end* date, months int, currency code, audited bool?, opinion code?, "
        "published_on* date, cash money?, receivables money?, inventory money?, current_assets money?, "
        "total_assets money?, payables money?, current_liabilities money?, short_term_debt money?, "
        "long_term_debt money?, total_liabilities money?, retained_earnings money?, equity money?, "
        "market_value money?, revenue money?, cost_of_sales money?, gross_profit money?, operating_profit "
        "money?, ebit money?, interest_expense money?, net_profit money?, depreciation money?, cfo money?, "
        "cfi money?, cff money?, net_change_in_cash money?"
    ),
    "sme_invoices": (
        "customer_id* id, direction* code(purchase, sale), invoice_no* text, issued_on* date, "
        "counterparty_id* id, amount money, tax money, total money, status code(valid, void)"
    ),
    "bureau_reports": (
        "report_id* id, customer_id id, bureau code, pulled_on date, hit bool, bureau_score int?"
    ),
    "bureau_tradelines": (
        "report_id* id, tradeline_id* id, lender_type code, kind code, opened_on date, closed_on date?, "
        "limit_amount money?, balance money, overdue_amount money, status_now code(0, 1, 2, 3, 4, 5, 6, 7, "
        "written_off), worst_status_24m code(0, 1, 2, 3, 4, 5, 6, 7, written_off), guarantee bool?, history "
        "text"
    ),
    "bureau_inquiries": (
        "report_id* id, inquired_on* date, inquirer* text, reason code(credit_application, review, "
        "guarantee, own)"
    ),
    "bureau_public_records": (
        "report_id* id, record_id* id, kind code(enforcement, judgment, tax, penalty), recorded_on date, "
        "amount money?"
    ),
    "bureau_tradeline_months": (
        "tradeline_id* id, month_end* date, status code(0, 1, 2, 3, 4, 5, 6, 7, written_off, closed, unknown)"
    ),
    "characteristics": "customer_id* id, observed_on* date",
    "outcomes": "customer_id* id, observed_on* date, default bool",
}
