//! Accounts, roles, sessions, set-up codes and API tokens. Secrets are stored only as hashes.

crate::sql_migration!(
    r"
create table account (
    id            bigint generated always as identity primary key,
    email         text not null unique check (email = lower(email) and length(email) <= 254),
    name          text not null check (length(name) between 1 and 100),
    password_hash text not null,
    disabled_at   timestamptz,
    created_at    timestamptz not null
);

create table account_role (
    account_id bigint not null references account (id) on delete cascade,
    role       text not null check (role in ('stakeholder', 'ml_engineer', 'on_call', 'admin')),
    primary key (account_id, role)
);

-- A session ends by revoked_at, never by deletion: a request in flight cannot bring it back.
create table login_session (
    id_hash      bytea primary key check (length(id_hash) = 32),
    account_id   bigint not null references account (id) on delete cascade,
    created_at   timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at   timestamptz not null,
    revoked_at   timestamptz
);
create index login_session_account on login_session (account_id) where revoked_at is null;

create table setup_code (
    code_hash  bytea primary key check (length(code_hash) = 32),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);

create table api_token (
    id           bigint generated always as identity primary key,
    account_id   bigint not null references account (id) on delete cascade,
    name         text not null check (length(name) between 1 and 100),
    token_hash   bytea not null unique check (length(token_hash) = 32),
    prefix       text not null,
    scopes       jsonb not null,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
create index api_token_account on api_token (account_id);

create table sign_in_failure (
    subject   text not null,
    failed_at timestamptz not null
);
create index sign_in_failure_subject on sign_in_failure (subject, failed_at);

create table idempotency (
    account_id   bigint not null references account (id) on delete cascade,
    key          text not null check (length(key) between 1 and 200),
    request_hash bytea not null,
    status       int not null,
    response     jsonb not null,
    created_at   timestamptz not null,
    primary key (account_id, key)
);

-- What a form without scripts leaves for the next page to show, found by a cookie whose hash is the key.
create table kept_note (
    key_hash   bytea primary key check (length(key_hash) = 32),
    content    jsonb not null,
    expires_at timestamptz not null
);
",
    r"
drop table kept_note;
drop table idempotency;
drop table sign_in_failure;
drop table api_token;
drop table setup_code;
drop table login_session;
drop table account_role;
drop table account;
"
);
