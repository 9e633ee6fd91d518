"""The SQL that brings a book's warnings to the close of a day.

Statements in the order they run, with the parameters book, as_of, since, restated, in_force, ran,
runs_to_clear, patience (days by severity, json) and event_at. They read the temporary table
``warning_hit``, ``warning_began`` and ``warning_scope`` and work the state out in ``warning_next``.
"""

from __future__ import annotations

from creditops.warnings.compiler import severity_rank
from creditops.warnings.rule import KEPT_DAYS

NO_HITS = """
create temporary table warning_hit (
    customer_id text, facility_id text, rule_id text, rule_version int, severity text, evidence jsonb,
    text_zh text, text_en text, recommended_response text, quiet_days int, began_on date
) on commit drop
"""

_CREATE_NEXT = """
create temporary table warning_next (like actions.early_warnings) on commit drop
"""

NO_SCOPE = """
create temporary table warning_scope (
    customer_id text primary key, in_scope boolean not null, in_default boolean not null
) on commit drop
"""
"""Whom rules speak about, and who of them has a default; who is not listed is in scope and has none."""

_COLUMNS = (
    "warning_id, book, customer_id, facility_id, rule_id, rule_version, severity, raised_on, last_seen_on,"
    " status, evidence, text_zh, text_en, recommended_response, runs_off, closed_on, closed_by, escalated_on,"
    " first_seen_on, after_default"
)

# A day that was restated passes its restated state on to later restated days only.
_OPENING = """
    select * from actions.warning_states as state
    where book = %(book)s and as_of_date = %(since)s
        and restated = (%(restated)s and exists (
            select 1 from actions.warning_runs as run
            where run.book = %(book)s and run.as_of_date = %(since)s and run.restated
        ))
        and (closed_on is null or closed_on > %(as_of)s::date - {kept})
"""

_CARRY = """
with opening as ({opening}),
seen as (
    select opening.*,
        hit.rule_id is not null as is_on,
        opening.rule_id = any(%(in_force)s) as in_force,
        opening.rule_id = any(%(ran)s) as has_run,
        coalesce(scope.in_scope, true) as in_scope,
        coalesce(scope.in_default, false) as in_default,
        hit.facility_id as hit_facility_id, hit.rule_version as hit_rule_version,
        hit.severity as hit_severity, hit.evidence as hit_evidence, hit.text_zh as hit_text_zh,
        hit.text_en as hit_text_en, hit.recommended_response as hit_response
    from opening
    left join warning_hit as hit
        on opening.closed_on is null
        and hit.customer_id = opening.customer_id and hit.rule_id = opening.rule_id
    left join warning_scope as scope on scope.customer_id = opening.customer_id
),
stepped as (
    select seen.*,
        case
            when is_on or closed_on is not null then 0
            when has_run then runs_off + 1
            else runs_off
        end as off_now,
        case when is_on and {hit_rank} > {rank} then hit_severity else severity end as severity_now
    from seen
),
ended as (
    select stepped.*,
        closed_on is null and not is_on and not in_force as expires,
        closed_on is null and not is_on and in_force
        and (off_now >= %(runs_to_clear)s or not in_scope) as clears
    from stepped
)
insert into warning_next ({columns})
select
    warning_id, book, customer_id,
    case when is_on then hit_facility_id else facility_id end,
    rule_id,
    case when is_on then hit_rule_version else rule_version end,
    severity_now,
    raised_on,
    case when is_on then %(as_of)s::date else last_seen_on end,
    case when expires then 'expired' when clears then 'resolved' else status end,
    case when is_on then hit_evidence else evidence end,
    case when is_on then hit_text_zh else text_zh end,
    case when is_on then hit_text_en else text_en end,
    case when is_on then hit_response else recommended_response end,
    off_now,
    case when expires or clears then %(as_of)s::date else closed_on end,
    case when expires or clears then 'system' else closed_by end,
    case
        when escalated_on is null and status = 'raised' and not expires and not clears
            and %(as_of)s::date - first_seen_on >= (%(patience)s::jsonb ->> severity_now)::int
        then %(as_of)s::date else escalated_on
    end,
    first_seen_on,
    case when closed_on is null then in_default else after_default end
from ended
"""

_RAISE = """
insert into warning_next ({columns})
select
    'w' || left(encode(sha256(convert_to(
        concat_ws('|', %(book)s, hit.rule_id, hit.customer_id, %(as_of)s::date), 'UTF8')), 'hex'), 20),
    %(book)s, hit.customer_id, hit.facility_id, hit.rule_id, hit.rule_version, hit.severity,
    coalesce(began.began_on, %(as_of)s::date), %(as_of)s::date, 'raised', hit.evidence, hit.text_zh,
    hit.text_en, hit.recommended_response, 0, null, null, null, %(as_of)s::date,
    coalesce(scope.in_default, false)
from warning_hit as hit
left join warning_began as began on began.customer_id = hit.customer_id and began.rule_id = hit.rule_id
left join warning_scope as scope on scope.customer_id = hit.customer_id
where not exists (
    select 1 from warning_next as known
    where known.customer_id = hit.customer_id and known.rule_id = hit.rule_id
        and (
            known.closed_on is null
            or (
                known.closed_by <> 'system'
                and known.closed_on + hit.quiet_days > %(as_of)s::date
                and {known_rank} >= {raised_rank}
            )
        )
)
"""

