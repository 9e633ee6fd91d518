{{ config(indexed=['facility_id']) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

holdings as (
    select *
    from {{ ref('int_facility_holding') }}
    where book = {{ book() }}
),

delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where book = {{ book() }}
),

firms as (
    select *
    from {{ ref('dim_customer') }}
    where
        book = {{ book() }}
        and customer_type = 'corporate'
),

reports as (
    select *
    from {{ ref('int_bureau_report') }}
    where
        book = {{ book() }}
        and known_until is null
        and hit
),

-- Restructuring alone changes no class.
own_spells as (
    select
        facility_key,
        from_on,
        until_on,
        struck_on
    from {{ ref('int_default_event') }}
    where
        book = {{ book() }}
        and reason <> 'restructured'
),

{{ non_performing_runs_cte('own_runs', 'own_spells') }},

{{ islands_cte('dirty', 'own_spells', 'facility_key') }},

-- A claim is the holder's of the day; once the facility is gone it keeps no other from its upgrade.
own_claims as (
    select
        own_runs.facility_key,
        holdings.facility_id,
        holdings.customer_id,
        greatest(own_runs.struck_on, holdings.from_on) as from_on,
        own_runs.upgraded_on,
        holdings.until_on as held_until,
        delinquency.left_on
    from own_runs
    inner join holdings on own_runs.facility_key = holdings.facility_key
    inner join delinquency on own_runs.facility_key = delinquency.facility_key
    where
        own_runs.struck_on < holdings.until_on
        and own_runs.upgraded_on > holdings.from_on
        and greatest(own_runs.struck_on, holdings.from_on) < coalesce(delinquency.left_on, {{ end_of_time() }})
),

customer_claims as (
    select
        customer_id,
        from_on,
        least(upgraded_on, held_until, left_on) as until_on
    from own_claims
),

{{ islands_cte('customer_spells', 'customer_claims', 'customer_id') }},

-- While another claim of the customer is non-performing, none is upgraded.
own as (
    select
        own_claims.facility_key,
        own_claims.facility_id,
        own_claims.customer_id,
        own_claims.from_on,
        least(greatest(own_claims.upgraded_on, customer_spells.until_on), own_claims.held_until) as until_on
    from own_claims
    inner join customer_spells
        on
            own_claims.customer_id = customer_spells.customer_id
            and own_claims.from_on >= customer_spells.from_on
            and own_claims.from_on < customer_spells.until_on
),

-- Contagion is looked at on month ends, of firms of which something is non-performing here or past due elsewhere.
suspects as (
    select customer_id from own
    union
    select customer_id
    from reports
    where debt_past_90 > 0
),

claims as (
    select
        positions.facility_id,
        positions.month_end,
        {{ month_end('positions.month_end + 1') }} as next_month_end,
        positions.customer_id,
        positions.balance,
        positions.dpd_undisputed > 90 as is_past_90,
        own.facility_id is not null as is_non_performing,
        dirty.facility_key is not null as is_cause
    from {{ ref('fct_month_end_position') }} as positions
    inner join firms on positions.customer_id = firms.customer_id
    inner join suspects on positions.customer_id = suspects.customer_id
    left join own
        on
            positions.facility_id = own.facility_id
            and positions.month_end >= own.from_on
            and positions.month_end < own.until_on
    left join dirty
        on
            own.facility_key = dirty.facility_key
            and positions.month_end >= dirty.from_on
            and positions.month_end < dirty.until_on
    where
        positions.book = {{ book() }}
        and {{ is_open('positions.status') }}
),

firm_months as (
    select
        customer_id,
        month_end,
        sum(balance) as balance,
        sum(case when is_past_90 then balance else 0 end) as balance_past_90,
        sum(case when is_non_performing then balance else 0 end)
        > {{ var('contagion_share') }} * sum(balance) as is_tainted,
        sum(case when is_non_performing and is_cause then balance else 0 end)
        > {{ var('contagion_share') }} * sum(balance) as has_cause
    from claims
    group by customer_id, month_end
),

-- By the latest report, together with the debt here.
reported_months as (
    select
        firm_months.customer_id,
        firm_months.month_end,
        firm_months.balance_past_90 + reports.debt_past_90
        > {{ var('bureau_contagion_share') }} * (firm_months.balance + reports.debt) as is_tainted,
        row_number() over (
            partition by firm_months.customer_id, firm_months.month_end
            order by reports.pulled_on desc, reports.report_id desc
        ) as newest
    from firm_months
    inner join reports
        on
            firm_months.customer_id = reports.customer_id
            and firm_months.month_end >= reports.pulled_on
            and {{ days_between('reports.pulled_on', 'firm_months.month_end') }}
            <= {{ var('bureau_report_max_age_days') }}
),

tainted as (
    select
        claims.facility_id,
        facilities.facility_key,
        case when firm_months.is_tainted or firm_months.has_cause then 'contagion_here' else 'contagion_elsewhere' end
            as reason,
        claims.month_end as from_on,
        claims.next_month_end as until_on,
        firm_months.has_cause or coalesce(reported_months.is_tainted, false) as is_cause
    from claims
    inner join facilities on claims.facility_id = facilities.facility_id
    inner join firm_months
        on
            claims.customer_id = firm_months.customer_id
            and claims.month_end = firm_months.month_end
    left join reported_months
        on
            claims.customer_id = reported_months.customer_id
            and claims.month_end = reported_months.month_end
            and reported_months.newest <= 1
    where
        not claims.is_non_performing
        and (firm_months.is_tainted or firm_months.has_cause or reported_months.is_tainted)
),

-- Non-performing by contagion ends with its cause, after the same period.
contagion_spells as (
    select
        facility_key,
        from_on,
        until_on,
        from_on as struck_on
    from tainted
    where is_cause
    union all
    select
        facility_key,
        from_on,
        until_on,
        cast(null as date)
    from own_spells
    where facility_key in (select tainted.facility_key from tainted)
),

{{ non_performing_runs_cte('contagion_runs', 'contagion_spells') }},

final as (
    select
        facility_id,
        'upgrade_wait' as reason,
        from_on,
        until_on,
        cast(false as boolean) as is_cause
    from own
    union all
    select
        facility_id,
        reason,
        from_on,
        until_on,
        is_cause
    from tainted
    union all
    select
        facilities.facility_id,
        'upgrade_wait',
        contagion_runs.struck_on,
        contagion_runs.upgraded_on,
        false
    from contagion_runs
    inner join facilities on contagion_runs.facility_key = facilities.facility_key
)

select
    {{ book() }} as book,
    facility_id,
    reason,
    from_on,
    least(max(until_on), {{ end_of_time() }}) as until_on,
    bool_or(is_cause) as is_cause
from final
group by facility_id, reason, from_on
