-- A made-up population in the warehouse's own tables: one row a facility or customer and month end.
-- One customer in ten is a firm, one in three has a second facility; one in twenty is in trouble, so
-- that the rules hit about as many customers as in the simulated book.
select setseed(0.42);

create temporary table person as
select
    number,
    'c' || lpad(number::text, 7, '0') as customer_id,
    number %% 10 = 0 as is_firm,
    case when number %% 50 = 0 then 'g' || (number / 200) end as group_id,
    random() as trouble,
    random() as size
from generate_series(1, %(customers)s) as number;

create temporary table month as
select
    back,
    (date_trunc('month', %(day)s::date) - make_interval(months => back - 1) - interval '1 day')::date as month_end
from generate_series(%(months)s - 1, 0, -1) as back;

insert into marts.dim_customer (book, customer_id, customer_type, group_id, industry, region)
select
    %(book)s,
    customer_id,
    case when is_firm then 'corporate' else 'retail' end,
    group_id,
    'i' || number %% 8,
    'r' || number %% 10
from person;

insert into marts.fct_facility_month (
    book, facility_id, month_end, customer_id, product_id, product_type, partner_id, opened_on, status, mob, balance,
    opening_balance, credit_limit, amount_due, amount_paid, overdue_amount, dpd, dpd_undisputed, bucket, class5,
    is_default, utilisation, repayment_state, method
)
select
    %(book)s,
    customer_id || '-' || facility,
    month_end,
    customer_id,
    case when is_card then 'RC01' else 'IL01' end,
    case when is_card then 'revolving_card' else 'instalment_loan' end,
    'p' || number %% 8,
    date '2024-01-15',
    'active',
    29 - back,
    balance,
    balance,
    credit_limit,
    balance / 20,
    case when dpd > 0 then 0 else balance / 20 end,
    case when dpd > 0 then balance / 20 * (1 + dpd / 30) else 0 end,
    dpd,
    dpd,
    'M' || least(7, (dpd + 29) / 30),
    case when dpd = 0 then 'pass' when dpd <= 90 then 'special_mention' else 'substandard' end,
    dpd > 90,
    balance / credit_limit,
    case when dpd > 0 then dpd / 30 + 1 when number %% 40 = 0 then 0 else -1 end,
    'settled'
from (
    select
        person.*,
        facility,
        month.*,
        (number + facility) %% 3 > 0 as is_card,
        (20000 + 80000 * size)::numeric(18, 2) as credit_limit,
        ((20000 + 80000 * size) * least(1.02, 0.1 + 0.6 * size + 0.33 * random() * trouble))::numeric(18, 2)
            as balance,
        case when trouble > 0.95 then greatest(0, floor((trouble - 0.95) * 2400)::int - back * 30 + 10) else 0 end as dpd
    from person
    cross join lateral generate_series(1, case when number %% 3 = 0 then 2 else 1 end) as facility
    cross join month
) as drawn;

insert into features.feat_retail_behaviour (
    book, customer_id, observation_date, months_on_book, balance_total, limit_total, utilisation_now,
    utilisation_avg_3m, utilisation_avg_6m, utilisation_max_6m, utilisation_change_3m, dpd_now, dpd_max_3m,
    dpd_max_6m, dpd_max_12m, months_since_overdue, overdue_amount_now, payment_ratio_1m, payment_ratio_3m,
    payment_ratio_6m, paid_avg_3m, paid_avg_6m, balance_change_3m, newest_account_months, months_dpd30_6m,
    months_overdue_6m, months_overdue_12m, products_held, active_facilities, balance_m0, balance_m1, balance_m2,
    balance_m3, balance_m4, balance_m5, paid_m0, paid_m1, paid_m2, paid_m3, paid_m4, paid_m5
)
select
    %(book)s,
    customer_id,
    month_end,
    29 - back,
    20000 * size,
    30000,
    size,
    size,
    size,
    size,
    random() - 0.5,
    late * 20,
    late * 20,
    late * 20,
    late * 20,
    back,
    late * 500,
    case when late > 0 then random() else 1 end,
    case when late > 0 then random() else 1 end,
    case when late > 0 then random() else 1 end,
    size * 1000,
    size * 1000,
    size * 100,
    12,
    late / 3,
    late,
    late,
    1,
    1,
    20000 * size, 20000 * size, 20000 * size, 20000 * size, 20000 * size, 20000 * size,
    1000 * size, 1000 * size, 1000 * size, 1000 * size, 1000 * size, 1000 * size
from (
    select
        person.*,
        month.*,
        case when trouble > 0.95 then floor(random() * 5)::int else 0 end as late
    from person
    cross join month
    where not is_firm
) as drawn;

