//! Runs, their trials, metrics and artifacts. The database refuses a run on a version that is not signed off.

crate::sql_migration!(
    r"
create table run (
    id                 bigint generated always as identity primary key,
    problem_version_id bigint not null references problem_version (id),
    dataset_version_id bigint not null references dataset_version (id),
    author_id          bigint not null references account (id),
    state              text not null check (state in
        ('queued', 'running', 'succeeded', 'rejected', 'failed', 'cancelled')),
    request            jsonb not null,
    seed               bigint not null,
    provenance         jsonb not null,
    parameters         jsonb,
    failure            jsonb,
    created_at         timestamptz not null,
    started_at         timestamptz,
    finished_at        timestamptz
);
create index run_problem on run (problem_version_id, id);

create function run_needs_sign_off() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from problem_version v where v.id = new.problem_version_id and v.state = 'approved') then
        raise exception 'a run needs a signed-off problem version' using errcode = 'restrict_violation';
    end if;
    if not exists (select 1 from dataset_version d where d.id = new.dataset_version_id and d.state = 'valid') then
        raise exception 'a run needs a valid dataset version' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger run_signed_off before insert on run for each row execute function run_needs_sign_off();

create table trial (
    run_id     bigint not null references run (id) on delete cascade,
    number     int not null,
    parameters jsonb not null,
    score      double precision,
    state      text not null check (state in ('succeeded', 'failed')),
    message    text,
    primary key (run_id, number)
);

create table run_metric (
    run_id bigint not null references run (id) on delete cascade,
    name   text not null,
    step   int not null default 0,
    value  double precision not null,
    low    double precision,
    high   double precision,
    n      bigint not null,
    primary key (run_id, name, step)
);

create table run_artifact (
    run_id bigint not null references run (id) on delete cascade,
    name   text not null,
    digest bytea not null references artifact (digest),
    primary key (run_id, name)
);
",
    r"
drop table run_artifact;
drop table run_metric;
drop table trial;
drop table run;
drop function run_needs_sign_off();
"
);
