//! The prediction log and the outcomes that callers report later.

crate::sql_migration!(
    r"
create table prediction (
    id               uuid primary key,
    model_version_id bigint not null references model_version (id),
    generation       bigint not null,
    entity           text,
    inputs           jsonb not null,
    output           jsonb not null,
    event_time       timestamptz,
    predicted_at     timestamptz not null
);
create index prediction_version on prediction (model_version_id, predicted_at);

create table outcome (
    prediction_id uuid primary key references prediction (id),
    label         jsonb not null,
    observed_at   timestamptz not null,
    received_at   timestamptz not null
);
",
    r"
drop table outcome;
drop table prediction;
"
);
