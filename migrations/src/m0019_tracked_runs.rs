//! Tracked runs: what a program elsewhere logs of its own training. They are runs of a problem and are listed and compared as such, and
//! nothing can come of them: no step, no model version.

crate::sql_migration!(
    r"
alter table run add column kind text not null default 'pipeline' check (kind in ('pipeline', 'tracked')),
    add column name text check (length(name) <= 250),
    add column tags jsonb not null default '{}';
alter table run alter column dataset_version_id drop not null;
alter table run add constraint run_of_data check ((kind = 'tracked') = (dataset_version_id is null)),
    add constraint tracked_repeats_nothing check (kind = 'pipeline' or reproduces is null);

-- What is tried elsewhere needs no signature, since nothing comes of it.
drop trigger run_signed_off on run;
create trigger run_signed_off before insert on run
    for each row when (new.reproduces is null and new.kind = 'pipeline') execute function run_needs_sign_off();

drop trigger run_of_examples on run;
create trigger run_of_examples before insert or update of dataset_version_id on run
    for each row when (new.kind = 'pipeline') execute function run_reads_role('examples');

create function keep_kind() returns trigger language plpgsql as $$
begin
    raise exception 'a run stays what it is' using errcode = 'restrict_violation';
end $$;
create trigger run_kind_kept before update of kind on run
    for each row when (old.kind <> new.kind) execute function keep_kind();

create function register_nothing_tracked() returns trigger language plpgsql as $$
begin
    if exists (select 1 from run r where r.id = new.run_id and r.kind = 'tracked') then
        raise exception 'a tracked run registers nothing: its data and code were not checked' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger model_version_of_nothing_tracked before insert on model_version
    for each row execute function register_nothing_tracked();

create function compute_nothing_tracked() returns trigger language plpgsql as $$
begin
    if exists (select 1 from run r where r.id = new.subject_id and r.kind = 'tracked') then
        raise exception 'a tracked run has no steps: it is computed elsewhere' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;
create trigger step_of_nothing_tracked before insert on step
    for each row when (new.subject_kind = 'run') execute function compute_nothing_tracked();

-- The course of metrics that were logged. The same point logged twice is one.
create table run_point (
    run_id bigint not null references run (id) on delete cascade,
    name   text not null,
    step   bigint not null,
    at     timestamptz not null,
    value  double precision not null,
    primary key (run_id, name, step, at, value)
);

-- Where the newest point of a logged metric is: the final value of the metric follows it.
alter table run_metric add column logged_step bigint, add column logged_at timestamptz,
    add constraint logged_somewhere check ((logged_step is null) = (logged_at is null));

-- Lists and pages tell every metric of a run.
create function log_so_many_metrics() returns trigger language plpgsql as $$
begin
    if (select count(*) from run_metric m where m.run_id = new.run_id and m.step = 0) > 2000 then
        raise exception 'a run has at most 2000 metrics; log other steps under the same names' using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
create trigger run_metric_limit after insert on run_metric
    for each row when (new.logged_step is not null) execute function log_so_many_metrics();
",
    r"
drop trigger run_metric_limit on run_metric;
drop function log_so_many_metrics();
drop trigger step_of_nothing_tracked on step;
drop function compute_nothing_tracked();
alter table run_metric drop constraint logged_somewhere, drop column logged_step, drop column logged_at;
drop table run_point;
drop trigger model_version_of_nothing_tracked on model_version;
drop function register_nothing_tracked();
drop trigger run_kind_kept on run;
drop function keep_kind();
drop trigger run_signed_off on run;
delete from run where kind = 'tracked';
create trigger run_signed_off before insert on run
    for each row when (new.reproduces is null) execute function run_needs_sign_off();
drop trigger run_of_examples on run;
create trigger run_of_examples before insert or update of dataset_version_id on run
    for each row execute function run_reads_role('examples');
alter table run drop constraint tracked_repeats_nothing, drop constraint run_of_data;
alter table run alter column dataset_version_id set not null;
alter table run drop column kind, drop column name, drop column tags;
"
);
