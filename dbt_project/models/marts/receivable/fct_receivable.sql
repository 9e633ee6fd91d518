with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and product_type = 'trade_credit'
),

settlement as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and coalesce(issued_on, due_date) <= {{ as_of() }}
),

-- A dispute is open until the day on which it is closed.
disputes as (
    select
        due_item_id,
        max(case when closed_on > {{ as_of() }} then 1 else 0 end) as is_open
    from {{ ref('stg_disputes') }}
    where is_latest
    group by due_item_id
),

invoices as (
    select
        settlement.due_item_id,
        settlement.facility_id,
        settlement.customer_id,
        coalesce(settlement.issued_on, settlement.due_date) as issued_on,
        settlement.due_date,
        settlement.amount_due,
        settlement.settled_on,
        settlement.amount_due > 0 as is_invoice,
        case when facilities.status = 'written_off' then facilities.ended_on end as written_off_on,
        case
            when facilities.status = 'written_off' then 0
            when settlement.amount_due > 0 and settlement.settled_on is null
                then settlement.amount_due - settlement.paid_amount
            else 0
        end as open_amount,
        coalesce(disputes.is_open, 0) = 1 as is_disputed,
        disputes.due_item_id is not null as was_disputed
    from settlement
    inner join facilities on settlement.facility_id = facilities.facility_id
    left join disputes on settlement.due_item_id = disputes.due_item_id
)

select
    {{ book() }} as book,
    due_item_id,
    facility_id,
    customer_id,
    issued_on,
    due_date,
    amount_due,
    settled_on,
    written_off_on,
    cast(open_amount as numeric(18, 2)) as open_amount,
    case when is_invoice then {{ days_between('issued_on', 'settled_on') }} end as days_to_settle,
    case when is_invoice and settled_on is not null then greatest({{ days_between('due_date', 'settled_on') }}, 0) end
        as days_late,
    case
        when is_invoice and (settled_on is not null or due_date <= {{ as_of() }})
            then {{ days_between('due_date', 'coalesce(settled_on, ' ~ as_of() ~ ')') }}
    end as days_beyond_terms,
    case when open_amount > 0 then {{ ageing_of(days_between('due_date', as_of())) }} end as ageing,
    is_disputed,
    was_disputed
from invoices
