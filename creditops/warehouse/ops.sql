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

-- Files whose rows are not all accounted for; there is none.
create or replace view ops.load_unreconciled as
select
    l.batch_id,
    l.book,
    l.source,
    l.file,
    l.rows_read,
    l.rows_loaded,
    l.rows_unchanged,
    l.rows_quarantined,
    count(q.quarantine_id) as rows_in_quarantine
from ops.load_ledger as l
left join ops.quarantine as q on l.batch_id = q.batch_id
where l.status <> 'refused'
group by l.batch_id
having
    l.rows_read <> l.rows_loaded + l.rows_unchanged + l.rows_quarantined
    or l.rows_quarantined <> count(q.quarantine_id);

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

create or replace function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end $$;
create or replace trigger audit_append_only before update or delete or truncate on ops.audit
    for each statement execute function ops.refuse_change();

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

-- Calendar of windows (domain.md#window): the last n months at a month end are those after `month_end_before(it, n)`.
create or replace function ops.month_end_before(day date, months int) returns date
language sql immutable parallel safe as $$
    select (date_trunc('month', day::timestamp) - make_interval(months => months - 1) - interval '1 day')::date
$$;
comment on function ops.month_end_before is 'Last day of the month that lies so many months before the month of the day.';

drop function if exists ops.is_open(text);
drop function if exists ops.may_draw(text);
-- The pointer and the verdicts on candidates change through these functions alone, and leave their trace.
create or replace function ops.record_gate(wanted text, found jsonb, passed boolean) returns void
language sql security definer set search_path = '' as $$
    update ops.publication_history
    set
        gates = found,
        status = case when status in ('published', 'removed') then status when passed then 'ready' else 'refused' end
    where publication_id = wanted
$$;
create or replace function ops.flip(wanted text, move_back boolean, who text, why text) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
    candidate ops.publication_history;
    pointer ops.publication;
begin
    select * into candidate from ops.publication_history where publication_id = wanted for update;
    if candidate.status is null or candidate.status not in ('ready', 'published') then
        raise exception 'publication % cannot be shown: it is %', wanted, coalesce(candidate.status, 'unknown');
    end if;
    select * into pointer from ops.publication where book = candidate.book for update;
    update ops.publication_history
    set status = 'published', published_at = coalesce(published_at, clock_timestamp())
    where publication_id = wanted
    returning * into candidate;
    if pointer.publication_id = wanted then
        return true;
    elsif pointer.as_of_date > candidate.as_of_date and not move_back then
        return false;
    end if;
    insert into ops.publication (
        book, publication_id, as_of_date, known_at, published_at, code_version, models, policy_version, gates
    ) values (
        candidate.book, candidate.publication_id, candidate.as_of_date, candidate.known_at, candidate.published_at,
        candidate.code_version, candidate.models, candidate.policy_version, candidate.gates
    ) on conflict (book) do update set
        publication_id = excluded.publication_id,
        as_of_date = excluded.as_of_date,
        known_at = excluded.known_at,
        published_at = excluded.published_at,
        code_version = excluded.code_version,
        models = excluded.models,
        policy_version = excluded.policy_version,
        gates = excluded.gates;
    insert into ops.audit (actor, action, object, before, after, reason) values (
        who, 'publish.flip', candidate.book, to_jsonb(pointer.publication_id), to_jsonb(wanted), why
    );
    return true;
end $$;
-- Removes the rows of publications that no book shows; returns how many publications.
create or replace function ops.purge_publications(wanted text [], who text, why text) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
    old text [] := array(
        select publication_id from ops.publication_history
        where publication_id = any(wanted) and status <> 'removed'
            and publication_id not in (select publication_id from ops.publication)
    );
    place regclass;
begin
    for place in
        select oid from pg_catalog.pg_class
        where relnamespace = 'published'::regnamespace and relkind = 'r'
    loop
        execute format('delete from %s where publication_id = any($1)', place) using old;
    end loop;
    update ops.publication_history set status = 'removed' where publication_id = any(old);
    if cardinality(old) > 0 then
        insert into ops.audit (actor, action, object, after, reason)
        values (who, 'publish.purge', 'published', to_jsonb(old), why);
    end if;
    return cardinality(old);
end $$;
-- Removes a table's rows from all but the newest publications of each book and the current one.
create or replace function ops.thin_out(wanted text, kept int, who text) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
    removed bigint;
begin
    execute format(
        'delete from published.%I where publication_id not in (select publication_id from ops.publication)'
        ' and publication_id not in (select publication_id from (select publication_id, row_number() over'
        ' (partition by book order by created_at desc, publication_id) as newest from ops.publication_history)'
        ' as ranked where newest <= greatest($1, 1))', wanted
    ) using kept;
    get diagnostics removed = row_count;
    if removed > 0 then
        insert into ops.audit (actor, action, object, after, reason)
        values (who, 'publish.thin_out', wanted, to_jsonb(removed), format('%s publications are kept', kept));
    end if;
    return removed;
end $$;
-- Rows are added to candidates alone: what was gated stays as it was.
create or replace function ops.refuse_gated() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    gated text := (
        select added.publication_id from (select distinct publication_id from added) as added
        left join ops.publication_history as history using (publication_id)
        where history.status is distinct from 'candidate' order by added.publication_id limit 1
    );
begin
    if gated is not null then
        raise exception 'publication % is no candidate any more: its rows do not change', gated;
    end if;
    return null;
end $$;
-- A role may always change its own password; the platform's comes back as its hash.
create or replace function ops.set_reader_back(hashed text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    if hashed !~ '^SCRAM-SHA-256\$' then
        raise exception 'no hash of a password is given';
    end if;
    execute format('alter role bi_reader password %L', hashed);
    insert into ops.audit (actor, action, object, reason)
    values ('maintain', 'reader.password', 'bi_reader', 'its password was not the platform''s: set back');
end $$;
-- Schemas for a build of a past day, which the builder then owns.
create or replace function ops.make_build_schema(wanted text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    if wanted !~ '^[a-z][a-z0-9_]{0,30}_(staging|intermediate|marts|features)$' then
        raise exception '% is no schema of a build', wanted;
    end if;
    execute format('create schema if not exists %I authorization builder', wanted);
end $$;
-- When, and as which role, is said by the database itself.
alter table ops.audit add column if not exists role text;
create or replace function ops.stamp_audit() returns trigger language plpgsql as $$
begin
    new.at := clock_timestamp();
    new.role := session_user;
    return new;
end $$;
create or replace trigger audit_stamped before insert on ops.audit
    for each row execute function ops.stamp_audit();
alter table ops.publication_history alter column status set default 'candidate';
