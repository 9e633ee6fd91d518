-- Steps of warnings and of responses are never changed.
create or replace trigger warning_events_append_only before update or delete or truncate
on actions.warning_events for each statement execute function ops.refuse_change();
create or replace trigger action_events_append_only before update or delete or truncate
on actions.action_events for each statement execute function ops.refuse_change();

create or replace view actions.warning_snapshot as
select
    state.book,
    state.as_of_date,
    state.warning_id,
    state.customer_id,
    state.facility_id,
    state.rule_id,
    state.rule_version,
    state.severity,
    state.raised_on,
    state.last_seen_on,
    state.status,
    state.evidence,
    state.text_zh,
    state.text_en,
    state.recommended_response,
    state.escalated_on,
    state.first_seen_on,
    state.after_default
from actions.warning_states as state
inner join actions.warning_runs as run
    on
        run.book = state.book
        and run.as_of_date = state.as_of_date
        and run.restated = state.restated
where
    run.restated
    or not exists (
        select 1 from actions.warning_runs as later
        where later.book = run.book and later.as_of_date = run.as_of_date and later.restated
    );
comment on view actions.warning_snapshot is 'The latest evaluation of each day, as published.';

create or replace function actions.action_states(wanted_book text, day date)
returns table (
    action_id text, customer_id text, warning_id text, kind text, amount numeric, status text,
    proposed_on date, changed_on date, decided_by text, decided_at timestamptz, reason text
) language sql stable as $$
    select
        action.action_id, action.customer_id, action.warning_id, action.kind, latest.amount, latest.status,
        latest.proposed_on, latest.changed_on, latest.decided_by, latest.decided_at, latest.reason
    from actions.proposed_actions as action
    inner join (
        select
            step.action_id,
            (array_agg(step.status order by step.event_no desc))[1] as status,
            (array_agg(step.amount order by step.event_no desc) filter (where step.amount is not null))[1]
                as amount,
            max(step.as_of_date) filter (where step.status = 'proposed') as proposed_on,
            max(step.as_of_date) as changed_on,
            (array_agg(step.actor order by step.event_no desc) filter (where step.actor <> 'system'))[1]
                as decided_by,
            (array_agg(step.event_at order by step.event_no desc) filter (where step.actor <> 'system'))[1]
                as decided_at,
            (array_agg(step.reason order by step.event_no desc) filter (where step.actor <> 'system'))[1]
                as reason
        from actions.action_events as step
        where step.book = wanted_book and step.as_of_date <= day
        group by step.action_id
    ) as latest on latest.action_id = action.action_id
$$;
comment on function actions.action_states is 'Responses of a book as they stood at the close of a day.';

create or replace function actions.approved_limit_actions(wanted_book text, day date)
returns table (customer_id text, is_suspended boolean, reduction numeric, action_ids text []) language sql stable as $$
    select
        state.customer_id,
        bool_or(state.kind = 'suspend'),
        coalesce(sum(state.amount) filter (where state.kind = 'reduce_limit'), 0),
        array_agg(state.action_id order by state.action_id)
    from actions.action_states(wanted_book, day) as state
    where state.status = 'approved' and state.kind in ('suspend', 'reduce_limit')
    group by state.customer_id
$$;
comment on function actions.approved_limit_actions is
'What approved suspensions and reductions do to each customer''s limits at the close of a day.';

create or replace function actions.open_warnings(wanted_book text, day date)
returns table (customer_id text, red bigint, orange bigint, yellow bigint) language sql stable as $$
    select
        warning.customer_id,
        count(*) filter (where warning.severity = 'red'),
        count(*) filter (where warning.severity = 'orange'),
        count(*) filter (where warning.severity = 'yellow')
    from actions.warning_snapshot as warning
    where
        warning.book = wanted_book
        and warning.as_of_date = day
        and warning.status in ('raised', 'acknowledged', 'in_response')
    group by warning.customer_id
$$;
comment on function actions.open_warnings is 'Open warnings of each customer at the close of an evaluated day.';
