-- Early warnings (DOMAIN 7): rule versions, runs, life cycle, events, the state of every evaluated day.
create table if not exists actions.warning_rules (
    rule_id text not null,
    rule_version int not null,
    definition jsonb not null,
    definition_hash text not null,
    first_used_on date not null,
    primary key (rule_id, rule_version)
);
comment on table actions.warning_rules is
'Every rule version that ever evaluated, with what decides it; a version never changes.';

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
    state.recommended_response
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
