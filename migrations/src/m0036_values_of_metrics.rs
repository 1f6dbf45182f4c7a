//! Runs are found and ordered by the final values of a metric without looking at those of other metrics.

crate::sql_migration!(
    r"
create index run_metric_value on run_metric (name, value, run_id) where step = 0;
",
    r"
drop index run_metric_value;
"
);
