//! What fired and was over before it could be told is told once. What had been so before is not told any more.

crate::sql_migration!(
    r"
update incident set told = 'resolved', told_at = fired_at
    where state = 'resolved' and fired_at is not null and (silenced_until is null or silenced_until <= fired_at)
        and (told is null or told_at < fired_at and told_at + interval '1 hour' <= resolved_at and told = 'resolved');
",
    r"
select 1;
"
);
