//! Alerts of one problem that fire at one look are told in one letter, and stand in one thread from then on.

crate::sql_migration!(
    r"
-- In whose thread it stands: that of the first alert which it was told to fire together with.
alter table incident add column told_with bigint references incident (id);
alter table incident add constraint incident_told_with_earlier check (told_with < id);
",
    r"
alter table incident drop constraint incident_told_with_earlier;
alter table incident drop column told_with;
"
);
