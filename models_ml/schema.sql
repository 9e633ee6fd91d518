-- Scores and their monitoring, written by role modeller.
create schema if not exists scoring;

create table if not exists scoring.customer_scores (
    book text not null,
    as_of_date date not null,
    scorecard text collate "C" not null,
    customer_id text collate "C" not null,
    model_version text not null,
    score int not null,
    pd double precision not null,
    grade text not null,
    points_total int not null,
    reason_1 text,
    reason_2 text,
    reason_3 text,
    reason_4 text,
    reason_1_zh text,
    reason_2_zh text,
    reason_3_zh text,
    reason_4_zh text,
    reason_1_en text,
    reason_2_en text,
    reason_3_en text,
    reason_4_en text,
    observed_on date not null,
    primary key (book, as_of_date, scorecard, customer_id)
);

-- The score that speaks for a customer on a day (domain.md#worst-score): of several scorecards the worst PD, by name
-- where they tie.
create or replace view scoring.worst_score as
select distinct on (book, as_of_date, customer_id)
    book,
    as_of_date,
    customer_id,
    scorecard,
    model_version,
    score,
    pd,
    grade
from scoring.customer_scores
order by book asc, as_of_date asc, customer_id asc, pd desc, scorecard asc;

create table if not exists scoring.model_monitoring (
    book text not null,
    as_of_date date not null,
    scorecard text not null,
    model_version text not null,
    metric text not null,
    segment text not null,
    value double precision,
    low double precision,
    high double precision,
    status text not null check (status in ('green', 'amber', 'red')),
    primary key (book, as_of_date, scorecard, model_version, metric, segment)
);

-- The challenger's scores beside the champion's; never published.
create table if not exists scoring.shadow_scores (
    book text not null,
    as_of_date date not null,
    scorecard text not null,
    customer_id text not null,
    model_version text not null,
    score int not null,
    pd double precision not null,
    grade text not null,
    primary key (book, as_of_date, scorecard, customer_id)
);

-- Grades changed by hand; a row is ended, never deleted.
create table if not exists scoring.grade_override (
    override_id bigint generated always as identity primary key,
    book text not null,
    scorecard text not null,
    customer_id text not null,
    grade_from text not null,
    grade_to text not null,
    reason text not null check (trim(reason) <> ''),
    requested_by text not null,
    approved_by text not null check (approved_by <> requested_by),
    starts_on date not null,
    expires_on date not null check (expires_on > starts_on),
    ended_on date,
    ended_by text,
    end_reason text
);
create index if not exists grade_override_customer on scoring.grade_override (book, scorecard, customer_id);

-- What was trained: one row a version, never changed. MLflow mirrors it and is never read as truth.
create table if not exists ops.model_version (
    name text not null,
    version text not null,
    registered_at timestamptz not null default clock_timestamp(),
    trained_by text not null,
    run_id text not null,
    gates jsonb not null,
    facts jsonb not null,
    params jsonb not null,
    metrics jsonb not null,
    points_table text,
    files jsonb not null,
    content_sha256 text not null,
    primary key (name, version)
);
create or replace trigger model_version_append_only before update or delete or truncate on ops.model_version
for each statement execute function ops.refuse_change();

-- What was decided about versions, in order; content_sha256 is what the decision was about.
create table if not exists ops.model_decision (
    decision_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    name text not null,
    version text not null,
    action text not null check (
        action in ('train', 'submit', 'refuse', 'promote', 'approve', 'reject', 'retire', 'rollback')
    ),
    actor text not null,
    reason text,
    champion_before text,
    content_sha256 text not null,
    foreign key (name, version) references ops.model_version
);
create index if not exists model_decision_name on ops.model_decision (name, decision_id);
create or replace trigger model_decision_append_only before update or delete or truncate on ops.model_decision
for each statement execute function ops.refuse_change();
