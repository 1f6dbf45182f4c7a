//! The prediction log: a bounded queue in memory, written in batches. When the database cannot keep up, predictions go on
//! and what is not logged is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_storage::Database;
use millrace_storage::prediction::{self, Prediction};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Predictions that may wait to be written.
const CAPACITY: usize = 10_000;
/// Predictions written in one statement.
const BATCH: usize = 500;

enum Entry {
    Prediction(Box<Prediction>),
    /// Answered when everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// The queue's near end.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    queue: mpsc::Sender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    pub(crate) fn start(db: Database, shutdown: CancellationToken) -> Self {
        let (queue, entries) = mpsc::channel(CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(write_all(db, entries, Arc::clone(&dropped), shutdown));
        Self { queue, dropped }
    }

    /// Queues a prediction, or counts it as dropped; never waits.
    pub(crate) fn write(&self, prediction: Prediction) {
        if self.queue.try_send(Entry::Prediction(Box::new(prediction))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("millrace_prediction_log_dropped_total").increment(1);
        }
    }

    /// Waits until what was queued so far is written, at most two seconds.
    pub(crate) async fn settle(&self) {
        let (mark, written) = oneshot::channel();
        if self.queue.try_send(Entry::Mark(mark)).is_ok() {
            // Time-out and a closed queue mean the same: no more is known, and the caller looks at what there is.
            let _ = tokio::time::timeout(Duration::from_secs(2), written).await;
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn write_all(
    db: Database,
    mut entries: mpsc::Receiver<Entry>,
    dropped: Arc<AtomicU64>,
    shutdown: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut received = Vec::with_capacity(BATCH);
    loop {
        let count = tokio::select! {
            count = entries.recv_many(&mut received, BATCH) => count,
            () = shutdown.cancelled() => {
                entries.close();
                entries.recv_many(&mut received, BATCH).await
            }
        };
        if count == 0 {
            return;
        }
        let mut marks = Vec::new();
        for entry in received.drain(..) {
            match entry {
                Entry::Prediction(prediction) => batch.push(*prediction),
                Entry::Mark(mark) => marks.push(mark),
            }
        }
        flush(&db, &mut batch, &dropped).await;
        for mark in marks {
            // Nobody waiting any more is fine.
            let _ = mark.send(());
        }
    }
}

/// Writes a batch, trying again for about seven seconds; then it is counted as dropped.
async fn flush(db: &Database, batch: &mut Vec<Prediction>, dropped: &AtomicU64) {
    if batch.is_empty() {
        return;
    }
    for pause_ms in [0, 200, 500, 1_000, 2_000, 3_000] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        match prediction::insert_all(db.pool(), batch).await {
            Ok(_) => {
                batch.clear();
                return;
            }
            Err(error) if error.is_transient() => tracing::warn!(%error, "prediction log waits for the database"),
            Err(error) => {
                tracing::error!(%error, "predictions could not be logged");
                break;
            }
        }
    }
    dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
    metrics::counter!("millrace_prediction_log_dropped_total").increment(batch.len() as u64);
    batch.clear();
}
