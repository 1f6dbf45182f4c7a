//! Registered model versions and what is live. Nothing goes live without an approval of exactly that digest by somebody
//! other than who launched the run.

crate::sql_migration!(
    r"
create table model_version (
    id         bigint generated always as identity primary key,
    problem_id bigint not null references problem (id),
    number     int not null check (number > 0),
    run_id     bigint not null unique references run (id),
    digest     bytea not null check (length(digest) = 32),
    artifact   bytea not null references artifact (digest),
    gates      jsonb not null,
    stage      text not null check (stage in ('registered', 'approved', 'live', 'superseded', 'rolled_back')),
    created_at timestamptz not null,
    unique (problem_id, number)
);
create unique index model_version_one_live on model_version (problem_id) where stage = 'live';

create function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.stage in ('approved', 'live') and not exists (
        select 1 from decision d join run r on r.id = new.run_id
        where d.subject_kind = 'model' and d.subject_id = new.id and d.digest = new.digest
          and d.decision = 'approve' and d.account_id <> r.author_id
    ) then
        raise exception 'a model version goes live only with an approval by somebody other than who launched its run'
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_kept before update on model_version
    for each row execute function keep_model_version();

create function register_as_registered() returns trigger language plpgsql as $$
begin
    if new.stage <> 'registered' then
        raise exception 'a model version begins as registered' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_begins before insert on model_version
    for each row execute function register_as_registered();

-- The routing table: generation rises by one with every change, so a stale writer loses.
create table deployment (
    problem_id  bigint primary key references problem (id),
    generation  bigint not null check (generation >= 0),
    champion_id bigint references model_version (id),
    changed_at  timestamptz not null
);

create table deployment_change (
    problem_id   bigint not null references problem (id),
    generation   bigint not null,
    kind         text not null check (kind in ('deploy', 'rollback')),
    champion_id  bigint references model_version (id),
    previous_id  bigint references model_version (id),
    account_id   bigint not null references account (id),
    reason       text not null,
    changed_at   timestamptz not null,
    primary key (problem_id, generation)
);

create function announce_routing() returns trigger language plpgsql as $$
begin
    perform pg_notify('millrace_routing', new.problem_id::text);
    return null;
end $$;
create trigger deployment_announced after insert or update on deployment
    for each row execute function announce_routing();
",
    r"
drop table deployment_change;
drop table deployment;
drop function announce_routing();
drop table model_version;
drop function keep_model_version();
drop function register_as_registered();
"
);
