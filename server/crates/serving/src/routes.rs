//! The routing table.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use millrace_domain::ids::ModelVersionId;
use millrace_domain::problem::Data;
use millrace_ml::model::Model;
use millrace_storage::deployment::{self, Deployment};
use millrace_storage::{StorageError, model, problem, run};
use tokio_util::sync::CancellationToken;

use crate::Serving;

/// A model that answers.
#[derive(Debug)]
pub(crate) struct Live {
    pub generation: i64,
    pub version: ModelVersionId,
    pub number: i32,
    pub data: Data,
    pub model: Model,
}

type Table = HashMap<String, Arc<Live>>;

/// The present table; readers take it whole and never wait for a load.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    table: RwLock<Arc<Table>>,
    complete: AtomicBool,
}

impl Routes {
    /// The live model of a problem.
    pub(crate) fn find(&self, slug: &str) -> Option<Arc<Live>> {
        self.present().get(slug).cloned()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn present(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the model cannot be read: {0}")]
    Model(#[from] millrace_ml::model::ModelError),
    #[error("the model's {0} is missing")]
    Missing(&'static str),
}

impl Serving {
    /// Brings the table up to date. What cannot be loaded keeps its last good model.
    pub(crate) async fn reload(&self) {
        let wanted = match deployment::list(self.db.pool()).await {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::warn!(%error, "routes could not be looked up; the present ones stay");
                return;
            }
        };
        let present = self.routes.present();
        let mut table = Table::new();
        let mut complete = true;
        for deployment in wanted {
            let known = present.get(&deployment.slug);
            if let Some(live) = known.filter(|live| live.generation == deployment.generation) {
                table.insert(deployment.slug, Arc::clone(live));
                continue;
            }
            let Some(champion) = deployment.champion else { continue };
            match self.load(&deployment, champion).await {
                Ok(live) => {
                    tracing::info!(
                        slug = deployment.slug,
                        version = live.number,
                        generation = live.generation,
                        "model live"
                    );
                    table.insert(deployment.slug, Arc::new(live));
                }
                Err(error) => {
                    complete = false;
                    tracing::error!(slug = deployment.slug, %error, "the live model could not be loaded; the last good one stays");
                    if let Some(live) = known {
                        table.insert(deployment.slug, Arc::clone(live));
                    }
                }
            }
        }
        self.routes.replace(table);
        self.routes.complete.store(complete, Ordering::Release);
    }

    async fn load(&self, deployment: &Deployment, champion: ModelVersionId) -> Result<Live, LoadError> {
        let pool = self.db.pool();
        let version = model::find(pool, champion).await?.ok_or(LoadError::Missing("version"))?;
        let run = run::find(pool, version.run).await?.ok_or(LoadError::Missing("run"))?;
        let problem = problem::find_version(pool, run.problem_version).await?.ok_or(LoadError::Missing("document"))?;
        let content = self.artifacts.get(&version.artifact).await?;
        Ok(Live {
            generation: deployment.generation,
            version: version.id,
            number: version.number,
            data: problem.document.data,
            model: Model::from_bytes(&content)?,
        })
    }
}

/// Follows announcements, and looks every three seconds whether one was missed.
pub(crate) async fn follow(serving: Serving, shutdown: CancellationToken) {
    const LOOK: Duration = Duration::from_secs(3);
    while !shutdown.is_cancelled() {
        let mut announcements = match serving.db.listen(&["millrace_routing"]).await {
            Ok(announcements) => announcements,
            Err(error) => {
                tracing::warn!(%error, "cannot listen for routing changes; polling");
                tokio::time::sleep(LOOK).await;
                serving.reload().await;
                continue;
            }
        };
        serving.reload().await;
        loop {
            let lost = tokio::select! {
                heard = announcements.next() => heard.is_err(),
                () = tokio::time::sleep(LOOK) => false,
                () = shutdown.cancelled() => return,
            };
            serving.reload().await;
            if lost {
                break;
            }
        }
    }
}
