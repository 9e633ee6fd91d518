{{ config(
    follows='closed_months',
    key='facility_id',
    since='month_end',
    grain=['facility_id', 'month_end'],
    indexed=['facility_id, month_end', 'month_end'],
    tells_changes=true,
    shared=true,
) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', closed=true) }}
),

episodes as (
    select *
    from {{ ref('int_default_episode') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', closed=true) }}
),

due_ladder as (
    select
        facility_key as scope_key,
        due_item_id,
        sequence_no,
        issued_on,
        due_date,
        amount_cents,
        principal_cents,
        due_through_cents
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', closed=true) }}
),

credit_entries as (
    select
        facility_key as scope_key,
        due_item_id,
        value_date,
        cash_cents,
        applied_cents,
        pool_cents
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', closed=true) }}
),

disputes as (
    select
        due_items.facility_key as scope_key,
        disputes.due_item_id,
        disputes.opened_on,
        disputes.closed_on
    from {{ ref('stg_disputes') }} as disputes
    inner join {{ ref('int_due_item_settlement') }} as due_items
        on
            disputes.due_item_id = due_items.due_item_id
            and due_items.book = {{ book() }}
            and {{ in_scope('due_items.facility_key', closed=true) }}
    where disputes.is_latest
),

snapshots as (
    select
        facility_key as scope_key,
        month_end,
        balance_cents,
        credit_limit_cents,
        paid_cents,
        dpd,
        months_past_due,
        status
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id', closed=true) }}
),

{% if var('scope') == 'changed' %}
{{ resumed_panel_ctes() }},

{% endif %}
scopes as (
    select
        facilities.facility_key as scope_key,
        facilities.basis,
        facilities.customer_type,
        facilities.opened_on,
        {{ 'greatest(facilities.opened_on, resumed.month_end)' if var('scope') == 'changed' else 'facilities.opened_on' }} as panel_from,
        facilities.ended_on,
        {{ as_of() }} as last_day,
        facilities.status,
        facilities.principal_cents,
        facilities.credit_limit_cents
    from facilities
    {%- if var('scope') == 'changed' %}
    left join resumed on facilities.facility_key = resumed.facility_key
    {%- endif %}
),

facility_versions as (
    select
        facility_key as scope_key,
        effective_date,
        next_effective_date,
        status,
        manual_class,
        credit_limit_cents
    from {{ ref('int_facility_version') }}
),

bureau_reports as (
    select *
    from {{ ref('int_bureau_report') }}
    where
        book = {{ book() }}
        and known_until is null
        and hit
        and {{ in_customer_scope('customer_id') }}
),

{{ facility_month_ctes() }},

-- The worse of the class by undisputed days past due and the manual class holds; written off is loss.
classed as (
    select
        facility_months.*,
        facilities.facility_id,
        facilities.customer_id,
        facilities.customer_type,
        facilities.product_id,
        facilities.product_type,
        facilities.partner_id,
        facilities.opened_on,
        episodes.facility_key is not null as is_in_default_episode,
        case
            when facility_months.status = 'written_off' then 5
            else greatest(
                {{ class_rank_of_dpd('facility_months.dpd_undisputed') }},
                coalesce({{ class_rank('facility_months.manual_class') }}, 1)
            )
        end as class_rank
    from facility_months
    inner join facilities on facility_months.scope_key = facilities.facility_key
    left join episodes
        on
            facility_months.scope_key = episodes.facility_key
            and facility_months.month_end >= episodes.default_on
            and (episodes.cured_on is null or facility_months.month_end < episodes.cured_on)
),

-- Corporate contagion: over a tenth of a firm's claims here non-performing makes all of them so, ...
firm_months as (
    select
        customer_id,
        month_end,
        sum(case when class_rank >= 3 and status <> 'written_off' then balance_cents else 0 end)
        > {{ var('contagion_share') }}
        * sum(case when status <> 'written_off' then balance_cents else 0 end) as is_contagious
    from classed
    where customer_type = 'corporate'
    group by customer_id, month_end
),

-- ... and so does over a fifth of its debt at all lenders past due over 90 days, by the latest report.
reported_firms as (
    select
        firm_months.customer_id,
        firm_months.month_end,
        bureau_reports.share_past_90,
        row_number() over (
            partition by firm_months.customer_id, firm_months.month_end
            order by bureau_reports.pulled_on desc, bureau_reports.report_id desc
        ) as newest
    from firm_months
    inner join bureau_reports
        on
            firm_months.customer_id = bureau_reports.customer_id
            and firm_months.month_end >= bureau_reports.pulled_on
            and {{ days_between('bureau_reports.pulled_on', 'firm_months.month_end') }}
            <= {{ var('bureau_report_max_age_days') }}
),

contagious as (
    select
        customer_id,
        month_end
    from firm_months
    where is_contagious
    union
    select
        customer_id,
        month_end
    from reported_firms
    where
        newest <= 1
        and share_past_90 > {{ var('bureau_contagion_share') }}
),

final as (
    select
        classed.*,
        case
            when contagious.customer_id is not null and classed.status <> 'closed' then greatest(classed.class_rank, 3)
            else classed.class_rank
        end as final_class_rank
    from classed
    left join contagious
        on
            classed.customer_id = contagious.customer_id
            and classed.month_end = contagious.month_end
)

select
    {{ book() }} as book,
    facility_id,
    month_end,
    customer_id,
    product_id,
    product_type,
    partner_id,
    opened_on,
    status,
    mob,
    {{ from_cents('balance_cents') }} as balance,
    {{ from_cents('opening_balance_cents') }} as opening_balance,
    {{ from_cents('credit_limit_cents') }} as credit_limit,
    {{ from_cents('due_cents') }} as amount_due,
    {{ from_cents('interest_due_cents') }} as interest_due,
    {{ from_cents('paid_cents') }} as amount_paid,
    {{ from_cents('overdue_cents') }} as overdue_amount,
    dpd,
    dpd_undisputed,
    {{ bucket_of('dpd') }} as bucket,
    {{ class_of_rank('final_class_rank') }} as class5,
    is_in_default_episode as is_default,
    case when credit_limit_cents > 0 then balance_cents / cast(credit_limit_cents as double precision) end as utilisation,
    months_past_due,
    repayment_state,
    method,
    reported_dpd
from final
{%- if var('scope') == 'changed' %}
where not exists (
    select 1
    from resumed
    where
        resumed.facility_key = final.scope_key
        and resumed.month_end = final.month_end
)
{%- endif %}
