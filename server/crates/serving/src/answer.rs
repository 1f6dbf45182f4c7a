//! One prediction request: answered and logged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::ModelVersionId;
use millrace_domain::rollout::{Arm, Unit};
use millrace_domain::run::RolloutStage;
use millrace_domain::schema::Value as Cell;
use millrace_ml::model::{Instance, PredictError, Prediction};
use millrace_storage::rollout::Came;
use millrace_storage::{Uuid, prediction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::Serving;
use crate::explain::{explained_by, explanation};
use crate::online::Online;
use crate::read::{Asked, read_all, read_each, read_one};
use crate::routes::{Live, Route, Turn};
use crate::threads::in_parts;
use crate::trial::{Compared, Trial};

/// Instances one request may carry.
const MOST_INSTANCES: usize = 1_000;
/// Features that are told with an answer at most.
const MOST_EXPLAINED: usize = 100;
/// Answers of one request that are explained at most: it takes longer than answering.
const MOST_EXPLAINED_AT_ONCE: usize = 100;
/// How long a version that was asked for may take.
const LONGEST_TEST: Duration = Duration::from_secs(30);

/// The body of a prediction request.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// One object an instance: the model's inputs by name, and optionally `entity` and `event_time`.
    #[schema(value_type = Vec<Object>)]
    pub instances: Vec<Map<String, Value>>,
    /// How many features are told with each answer that contributed most to it.
    #[serde(default)]
    pub explain: usize,
}

/// How a request wants to be answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asking {
    /// The version that is to answer, whoever is live. It is a test: nothing of it is logged.
    pub version: Option<i32>,
    /// How long an answer is waited for.
    pub patience: Option<Duration>,
    /// The token that was shown; it is noted which versions answered it.
    pub token: Option<i64>,
}

/// The body of a prediction's answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Answer {
    /// One object an instance, in order.
    #[schema(value_type = Vec<Object>)]
    pub predictions: Vec<Value>,
    /// The version that answered; a prediction of another one names its own. None while the model is switched off.
    pub model_version: Option<i32>,
    /// `champion`, `candidate`, `fallback`, or `pinned` for the version that was asked for.
    pub stage: &'static str,
}

/// What instances are joined to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeatureAnswer {
    /// One object an instance, in order: joined columns by name, and the features where all inputs were sent.
    #[schema(value_type = Vec<Object>)]
    pub features: Vec<Map<String, Value>>,
    /// The version whose features they are.
    pub model_version: i32,
    /// The loads of the tables that were read, by dataset version.
    pub loads: Value,
}

/// What a model answers to one instance.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub output: Value,
    /// What it was joined to: the cells, and as of what.
    pub joined: Option<Value>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// The bins it is counted in; none of a version without a reference.
    pub bins: Vec<u16>,
}

/// Where an instance stands in a rollout.
struct Place {
    id: Uuid,
    side: Option<(Unit, Arm)>,
    given: Result<Given, String>,
    by: Arc<Live>,
}

