//! Who asks a model version for predictions. An earlier program on this schema notes nobody.

crate::sql_migration!(
    r"
create table version_caller (
    model_version_id bigint not null references model_version (id),
    token_id         bigint not null references api_token (id),
    first_at         timestamptz not null,
    last_at          timestamptz not null,
    primary key (model_version_id, token_id)
);
",
    r"
drop table version_caller;
"
);
