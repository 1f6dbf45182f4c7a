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
        or exists (select 1 from jsonb_array_elements(new.gates) gate where not gate_lets_pass(gate)) then
        raise exception 'a version is registered only when every gate passed or was overridden'
            using errcode = 'restrict_violation';
    end if;
    if exists (
        select 1 from jsonb_array_elements(new.gates) gate join run r on r.id = new.run_id
        where (gate -> 'overridden' ->> 'account')::bigint = r.author_id
    ) then
        raise exception 'nobody overrides the gates of their own run' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_of_gates before insert on model_version
    for each row execute function register_what_may_go_on();

create or replace function roll_out_what_is_approved() returns trigger language plpgsql as $$
declare
    candidate model_version;
begin
    select * into candidate from model_version m where m.id = new.candidate_id and m.problem_id = new.problem_id;
    if candidate.id is null or candidate.stage not in ('approved', 'superseded', 'rolled_back') then
        raise exception 'only an approved version of the problem is rolled out' using errcode = 'restrict_violation';
    end if;
    if jsonb_array_length(candidate.gates) = 0
        or exists (select 1 from jsonb_array_elements(candidate.gates) gate where not gate_lets_pass(gate)) then
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
    if old.retired_at is not null or new.instance <> old.instance or new.expect <> old.expect
        or new.problem_id <> old.problem_id or new.account_id <> old.account_id then
        raise exception 'a regression case is only retired' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger regression_case_kept before update on regression_case
    for each row execute function keep_regression_case();
",
    r"
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
