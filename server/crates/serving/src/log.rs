//! The prediction log: a queue in memory, bounded in entries and in size, written in batches. When the database cannot keep up, predictions go on
//! and what is not logged is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_storage::prediction::{self, Prediction};
use millrace_storage::rollout::{self, Counterpart, Mark};
use millrace_storage::{Database, StorageError};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Predictions, and what they are compared with, that may wait to be written.
const CAPACITY: usize = 20_000;
/// Most that waiting predictions may take up, in KiB.
const MOST_KIB: usize = 128 * 1024;
/// Entries written in one statement while few wait: the database is at it for about a millisecond then, and no answer that wants the same
/// processor waits for longer.
const SMALL: usize = 64;
/// Entries written in one statement once more than [`BEHIND`] wait: each costs the database less.
const LARGE: usize = 500;
/// Entries that may wait before it counts as having fallen behind.
const BEHIND: usize = 2_000;
/// So long others are waited for that can be written in the same statement: one for each costs the database more than answering costs.
const GATHERED: Duration = Duration::from_millis(50);

enum Entry {
    Prediction(Box<Waiting>, Vec<Mark>),
    /// What the other model of a rollout answers.
    Counterpart(Box<Counterpart>, Vec<Mark>),
    /// What is only counted.
    Marks(Vec<Mark>),
    /// Answered when everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// A prediction, with its share of what may wait.
struct Waiting {
    prediction: Prediction,
    _room: OwnedSemaphorePermit,
}

/// The queue's near end.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    queue: mpsc::Sender<Entry>,
    room: Arc<Semaphore>,
    dropped: Arc<AtomicU64>,
    ending: CancellationToken,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Log {
    pub(crate) fn start(db: Database) -> Self {
        let (queue, entries) = mpsc::channel(CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        let ending = CancellationToken::new();
        let writer = tokio::spawn(write_all(db, entries, Arc::clone(&dropped), ending.clone()));
        let room = Arc::new(Semaphore::new(MOST_KIB));
        Self { queue, room, dropped, ending, writer: Arc::new(Mutex::new(Some(writer))) }
    }

    /// Takes nothing more in, and waits until what was taken in is written, or given up since the database is away.
    pub(crate) async fn finish(&self) {
        self.ending.cancel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.await.is_err()
        {
            tracing::error!("the prediction log ended before it was written");
        }
    }

    /// Queues a prediction and what it counts for, or counts it as dropped; never waits.
    pub(crate) fn write(&self, prediction: Prediction, marks: Vec<Mark>) {
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib(&prediction));
        let queued = room.is_ok_and(|room| {
            let waiting = Waiting { prediction, _room: room };
            self.queue.try_send(Entry::Prediction(Box::new(waiting), marks)).is_ok()
        });
        if !queued {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("millrace_prediction_log_dropped_total").increment(1);
        }
    }

    /// Queues the answer of another model; what does not fit is not compared.
    pub(crate) fn compared(&self, counterpart: Counterpart, marks: Vec<Mark>) {
        self.try_queue(Entry::Counterpart(Box::new(counterpart), marks));
    }

    /// Queues what is only counted.
    pub(crate) fn count(&self, marks: Vec<Mark>) {
        self.try_queue(Entry::Marks(marks));
    }

    fn try_queue(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            metrics::counter!("millrace_comparisons_dropped_total").increment(1);
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

/// About what a prediction takes up while it waits, in KiB.
fn kib(prediction: &Prediction) -> u32 {
    let texts = prediction.entity.as_ref().map_or(0, String::len);
    let values = [Some(&prediction.inputs), Some(&prediction.output), prediction.joined.as_ref()];
    let bytes = texts + values.into_iter().flatten().map(size).sum::<usize>();
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}

/// Bytes of a value with the places of its members.
fn size(value: &Value) -> usize {
    const PLACE: usize = 32;
    PLACE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| PLACE + name.len() + size(value)).sum(),
            _ => 0,
        }
}

async fn write_all(
    db: Database,
    mut entries: mpsc::Receiver<Entry>,
    dropped: Arc<AtomicU64>,
    ending: CancellationToken,
) {
    let mut received = Vec::with_capacity(LARGE);
    loop {
        let most = if entries.len() > BEHIND { LARGE } else { SMALL };
        let count = tokio::select! {
            count = entries.recv_many(&mut received, most) => count,
            () = ending.cancelled() => {
                entries.close();
                entries.recv_many(&mut received, most).await
            }
        };
        if count == 0 {
            return;
        }
        let is_awaited = received.iter().any(|entry| matches!(entry, Entry::Mark(_)));
        if count < most && !is_awaited {
            tokio::select! {
                () = tokio::time::sleep(GATHERED) => {}
                () = ending.cancelled() => {}
            }
            while received.len() < most
                && let Ok(entry) = entries.try_recv()
            {
                received.push(entry);
            }
        }
        // While the server ends, one batch waits for a database that is away, and not each of those that follow.
        let is_away = flush(&db, &received, &dropped).await;
        if is_away && ending.is_cancelled() {
            entries.close();
            let mut left = Vec::new();
            while entries.recv_many(&mut left, LARGE).await > 0 {}
            let lost = predictions(&left);
            dropped.fetch_add(lost, Ordering::Relaxed);
            metrics::counter!("millrace_prediction_log_dropped_total").increment(lost);
            return;
        }
        for entry in received.drain(..) {
            if let Entry::Mark(mark) = entry {
                // Nobody waiting any more is fine.
                let _ = mark.send(());
            }
        }
    }
}

/// How writing came out.
#[derive(PartialEq, Eq)]
enum Written {
    Kept,
    /// The database cannot keep it, now or later.
    Refused,
    /// The database is away.
    Away,
}

/// Writes entries in one transaction, and where the database does not take them together each alone: one that cannot be kept costs no
/// other its place.
/// Gives whether the database was away for all of the time.
async fn flush(db: &Database, entries: &[Entry], dropped: &AtomicU64) -> bool {
    let (lost, is_away) = match write_patiently(db, entries).await {
        Written::Kept => return false,
        Written::Away => (predictions(entries), true),
        Written::Refused => (each_alone(db, entries).await, false),
    };
    dropped.fetch_add(lost, Ordering::Relaxed);
    metrics::counter!("millrace_prediction_log_dropped_total").increment(lost);
    is_away
}

/// Writes entries one by one; gives how many predictions are lost.
async fn each_alone(db: &Database, entries: &[Entry]) -> u64 {
    let mut lost = 0;
    for (place, entry) in entries.iter().enumerate() {
        match write_patiently(db, std::slice::from_ref(entry)).await {
            Written::Kept => {}
            Written::Refused => lost += predictions(std::slice::from_ref(entry)),
            Written::Away => return lost + predictions(&entries[place..]),
        }
    }
    lost
}

fn predictions(entries: &[Entry]) -> u64 {
    entries.iter().filter(|entry| matches!(entry, Entry::Prediction(..))).count() as u64
}

/// Writes entries in one transaction, trying again for about seven seconds while the database is away.
async fn write_patiently(db: &Database, entries: &[Entry]) -> Written {
    let batch = Batch::of(entries);
    if batch.is_empty() {
        return Written::Kept;
    }
    for pause_ms in [0, 200, 500, 1_000, 2_000, 3_000] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        match batch.write(db).await {
            Ok(()) => return Written::Kept,
            Err(error) if error.is_transient() => tracing::warn!(%error, "prediction log waits for the database"),
            Err(error) => {
                tracing::error!(%error, entries = entries.len(), "entries of the prediction log cannot be kept together");
                return Written::Refused;
            }
        }
    }
    Written::Away
}

