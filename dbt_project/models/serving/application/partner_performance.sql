with partners as (
    select distinct partner_id
    from {{ ref('fct_partner_month') }}
    where book = {{ book() }}
),

-- Rows of applications in quarantine that name a partner in a cell of its own.
refused as (
    select
        partners.partner_id,
        {{ month_end('loads.delivery_date') }} as month,
        count(*) as rows_refused
    from {{ source('ops', 'quarantine') }} as quarantined
    inner join {{ source('ops', 'load_ledger') }} as loads on quarantined.batch_id = loads.batch_id
    inner join partners
        on position(',' || partners.partner_id || ',' in ',' || replace(quarantined.row_text, ' ', '') || ',') > 0
    where
        quarantined.book = {{ book() }}
        and quarantined.source = 'applications'
        and loads.delivery_date <= {{ as_of() }}
    group by partners.partner_id, {{ month_end('loads.delivery_date') }}
),

flow as (
    select
        partner_id,
        applied_month as month,
        cast(count(disbursed_at) as double precision) / count(*) as disbursed_rate,
        percentile_cont(0.5) within group (
            order by cast(extract(epoch from coalesce(approved_at, declined_at) - applied_at) as double precision) / 3600
        ) as median_hours_to_decision,
        percentile_cont(0.5) within group (
            order by cast(extract(epoch from disbursed_at - applied_at) as double precision) / 3600
        ) as median_hours_to_disbursal
    from {{ ref('fct_application') }}
    where
        book = {{ book() }}
        and partner_id is not null
    group by partner_id, applied_month
)

select
    {{ book() }} as book,
    months.partner_id,
    months.month,
    months.applications,
    months.approval_rate,
    months.fpd_rate,
    months.ever_30_mob3_rate,
    (months.applications_at_fault + coalesce(refused.rows_refused, 0))
    / cast(nullif(months.applications + coalesce(refused.rows_refused, 0), 0) as double precision) as data_fault_rate,
    months.facilities,
    months.fpd_observed,
    months.mob3_observed,
    flow.disbursed_rate,
    flow.median_hours_to_decision,
    flow.median_hours_to_disbursal
from {{ ref('fct_partner_month') }} as months
left join refused
    on
        months.partner_id = refused.partner_id
        and months.month = refused.month
left join flow
    on
        months.partner_id = flow.partner_id
        and months.month = flow.month
where
    months.book = {{ book() }}
    and months.month <= {{ month_end(as_of()) }}
