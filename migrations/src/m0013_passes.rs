//! What ends when sessions end, who answers for whom, and who started a run anew.

crate::sql_migration!(
    r"
-- Goes up whenever all sessions of the account end: a sign-in that was begun before opens none.
alter table account add column generation bigint not null default 0;

-- Which admins made an account or gave it its roles. Bonds are added, never taken away by those who are bound; the host and another
-- sign-in answer for themselves and clear them.
create table voucher (
    account_id bigint not null references account (id),
    by_id      bigint not null references account (id),
    primary key (account_id, by_id),
    check (account_id <> by_id)
);
insert into voucher (account_id, by_id)
    select id, vouched_by from account where vouched_by is not null and vouched_by <> id;
alter table account drop column vouched_by;

-- Whoever starts a run anew is one of its authors.
alter table run add column retried_by jsonb not null default '[]';
",
    r"
alter table run drop column retried_by;
alter table account add column vouched_by bigint references account (id);
update account a set vouched_by = (select min(v.by_id) from voucher v where v.account_id = a.id);
drop table voucher;
alter table account drop column generation;
"
);
