//! What fired and was over before it could be told is told once. What had been so before is not told any more.

crate::sql_migration!(
    r"
update incident set told = 'resolved', told_at = coalesce(resolved_at, fired_at)
    where state = 'resolved' and told is null and fired_at is not null
        and (silenced_until is null or silenced_until <= fired_at);
",
    r"
select 1;
"
);
