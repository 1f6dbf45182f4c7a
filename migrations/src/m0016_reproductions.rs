//! Runs that repeat another one, to see whether the same comes of it.

crate::sql_migration!(
    r"
alter table run add column reproduces bigint references run (id);
create index run_reproduces on run (reproduces) where reproduces is not null;

-- What was signed off when it was launched may be computed once more, as it was asked for: nothing comes of it but a comparison.
drop trigger run_signed_off on run;
create trigger run_signed_off before insert on run
    for each row when (new.reproduces is null) execute function run_needs_sign_off();
create function repeat_as_asked() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from run r where r.id = new.reproduces and r.reproduces is null
        and r.state in ('succeeded', 'rejected') and r.problem_version_id = new.problem_version_id
        and r.dataset_version_id = new.dataset_version_id and r.request = new.request and r.seed = new.seed) then
        raise exception 'what is repeated is a run that was trained, as it was asked for' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger run_repeated before insert on run
    for each row when (new.reproduces is not null) execute function repeat_as_asked();

create function keep_reproduces() returns trigger language plpgsql as $$
begin
    raise exception 'which run is repeated does not change' using errcode = 'restrict_violation';
end $$;
create trigger run_reproduces_kept before update of reproduces on run
    for each row when (old.reproduces is distinct from new.reproduces) execute function keep_reproduces();

create function register_no_repetition() returns trigger language plpgsql as $$
begin
    if exists (select 1 from run r where r.id = new.run_id and r.reproduces is not null) then
        raise exception 'a run that repeats another one registers nothing' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_of_no_repetition before insert on model_version
    for each row execute function register_no_repetition();
",
    r"
drop trigger model_version_of_no_repetition on model_version;
drop function register_no_repetition();
drop trigger run_reproduces_kept on run;
drop function keep_reproduces();
delete from step where subject_kind = 'run' and subject_id in (select id from run where reproduces is not null);
delete from run_table where run_id in (select id from run where reproduces is not null);
delete from run where reproduces is not null;
drop trigger run_repeated on run;
drop function repeat_as_asked();
drop trigger run_signed_off on run;
create trigger run_signed_off before insert on run for each row execute function run_needs_sign_off();
drop index run_reproduces;
alter table run drop column reproduces;
"
);
