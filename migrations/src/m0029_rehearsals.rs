//! Rehearsals: what a policy would have done over data of the past.

crate::sql_migration!(
    r"
create table rehearsal (
    id                 bigint generated always as identity primary key,
    problem_version_id bigint not null references problem_version (id),
    dataset_version_id bigint not null references dataset_version (id),
    -- Versions of the tables that rows are joined to, by name.
    tables             jsonb not null check (jsonb_typeof(tables) = 'object'),
    request            jsonb not null check (jsonb_typeof(request) = 'object'),
    account_id         bigint not null references account (id),
    requested_at       timestamptz not null
);
create index rehearsal_of_version on rehearsal (problem_version_id, id);

-- What was asked for stays: what came of it is its step's.
create function keep_rehearsal() returns trigger language plpgsql as $$
begin
    raise exception 'a rehearsal is not changed; ask for another one' using errcode = 'restrict_violation';
end $$;
create trigger rehearsal_kept before update on rehearsal for each row execute function keep_rehearsal();

create function rehearse_valid_data() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from dataset_version v where v.id = new.dataset_version_id and v.state = 'valid') then
        raise exception 'a rehearsal goes over a valid dataset version' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger rehearsal_of_valid_data before insert on rehearsal
    for each row execute function rehearse_valid_data();

alter table step drop constraint step_subject_kind_check;
alter table step add constraint step_subject_kind_check check (subject_kind in ('dataset', 'run', 'rehearsal'));
",
    r"
delete from event where subject_kind = 'rehearsal';
update step set reused_from = null where reused_from in (select id from step where subject_kind = 'rehearsal');
delete from step where subject_kind = 'rehearsal';
alter table step drop constraint step_subject_kind_check;
alter table step add constraint step_subject_kind_check check (subject_kind in ('dataset', 'run'));
drop table rehearsal;
drop function rehearse_valid_data();
drop function keep_rehearsal();
"
);
