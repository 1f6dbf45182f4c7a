//! How the evidence of a rollout grew. Looks of an earlier program on this schema are not kept.

crate::sql_migration!(
    r"
-- The last look of each slot of a step (millrace_domain::rollout::slot_of).
create table rollout_look (
    rollout_id bigint not null references rollout (id),
    step       int not null,
    slot       int not null,
    looked_at  timestamptz not null,
    checks     jsonb not null,
    primary key (rollout_id, step, slot)
);
",
    r"
drop table rollout_look;
"
);
