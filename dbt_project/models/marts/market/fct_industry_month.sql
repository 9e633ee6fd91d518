with publications as (
    select
        *,
        row_number() over (partition by series_id, period order by published_on desc) as newest,
        min(series_id) over (partition by industry) as leading_series_id
    from {{ ref('fct_economic_series') }}
    where
        book = {{ book() }}
        and kind = 'industry'
        and industry is not null
),

facility_months as (
    select *
    from {{ ref('fct_facility_month') }}
    where
        book = {{ book() }}
        and {{ is_open('status') }}
),

customers as (
    select *
    from {{ ref('dim_customer') }}
    where
        book = {{ book() }}
        and industry is not null
),

-- One index per industry: the first of its series in the order of their names, as last published.
indices as (
    select
        industry,
        {{ month_end('period') }} as month,
        {{ month_index('period') }} as month_no,
        value,
        published_on
    from publications
    where
        series_id = leading_series_id
        and newest <= 1
),

changes as (
    select
        industry,
        month,
        value as index_value,
        published_on,
        {{ growth('value', 'first_value(value) over ' ~ month_ago(6, 'industry')) }} as change_6m
    from indices
),

exposures as (
    select
        customers.industry,
        facility_months.month_end as month,
        sum(facility_months.balance) as own_exposure,
        sum(case when facility_months.dpd > 0 then facility_months.balance else 0 end) as own_overdue
    from facility_months
    inner join customers on facility_months.customer_id = customers.customer_id
    group by customers.industry, facility_months.month_end
),

final as (
    select
        coalesce(changes.industry, exposures.industry) as industry,
        coalesce(changes.month, exposures.month) as month,
        changes.index_value,
        changes.change_6m,
        changes.published_on,
        exposures.own_exposure,
        exposures.own_overdue
    from changes
    full outer join exposures
        on
            changes.industry = exposures.industry
            and changes.month = exposures.month
)

select
    {{ book() }} as book,
    industry,
    month,
    index_value,
    change_6m,
    published_on,
    cast(coalesce(own_exposure, 0) as numeric(18, 2)) as own_exposure,
    cast(own_overdue / nullif(own_exposure, 0) as double precision) as own_overdue_ratio
from final