impl Serving {
    /// Answers from the live model of a problem, or for the units that a rollout gives it from the candidate. What a candidate
    /// cannot answer in time, the live model answers.
    ///
    /// # Errors
    /// 404 `no_live_model`; 503 `model_unavailable`; 400 naming every unknown, missing or wrongly typed input; 429 `too_many_at_once`; 504
    /// `too_late`.
    pub async fn predict(&self, slug: &str, request: PredictRequest, asking: Asking) -> Result<Answer, Fault> {
        let count = request.instances.len();
        if request.explain > MOST_EXPLAINED {
            return Err(Fault::field("/explain", format!("must be at most {MOST_EXPLAINED}")));
        }
        if !(1..=MOST_INSTANCES).contains(&count) {
            return Err(Fault::field("/instances", format!("must hold 1 to {MOST_INSTANCES} instances, got {count}")));
        }
        if request.explain > 0 && count > MOST_EXPLAINED_AT_ONCE {
            let message =
                format!("must hold at most {MOST_EXPLAINED_AT_ONCE} instances when answers are explained, got {count}");
            return Err(Fault::field("/instances", message));
        }
        // It needs no model, and none that hangs has all its places.
        if let Some(fallback) = self.routes.fallback(slug).filter(|_| asking.version.is_none()) {
            metrics::counter!("millrace_fallback_answers_total").increment(count as u64);
            let predictions = request.instances.iter().map(|sent| fallback.answer(sent).to_json()).collect();
            return Ok(Answer { predictions, model_version: None, stage: "fallback" });
        }
        let turn = self.routes.turn(slug, self.at_once).ok_or_else(|| too_many(slug, self.at_once))?;
        let begun = Instant::now();
        if let Some(number) = asking.version {
            return self.predict_pinned(slug, number, request, asking, turn).await;
        }
        let route = self.routes.find(slug).ok_or_else(|| self.not_here(slug))?;
        let now = self.surroundings.now();
        let late = || asking.patience.is_some_and(|patience| begun.elapsed() > patience);
        let (asked, mut places) = self.by_champion(&route, &request.instances, now, &late)?;
        if let Some(trial) = &route.trial {
            let left = asking.patience.map(|patience| patience.saturating_sub(begun.elapsed()));
            self.by_other(&route, trial, &request.instances, &mut places, (now, left)).await;
        }
        if let Some(reason) = places.iter().find_map(|place| place.given.as_ref().err()) {
            if let Some(counters) = &route.champion.counters {
                counters.count_failure(now);
            }
            return Err(no_answer(reason));
        }
        if late() {
            return Err(too_late());
        }
        if let Some(token) = asking.token {
            let mut versions: Vec<ModelVersionId> = places.iter().map(|place| place.by.version).collect();
            versions.sort_unstable();
            versions.dedup();
            versions.into_iter().for_each(|version| self.callers.note(version, token, now));
        }
        let most = request.explain;
        let explained: Vec<(Arc<Live>, Map<String, Value>)> = match most {
            0 => Vec::new(),
            _ => places.iter().map(|place| Arc::clone(&place.by)).zip(request.instances.iter().cloned()).collect(),
        };
        let mut answer = self.give(&route, request.instances, asked, places, now);
        if most > 0 {
            let left = asking.patience.map_or(LONGEST_TEST, |patience| patience.saturating_sub(begun.elapsed()));
            let told = explained_by(explained, now, most, left, turn).await;
            for (shown, told) in answer.predictions.iter_mut().zip(told) {
                shown["explanation"] = told;
            }
        }
        Ok(answer)
    }

    /// Answers by one version of the model, on a thread of its own and without a trace in the log.
    async fn predict_pinned(
        &self,
        slug: &str,
        number: i32,
        request: PredictRequest,
        asking: Asking,
        turn: Turn,
    ) -> Result<Answer, Fault> {
        let left = asking.patience.unwrap_or(LONGEST_TEST).min(LONGEST_TEST);
        let begun = Instant::now();
        let live = tokio::time::timeout(left, self.pinned(slug, number)).await.map_err(|_| too_late())??;
        let now = self.surroundings.now();
        let version = live.version;
        let most = request.explain;
        let known = self.routes.find(slug).map(|route| Arc::clone(&route.known));
        let answered = tokio::task::spawn_blocking(move || {
            // Held until it has ended, however long somebody waits for it.
            let _turn = turn;
            // Everything that is wrong with any of them is told at once, as to callers of what is live.
            let state = live.online.as_ref().map(|online| online.state());
            read_all(&live, known.as_deref(), &request.instances, now, state.as_deref())?;
            drop(state);
            request
                .instances
                .iter()
                .map(|sent| {
                    let given = one(&live, sent, now).map_err(|reason| no_answer(&reason))?;
                    let mut shown = given.output;
                    if most > 0 {
                        shown["explanation"] = explanation(&live, sent, now, most);
                    }
                    Ok(shown)
                })
                .collect::<Result<Vec<Value>, Fault>>()
        });
        let answered = tokio::time::timeout(left.saturating_sub(begun.elapsed()), answered).await;
        let predictions = answered.map_err(|_| too_late())?.map_err(|_| no_answer("it panicked"))??;
        if let Some(token) = asking.token {
            self.callers.note(version, token, now);
        }
        Ok(Answer { predictions, model_version: Some(number), stage: "pinned" })
    }

