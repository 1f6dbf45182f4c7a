//! Roles that the sign-in elsewhere gave are told from those that an admin gave, so that they go when it gives them no more. An account is one
//! person there.

crate::sql_migration!(
    r"
alter table account_role add column is_vouched boolean not null default false;
-- Nobody of the workspace answers for an account whose roles come from elsewhere.
update account_role r set is_vouched = true from account a
where a.id = r.account_id and a.password_hash is null
  and exists (select 1 from identity i where i.account_id = a.id)
  and not exists (select 1 from voucher v where v.account_id = a.id);

delete from identity later using identity first
where later.account_id = first.account_id
  and (later.created_at, later.issuer, later.subject) > (first.created_at, first.issuer, first.subject);
create unique index identity_of_account on identity (account_id);
",
    r"
drop index identity_of_account;
alter table account_role drop column is_vouched;
"
);
