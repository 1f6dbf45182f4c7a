//! The audit trail: append-only, chained by hash.

crate::sql_migration!(
    r"
create table audit (
    sequence bigint primary key check (sequence > 0),
    at       timestamptz not null,
    actor    text not null,
    via      text not null,
    action   text not null,
    object   text not null,
    digest   text,
    outcome  text not null check (outcome in ('done', 'refused')),
    details  jsonb not null,
    hash     bytea not null unique check (length(hash) = 32)
);
create index audit_object on audit (object, sequence);
create index audit_actor on audit (actor, sequence);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function refuse_change();
",
    r"
drop table audit;
drop function refuse_change();
"
);
