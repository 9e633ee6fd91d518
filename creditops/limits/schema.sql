-- Limits (domain.md#limit): what each evaluated day recommends, with every component, and what people decided.
create table if not exists actions.credit_limits (
    book text not null,
    as_of_date date not null,
    customer_id text not null,
    product_id text not null,
    policy_version text not null,
    current_limit numeric(18, 2),
    recommended_limit numeric(18, 2) not null,
    cap_policy numeric(18, 2) not null,
    cap_capacity numeric(18, 2),
    cap_group numeric(18, 2),
    cap_concentration numeric(18, 2) not null,
    binding_cap text not null,
    exposure numeric(18, 2) not null,
    utilisation double precision,
    excess numeric(18, 2) not null,
    change_reason text not null,
    change_reason_zh text not null,
    inputs jsonb not null,
    primary key (book, as_of_date, customer_id, product_id)
);
comment on table actions.credit_limits is
'Recommended limits of each evaluated day; inputs holds every figure that the arithmetic used.';

create table if not exists actions.limit_decisions (
    decision_no bigint generated always as identity primary key,
    book text not null,
    customer_id text not null,
    product_id text not null,
    as_of_date date not null,
    limit_before numeric(18, 2),
    limit_after numeric(18, 2) not null check (limit_after >= 0),
    decision text not null check (decision in ('approved', 'rejected')),
    valid_from date not null,
    valid_to date,
    approver text not null,
    reason text not null,
    policy_version text not null,
    decided_at timestamptz not null default clock_timestamp()
);
create index if not exists limit_decisions_customer
on actions.limit_decisions (book, customer_id, product_id, valid_from);
comment on table actions.limit_decisions is
'Limit history: every recommendation that a person approved or rejected, with reason and validity.';
create or replace trigger limit_decisions_append_only before update or delete or truncate
on actions.limit_decisions for each statement execute function ops.refuse_change();

alter table actions.credit_limits add column if not exists current_terms int;
alter table actions.credit_limits add column if not exists recommended_terms int;
alter table actions.credit_limits add column if not exists adjustment text;
alter table actions.limit_decisions add column if not exists terms_before int;
alter table actions.limit_decisions add column if not exists terms_after int;
