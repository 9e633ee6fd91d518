{{ config(follows='facility', daily=true, indexed=['facility_key']) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
),

snapshots as (
    select
        facility_key,
        month_end,
        balance_cents,
        credit_limit_cents,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as dpd,
        row_number() over (partition by facility_key order by month_end desc) as newest,
        row_number() over (
            partition by facility_key, coalesce(dpd, months_past_due) is null
            order by month_end desc
        ) as newest_known
    from {{ ref('stg_facility_snapshots') }}
    where
        is_latest
        and {{ in_scope('facility_id', daily=true) }}
),

arrears as (
    select *
    from {{ ref('int_arrears_spell') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
        and from_on <= {{ as_of() }}
        and until_on > {{ as_of() }}
),

due_states as (
    select
        *,
        {{ owed_from('issued_on', 'due_date', 'amount_cents') }} <= {{ as_of() }} as is_owed
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
),

schedules as (
    select
        facility_key,
        {{ sum_cents(
            'case when amount_cents > 0 and settled_on is null and due_date < ' ~ as_of()
            ~ ' then amount_cents - ' ~ to_cents('paid_amount') ~ ' else 0 end'
        ) }} as overdue_cents,
        min(case when amount_cents > 0 and settled_on is null and due_date >= {{ as_of() }} then due_date end)
            as next_due_date,
        min(case when amount_cents > 0 and {{ is_payment('kind') }} then due_date end) as first_due_date,
        max(case when amount_cents > 0 then settled_on end) as last_settled_on,
        count(case when amount_cents > 0 then 1 end) as items,
        count(case when amount_cents > 0 and settled_on is null then 1 end) as items_open,
        count(principal_cents) as items_with_principal,
        {{ sum_cents('case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end') }} as principal_cents,
        {{ sum_cents('greatest(amount_cents, 0)') }} as amount_cents,
        count(case when is_owed then principal_cents end) as issued_with_principal,
        {{ sum_cents('case when is_owed then amount_cents else 0 end') }} as issued_to_date,
        {{ sum_cents('case when is_owed and settled_on is null then amount_cents - ' ~ to_cents('paid_amount') ~ ' else 0 end') }}
            as open_to_date,
        {{ sum_cents('case when is_owed then greatest(amount_cents, 0) else 0 end') }} as issued_billed_to_date,
        {{ sum_cents('case when is_owed and amount_cents > 0 then coalesce(principal_cents, 0) else 0 end') }}
            as issued_principal_to_date,
        {{ sum_cents('case
            when amount_cents <= 0 then 0
            when settled_on is not null then coalesce(principal_cents, 0)
            else greatest(' ~ to_cents('paid_amount') ~ ' - (amount_cents - coalesce(principal_cents, 0)), 0)
        end') }} as settled_principal_cents
    from due_states
    group by facility_key
),

{% set is_first = 'items.due_date = schedules.first_due_date and ' ~ is_payment('items.kind') %}
-- What falls due next, and when the first payment was made in full.
first_and_next as (
    select
        items.facility_key,
        {{ sum_cents(
            'case when items.settled_on is null and items.due_date = schedules.next_due_date then items.amount_cents - '
            ~ to_cents('items.paid_amount') ~ ' end'
        ) }} as next_due_cents,
        case
            when max(case when {{ is_first }} and items.settled_on is null then 1 else 0 end) = 0
                then max(case when {{ is_first }} then items.settled_on end)
        end as first_due_settled_on
    from {{ ref('int_due_item_settlement') }} as items
    inner join schedules
        on
            items.facility_key = schedules.facility_key
            and items.due_date in (schedules.first_due_date, schedules.next_due_date)
    where
        items.book = {{ book() }}
        and {{ in_scope('items.facility_key', daily=true) }}
        and items.amount_cents > 0
    group by items.facility_key
),

payments as (
    select
        facility_key,
        max(case when cash_cents > 0 then value_date end) as last_payment_on,
        {{ sum_cents('cash_cents') }} as paid_cents,
        {{ sum_cents('pool_cents') }} as pool_cents
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
    group by facility_key
),

joined as (
    select
        facilities.*,
        schedules.facility_key is not null as has_dues,
        case when arrears.late_since < {{ as_of() }} then arrears.late_since end as late_since,
        case when arrears.late_since_undisputed < {{ as_of() }} then arrears.late_since_undisputed end
            as late_since_undisputed,
        schedules.overdue_cents,
        schedules.next_due_date,
        first_and_next.next_due_cents,
        schedules.first_due_date,
        first_and_next.first_due_settled_on,
        {{ first_payment_default('schedules.first_due_date', 'first_and_next.first_due_settled_on') }}
            as is_first_payment_default,
        schedules.items_open,
        schedules.last_settled_on,
        coalesce(schedules.items_with_principal, 0) as items_with_principal,
        coalesce(schedules.issued_with_principal, 0) as issued_with_principal,
        coalesce(schedules.issued_to_date, 0) as issued_to_date,
        coalesce(schedules.open_to_date, 0) as open_to_date,
        coalesce(schedules.issued_billed_to_date, 0) as issued_billed_to_date,
        coalesce(schedules.issued_principal_to_date, 0) as issued_principal_to_date,
        coalesce(schedules.settled_principal_cents, 0) as settled_principal_cents,
        coalesce(payments.pool_cents, 0) as pool_to_date,
        coalesce(payments.paid_cents, 0) as paid_to_date,
        facilities.basis = 'loan'
        and schedules.items > 0
        and schedules.items_open = 0
        and {{ is_schedule_complete('schedules', 'facilities.principal_cents') }} as is_repaid,
        payments.last_payment_on,
        snapshots.month_end as reported_on,
        known_snapshots.dpd as reported_dpd,
        snapshots.balance_cents as reported_balance_cents
    from facilities
    left join schedules on facilities.facility_key = schedules.facility_key
    left join first_and_next on facilities.facility_key = first_and_next.facility_key
    left join payments on facilities.facility_key = payments.facility_key
    left join snapshots
        on
            facilities.facility_key = snapshots.facility_key
            and snapshots.newest <= 1
    left join snapshots as known_snapshots
        on
            facilities.facility_key = known_snapshots.facility_key
            and known_snapshots.newest_known <= 1
            and known_snapshots.dpd is not null
    left join arrears on facilities.facility_key = arrears.facility_key
),

-- Closing a facility settles nothing: it is owed on while any item is open. Writing it off ends it.
final as (
    select
        *,
        case
            when status = 'closed' and items_open > 0 then 'closed_with_arrears'
            when ended_on is null and is_repaid then 'closed'
            else status
        end as status_now,
        case
            when status = 'written_off' then ended_on
            when is_repaid then last_settled_on
            when status = 'closed' and coalesce(items_open, 0) = 0 then greatest(ended_on, last_settled_on)
        end as left_on
    from joined
)

select
    {{ book() }} as book,
    facility_id,
    facility_key,
    customer_id,
    status_now as status,
    left_on,
    case when has_dues or reported_on is null then 'settled' else 'reported' end as method,
    late_since,
    late_since_undisputed,
    case when not has_dues then reported_dpd end as reported_dpd,
    {{ from_cents("case
        when status = 'written_off' then 0
        when has_dues then coalesce(overdue_cents, 0)
        when coalesce(reported_dpd, 0) = 0 then 0
    end") }} as overdue_amount,
    next_due_date,
    {{ from_cents('next_due_cents') }} as next_due_amount,
    first_due_date,
    first_due_settled_on,
    is_first_payment_default,
    last_payment_on,
    {{ from_cents("case
        when left_on is not null then 0
        when reported_on is not null and (basis = 'card' or not has_dues) then reported_balance_cents
        when basis = 'loan' then greatest(" ~ disbursed_on_loan('final', 'principal_cents') ~ "
            - case when issued_with_principal = 0 then pool_to_date else settled_principal_cents end, 0)
        when basis = 'trade' then greatest(open_to_date, 0)
        else greatest(issued_to_date - paid_to_date, 0)
    end") }} as balance,
    coalesce(is_repaid, false) as is_repaid,
    case when is_repaid then last_settled_on end as repaid_on
from final
