//! Reading and verifying the audit trail.

use millrace_domain::audit::{BrokenChain, Verifier};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{AuditFilter, AuditRow, AuditView};
use millrace_storage::audit::{self, Filter};

use crate::{Result, Services, fault};

/// Rows shown on one page.
const PAGE: u32 = 100;

impl Services {
    /// A slice of the trail, newest first.
    ///
    /// # Errors
    /// For callers who may not read it.
    pub async fn audit(&self, actor: &Actor, filter: &AuditFilter) -> Result<AuditView> {
        self.authorise(actor, Action::ReadAudit, "audit").await?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let slice = Filter {
            actor: given(&filter.actor),
            action: given(&filter.action),
            object: given(&filter.object),
            before: filter.before,
        };
        let links = audit::list(self.db.pool(), &slice, PAGE).await.map_err(fault)?;
        let next = (links.len() == PAGE as usize).then(|| links.last().map(|link| link.entry.sequence)).flatten();
        let rows = links.into_iter().map(|link| AuditRow {
            sequence: link.entry.sequence,
            at: link.entry.at,
            actor: link.entry.actor,
            via: link.entry.via,
            action: link.entry.action,
            object: link.entry.object,
            digest: link.entry.digest.map(|digest| digest.to_string()),
            outcome: link.entry.outcome.as_str().to_owned(),
            details: link.entry.details,
            hash: link.hash.to_string(),
        });
        Ok(AuditView {
            rows: rows.collect(),
            next,
            actor: slice.actor.unwrap_or_default(),
            action: slice.action.unwrap_or_default(),
            object: slice.object.unwrap_or_default(),
        })
    }

    /// Follows the whole chain.
    ///
    /// # Errors
    /// When the database fails; a broken chain is the inner result.
    pub async fn verify_audit(&self) -> Result<std::result::Result<Verifier, BrokenChain>> {
        audit::verify(self.db.pool()).await.map_err(fault)
    }

    /// Position and hash of the newest entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&self) -> Result<Option<(i64, millrace_domain::Digest)>> {
        audit::head(self.db.pool()).await.map_err(fault)
    }
}
