with verdicts as (
    select *
    from {{ source('actions', 'customer_verdict') }}
    where
        book = {{ book() }}
        and as_of_date = {{ as_of() }}
),

responses as (
    select
        customer_id,
        string_agg(distinct kind, ', ' order by kind) as in_force
    from {{ action_states() }}
    where status = 'approved'
    group by customer_id
)

select
    {{ book() }} as book,
    positions.customer_id,
    positions.customer_type,
    positions.industry,
    positions.region,
    positions.group_id,
    positions.exposure,
    positions.overdue_amount,
    positions.dpd,
    positions.bucket,
    verdicts.class5,
    positions.worst_dpd_12m,
    verdicts.score,
    verdicts.pd,
    verdicts.grade,
    verdicts.expected_loss,
    cast(coalesce(warnings.red, 0) as integer) as open_warnings_red,
    cast(coalesce(warnings.orange, 0) as integer) as open_warnings_orange,
    cast(coalesce(warnings.yellow, 0) as integer) as open_warnings_yellow,
    positions.limit_total,
    positions.utilisation,
    positions.last_statement_on,
    positions.z_score,
    positions.z_zone,
    positions.bureau_worst_24m,
    positions.next_due_date,
    positions.next_due_amount,
    verdicts.scorecard,
    positions.bureau_hit,
    positions.open_facilities,
    responses.in_force as responses_in_force,
    verdicts.in_default,
    verdicts.default_on,
    verdicts.default_reason,
    verdicts.facilities_in_default,
    verdicts.class_reason
from {{ ref('fct_customer_position') }} as positions
inner join verdicts on positions.customer_id = verdicts.customer_id
left join {{ open_warnings() }} as warnings on positions.customer_id = warnings.customer_id
left join responses on positions.customer_id = responses.customer_id
where positions.book = {{ book() }}
