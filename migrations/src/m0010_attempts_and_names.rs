//! Attempts that can be taken back one by one, and the name under which a decision was made.

crate::sql_migration!(
    r"
alter table sign_in_failure add column id bigint generated always as identity primary key;

-- A later name of the same person does not rewrite what was decided under an earlier one.
alter table decision add column account_name text check (length(account_name) between 1 and 100);
",
    r"
alter table decision drop column account_name;
alter table sign_in_failure drop column id;
"
);
