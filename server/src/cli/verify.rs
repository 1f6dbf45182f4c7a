//! `verify`: the audit chain, the artifacts, and what must always hold.

use anyhow::bail;
use millrace_domain::Digest;
use millrace_services::Services;
use millrace_storage::{artifact, invariant};
use serde_json::json;

use crate::config::Storage;
use crate::wiring;

/// What was found in order.
pub struct Verified {
    /// Entries of the audit trail.
    pub entries: i64,
    /// Hash of the newest one.
    pub head: Digest,
    /// Artifacts that have the content their names say.
    pub artifacts: usize,
}

/// Checks everything; the first violation is the error.
pub async fn check(services: &Services) -> anyhow::Result<Verified> {
    let chain = services.verify_audit().await?.map_err(|broken| anyhow::anyhow!("audit trail: {broken}"))?;
    let artifacts = artifact::all(services.db().pool()).await?;
    for digest in &artifacts {
        services.artifacts().open_file(digest).await?;
    }
    if let Some(violation) = invariant::first_violation(services.db().pool()).await? {
        bail!("{violation}");
    }
    Ok(Verified { entries: chain.length(), head: *chain.head(), artifacts: artifacts.len() })
}

/// `verify`.
pub async fn verify(storage: Storage, as_json: bool) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, wiring::Told::default()).await?;
    let Verified { entries, head, artifacts } = check(&parts.services).await?;
    if as_json {
        println!("{}", json!({ "audit_entries": entries, "audit_head": head, "artifacts": artifacts }));
    } else {
        println!("audit trail: {entries} entries verified, head {head}");
        println!("artifacts: {artifacts} verified");
        println!("invariants: all hold");
    }
    Ok(())
}