    /// Reads every instance as the live model does, and has it answer those that are not the candidate's.
    fn by_champion(
        &self,
        route: &Route,
        instances: &[Map<String, Value>],
        now: DateTime<Utc>,
        late: &(impl Fn() -> bool + Sync),
    ) -> Result<(Vec<Asked>, Vec<Place>), Fault> {
        let champion = &route.champion;
        // A stopwatch, not a clock: only differences count.
        let began = Instant::now();
        // What is joined to is held by this thread: one of those that wait for each other's parts would come to hold it twice, and whoever
        // brings it up to date would never have a turn in between. Nor does it wait while a model computes.
        let state = champion.online.as_ref().map(|online| online.state());
        let read = || read_all(champion, Some(&route.known), instances, now, state.as_deref());
        let asked = self.threads.run(&self.threads.reading, instances.len(), false, read)?;
        let joined_to = champion.online.as_deref().zip(state.as_ref().map(|state| state.seen.clone()));
        drop(state);
        self.threads.run(&champion.pool, instances.len(), champion.is_slow(instances.len()), || {
            let trial = route.trial.as_ref();
            if let Some(trouble) = self.own_trouble {
                trouble.strike().map_err(|reason| no_answer(&reason))?;
            }
            let joined_to = joined_to.as_ref().map(|(online, seen)| (*online, seen.as_str()));
            let reading = began.elapsed() / u32::try_from(instances.len()).unwrap_or(u32::MAX);
            let mut drawn = vec![[0; 10]; instances.len()];
            self.surroundings.entropy.fill(drawn.as_flattened_mut());
            let side = |(asked, drawn): (&Asked, [u8; 10])| {
                let id = id_at(now, drawn);
                (id, trial.map(|trial| trial.assign(asked.entity.as_deref(), id)))
            };
            let sides: Vec<(Uuid, Option<(Unit, Arm)>)> = asked.iter().zip(drawn).map(side).collect();
            let is_others = |side: &Option<(Unit, Arm)>| {
                trial.zip(*side).is_some_and(|(trial, (_, arm))| trial.is_answered_by_other(arm))
            };
            let own = asked.iter().zip(&sides).filter(|(_, (_, side))| !is_others(side));
            let own: Vec<&Instance> = own.map(|(asked, _)| &asked.instance).collect();
            let parts = in_parts(&own, &|_, part| match late() {
                true => Err(too_late()),
                false => Ok(answers(champion, part, joined_to, Instant::now(), reading)),
            });
            let mut given = parts.into_iter().collect::<Result<Vec<_>, Fault>>()?.into_iter().flatten();
            let place = |(id, side): (Uuid, Option<(Unit, Arm)>)| {
                let own = if is_others(&side) { None } else { given.next() };
                Place { id, side, given: own.unwrap_or_else(|| Err(String::new())), by: Arc::clone(champion) }
            };
            let places = sides.into_iter().map(place).collect();
            Ok((asked, places))
        })
    }

    /// Has the other model of a rollout answer what is its own to answer; where one of the two fails, the other one answers. Callers wait
    /// no longer than is left to them.
    async fn by_other(
        &self,
        route: &Route,
        trial: &Arc<Trial>,
        instances: &[Map<String, Value>],
        places: &mut [Place],
        (now, left): (DateTime<Utc>, Option<Duration>),
    ) {
        let mut marks = Vec::new();
        let mut requests = Vec::new();
        let mut unseen = Vec::new();
        for (index, place) in places.iter().enumerate().filter(|(_, place)| place.given.is_err()) {
            let Some((unit, arm)) = place.side else { continue };
            let is_others = trial.is_answered_by_other(arm);
            if !is_others {
                marks.push(trial.mark(unit, arm, now, Came::Failure));
            }
            match trial.stage {
                // Whether the candidate fails on it too is what a comparison is about; it answers nobody.
                RolloutStage::Shadow => {
                    let (id, sent) = (place.id, instances[index].clone());
                    unseen.push(Compared { id, unit, sent, output: None, by_candidate: false });
                }
                // Once it has taken its place, the version before it helps out.
                RolloutStage::Canary | RolloutStage::Watch if arm == Arm::Candidate => {
                    requests.push((index, instances[index].clone()));
                }
                RolloutStage::Canary | RolloutStage::Watch => {}
            }
        }
        for (index, answer) in trial.ask_other(requests, now, left).await {
            let place = &mut places[index];
            let Some((unit, arm)) = place.side else { continue };
            if trial.stage == RolloutStage::Watch {
                let came = answer.as_ref().map_or_else(|why| why.came(), |given| trial.came(given));
                marks.push(trial.mark(unit, Arm::Control, now, came));
                if let Ok(given) = answer {
                    (place.given, place.by) = (Ok(given), Arc::clone(&trial.control));
                }
                continue;
            }
            match answer {
                Ok(given) => (place.given, place.by) = (Ok(given), Arc::clone(&trial.candidate)),
                Err(why) => {
                    marks.push(trial.mark(unit, arm, now, why.came()));
                    let champion = &route.champion;
                    let answer = || one(champion, &instances[index], now);
                    place.given = self.threads.run(&champion.pool, 1, champion.is_slow(1), answer);
                }
            }
        }
        if !marks.is_empty() {
            self.log.count(marks);
        }
        if !unseen.is_empty() {
            trial.compare(&self.log, unseen, now);
        }
    }

