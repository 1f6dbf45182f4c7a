//! Models that are switched off, and which server has which routing table in place.

crate::sql_migration!(
    r"
alter table deployment add column fallback jsonb;

-- Nothing can be shown of another version while the model is switched off.
create function roll_out_beside_what_answers() returns trigger language plpgsql as $$
begin
    if exists (select 1 from deployment d where d.problem_id = new.problem_id and d.fallback is not null) then
        raise exception 'the model is switched off' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger rollout_beside_what_answers before insert on rollout
    for each row execute function roll_out_beside_what_answers();

alter table deployment_change
    drop constraint deployment_change_kind_check,
    add constraint deployment_change_kind_check
        check (kind in ('deploy', 'rollback', 'shadow', 'canary', 'full', 'settled', 'switched_off', 'switched_on', 'drill')),
    -- By the database's clock, as what servers have in place: how long a change takes is between the two.
    add column begun_at timestamptz;
alter table deployment_change alter column begun_at set default now();

-- The newest answers of both versions to the same request.
create index counterpart_newest on counterpart (rollout_id, predicted_at desc);

create table serving_server (
    name    text primary key,
    seen_at timestamptz not null
);

create table server_route (
    server     text not null references serving_server (name) on delete cascade,
    problem_id bigint not null references problem (id),
    generation bigint not null,
    placed_at  timestamptz not null,
    primary key (server, problem_id)
);
",
    r"
drop trigger rollout_beside_what_answers on rollout;
drop function roll_out_beside_what_answers();
drop table server_route;
drop table serving_server;
drop index counterpart_newest;
update deployment_change set kind = 'settled' where kind in ('switched_off', 'switched_on', 'drill');
alter table deployment_change
    drop column begun_at,
    drop constraint deployment_change_kind_check,
    add constraint deployment_change_kind_check
        check (kind in ('deploy', 'rollback', 'shadow', 'canary', 'full', 'settled'));
alter table deployment drop column fallback;
"
);
