//! Roles on one problem, second factors, one-time links, mail, sign-in elsewhere, what reviewers were shown, sign-offs that run
//! out, and the role the application works under, which can't change the audit trail.

crate::sql_migration!(
    r"
alter table account_role add column problem_id bigint references problem (id);
alter table account_role drop constraint account_role_pkey;
create unique index account_role_once on account_role (account_id, role, coalesce(problem_id, 0));

-- Somebody who was invited, or comes by another sign-in, has no password.
alter table account
    alter column password_hash drop not null,
    add column totp_sealed bytea,
    add column totp_since timestamptz,
    add column totp_step bigint not null default 0,
    add check (totp_since is null or totp_sealed is not null);

create table recovery_code (
    account_id bigint not null references account (id) on delete cascade,
    code_hash  bytea not null check (length(code_hash) = 32),
    used_at    timestamptz,
    primary key (account_id, code_hash)
);

create table mail_link (
    code_hash  bytea primary key check (length(code_hash) = 32),
    purpose    text not null check (purpose in ('invite', 'reset')),
    account_id bigint not null references account (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);
create index mail_link_account on mail_link (account_id);

alter table login_session
    add column id bigint generated always as identity unique,
    add column stage text not null default 'open' check (stage in ('second_factor', 'open')),
    add column address text not null default '',
    add column agent text not null default '' check (length(agent) <= 300),
    add column confirmed_at timestamptz;

-- Who somebody is at another sign-in (OpenID Connect).
create table identity (
    issuer     text not null,
    subject    text not null,
    account_id bigint not null references account (id) on delete cascade,
    created_at timestamptz not null,
    primary key (issuer, subject)
);

create table mail (
    id          bigint generated always as identity primary key,
    message_id  text not null unique,
    kind        text not null,
    account_id  bigint references account (id) on delete set null,
    recipient   text not null check (length(recipient) <= 254 and recipient !~ '[[:cntrl:]]'),
    subject     text not null check (length(subject) between 1 and 300 and subject !~ '[[:cntrl:]]'),
    text_body   text not null,
    html_body   text not null,
    -- A link that must not be readable here: sealed, put in when the mail goes out, and forgotten then.
    sealed_link bytea,
    state       text not null default 'queued' check (state in ('queued', 'sent', 'failed')),
    attempt     int not null default 0,
    next_at     timestamptz not null,
    lease_until timestamptz,
    last_error  text,
    created_at  timestamptz not null,
    sent_at     timestamptz
);
create index mail_ready on mail (next_at, id) where state = 'queued';
create index mail_recipient on mail (recipient, created_at);

create function announce_mail() returns trigger language plpgsql as $$
begin
    perform pg_notify('millrace_mail', '');
    return null;
end $$;
create trigger mail_announced after insert on mail for each statement execute function announce_mail();

alter table audit add column address text, add column request text;

alter table decision
    add column shown jsonb,
    add column waiver text check (length(waiver) between 1 and 10000);
-- An approval may be given again after changes were requested or the sign-off ran out; the rules in `domain` count them.
drop index decision_one_approval;

alter table problem_version add column sign_off_ends_at timestamptz;

-- As many people as the document asks for, none of them its author, since changes were last requested.
create or replace function keep_problem_version() returns trigger language plpgsql as $$
begin
    if new.document is distinct from old.document or new.digest is distinct from old.digest
        or new.author_id is distinct from old.author_id or new.number is distinct from old.number
        or new.problem_id is distinct from old.problem_id then
        raise exception 'a problem version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.state = 'approved' and (old.state <> 'approved' or new.sign_off_ends_at is distinct from old.sign_off_ends_at)
        and (select count(distinct d.account_id) from decision d
             where d.subject_kind = 'problem' and d.subject_id = new.id and d.digest = new.digest
               and d.decision = 'approve' and d.account_id <> new.author_id
               and d.id > coalesce((select max(r.id) from decision r where r.subject_kind = 'problem'
                   and r.subject_id = new.id and r.decision = 'request_changes'), 0))
            < coalesce((new.document -> 'approvals' ->> 'specification')::numeric, 1) then
        raise exception 'a problem version is approved by as many others as it asks for'
            using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create or replace function run_needs_sign_off() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from problem_version v where v.id = new.problem_version_id and v.state = 'approved'
        and (v.sign_off_ends_at is null or v.sign_off_ends_at > new.created_at)) then
        raise exception 'a run needs a signed-off problem version' using errcode = 'restrict_violation';
    end if;
    if not exists (select 1 from dataset_version d where d.id = new.dataset_version_id and d.state = 'valid') then
        raise exception 'a run needs a valid dataset version' using errcode = 'restrict_violation';
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

-- The role the application works under. Where the migrating role may not make roles, an administrator can; see README.
do $$
begin
    if not exists (select 1 from pg_roles where rolname = 'millrace_app') then
        create role millrace_app nologin;
    end if;
exception
    when insufficient_privilege then raise notice 'the role millrace_app could not be made';
    when duplicate_object or unique_violation then null;
end $$;

do $$
begin
    if exists (select 1 from pg_roles where rolname = 'millrace_app') then
        grant usage on schema public to millrace_app;
        grant select, insert, update, delete on all tables in schema public to millrace_app;
        grant usage, select on all sequences in schema public to millrace_app;
        alter default privileges in schema public grant select, insert, update, delete on tables to millrace_app;
        alter default privileges in schema public grant usage, select on sequences to millrace_app;
        revoke update, delete, truncate on audit, decision from millrace_app;
        revoke insert, update, delete, truncate on seaql_migrations from millrace_app;
        if not pg_has_role(current_user, 'millrace_app', 'member') then
            execute format('grant millrace_app to %I', current_user);
        end if;
    end if;
end $$;
",
    r"
create or replace function run_needs_sign_off() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from problem_version v where v.id = new.problem_version_id and v.state = 'approved') then
        raise exception 'a run needs a signed-off problem version' using errcode = 'restrict_violation';
    end if;
    if not exists (select 1 from dataset_version d where d.id = new.dataset_version_id and d.state = 'valid') then
        raise exception 'a run needs a valid dataset version' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create or replace function keep_problem_version() returns trigger language plpgsql as $$
