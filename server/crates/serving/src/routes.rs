//! The routing table.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use millrace_domain::ids::{DatasetId, ModelVersionId};
use millrace_domain::problem::Data;
use millrace_ml::model::Model;
use millrace_storage::deployment::{self, Deployment};
use millrace_storage::{StorageError, dataset, model, problem, run};
use tokio_util::sync::CancellationToken;

use crate::Serving;
use crate::online::{self, Online, OnlineError};

/// A model that answers.
#[derive(Debug)]
pub(crate) struct Live {
    pub slug: String,
    pub generation: i64,
    pub version: ModelVersionId,
    pub number: i32,
    pub data: Data,
    /// The dataset it was trained on.
    dataset: DatasetId,
    pub model: Arc<Model>,
    /// What requests are joined to; none when the model joins nothing.
    pub online: Option<Arc<Online>>,
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

    /// Every live model.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.present().values().cloned().collect()
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
    #[error("what requests are joined to cannot be loaded: {0}")]
    Online(#[from] OnlineError),
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
                let live = self.refreshed(live).await.unwrap_or_else(|error| {
                    tracing::warn!(slug = deployment.slug, %error, "newer loads could not be read; the present ones stay");
                    Arc::clone(live)
                });
                table.insert(deployment.slug, live);
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
        let trained_on = dataset::of_run(pool, &run).await?;
        let dataset = trained_on.ok_or(LoadError::Missing("dataset"))?.dataset;
        let content = self.artifacts.get(&version.artifact).await?;
        let model = Arc::new(Model::from_bytes(&content)?);
        let mut live = Live {
            slug: deployment.slug.clone(),
            generation: deployment.generation,
            version: version.id,
            number: version.number,
            data: problem.document.data,
            dataset,
            model,
            online: None,
        };
        live.online = self.online_of(&live).await?;
        Ok(live)
    }

    /// What requests of a model are joined to: the present state if no newer versions were loaded.
    async fn online_of(&self, live: &Live) -> Result<Option<Arc<Online>>, LoadError> {
        if live.model.joins().is_empty() {
            return Ok(None);
        }
        let (loads, versions) = online::wanted(&self.db, &live.model, &live.slug, live.dataset).await?;
        if let Some(present) = live.online.as_ref().filter(|present| present.loads == loads) {
            return Ok(Some(Arc::clone(present)));
        }
        let problem = problem::find_id(self.db.pool(), &live.slug).await?.ok_or(LoadError::Missing("problem"))?;
        Ok(Some(Arc::new(Online::load(self, &live.model, problem, loads, &versions).await?)))
    }

    /// The same model, joined to what is newest.
    async fn refreshed(&self, live: &Arc<Live>) -> Result<Arc<Live>, LoadError> {
        let online = self.online_of(live).await?;
        if online.as_ref().map(Arc::as_ptr) == live.online.as_ref().map(Arc::as_ptr) {
            return Ok(Arc::clone(live));
        }
        tracing::info!(slug = live.slug, version = live.number, "requests are joined to newer loads");
        Ok(Arc::new(Live {
            slug: live.slug.clone(),
            generation: live.generation,
            version: live.version,
            number: live.number,
            data: live.data.clone(),
            dataset: live.dataset,
            model: Arc::clone(&live.model),
            online,
        }))
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
