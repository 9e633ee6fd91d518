-- Operations tables: ledger, quarantine, publications, audit, run log.
create table if not exists ops.load_ledger (
    batch_id bigint generated always as identity primary key,
    book text not null,
    source text not null,
    file text not null,
    sha256 text not null,
    delivery_date date,
    status text not null,
    rows_read bigint not null,
    rows_loaded bigint not null,
    rows_unchanged bigint not null,
    rows_quarantined bigint not null,
    loaded_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    seconds numeric(12, 4) not null,
    contract_version int not null,
    message text,
    run_id text not null,
    constraint load_ledger_reconciles
    check (status = 'refused' or rows_read = rows_loaded + rows_unchanged + rows_quarantined)
);
create index if not exists load_ledger_file on ops.load_ledger (book, source, sha256);
alter table ops.load_ledger add column if not exists rows_deleted bigint not null default 0;
-- First and last day of the good rows' effective column.
alter table ops.load_ledger add column if not exists covers_from date;
alter table ops.load_ledger add column if not exists covers_to date;
-- Rows of the delivered file that its adapter leaves out; they never reach the file that is loaded.
alter table ops.load_ledger add column if not exists rows_left_out bigint not null default 0;
-- The batch that took this one back, and that a withdrawal takes back.
alter table ops.load_ledger add column if not exists withdrawn_by bigint references ops.load_ledger;
alter table ops.load_ledger add column if not exists withdraws bigint references ops.load_ledger;
alter table ops.load_ledger drop constraint if exists load_ledger_status_check;
alter table ops.load_ledger add constraint load_ledger_status_check
check (status in ('loaded', 'repeat', 'refused', 'not_taken', 'withdrawal'));

create table if not exists ops.load_warning (
    batch_id bigint not null references ops.load_ledger,
    check_name text not null,
    rows_failed bigint not null,
    first_line bigint not null,
    primary key (batch_id, check_name)
);

create table if not exists ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    batch_id bigint not null references ops.load_ledger,
    book text not null,
    source text not null,
    file text not null,
    line bigint not null,
    row_text text not null,
    reasons jsonb not null,
    status text not null default 'open' check (status in ('open', 'replayed', 'discarded')),
    closed_at timestamptz,
    closed_by text,
    closed_reason text
);
create index if not exists quarantine_open on ops.quarantine (book, source) where status = 'open';
create index if not exists quarantine_batch on ops.quarantine (batch_id);

-- Cells of columns that a contract does not know, kept aside until it does; personal ones hashed.
create table if not exists ops.undeclared_cells (
    batch_id bigint not null references ops.load_ledger,
    line bigint not null,
    cells jsonb not null,
    primary key (batch_id, line)
);

create table if not exists ops.publication (
    book text primary key,
    publication_id text not null unique,
    as_of_date date not null,
    known_at timestamptz not null,
    published_at timestamptz not null,
    code_version text not null,
    models jsonb not null,
    policy_version text,
    gates jsonb not null
);

create table if not exists ops.publication_history (
    publication_id text primary key,
    book text not null,
    as_of_date date not null,
    known_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    status text not null check (status in ('candidate', 'refused', 'ready', 'published', 'removed')),
    code_version text not null,
    models jsonb not null,
    policy_version text,
    gates jsonb not null default '[]'
);
create index if not exists publication_history_day on ops.publication_history (book, as_of_date);

create table if not exists ops.gate_result (
    book text not null,
    as_of_date date not null,
    gate text not null,
    source text not null,
    batch_id text not null,
    check_name text not null,
    severity text not null,
    rows_checked bigint not null,
    rows_failed bigint not null,
    passed boolean not null,
    examples jsonb not null default '[]',
    primary key (book, as_of_date, gate, source, batch_id, check_name)
);
alter table ops.gate_result drop constraint if exists gate_result_gate_check;
alter table ops.gate_result add constraint gate_result_gate_check check (gate in ('raw', 'build', 'publication'));

create table if not exists ops.audit (
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    object text not null,
    before jsonb,
    after jsonb,
    reason text
);

create table if not exists ops.run_log (
    run_id text not null,
    step text not null,
    rows bigint,
    seconds numeric(12, 4) not null,
    at timestamptz not null default clock_timestamp(),
    book text,
    as_of_date date
);
create index if not exists run_log_step on ops.run_log (step, at);

create table if not exists ops.failure (
    run_id text not null,
    step text not null,
    book text,
    as_of_date date,
    exit_code int not null,
    message text not null,
    hint text,
    at timestamptz not null default clock_timestamp()
);

