{#
The month-end panel of each scope (domain.md#days-past-due). A scope is a facility as known at one time; the state at
a month end uses what is effective on or before it, of all the scope's rows.

Reads the CTEs
    scopes: scope_key, basis, customer_type, product_id, opened_on, ended_on, last_day, status, principal_cents,
        credit_limit_cents
    due_ladder: scope_key, due_item_id, sequence_no, issued_on, due_date, amount_cents,
        principal_cents, due_through_cents, principal_through_cents
    credit_entries: scope_key, due_item_id, value_date, cash_cents, applied_cents, pool_cents
    arrears_spells: scope_key, from_on, until_on, late_since, late_since_undisputed
    snapshots: scope_key, month_end, balance_cents, credit_limit_cents, paid_cents, dpd,
        months_past_due, status
    facility_versions: scope_key, effective_date, next_effective_date, customer_id, status, manual_class,
        credit_limit_cents
and ends with `facility_months`, grain (scope_key, month_end).
#}
{% macro facility_month_ctes() %}
{%- set is_lost = "(coalesce(snapshot_ends.is_written_off, 0) = 1 or scopes.status = 'written_off')" -%}
{%- set last_change = 'receipts.last_value_on, case when scopes.scope_key in (select named_scopes.scope_key from'
    ~ ' named_scopes) then ' ~ days_after('schedules.last_due_on', 1) ~ ' end' -%}
{%- set tolerance_here = settlement_tolerance('scopes.scope_key', 'scopes', 'scope_key') -%}
{%- set tolerance = settlement_tolerance('scope_key', 'scopes', 'scope_key') -%}
months as (
    select *
    from {{ month_ends('(select min(scopes.opened_on) from scopes)') }} as calendar
),

-- The spell of arrears that each month end lies in.
late_months as (
    select
        arrears_spells.scope_key,
        calendar.month_end,
        arrears_spells.late_since,
        arrears_spells.late_since_undisputed
    from arrears_spells
    cross join lateral {{ month_ends(
        late_from('arrears_spells'), 'least(' ~ days_after('arrears_spells.until_on', -1) ~ ', ' ~ as_of() ~ ')'
    ) }} as calendar
),

schedules as (
    select
        scope_key,
        {{ sum_cents('case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end') }} as principal_cents,
        {{ sum_cents('greatest(amount_cents, 0)') }} as amount_cents,
        count(principal_cents) as items_with_principal,
        max(due_date) as last_due_on,
        max(coalesce(issued_on, due_date)) as last_issued_on
    from due_ladder
    group by scope_key
),

receipts as (
    select
        scope_key,
        {{ sum_cents('applied_cents + pool_cents') }} as credit_cents,
        max(value_date) as last_value_on
    from credit_entries
    group by scope_key
),

snapshot_ends as (
    select
        scope_key,
        min(case when status in ('closed', 'written_off') then month_end end) as ended_on,
        max(case when status = 'written_off' then 1 else 0 end) as is_written_off
    from snapshots
    group by scope_key
),

named_scopes as (
    select distinct scope_key
    from credit_entries
    where due_item_id is not null
),

bounds as (
    select
        scopes.scope_key,
        scopes.basis,
        scopes.opened_on,
        least(scopes.ended_on, snapshot_ends.ended_on) as ended_on,
        least(
            case
                when least(scopes.ended_on, snapshot_ends.ended_on) is null then scopes.last_day
                when schedules.scope_key is null or {{ is_lost }}
                    then {{ month_end('least(scopes.ended_on, snapshot_ends.ended_on)') }}
                when coalesce(receipts.credit_cents, 0) >= schedules.amount_cents - {{ tolerance_here }}
                    then {{ month_end('greatest(least(scopes.ended_on, snapshot_ends.ended_on), ' ~ last_change ~ ')') }}
            end,
            scopes.last_day
        ) as last_month_end,
        least(scopes.ended_on, snapshot_ends.ended_on) is not null
        and schedules.scope_key is not null
        and not {{ is_lost }} as must_settle,
        {{ month_index('scopes.opened_on') }} as opened_index,
        scopes.status,
        scopes.principal_cents,
        scopes.credit_limit_cents,
        schedules.scope_key is not null as has_dues,
        schedules.last_issued_on,
        schedules.principal_cents as schedule_principal_cents,
        schedules.amount_cents as schedule_cents,
        snapshot_ends.scope_key is not null as has_reports,
        scopes.scope_key in (select named_scopes.scope_key from named_scopes) as is_named,
        scopes.basis = 'loan'
        and coalesce({{ is_schedule_complete('schedules', 'scopes.principal_cents') }}, false) as may_be_repaid
    from scopes
    left join schedules on scopes.scope_key = schedules.scope_key
    left join snapshot_ends on scopes.scope_key = snapshot_ends.scope_key
    left join receipts on scopes.scope_key = receipts.scope_key
),

grid as (
    select
        bounds.scope_key,
        bounds.is_named,
        months.month_end
    from bounds
    inner join months
        on
            months.month_end >= bounds.opened_on
            and months.month_end <= bounds.last_month_end
),

-- Flows of a month: what falls due in it, what is issued in it, what is paid in it, and the grid itself.
flows as (
    select
        scope_key,
        {{ month_end('due_date') }} as month_end,
        amount_cents as due_cents,
        greatest(amount_cents, 0) as billed_cents,
        case when due_date = {{ month_end('due_date') }} then greatest(amount_cents, 0) else 0 end as due_today_cents,
        amount_cents - principal_cents as interest_due_cents,
        cast(0 as bigint) as issued_cents,
        cast(0 as bigint) as issued_billed_cents,
        cast(0 as bigint) as issued_principal_cents,
        0 as issued_with_principal,
        cast(0 as bigint) as paid_cents,
        cast(0 as bigint) as pool_cents,
        cast(0 as bigint) as credit_cents,
        0 as in_grid
    from due_ladder
    union all
    select
        scope_key,
        {{ month_end(owed_from('issued_on', 'due_date', 'amount_cents')) }},
        0,
        0,
        0,
        null,
        amount_cents,
        greatest(amount_cents, 0),
        case when amount_cents > 0 then coalesce(principal_cents, 0) else 0 end,
        case when principal_cents is not null then 1 else 0 end,
        0,
        0,
        0,
        0
    from due_ladder
    union all
    select
        scope_key,
        {{ month_end('value_date') }},
        0,
        0,
        0,
        null,
        0,
        0,
        0,
        0,
        cash_cents,
        pool_cents,
        applied_cents + pool_cents,
        0
    from credit_entries
    union all
    select
        scope_key,
        month_end,
        0,
        0,
        0,
        null,
        0,
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
        {{ sum_cents('due_cents') }} as due_cents,
        {{ sum_cents('billed_cents') }} as billed_cents,
        {{ sum_cents('due_today_cents') }} as due_today_cents,
        {{ sum_cents('interest_due_cents') }} as interest_due_cents,
        {{ sum_cents('issued_cents') }} as issued_cents,
        {{ sum_cents('issued_billed_cents') }} as issued_billed_cents,
        {{ sum_cents('issued_principal_cents') }} as issued_principal_cents,
        sum(issued_with_principal) as issued_with_principal,
        {{ sum_cents('paid_cents') }} as paid_cents,
        {{ sum_cents('pool_cents') }} as pool_cents,
        {{ sum_cents('credit_cents') }} as credit_cents,
        max(in_grid) as in_grid
    from flows
    group by scope_key, month_end
),

running as (
    select
        scope_key,
        month_end,
        in_grid,
        due_cents as due_in_month,
        interest_due_cents as interest_due_in_month,
        paid_cents as paid_in_month,
        {% for flow in ['billed', 'issued', 'issued_billed', 'issued_principal', 'paid', 'pool', 'credit'] %}
        {{ sum_cents(flow ~ '_cents', 'partition by scope_key order by month_end rows unbounded preceding') }}
            as {{ flow }}_to_date,
        {% endfor %}
        sum(issued_with_principal) over (partition by scope_key order by month_end rows unbounded preceding)
            as issued_with_principal,
        due_today_cents
    from monthly_flows
),

-- What is owed at each month end, and what of it was due before that day.
positions as (
    select
        running.scope_key,
        running.month_end,
        running.due_in_month as due_cents,
        running.interest_due_in_month as interest_due_cents,
        running.paid_in_month as paid_cents,
        running.pool_to_date,
        running.billed_to_date - running.due_today_cents as billed_before_cents,
        lag(running.month_end) over by_month as month_end_before,
        lag(running.billed_to_date - running.due_today_cents) over by_month as billed_before_then_cents,
        case
            when bounds.basis = 'loan' then {{ disbursed_on_loan('running', 'bounds.principal_cents') }}
            else running.issued_to_date - running.paid_to_date
        end as claim_cents,
        running.issued_with_principal,
        running.credit_to_date
    from running
    inner join bounds on running.scope_key = bounds.scope_key
    where running.in_grid > 0
    window by_month as (partition by running.scope_key order by running.month_end)
),

-- Oldest first: at each month end, the lowest item whose level the payments to date do not reach. The month
-- ends stand among the items by what was paid; those of scopes with payments that name items see none.
levels as (
    select
        scope_key,
        1 as is_due,
        due_through_cents - {{ tolerance }} as level_cents,
        due_date as item_due_date,
        due_through_cents - amount_cents as item_due_before_cents,
        principal_through_cents - coalesce(principal_cents, 0) as item_principal_before_cents,
        due_through_cents - principal_through_cents as item_interest_through_cents,
        cast(null as date) as month_end,
        cast(null as bigint) as due_cents,
        cast(null as bigint) as interest_due_cents,
        cast(null as bigint) as paid_cents,
        cast(null as bigint) as billed_before_cents,
        cast(null as date) as month_end_before,
        cast(null as bigint) as billed_before_then_cents,
        cast(null as bigint) as claim_cents,
        cast(null as bigint) as issued_with_principal,
        cast(null as bigint) as credit_to_date
    from due_ladder
    where
        amount_cents > 0
        and scope_key not in (select named_scopes.scope_key from named_scopes)
    union all
    select
        scope_key,
        0,
        pool_to_date,
        cast(null as date),
        cast(null as bigint),
        cast(null as bigint),
        cast(null as bigint),
        month_end,
        due_cents,
        interest_due_cents,
        paid_cents,
        billed_before_cents,
        month_end_before,
        billed_before_then_cents,
        claim_cents,
        issued_with_principal,
        credit_to_date
    from positions
),

first_open as (
    select
        *,
        min(item_due_date) over unreached as due_date,
        min(item_due_before_cents) over unreached as due_before_cents,
        min(item_principal_before_cents) over unreached as principal_before_cents,
        min(item_interest_through_cents) over unreached as interest_through_cents
    from levels
    window
        unreached as (
            partition by scope_key
            order by level_cents desc, is_due
            rows unbounded preceding
        )
),

-- Where payments name items: those issued by each month end, and what of them is past due.

{{ queue_entry_cte('queue_ladder', 'due_ladder') }},

queue_items as (
    select
        queue_ladder.scope_key,
        queue_ladder.due_item_id,
        queue_ladder.sequence_no,
        queue_ladder.issued_on,
        queue_ladder.due_date,
        queue_ladder.enters_on,
        queue_ladder.amount_cents,
        {{ settlement_tolerance('queue_ladder.scope_key', 'scopes', 'scope_key') }} as tolerance_cents
    from queue_ladder
    inner join bounds on queue_ladder.scope_key = bounds.scope_key
    where
        bounds.is_named
        and queue_ladder.amount_cents > 0
),

queue_looks as (
    select
        scope_key,
        month_end as look_on,
        month_end as last_day
    from grid
    where is_named
),

{{ open_item_ctes() }},

open_states as (
    select
        open_items.scope_key,
        open_items.look_on as month_end,
        {{ sum_cents('case when open_items.due_date < open_items.look_on then open_items.unpaid_cents else 0 end') }}
            as overdue_cents,
        {{ sum_cents(
            'case when open_items.due_date < positions.month_end_before then open_items.unpaid_cents else 0 end'
        ) }} as still_overdue_cents,
        {{ sum_cents(
            'case when coalesce(queue_items.issued_on, open_items.due_date) <= open_items.look_on'
            ' then open_items.unpaid_cents else 0 end'
        ) }} as open_cents
    from open_items
    inner join positions
        on
            open_items.scope_key = positions.scope_key
            and open_items.look_on = positions.month_end
    inner join queue_items
        on
            open_items.scope_key = queue_items.scope_key
            and open_items.due_item_id = queue_items.due_item_id
    group by open_items.scope_key, open_items.look_on
),

-- A snapshot without days or months past due knows nothing of them; what was reported last still holds then.
known_reports as (
    select
        *,
        coalesce(dpd, {{ dpd_of_months('months_past_due') }}) as reported_dpd,
        count(coalesce(dpd, months_past_due)) over (
            partition by scope_key
            order by month_end
            rows unbounded preceding
        ) as report_no
    from snapshots
),

reported as (
    select
        scope_key,
        month_end,
        balance_cents,
        credit_limit_cents,
        paid_cents,
        status,
        reported_dpd,
        max(reported_dpd) over (partition by scope_key, report_no) as dpd,
        max(months_past_due) over (partition by scope_key, report_no) as months_past_due
    from known_reports
),

states as (
    select
        first_open.scope_key,
        first_open.month_end,
        bounds.basis,
        bounds.opened_index,
        bounds.has_dues,
        bounds.has_reports,
        bounds.ended_on,
        bounds.status as status_at_end,
        bounds.credit_limit_cents,
        bounds.may_be_repaid,
        bounds.must_settle,
        first_open.due_cents,
        first_open.interest_due_cents,
        first_open.paid_cents,
        case
            when bounds.is_named then coalesce(open_states.open_cents, 0)
            -- What an item is short by and settled with is not owed.
            when bounds.basis = 'trade'
                then first_open.claim_cents
                    - greatest(
                        coalesce(first_open.due_before_cents, bounds.schedule_cents, 0) - first_open.level_cents, 0
                    )
            when bounds.basis = 'card' then first_open.claim_cents
            when first_open.issued_with_principal = 0 then first_open.claim_cents - first_open.level_cents
            else first_open.claim_cents
                - {{ settled_principal(
                    'first_open.level_cents',
                    'first_open.principal_before_cents',
                    'first_open.interest_through_cents',
                    'bounds.schedule_principal_cents'
                ) }}
        end as owed_cents,
        reported.scope_key is not null as is_reported,
        reported.credit_limit_cents as reported_limit_cents,
        reported.paid_cents as reported_paid_cents,
        reported.reported_dpd,
        reported.dpd as held_dpd,
        reported.months_past_due as reported_months,
        reported.status as reported_status,
        max(case when reported.scope_key is not null then first_open.month_end end) over (
            partition by first_open.scope_key
            order by first_open.month_end
            rows unbounded preceding
        ) as last_reported_on,
        coalesce({{ days_between('late_months.late_since', 'first_open.month_end') }}, 0) as settled_dpd,
        greatest(
            coalesce({{ days_between('late_months.late_since_undisputed', 'first_open.month_end') }}, 0), 0
        ) as settled_dpd_undisputed,
        coalesce(
            case
                when bounds.is_named then open_states.overdue_cents
                when first_open.due_date < first_open.month_end
                    then first_open.billed_before_cents
                        - greatest(first_open.level_cents, first_open.due_before_cents)
            end,
            0
        ) as overdue_cents,
        coalesce(
            case
                when bounds.is_named then open_states.still_overdue_cents
                when first_open.due_date < first_open.month_end_before
                    then first_open.billed_before_then_cents
                        - greatest(first_open.level_cents, first_open.due_before_cents)
            end,
            0
        ) as still_overdue_cents,
        case
            when bounds.is_named
                then first_open.credit_to_date >= bounds.schedule_cents
                - {{ settlement_tolerance('first_open.scope_key', 'scopes', 'scope_key') }}
                or open_states.scope_key is null and bounds.last_issued_on <= first_open.month_end
            else first_open.due_date is null
        end as is_all_settled
    from first_open
    inner join bounds on first_open.scope_key = bounds.scope_key
    left join open_states
        on
            first_open.scope_key = open_states.scope_key
            and first_open.month_end = open_states.month_end
    left join reported
        on
            first_open.scope_key = reported.scope_key
            and first_open.month_end = reported.month_end
    left join late_months
        on
            first_open.scope_key = late_months.scope_key
            and first_open.month_end = late_months.month_end
    where first_open.is_due < 1
),

-- A loan ends with the month in which its whole schedule is settled for good. What was closed is owed on while anything
-- is unsettled, and again when a payment is taken back.
lives as (
    select
        *,
        lag(not is_all_settled, 1, true) over (partition by scope_key order by month_end) as was_owing,
        max(case when not ((may_be_repaid or must_settle) and is_all_settled) then month_end end)
            over (partition by scope_key) as last_owing_on,
        min(month_end) over (partition by scope_key) as first_month_end
    from states
),

dated as (
    select
        lives.*,
        facility_versions.customer_id,
        facility_versions.manual_class,
        facility_versions.credit_limit_cents as version_limit_cents,
        case
            when lives.ended_on <= lives.month_end and 'written_off' in (lives.status_at_end, lives.reported_status)
                then 'written_off'
            -- Closing settles nothing (domain.md#closed-with-arrears).
            when lives.ended_on <= lives.month_end and lives.must_settle and not lives.is_all_settled
                then 'closed_with_arrears'
            when lives.ended_on <= lives.month_end then 'closed'
            when lives.may_be_repaid and lives.month_end > coalesce(lives.last_owing_on, lives.first_month_end - 1)
                then 'closed'
            when 'restructured' in (facility_versions.status, lives.reported_status) then 'restructured'
            else 'active'
        end as status
    from lives
    left join facility_versions
        on
            lives.scope_key = facility_versions.scope_key
            and lives.month_end >= facility_versions.effective_date
            and lives.month_end < facility_versions.next_effective_date
    where
        (lives.has_dues or lives.is_reported or not lives.has_reports)
        and (
            -- A write-off is told at its month end, also of a loan that was settled before.
            lives.ended_on <= lives.month_end and lives.status_at_end = 'written_off'
            or not lives.may_be_repaid and not lives.must_settle
            or not lives.may_be_repaid and lives.month_end <= {{ month_end('lives.ended_on') }}
            or lives.month_end <= coalesce(
                {{ month_end(days_after('lives.last_owing_on', 1)) }},
                lives.first_month_end
            )
        )
        and (
            not lives.must_settle
            or lives.month_end <= {{ month_end('lives.ended_on') }}
            or not lives.is_all_settled
            or lives.was_owing
        )
),

measured as (
    select
        dated.scope_key,
        dated.month_end,
        dated.customer_id,
        dated.basis,
        {{ month_index('dated.month_end') }} - dated.opened_index as mob,
        case when dated.has_dues or not dated.is_reported then 'settled' else 'reported' end as method,
        dated.status,
        dated.manual_class,
        case
            when dated.status = 'closed' then 0
            when last_reported.balance_cents is not null then last_reported.balance_cents
            else greatest(dated.owed_cents, 0)
        end as claim_cents,
        coalesce(
            dated.reported_limit_cents,
            dated.version_limit_cents,
            last_reported.credit_limit_cents,
            dated.credit_limit_cents
        ) as credit_limit_cents,
        case when dated.has_dues then dated.due_cents end as due_cents,
        dated.interest_due_cents,
        coalesce(dated.reported_paid_cents, dated.paid_cents) as paid_cents,
        case
            when dated.status = 'written_off' then 0
            when dated.has_dues then dated.overdue_cents
            when coalesce(dated.held_dpd, 0) = 0 then 0
        end as overdue_cents,
        case
            when dated.has_dues
                then greatest(
                    lag(dated.overdue_cents) over (partition by dated.scope_key order by dated.month_end)
                    - dated.still_overdue_cents,
                    0
                )
        end as recovered_cents,
        case when dated.has_dues then dated.settled_dpd else coalesce(dated.held_dpd, 0) end as dpd,
        case when dated.has_dues then dated.settled_dpd_undisputed else coalesce(dated.held_dpd, 0) end
            as dpd_undisputed,
        dated.reported_dpd,
        case
            when dated.has_dues then {{ months_of_dpd('dated.settled_dpd') }}
            else coalesce(dated.reported_months, {{ months_of_dpd('dated.held_dpd') }}, 0)
        end as months_past_due,
        dated.reported_status
    from dated
    left join reported as last_reported
        on
            dated.scope_key = last_reported.scope_key
            and dated.last_reported_on = last_reported.month_end
            and (dated.basis = 'card' or not dated.has_dues)
),

-- What is written off is owed no more on the books: it is a flow of the month (domain.md#balance).
balances as (
    select
        *,
        case when status = 'written_off' then 0 else claim_cents end as balance_cents,
        case when status = 'written_off' then claim_cents end as written_off_cents
    from measured
),

opened as (
    select
        *,
        lag(balance_cents) over (partition by scope_key order by month_end) as opening_balance_cents
    from balances
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
