//! The squares of how far the losses of both models of a rollout could have been apart, whatever the truth had been: while a rare truth has
//! not been seen, the differences that were seen vary too little to be judged by. Of what an earlier program counts nothing is known, and it
//! widens nothing.

crate::sql_migration!(
    r"
alter table rollout_unit add column reach_squared float8 not null default 0;
",
    r"
alter table rollout_unit drop column reach_squared;
"
);
