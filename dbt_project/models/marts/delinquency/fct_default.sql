{{ config(indexed=['facility_id']) }}

with facilities as (
    select *
    from {{ ref('int_facility') }}
    where book = {{ book() }}
),

holdings as (
    select
        holdings.*,
        coalesce(customers.customer_type, 'retail') as customer_type
    from {{ ref('int_facility_holding') }} as holdings
    left join {{ ref('dim_customer') }} as customers
        on
            holdings.customer_id = customers.customer_id
            and customers.book = {{ book() }}
    where holdings.book = {{ book() }}
),

delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where book = {{ book() }}
),

non_performing as (
    select
        facilities.facility_key,
        non_performing.*
    from {{ ref('fct_non_performing') }} as non_performing
    inner join facilities on non_performing.facility_id = facilities.facility_id
    where non_performing.book = {{ book() }}
),

-- A class of substandard or worse is a default event whatever made it so; cure comes no earlier than its upgrade.
own_spells as (
    select
        facility_key,
        reason,
        from_on,
        until_on,
        struck_on,
        'after' as cures
    from {{ ref('int_default_event') }}
    where book = {{ book() }}
    union all
    select
        facility_key,
        reason,
        from_on,
        until_on,
        from_on,
        'after'
    from non_performing
    where is_cause
    union all
    select
        facility_key,
        reason,
        from_on,
        until_on,
        from_on,
        'with'
    from non_performing
),

{{ default_runs_cte('own_runs', 'own_spells') }},

-- What was written off stays in default; what has ended stays with the one who held it then.
held as (
    select
        own_runs.facility_key,
        holdings.customer_id,
        holdings.customer_type,
        greatest(own_runs.default_on, holdings.from_on) as from_on,
        least(own_runs.clean_from, holdings.until_on) as clean_from,
        least(own_runs.cured_on, holdings.until_on) as until_on,
        own_runs.cured_on,
        own_runs.reason,
        delinquency.left_on,
        least(delinquency.left_on, holdings.until_on) as gone_on,
        delinquency.status = 'written_off'
        and coalesce(delinquency.left_on > holdings.from_on and delinquency.left_on <= holdings.until_on, true)
            as is_written_off
    from own_runs
    inner join holdings
        on
            own_runs.facility_key = holdings.facility_key
            and own_runs.default_on < holdings.until_on
            and own_runs.cured_on > holdings.from_on
    inner join delinquency on own_runs.facility_key = delinquency.facility_key
),

own as (
    select *
    from held
    where
        left_on is null
        or is_written_off
        or from_on < left_on
),

-- Firms: one facility in default puts all that the customer owes in default; one that is repaid or goes to another
-- customer, until it would be cured.
firm_claims as (
    select
        customer_id,
        from_on,
        case
            when is_written_off or gone_on = {{ end_of_time() }} then cured_on
            else least(cured_on, greatest(gone_on, {{ days_after('least(clean_from, gone_on)', var('cure_days') - 1) }}))
        end as until_on
    from own
    where
        customer_type = 'corporate'
        and '{{ var("default_level_corporate") }}' = 'obligor'
),

{{ islands_cte('firm_defaults', 'firm_claims', 'customer_id') }},

firm_reasons as (
    select
        firm_defaults.customer_id,
        firm_defaults.from_on,
        own.reason,
        row_number() over (
            partition by firm_defaults.customer_id, firm_defaults.from_on
            order by own.from_on, {{ default_reason_rank('own.reason') }}, own.facility_key
        ) as place
    from firm_defaults
    inner join own
        on
            firm_defaults.customer_id = own.customer_id
            and own.from_on >= firm_defaults.from_on
            and own.from_on < firm_defaults.until_on
),

of_obligors as (
    select
        holdings.facility_key,
        holdings.customer_id,
        greatest(firm_defaults.from_on, holdings.from_on, facilities.opened_on) as from_on,
        least(firm_defaults.until_on, holdings.until_on) as until_on,
        'obligor' as level,
        firm_reasons.reason
    from firm_defaults
    inner join firm_reasons
        on
            firm_defaults.customer_id = firm_reasons.customer_id
            and firm_defaults.from_on = firm_reasons.from_on
            and firm_reasons.place <= 1
    inner join holdings
        on
            firm_defaults.customer_id = holdings.customer_id
            and firm_defaults.from_on < holdings.until_on
            and firm_defaults.until_on > holdings.from_on
    inner join facilities on holdings.facility_key = facilities.facility_key
    inner join delinquency on holdings.facility_key = delinquency.facility_key
    where
        facilities.opened_on < firm_defaults.until_on
        and coalesce(delinquency.left_on, {{ end_of_time() }})
        > greatest(holdings.from_on, case when delinquency.status <> 'written_off' then firm_defaults.from_on end)
),

lasting_spells as (
    select *
    from own_spells
    where cures = 'after'
),

{{ islands_cte('dirty', 'lasting_spells', 'facility_key') }},

-- Persons: facilities in default that hold more than a share of the balance pull the rest; looked at on month ends.
persons as (
    select distinct customer_id
    from own
    where
        customer_type = 'retail'
        and '{{ var("default_level_retail") }}' = 'pulling'
),

