-- Collections worklist (domain.md#worklist), one row per customer with an overdue amount, for each evaluated day.
create table if not exists actions.collections_worklist (
    book text not null,
    as_of_date date not null,
    customer_id text not null,
    rank int not null,
    stage text not null,
    overdue_amount numeric(18, 2) not null,
    dpd int not null,
    expected_loss_at_stake numeric(18, 2) not null,
    priority numeric(18, 2) not null,
    strategy text not null,
    last_action_on date,
    promise_due_on date,
    assigned_to text,
    policy_version text not null,
    inputs jsonb not null,
    primary key (book, as_of_date, customer_id)
);
comment on table actions.collections_worklist is
'Who is to be collected from, in order of expected loss at stake x urgency; inputs explains the row.';

alter table actions.collections_worklist add column if not exists response text;
