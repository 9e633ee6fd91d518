-- Scores and their monitoring, written by role modeller.
create schema if not exists scoring;

create table if not exists scoring.customer_scores (
    book text not null,
    as_of_date date not null,
    scorecard text not null,
    customer_id text not null,
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
