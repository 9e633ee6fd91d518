{{ config(follows='facility', daily=true, indexed=['facility_key', 'reviewed_on', 'recounted_on']) }}

with delinquency as (
    select *
    from {{ ref('int_facility_delinquency') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
),

coming_days as (
    select *
    from {{ ref('stg_coming_days') }}
    where {{ in_scope('facility_id', daily=true) }}
),

{% set facilities = '(select * from ' ~ ref('int_facility') ~ ' where book = ' ~ book() ~ ')' %}
-- An item settles by the calendar alone where credit waits for its day: a red-letter item or one paid ahead.
item_days as (
    select
        facility_key,
        min(
            case
                when
                    due_date > {{ as_of() }}
                    and (
                        settled_on is null and paid_amount = amount_due
                        or amount_cents <= {{ settlement_tolerance('facility_key', facilities) }}
                    )
                    then due_date
            end
        ) as settles_on,
        min(case when settled_on is null and due_date >= {{ as_of() }} then {{ days_after('due_date', 1) }} end) as past_due_on,
        min(case when due_date > {{ as_of() }} then due_date end) as due_on,
        min(case when issued_on > {{ as_of() }} then issued_on end) as issued_on
    from {{ ref('int_due_item_settlement') }}
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
        and (settled_on is null or due_date > {{ as_of() }} or issued_on > {{ as_of() }})
    group by facility_key
),

arrivals as (
    select
        facility_key,
        min(comes_on) as comes_on
    from coming_days
    group by facility_key
),

-- Of customers that a default event befell, every day past due counts.
watched as (
    select distinct holdings.facility_key
    from {{ ref('int_facility_holding') }} as holdings
    inner join {{ ref('int_struck_customer') }} as struck
        on
            holdings.customer_id = struck.customer_id
            and struck.book = {{ book() }}
    where
        holdings.book = {{ book() }}
        and {{ in_scope('holdings.facility_key', daily=true) }}
),

-- Days to come on which a spell of arrears begins, ends, or is over 90 days long.
arrears_days as (
    select
        facility_key,
        min(
            case when {{ over_90_from('arrears') }} > {{ as_of() }} and {{ over_90_from('arrears') }} < until_on
                then {{ over_90_from('arrears') }} end
        ) as default_on,
        least(
            min(case when {{ late_from('arrears') }} > {{ as_of() }} then {{ late_from('arrears') }} end),
            min(
                case when {{ late_from('arrears', 'late_since_undisputed') }} > {{ as_of() }}
                    then {{ late_from('arrears', 'late_since_undisputed') }} end
            ),
            min(case when until_on < {{ end_of_time() }} then until_on end)
        ) as turns_on
    from {{ ref('int_arrears_spell') }} as arrears
    where
        book = {{ book() }}
        and {{ in_scope('facility_key', daily=true) }}
        and until_on > {{ as_of() }}
    group by facility_key
),

reviewed as (
    select
        delinquency.facility_id,
        delinquency.facility_key,
        delinquency.customer_id,
        delinquency.first_due_date,
        arrears_days.turns_on,
        item_days.past_due_on,
        item_days.due_on,
        item_days.issued_on,
        least(
            item_days.settles_on,
            arrears_days.default_on,
            arrivals.comes_on,
            case when watched.facility_key is not null then arrears_days.turns_on end
        ) as reviewed_on
    from delinquency
    left join item_days on delinquency.facility_key = item_days.facility_key
    left join arrivals on delinquency.facility_key = arrivals.facility_key
    left join watched on delinquency.facility_key = watched.facility_key
    left join arrears_days on delinquency.facility_key = arrears_days.facility_key
),

{% set decided_on = days_after('first_due_date', first_payment_days() | int + 1) %}
recounted as (
    select
        *,
        least(
            reviewed_on,
            turns_on,
            past_due_on,
            due_on,
            issued_on,
            case when {{ decided_on }} > {{ as_of() }} then {{ decided_on }} end
        ) as recounted_on
    from reviewed
)

select
    {{ book() }} as book,
    facility_id,
    facility_key,
    customer_id,
    reviewed_on,
    recounted_on
from recounted
