{#
What a facility is on the last day of its scope, from its effective-dated rows (domain.md#facility-state).

Reads CTE `scoped_facilities`: scope_key, last_day and the columns of stg_facilities, one row per
effective date on or before last_day. Ends with `facility_states` (one row a scope) and
`facility_versions` (one row per scope and effective date; the first one also holds before its date).
A facility ends on its closing day, or, without one, when it is first said to be closed or written off. What was written
off stays with the one who held it then, whoever is named later: it has ended (domain.md#holder).
#}
{% macro facility_state_ctes() %}
{%- set holder -%}
    case
            when newest_status = 'written_off' and effective_date > written_off_from then written_off_customer_id
            else customer_id
        end
{%- endset -%}
facility_history as (
    select
        *,
        row_number() over (partition by scope_key order by effective_date desc) as newest,
        row_number() over (partition by scope_key order by effective_date) as oldest,
        lead(effective_date) over (partition by scope_key order by effective_date) as next_effective_date,
        min(case when status = 'restructured' then effective_date end) over (partition by scope_key)
            as restructured_on,
        min(case when status in ('closed', 'written_off') then effective_date end) over (partition by scope_key)
            as ended_from,
        min(case when status = 'written_off' then effective_date end) over (partition by scope_key) as written_off_from,
        first_value(status) over (partition by scope_key order by effective_date desc) as newest_status,
        first_value(customer_id) over (
            partition by scope_key
            order by case when status = 'written_off' then 0 else 1 end, effective_date
        ) as written_off_customer_id
    from scoped_facilities
),

facility_ends as (
    select
        *,
        coalesce(closed_on, case when status in ('closed', 'written_off') then ended_from end) as planned_end_on
    from facility_history
    where
        newest <= 1
        and opened_on <= last_day
),

facility_states as (
    select
        scope_key,
        last_day,
        facility_id,
        facility_key,
        {{ holder }} as customer_id,
        product_id,
        partner_id,
        application_id,
        opened_on,
        case when planned_end_on <= last_day then planned_end_on end as ended_on,
        case
            when planned_end_on <= last_day and status = 'written_off' then 'written_off'
            when planned_end_on <= last_day then 'closed'
            when restructured_on is not null then 'restructured'
            else 'active'
        end as status,
        manual_class,
        restructured_on,
        currency,
        principal_cents,
        credit_limit_cents,
        secured
    from facility_ends
),

facility_versions as (
    select
        scope_key,
        case when oldest = 1 then cast('0001-01-01' as date) else effective_date end as effective_date,
        coalesce(next_effective_date, cast('9999-12-31' as date)) as next_effective_date,
        {{ holder }} as customer_id,
        status,
        manual_class,
        credit_limit_cents
    from facility_history
)
{%- endmacro %}

{# How a facility's balance is found, by its product. #}
{% macro basis_of(product_type) -%}
    case {{ product_type }}
        when 'trade_credit' then 'trade'
        when 'revolving_card' then 'card'
        else 'loan'
    end
{%- endmacro %}