-- What has been fetched from places, so that nothing is fetched twice.
create table if not exists ops.fetch_ledger (
    fetch_id bigint generated always as identity primary key,
    book text not null,
    place text not null,
    item text not null,
    fingerprint text not null,
    source text not null,
    delivery_date date not null,
    file text not null,
    rows bigint,
    bytes bigint not null,
    watermark text,
    seconds numeric(12, 4) not null,
    fetched_at timestamptz not null default clock_timestamp(),
    run_id text not null
);
create index if not exists fetch_ledger_item on ops.fetch_ledger (book, place, item, fingerprint);

-- How old the newest delivery of each source of a book was on a day, against its contract.
create table if not exists ops.freshness (
    book text not null,
    as_of_date date not null,
    source text not null,
    last_delivery date not null,
    age_days int not null,
    limit_days int not null,
    stale boolean not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (book, as_of_date, source)
);

-- What each layer of a book was built from last (creditops.warehouse.build_scope); a layer of a past day
-- carries the prefix of its schemas.
create table if not exists ops.build_state (
    book text not null,
    layer text not null,
    as_of date not null,
    known_at timestamptz not null,
    definition text not null,
    batches jsonb not null,
    ledger int8multirange not null,
    built_at timestamptz not null default clock_timestamp(),
    primary key (book, layer)
);

-- Which day of a book has the turn (creditops.turns), and which wait for it.
create table if not exists ops.book_turn (
    book text not null,
    as_of_date date not null,
    run_id text not null,
    step text not null,
    has_turn boolean not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (book, as_of_date)
);
create unique index if not exists book_turn_one on ops.book_turn (book) where has_turn;

alter table ops.run_log add column if not exists scope text;

create table if not exists ops.operations_warning (
    at timestamptz not null default clock_timestamp(),
    kind text not null check (kind in ('slow_model')),
    subject text not null,
    book text,
    as_of_date date,
    seconds numeric(12, 4),
    median_seconds double precision,
    message text not null
);
create index if not exists operations_warning_at on ops.operations_warning (at);

-- What people were, or are to be, alerted to; once per subject.
create table if not exists ops.alert (
    alert_id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    book text not null,
    as_of_date date not null,
    kind text not null,
    subject text not null,
    message text not null,
    sent_at timestamptz,
    unique (book, kind, subject)
);
alter table ops.alert drop constraint if exists alert_kind_check;
alter table ops.alert add constraint alert_kind_check
check (kind in ('overdue_source', 'failed_step', 'tampered_model'));
create index if not exists alert_waiting on ops.alert (alert_id) where sent_at is null;

drop function if exists ops.is_open(text);
drop function if exists ops.may_draw(text);
-- As which role is said by the database itself.
alter table ops.audit add column if not exists role text;
alter table ops.publication_history alter column status set default 'candidate';-- Scores and their monitoring, written by role modeller.
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
create index if not exists model_decision_name on ops.model_decision (name, decision_id);-- The verdict on every customer and day (creditops.verdict): state from the marts, grade and PD from the worst score.
create table if not exists actions.customer_verdict (
    book text not null,
    as_of_date date not null,
    customer_id text not null,
    customer_type text,
    open_facilities int not null,
    facilities_in_default int not null,
    owes boolean not null,
    may_draw boolean not null,
    in_default boolean not null,
    default_on date,
    default_reason text,
    class5 text,
    class_reason text,
    scorecard text,
    score int,
    pd double precision,
    grade text,
    expected_loss numeric(18, 2),
    primary key (book, as_of_date, customer_id)
);
alter table actions.customer_verdict add column if not exists expected_loss numeric(18, 2);
comment on table actions.customer_verdict is
'What each customer is on a day: default and class, open or closed, grade, PD, expected loss; D and 1 in default.';-- Early warnings (domain.md#warning-life): rule versions, runs, life cycle, events, the state of every evaluated day.
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
'Every step of every response, append-only. as_of_date: the evaluated day that the step belongs to.';-- Replay of credit decisions against policy (domain.md#policy), for each evaluated day.
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
'Every policy version that ever decided, with what it says; a version never changes.';-- Limits (domain.md#limit): what each evaluated day recommends, with every component, and what people decided.
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

alter table actions.credit_limits add column if not exists current_terms int;
alter table actions.credit_limits add column if not exists recommended_terms int;
alter table actions.credit_limits add column if not exists adjustment text;
alter table actions.limit_decisions add column if not exists terms_before int;
alter table actions.limit_decisions add column if not exists terms_after int;-- Collections worklist (domain.md#worklist), one row per customer with an overdue amount, for each evaluated day.
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
