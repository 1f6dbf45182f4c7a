//! Staged rollouts: a candidate's way past shadow and canary to all callers, what was counted on it, and every routing table
//! there ever was.

crate::sql_migration!(
    r"
create table rollout (
    id           bigint generated always as identity primary key,
    problem_id   bigint not null references problem (id),
    candidate_id bigint not null references model_version (id),
    champion_id  bigint not null references model_version (id),
    plan         jsonb not null,
    step         int not null check (step >= 0),
    state        text not null check (state in ('running', 'paused', 'completed', 'rolled_back')),
    account_id   bigint not null references account (id),
    reason       text not null,
    started_at   timestamptz not null,
    -- By the database's clock alone: how long a step has lasted decides.
    step_since   timestamptz not null default now(),
    checks       jsonb not null default '[]',
    waits_for    text,
    -- What on-call was told in this step.
    told         text,
    looked_at    timestamptz,
    ended_at     timestamptz,
    constraint two_versions check (candidate_id <> champion_id),
    constraint ended_or_open check ((state in ('running', 'paused')) = (ended_at is null))
);
create unique index rollout_one_open on rollout (problem_id) where ended_at is null;

-- Nothing sets out to its users that is not approved and has not passed every gate. The stage says that it is approved, and cannot be
-- reached without.
create function roll_out_what_is_approved() returns trigger language plpgsql as $$
declare
    candidate model_version;
begin
    select * into candidate from model_version m where m.id = new.candidate_id and m.problem_id = new.problem_id;
    if candidate.id is null or candidate.stage not in ('approved', 'superseded', 'rolled_back') then
        raise exception 'only an approved version of the problem is rolled out' using errcode = 'restrict_violation';
    end if;
    if jsonb_array_length(candidate.gates) = 0
        or exists (select 1 from jsonb_array_elements(candidate.gates) g where g ->> 'verdict' <> 'pass') then
        raise exception 'only a version that passed every gate is rolled out' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger rollout_of_approved before insert on rollout
    for each row execute function roll_out_what_is_approved();

-- An ended rollout stays as it is, and no step is taken twice or back.
create function keep_rollout() returns trigger language plpgsql as $$
begin
    if old.ended_at is not null then
        raise exception 'this rollout has ended' using errcode = 'restrict_violation';
    end if;
    if new.candidate_id <> old.candidate_id or new.champion_id <> old.champion_id or new.plan <> old.plan
        or new.step not in (old.step, old.step + 1) then
        raise exception 'a rollout goes on step by step' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger rollout_kept before update on rollout for each row execute function keep_rollout();

alter table deployment
    add column rollout_id bigint references rollout (id),
    add column stage text check (stage in ('shadow', 'canary', 'watch')),
    add column percent double precision not null default 0 check (percent >= 0 and percent <= 100),
    add constraint staged check ((rollout_id is null) = (stage is null)),
    add constraint share_of_a_canary check ((stage is not distinct from 'canary' and percent > 0 and percent <= 50) or
        (stage is distinct from 'canary' and percent = 0));

-- Each change is the whole routing table that it made, and on what it was decided when nobody was asked.
alter table deployment_change
    drop constraint deployment_change_kind_check,
    add constraint deployment_change_kind_check
        check (kind in ('deploy', 'rollback', 'shadow', 'canary', 'full', 'settled')),
    alter column account_id drop not null,
    add column rollout_id bigint references rollout (id),
    add column percent double precision not null default 0,
    add column checks jsonb;

-- Which side of a comparison an answer was on. What is written of a rollout is counted per unit beside it.
alter table prediction
    add column rollout_id bigint,
    add column step int,
    add column arm text check (arm in ('candidate', 'control', 'rest')),
    add column micros int;

-- What the other model answers to the same request.
create table counterpart (
    prediction_id    uuid primary key,
    rollout_id       bigint not null references rollout (id),
    model_version_id bigint not null references model_version (id),
    output           jsonb,
    failure          text,
    micros           int,
    predicted_at     timestamptz not null
);

create table rollout_unit (
    rollout_id       bigint not null references rollout (id),
    step             int not null,
    unit             bigint not null,
    candidate        int not null default 0,
    candidate_failed int not null default 0,
    candidate_slow   int not null default 0,
    control          int not null default 0,
    control_failed   int not null default 0,
    control_slow     int not null default 0,
    labelled         int not null default 0,
    difference       double precision not null default 0,
    control_loss     double precision not null default 0,
    primary key (rollout_id, step, unit)
);

create table rollout_tally (
    rollout_id bigint not null references rollout (id),
    step       int not null,
    arm        text not null check (arm in ('candidate', 'control')),
    measure    text not null check (measure in ('score', 'latency', 'agreed', 'differed', 'dropped')),
    bin        int not null,
    n          bigint not null,
    primary key (rollout_id, step, arm, measure, bin)
);

-- Versions whose bytes are known to be damaged.
create table artifact_alarm (
    model_version_id bigint primary key references model_version (id),
    raised_at        timestamptz not null
);

create table rollout_minute (
    rollout_id bigint not null references rollout (id),
    step       int not null,
    arm        text not null check (arm in ('candidate', 'control', 'rest')),
    minute     timestamptz not null,
    answered   bigint not null,
    failed     bigint not null,
    primary key (rollout_id, step, arm, minute)
);
",
    r"
drop table rollout_minute;
drop table artifact_alarm;
drop table rollout_tally;
drop table rollout_unit;
drop table counterpart;
alter table prediction drop column rollout_id, drop column step, drop column arm, drop column micros;
delete from deployment_change where kind not in ('deploy', 'rollback') or account_id is null;
alter table deployment_change
    drop constraint deployment_change_kind_check,
    add constraint deployment_change_kind_check check (kind in ('deploy', 'rollback')),
    alter column account_id set not null,
    drop column rollout_id, drop column percent, drop column checks;
alter table deployment
    drop constraint share_of_a_canary, drop constraint staged,
    drop column percent, drop column stage, drop column rollout_id;
drop table rollout;
drop function keep_rollout();
drop function roll_out_what_is_approved();
"
);