    /// Logs what was answered, has it compared, and makes the body.
    fn give(
        &self,
        route: &Route,
        instances: Vec<Map<String, Value>>,
        asked: Vec<Asked>,
        places: Vec<Place>,
        now: DateTime<Utc>,
    ) -> Answer {
        let by_other = |place: &Place| place.by.version != route.champion.version;
        let whole = places.iter().all(by_other);
        let answers_all = Arc::clone(places.first().filter(|_| whole).map_or(&route.champion, |place| &place.by));
        let mut compared = Vec::new();
        let mut predictions = Vec::with_capacity(places.len());
        for ((place, asked), sent) in places.into_iter().zip(asked).zip(instances) {
            let Place { id, side, given: Ok(given), by } = place else { continue };
            let mut marks = Vec::new();
            if let Some((trial, (unit, arm))) = route.trial.as_ref().zip(side) {
                // Who was meant to answer and could not was counted as that; who answered instead is not counted at all.
                let meant = if trial.is_answered_by_other(arm) { &trial.candidate } else { &route.champion };
                if meant.version == by.version {
                    marks.push(trial.mark(unit, arm, now, trial.came(&given)));
                    if arm != Arm::Rest {
                        let by_candidate = trial.candidate.version == by.version;
                        let (sent, output) = (sent.clone(), Some(given.output.clone()));
                        compared.push(Compared { id, unit, sent, output, by_candidate });
                    }
                }
            }
            if let Some(counters) = &by.counters {
                counters.count(now, &given.bins, given.micros);
            }
            predictions.push(shown(id, &by, &given.output, &answers_all, route));
            let prediction = prediction::Prediction {
                id,
                model_version: by.version,
                generation: route.generation,
                entity: asked.entity,
                inputs: Value::Object(sent),
                output: given.output,
                event_time: asked.event_time,
                predicted_at: now,
                joined: given.joined,
                micros: given.micros,
                trial: route.trial.as_ref().zip(side).map(|(trial, (_, arm))| (trial.rollout, trial.step, arm)),
            };
            self.log.write(prediction, marks);
        }
        if let Some(trial) = route.trial.as_ref().filter(|_| !compared.is_empty()) {
            trial.compare(&self.log, compared, now);
        }
        Answer { predictions, model_version: Some(answers_all.number), stage: stage_of(&answers_all, route) }
    }
}

/// The id of a prediction: UUID version 7 (RFC 9562 § 5.7), in order of time, so that what is logged together stands together in the log's
/// index.
pub(crate) fn id_at(now: DateTime<Utc>, drawn: [u8; 10]) -> Uuid {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&now.timestamp_millis().to_be_bytes()[2..]);
    id[6..].copy_from_slice(&drawn);
    (id[6], id[8]) = (0x70 | id[6] & 0x0f, 0x80 | id[8] & 0x3f);
    Uuid::from_bytes(id)
}

fn no_answer(reason: &str) -> Fault {
    Fault::new(422, "no_answer", "No answer", format!("the model has no answer for this instance: {reason}"))
}

fn too_late() -> Fault {
    let detail =
        "the answer was not there within the time that the request gave it; ask with fewer instances or more patience";
    Fault::new(504, "too_late", "Too late", detail)
}

fn too_many(slug: &str, at_once: usize) -> Fault {
    let detail = format!("{at_once} requests to {slug} are being answered already; try again in a moment");
    Fault::new(429, "too_many_at_once", "Too many at once", detail)
}

/// `champion`, or `candidate` for a version that has not taken its place yet.
fn stage_of(by: &Live, route: &Route) -> &'static str {
    let candidate = route.trial.as_ref().map(|trial| &trial.candidate);
    let is_candidate = candidate.is_some_and(|candidate| candidate.version == by.version);
    if is_candidate && by.version != route.champion.version { "candidate" } else { "champion" }
}

