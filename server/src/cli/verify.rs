//! `verify`: the audit chain, the artifacts, and what must always hold.

use anyhow::bail;
use millrace_storage::{artifact, invariant};
use serde_json::json;

use crate::config::Storage;
use crate::wiring;

/// Checks everything; the first violation is the error.
pub async fn verify(storage: Storage, as_json: bool) -> anyhow::Result<()> {
    let parts = wiring::open(&storage).await?;
    let services = &parts.services;
    let chain = services.verify_audit().await?.map_err(|broken| anyhow::anyhow!("audit trail: {broken}"))?;
    let artifacts = artifact::all(services.db().pool()).await?;
    for digest in &artifacts {
        services.artifacts().get(digest).await?;
    }
    if let Some(violation) = invariant::first_violation(services.db().pool()).await? {
        bail!("{violation}");
    }
    let (entries, head) = (chain.length(), chain.head());
    if as_json {
        println!("{}", json!({ "audit_entries": entries, "audit_head": head, "artifacts": artifacts.len() }));
    } else {
        println!("audit trail: {entries} entries verified, head {head}");
        println!("artifacts: {} verified", artifacts.len());
        println!("invariants: all hold");
    }
    Ok(())
}
