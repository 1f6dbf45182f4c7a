//! Problems, their immutable versions, and review decisions.

crate::sql_migration!(
    r"
create table problem (
    id         bigint generated always as identity primary key,
    slug       text not null unique check (slug ~ '^[a-z][a-z0-9-]{0,61}[a-z0-9]$'),
    created_at timestamptz not null
);

create table problem_version (
    id           bigint generated always as identity primary key,
    problem_id   bigint not null references problem (id),
    number       int not null check (number > 0),
    document     jsonb not null,
    digest       bytea not null check (length(digest) = 32),
    state        text not null check (state in ('draft', 'in_review', 'approved', 'superseded')),
    author_id    bigint not null references account (id),
    created_at   timestamptz not null,
    submitted_at timestamptz,
    approved_at  timestamptz,
    unique (problem_id, number)
);
create unique index problem_version_one_approved on problem_version (problem_id) where state = 'approved';
create unique index problem_version_one_open on problem_version (problem_id) where state in ('draft', 'in_review');

create table decision (
    id           bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('problem', 'model')),
    subject_id   bigint not null,
    digest       bytea not null check (length(digest) = 32),
    account_id   bigint not null references account (id),
    decision     text not null check (decision in ('approve', 'request_changes', 'comment')),
    comment      text not null check (length(comment) <= 10000),
    decided_at   timestamptz not null
);
create index decision_subject on decision (subject_kind, subject_id, id);
create unique index decision_one_approval on decision (subject_kind, subject_id, digest, account_id)
    where decision = 'approve';

create trigger decision_append_only before update or delete or truncate on decision
    for each statement execute function refuse_change();

-- What people sign cannot change under their signature.
create function keep_problem_version() returns trigger language plpgsql as $$
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
create trigger problem_version_kept before update on problem_version
    for each row execute function keep_problem_version();
",
    r"
drop table decision;
drop table problem_version;
drop function keep_problem_version();
drop table problem;
"
);
