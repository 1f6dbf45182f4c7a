//! What live models join requests to, kept current in memory.
//!
//! *Loads* are the newest valid versions of the model's dataset and tables; a newer one replaces the whole history. Requests
//! that were answered since, by whichever server, are followed through the prediction log, in the order of its transactions
//! and up to one before which the log is complete: what an answer was joined to can so be computed again later.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::ids::{DatasetId, ProblemId};
use millrace_domain::run::DatasetRole;
use millrace_ml::Dataset;
use millrace_ml::join::{History, Sources};
use millrace_ml::model::Model;
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::dataset::{self, DatasetVersion};
use millrace_storage::prediction::{self, LogPlace, Stretch};
use millrace_storage::{Database, StorageError};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Serving;
use crate::routes::Live;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Requests that are read at once.
const PAGE: i64 = 5_000;

/// A version that is joined to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Loaded {
    /// Its id.
    pub id: i64,
    /// Its number in its dataset.
    pub number: i32,
    /// When it was loaded from its source.
    pub created_at: DateTime<Utc>,
}

/// The versions that are joined to: the data's own, and the tables' by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Loads {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Loaded>,
    pub tables: BTreeMap<String, Loaded>,
}

/// What a live model joins requests to.
#[derive(Debug)]
pub(crate) struct Online {
    pub loads: Loads,
    problem: ProblemId,
    state: RwLock<State>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub history: History,
    /// The log is known before this transaction.
    pub seen: String,
    /// When that was.
    pub looked_at: DateTime<Utc>,
    place: Option<LogPlace>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OnlineError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("no version of {0} is valid")]
    NoVersion(String),
    #[error("{0}")]
    Join(#[from] millrace_ml::join::JoinError),
    #[error("a stored frame cannot be read: {0}")]
    Frame(#[from] millrace_ml::DatasetError),
    #[error("building what requests are joined to was broken off")]
    Interrupted,
}

/// The versions that `model` should be joined to now.
pub(crate) async fn wanted(
    db: &Database,
    model: &Model,
    slug: &str,
    own: DatasetId,
) -> Result<(Loads, Vec<DatasetVersion>), OnlineError> {
    let mut loads = Loads::default();
    let mut versions = Vec::new();
    if model.joins().is_empty() {
        return Ok((loads, versions));
    }
    let loaded =
        |version: &DatasetVersion| Loaded { id: version.id.0, number: version.number, created_at: version.created_at };
    if model.joins().reads_own_rows() {
        let valid = dataset::list_valid(db.pool(), slug, DatasetRole::Examples).await?;
        let version = valid.iter().find(|version| version.dataset == own);
        let version = version.ok_or_else(|| OnlineError::NoVersion("the data".to_owned()))?;
        loads.own = Some(loaded(version));
        versions.push(version.clone());
    }
    let tables = dataset::list_valid(db.pool(), slug, DatasetRole::Table).await?;
    for name in model.joins().tables() {
        let version = tables.iter().find(|version| version.name == name);
        let version = version.ok_or_else(|| OnlineError::NoVersion(format!("the table {name}")))?;
        loads.tables.insert(name.to_owned(), loaded(version));
        versions.push(version.clone());
    }
    Ok((loads, versions))
}

/// Reads the frames and orders them.
pub(crate) async fn history(
    artifacts: &ArtifactStore,
    joins: millrace_ml::join::Joins,
    loads: &Loads,
    versions: &[DatasetVersion],
) -> Result<History, OnlineError> {
    let mut frames = Vec::with_capacity(versions.len());
    for version in versions {
        let frame = version.frame.ok_or_else(|| OnlineError::NoVersion(version.name.clone()))?;
        let is_own = loads.own.as_ref().is_some_and(|own| own.id == version.id.0);
        frames.push((is_own, version.name.clone(), artifacts.get(&frame).await?));
    }
    let built = tokio::task::spawn_blocking(move || {
        let mut sources = Sources::default();
        for (is_own, name, frame) in frames {
            let dataset = Arc::new(Dataset::from_parquet(&frame)?);
            if is_own {
                sources.own = Some(dataset);
            } else {
                sources.tables.insert(name, dataset);
            }
        }
        Ok(History::new(&joins, &sources)?)
    });
    built.await.map_err(|_| OnlineError::Interrupted)?
}

impl Online {
    /// Loads what `model` is joined to, and catches up with the log.
    pub(crate) async fn load(
        serving: &Serving,
        model: &Model,
        problem: ProblemId,
        loads: Loads,
        versions: &[DatasetVersion],
    ) -> Result<Self, OnlineError> {
        let history = history(&serving.artifacts, model.joins().clone(), &loads, versions).await?;
        let looked_at = serving.surroundings.now();
        let state = RwLock::new(State { history, seen: "0".to_owned(), looked_at, place: None });
        let online = Self { loads, problem, state };
        online.catch_up(serving, model).await?;
        Ok(online)
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was logged since the last look.
    pub(crate) async fn catch_up(&self, serving: &Serving, model: &Model) -> Result<(), StorageError> {
        if !model.joins().reads_own_rows() {
            return Ok(());
        }
        let pool = serving.db.pool();
        let before = prediction::complete_before(pool).await?;
        let (later_than, mut place) = {
            let state = self.state();
            (state.history.loaded_until(), state.place.clone())
        };
        let later_than = DateTime::from_timestamp_micros(later_than);
        loop {
            let stretch =
                Stretch { problem: self.problem, after: place.as_ref(), before: &before, later_than, limit: PAGE };
            let logged = prediction::stretch(pool, &stretch).await?;
            let is_last = (logged.len() as i64) < PAGE;
            place = logged.last().map(|logged| logged.place.clone()).or(place);
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            for logged in logged {
                if let Value::Object(object) = &logged.inputs {
                    model.remember(&mut state.history, object, logged.time.timestamp_micros());
                }
            }
            state.place = place.clone();
            if is_last {
                // What comes later comes there: nothing before is read again.
                state.place = Some(LogPlace { tx: before.clone(), id: millrace_storage::Uuid::nil() });
                state.seen = before;
                state.looked_at = serving.surroundings.now();
                return Ok(());
            }
        }
    }
}

/// Follows the log for every live model that aggregates requests.
pub(crate) async fn follow(serving: Serving, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        for live in serving.routes.all() {
            let Live { model, online: Some(online), .. } = live.as_ref() else { continue };
            if let Err(error) = online.catch_up(&serving, model).await {
                tracing::warn!(slug = live.slug, %error, "the prediction log could not be looked at; joins stay as they are");
            }
        }
    }
}
