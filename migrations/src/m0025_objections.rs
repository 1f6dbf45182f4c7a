//! What went on by policy stops where somebody objects; nothing is said to have started a run that it did not start.

crate::sql_migration!(
    r"
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

create or replace function keep_trigger_event() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.run_id is not null or new.ended is not null then
            raise exception 'what comes up has started nothing yet' using errcode = 'restrict_violation';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' or old.run_id is not null or old.ended is not null
        or (new.problem_id, new.reason, new.key, new.at) is distinct from (old.problem_id, old.reason, old.key, old.at) then
        raise exception 'what started a training stays written' using errcode = 'restrict_violation';
    end if;
    if new.run_id is not null and not exists (
        select 1 from run r join problem_version v on v.id = r.problem_version_id
        where r.id = new.run_id and v.problem_id = new.problem_id
    ) then
        raise exception 'a training is of the problem whose reason started it' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
drop trigger trigger_event_kept on trigger_event;
create trigger trigger_event_kept before insert or update or delete on trigger_event
    for each row execute function keep_trigger_event();

create index outcome_received_at on outcome (received_at);

-- When whoever is on call was first told since it fired.
alter table incident add column heard_at timestamptz;
update incident set heard_at = fired_at where told = 'firing';
",
    r"
alter table incident drop column heard_at;
drop index outcome_received_at;
drop trigger trigger_event_kept on trigger_event;
create trigger trigger_event_kept before update or delete on trigger_event
    for each row execute function keep_trigger_event();
"
);
