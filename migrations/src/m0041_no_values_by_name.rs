//! Runs are searched by the values of metrics run by run, through the primary key. The index by name and value was written at every value
//! that was logged, and led plans astray of which nothing was known yet.

crate::sql_migration!(
    r"
drop index run_metric_value;
",
    r"
create index run_metric_value on run_metric (name, value, run_id) where step = 0;
"
);