insert into marts.fct_bureau_month (
    book, customer_id, observation_date, bureau_hit, bureau_report_on, bureau_score, active_tradelines,
    bureau_exposure, bureau_utilisation, bureau_worst_3m, bureau_worst_12m, bureau_worst_24m, months_since_worst,
    inquiries_1m, inquiries_3m, inquiries_6m, inquiries_12m, oldest_tradeline_months, new_accounts_6m, guarantees,
    public_records, overdue_elsewhere
)
select
    %(book)s,
    customer_id,
    month_end,
    trouble < 0.98 or size > 0.5,
    month_end - 10,
    600,
    3,
    (50000 * (1 + size) * (1 + 0.6 * random() * trouble))::numeric(18, 2),
    size,
    case when trouble > 0.97 then floor(random() * 5)::int else 0 end,
    2,
    2,
    5,
    floor(random() * 2)::int,
    floor(random() * random() * 5)::int,
    3,
    5,
    40,
    1,
    0,
    case when random() > 0.995 then 1 else 0 end,
    case when trouble > 0.97 then floor(random() * 3000)::int else 0 end
from person
cross join month;

insert into marts.fct_statement_month (
    book, customer_id, observation_date, statement_period_end, statement_published_on, statement_age_months,
    statement_months, audited, opinion, total_assets, revenue, current_ratio, debt_to_assets, interest_cover,
    receivable_days, cfo_to_debt, z2_score, sales_growth_yoy
)
select
    %(book)s,
    customer_id,
    month_end,
    (date_trunc('quarter', month_end + 1) - interval '3 months' - interval '1 day')::date,
    month_end - 5,
    3,
    12,
    true,
    'unqualified',
    1000000,
    500000,
    1.5,
    0.5,
    6 - 5 * trouble,
    60 + 40 * random() * trouble,
    0.2 - 0.25 * trouble * random(),
    4 - 3.2 * trouble * random(),
    0.1 - 0.42 * trouble * random()
from person
cross join month
where is_firm;

insert into scoring.customer_scores (
    book, as_of_date, scorecard, customer_id, model_version, score, pd, grade, points_total, observed_on
)
select
    %(book)s,
    month_end,
    'behaviour',
    customer_id,
    '1',
    620 - floor(41 * trouble * random())::int,
    0.01 + 0.0102 * trouble * random(),
    (3 + floor(2.1 * trouble * random())::int)::text,
    600,
    month_end
from person
cross join month
where back <= 3;

-- The state of the day follows from the last month of the panel.
create temporary table held as
select
    customer_id,
    count(*) as facilities,
    count(*) filter (where is_default) as facilities_in_default,
    sum(balance) as exposure,
    sum(overdue_amount) as overdue_amount,
    sum(credit_limit) as credit_limit,
    max(dpd) as dpd,
    max(case class5 when 'pass' then 1 when 'special_mention' then 2 else 3 end) as class_rank
from marts.fct_facility_month
where book = %(book)s and month_end = %(day)s
group by customer_id;

insert into marts.fct_customer_state (
    book, as_of_date, customer_id, customer_type, open_facilities, facilities_in_default, owes, may_draw, is_default,
    default_on, default_reason, class5, class_reason
)
select
    %(book)s,
    %(day)s,
    customer_id,
    case when is_firm then 'corporate' else 'retail' end,
    facilities,
    facilities_in_default,
    exposure > 0,
    true,
    facilities_in_default > 0,
    case when facilities_in_default > 0 then %(day)s::date - dpd + 91 end,
    case when facilities_in_default > 0 then 'past_due' end,
    (array['pass', 'special_mention', 'substandard'])[class_rank],
    case when class_rank > 1 then 'days' end
from held
inner join person using (customer_id);

insert into marts.fct_customer_position (
    book, customer_id, customer_type, industry, region, group_id, open_facilities, exposure, overdue_amount, dpd, bucket,
    class5, worst_dpd_12m, loss_given_default, loss_in_default, limit_total, utilisation
)
select
    %(book)s,
    customer_id,
    case when is_firm then 'corporate' else 'retail' end,
    'i' || number %% 8,
    'r' || number %% 10,
    group_id,
    facilities,
    exposure,
    overdue_amount,
    dpd,
    'M' || least(7, (dpd + 29) / 30),
    (array['pass', 'special_mention', 'substandard'])[class_rank],
    dpd,
    exposure * 0.6,
    case when facilities_in_default > 0 then exposure * 0.6 else 0 end,
    credit_limit,
    exposure / credit_limit
from held
inner join person using (customer_id);

drop table held;
drop table person;
drop table month;
