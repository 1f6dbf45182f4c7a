//! Outcomes that callers report later.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::rollout::{Losses, Unit};
use millrace_storage::prediction::{self, Stored};
use millrace_storage::rollout::{self, Labelled, Pair};
use millrace_storage::{StorageError, Transaction, Uuid, problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Serving;
use crate::read::{NUL, holds_nul};

/// Outcomes one request may carry.
const MOST_OUTCOMES: usize = 1_000;

/// How long a report of outcomes waits for answers that are still compared.
const PATIENCE: Duration = Duration::from_secs(1);

/// An answer of the last so long may still be on its way to the log, of this server or of another one.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(60);

/// The body of an outcome request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRequest {
    /// The outcomes.
    pub outcomes: Vec<Outcome>,
}

/// What became of one prediction.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The prediction's id.
    pub id: String,
    /// The true label.
    pub label: Value,
    /// When it became known; now when absent.
    pub observed_at: Option<DateTime<Utc>>,
}

/// How many outcomes were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutcomeReport {
    /// New ones.
    pub accepted: u64,
    /// Ids that no prediction of this problem has.
    pub unknown: u64,
    /// Predictions whose outcome was known already; the first one stays.
    pub late: u64,
}

impl Serving {
    /// Stores outcomes of a problem's predictions, all or none. Where a rollout had two models answer, both answers are held
    /// against the truth.
    ///
    /// # Errors
    /// 404 without such a problem, 400 for a label that is no scalar, 503 for a prediction that is not written down yet: none is taken then.
    pub async fn report_outcomes(&self, slug: &str, request: OutcomeRequest) -> Result<OutcomeReport, Fault> {
        let count = request.outcomes.len();
        if !(1..=MOST_OUTCOMES).contains(&count) {
            return Err(Fault::field("/outcomes", format!("must hold 1 to {MOST_OUTCOMES} outcomes, got {count}")));
        }
        for (position, outcome) in request.outcomes.iter().enumerate() {
            if !matches!(outcome.label, Value::Bool(_) | Value::Number(_) | Value::String(_)) {
                let pointer = format!("/outcomes/{position}/label");
                return Err(Fault::field(&pointer, "must be a text, a number, or true or false"));
            }
            if holds_nul(&outcome.label) {
                return Err(Fault::field(&format!("/outcomes/{position}/label"), NUL));
            }
        }
        let unavailable = |error: StorageError| {
            tracing::warn!(%error, "outcomes could not be stored");
            if let StorageError::Unstorable(reason) = &error {
                return Fault::invalid(format!("an outcome cannot be kept: {reason}"), Vec::new());
            }
            Fault::new(
                503,
                "database_unavailable",
                "Try again",
                "the database does not answer just now; send the outcomes again",
            )
        };
        let pool = self.db.pool();
        let id = problem::find_id(pool, slug).await.map_err(unavailable)?.ok_or_else(|| Fault::not_found("problem"))?;
        let route = self.routes.find(slug);
        let trial = route.as_ref().and_then(|route| route.trial.as_ref());
        if let Some(trial) = trial {
            // What the other model says to the same requests has to be there to be held against the truth.
            let _ = trial.beside.ask(PATIENCE, 1, || ()).await;
        }
        self.log.settle().await;
        let now = self.surroundings.now();
        let mut report = OutcomeReport::default();
        let classes = route.as_ref().map(|route| route.champion.classes()).unwrap_or_default();
        let mut labelled = Labelled::new();
        let tx = self.db.begin().await.map_err(unavailable)?;
        // In one order, so that two reports of the same predictions do not wait for each other.
        let mut outcomes = request.outcomes;
        outcomes.sort_by(|one, other| one.id.cmp(&other.id));
        for outcome in outcomes {
            let Ok(prediction) = outcome.id.parse::<Uuid>() else {
                report.unknown += 1;
                continue;
            };
            let observed_at = outcome.observed_at.unwrap_or(now);
            let stored = prediction::insert_outcome(&tx, id, prediction, &outcome.label, observed_at, now);
            match stored.await.map_err(unavailable)? {
                Stored::Accepted => {
                    report.accepted += 1;
                    if let Some(trial) = trial {
                        let losses =
                            |pair: &Pair| trial.loss.compare(&pair.candidate, &pair.control, &outcome.label, &classes);
                        let compared = compare(&tx, prediction, losses, &mut labelled);
                        compared.await.map_err(unavailable)?;
                    }
                }
                Stored::Late => report.late += 1,
                Stored::Unknown if is_new(prediction, now) => {
                    return Err(Fault::new(
                        503,
                        "prediction_on_its_way",
                        "Try again",
                        format!(
                            "prediction {prediction} is not written down yet; send the outcomes again in some seconds"
                        ),
                    ));
                }
                Stored::Unknown => report.unknown += 1,
            }
        }
        rollout::label(&tx, &labelled).await.map_err(unavailable)?;
        tx.commit().await.map_err(StorageError::from).map_err(unavailable)?;
        Ok(report)
    }
}

/// Whether an id was given out lately, by the time that it begins with.
fn is_new(id: Uuid, now: DateTime<Utc>) -> bool {
    let made = id.get_timestamp().and_then(|at| DateTime::from_timestamp(at.to_unix().0.cast_signed(), 0));
    id.get_version_num() == 7 && made.is_some_and(|made| (now - made).abs() < ON_ITS_WAY)
}

/// Holds both answers of a rollout to a request against the truth.
async fn compare(
    tx: &Transaction,
    prediction: Uuid,
    losses: impl Fn(&Pair) -> Option<Losses>,
    labelled: &mut Labelled,
) -> Result<(), StorageError> {
    let Some(pair) = rollout::pair(tx, prediction).await? else { return Ok(()) };
    let Some(losses) = losses(&pair) else { return Ok(()) };
    let unit = Unit::of_prediction(pair.rollout, pair.entity.as_deref(), prediction.as_bytes());
    let unit = (pair.rollout, pair.step, unit);
    let (rows, sums) = labelled.entry(unit).or_default();
    *rows += 1;
    sums.candidate += losses.candidate;
    sums.control += losses.control;
    sums.reach_squared += losses.reach_squared;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_given_out_lately_may_be_on_its_way() {
        let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
        let given = |seconds: i64| crate::answer::id_at(now - TimeDelta::seconds(seconds), [7; 10]);
        let is_new = |seconds| is_new(given(seconds), now);
        assert_eq!([0, 59, 61, 600, -600].map(is_new), [true, true, false, false, false]);
        assert!(!super::is_new(Uuid::from_u128(now.timestamp_millis() as u128), now), "no id of ours");
    }
}
