//! Durable steps (the rows are the queue), artifacts and live events.

crate::sql_migration!(
    r"
create table artifact (
    digest     bytea primary key check (length(digest) = 32),
    bytes      bigint not null check (bytes >= 0),
    media_type text not null,
    created_at timestamptz not null
);

create table step (
    id               bigint generated always as identity primary key,
    subject_kind     text not null check (subject_kind in ('dataset', 'run')),
    subject_id       bigint not null,
    kind             text not null,
    position         int not null,
    state            text not null check (state in
        ('blocked', 'queued', 'running', 'succeeded', 'failed', 'quarantined', 'cancelled', 'skipped')),
    attempt          int not null default 0,
    max_attempts     int not null default 3 check (max_attempts > 0),
    run_at           timestamptz not null default now(),
    lease_token      uuid,
    lease_until      timestamptz,
    worker           text,
    cancel_requested boolean not null default false,
    code_version     text,
    input_digest     bytea check (length(input_digest) = 32),
    reused_from      bigint references step (id),
    output           jsonb,
    progress         jsonb,
    failure          jsonb,
    started_at       timestamptz,
    finished_at      timestamptz,
    unique (subject_kind, subject_id, kind),
    check ((state = 'running') = (lease_token is not null and lease_until is not null))
);
create index step_ready on step (run_at, id) where state = 'queued';
create index step_leased on step (lease_until) where state = 'running';
create index step_reusable on step (kind, code_version, input_digest) where state = 'succeeded';

create table step_attempt (
    step_id    bigint not null references step (id) on delete cascade,
    attempt    int not null,
    worker     text not null,
    started_at timestamptz not null default now(),
    ended_at   timestamptz,
    ending     text,
    message    text,
    primary key (step_id, attempt)
);

-- Every committed effect of a step, once: the ledger that shows nothing was applied twice.
create table effect (
    step_id    bigint not null references step (id) on delete cascade,
    key        text not null,
    attempt    int not null,
    applied_at timestamptz not null default now(),
    primary key (step_id, key)
);

create table event (
    id           bigint generated always as identity primary key,
    subject_kind text not null,
    subject_id   bigint not null,
    kind         text not null,
    payload      jsonb not null,
    at           timestamptz not null default now()
);
create index event_subject on event (subject_kind, subject_id, id);

create function announce_event() returns trigger language plpgsql as $$
begin
    perform pg_notify('millrace_event', new.id::text);
    return null;
end $$;
create trigger event_announced after insert on event for each row execute function announce_event();

create function announce_step() returns trigger language plpgsql as $$
begin
    if new.state = 'queued' then perform pg_notify('millrace_step', ''); end if;
    return null;
end $$;
create trigger step_announced after insert or update of state on step
    for each row execute function announce_step();
",
    r"
drop table event;
drop function announce_event();
drop table effect;
drop table step_attempt;
drop table step;
drop function announce_step();
drop table artifact;
"
);
