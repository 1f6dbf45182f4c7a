//! Answering predictions. A prediction waits for nothing but the model: routes and models are in memory, and the log is
//! written behind a bounded queue.
//!
//! A rollout's other model ([`trial`]) answers on threads of its own ([`lane`]): nobody else waits for what it does there.
//!
//! The *routing table* ([`routes`]) is an immutable map from problem to live model, replaced as a whole when the database
//! announces a change (and looked for every second in case the announcement was lost). A model that cannot be loaded
//! leaves the last good one in place.

mod answer;
mod callers;
mod counters;
mod explain;
mod export;
mod lane;
mod log;
mod metadata;
mod online;
mod outcome;
mod read;
mod routes;
mod threads;
mod trial;

use std::sync::Arc;

use millrace_domain::clock::Surroundings;
use millrace_domain::fault::Fault;
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::{Database, Uuid};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use answer::{Answer, Asking, FeatureAnswer, PredictRequest};
pub use metadata::Metadata;
pub use outcome::{OutcomeReport, OutcomeRequest};

use crate::callers::Callers;
use crate::counters::Book;
use crate::log::Log;
use crate::routes::Routes;
use crate::threads::Threads;
use crate::trial::Trouble;

/// Everything that answers predictions. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Serving {
    db: Database,
    artifacts: ArtifactStore,
    surroundings: Surroundings,
    routes: Arc<Routes>,
    log: Log,
    book: Book,
    callers: Callers,
    trouble: Option<Trouble>,
    /// What a failpoint makes of live models.
    own_trouble: Option<Trouble>,
    threads: Arc<Threads>,
    /// A turn to write a model as a file.
    exports: Arc<Semaphore>,
    /// What this server is called.
    name: Arc<str>,
    /// Requests to one problem that are answered at once.
    at_once: usize,
}

impl Serving {
    /// Loads what is live, and keeps following changes until `shutdown` and writing the log until [`Self::finish`], and tells which routing table this server
    /// has in place under its name. At most `at_once` requests to one problem are answered at a time. A failpoint makes models
    /// misbehave; there is none in release builds.
    pub async fn start(
        db: Database,
        artifacts: ArtifactStore,
        surroundings: Surroundings,
        name: &str,
        at_once: usize,
        failpoint: Option<&str>,
        shutdown: CancellationToken,
    ) -> Self {
        let log = Log::start(db.clone());
        let (trouble, own_trouble) = (Trouble::of_candidates(failpoint), Trouble::of_champions(failpoint));
        let name: Arc<str> = name.into();
        let book = Book::new(db.clone(), Uuid::from_bytes(surroundings.bytes()), Arc::clone(&name));
        let (routes, threads) = (Arc::default(), Arc::new(Threads::start()));
        let exports = Arc::new(Semaphore::new(1));
        let serving = Self {
            db,
            artifacts,
            surroundings,
            routes,
            log,
            book,
            callers: Callers::default(),
            trouble,
            own_trouble,
            threads,
            exports,
            name,
            at_once,
        };
        serving.reload().await;
        tokio::spawn(counters::follow(serving.clone(), shutdown.clone()));
        tokio::spawn(callers::follow(serving.clone(), shutdown.clone()));
        tokio::spawn(online::follow(serving.clone(), shutdown.clone()));
        tokio::spawn(routes::follow(serving.clone(), shutdown));
        serving
    }

    /// Writes what was answered and counted, after the last request.
    pub async fn finish(&self) {
        self.log.finish().await;
        if self.settle().await
            && let Err(error) = self.book.end().await
        {
            tracing::warn!(%error, "it could not be told that this server counts no more");
        }
    }

    /// Writes who asked and what was counted so far; whether what was counted could be written.
    pub async fn settle(&self) -> bool {
        if let Err(error) = self.callers.write(&self.db).await {
            tracing::error!(%error, "it could not be written who asked last");
        }
        let written = self.book.write(self.surroundings.now()).await;
        written.inspect_err(|error| tracing::error!(%error, "what was counted last could not be written")).is_ok()
    }

    /// Waits until what was answered so far is in the log, at most two seconds.
    pub async fn log_written(&self) {
        self.log.settle().await;
    }

    /// Whether everything that should be live is loaded, but for what cannot be.
    pub fn is_loaded(&self) -> bool {
        self.routes.is_complete()
    }

    /// Predictions that could not be logged since the start.
    pub fn dropped(&self) -> u64 {
        self.log.dropped()
    }

    /// Why nobody answers for a problem that has no route here.
    pub(crate) fn not_here(&self, slug: &str) -> Fault {
        if self.routes.is_unreadable(slug) {
            let detail = format!(
                "the live model of {slug:?} cannot be loaded here; put another version live, or see the server's log"
            );
            return Fault::new(503, "model_unavailable", "Model not available", detail);
        }
        Self::no_live_model(slug)
    }

    /// Nothing is live for a problem, or nothing that the caller may ask.
    pub fn no_live_model(slug: &str) -> Fault {
        Fault::new(
            404,
            "no_live_model",
            "No live model",
            format!("no model is live for {slug:?}; approve one and put it live first"),
        )
    }
}
