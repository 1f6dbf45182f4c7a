//! That a prediction is of a version there is, is looked up once for each statement of the log and no longer once for each row: the foreign
//! key was 24 % of what logging predictions cost Postgres. In turn no version is deleted or gets another id, whether it has
//! answered or not; they are archived.

crate::sql_migration!(
    r"
alter table prediction drop constraint prediction_model_version_id_fkey;

create function prediction_of_a_version() returns trigger language plpgsql as $$
declare unknown bigint;
begin
    select n.id into unknown from (select distinct model_version_id as id from written) n
        where not exists (select from model_version m where m.id = n.id) limit 1;
    if unknown is not null then
        raise exception 'there is no model version % that could have answered', unknown using errcode = 'foreign_key_violation';
    end if;
    return null;
end $$;
create trigger prediction_added_of_a_version after insert on prediction referencing new table as written
    for each statement execute function prediction_of_a_version();
create trigger prediction_changed_of_a_version after update on prediction referencing new table as written
    for each statement execute function prediction_of_a_version();

create function model_version_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'model versions are kept, with their ids: archive what is not used any more' using errcode = 'restrict_violation';
end $$;
create trigger model_version_never_deleted before delete or truncate on model_version
    for each statement execute function model_version_is_kept();
create trigger model_version_keeps_its_id before update of id on model_version
    for each statement execute function model_version_is_kept();
",
    r"
drop trigger model_version_keeps_its_id on model_version;
drop trigger model_version_never_deleted on model_version;
drop function model_version_is_kept();
drop trigger prediction_changed_of_a_version on prediction;
drop trigger prediction_added_of_a_version on prediction;
drop function prediction_of_a_version();
alter table prediction add constraint prediction_model_version_id_fkey
    foreign key (model_version_id) references model_version (id);
"
);
