//! What this server counts of its answers: bins, durations and failures, version by version and stretch by stretch of time.
//!
//! Counting is a few additions under a lock that nobody holds for longer. What was counted is written every few seconds, each stretch as a
//! whole and under this server's own mark, so that writing again after a failure counts nothing twice. A server that is killed loses
//! what it had not written yet; how far it had come is written too, so that windows say what they miss.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::ids::ModelVersionId;
use millrace_domain::monitor::{Reference, grain, written_every};
use millrace_storage::monitor::{self, LiveCount};
use millrace_storage::{Database, StorageError, Uuid};
use tokio_util::sync::CancellationToken;

use crate::Serving;

/// How often it is looked whether something has to be written.
const LOOK: Duration = Duration::from_secs(1);
/// Stretches of one version that are kept while the database is away, and that are written at once.
const MOST_STRETCHES: usize = 3_000;
const WRITTEN_AT_ONCE: usize = 100;
/// An answer is counted where its request began, at most so long before.
const LATEST: TimeDelta = TimeDelta::seconds(60);

/// The counters of one version.
#[derive(Debug)]
pub(crate) struct Counters {
    version: ModelVersionId,
    pub reference: Reference,
    /// Seconds that are counted together.
    seconds: u64,
    stretches: Mutex<BTreeMap<i64, Stretch>>,
}

#[derive(Debug, Default)]
struct Stretch {
    counts: Vec<u64>,
    /// Whether it was counted on since it was written.
    is_new: bool,
}

impl Counters {
    /// Counters of a version, for windows of so many seconds.
    fn new(version: ModelVersionId, reference: Reference, window: u64) -> Self {
        Self { version, reference, seconds: grain(window), stretches: Mutex::default() }
    }

    /// Counts an answer that was given now.
    pub(crate) fn count(&self, now: DateTime<Utc>, bins: &[u16], micros: u64) {
        self.at(now, |counts| self.reference.count(counts, bins, micros));
    }

    /// Counts a request without an answer.
    pub(crate) fn count_failure(&self, now: DateTime<Utc>) {
        self.at(now, |counts| self.reference.count_failure(counts));
    }

    fn at(&self, now: DateTime<Utc>, count: impl FnOnce(&mut [u64])) {
        let place = now.timestamp().div_euclid(self.seconds as i64);
        let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = stretches
            .entry(place)
            .or_insert_with(|| Stretch { counts: vec![0; self.reference.width()], is_new: false });
        count(&mut stretch.counts);
        stretch.is_new = true;
    }

    /// What has to be written.
    fn unwritten(&self) -> Vec<LiveCount> {
        let stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = |place: i64| DateTime::from_timestamp(place * self.seconds as i64, 0).unwrap_or_default();
        stretches
            .iter()
            .filter(|(_, stretch)| stretch.is_new)
            .map(|(place, stretch)| LiveCount {
                model_version_id: self.version.0,
                begins: begins(*place),
                seconds: i32::try_from(self.seconds).unwrap_or(i32::MAX),
                counts: stretch.counts.clone(),
            })
            .collect()
    }

    fn is_empty(&self) -> bool {
        self.stretches.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes what was written as it is.
    fn written(&self, written: &[LiveCount]) {
        let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        for count in written {
            let place = count.begins.timestamp().div_euclid(self.seconds as i64);
            if let Some(stretch) = stretches.get_mut(&place)
                && stretch.counts == count.counts
            {
                stretch.is_new = false;
            }
        }
    }

    /// Forgets what was written, but for what answers that were begun lately may still be counted in, and the oldest of what could not be.
    fn tidy(&self, now: DateTime<Utc>) {
        let oldest = (now - LATEST).timestamp().div_euclid(self.seconds as i64) - 1;
        let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        stretches.retain(|place, stretch| stretch.is_new || *place >= oldest);
        while stretches.len() > MOST_STRETCHES {
            stretches.pop_first();
            metrics::counter!("millrace_counts_dropped_total").increment(1);
        }
    }
}

/// Whoever writes counters down.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    db: Database,
    /// This server, since it was started.
    mark: Uuid,
    /// What it is called.
    name: Arc<str>,
    all: Arc<Mutex<Vec<Arc<Counters>>>>,
    /// Held while something is written, so that an older state never comes after a newer one; whether all is over.
    is_over: Arc<tokio::sync::Mutex<bool>>,
}

impl Book {
    pub(crate) fn new(db: Database, mark: Uuid, name: Arc<str>) -> Self {
        Self { db, mark, name, all: Arc::default(), is_over: Arc::default() }
    }

    /// Writes down that this server counts from now on: who is lost afterwards is missed.
    async fn begin(&self, now: DateTime<Utc>) -> Result<(), StorageError> {
        let is_over = self.is_over.lock().await;
        if *is_over { Ok(()) } else { monitor::begin_counting(self.db.pool(), self.mark, &self.name, now).await }
    }

    /// Writes down that it counts no more.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn end(&self) -> Result<(), StorageError> {
        let mut is_over = self.is_over.lock().await;
        *is_over = true;
        monitor::end_counting(self.db.pool(), self.mark).await
    }

    /// The counters of a version: those that count it already, so that two never write the same stretch, or new ones.
    pub(crate) fn counters(&self, version: ModelVersionId, reference: Reference, window: u64) -> Arc<Counters> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|counters| counters.version == version) {
            return Arc::clone(known);
        }
        let counters = Arc::new(Counters::new(version, reference, window));
        all.push(Arc::clone(&counters));
        counters
    }

    /// Writes what was counted until now. A request that is under way now is counted, where it began, when it is answered.
    ///
    /// # Errors
    /// When the database does not take it; then it is written the next time.
    pub(crate) async fn write(&self, now: DateTime<Utc>) -> Result<(), StorageError> {
        let _alone = self.is_over.lock().await;
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut outcome = Ok(());
        for counters in &all {
            let unwritten = counters.unwritten();
            for some in unwritten.chunks(WRITTEN_AT_ONCE) {
                if let Err(error) = monitor::write_counts(self.db.pool(), self.mark, some).await {
                    // What others counted does not wait for it, and it is not forgotten when theirs is written.
                    outcome = Err(error);
                    break;
                }
                counters.written(some);
            }
            counters.tidy(now);
        }
        outcome?;
        drop(all);
        monitor::counted_to(self.db.pool(), self.mark, now).await?;
        let is_done = |counters: &Arc<Counters>| Arc::strong_count(counters) == 1 && counters.is_empty();
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|counters| !is_done(counters));
        Ok(())
    }

    /// How often something has to be written.
    fn pause(&self) -> Duration {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|counters| written_every(counters.seconds)).min().unwrap_or(LOOK)
    }
}

/// Writes what was counted until told to stop.
pub(crate) async fn follow(serving: Serving, shutdown: CancellationToken) {
    // A stopwatch, not a clock: only the difference counts.
    let mut written = Instant::now();
    let mut is_known = false;
    loop {
        if !is_known {
            let begun = serving.book.begin(serving.surroundings.now()).await;
            is_known =
                begun.inspect_err(|error| tracing::warn!(%error, "nobody knows yet that this server counts")).is_ok();
        }
        let pause = serving.book.pause();
        tokio::select! {
            () = tokio::time::sleep(pause.min(LOOK)) => {}
            () = shutdown.cancelled() => return,
        }
        if written.elapsed() < pause {
            continue;
        }
        written = Instant::now();
        if let Err(error) = serving.book.write(serving.surroundings.now()).await {
            tracing::warn!(%error, "what was counted could not be written; it is tried again");
        }
    }
}
