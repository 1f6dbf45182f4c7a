//! What the attempts at steps told while they ran, and the most memory that their worker held meanwhile; what webhooks are told.

crate::sql_migration!(
    r"
alter table step add column peak_bytes bigint check (peak_bytes >= 0);

create table step_log (
    step_id bigint not null references step (id) on delete cascade,
    attempt int not null,
    line    int not null check (line >= 0),
    at      timestamptz not null,
    text    text not null,
    primary key (step_id, attempt, line)
);

create table webhook_message (
    id          bigint generated always as identity primary key,
    uid         uuid not null unique default gen_random_uuid(),
    webhook     text not null,
    kind        text not null,
    -- As it is signed, so that every attempt has the same bytes.
    body        text not null,
    state       text not null default 'queued' check (state in ('queued', 'sent', 'failed')),
    attempt     int not null default 0,
    next_at     timestamptz not null,
    lease_until timestamptz,
    last_error  text,
    created_at  timestamptz not null,
    sent_at     timestamptz,
    check ((state = 'sent') = (sent_at is not null))
);
create index webhook_message_ready on webhook_message (next_at, id) where state = 'queued';

create function announce_webhook() returns trigger language plpgsql as $$
begin
    perform pg_notify('millrace_webhook', '');
    return null;
end $$;
create trigger webhook_announced after insert on webhook_message for each statement execute function announce_webhook();
",
    r"
drop table webhook_message;
drop function announce_webhook;
drop table step_log;
alter table step drop column peak_bytes;
"
);
