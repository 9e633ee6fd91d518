-- Early warnings (domain.md#warning-life): rule versions, runs, life cycle, events, the state of every evaluated day.
create table if not exists actions.warning_rules (
    rule_id text not null,
    rule_version int not null,
    definition jsonb not null,
    definition_hash text not null,
    first_used_on date not null,
    primary key (rule_id, rule_version)
);
-- Name, texts and response of the version, which belong to it as much as what decides.
alter table actions.warning_rules add column if not exists said jsonb;
comment on table actions.warning_rules is
'Every rule version that ever evaluated, with what decides it and what it says; a version never changes.';

create table if not exists actions.warning_runs (
    book text not null,
    as_of_date date not null,
    restated boolean not null,
    rules int not null,
    skipped jsonb not null,
    hits bigint not null,
    primary key (book, as_of_date, restated)
);
comment on table actions.warning_runs is
'Evaluated days. restated: a past day evaluated again after later ones, outside the life cycle.';

create table if not exists actions.early_warnings (
    warning_id text primary key,
    book text not null,
    customer_id text not null,
    facility_id text,
    rule_id text not null,
    rule_version int not null,
    severity text not null check (severity in ('red', 'orange', 'yellow')),
    raised_on date not null,
    last_seen_on date not null,
    status text not null
    check (status in ('raised', 'acknowledged', 'in_response', 'resolved', 'false_alarm', 'expired')),
    evidence jsonb not null,
    text_zh text not null,
    text_en text not null,
    recommended_response text not null,
    runs_off int not null default 0,
    closed_on date,
    closed_by text,
    constraint early_warnings_closed
    check ((closed_on is null) = (status in ('raised', 'acknowledged', 'in_response')))
);
create unique index if not exists early_warnings_one_open
on actions.early_warnings (book, customer_id, rule_id)
where status in ('raised', 'acknowledged', 'in_response');
create index if not exists early_warnings_raised on actions.early_warnings (book, raised_on);
comment on table actions.early_warnings is 'Warnings as they stand now; one open one per customer and rule.';

create table if not exists actions.warning_events (
    event_no bigint generated always as identity primary key,
    book text not null,
    warning_id text not null,
    event_at timestamptz not null,
    event text not null,
    actor text not null,
    reason text,
    as_of_date date not null,
    severity text not null,
    status text not null
);
create index if not exists warning_events_warning on actions.warning_events (book, warning_id, event_no);
create index if not exists warning_events_day on actions.warning_events (book, as_of_date);
comment on table actions.warning_events is
'Every step of every warning, append-only. as_of_date: the evaluated day that the step belongs to.';
create or replace trigger warning_events_append_only before update or delete or truncate
on actions.warning_events for each statement execute function ops.refuse_change();

create table if not exists actions.warning_states (
    as_of_date date not null,
    restated boolean not null,
    like actions.early_warnings,
    primary key (book, as_of_date, restated, warning_id)
);
comment on table actions.warning_states is
'Warnings at the close of each evaluated day; what the next run starts from and a publication shows.';

-- Day on which it was escalated because nobody acknowledged it.
alter table actions.early_warnings add column if not exists escalated_on date;
alter table actions.warning_states add column if not exists escalated_on date;

-- raised_on: day on which the condition began; first_seen_on: on which the platform saw it.
alter table actions.early_warnings add column if not exists first_seen_on date;
alter table actions.warning_states add column if not exists first_seen_on date;
update actions.early_warnings set first_seen_on = raised_on where first_seen_on is null;
update actions.warning_states set first_seen_on = raised_on where first_seen_on is null;
-- Its customer is in default: no early warning any more.
alter table actions.early_warnings add column if not exists after_default boolean not null default false;
alter table actions.warning_states add column if not exists after_default boolean not null default false;

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

create table if not exists actions.warning_backtest (
    book text not null,
    as_of_date date not null,
    rule_id text not null,
    rule_version int not null,
    first_day date not null,
    last_day date not null,
    alerts int not null,
    alerts_6m int not null,
    precision_6m double precision,
    base_rate_6m double precision,
    lift_6m double precision,
    alerts_12m int not null,
    precision_12m double precision,
    base_rate_12m double precision,
    lift_12m double precision,
    defaults int not null,
    recall_6m double precision,
    recall_12m double precision,
    median_lead_days double precision,
    false_alarms int not null,
    actions_approved int not null,
    verdict text not null check (verdict in ('keep', 'retire', 'too_few')),
    primary key (book, as_of_date, rule_id)
);
comment on table actions.warning_backtest is
'What each rule was worth on the history up to a day; see creditops.warnings.backtest.';

-- Responses (domain.md#response): what warnings propose, decided by people.
create table if not exists actions.proposed_actions (
    action_id text primary key,
    book text not null,
    customer_id text not null,
    warning_id text not null,
    kind text not null
    check (kind in ('suspend', 'reduce_limit', 'intensify_collection', 'visit', 'watch')),
    amount numeric(18, 2),
    status text not null check (status in ('proposed', 'approved', 'rejected', 'done', 'expired')),
    proposed_on date not null,
    changed_on date not null
);
create unique index if not exists proposed_actions_one_open
on actions.proposed_actions (book, customer_id, kind) where status in ('proposed', 'approved');
comment on table actions.proposed_actions is
'Responses as they stand now: at most one open one per customer and kind. amount: to take off the limit.';

create table if not exists actions.action_events (
    event_no bigint generated always as identity primary key,
    book text not null,
    action_id text not null,
    event_at timestamptz not null,
    as_of_date date not null,
    status text not null,
    actor text not null,
    reason text,
    amount numeric(18, 2)
);
create index if not exists action_events_action on actions.action_events (action_id, event_no);
comment on table actions.action_events is
'Every step of every response, append-only. as_of_date: the evaluated day that the step belongs to.';
create or replace trigger action_events_append_only before update or delete or truncate
on actions.action_events for each statement execute function ops.refuse_change();

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
