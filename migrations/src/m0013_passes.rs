//! What ends when sessions end, who answers for whom, and who started a run anew.

crate::sql_migration!(
    r"
-- Goes up whenever all sessions of the account end: a sign-in that was begun before opens none.
alter table account add column generation bigint not null default 0;

-- Which admins made an account or gave it its roles. Bonds are added, never taken away by those who are bound; the host and another
-- sign-in answer for themselves and clear them.
create table voucher (
    account_id bigint not null references account (id),
    by_id      bigint not null references account (id),
    primary key (account_id, by_id),
    check (account_id <> by_id)
);
insert into voucher (account_id, by_id)
    select id, vouched_by from account where vouched_by is not null and vouched_by <> id;
alter table account drop column vouched_by;

-- Whoever starts a run anew is one of its authors.
alter table run add column retried_by jsonb not null default '[]';
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
          and d.id > coalesce((select max(c.id) from decision c where c.subject_kind = 'model'
              and c.subject_id = new.id and c.decision = 'request_changes'), 0)
    ) < coalesce((select (v.document -> 'approvals' ->> 'promotion')::numeric
                  from run r join problem_version v on v.id = r.problem_version_id where r.id = new.run_id), 1) then
        raise exception 'a model version goes live only with an approval by as many others as its problem asks for'
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
alter table run drop column retried_by;
alter table account add column vouched_by bigint references account (id);
update account a set vouched_by = (select min(v.by_id) from voucher v where v.account_id = a.id);
drop table voucher;
alter table account drop column generation;
"
);
