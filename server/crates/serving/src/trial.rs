//! A rollout on this server: who is answered by what, and what the other model would have said.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use millrace_domain::ids::RolloutId;
use millrace_domain::rollout::{Arm, Unit, score_bin};
use millrace_domain::run::RolloutStage;
use millrace_storage::Uuid;
use millrace_storage::rollout::{Came, Counterpart, Mark};
use serde_json::{Map, Value};

use crate::answer::{Given, one};
use crate::lane::Lane;
use crate::log::Log;
use crate::routes::Live;

/// How long callers wait for a candidate at least, however little the document allows.
const LEAST_PATIENCE: Duration = Duration::from_millis(20);
/// Numbers that differ by less are the same answer.
const SAME: f64 = 0.01;

/// The other model of a route, and what is done with it.
#[derive(Debug)]
pub(crate) struct Trial {
    pub rollout: RolloutId,
    pub step: i32,
    pub stage: RolloutStage,
    /// Share of units that the candidate answers, in percent.
    pub percent: f64,
    /// The candidate; in the watch, the version before it.
    pub other: Arc<Live>,
    /// An answer that took longer is slow.
    pub slow: Duration,
    /// What befalls it in tests.
    pub trouble: Option<Trouble>,
    /// Where it answers callers.
    pub answers: Lane,
    /// Where it answers beside the other one, unseen.
    pub beside: Lane,
}

/// What a bad candidate does. Tests ask for it; in release builds there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Panic,
    Hang,
    Fail,
    Allocate,
}

impl Trouble {
    /// Reads `candidate:panic`, `candidate:hang`, `candidate:fail` or `candidate:allocate`.
    pub(crate) fn armed(failpoint: Option<&str>) -> Option<Self> {
        match failpoint.filter(|_| cfg!(debug_assertions))? {
            "candidate:panic" => Some(Self::Panic),
            "candidate:hang" => Some(Self::Hang),
            "candidate:fail" => Some(Self::Fail),
            "candidate:allocate" => Some(Self::Allocate),
            _ => None,
        }
    }

    fn strike(self) -> Result<(), String> {
        match self {
            Self::Panic => panic!("a failpoint was reached"),
            Self::Hang => std::thread::sleep(Duration::from_secs(30)),
            Self::Fail => return Err("a failpoint was reached".to_owned()),
            Self::Allocate => {
                let much = vec![1u8; 2 << 30];
                std::hint::black_box(&much);
            }
        }
        Ok(())
    }
}

/// A request that is compared.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    pub id: Uuid,
    pub unit: Unit,
    pub sent: Map<String, Value>,
    /// What the caller got.
    pub output: Value,
    /// Who did not answer the caller, and is asked now.
    pub asked: Arc<Live>,
}

impl Trial {
    /// The unit of a request and the side it is on.
    pub(crate) fn assign(&self, entity: Option<&str>, id: Uuid) -> (Unit, Arm) {
        let unit = entity
            .map_or_else(|| Unit::of(self.rollout, id.as_bytes()), |entity| Unit::of(self.rollout, entity.as_bytes()));
        let arm = match self.stage {
            RolloutStage::Shadow => Arm::Control,
            RolloutStage::Canary => unit.arm(self.percent),
            RolloutStage::Watch => Arm::Candidate,
        };
        (unit, arm)
    }

    /// Whether the other model answers a unit on that side.
    pub(crate) fn is_answered_by_other(&self, arm: Arm) -> bool {
        self.stage == RolloutStage::Canary && arm == Arm::Candidate
    }

    pub(crate) fn mark(&self, unit: Unit, arm: Arm, at: DateTime<Utc>, came: Came) -> Mark {
        Mark { rollout: self.rollout, step: self.step, unit, arm, at, came }
    }

    /// What came of an answer.
    pub(crate) fn came(&self, given: &Given, classes: &[&str]) -> Came {
        let slow = Duration::from_micros(given.micros) > self.slow;
        Came::Answer { micros: given.micros, slow, score: score_bin(&given.output, classes) }
    }

