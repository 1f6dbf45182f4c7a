//! Business metrics that are read by a query. What documents ask to have looked at all the time is found by an index.

crate::sql_migration!(
    r"
create table business_look (
    problem_id bigint primary key references problem (id),
    -- What is read, and since when: windows that had ended before are not.
    terms      bytea not null check (length(terms) = 32),
    since      timestamptz,
    next_at    timestamptz not null,
    looked_at  timestamptz,
    -- The end of the newest window whose value was held against the limit.
    until      timestamptz,
    -- Why the last look came to nothing, if it did.
    error      text
);
create index problem_version_business on problem_version (problem_id)
    where state = 'approved' and document -> 'business' ? 'query';
create index problem_version_sources on problem_version (problem_id) where state = 'approved' and document ? 'sources';
create index problem_version_retraining on problem_version (problem_id) where state = 'approved' and document ? 'retraining';
",
    r"
drop index problem_version_retraining;
drop index problem_version_sources;
drop index problem_version_business;
drop table business_look;
"
);
