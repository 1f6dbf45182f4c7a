//! Reading and verifying the audit trail.

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::audit::{BrokenChain, Verifier};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{AuditFilter, AuditRow, AuditView};
use millrace_storage::audit::{self, Filter};

use crate::{Result, Services, fault, page_size};

/// Rows shown on one page.
const PAGE: u32 = 100;

/// Rows of one export.
const EXPORT: u32 = 50_000;

impl Services {
    /// A slice of the trail, newest first.
    ///
    /// # Errors
    /// For callers who may not read it, and 400 for a moment that is none.
    pub async fn audit(&self, actor: &Actor, filter: &AuditFilter, size: Option<u32>) -> Result<AuditView> {
        self.authorise(actor, Action::ReadAudit, "audit").await?;
        let size = page_size(size, PAGE)?;
        let rows = self.audit_rows(filter, size).await?;
        let next = (rows.len() == size as usize).then(|| rows.last().map(|row| row.sequence)).flatten();
        let head = self.audit_head().await?.map(|(sequence, hash)| (sequence, hash.to_string()));
        Ok(AuditView { rows, next, head, filter: filter.clone() })
    }

    /// The same slice whole, for an export: at most 50,000 rows.
    ///
    /// # Errors
    /// For callers who may not read it, and 400 for a moment that is none.
    pub async fn export_audit(&self, actor: &Actor, filter: &AuditFilter) -> Result<Vec<AuditRow>> {
        self.authorise(actor, Action::ReadAudit, "audit").await?;
        self.audit_rows(filter, EXPORT).await
    }

    async fn audit_rows(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditRow>> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if [&filter.actor, &filter.action, &filter.object].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(Fault::invalid("a filter must not contain NUL", Vec::new()));
        }
        let slice = Filter {
            actor: given(&filter.actor),
            action: given(&filter.action),
            object: given(&filter.object),
            from: moment("/from", &filter.from)?,
            to: moment("/to", &filter.to)?,
            before: filter.before,
        };
        let links = audit::list(self.db.pool(), &slice, limit).await.map_err(fault)?;
        Ok(links
            .into_iter()
            .map(|link| AuditRow {
                sequence: link.entry.sequence,
                at: link.entry.at,
                actor: link.entry.actor,
                via: link.entry.via,
                action: link.entry.action,
                object: link.entry.object,
                digest: link.entry.digest.map(|digest| digest.to_string()),
                outcome: link.entry.outcome.as_str().to_owned(),
                address: link.entry.address,
                request: link.entry.request,
                details: link.entry.details,
                hash: link.hash.to_string(),
            })
            .collect())
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

/// A day (`2026-03-01`) or a moment (RFC 3339); none when nothing was given.
pub fn moment(pointer: &str, text: &Option<String>) -> Result<Option<DateTime<Utc>>> {
    let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let day = text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|day| day.and_utc());
    let at = day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()));
    at.map(Some).ok_or_else(|| Fault::field(pointer, "must be a day such as 2026-03-01, or a moment in RFC 3339"))
}

/// Two such moments, both of which have to be given.
///
/// # Errors
/// 400 for one that is missing or is none.
pub fn stretch(from: &str, to: &str) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let read = |pointer: &str, text: &str| {
        let at = moment(pointer, &Some(text.to_owned()))?;
        at.ok_or_else(|| Fault::field(pointer, "must be given: a day such as 2026-03-01, or a moment in RFC 3339"))
    };
    Ok((read("/from", from)?, read("/to", to)?))
}
