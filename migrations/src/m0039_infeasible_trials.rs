//! A trial whose model could not serve by its document is infeasible, not failed.

crate::sql_migration!(
    r"
alter table trial drop constraint trial_state_check;
alter table trial add constraint trial_state_check
    check (state in ('succeeded', 'failed', 'infeasible', 'pruned', 'stopped'));
update trial set state = 'infeasible', message = substr(message, 13) where state = 'failed' and message like 'infeasible: %';
",
    r"
update trial set state = 'failed', message = 'infeasible: ' || message where state = 'infeasible';
alter table trial drop constraint trial_state_check;
alter table trial add constraint trial_state_check check (state in ('succeeded', 'failed', 'pruned', 'stopped'));
"
);
