with entries as (
    select *
    from {{ ref('int_sme_invoice_month') }}
    where book = {{ book() }}
),

firsts as (
    select
        customer_id,
        min(seen_month_no) as first_seen_month_no,
        min(month_no) as first_month_no
    from entries
    group by customer_id
),

calendar as (
    select *
    from {{ month_ends('(select ' ~ month_of_index('min(firsts.first_seen_month_no)') ~ ' from firsts)') }} as calendar
),

observations as (
    select
        firsts.customer_id,
        calendar.month_end as observation_date,
        calendar.month_index as observation_month_no,
        calendar.month_index - firsts.first_month_no + 1 as history_months
    from firsts
    inner join calendar on firsts.first_seen_month_no <= calendar.month_index
),

month_entries as (
    select
        customer_id,
        month_no,
        seen_month_no,
        sum(case when direction = 'sale' then amount_cents else 0 end) as sales_cents,
        sum(case when direction = 'purchase' then amount_cents else 0 end) as purchases_cents,
        sum(case when direction = 'sale' then invoices - void_invoices else 0 end) as valid_sales,
        sum(invoices) as invoices,
        sum(void_invoices) as void_invoices,
        sum(red_invoices) as red_invoices
    from entries
    group by customer_id, month_no, seen_month_no
),

-- The two years up to the observation date, month by month, as known then.
known_months as (
    select
        observations.customer_id,
        observations.observation_month_no,
        observations.observation_month_no - month_entries.month_no as months_ago,
        sum(month_entries.sales_cents) as sales_cents,
        sum(month_entries.purchases_cents) as purchases_cents,
        sum(month_entries.valid_sales) as valid_sales,
        sum(month_entries.invoices) as invoices,
        sum(month_entries.void_invoices) as void_invoices,
        sum(month_entries.red_invoices) as red_invoices
    from observations
    inner join month_entries
        on
            observations.customer_id = month_entries.customer_id
            and observations.observation_month_no >= month_entries.seen_month_no
            and observations.observation_month_no < month_entries.month_no + 24
    group by observations.customer_id, observations.observation_month_no, month_entries.month_no
),

{% set windows = {'3m': (0, 2), 'before_3m': (3, 5), 'year_ago_3m': (12, 14), '12m': (0, 11), 'before_12m': (12, 23)} %}
traded as (
    select
        customer_id,
        observation_month_no,
        {% for name, (first, last) in windows.items() %}
        sum(case when months_ago between {{ first }} and {{ last }} then sales_cents else 0 end) as sales_{{ name }},
        sum(case when months_ago between {{ first }} and {{ last }} then purchases_cents else 0 end) as purchases_{{ name }},
        {% endfor %}
        sum(case when months_ago < 12 then sales_cents * sales_cents else 0 end) as squared_sales_12m,
        count(case when months_ago < 12 and valid_sales > 0 then 1 end) as active_months_12m,
        min(case when valid_sales > 0 then months_ago end) as months_since_last_sale,
        sum(case when months_ago < 12 then invoices else 0 end) as invoices_12m,
        sum(case when months_ago < 12 then void_invoices else 0 end) as void_invoices_12m,
        sum(case when months_ago < 12 then red_invoices else 0 end) as red_invoices_12m
    from known_months
    group by customer_id, observation_month_no
),

month_offsets as (
    select months_ago
    from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11)) as numbers (months_ago)
),

-- Each entry counts at the twelve month ends from its month on, once it is seen.
counterparties as (
    select
        entries.customer_id,
        entries.direction,
        entries.counterparty_key,
        entries.month_no + month_offsets.months_ago as observation_month_no,
        {{ sum_cents('entries.amount_cents') }} as amount_cents
    from entries
    cross join month_offsets
    where
        entries.seen_month_no <= entries.month_no + month_offsets.months_ago
        and entries.month_no + month_offsets.months_ago <= {{ month_index(as_of()) }}
    group by
        entries.customer_id,
        entries.direction,
        entries.counterparty_key,
        entries.month_no + month_offsets.months_ago
),

