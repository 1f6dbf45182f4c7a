//! What feeds datasets by itself, the table versions that a run joins its rows to, and what a prediction was joined to when it was
//! answered.

crate::sql_migration!(
    r"
create table run_table (
    run_id             bigint not null references run (id),
    name               text not null,
    dataset_version_id bigint not null references dataset_version (id),
    primary key (run_id, name)
);
create function run_table_is_valid() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from dataset_version d where d.id = new.dataset_version_id and d.state = 'valid') then
        raise exception 'a run needs valid tables' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger run_table_valid before insert or update on run_table
    for each row execute function run_table_is_valid();

-- How the sources of a problem stand: when each is due, and by what its last content is known again.
create table source_look (
    problem_id         bigint not null references problem (id),
    dataset_name       text not null,
    terms              bytea not null check (length(terms) = 32),
    next_at            timestamptz not null,
    looked_at          timestamptz,
    fingerprint        text,
    error              text,
    dataset_version_id bigint references dataset_version (id),
    primary key (problem_id, dataset_name)
);

-- The transaction orders the log in the order of what others could see; joined says as of what an answer was given.
alter table prediction
    add column tx xid8 not null default pg_current_xact_id(),
    add column joined jsonb;
create index prediction_tx on prediction (tx);
-- Only what is about a later time than a load is read of the log.
create index prediction_time on prediction ((coalesce(event_time, predicted_at)));

-- Whether answers, computed again as training does, come to the same bits.
create table parity_audit (
    id               bigint generated always as identity primary key,
    model_version_id bigint not null references model_version (id),
    checked_at       timestamptz not null,
    compared         integer not null check (compared > 0),
    differing        integer not null check (differing between 0 and compared),
    examples         jsonb not null,
    until_tx         xid8 not null
);
create index parity_audit_version on parity_audit (model_version_id, id);
",
    r"
drop table parity_audit;
drop index prediction_time;
alter table prediction drop column joined, drop column tx;
drop table source_look;
drop table run_table;
drop function run_table_is_valid();
"
);
