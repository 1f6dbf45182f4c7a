//! `verify`: the audit chain, the artifacts, and what must always hold; `verify-pack`: what a version rests on, without a server.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use millrace_domain::{Digest, evidence};
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

/// Bytes of a pack's files together that are read at most.
const LARGEST_PACK: u64 = 8 << 30;

/// `verify-pack`.
pub fn verify_pack(file: &Path, known: Option<Digest>, as_json: bool) -> anyhow::Result<()> {
    let files = unpacked(file).with_context(|| format!("{} is no evidence pack", file.display()))?;
    let mut holds = evidence::check(&files).with_context(|| format!("{} proves nothing", file.display()))?;
    let manifest: evidence::Manifest = serde_json::from_slice(&files[evidence::MANIFEST])?;
    let mut open = None;
    match known {
        Some(known) if known != manifest.digest => {
            bail!("{} is of a version with the digest {}, not of {known}", file.display(), manifest.digest)
        }
        Some(_) => holds.push("it is the version that was meant".to_owned()),
        None => {
            open =
                Some("compare the digest with the server's, or give it with --digest: a pack is not signed".to_owned());
        }
    }
    if as_json {
        println!("{}", json!({ "holds": holds, "open": open }));
    } else {
        holds.iter().chain(&open).for_each(|line| println!("{line}"));
    }
    Ok(())
}

/// The files of the archive by name, below the one directory that it has. Nothing is written anywhere.
fn unpacked(file: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut left = LARGEST_PACK;
    for entry in tar::Archive::new(File::open(file)?).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str()).context("a file has no name")?.to_owned();
        if path.components().count() != 2 || !entry.header().entry_type().is_file() {
            bail!("{} is not a plain file in the pack's one directory", path.display());
        }
        left = left.checked_sub(entry.size()).context("it is larger than any pack")?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if files.insert(name.clone(), content).is_some() {
            bail!("{name} is in it twice");
        }
    }
    Ok(files)
}
