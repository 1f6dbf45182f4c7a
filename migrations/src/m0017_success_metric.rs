//! The success metric beside the document that names it: lists of runs read it for every line, and a document is large.

crate::sql_migration!(
    r"
alter table problem_version add column success_metric text
    generated always as (document -> 'success' ->> 'metric') stored;
",
    r"
alter table problem_version drop column success_metric;
"
);