/// A prediction as callers get it. It names its version where that is another one than the body's.
fn shown(id: Uuid, by: &Live, output: &Value, answers_all: &Live, route: &Route) -> Value {
    let mut shown = json!({ "id": id });
    if let (Value::Object(shown), Value::Object(output)) = (&mut shown, output) {
        shown.extend(output.clone());
        if by.version != answers_all.version {
            shown.insert("model_version".to_owned(), json!(by.number));
            shown.insert("stage".to_owned(), json!(stage_of(by, route)));
        }
    }
    shown
}

/// The answers to instances that were read, each with its share of the time they took from `began` on, and what it took before. They were
/// joined to what is told with the place up to which the log was known.
fn answers(
    live: &Live,
    instances: &[&Instance],
    joined_to: Option<(&Online, &str)>,
    began: Instant,
    before: Duration,
) -> Vec<Result<Given, String>> {
    let reference = live.counters.as_ref().map(|counters| &counters.reference);
    let answered = catch_unwind(AssertUnwindSafe(|| live.model.predict_and_bin(instances, reference)));
    let answered = match (answered, instances) {
        (Ok(answered), _) => answered,
        (Err(_), [_]) => return vec![Err("it panicked".to_owned())],
        // Which of them it was, each shows alone.
        (Err(_), _) => {
            return instances
                .iter()
                .flat_map(|one| answers(live, std::slice::from_ref(one), joined_to, Instant::now(), before))
                .collect();
        }
    };
    let each = began.elapsed() / u32::try_from(instances.len().max(1)).unwrap_or(u32::MAX);
    let micros = u64::try_from((each + before).as_micros()).unwrap_or(u64::MAX);
    live.took(u64::try_from(each.as_micros()).unwrap_or(u64::MAX));
    let given = |(answered, instance): (Result<(Prediction, Vec<u16>), PredictError>, &&Instance)| {
        let (answer, bins) = answered.map_err(|error| error.to_string())?;
        let joined = joined_to.map(|(online, seen)| {
            let cells: Vec<Value> = instance.joined(&live.model).iter().map(Cell::to_json).collect();
            let names: Vec<&str> = live.model.features().joined().iter().map(|column| column.name.as_str()).collect();
            let as_of = instance.joined_as_of();
            json!({ "cells": cells, "names": names, "as_of": as_of, "loads": online.loads, "seen": seen })
        });
        Ok(Given { output: answer.to_json(live.model.classes()), joined, micros, bins })
    };
    answered.into_iter().zip(instances).map(given).collect()
}

/// What a model answers to what another one was sent: it takes the inputs that it knows.
pub(crate) fn one(live: &Live, sent: &Map<String, Value>, now: DateTime<Utc>) -> Result<Given, String> {
    let began = Instant::now();
    let (read, seen) = read_one(live, sent, now)?;
    let joined_to = live.online.as_deref().zip(seen.as_deref());
    answers(live, &[&read.instance], joined_to, began, Duration::ZERO).pop().unwrap_or_else(|| Err(String::new()))
}

impl Serving {
    /// What the live model of a problem would be given, by key, as of the instance's time: no answer, and no row of the log.
    ///
    /// # Errors
    /// 404 `no_live_model`; 400 naming every unknown or wrongly typed input.
    pub fn features(&self, slug: &str, request: &PredictRequest) -> Result<FeatureAnswer, Fault> {
        let route = self.routes.find(slug).ok_or_else(|| self.not_here(slug))?;
        let live = &route.champion;
        let count = request.instances.len();
        if !(1..=MOST_INSTANCES).contains(&count) {
            return Err(Fault::field("/instances", format!("must hold 1 to {MOST_INSTANCES} instances, got {count}")));
        }
        let now = self.surroundings.now();
        let online = live.online.as_ref().map(|online| (online, online.state()));
        let state = online.as_ref().map(|(_, state)| &**state);
        let features = self.threads.run(&self.threads.reading, count, false, || {
            read_each(live, Some(&route.known), &request.instances, now, state, |sent, is_known, as_of, _| {
                live.model.features_of(sent, is_known, as_of)
            })
        })?;
        let loads = online.as_ref().map_or(Value::Null, |(online, _)| json!(online.loads));
        Ok(FeatureAnswer { features, model_version: live.number, loads })
    }
}
