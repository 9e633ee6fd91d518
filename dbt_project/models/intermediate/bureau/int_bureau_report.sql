with reports as (
    select * from {{ ref('stg_bureau_reports') }}
),

tradelines as (
    select * from {{ ref('stg_bureau_tradelines') }}
),

inquiries as (
    select * from {{ ref('stg_bureau_inquiries') }}
),

public_records as (
    select * from {{ ref('stg_bureau_public_records') }}
),

-- A report changes when it, or a row in it, is learnt anew.
changes as (
    select report_id, known_from from reports
    union
    select report_id, known_from from tradelines
    union
    select report_id, known_from from inquiries
    union
    select report_id, known_from from public_records
),

states as (
    select
        reports.report_id,
        reports.customer_id,
        reports.bureau,
        reports.pulled_on,
        reports.hit,
        reports.bureau_score,
        changes.known_from,
        lead(changes.known_from) over (partition by reports.report_id order by changes.known_from) as known_until
    from changes
    inner join reports
        on
            changes.report_id = reports.report_id
            and changes.known_from >= reports.known_from
            and (reports.known_until is null or changes.known_from < reports.known_until)
),

lines as (
    select
        states.report_id,
        states.known_from,
        states.pulled_on,
        tradelines.guarantee,
        tradelines.kind in ({{ secured_kinds() }}) as is_secured,
        tradelines.opened_on,
        tradelines.limit_amount,
        tradelines.balance,
        tradelines.overdue_amount,
        tradelines.closed_on is null or tradelines.closed_on > states.pulled_on as is_open,
        {{ bureau_status('tradelines.status_now') }} < 8
        or coalesce(
            tradelines.closed_on > {{ same_day_before('states.pulled_on', var('written_off_tradeline_max_age_months')) }},
            length(tradelines.history) - length(ltrim(tradelines.history, 'W'))
            < {{ var('written_off_tradeline_max_age_months') }}
        ) as is_debt,
        {{ bureau_status('tradelines.status_now') }} as state_now,
        greatest(
            {{ worst_in_history('substr(tradelines.history, 1, 3)') }},
            {{ bureau_status('tradelines.status_now') }}
        ) as worst_3m,
        greatest(
            {{ worst_in_history('substr(tradelines.history, 1, 12)') }},
            {{ bureau_status('tradelines.status_now') }}
        ) as worst_12m,
        greatest(
            {{ worst_in_history('tradelines.history') }},
            {{ bureau_status('tradelines.status_now') }},
            {{ bureau_status('tradelines.worst_status_24m') }}
        ) as worst_24m,
        tradelines.history
    from states
    inner join tradelines
        on
            states.report_id = tradelines.report_id
            and states.known_from >= tradelines.known_from
            and (tradelines.known_until is null or states.known_from < tradelines.known_until)
),

-- Credit of the customer's own; what it guarantees for others is counted apart.
credit as (
    select
        report_id,
        known_from,
        count(case when is_open and not guarantee then 1 end) as active_tradelines,
        sum(case when is_open and not guarantee then balance end) as bureau_exposure,
        sum(case when is_open and not guarantee and is_secured then balance end) as secured_exposure,
        sum(case when is_open and not guarantee and limit_amount > 0 then balance end) as limited_balance,
        sum(case when is_open and not guarantee and limit_amount > 0 then limit_amount end) as limit_amount,
        max(case when not guarantee then worst_3m end) as bureau_worst_3m,
        max(case when not guarantee then worst_12m end) as bureau_worst_12m,
        max(case when not guarantee then worst_24m end) as bureau_worst_24m,
        sum(case when not guarantee then overdue_amount end) as overdue_elsewhere,
        sum(case when not guarantee and is_debt then {{ debt_of_line() }} end) as debt,
        sum(case when not guarantee and is_debt and state_now >= 4 then {{ debt_of_line() }} end) as debt_past_90,
        min(case when not guarantee then opened_on end) as oldest_opened_on,
        count(case when not guarantee and opened_on > {{ same_day_before('pulled_on', 6) }} then 1 end) as new_accounts_6m,
        count(case when guarantee and is_open then 1 end) as guarantees,
        sum(case when guarantee and is_open then balance end) as guaranteed_amount
    from lines
    group by report_id, known_from
),

