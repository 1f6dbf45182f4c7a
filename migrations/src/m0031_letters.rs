//! Letters with a picture, and readers who take no more of them about an alert.

crate::sql_migration!(
    r"
-- A figure as SVG; it goes out as PNG.
alter table mail add column chart text;

create table incident_left (
    incident_id bigint not null references incident (id),
    account_id  bigint not null references account (id),
    left_at     timestamptz not null,
    primary key (incident_id, account_id)
);
",
    r"
drop table incident_left;
alter table mail drop column chart;
"
);
