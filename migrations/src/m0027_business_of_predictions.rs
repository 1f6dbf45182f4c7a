//! Values of the business metric that belong to predictions, summed by unit where a canary compares them; what a message to a webhook is
//! about.

crate::sql_migration!(
    r"
alter table business_value add column prediction_id uuid references prediction (id);

alter table rollout_unit
    add column candidate_values int not null default 0,
    add column candidate_value double precision not null default 0,
    add column control_values int not null default 0,
    add column control_value double precision not null default 0;

-- What it is about: messages to one webhook about one thing go out in their order. It may be there where an unreleased form of the table was
-- made; messages from before it are one subject, and keep their order too.
alter table webhook_message add column if not exists subject text not null default '';
alter table webhook_message alter column subject drop default;
",
    r"
alter table webhook_message drop column subject;
alter table rollout_unit
    drop column candidate_values, drop column candidate_value, drop column control_values, drop column control_value;
alter table business_value drop column prediction_id;
"
);
