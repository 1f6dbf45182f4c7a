//! When what must never stand still was last seen at work.

crate::sql_migration!(
    r"
create table heartbeat (
    name    text primary key check (name in ('watch', 'letters', 'rollouts')),
    beat_at timestamptz not null,
    -- Since when it has been told that it stands still.
    told_at timestamptz
);
-- What never begins stands still from now on.
insert into heartbeat (name, beat_at) values ('watch', now()), ('letters', now()), ('rollouts', now());
",
    r"
drop table heartbeat;
"
);
