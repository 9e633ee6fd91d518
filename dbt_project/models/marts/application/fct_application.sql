with stages as (
    select *
    from {{ ref('stg_applications') }}
    where is_latest
),

partners as (
    select * from {{ ref('stg_partners') }}
),

facilities as (
    select *
    from {{ ref('dim_facility') }}
    where
        book = {{ book() }}
        and application_id is not null
),

-- A first payment counts once it is due; one made ahead was collected all the same.
first_dues as (
    select
        application_id,
        facility_id,
        case when first_due_date <= {{ as_of() }} then first_due_date end as first_due_on,
        case when first_due_date <= {{ as_of() }} then first_due_settled_on end as first_collected_on
    from facilities
),

reached as (
    select
        application_id,
        {% for stage in ['reviewing', 'approved', 'declined', 'cancelled', 'contracted', 'disbursed'] %}
        min(case when stage = '{{ stage }}' then stage_at end) as {{ stage }}_at{{ ',' if not loop.last }}
        {% endfor %}
    from stages
    group by application_id
),

newest_first as (
    select
        *,
        row_number() over (partition by application_id order by stage_at desc, stage desc) as newest
    from stages
),

decisions as (
    select
        *,
        row_number() over (partition by application_id order by stage_at, stage) as decision_no
    from stages
    where stage in ('approved', 'declined')
),

booked as (
    select
        application_id,
        min({{ text_order("facility_id") }}) as facility_id,
        min(first_due_on) as first_due_on,
        max(first_collected_on) as first_collected_on,
        count(*) - count(first_collected_on) as uncollected
    from first_dues
    group by application_id
)

select
    {{ book() }} as book,
    newest_first.application_id,
    newest_first.customer_id,
    newest_first.product_id,
    newest_first.partner_id,
    partners.channel,
    newest_first.applied_at,
    newest_first.applied_on,
    {{ month_end('newest_first.applied_on') }} as applied_month,
    newest_first.requested_amount,
    newest_first.term_months,
    newest_first.stage,
    newest_first.stage_at,
    reached.reviewing_at,
    reached.approved_at,
    reached.declined_at,
    reached.cancelled_at,
    reached.contracted_at,
    reached.disbursed_at,
    decisions.stage as decision,
    decisions.decision_amount,
    decisions.decided_by,
    decisions.override,
    newest_first.policy_version,
    decisions.reason,
    booked.facility_id,
    booked.first_due_on,
    case when booked.uncollected = 0 then booked.first_collected_on end as first_collected_on
from newest_first
inner join reached on newest_first.application_id = reached.application_id
left join decisions
    on
        newest_first.application_id = decisions.application_id
        and decisions.decision_no <= 1
left join partners on newest_first.partner_id = partners.partner_id
left join booked on newest_first.application_id = booked.application_id
where newest_first.newest <= 1
