-- Replay of credit decisions against policy (domain.md#policy), for each evaluated day.
create table if not exists actions.policy_replay (
    book text not null,
    as_of_date date not null,
    application_id text not null,
    policy_version text not null,
    stated_version text,
    decision text not null check (decision in ('approved', 'declined')),
    replayed_decision text not null check (replayed_decision in ('approved', 'declined')),
    replayed_before text check (replayed_before in ('approved', 'declined')),
    verdict text not null check (verdict in ('agree', 'override_up', 'override_down', 'breach')),
    rules_failed text [] not null,
    applied_on date not null,
    inputs jsonb not null,
    primary key (book, as_of_date, application_id)
);
comment on table actions.policy_replay is
'Every decided application with the verdict of the version in force when it was made, and of the one before.';
alter table actions.policy_replay add column if not exists decided_by text;
alter table actions.policy_replay add column if not exists override text;

create table if not exists actions.policy_versions (
    book text not null,
    version text not null,
    valid_from date not null,
    definition jsonb not null,
    definition_hash text not null,
    first_used_on date not null,
    primary key (book, version)
);
comment on table actions.policy_versions is
'Every policy version that ever decided, with what it says; a version never changes.';
create or replace trigger policy_versions_append_only before update or delete or truncate
on actions.policy_versions for each statement execute function ops.refuse_change();
