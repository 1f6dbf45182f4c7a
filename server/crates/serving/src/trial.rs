//! A rollout on this server: who is answered by what, and what the other model would have said.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use millrace_domain::ids::RolloutId;
use millrace_domain::rollout::{Arm, Loss, Unit, same, score_bin};
use millrace_domain::run::RolloutStage;
use millrace_storage::Uuid;
use millrace_storage::rollout::{Came, Counterpart, Mark};
use serde_json::{Map, Value};

use crate::answer::{Given, one};
use crate::lane::{Lane, LaneError};
use crate::log::Log;
use crate::routes::Live;

/// How long callers wait for a candidate at least, however little the document allows.
const LEAST_PATIENCE: Duration = Duration::from_millis(20);
/// And at most beyond what one answer may take, however many are asked for at once.
const MOST_PATIENCE: Duration = Duration::from_secs(1);

/// A rollout, and what is done in its present step.
#[derive(Debug)]
pub(crate) struct Trial {
    pub rollout: RolloutId,
    pub step: i32,
    pub stage: RolloutStage,
    /// Share of units that the candidate answers, in percent.
    pub percent: f64,
    /// The version on its way.
    pub candidate: Arc<Live>,
    /// The version that it is compared with.
    pub control: Arc<Live>,
    /// An answer that took longer is slow.
    pub slow: Duration,
    /// How answers are held against the truth.
    pub loss: Loss,
    /// What befalls the candidate in tests.
    pub trouble: Option<Trouble>,
    /// Where the other model answers callers.
    pub answers: Lane,
    /// Where it answers beside the first one, unseen.
    pub beside: Lane,
    /// Gone when no route is on this rollout any more.
    pub under_way: Weak<()>,
}

/// Why the other model has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It was not asked: too many waited.
    Busy,
    /// It failed.
    Failed,
}

impl Unanswered {
    /// As it is counted.
    pub(crate) const fn came(self) -> Came {
        match self {
            Self::Busy => Came::Dropped,
            Self::Failed => Came::Failure,
        }
    }
}

/// What a bad model does. Tests ask for it; in release builds there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Panic,
    Hang,
    Fail,
    Allocate,
}

impl Trouble {
    /// Reads what a failpoint makes of candidates, for example `candidate:panic`.
    pub(crate) fn of_candidates(failpoint: Option<&str>) -> Option<Self> {
        Self::named(failpoint?.strip_prefix("candidate:")?)
    }

    /// Reads what a failpoint makes of live models, for example `champion:hang`.
    pub(crate) fn of_champions(failpoint: Option<&str>) -> Option<Self> {
        Self::named(failpoint?.strip_prefix("champion:")?)
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            _ if !cfg!(debug_assertions) => None,
            "panic" => Some(Self::Panic),
            "hang" => Some(Self::Hang),
            "fail" => Some(Self::Fail),
            "allocate" => Some(Self::Allocate),
            _ => None,
        }
    }

    pub(crate) fn strike(self) -> Result<(), String> {
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
    /// What the caller got, if anything.
    pub output: Option<Value>,
    /// Whether the candidate was asked; the other one is asked now.
    pub by_candidate: bool,
}

impl Trial {
    /// The model that does not answer callers, or only those of its share.
    pub(crate) fn other(&self) -> &Arc<Live> {
        if self.stage == RolloutStage::Watch { &self.control } else { &self.candidate }
    }

    /// The unit of a request and the side it is on.
    pub(crate) fn assign(&self, entity: Option<&str>, id: Uuid) -> (Unit, Arm) {
        let unit = Unit::of_prediction(self.rollout, entity, id.as_bytes());
        let arm = match self.stage {
            RolloutStage::Shadow => Arm::Control,
            RolloutStage::Canary => unit.arm(self.percent),
            RolloutStage::Watch => Arm::Candidate,
        };
        (unit, arm)
    }

    /// Whether a unit on that side is the candidate's, while another model is the champion.
    pub(crate) fn is_answered_by_other(&self, arm: Arm) -> bool {
        self.stage == RolloutStage::Canary && arm == Arm::Candidate
    }

    pub(crate) fn mark(&self, unit: Unit, arm: Arm, at: DateTime<Utc>, came: Came) -> Mark {
        Mark { rollout: self.rollout, step: self.step, unit, arm, at, came }
    }

    /// What came of an answer.
    pub(crate) fn came(&self, given: &Given) -> Came {
        Came::Answer { micros: given.micros, slow: Duration::from_micros(given.micros) > self.slow }
    }

