{#
The worklist of the day (domain.md#worklist):
  expected loss at stake = sum over facilities past due of PD x LGD x EAD; PD 1 in default;
  priority = expected loss at stake x urgency of the stage; held customers come last, with priority 0.
  An approved response acts here: intensified collection takes the next stage's strategy and weighs
  `intensify` times as much; an approved visit is made.
-#}
with stages as (
    select
        stage.*,
        lead(stage.from_dpd) over (order by stage.from_dpd) as next_from_dpd,
        coalesce(lead(stage.strategy) over (order by stage.from_dpd), stage.strategy) as next_strategy,
        coalesce(max(stage.strategy) filter (where stage.stage = 'visit') over (), 'site_visit') as visit_strategy
    from jsonb_to_recordset(cast({{ text_literal(tojson(var('policy').collection.stages)) }} as jsonb)) as stage (
        stage text, from_dpd int, strategy text, urgency numeric, contacts_per_week int
    )
),

panel as materialized (
    {{ open_panel() }}
),

-- The day's verdict on the customer; PD 1 in default.
scores as (
    select
        customer_id,
        cast(pd as numeric) as pd,
        in_default
    from {{ source('actions', 'customer_verdict') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
),

mean_pd as (
    select avg(pd) as pd
    from scores
),

-- An unscored customer has the mean PD of the scored ones in the same bucket, else of the book, else 1.
bucket_pd as (
    select
        panel.bucket,
        avg(scores.pd) as pd
    from panel
    inner join scores on panel.customer_id = scores.customer_id
    where scores.pd is not null
    group by panel.bucket
),

overdue as (
    select
        panel.customer_id,
        sum(panel.overdue_amount) as overdue_amount,
        max(panel.dpd) as dpd,
        max(panel.dpd_undisputed) as dpd_undisputed,
        round(sum(
            case
                when panel.is_default or scores.in_default then 1
                else coalesce(scores.pd, bucket_pd.pd, mean_pd.pd, 1)
            end
            * panel.loss_given_default
        ), 2) as expected_loss_at_stake,
        max(case when panel.is_default or scores.in_default then 1 else scores.pd end) as pd,
        sum(panel.balance) as balance
    from panel
    cross join mean_pd
    left join scores on panel.customer_id = scores.customer_id
    left join bucket_pd on panel.bucket = bucket_pd.bucket
    where panel.overdue_amount > 0
    group by panel.customer_id
),

contacts as (
    select
        customer_id,
        max(acted_on) as last_action_on,
        count(*) filter (where acted_on > {{ days_after(as_of(), -7) }}) as contacts_7d
    from {{ ref('fct_collection_action') }}
    where
        book = {{ book() }}
        and acted_on <= {{ as_of() }}
    group by customer_id
),

promises as (
    select
        customer_id,
        min(due_on) as promise_due_on
    from {{ ref('fct_promise') }}
    where
        book = {{ book() }}
        and outcome = 'running'
        and due_on >= {{ as_of() }}
    group by customer_id
),

responses as (
    select
        customer_id,
        bool_or(kind = 'intensify_collection') as is_intensified,
        bool_or(kind = 'visit') as is_visited,
        string_agg(distinct kind, ', ' order by kind) as response
    from {{ action_states() }}
    where
        status = 'approved'
        and kind in ('intensify_collection', 'visit')
    group by customer_id
),

staged as (
    select
        overdue.*,
        stages.stage,
        case
            when responses.is_visited then stages.visit_strategy
            when responses.is_intensified then stages.next_strategy
            else stages.strategy
        end as strategy,
        round(
            stages.urgency
            * case
                when responses.is_intensified then cast('{{ var("policy").collection.intensify }}' as numeric)
                else 1
            end, 4
        ) as urgency,
        responses.response,
        stages.stage <> 'reminder' or responses.customer_id is not null as needs_a_person,
        stages.contacts_per_week,
        contacts.last_action_on,
        coalesce(contacts.contacts_7d, 0) as contacts_7d,
        promises.promise_due_on,
        case
            when overdue.dpd_undisputed = 0 then 'hold_dispute'
            when promises.promise_due_on is not null then 'hold_promise'
            when coalesce(contacts.contacts_7d, 0) >= stages.contacts_per_week then 'wait_contact_limit'
        end as hold
    from overdue
    inner join stages
        on
            overdue.dpd >= stages.from_dpd
            and (stages.next_from_dpd is null or overdue.dpd < stages.next_from_dpd)
    left join contacts on overdue.customer_id = contacts.customer_id
    left join promises on overdue.customer_id = promises.customer_id
    left join responses on overdue.customer_id = responses.customer_id
),

ranked as (
    select
        *,
        case when hold is null then round(expected_loss_at_stake * urgency, 2) else 0 end as priority,
        row_number() over (
            order by
                hold is not null,
                expected_loss_at_stake * urgency desc,
                overdue_amount desc,
                customer_id
        ) as rank,
        row_number() over (
            partition by hold is null and needs_a_person
            order by expected_loss_at_stake * urgency desc, overdue_amount desc, customer_id
        ) as turn
    from staged
),

-- People who collected in the last 90 days share the customers in order of priority; a text message needs none.
collectors as (
    select
        collector,
        row_number() over (order by collector) as number,
        count(*) over () as size
    from {{ ref('fct_collection_action') }}
    where
        book = {{ book() }}
        and collector is not null
        and acted_on between {{ days_after(as_of(), -89) }} and {{ as_of() }}
    group by collector
)

select
    {{ book() }} as book,
    ranked.customer_id,
    cast(ranked.rank as integer) as rank,
    ranked.stage,
    cast(ranked.overdue_amount as numeric(18, 2)) as overdue_amount,
    ranked.dpd,
    cast(ranked.expected_loss_at_stake as numeric(18, 2)) as expected_loss_at_stake,
    cast(ranked.priority as numeric(18, 2)) as priority,
    coalesce(ranked.hold, ranked.strategy) as strategy,
    ranked.last_action_on,
    ranked.promise_due_on,
    collectors.collector as assigned_to,
    {{ text_literal(var('policy').version) }} as policy_version,
    jsonb_build_object(
        'pd', ranked.pd, 'balance', ranked.balance, 'urgency', ranked.urgency,
        'dpd_undisputed', ranked.dpd_undisputed, 'contacts_7d', ranked.contacts_7d,
        'contacts_per_week', ranked.contacts_per_week, 'hold', ranked.hold, 'response', ranked.response
    ) as inputs,
    ranked.response
from ranked
left join collectors
    on
        ranked.hold is null
        and ranked.needs_a_person
        and (ranked.turn - 1) % collectors.size = collectors.number - 1
        and (ranked.turn - 1) / collectors.size < {{ var('policy').collection.capacity }}
