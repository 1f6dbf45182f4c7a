//! Loads that add to earlier ones, rows that are set aside, and bringing them back once; and who made an account what it is.

crate::sql_migration!(
    r"
alter table dataset_version
    -- The version whose rows come before those of this load.
    add column base_id bigint references dataset_version (id),
    -- The version whose rows that were set aside this load brings back.
    add column corrects_id bigint references dataset_version (id),
    add column aside bytea references artifact (digest),
    add column aside_rows bigint not null default 0 check (aside_rows >= 0),
    add check ((aside is null) = (aside_rows = 0)),
    add check (corrects_id is null or base_id is not null);
create unique index dataset_version_corrected_once on dataset_version (corrects_id) where state in ('loading', 'valid');

-- The same bytes may come after different rows.
drop index dataset_version_same_source;
create unique index dataset_version_same_source
    on dataset_version (dataset_id, source, problem_version_id, coalesce(base_id, 0)) where state in ('loading', 'valid');

-- What is set aside is decided while a version is checked; from then on it is as it is.
create or replace function keep_dataset_version() returns trigger language plpgsql as $$
begin
    if new.source is distinct from old.source or new.number is distinct from old.number
        or new.dataset_id is distinct from old.dataset_id
        or new.base_id is distinct from old.base_id or new.corrects_id is distinct from old.corrects_id
        or (old.state <> 'loading' and (new.digest is distinct from old.digest or new.frame is distinct from old.frame
            or new.aside is distinct from old.aside or new.state is distinct from old.state)) then
        raise exception 'a dataset version is immutable' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create function dataset_version_adds_to_valid() returns trigger language plpgsql as $$
begin
    if new.base_id is not null and not exists (select 1 from dataset_version b
        where b.id = new.base_id and b.dataset_id = new.dataset_id and b.state = 'valid') then
        raise exception 'rows are added to a valid version of the same dataset' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger dataset_version_base before insert on dataset_version
    for each row execute function dataset_version_adds_to_valid();

-- The admin who made the account or last gave it its roles; none when that was done on the host.
alter table account add column vouched_by bigint references account (id);
",
    r"
alter table account drop column vouched_by;
drop trigger dataset_version_base on dataset_version;
drop function dataset_version_adds_to_valid();
create or replace function keep_dataset_version() returns trigger language plpgsql as $$
begin
    if new.source is distinct from old.source or new.number is distinct from old.number
        or new.dataset_id is distinct from old.dataset_id
        or (old.digest is not null and new.digest is distinct from old.digest)
        or (old.frame is not null and new.frame is distinct from old.frame)
        or (old.state <> 'loading' and new.state is distinct from old.state) then
        raise exception 'a dataset version is immutable' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
drop index dataset_version_same_source;
create unique index dataset_version_same_source on dataset_version (dataset_id, source, problem_version_id)
    where state in ('loading', 'valid');
alter table dataset_version drop column base_id, drop column corrects_id, drop column aside, drop column aside_rows;
"
);
