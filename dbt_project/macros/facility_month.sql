{#
The month-end panel of each scope (DOMAIN 2, 3). A scope is a facility as known at one time; state at
a month end uses what is effective on or before it, and of the scope's rows all.

Reads the CTEs
    scopes: scope_key, basis, opened_on, ended_on, last_day, status, principal_cents, credit_limit_cents
    due_ladder: scope_key, due_item_id, sequence_no, issued_on, due_date, amount_cents,
        principal_cents, due_through_cents
    credit_entries: scope_key, due_item_id, value_date, cash_cents, applied_cents, pool_cents
    snapshots: scope_key, month_end, balance_cents, credit_limit_cents, paid_cents, dpd,
        months_past_due, status
    facility_versions: scope_key, effective_date, next_effective_date, status, manual_class,
        credit_limit_cents
and ends with `facility_months`, grain (scope_key, month_end).
#}
{% macro facility_month_ctes() %}
{%- set tolerance = var('settlement_tolerance_cents') -%}
months as (
    select *
    from {{ month_ends('(select min(scopes.opened_on) from scopes)') }} as calendar
),

schedules as (
    select
        scope_key,
        {{ sum_cents('principal_cents') }} as principal_cents,
        {{ sum_cents('greatest(amount_cents, 0)') }} as amount_cents,
        count(principal_cents) as items_with_principal
    from due_ladder
    group by scope_key
),

snapshot_ends as (
    select
        scope_key,
        min(case when status in ('closed', 'written_off') then month_end end) as ended_on
    from snapshots
    group by scope_key
),

-- Outstanding principal starts from the schedule where it is complete, else from the facility's amount.
bounds as (
    select
        scopes.scope_key,
        scopes.basis,
        scopes.opened_on,
        least(scopes.ended_on, snapshot_ends.ended_on) as ended_on,
        least({{ month_end('least(scopes.ended_on, snapshot_ends.ended_on)') }}, scopes.last_day) as last_month_end,
        {{ month_index('scopes.opened_on') }} as opened_index,
        scopes.status,
        scopes.credit_limit_cents,
        schedules.scope_key is not null as has_dues,
        snapshot_ends.scope_key is not null as has_reports,
        coalesce(schedules.items_with_principal, 0) > 0 as has_item_principal,
        case
            when coalesce(schedules.items_with_principal, 0) = 0 and schedules.amount_cents > 0
                then least(
                    coalesce(scopes.principal_cents, schedules.amount_cents) / cast(schedules.amount_cents as double precision),
                    1
                )
            else 0
        end as principal_share,
        case
            when scopes.principal_cents is null
                then coalesce(nullif(schedules.principal_cents, 0), schedules.amount_cents)
            when schedules.principal_cents >= 0.99 * scopes.principal_cents then schedules.principal_cents
            else scopes.principal_cents
        end as lent_cents,
        case
            when schedules.items_with_principal > 0 then schedules.principal_cents
            else least(schedules.amount_cents, scopes.principal_cents)
        end as scheduled_cents,
        coalesce(
            case
                when scopes.principal_cents is null then true
                when schedules.items_with_principal > 0
                    then schedules.principal_cents >= 0.99 * scopes.principal_cents
                else schedules.amount_cents >= 0.99 * scopes.principal_cents
            end,
            false
        ) as is_schedule_complete
    from scopes
    left join schedules on scopes.scope_key = schedules.scope_key
    left join snapshot_ends on scopes.scope_key = snapshot_ends.scope_key
),

grid as (
    select
        bounds.scope_key,
        months.month_end
    from bounds
    inner join months
        on
            months.month_end >= bounds.opened_on
            and months.month_end <= bounds.last_month_end
),

-- Flows of each month: 1 past due from the day after the due date on, 2 due, 3 issued, 4 paid, 5 the grid.
flows as (
    select
        scope_key,
        {{ month_end(days_after('due_date', 1)) }} as month_end,
        greatest(amount_cents, 0) as past_due_cents,
        cast(0 as bigint) as due_cents,
        cast(0 as bigint) as issued_cents,
        cast(0 as bigint) as paid_cents,
        cast(0 as bigint) as applied_cents,
        cast(0 as bigint) as pool_cents,
        0 as in_grid
    from due_ladder
    union all
    select
        scope_key,
        {{ month_end('due_date') }},
        0,
        amount_cents,
        0,
        0,
        0,
        0,
        0
    from due_ladder
    union all
    select
        scope_key,
        {{ month_end('coalesce(issued_on, due_date)') }},
        0,
        0,
        greatest(amount_cents, 0),
        0,
        0,
        0,
        0
    from due_ladder
    where scope_key in (select scopes.scope_key from scopes where scopes.basis <> 'loan')
    union all
    select
        scope_key,
        {{ month_end('value_date') }},
        0,
        0,
        0,
        cash_cents,
        applied_cents,
        pool_cents,
        0
    from credit_entries
    union all
    select
        scope_key,
        month_end,
        0,
        0,
        0,
        0,
        0,
        0,
        1
    from grid
),

monthly_flows as (
    select
        scope_key,
        month_end,
        {{ sum_cents('past_due_cents') }} as past_due_cents,
        {{ sum_cents('due_cents') }} as due_cents,
        {{ sum_cents('issued_cents') }} as issued_cents,
        {{ sum_cents('paid_cents') }} as paid_cents,
        {{ sum_cents('applied_cents') }} as applied_cents,
        {{ sum_cents('pool_cents') }} as pool_cents,
        max(in_grid) as in_grid
    from flows
    group by scope_key, month_end
),

running as (
    select
        scope_key,
        month_end,
        in_grid,
        due_cents,
        paid_cents,
        {{ sum_cents('past_due_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as past_due_to_date,
        {{ sum_cents('issued_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as issued_to_date,
        {{ sum_cents('paid_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as paid_to_date,
        {{ sum_cents('applied_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as applied_to_date,
        {{ sum_cents('pool_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as pool_to_date
    from monthly_flows
),

named_scopes as (
    select distinct scope_key
    from credit_entries
    where due_item_id is not null
),

-- Oldest first: at each month end, the lowest item whose level the payments to date do not reach.

levels as (
    select
        due_ladder.scope_key,
        cast(null as date) as month_end,
        1 as is_due,
        due_ladder.due_through_cents - {{ tolerance }} as level_cents,
        due_ladder.due_date,
        due_ladder.due_through_cents - greatest(due_ladder.amount_cents, 0) as due_before_cents,
        due_ladder.due_through_cents,
        {{ sum_cents(
            'case when bounds.has_item_principal then coalesce(due_ladder.principal_cents, 0)'
            ' else cast(round(greatest(due_ladder.amount_cents, 0) * bounds.principal_share) as bigint) end',
            'partition by due_ladder.scope_key order by due_ladder.sequence_no rows unbounded preceding'
        ) }} as principal_through_cents,
        case
            when bounds.has_item_principal then coalesce(due_ladder.principal_cents, 0)
            else cast(round(greatest(due_ladder.amount_cents, 0) * bounds.principal_share) as bigint)
        end as principal_cents
    from due_ladder
    inner join bounds on due_ladder.scope_key = bounds.scope_key
    where
        due_ladder.scope_key not in (select named_scopes.scope_key from named_scopes)
        and due_ladder.amount_cents >= 0
    union all
    select
        scope_key,
        month_end,
        0,
        pool_to_date,
        cast(null as date),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint)
    from running
    where
        in_grid = 1
        and scope_key not in (select named_scopes.scope_key from named_scopes)
),

first_open as (
    select
        scope_key,
        month_end,
        is_due,
        level_cents as paid_cents,
        min(due_date) over open_items as due_date,
        min(due_before_cents) over open_items as due_before_cents,
        min(due_through_cents) over open_items as due_through_cents,
        min(principal_through_cents - principal_cents) over open_items as principal_before_cents,
        min(principal_through_cents) over open_items as principal_through_cents
    from levels
    window
        open_items as (
            partition by scope_key
            order by level_cents desc, is_due
            rows unbounded preceding
        )
),

-- Named payments: the items of each month end that their own payments have not settled.

named_days as (
    select
        scope_key,
        due_item_id,
        value_date,
        {{ sum_cents('applied_cents') }} as applied_cents
    from credit_entries
    where due_item_id is not null
    group by scope_key, due_item_id, value_date
),

named_open_items as (
    select
        running.scope_key,
        running.month_end,
        due_ladder.due_item_id,
        due_ladder.sequence_no,
        due_ladder.due_date,
        running.pool_to_date,
        due_ladder.amount_cents - coalesce({{ sum_cents('named_days.applied_cents') }}, 0) as open_cents
    from due_ladder
    inner join named_scopes on due_ladder.scope_key = named_scopes.scope_key
    inner join running
        on
            due_ladder.scope_key = running.scope_key
            and coalesce(due_ladder.issued_on, due_ladder.due_date) <= running.month_end
    left join named_days
        on
            due_ladder.scope_key = named_days.scope_key
            and due_ladder.due_item_id = named_days.due_item_id
            and named_days.value_date <= running.month_end
    where
        running.in_grid = 1
        and due_ladder.amount_cents > 0
    group by
        running.scope_key,
        running.month_end,
        due_ladder.due_item_id,
        due_ladder.sequence_no,
        due_ladder.due_date,
        due_ladder.amount_cents,
        running.pool_to_date
    having due_ladder.amount_cents > coalesce({{ sum_cents('named_days.applied_cents') }}, 0)
),

named_queues as (
    select
        *,
        {{ sum_cents('open_cents', 'partition by scope_key, month_end order by sequence_no rows unbounded preceding') }}
            as open_through_cents
    from named_open_items
),

named_unpaid as (
    select
        *,
        least(open_through_cents - pool_to_date, open_cents) as unpaid_cents
    from named_queues
    where pool_to_date < open_through_cents - {{ tolerance }}
),

named_states as (
    select
        scope_key,
        month_end,
        min(case when due_date < month_end then due_date end) as due_date,
        {{ sum_cents('case when due_date < month_end then unpaid_cents else 0 end') }} as overdue_cents,
        {{ sum_cents('unpaid_cents') }} as open_cents
    from named_unpaid
    group by scope_key, month_end
),

reported as (
    select
        scope_key,
        month_end,
        balance_cents,
        credit_limit_cents,
        paid_cents,
        status,
        months_past_due,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as dpd
    from snapshots
),

states as (
    select
        running.scope_key,
        running.month_end,
        bounds.basis,
        bounds.opened_index,
        bounds.has_dues,
        bounds.has_reports,
        bounds.ended_on,
        bounds.status as status_at_end,
        bounds.lent_cents,
        bounds.scheduled_cents,
        bounds.credit_limit_cents,
        bounds.is_schedule_complete and bounds.basis = 'loan' and bounds.has_dues as may_be_repaid,
        running.due_cents,
        running.paid_cents,
        running.paid_to_date,
        reported.scope_key is not null as is_reported,
        reported.balance_cents as reported_balance_cents,
        reported.credit_limit_cents as reported_limit_cents,
        reported.paid_cents as reported_paid_cents,
        reported.dpd as reported_dpd,
        reported.months_past_due as reported_months,
        reported.status as reported_status,
        max(case when reported.scope_key is not null then running.month_end end) over (
            partition by running.scope_key
            order by running.month_end
            rows unbounded preceding
        ) as last_reported_on,
        case
            when named_scopes.scope_key is not null
                then coalesce({{ days_between('named_states.due_date', 'running.month_end') }}, 0)
            when first_open.due_date < running.month_end
                then {{ days_between('first_open.due_date', 'running.month_end') }}
            else 0
        end as settled_dpd,
        case
            when named_scopes.scope_key is not null then coalesce(named_states.overdue_cents, 0)
            when first_open.due_date < running.month_end
                then running.past_due_to_date - greatest(running.pool_to_date, first_open.due_before_cents)
            else 0
        end as overdue_cents,
        case
            when named_scopes.scope_key is not null then coalesce(named_states.open_cents, 0)
            when first_open.due_date is not null
                then running.issued_to_date - greatest(running.pool_to_date, first_open.due_before_cents)
            else 0
        end as open_issued_cents,
        case
            when first_open.due_date is null then null
            when first_open.due_through_cents > first_open.due_before_cents
                then first_open.principal_before_cents + cast(round(
                    (first_open.principal_through_cents - first_open.principal_before_cents)
                    * least(greatest(first_open.paid_cents - first_open.due_before_cents, 0), first_open.due_through_cents - first_open.due_before_cents)
                    / cast(first_open.due_through_cents - first_open.due_before_cents as double precision)
                ) as bigint)
            else first_open.principal_before_cents
        end as principal_repaid_cents,
        first_open.due_date is null as is_all_settled
    from running
    inner join bounds on running.scope_key = bounds.scope_key
    left join named_scopes on running.scope_key = named_scopes.scope_key
    left join first_open
        on
            running.scope_key = first_open.scope_key
            and running.month_end = first_open.month_end
            and first_open.is_due = 0
    left join named_states
        on
            running.scope_key = named_states.scope_key
            and running.month_end = named_states.month_end
    left join reported
        on
            running.scope_key = reported.scope_key
            and running.month_end = reported.month_end
    where running.in_grid = 1
),

-- A loan ends with the month in which its whole schedule is settled for good.
lives as (
    select
        *,
        max(case when not (may_be_repaid and is_all_settled) then month_end end) over (partition by scope_key)
            as last_owing_on,
        min(month_end) over (partition by scope_key) as first_month_end
    from states
),

measured as (
    select
        lives.scope_key,
        lives.month_end,
        lives.basis,
        {{ month_index('lives.month_end') }} - lives.opened_index as mob,
        case when lives.has_dues or not lives.is_reported then 'settled' else 'reported' end as method,
        case
            when lives.ended_on <= lives.month_end then
                case
                    when lives.status_at_end = 'written_off' or lives.reported_status = 'written_off' then 'written_off'
                    else 'closed'
                end
            when lives.may_be_repaid and lives.month_end > coalesce(lives.last_owing_on, lives.first_month_end - 1)
                then 'closed'
            when facility_versions.status = 'restructured' or lives.reported_status = 'restructured' then 'restructured'
            else 'active'
        end as status,
        case
            when lives.basis = 'loan' and lives.has_dues
                then greatest(lives.lent_cents - coalesce(lives.principal_repaid_cents, lives.scheduled_cents), 0)
            when last_reported.balance_cents is not null then last_reported.balance_cents
            when lives.basis = 'loan' then greatest(coalesce(lives.lent_cents, 0) - lives.paid_to_date, 0)
            else greatest(lives.open_issued_cents, 0)
        end as balance_cents,
        coalesce(
            lives.reported_limit_cents,
            facility_versions.credit_limit_cents,
            last_reported.credit_limit_cents,
            lives.credit_limit_cents
        ) as credit_limit_cents,
        case when lives.has_dues then lives.due_cents end as due_cents,
        coalesce(lives.reported_paid_cents, lives.paid_cents) as paid_cents,
        case
            when lives.has_dues then lives.overdue_cents
            when coalesce(lives.reported_dpd, 0) = 0 then 0
        end as overdue_cents,
        case when lives.has_dues then lives.settled_dpd else coalesce(lives.reported_dpd, 0) end as dpd,
        lives.reported_dpd,
        case
            when lives.has_dues then {{ months_of_dpd('lives.settled_dpd') }}
            else coalesce(lives.reported_months, {{ months_of_dpd('lives.reported_dpd') }}, 0)
        end as months_past_due,
        lives.reported_status,
        facility_versions.manual_class
    from lives
    left join reported as last_reported
        on
            lives.scope_key = last_reported.scope_key
            and lives.last_reported_on = last_reported.month_end
            and (lives.basis = 'card' or not lives.has_dues)
    left join facility_versions
        on
            lives.scope_key = facility_versions.scope_key
            and lives.month_end >= facility_versions.effective_date
            and lives.month_end < facility_versions.next_effective_date
    where
        (lives.has_dues or lives.is_reported or not lives.has_reports)
        and (
            not lives.may_be_repaid
            or lives.month_end <= coalesce(
                {{ month_end(days_after('lives.last_owing_on', 1)) }},
                lives.first_month_end
            )
        )
),

opened as (
    select
        *,
        lag(balance_cents) over (partition by scope_key order by month_end) as opening_balance_cents
    from measured
),

facility_months as (
    select
        *,
        case
            when months_past_due > 0 then months_past_due
            when reported_status = 'no_use' then -2
            when reported_status = 'paid_in_full' then -1
            when reported_status = 'revolving' then 0
            when balance_cents <= 0 and paid_cents = 0 and coalesce(due_cents, 0) = 0 then -2
            when balance_cents <= 0 then -1
            when basis = 'card' and opening_balance_cents > 0 and paid_cents >= opening_balance_cents then -1
            else 0
        end as repayment_state
    from opened
)
{%- endmacro %}
