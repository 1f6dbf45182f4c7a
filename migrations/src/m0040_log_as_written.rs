//! The prediction log keeps documents as they were written. Taking each apart, putting its keys in order and writing its numbers anew
//! was a quarter of what logging an answer cost Postgres. The table is written anew: about ten seconds for a million rows, in which servers go on
//! answering and keep as many lines as their queue holds.

crate::sql_migration!(
    r"
alter table prediction alter inputs type json, alter output type json, alter joined type json;
",
    r"
alter table prediction alter inputs type jsonb, alter output type jsonb, alter joined type jsonb;
"
);
