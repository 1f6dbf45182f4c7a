//! What the rows of a dataset version are to its problem.

crate::sql_migration!(
    r"
-- Examples are trained on; rows of a table are joined; rows of an environment are only looked at. A version was checked as what it
-- is, and is used as nothing else, whatever later documents make of its dataset.
alter table dataset_version add column role text not null default 'examples'
    check (role in ('examples', 'table', 'environment'));
update dataset_version v set role = 'table' from dataset d, problem_version p
    where d.id = v.dataset_id and p.id = v.problem_version_id
      and p.document -> 'tables' @> jsonb_build_array(jsonb_build_object('name', d.name));
update dataset_version v set role = 'table' where exists (select 1 from run_table t where t.dataset_version_id = v.id);
alter table dataset_version alter column role drop default;

create function keep_dataset_role() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.role is distinct from old.role then
        raise exception 'a dataset version is immutable' using errcode = 'restrict_violation';
    end if;
    if exists (select 1 from dataset_version b where b.id = new.base_id and b.role <> new.role) then
        raise exception 'rows come after rows of their kind' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger dataset_version_role_kept before insert or update on dataset_version
    for each row execute function keep_dataset_role();

create function run_reads_role() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from dataset_version d where d.id = new.dataset_version_id and d.role = tg_argv[0]) then
        raise exception 'a run trains on examples and joins them to tables' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger run_of_examples before insert or update of dataset_version_id on run
    for each row execute function run_reads_role('examples');
create trigger run_table_of_tables before insert or update on run_table
    for each row execute function run_reads_role('table');
",
    r"
drop trigger run_table_of_tables on run_table;
drop trigger run_of_examples on run;
drop function run_reads_role();
drop trigger dataset_version_role_kept on dataset_version;
drop function keep_dataset_role();
alter table dataset_version drop column role;
"
);
