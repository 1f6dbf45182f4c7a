//! Names that point at versions, with every move, and versions that are put away.

crate::sql_migration!(
    r"
create table model_alias_move (
    id               bigint generated always as identity primary key,
    problem_id       bigint not null references problem (id),
    name             text not null check (name ~ '^[a-z][a-z0-9-]{0,39}$'),
    model_version_id bigint references model_version (id),
    account_id       bigint not null references account (id),
    reason           text not null,
    moved_at         timestamptz not null,
    -- These follow the deployment.
    constraint not_reserved check (name not in ('champion', 'candidate'))
);
create index model_alias_newest on model_alias_move (problem_id, name, id desc);

create function keep_alias_move() returns trigger language plpgsql as $$
begin
    raise exception 'moves of aliases are only added' using errcode = 'restrict_violation';
end $$;
create trigger alias_move_kept before update or delete on model_alias_move
    for each row execute function keep_alias_move();
create trigger alias_moves_kept before truncate on model_alias_move
    for each statement execute function keep_alias_move();

alter table model_version
    add column archived_at  timestamptz,
    add column archived_by  bigint references account (id),
    add column archived_for text,
    add constraint archived_or_not check
        ((archived_at is null) = (archived_by is null) and (archived_at is null) = (archived_for is null)),
    add constraint what_is_live_is_not_archived check (archived_at is null or stage <> 'live');

create function point_at_what_is_there() returns trigger language plpgsql as $$
begin
    if new.model_version_id is not null and not exists (
        select 1 from model_version m
        where m.id = new.model_version_id and m.problem_id = new.problem_id and m.archived_at is null
    ) then
        raise exception 'an alias points at a version of its model that is not archived'
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger alias_move_fits before insert on model_alias_move
    for each row execute function point_at_what_is_there();

create function roll_out_nothing_archived() returns trigger language plpgsql as $$
begin
    if exists (select 1 from model_version m where m.id = new.candidate_id and m.archived_at is not null) then
        raise exception 'an archived version is not rolled out' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger rollout_of_nothing_archived before insert on rollout
    for each row execute function roll_out_nothing_archived();

create function archive_what_is_at_rest() returns trigger language plpgsql as $$
begin
    if new.archived_at is not null and exists (
        select 1 from rollout r where new.id in (r.candidate_id, r.champion_id) and r.ended_at is null
    ) then
        raise exception 'a version on its way is not archived' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_at_rest before update on model_version
    for each row execute function archive_what_is_at_rest();
",
    r"
drop trigger model_version_at_rest on model_version;
drop function archive_what_is_at_rest();
drop trigger rollout_of_nothing_archived on rollout;
drop function roll_out_nothing_archived();
drop table model_alias_move;
drop function keep_alias_move();
drop function point_at_what_is_there();
alter table model_version
    drop column archived_at,
    drop column archived_by,
    drop column archived_for;
"
);
