//! When what must never stand still was last seen at work.

crate::sql_migration!(
    r"
create table heartbeat (
    name     text primary key check (name in ('watch', 'letters', 'rollouts')),
    began_at timestamptz not null,
    beat_at  timestamptz not null check (beat_at >= began_at),
    -- Since when it has been told that it stands still.
    told_at  timestamptz
);
",
    r"
drop table heartbeat;
"
);
