//! What live answers are counted by, windows that were judged, incidents, letters in a thread, and trainings that start by themselves.

crate::sql_migration!(
    r"
-- What one server counted of one version in one stretch of time. A server writes its own row again as it counts on, so that writing
-- twice counts nothing twice.
create table live_count (
    model_version_id bigint not null references model_version (id),
    begins           timestamptz not null,
    seconds          int not null check (seconds > 0),
    server           uuid not null,
    counts           bigint[] not null,
    primary key (model_version_id, begins, server)
);
create index live_count_begins on live_count (begins);

-- A window is judged once, from counts that are kept with it.
create table monitor_window (
    id               bigint generated always as identity primary key,
    problem_id       bigint not null references problem (id),
    model_version_id bigint not null references model_version (id),
    begins           timestamptz not null,
    ends             timestamptz not null check (begins < ends),
    rule             jsonb not null,
    counts           bigint[],
    finding          jsonb,
    business         double precision,
    business_n       bigint not null default 0,
    quality          jsonb,
    labelled         bigint not null default 0,
    unique (problem_id, begins)
);
create index monitor_window_newest on monitor_window (problem_id, ends desc);

create function keep_monitor_window() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.problem_id, new.model_version_id, new.begins, new.ends, new.rule) is distinct from
            (old.problem_id, old.model_version_id, old.begins, old.ends, old.rule)
        or new.counts is distinct from old.counts or new.finding is distinct from old.finding then
        raise exception 'a window that was judged stays as it is; only what outcomes say is added' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger monitor_window_kept before update or delete on monitor_window
    for each row execute function keep_monitor_window();

create table business_value (
    id          bigint generated always as identity primary key,
    problem_id  bigint not null references problem (id),
    at          timestamptz not null,
    value       double precision not null,
    account_id  bigint not null references account (id),
    received_at timestamptz not null
);
create index business_value_at on business_value (problem_id, at);

create table incident (
    id              bigint generated always as identity primary key,
    problem_id      bigint not null references problem (id),
    cause           text not null check (cause in ('drift', 'quality', 'freshness', 'no_data', 'business', 'retraining')),
    state           text not null check (state in ('pending', 'firing', 'resolved', 'over')),
    in_a_row        int not null check (in_a_row >= 0),
    title           text not null,
    facts           jsonb not null,
    window_begins   timestamptz,
    window_ends     timestamptz,
    opened_at       timestamptz not null,
    fired_at        timestamptz,
    resolved_at     timestamptz,
    told            text check (told in ('firing', 'resolved')),
    told_at         timestamptz,
    escalated       boolean not null default false,
    acknowledged_by bigint references account (id),
    acknowledged_at timestamptz,
    silenced_until  timestamptz,
    constraint told_when check ((told is null) = (told_at is null)),
    constraint fired_when check (state <> 'firing' or fired_at is not null)
);
create unique index incident_one_open on incident (problem_id, cause) where state in ('pending', 'firing');
create index incident_newest on incident (problem_id, id desc);

create table incident_event (
    id          bigint generated always as identity primary key,
    incident_id bigint not null references incident (id),
    at          timestamptz not null,
    kind        text not null,
    words       text not null,
    account_id  bigint references account (id)
);
create index incident_event_of on incident_event (incident_id, id);

create function keep_incident_event() returns trigger language plpgsql as $$
begin
    raise exception 'what happened to an incident stays written' using errcode = 'restrict_violation';
end $$;
create trigger incident_event_kept before update or delete on incident_event
    for each row execute function keep_incident_event();

-- Letters about one thing stand under each other.
alter table mail add column thread text check (thread !~ '[[:cntrl:]<>[:space:]]');

-- Of each problem: until when its schedule was looked at, and who has stopped it.
create table retraining (
    problem_id    bigint primary key references problem (id),
    looked_until  timestamptz not null,
    paused_at     timestamptz,
    paused_by     bigint references account (id),
    pause_reason  text,
    -- Trainings that came to nothing before do not count any more.
    forgiven_at   timestamptz,
    -- The newest version that was trained by itself and that approvers were asked about.
    asked_number  int not null default 0,
    constraint paused_by_somebody check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (pause_reason is null))
);

-- What was reason to train, each once; what it started.
create table trigger_event (
    id         bigint generated always as identity primary key,
    problem_id bigint not null references problem (id),
    reason     text not null check (reason in ('schedule', 'new_rows', 'new_labels', 'drift', 'quality', 'asked')),
    key        text not null,
    detail     text not null,
    at         timestamptz not null,
    account_id bigint references account (id),
    run_id     bigint references run (id),
    -- Why it started nothing.
    ended      text,
    unique (problem_id, reason, key),
    constraint started_or_not check (run_id is null or ended is null)
);
create index trigger_event_open on trigger_event (problem_id) where run_id is null and ended is null;
create index trigger_event_run on trigger_event (run_id);

create function keep_trigger_event() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or old.run_id is not null or old.ended is not null
        or (new.problem_id, new.reason, new.key, new.at) is distinct from (old.problem_id, old.reason, old.key, old.at) then
        raise exception 'what started a training stays written' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger trigger_event_kept before update or delete on trigger_event
    for each row execute function keep_trigger_event();

-- A version that the signed document lets go on without a person: trained by itself on the document in force, every gate passed as it
-- is, and nobody has asked for changes.
create table policy_promotion (
    model_version_id   bigint primary key references model_version (id),
    problem_version_id bigint not null references problem_version (id),
    promoted_at        timestamptz not null
);

create function promote_by_policy() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        raise exception 'what went on by itself stays written' using errcode = 'restrict_violation';
    end if;
    if not exists (
        select 1 from model_version m join run r on r.id = m.run_id join problem_version v on v.id = r.problem_version_id
        join trigger_event e on e.run_id = r.id
        where m.id = new.model_version_id and v.id = new.problem_version_id and v.state = 'approved'
          and v.document -> 'retraining' ->> 'promote' = 'automatic' and r.retried_by = '[]'::jsonb
          and jsonb_array_length(m.gates) > 0
          and not exists (select 1 from jsonb_array_elements(m.gates) gate where gate ->> 'verdict' is distinct from 'pass')
          and not exists (select 1 from decision d where d.subject_kind = 'model' and d.subject_id = m.id
              and d.decision = 'request_changes')
    ) then
        raise exception 'no version goes on by itself but one that the signed document lets' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger policy_promotion_allowed before insert or update or delete on policy_promotion
    for each row execute function promote_by_policy();

create or replace function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.stage is distinct from old.stage and new.stage in ('approved', 'live')
        and not exists (select 1 from policy_promotion p where p.model_version_id = new.id) and (
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
",
    r"
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
drop table policy_promotion;
drop function promote_by_policy();
drop table trigger_event;
drop function keep_trigger_event();
drop table retraining;
alter table mail drop column thread;
drop table incident_event;
drop function keep_incident_event();
drop table incident;
drop table business_value;
drop table monitor_window;
drop function keep_monitor_window();
drop table live_count;
"
);
