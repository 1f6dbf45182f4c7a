//! Prepared data, kept from one trial of a search to the next.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_domain::Digest;
use millrace_executor::StepError;
use serde_json::json;

use crate::load::{Launched, Prepared};

/// At least so long after it was last asked for, and as long as a trial computes on it.
const KEPT: Duration = Duration::from_secs(20);

/// What the last search prepared: its trials compute on the same rows.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    last: Arc<Mutex<Option<(Digest, Entry)>>>,
}

/// The data of one search. Trials that begin side by side wait for the one that prepares it.
#[derive(Clone, Default)]
pub(crate) struct Entry(Arc<Mutex<Option<Arc<Prepared>>>>);

impl Kept {
    /// The entry of a run's data. It is let go when no trial has it for a while.
    pub(crate) fn entry(&self, launched: &Launched) -> Entry {
        let key = Digest::of_canonical(&json!([launched.data_digest(), launched.problem.digest]));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match &*last {
            Some((kept, entry)) if *kept == key => entry.clone(),
            _ => Entry::default(),
        };
        *last = Some((key, entry.clone()));
        let (all, watched) = (Arc::clone(&self.last), Arc::downgrade(&entry.0));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEPT).await;
                let mut last = all.lock().unwrap_or_else(PoisonError::into_inner);
                if last.as_ref().is_none_or(|(kept, _)| *kept != key) {
                    return;
                }
                // Held by nobody but this table: no trial computes on it.
                if watched.strong_count() <= 1 {
                    *last = None;
                    return;
                }
            }
        });
        entry
    }
}

impl Entry {
    /// The data, prepared by whoever comes first. A failure is not kept.
    pub(crate) fn get_or_prepare(
        &self,
        prepare: impl FnOnce() -> Result<Prepared, StepError>,
    ) -> Result<Arc<Prepared>, StepError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = &*kept {
            return Ok(Arc::clone(prepared));
        }
        let prepared = Arc::new(prepare()?);
        *kept = Some(Arc::clone(&prepared));
        Ok(prepared)
    }
}