person_claims as (
    select
        facilities.facility_key,
        positions.month_end,
        {{ month_end('positions.month_end + 1') }} as next_month_end,
        positions.customer_id,
        positions.balance,
        own.facility_key is not null as is_default,
        dirty.facility_key is not null as is_cause
    from {{ ref('fct_month_end_position') }} as positions
    inner join facilities on positions.facility_id = facilities.facility_id
    left join own
        on
            facilities.facility_key = own.facility_key
            and positions.month_end >= own.from_on
            and positions.month_end < own.until_on
    left join dirty
        on
            own.facility_key = dirty.facility_key
            and positions.month_end >= dirty.from_on
            and positions.month_end < dirty.until_on
    where
        positions.book = {{ book() }}
        and {{ is_open('positions.status') }}
        and positions.customer_id in (select persons.customer_id from persons)
),

person_months as (
    select
        customer_id,
        month_end,
        sum(case when is_default then balance else 0 end)
        > {{ var('default_pulling_share') }} * sum(balance) as pulls,
        sum(case when is_default and is_cause then balance else 0 end)
        > {{ var('default_pulling_share') }} * sum(balance) as has_cause
    from person_claims
    group by customer_id, month_end
),

pulled as (
    select
        person_claims.facility_key,
        person_claims.month_end as from_on,
        person_claims.next_month_end as until_on,
        person_months.has_cause
    from person_claims
    inner join person_months
        on
            person_claims.customer_id = person_months.customer_id
            and person_claims.month_end = person_months.month_end
    where
        not person_claims.is_default
        and (person_months.pulls or person_months.has_cause)
),

pulled_spells as (
    select
        facility_key,
        'pulled' as reason,
        from_on,
        until_on,
        from_on as struck_on,
        case when has_cause then 'after' else 'with' end as cures
    from pulled
    union all
    select
        facility_key,
        reason,
        from_on,
        until_on,
        cast(null as date),
        cures
    from own_spells
    where
        facility_key in (select pulled.facility_key from pulled)
        and cures = 'after'
),

{{ default_runs_cte('pulled_runs', 'pulled_spells') }},

pulled_reasons as (
    select
        pulled_runs.facility_key,
        pulled_runs.default_on,
        least(pulled_runs.cured_on, holdings.until_on) as cured_on,
        holdings.customer_id,
        causes.reason,
        row_number() over (
            partition by pulled_runs.facility_key, pulled_runs.default_on
            order by causes.from_on, {{ default_reason_rank('causes.reason') }}, causes.facility_key
        ) as place
    from pulled_runs
    inner join holdings
        on
            pulled_runs.facility_key = holdings.facility_key
            and pulled_runs.default_on >= holdings.from_on
            and pulled_runs.default_on < holdings.until_on
    inner join own as causes
        on
            holdings.customer_id = causes.customer_id
            and pulled_runs.default_on >= causes.from_on
            and pulled_runs.default_on < causes.until_on
),

of_facilities as (
    select
        facility_key,
        customer_id,
        from_on,
        until_on,
        'facility' as level,
        reason
    from own
    where
        customer_type <> 'corporate'
        or '{{ var("default_level_corporate") }}' <> 'obligor'
    union all
    select
        facility_key,
        customer_id,
        default_on,
        cured_on,
        'customer',
        reason
    from pulled_reasons
    where place <= 1
),

-- What is in default of itself and pulled as well is so once.
{{ islands_cte('facility_defaults', 'of_facilities', 'facility_key, customer_id') }},

of_both as (
    select
        facility_defaults.facility_key,
        facility_defaults.customer_id,
        facility_defaults.from_on,
        facility_defaults.until_on,
        of_facilities.level,
        of_facilities.reason,
        row_number() over (
            partition by facility_defaults.facility_key, facility_defaults.customer_id, facility_defaults.from_on
            order by of_facilities.level desc
        ) as place
    from facility_defaults
    inner join of_facilities
        on
            facility_defaults.facility_key = of_facilities.facility_key
            and facility_defaults.customer_id = of_facilities.customer_id
            and facility_defaults.from_on = of_facilities.from_on
),

levelled as (
    select
        of_obligors.facility_key,
        of_obligors.customer_id,
        of_obligors.from_on,
        of_obligors.until_on,
        case when own.facility_key is null then 'obligor' else 'facility' end as level,
        coalesce(own.reason, of_obligors.reason) as reason
    from of_obligors
    left join own
        on
            of_obligors.facility_key = own.facility_key
            and of_obligors.customer_id = own.customer_id
            and of_obligors.from_on = own.from_on
    union all
    select
        facility_key,
        customer_id,
        from_on,
        until_on,
        level,
        reason
    from of_both
    where place <= 1
)

-- Nothing is cured after it was repaid, closed or written off.
select
    {{ book() }} as book,
    facilities.facility_id,
    levelled.customer_id,
    levelled.from_on as default_on,
    case
        when
            levelled.until_on <= {{ as_of() }}
            and levelled.until_on <= coalesce(delinquency.left_on, {{ end_of_time() }})
            and levelled.until_on < holdings.until_on
            then levelled.until_on
    end as cured_on,
    least(levelled.until_on, {{ end_of_time() }}) as until_on,
    levelled.level,
    levelled.reason
from levelled
inner join facilities on levelled.facility_key = facilities.facility_key
inner join delinquency on levelled.facility_key = delinquency.facility_key
inner join holdings
    on
        levelled.facility_key = holdings.facility_key
        and levelled.from_on >= holdings.from_on
        and levelled.from_on < holdings.until_on
where levelled.from_on <= {{ as_of() }}
