//! Whether the bytes of what is live, or on its way, are still those that were registered.

use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Origin;
use millrace_storage::deployment;
use millrace_storage::model::{self, ModelVersion};
use millrace_storage::{StorageError, audit, rollout};
use serde_json::json;

use crate::{Result, Services, commit, fault};

impl Services {
    /// Refuses a version whose bytes cannot be read as they were registered.
    pub(crate) async fn is_whole(&self, version: &ModelVersion) -> Result<()> {
        match self.artifacts.get(&version.artifact).await {
            Ok(_) => Ok(()),
            Err(StorageError::Corrupt { reason, .. }) => Err(Fault::conflict(
                "artifact_corrupt",
                format!(
                    "the kept bytes of version {} are not those that were registered ({reason}); bring artifact {} back from \
                     a backup, or train a new version",
                    version.number, version.artifact
                ),
            )),
            Err(error) => Err(fault(error)),
        }
    }

    /// Reads the bytes of everything that is live, on its way, or what a rollback would bring back. What cannot be read as it was registered is told to whoever is on call,
    /// once until it is whole again; servers go on with what they have in memory. Gives how many are not whole.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_live_artifacts(&self) -> Result<u64> {
        let pool = self.db.pool();
        let open = rollout::list_open(pool).await.map_err(fault)?;
        let mut versions: Vec<_> = open.iter().flat_map(|open| [open.candidate, open.champion]).collect();
        for deployment in deployment::list(pool).await.map_err(fault)? {
            let Some(champion) = deployment.champion else { continue };
            let history = deployment::moves(pool, deployment.problem).await.map_err(fault)?;
            versions.extend([Some(champion), deployment::rollback_target(&history, champion)].into_iter().flatten());
        }
        versions.sort_unstable();
        versions.dedup();
        let alarmed = model::alarmed(pool).await.map_err(fault)?;
        let mut broken = 0;
        for version in model::find_all(pool, &versions).await.map_err(fault)? {
            match self.is_whole(&version).await {
                Ok(()) if alarmed.contains(&version.id.0) => {
                    model::clear_alarm(pool, version.id).await.map_err(fault)?
                }
                Ok(()) => {}
                Err(refused) if refused.code == "artifact_corrupt" => {
                    broken += 1;
                    self.alarm(&version, &refused.detail).await?;
                }
                // The store does not answer: nothing is known of the bytes.
                Err(error) => {
                    tracing::warn!(slug = version.slug, detail = error.detail, "an artifact could not be checked")
                }
            }
        }
        Ok(broken)
    }

    async fn alarm(&self, version: &ModelVersion, detail: &str) -> Result<()> {
        let tx = self.begin().await?;
        if !model::raise_alarm(&tx, version.id, self.now()).await.map_err(fault)? {
            return Ok(());
        }
        let act = audit::Act {
            actor: "artifact check",
            via: "none",
            action: "model.artifact_corrupt",
            object: format!("model/{}/v/{}", version.slug, version.number),
            digest: Some(version.digest),
            outcome: Outcome::Done,
            origin: &Origin::default(),
            details: json!({ "artifact": version.artifact }),
        };
        audit::append(&tx, act, self.now()).await.map_err(fault)?;
        let subject = format!("{}: the kept bytes of version {} are damaged", version.slug, version.number);
        let paragraphs = vec![
            format!("{detail}."),
            "Servers that run answer on from memory. One that starts now does not load it.".to_owned(),
        ];
        let facts = vec![
            ("Version".to_owned(), version.number.to_string()),
            ("Artifact".to_owned(), version.artifact.to_string()),
        ];
        self.tell_on_call(&tx, &version.slug, "artifact_corrupt", subject, paragraphs, facts).await?;
        commit(tx).await
    }
}