-- How many months ago the worst state of the 24 months was last seen.
worst_months as (
    select
        lines.report_id,
        lines.known_from,
        min(
            case
                when lines.state_now = credit.bureau_worst_24m then 0
                else nullif(
                    position({{ history_character('credit.bureau_worst_24m') }} in lines.history), 0
                ) - 1
            end
        ) as months_since_worst
    from lines
    inner join credit
        on
            lines.report_id = credit.report_id
            and lines.known_from = credit.known_from
    where
        not lines.guarantee
        and credit.bureau_worst_24m > 0
    group by lines.report_id, lines.known_from
),

asked as (
    select
        states.report_id,
        states.known_from{% for reason, prefix in inquiry_reasons().items() %}{% for months in [1, 3, 6, 12] %},
        count(
            case
                when
                    inquiries.reason = '{{ reason }}'
                    and inquiries.inquired_on > {{ same_day_before('states.pulled_on', months) }}
                    then 1
            end
        ) as {{ prefix }}inquiries_{{ months }}m{% endfor %}{% endfor %}

    from states
    inner join inquiries
        on
            states.report_id = inquiries.report_id
            and states.known_from >= inquiries.known_from
            and (inquiries.known_until is null or states.known_from < inquiries.known_until)
            and states.pulled_on >= inquiries.inquired_on
    group by states.report_id, states.known_from
),

records as (
    select
        states.report_id,
        states.known_from,
        count(*) as public_records,
        count(case when public_records.kind = 'enforcement' then 1 end) as enforcement_records,
        count(case when public_records.kind = 'tax' then 1 end) as tax_records,
        max(public_records.recorded_on) as last_recorded_on
    from states
    inner join public_records
        on
            states.report_id = public_records.report_id
            and states.known_from >= public_records.known_from
            and (public_records.known_until is null or states.known_from < public_records.known_until)
    group by states.report_id, states.known_from
)

select
    {{ book() }} as book,
    states.report_id,
    states.customer_id,
    states.bureau,
    states.pulled_on,
    states.hit,
    states.known_from,
    states.known_until,
    states.bureau_score,
    cast(coalesce(credit.active_tradelines, 0) as integer) as active_tradelines,
    cast(coalesce(credit.bureau_exposure, 0) as numeric(18, 2)) as bureau_exposure,
    cast(coalesce(credit.secured_exposure, 0) as numeric(18, 2)) as secured_exposure,
    cast(credit.limited_balance / nullif(credit.limit_amount, 0) as double precision) as bureau_utilisation,
    credit.bureau_worst_3m,
    credit.bureau_worst_12m,
    credit.bureau_worst_24m,
    worst_months.months_since_worst,
    {% for prefix in inquiry_reasons().values() %}
    {% for months in [1, 3, 6, 12] %}
    cast(coalesce(asked.{{ prefix }}inquiries_{{ months }}m, 0) as integer) as {{ prefix }}inquiries_{{ months }}m,
    {% endfor %}
    {% endfor %}
    {{ month_index('states.pulled_on') }} - {{ month_index('credit.oldest_opened_on') }} as oldest_tradeline_months,
    cast(coalesce(credit.new_accounts_6m, 0) as integer) as new_accounts_6m,
    cast(coalesce(credit.guarantees, 0) as integer) as guarantees,
    cast(coalesce(credit.guaranteed_amount, 0) as numeric(18, 2)) as guaranteed_amount,
    cast(coalesce(records.public_records, 0) as integer) as public_records,
    cast(coalesce(records.enforcement_records, 0) as integer) as enforcement_records,
    cast(coalesce(records.tax_records, 0) as integer) as tax_records,
    {{ month_index('states.pulled_on') }} - {{ month_index('records.last_recorded_on') }} as months_since_public_record,
    cast(coalesce(credit.overdue_elsewhere, 0) as numeric(18, 2)) as overdue_elsewhere,
    cast(coalesce(credit.debt, 0) as numeric(18, 2)) as debt,
    cast(coalesce(credit.debt_past_90, 0) as numeric(18, 2)) as debt_past_90
from states
left join credit
    on
        states.report_id = credit.report_id
        and states.known_from = credit.known_from
left join worst_months
    on
        states.report_id = worst_months.report_id
        and states.known_from = worst_months.known_from
left join asked
    on
        states.report_id = asked.report_id
        and states.known_from = asked.known_from
left join records
    on
        states.report_id = records.report_id
        and states.known_from = records.known_from
