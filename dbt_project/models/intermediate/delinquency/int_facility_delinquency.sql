{{ config(follows='facility', daily=true, indexed=['facility_key']) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
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
        and {{ in_scope('facility_id', daily=true, age=false) }}
),

disputed as (
    select distinct
        due_items.facility_key,
        disputes.due_item_id
    from {{ ref('stg_disputes') }} as disputes
    inner join {{ ref('int_due_item_settlement') }} as due_items
        on
            disputes.due_item_id = due_items.due_item_id
            and due_items.book = {{ book() }}
            and {{ in_scope('due_items.facility_key', daily=true, age=false) }}
    where
        disputes.is_latest
        and disputes.opened_on <= {{ as_of() }}
        and disputes.closed_on > {{ as_of() }}
),

{% if counts_material_only() %}
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
            and {{ in_scope('due_items.facility_key', daily=true, age=false) }}
    where disputes.is_latest
),

due_items as (
    select *
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
),

credit_entries as (
    select *
    from {{ ref('int_credit_entry') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
),

scopes as (
    select
        facility_key,
        basis,
        customer_type,
        product_id,
        principal_cents,
        {{ as_of() }} as last_day
    from facilities
),

{{ material_runs_cte('scopes', 'due_items', 'credit_entries', 'disputes', 'snapshots', 'facility_key') }},

{% endif %}
due_states as (
    select
        *,
        {{ owed_from('issued_on', 'due_date', 'amount_cents') }} <= {{ as_of() }} as is_owed
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true, age=false) }}
),

schedules as (
    select
        facility_key,
        min(case when amount_cents > 0 and settled_on is null and due_date < {{ as_of() }} then due_date end)
            as oldest_due_date,
        min(
            case
                when
                    amount_cents > 0
                    and settled_on is null
                    and due_date < {{ as_of() }}
                    and due_item_id not in (select disputed.due_item_id from disputed)
                    then due_date
            end
        ) as oldest_undisputed_due_date,
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
        and {{ in_scope('items.facility_key', daily=true, age=false) }}
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
        and {{ in_scope('facility_key', daily=true, age=false) }}
    group by facility_key
),

joined as (
    select
        facilities.*,
        schedules.facility_key is not null as has_dues,
        schedules.oldest_due_date,
        schedules.oldest_undisputed_due_date,
        {% if counts_material_only() %}
        {{ dpd_of_run('material_runs', as_of()) }} as settled_dpd,
        {{ dpd_of_run('undisputed_runs', as_of()) }} as settled_dpd_undisputed,
        {% else %}
        coalesce({{ days_between('schedules.oldest_due_date', as_of()) }}, 0) as settled_dpd,
        coalesce({{ days_between('schedules.oldest_undisputed_due_date', as_of()) }}, 0) as settled_dpd_undisputed,
        {% endif %}
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
    {% if counts_material_only() %}
    left join material_runs
        on
            facilities.facility_key = material_runs.facility_key
            and material_runs.from_on <= {{ as_of() }}
            and material_runs.until_on > {{ as_of() }}
            and material_runs.counts = 'all'
    left join material_runs as undisputed_runs
        on
            facilities.facility_key = undisputed_runs.facility_key
            and undisputed_runs.from_on <= {{ as_of() }}
            and undisputed_runs.until_on > {{ as_of() }}
            and undisputed_runs.counts = 'undisputed'
    {% endif %}
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
    case when has_dues then settled_dpd else coalesce(reported_dpd, 0) end as dpd,
    case when has_dues then settled_dpd_undisputed else coalesce(reported_dpd, 0) end as dpd_undisputed,
    {{ from_cents("case
        when status = 'written_off' then 0
        when has_dues then coalesce(overdue_cents, 0)
        when coalesce(reported_dpd, 0) = 0 then 0
    end") }} as overdue_amount,
    oldest_due_date,
    oldest_undisputed_due_date,
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
{%- if var('scope') == 'changed' %}
union all
select
    book,
    facility_id,
    facility_key,
    customer_id,
    status,
    left_on,
    method,
    case when method = 'settled' then {{ days_between('oldest_due_date', as_of()) }} else dpd end as dpd,
    case when method = 'settled' then coalesce({{ days_between('oldest_undisputed_due_date', as_of()) }}, 0) else dpd_undisputed end
        as dpd_undisputed,
    overdue_amount,
    oldest_due_date,
    oldest_undisputed_due_date,
    next_due_date,
    next_due_amount,
    first_due_date,
    first_due_settled_on,
    is_first_payment_default,
    last_payment_on,
    balance,
    is_repaid,
    repaid_on
from {{ this }}
where
    book = {{ book() }}
    and {{ merely_ages('facility_key') }}
{%- endif %}