    /// Has the other model answer requests. Callers wait for what one answer may take and a second at most, whatever it does, and for half
    /// of what is left to them: the rest is for whoever answers in its place.
    pub(crate) async fn ask_other(
        &self,
        requests: Vec<(usize, Map<String, Value>)>,
        now: DateTime<Utc>,
        left: Option<Duration>,
    ) -> BTreeMap<usize, Result<Given, Unanswered>> {
        if requests.is_empty() {
            return BTreeMap::new();
        }
        let places: Vec<usize> = requests.iter().map(|(place, _)| *place).collect();
        let (other, trouble) = (Arc::clone(self.other()), self.trouble);
        let all = move || -> BTreeMap<usize, Result<Given, Unanswered>> {
            let answer = |sent| guarded(trouble, &other, sent, now).map_err(|_| Unanswered::Failed);
            requests.iter().map(|(place, sent)| (*place, answer(sent))).collect()
        };
        let one = self.slow.max(LEAST_PATIENCE);
        let patience = (one * u32::try_from(places.len()).unwrap_or(u32::MAX)).min(one + MOST_PATIENCE);
        let least = left.map_or(patience, |left| patience.min(left / 2));
        self.answers.ask(least, places.len(), all).await.unwrap_or_else(|error| {
            let why = match error {
                LaneError::Busy => Unanswered::Busy,
                // That a caller has less time than an answer may take is not the model's fault.
                LaneError::Late if least < patience && !self.answers.is_stuck(patience) => Unanswered::Busy,
                LaneError::Late | LaneError::Panicked => Unanswered::Failed,
            };
            tracing::debug!(rollout = self.rollout.0, %error, "the other model did not answer");
            places.into_iter().map(|place| (place, Err(why))).collect()
        })
    }

    /// Has the model answer that was not asked yet, in its own time.
    pub(crate) fn compare(self: &Arc<Self>, log: &Log, requests: Vec<Compared>, at: DateTime<Utc>) {
        let units: Vec<Unit> = requests.iter().map(|request| request.unit).collect();
        let (trial, own_log) = (Arc::clone(self), log.clone());
        let taken = self.beside.send(units.len(), move || {
            for request in requests {
                // What still waits when the rollout is over is not done: the model may have been taken back for what it does.
                if trial.under_way.strong_count() == 0 {
                    return;
                }
                trial.compare_one(&own_log, request, at);
            }
        });
        if !taken {
            metrics::counter!("millrace_shadow_dropped_total").increment(units.len() as u64);
            log.count(units.into_iter().map(|unit| self.mark(unit, Arm::Candidate, at, Came::Dropped)).collect());
        }
    }

    fn compare_one(&self, log: &Log, request: Compared, at: DateTime<Utc>) {
        let asked = if request.by_candidate { &self.control } else { &self.candidate };
        // A stopwatch, not a clock: only the difference counts.
        let began = Instant::now();
        let trouble = self.trouble.filter(|_| !request.by_candidate);
        let answer = guarded(trouble, asked, &request.sent, at);
        let mut marks = Vec::with_capacity(2);
        // Beside the first one it is counted here. In a canary each side is counted by what its own callers got.
        let side = match self.stage {
            RolloutStage::Shadow => Some(Arm::Candidate),
            RolloutStage::Watch => Some(Arm::Control),
            RolloutStage::Canary => None,
        };
        if let Some(arm) = side {
            let came = answer.as_ref().map_or(Came::Failure, |given| self.came(given));
            marks.push(self.mark(request.unit, arm, at, came));
        }
        if let (Some(served), Ok(given)) = (&request.output, &answer) {
            let classes = self.control.classes();
            let (candidate, control) =
                if request.by_candidate { (served, &given.output) } else { (&given.output, served) };
            let scores = (score_bin(candidate, &classes), score_bin(control, &classes));
            let both = Came::Both { scores, agree: same(candidate, control) };
            marks.push(self.mark(request.unit, Arm::Candidate, at, both));
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

/// The answer of a model that is not trusted: its panics are its own.
fn guarded(
    trouble: Option<Trouble>,
    live: &Live,
    sent: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Given, String> {
    let answer = catch_unwind(AssertUnwindSafe(|| {
        trouble.map_or(Ok(()), Trouble::strike)?;
        one(live, sent, now)
    }));
    answer.unwrap_or_else(|_| Err("it panicked".to_owned()))
}
