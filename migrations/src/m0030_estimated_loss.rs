//! Alerts of quality that is estimated, and trainings for them. It cannot be undone as long as there are any: what happened stays written.

crate::sql_migration!(
    r"
alter table incident drop constraint incident_cause_check;
alter table incident add constraint incident_cause_check
    check (cause in ('drift', 'quality', 'estimate', 'freshness', 'no_data', 'business', 'retraining'));
alter table trigger_event drop constraint trigger_event_reason_check;
alter table trigger_event add constraint trigger_event_reason_check
    check (reason in ('schedule', 'new_rows', 'new_labels', 'drift', 'quality', 'estimated_loss', 'asked'));
",
    r"
alter table incident drop constraint incident_cause_check;
alter table incident add constraint incident_cause_check
    check (cause in ('drift', 'quality', 'freshness', 'no_data', 'business', 'retraining'));
alter table trigger_event drop constraint trigger_event_reason_check;
alter table trigger_event add constraint trigger_event_reason_check
    check (reason in ('schedule', 'new_rows', 'new_labels', 'drift', 'quality', 'asked'));
"
);