-- Shares of what was traded net of red-letter invoices; a counterparty with nothing left is none.
concentration as (
    select
        customer_id,
        observation_month_no,
        {% for direction in ['sale', 'purchase'] %}
        count(case when direction = '{{ direction }}' then 1 end) as {{ direction }}_counterparties,
        max(case when direction = '{{ direction }}' then amount_cents end) as {{ direction }}_top_cents,
        sum(case when direction = '{{ direction }}' then amount_cents end) as {{ direction }}_cents,
        sum(case when direction = '{{ direction }}' then cast(amount_cents as numeric) * amount_cents end)
            as {{ direction }}_squares{{ ',' if not loop.last }}
        {% endfor %}
    from counterparties
    where amount_cents > 0
    group by customer_id, observation_month_no
)

select
    {{ book() }} as book,
    observations.customer_id,
    observations.observation_date,
    observations.history_months,
    {{ from_cents('coalesce(traded.sales_3m, 0)') }} as sales_3m,
    {{ from_cents('coalesce(traded.sales_12m, 0)') }} as sales_12m,
    {{ from_cents('coalesce(traded.purchases_12m, 0)') }} as purchases_12m,
    case when observations.history_months >= 6 then {{ growth('traded.sales_3m', 'traded.sales_before_3m') }} end
        as sales_growth_qoq,
    case when observations.history_months >= 15 then {{ growth('traded.sales_3m', 'traded.sales_year_ago_3m') }} end
        as sales_growth_yoy,
    case when observations.history_months >= 24 then {{ growth('traded.sales_12m', 'traded.sales_before_12m') }} end
        as sales_growth_12m,
    case when observations.history_months >= 6 then {{ growth('traded.purchases_3m', 'traded.purchases_before_3m') }} end
        as purchases_growth_qoq,
    case when observations.history_months >= 15 then {{ growth('traded.purchases_3m', 'traded.purchases_year_ago_3m') }} end
        as purchases_growth_yoy,
    {{ ratio('(traded.sales_12m - traded.purchases_12m)', 'traded.sales_12m') }} as margin_12m,
    case
        when observations.history_months >= 12 and traded.sales_12m > 0
            then
                cast(sqrt(greatest(12 * traded.squared_sales_12m - traded.sales_12m * traded.sales_12m, 0))
                / traded.sales_12m as double precision)
    end as sales_variation_12m,
    cast(coalesce(traded.active_months_12m, 0) as integer) as active_months_12m,
    cast(traded.months_since_last_sale as integer) as months_since_last_sale,
    cast(coalesce(traded.invoices_12m, 0) as integer) as invoices_12m,
    traded.void_invoices_12m / cast(nullif(traded.invoices_12m, 0) as double precision) as void_rate_12m,
    traded.red_invoices_12m
    / cast(nullif(traded.invoices_12m - traded.void_invoices_12m, 0) as double precision) as red_letter_rate_12m,
    cast(coalesce(concentration.sale_counterparties, 0) as integer) as buyers_12m,
    {{ ratio('concentration.sale_top_cents', 'concentration.sale_cents') }} as top_buyer_share_12m,
    cast(
        concentration.sale_squares / (concentration.sale_cents * concentration.sale_cents) as double precision
    ) as buyer_hhi_12m,
    cast(coalesce(concentration.purchase_counterparties, 0) as integer) as suppliers_12m,
    {{ ratio('concentration.purchase_top_cents', 'concentration.purchase_cents') }} as top_supplier_share_12m,
    cast(
        concentration.purchase_squares / (concentration.purchase_cents * concentration.purchase_cents) as double precision
    ) as supplier_hhi_12m
from observations
left join traded
    on
        observations.customer_id = traded.customer_id
        and observations.observation_month_no = traded.observation_month_no
left join concentration
    on
        observations.customer_id = concentration.customer_id
        and observations.observation_month_no = concentration.observation_month_no
