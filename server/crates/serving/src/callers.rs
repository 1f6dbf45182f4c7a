//! Which version is asked with which token: noted under a lock that nobody holds for longer, and written every few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::ids::ModelVersionId;
use millrace_storage::caller::{self, Call};
use millrace_storage::{Database, StorageError};
use tokio_util::sync::CancellationToken;

use crate::Serving;

/// How often it is written who asked.
const PAUSE: Duration = Duration::from_secs(5);

type Times = (DateTime<Utc>, DateTime<Utc>);

/// What was not written yet: the first and the last time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Callers {
    unwritten: Arc<Mutex<HashMap<(ModelVersionId, i64), Times>>>,
    /// Held while something is written, so that who writes last waits for what is under way.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Callers {
    pub(crate) fn note(&self, version: ModelVersionId, token: i64, now: DateTime<Utc>) {
        self.widen((version, token), (now, now));
    }

    fn widen(&self, key: (ModelVersionId, i64), (first, last): Times) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let times = unwritten.entry(key).or_insert((first, last));
        *times = (times.0.min(first), times.1.max(last));
    }

    /// Writes who asked since it was written last; what the database does not take is written the next time.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn write(&self, db: &Database) -> Result<(), StorageError> {
        let _alone = self.writing.lock().await;
        let unwritten = std::mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        if unwritten.is_empty() {
            return Ok(());
        }
        let call = |(&(version, token), &(first_at, last_at)): (&(ModelVersionId, i64), &Times)| Call {
            version,
            token,
            first_at,
            last_at,
        };
        let calls: Vec<Call> = unwritten.iter().map(call).collect();
        let written = caller::note(db.pool(), &calls).await;
        if written.is_err() {
            unwritten.into_iter().for_each(|(key, times)| self.widen(key, times));
        }
        written
    }
}

/// Writes who asked until told to stop.
pub(crate) async fn follow(serving: Serving, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = serving.callers.write(&serving.db).await {
            tracing::warn!(%error, "it could not be written who asks; it is tried again");
        }
    }
}
