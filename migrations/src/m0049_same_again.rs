//! Content that comes back after other content is a version of its own, the newest: what a run then takes. One upload at a time of a dataset
//! decides, under the row that `dataset::ensure` locks.

crate::sql_migration!(
    r"
drop index dataset_version_same_source;
create index dataset_version_source on dataset_version (dataset_id, source);
",
    r"
drop index dataset_version_source;
create unique index dataset_version_same_source
    on dataset_version (dataset_id, source, problem_version_id, coalesce(base_id, 0)) where state in ('loading', 'valid');
"
);
