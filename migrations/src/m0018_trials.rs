//! Steps side by side: the trials of a search are steps, and what they cost is counted.

crate::sql_migration!(
    r"
-- Steps of one position are parts of it. A part begins when all earlier positions have ended and, of its own, as many parts
-- as it waits for.
alter table step add column part int not null default 0 check (part >= 0),
    add column waits int not null default 0 check (waits >= 0 and waits <= part),
    add column cpu_s double precision not null default 0;
alter table step drop constraint step_subject_kind_subject_id_kind_key;
alter table step add unique (subject_kind, subject_id, position, part);

alter table trial drop constraint trial_state_check;
alter table trial add constraint trial_state_check check (state in ('succeeded', 'failed', 'pruned', 'stopped')),
    add column trainer text not null default '',
    add column share double precision not null default 1 check (share > 0 and share <= 1),
    add column iterations bigint;
update trial t set trainer = coalesce(r.request ->> 'trainer', '') from run r where r.id = t.run_id;
alter table trial alter column trainer drop default;

-- The trainer that was fitted; a search may choose among several.
alter table run add column trainer text;
update run set trainer = request ->> 'trainer' where parameters is not null;
",
    r"
alter table run drop column trainer;
alter table trial drop column trainer, drop column share, drop column iterations;
delete from trial where state in ('pruned', 'stopped');
alter table trial drop constraint trial_state_check;
alter table trial add constraint trial_state_check check (state in ('succeeded', 'failed'));
update step set reused_from = null where reused_from in (select id from step where kind = 'trial');
delete from step where kind = 'trial';
alter table step drop constraint step_subject_kind_subject_id_position_part_key;
alter table step add unique (subject_kind, subject_id, kind);
alter table step drop column part, drop column waits, drop column cpu_s;
"
);
