//! Checks that are muted for a while.

crate::sql_migration!(
    r"
create table check_mute (
    id          bigint generated always as identity primary key,
    dataset_id  bigint not null references dataset (id),
    check_name  text not null,
    column_name text,
    -- What stops the pipeline cannot be muted.
    severity    text not null check (severity in ('warning', 'info')),
    reason      text not null check (length(btrim(reason)) between 3 and 500),
    muted_by    bigint not null references account (id),
    muted_at    timestamptz not null,
    until       timestamptz not null check (until > muted_at and until <= muted_at + interval '90 days'),
    lifted_by   bigint references account (id),
    lifted_at   timestamptz,
    check ((lifted_by is null) = (lifted_at is null))
);
create unique index check_mute_open on check_mute (dataset_id, check_name, coalesce(column_name, ''))
    where lifted_at is null;

create function keep_check_mute() returns trigger language plpgsql as $$
begin
    if old.lifted_at is not null or (to_jsonb(new) - 'lifted_by' - 'lifted_at')
        is distinct from (to_jsonb(old) - 'lifted_by' - 'lifted_at') then
        raise exception 'a mute can only be lifted, once' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger check_mute_kept before update on check_mute for each row execute function keep_check_mute();
",
    r"
drop table check_mute;
drop function keep_check_mute();
"
);
