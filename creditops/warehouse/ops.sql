-- Operations: what of them is replaced at every `creditops up`. Their tables are made by migrations.
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

create or replace function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end $$;
create or replace trigger audit_append_only before update or delete or truncate on ops.audit
    for each statement execute function ops.refuse_change();

-- Calendar of windows (domain.md#window): the last n months at a month end are those after `month_end_before(it, n)`.
create or replace function ops.month_end_before(day date, months int) returns date
language sql immutable parallel safe as $$
    select (date_trunc('month', day::timestamp) - make_interval(months => months - 1) - interval '1 day')::date
$$;
comment on function ops.month_end_before is 'Last day of the month that lies so many months before the month of the day.';

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
create or replace function ops.stamp_audit() returns trigger language plpgsql as $$
begin
    new.at := clock_timestamp();
    new.role := session_user;
    return new;
end $$;
create or replace trigger audit_stamped before insert on ops.audit
    for each row execute function ops.stamp_audit();