begin
    if new.document is distinct from old.document or new.digest is distinct from old.digest
        or new.author_id is distinct from old.author_id or new.number is distinct from old.number
        or new.problem_id is distinct from old.problem_id then
        raise exception 'a problem version is immutable' using errcode = 'restrict_violation';
    end if;
    if new.state = 'approved' and old.state <> 'approved' and not exists (
        select 1 from decision d
        where d.subject_kind = 'problem' and d.subject_id = new.id and d.digest = new.digest
          and d.decision = 'approve' and d.account_id <> new.author_id
    ) then
        raise exception 'a problem version is approved by somebody other than its author'
            using errcode = 'restrict_violation';
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

alter table problem_version drop column sign_off_ends_at;
alter table decision drop column shown, drop column waiver;
create unique index decision_one_approval on decision (subject_kind, subject_id, digest, account_id)
    where decision = 'approve';
alter table audit drop column address, drop column request;
drop table mail;
drop function announce_mail();
drop table identity;
alter table login_session
    drop column id, drop column stage, drop column address, drop column agent, drop column confirmed_at;
drop table mail_link;
drop table recovery_code;
alter table account drop column totp_step, drop column totp_since, drop column totp_sealed;
delete from account where password_hash is null;
alter table account alter column password_hash set not null;
delete from account_role where problem_id is not null;
drop index account_role_once;
alter table account_role drop column problem_id;
alter table account_role add primary key (account_id, role);

do $$
begin
    if exists (select 1 from pg_roles where rolname = 'millrace_app') then
        alter default privileges in schema public revoke all on tables from millrace_app;
        alter default privileges in schema public revoke all on sequences from millrace_app;
        revoke all on all tables in schema public from millrace_app;
        revoke all on all sequences in schema public from millrace_app;
        revoke usage on schema public from millrace_app;
    end if;
end $$;
"
);
