//! Which windows got their first value of the business metric after they were judged: these are held against the limit with the next window.

crate::sql_migration!(
    r"
alter table monitor_window add column business_late boolean not null default false;
create index monitor_window_late on monitor_window (problem_id) where business_late;
",
    r"
drop index monitor_window_late;
alter table monitor_window drop column business_late;
"
);