/// What is written in one transaction.
#[derive(Default)]
struct Batch<'e> {
    predictions: Vec<&'e Prediction>,
    counterparts: Vec<&'e Counterpart>,
    marks: Vec<Mark>,
}

impl<'e> Batch<'e> {
    fn of(entries: &'e [Entry]) -> Self {
        let mut batch = Self::default();
        for entry in entries {
            match entry {
                Entry::Prediction(waiting, marks) => {
                    batch.predictions.push(&waiting.prediction);
                    batch.marks.extend(marks);
                }
                Entry::Counterpart(counterpart, marks) => {
                    batch.counterparts.push(counterpart);
                    batch.marks.extend(marks);
                }
                Entry::Marks(marks) => batch.marks.extend(marks),
                Entry::Mark(_) => {}
            }
        }
        batch
    }

    /// What was logged is counted in the same transaction. A batch whose commit went through without our being told so is there
    /// already when it is written again: then it is not counted again.
    async fn write(&self, db: &Database) -> Result<(), StorageError> {
        if self.counterparts.is_empty() && self.marks.is_empty() {
            return prediction::insert_all(db.pool(), &self.predictions).await.map(|_| ());
        }
        let tx = db.begin().await?;
        let mut new = self.predictions.is_empty() && self.counterparts.is_empty();
        if !self.predictions.is_empty() {
            new |= prediction::insert_all(&tx, &self.predictions).await? > 0;
        }
        if !self.counterparts.is_empty() {
            new |= rollout::insert_counterparts(&tx, &self.counterparts).await? > 0;
        }
        if new {
            rollout::count(&tx, &self.marks).await?;
        }
        Ok(tx.commit().await?)
    }

    const fn is_empty(&self) -> bool {
        self.predictions.is_empty() && self.counterparts.is_empty() && self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sent_beside_the_inputs_takes_up_room_too() {
        assert!(size(&json!({ "amount": 1.5, "extra": "x".repeat(10_000) })) > 10_000);
        assert!(size(&json!({ "extra": [{ "deep": "x".repeat(10_000) }] })) > 10_000);
        assert!(size(&json!({ "amount": 1.5, "city": "Paris" })) < 500);
    }
}
