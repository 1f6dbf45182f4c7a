//! What a server that was lost had counted and not written is marked in the windows that miss it.

crate::sql_migration!(
    r"
-- Servers that count, since each was started; one that stops in order takes itself off.
create table counting_server (
    -- As in live_count.
    server     uuid primary key,
    name       text not null,
    -- What it answered before is written.
    counted_to timestamptz not null
);
create index counting_server_counted_to on counting_server (counted_to);

-- Who had not written all of the window when it was judged, and since when; null where everything was counted.
alter table monitor_window add column uncounted jsonb;

create or replace function keep_monitor_window() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.problem_id, new.model_version_id, new.begins, new.ends, new.rule) is distinct from
            (old.problem_id, old.model_version_id, old.begins, old.ends, old.rule)
        or new.counts is distinct from old.counts or new.finding is distinct from old.finding
        or new.uncounted is distinct from old.uncounted then
        raise exception 'a window that was judged stays as it is; only what outcomes say is added' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
",
    r"
create or replace function keep_monitor_window() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.problem_id, new.model_version_id, new.begins, new.ends, new.rule) is distinct from
            (old.problem_id, old.model_version_id, old.begins, old.ends, old.rule)
        or new.counts is distinct from old.counts or new.finding is distinct from old.finding then
        raise exception 'a window that was judged stays as it is; only what outcomes say is added' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
alter table monitor_window drop column uncounted;
drop table counting_server;
"
);