_APPLY_ACTS = """
update warning_next as next
set
    status = act.status,
    closed_on = case when act.status in ('resolved', 'false_alarm') then %(as_of)s::date end,
    closed_by = case when act.status in ('resolved', 'false_alarm') then act.actor end
from (
    select distinct on (warning_id) warning_id, status, actor
    from actions.warning_events
    where book = %(book)s and as_of_date = %(as_of)s and actor <> 'system'
    order by warning_id, event_no desc
) as act
where act.warning_id = next.warning_id and next.closed_on is null
"""

_ANALYZE = "analyze warning_next"

_INSERT_EVENTS = """
insert into actions.warning_events
    (book, warning_id, event_at, event, actor, reason, as_of_date, severity, status)
select %(book)s, step.warning_id,
    %(event_at)s::timestamptz + interval '1 microsecond' * coalesce(written.events, 0),
    step.event, 'system', step.reason, %(as_of)s::date, step.severity, step.status
from step
left join (
    select warning_id, count(*) as events
    from actions.warning_events
    where book = %(book)s and as_of_date = %(as_of)s and actor = 'system'
    group by warning_id
) as written on written.warning_id = step.warning_id
order by step.warning_id
"""

_EVENTS = """
with step as (
    select next.warning_id, next.severity, next.status, happened.event, happened.reason
    from warning_next as next
    left join actions.early_warnings as stored on stored.warning_id = next.warning_id
    left join warning_scope as scope on scope.customer_id = next.customer_id
    cross join lateral (values
        ('raised', 'condition of rule ' || next.rule_id || ' version ' || next.rule_version || ' holds',
            stored.warning_id is null),
        ('reopened', 'the day''s data were corrected',
            stored.closed_on is not null and next.closed_on is null),
        ('severity_raised', stored.severity || ' to ' || next.severity, {next_rank} > {stored_rank}),
        ('severity_corrected',
            stored.severity || ' to ' || next.severity || ': the day''s data were corrected',
            {next_rank} < {stored_rank}),
        ('escalated', 'nobody acknowledged it in ' || (%(as_of)s::date - next.first_seen_on) || ' days',
            next.escalated_on is not null and stored.warning_id is not null and stored.escalated_on is null),
        ('cleared',
            case when coalesce(scope.in_scope, true)
                then 'condition off in ' || next.runs_off || ' consecutive runs'
                else 'the customer owes nothing and may not draw' end,
            stored.closed_on is null and next.closed_by = 'system' and next.status = 'resolved'),
        ('expired', 'rule no longer in force',
            stored.closed_on is null and next.closed_by = 'system' and next.status = 'expired')
    ) as happened (event, reason, is_so)
    where happened.is_so
)
{insert}
"""

# Raised by an earlier run of the same day, and not found again after its data were corrected.
_GONE = """
    stored.book = %(book)s and stored.first_seen_on = %(as_of)s and stored.status <> 'expired'
    and not exists (select 1 from warning_next as next where next.warning_id = stored.warning_id)
"""

_WITHDRAWN_EVENTS = """
with step as (
    select stored.warning_id, 'withdrawn' as event, 'the day''s data were corrected' as reason,
        stored.severity, 'expired' as status
    from actions.early_warnings as stored where {gone}
)
{insert}
"""

_WITHDRAW = """
update actions.early_warnings as stored
set status = 'expired', closed_on = %(as_of)s, closed_by = 'system' where {gone}
"""

# What closes goes first: a customer and rule may have one open warning only.
_UPDATE = """
update actions.early_warnings as stored
set ({changing}) = row({next_changing})
from warning_next as next
where next.warning_id = stored.warning_id and (next.closed_on is not null) = {closes}
    and (stored.*) is distinct from (next.*)
"""

_INSERT = """
insert into actions.early_warnings ({columns})
select {columns} from warning_next as next
where not exists (select 1 from actions.early_warnings as stored where stored.warning_id = next.warning_id)
"""

_FORGET_SNAPSHOT = """
delete from actions.warning_states
where book = %(book)s and as_of_date = %(as_of)s and restated = %(restated)s
"""

_SNAPSHOT = """
insert into actions.warning_states (as_of_date, restated, {columns})
select %(as_of)s::date, %(restated)s, {columns} from warning_next
"""

_NAMES = [name.strip() for name in _COLUMNS.split(",")]
_CHANGING = [name for name in _NAMES if name != "warning_id"]
_PARTS = {
    "columns": _COLUMNS,
    "changing": ", ".join(_CHANGING),
    "next_changing": ", ".join(f"next.{name}" for name in _CHANGING),
    "opening": _OPENING.format(kept=KEPT_DAYS),
    "gone": _GONE,
    "insert": _INSERT_EVENTS,
    "rank": severity_rank("severity"),
    "hit_rank": severity_rank("hit_severity"),
    "raised_rank": severity_rank("hit.severity"),
    "known_rank": severity_rank("known.severity"),
    "next_rank": severity_rank("next.severity"),
    "stored_rank": severity_rank("stored.severity"),
}

WORK_OUT = tuple(text.format_map(_PARTS) for text in (_CREATE_NEXT, _CARRY, _RAISE, _APPLY_ACTS, _ANALYZE))
STORE = (
    *(text.format_map(_PARTS) for text in (_EVENTS, _WITHDRAWN_EVENTS, _WITHDRAW)),
    *(_UPDATE.format_map({**_PARTS, "closes": closes}) for closes in ("true", "false")),
    _INSERT.format_map(_PARTS),
)
SNAPSHOT = tuple(text.format_map(_PARTS) for text in (_FORGET_SNAPSHOT, _SNAPSHOT))
"""What to run in which case: always; unless the day is restated; always."""
