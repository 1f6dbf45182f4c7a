//! Points of a metric that were logged together are one row.

crate::sql_migration!(
    r"
-- Each row has points of one metric that came together, as columns; a point that came twice is one to whoever reads. No key: nothing names a row.
create table run_points (
    run_id bigint not null references run (id) on delete cascade,
    name   text not null,
    step   bigint[] not null,
    at     timestamptz[] not null,
    value  double precision[] not null,
    constraint points_are_whole check (cardinality(step) > 0 and cardinality(at) = cardinality(step)
        and cardinality(value) = cardinality(step) and array_position(step, null) is null and array_position(at, null) is null
        and array_position(value, null) is null)
);
insert into run_points (run_id, name, step, at, value)
    select run_id, name, array_agg(step), array_agg(at), array_agg(value)
    from (select *, (row_number() over (partition by run_id, name order by step, at, value) - 1) / 10000 as part from run_point
        order by run_id, name, step, at, value) p
    group by run_id, name, part;
create index run_points_of_metric on run_points (run_id, name);
drop table run_point;

-- One look at a run for all the metrics that came together.
drop trigger run_metric_limit on run_metric;
create or replace function log_so_many_metrics() returns trigger language plpgsql as $$
begin
    if exists (select 1 from run_metric m where m.step = 0
            and m.run_id in (select g.run_id from given g where g.logged_step is not null)
            group by m.run_id having count(*) > 2000) then
        raise exception 'a run has at most 2000 metrics; log other steps under the same names' using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
create trigger run_metric_limit after insert on run_metric referencing new table as given
    for each statement execute function log_so_many_metrics();
",
    r"
drop trigger run_metric_limit on run_metric;
create or replace function log_so_many_metrics() returns trigger language plpgsql as $$
begin
    if (select count(*) from run_metric m where m.run_id = new.run_id and m.step = 0) > 2000 then
        raise exception 'a run has at most 2000 metrics; log other steps under the same names' using errcode = 'restrict_violation';
    end if;
    return null;
end $$;
create trigger run_metric_limit after insert on run_metric
    for each row when (new.logged_step is not null) execute function log_so_many_metrics();

create table run_point (
    run_id bigint not null references run (id) on delete cascade,
    name   text not null,
    step   bigint not null,
    at     timestamptz not null,
    value  double precision not null,
    primary key (run_id, name, step, at, value)
);
insert into run_point (run_id, name, step, at, value)
    select distinct c.run_id, c.name, p.step, p.at, p.value
    from run_points c, unnest(c.step, c.at, c.value) as p(step, at, value);
drop table run_points;
"
);
