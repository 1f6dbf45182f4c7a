//! Datasets and their immutable versions.

crate::sql_migration!(
    r"
create table dataset (
    id         bigint generated always as identity primary key,
    problem_id bigint not null references problem (id),
    name       text not null check (length(name) between 1 and 100),
    created_at timestamptz not null,
    unique (problem_id, name)
);

create table dataset_version (
    id                 bigint generated always as identity primary key,
    dataset_id         bigint not null references dataset (id),
    number             int not null check (number > 0),
    problem_version_id bigint not null references problem_version (id),
    state              text not null check (state in ('loading', 'valid', 'rejected')),
    file_name          text not null,
    source             bytea not null references artifact (digest),
    digest             bytea check (length(digest) = 32),
    frame              bytea references artifact (digest),
    format             text,
    rows               bigint check (rows >= 0),
    profile            jsonb,
    report             jsonb,
    failure            jsonb,
    author_id          bigint not null references account (id),
    created_at         timestamptz not null,
    finished_at        timestamptz,
    unique (dataset_id, number),
    check (state <> 'valid' or (digest is not null and frame is not null and rows > 0 and report is not null))
);
create unique index dataset_version_same_source on dataset_version (dataset_id, source, problem_version_id)
    where state in ('loading', 'valid');

create function keep_dataset_version() returns trigger language plpgsql as $$
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
create trigger dataset_version_kept before update on dataset_version
    for each row execute function keep_dataset_version();
",
    r"
drop table dataset_version;
drop function keep_dataset_version();
drop table dataset;
"
);
