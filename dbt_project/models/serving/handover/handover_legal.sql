with past_due as (
    select *
    from ({{ open_panel() }}) as panel
    where dpd_undisputed > 90
),

acts as (
    select
        past_due.facility_id,
        (array_agg(act.action || ' ' || act.acted_on order by act.acted_on desc, act.action_id desc))[1] as last_action,
        bool_or(
            act.action in ('letter', 'legal')
            and act.result = 'delivered'
            and act.acted_on > {{ days_after(as_of(), '-past_due.dpd') }}
        ) as letter_delivered
    from past_due
    inner join {{ ref('fct_collection_action') }} as act
        on
            act.book = {{ book() }}
            and past_due.customer_id = act.customer_id
            and act.acted_on <= {{ as_of() }}
            and (act.facility_id is null or past_due.facility_id = act.facility_id)
    group by past_due.facility_id
)

select
    {{ book() }} as book,
    past_due.customer_id,
    past_due.facility_id,
    past_due.dpd,
    past_due.overdue_amount,
    acts.last_action,
    case when acts.letter_delivered then 'complete' else 'demand_letter_missing' end as documents_status
from past_due
left join acts on past_due.facility_id = acts.facility_id
