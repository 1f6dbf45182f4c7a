//! Who let a rollout wait, why and since when. Of one that was paused before, or by an earlier program on this schema, it is not known.

crate::sql_migration!(
    r"
alter table rollout
    add column paused_by bigint references account (id),
    add column paused_at timestamptz,
    add column paused_for text;

-- What goes on is paused by nobody, whichever program lets it.
create function forget_pause() returns trigger language plpgsql as $$
begin
    new.paused_by := null;
    new.paused_at := null;
    new.paused_for := null;
    return new;
end $$;
create trigger rollout_goes_on before update on rollout for each row
    when (new.state <> 'paused' and old.paused_at is not null) execute function forget_pause();
",
    r"
drop trigger rollout_goes_on on rollout;
drop function forget_pause();
alter table rollout drop column paused_by, drop column paused_at, drop column paused_for;
"
);