    /// Has the other model answer requests; whatever it does, callers are answered in time.
    pub(crate) async fn ask_other(
        &self,
        requests: Vec<(usize, Map<String, Value>)>,
        now: DateTime<Utc>,
    ) -> BTreeMap<usize, Result<Given, String>> {
        if requests.is_empty() {
            return BTreeMap::new();
        }
        let places: Vec<usize> = requests.iter().map(|(place, _)| *place).collect();
        let (other, trouble) = (Arc::clone(&self.other), self.trouble);
        let all = move || -> BTreeMap<usize, Result<Given, String>> {
            requests.into_iter().map(|(place, sent)| (place, troubled(trouble, &other, &sent, now))).collect()
        };
        match self.answers.ask(self.slow.max(LEAST_PATIENCE), all).await {
            Ok(answers) => answers,
            Err(error) => places.into_iter().map(|place| (place, Err(error.to_string()))).collect(),
        }
    }

    /// Has the other model answer what callers were answered already, in its own time.
    pub(crate) fn compare(self: &Arc<Self>, log: &Log, requests: Vec<Compared>, at: DateTime<Utc>) {
        let units: Vec<Unit> = requests.iter().map(|request| request.unit).collect();
        let (trial, own_log) = (Arc::clone(self), log.clone());
        let taken = self.beside.send(move || {
            for request in requests {
                trial.compare_one(&own_log, request, at);
            }
        });
        if !taken {
            log.count(units.into_iter().map(|unit| self.mark(unit, Arm::Candidate, at, Came::Dropped)).collect());
        }
    }

    fn compare_one(&self, log: &Log, request: Compared, at: DateTime<Utc>) {
        let asked = &request.asked;
        // A stopwatch, not a clock: only the difference counts.
        let began = Instant::now();
        let trouble = self.trouble.filter(|_| asked.version == self.other.version);
        let answer = catch_unwind(AssertUnwindSafe(|| troubled(trouble, asked, &request.sent, at)));
        let answer = answer.unwrap_or_else(|_| Err("it panicked".to_owned()));
        let classes = asked.classes();
        let mut marks = Vec::with_capacity(2);
        // Beside each other both are counted here; where callers have one of them, what they got is.
        let side = match self.stage {
            RolloutStage::Shadow => Some(Arm::Candidate),
            RolloutStage::Watch => Some(Arm::Control),
            RolloutStage::Canary => None,
        };
        if let Some(arm) = side {
            let came = answer.as_ref().map_or(Came::Failure, |given| self.came(given, &classes));
            marks.push(self.mark(request.unit, arm, at, came));
        }
        if let Ok(given) = &answer {
            let agrees = Came::Agreement(same(&request.output, &given.output));
            marks.push(self.mark(request.unit, Arm::Candidate, at, agrees));
        }
        let counterpart = Counterpart {
            prediction: request.id,
            rollout: self.rollout,
            model_version: asked.version,
            micros: answer.as_ref().map_or_else(|_| began.elapsed().as_micros() as u64, |given| given.micros),
            output: answer.map(|given| given.output),
            predicted_at: at,
        };
        log.compared(counterpart, marks);
    }
}

fn troubled(
    trouble: Option<Trouble>,
    live: &Live,
    sent: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Given, String> {
    trouble.map_or(Ok(()), Trouble::strike)?;
    one(live, sent, now)
}

/// Whether two answers say the same: the same class, or numbers within 1 %.
fn same(one: &Value, other: &Value) -> bool {
    match (one["value"].as_f64(), other["value"].as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= SAME * one.abs().max(other.abs()),
        _ => one["label"] == other["label"],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_agree_by_class_or_within_a_percent() {
        assert!(same(&json!({ "label": "a", "score": 0.9 }), &json!({ "label": "a", "score": 0.6 })));
        assert!(!same(&json!({ "label": "a" }), &json!({ "label": "b" })));
        assert!(same(&json!({ "value": 100.0 }), &json!({ "value": 100.9 })));
        assert!(!same(&json!({ "value": 100.0 }), &json!({ "value": 102.0 })));
    }
}
