//! Values of the business metric that belong to predictions, summed by unit where a canary compares them.

crate::sql_migration!(
    r"
alter table business_value add column prediction_id uuid references prediction (id);

alter table rollout_unit
    add column candidate_values int not null default 0,
    add column candidate_value double precision not null default 0,
    add column control_values int not null default 0,
    add column control_value double precision not null default 0;
",
    r"
alter table rollout_unit
    drop column candidate_values, drop column candidate_value, drop column control_values, drop column control_value;
alter table business_value drop column prediction_id;
"
);
