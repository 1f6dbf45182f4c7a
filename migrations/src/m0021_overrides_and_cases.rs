//! Versions that somebody let go on although a gate did not pass, and regression cases.

crate::sql_migration!(
    r"
-- Whether a gate lets a version go on: it passed, or somebody's word for it still holds.
create function gate_lets_pass(gate jsonb) returns boolean language sql stable as $$
    select gate ->> 'verdict' = 'pass' or coalesce((gate -> 'overridden' ->> 'until')::timestamptz > now(), false)
$$;

create function register_what_may_go_on() returns trigger language plpgsql as $$
begin
    if jsonb_array_length(new.gates) = 0
        or exists (select 1 from jsonb_array_elements(new.gates) gate where gate_lets_pass(gate) is not true) then
        raise exception 'a version is registered only when every gate passed or was overridden'
            using errcode = 'restrict_violation';
    end if;
    if exists (
        select 1 from jsonb_array_elements(new.gates) gate join run r on r.id = new.run_id
        where (gate -> 'overridden' ->> 'account')::bigint = r.author_id
            or r.retried_by @> to_jsonb((gate -> 'overridden' ->> 'account')::bigint)
    ) then
        raise exception 'nobody overrides the gates of their own run' using errcode = 'restrict_violation';
    end if;
    if exists (
        select 1 from jsonb_array_elements(new.gates) gate where gate ? 'overridden' and (
            not exists (select 1 from account a where a.id = (gate -> 'overridden' ->> 'account')::bigint)
            or coalesce(gate -> 'overridden' ->> 'reason', '') = ''
            or (gate -> 'overridden' ->> 'until')::timestamptz > now() + interval '91 days')
    ) then
        raise exception 'an override names who, why and until when' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_of_gates before insert on model_version
    for each row execute function register_what_may_go_on();

-- Who let a gate be does not approve the version as well.
create or replace function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.stage is distinct from old.stage and new.stage in ('approved', 'live') and (
        select count(distinct d.account_id) from decision d join run r on r.id = new.run_id
        where d.subject_kind = 'model' and d.subject_id = new.id and d.digest = new.digest
          and d.decision = 'approve' and d.account_id <> r.author_id
          and not r.retried_by @> to_jsonb(d.account_id)
          and not exists (select 1 from jsonb_array_elements(new.gates) gate
              where (gate -> 'overridden' ->> 'account')::bigint = d.account_id)
          and d.id > coalesce((select max(c.id) from decision c where c.subject_kind = 'model'
              and c.subject_id = new.id and c.decision = 'request_changes'), 0)
    ) < coalesce((select (v.document -> 'approvals' ->> 'promotion')::numeric
                  from run r join problem_version v on v.id = r.problem_version_id where r.id = new.run_id), 1) then
        raise exception 'a model version goes live only with an approval by as many others as its problem asks for'
            using errcode = 'restrict_violation';
    end if;
    -- A version that was live before comes back whatever has run out since: a rollback waits for nobody.
    if new.stage = 'live' and old.stage not in ('live', 'superseded', 'rolled_back') and exists (
        select 1 from jsonb_array_elements(new.gates) gate where gate_lets_pass(gate) is not true
    ) then
        raise exception 'only a version that passed every gate goes live' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create or replace function roll_out_what_is_approved() returns trigger language plpgsql as $$
declare
    candidate model_version;
begin
    select * into candidate from model_version m where m.id = new.candidate_id and m.problem_id = new.problem_id;
    if candidate.id is null or candidate.stage not in ('approved', 'superseded', 'rolled_back') then
        raise exception 'only an approved version of the problem is rolled out' using errcode = 'restrict_violation';
    end if;
    if jsonb_array_length(candidate.gates) = 0
        or exists (select 1 from jsonb_array_elements(candidate.gates) gate where gate_lets_pass(gate) is not true) then
        raise exception 'only a version that passed every gate is rolled out' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create table regression_case (
    id            bigint generated always as identity primary key,
    problem_id    bigint not null references problem (id),
    name          text not null,
    instance      jsonb not null,
    expect        jsonb not null,
    prediction_id uuid,
    account_id    bigint not null references account (id),
    created_at    timestamptz not null,
    retired_by    bigint references account (id),
    retired_at    timestamptz,
    retired_for   text,
    constraint retired_or_open check
        ((retired_at is null) = (retired_by is null) and (retired_at is null) = (retired_for is null))
);
create index regression_case_open on regression_case (problem_id, id) where retired_at is null;

-- A case stays what it is; it can only be retired, once.
create function keep_regression_case() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.retired_at is not null
        or (to_jsonb(new) - array['retired_by', 'retired_at', 'retired_for'])
            <> (to_jsonb(old) - array['retired_by', 'retired_at', 'retired_for']) then
        raise exception 'a regression case is only retired' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger regression_case_kept before update or delete on regression_case
    for each row execute function keep_regression_case();
",
    r"
create or replace function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.stage in ('approved', 'live') and (
        select count(distinct d.account_id) from decision d join run r on r.id = new.run_id
        where d.subject_kind = 'model' and d.subject_id = new.id and d.digest = new.digest
          and d.decision = 'approve' and d.account_id <> r.author_id
          and not r.retried_by @> to_jsonb(d.account_id)
          and d.id > coalesce((select max(c.id) from decision c where c.subject_kind = 'model'
              and c.subject_id = new.id and c.decision = 'request_changes'), 0)
    ) < coalesce((select (v.document -> 'approvals' ->> 'promotion')::numeric
                  from run r join problem_version v on v.id = r.problem_version_id where r.id = new.run_id), 1) then
        raise exception 'a model version goes live only with an approval by as many others as its problem asks for'
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
drop table regression_case;
drop function keep_regression_case();
drop trigger model_version_of_gates on model_version;
drop function register_what_may_go_on();
create or replace function roll_out_what_is_approved() returns trigger language plpgsql as $$
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
drop function gate_lets_pass(jsonb);
"
);
