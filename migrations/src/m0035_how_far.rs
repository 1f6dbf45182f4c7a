//! A policy says how far a version goes without a person; alerts know since when nothing is known, and whether what was silenced was told.

crate::sql_migration!(
    r"
create or replace function promote_by_policy() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        raise exception 'what went on by itself stays written' using errcode = 'restrict_violation';
    end if;
    if not exists (
        select 1 from model_version m join run r on r.id = m.run_id join problem_version v on v.id = r.problem_version_id
        join trigger_event e on e.run_id = r.id
        where m.id = new.model_version_id and v.id = new.problem_version_id and v.state = 'approved'
          and v.document -> 'retraining' ->> 'promote' in ('shadow', 'canary', 'automatic') and r.retried_by = '[]'::jsonb
          and jsonb_array_length(m.gates) > 0
          and not exists (select 1 from jsonb_array_elements(m.gates) gate where gate ->> 'verdict' is distinct from 'pass')
          and not exists (select 1 from decision d where d.subject_kind = 'model' and d.subject_id = m.id
              and d.decision = 'request_changes')
    ) then
        raise exception 'no version goes on by itself but one that the signed document lets' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create or replace function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    -- By policy: one that has answered before comes back, a new one goes on as long as its document is in force and nobody objects; live
    -- only where that lets it go all the way.
    if new.stage is distinct from old.stage and new.stage in ('approved', 'live')
        and not exists (select 1 from policy_promotion p join problem_version v on v.id = p.problem_version_id
            where p.model_version_id = new.id and (
                exists (select 1 from deployment_change c where c.champion_id = new.id)
                or old.stage in ('registered', 'approved') and v.state = 'approved'
                    and (new.stage = 'approved' or v.document -> 'retraining' ->> 'promote' = 'automatic') and not exists (
                    select 1 from decision d where d.subject_kind = 'model' and d.subject_id = new.id
                        and d.decision = 'request_changes'))) and (
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

-- Since when a firing alert cannot be told from what is seen: nobody asks, or too few.
alter table incident add column blind_since timestamptz;
-- What ended in a silence before there was a letter about that is not told any more.
update incident set told = 'resolved', told_at = now() where state = 'resolved' and silenced_until is not null
    and (told is null or told_at < fired_at);
",
    r"
alter table incident drop column blind_since;

create or replace function keep_model_version() returns trigger language plpgsql as $$
begin
    if new.digest is distinct from old.digest or new.artifact is distinct from old.artifact
        or new.gates is distinct from old.gates or new.run_id is distinct from old.run_id
        or new.number is distinct from old.number or new.problem_id is distinct from old.problem_id then
        raise exception 'a model version is immutable' using errcode = 'restrict_violation';
    end if;
    -- By policy: one that has answered before comes back, a new one goes on as long as its document is in force and nobody objects.
    if new.stage is distinct from old.stage and new.stage in ('approved', 'live')
        and not exists (select 1 from policy_promotion p join problem_version v on v.id = p.problem_version_id
            where p.model_version_id = new.id and (
                exists (select 1 from deployment_change c where c.champion_id = new.id)
                or old.stage in ('registered', 'approved') and v.state = 'approved' and not exists (
                    select 1 from decision d where d.subject_kind = 'model' and d.subject_id = new.id
                        and d.decision = 'request_changes'))) and (
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

create or replace function promote_by_policy() returns trigger language plpgsql as $$
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
"
);
