//! One prediction request: read, answered, logged.

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::problem::{Mistake, TimeFormat};
use millrace_domain::schema::Value as Cell;
use millrace_ml::model::{AsOf, Instance, InstanceProblem, micros};
use millrace_storage::{Uuid, prediction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Serving;
use crate::online::State;
use crate::routes::Live;

/// Instances one request may carry.
const MOST_INSTANCES: usize = 1_000;

/// The body of a prediction request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// One object an instance: the model's inputs by name, and optionally `entity` and `event_time`.
    pub instances: Vec<Map<String, Value>>,
}

/// The body of a prediction's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// One object an instance, in order.
    pub predictions: Vec<Value>,
    /// The version that answered.
    pub model_version: i32,
    /// `champion` or `candidate`.
    pub stage: &'static str,
}

/// What instances are joined to.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureAnswer {
    /// One object an instance, in order: joined columns by name, and the features where all inputs were sent.
    pub features: Vec<Map<String, Value>>,
    /// The version whose features they are.
    pub model_version: i32,
    /// The loads of the tables that were read, by dataset version.
    pub loads: Value,
}

/// An instance that was understood.
struct Asked {
    instance: Instance,
    entity: Option<String>,
    event_time: Option<DateTime<Utc>>,
}

impl Serving {
    /// Answers from the live model of a problem.
    ///
    /// # Errors
    /// 404 `no_live_model`; 400 naming every unknown, missing or wrongly typed input.
    pub fn predict(&self, slug: &str, request: PredictRequest) -> Result<Answer, Fault> {
        let live = self.routes.find(slug).ok_or_else(|| Self::no_live_model(slug))?;
        let count = request.instances.len();
        if !(1..=MOST_INSTANCES).contains(&count) {
            return Err(Fault::field("/instances", format!("must hold 1 to {MOST_INSTANCES} instances, got {count}")));
        }
        let now = self.surroundings.now();
        let online = live.online.as_ref().map(|online| (online, online.state()));
        let state = online.as_ref().map(|(_, state)| &**state);
        let asked = read_all(&live, &request.instances, now, state)?;
        let mut predictions = Vec::with_capacity(count);
        for (asked, sent) in asked.into_iter().zip(request.instances) {
            let answered = live.model.predict_row(&asked.instance).map_err(|error| {
                Fault::new(422, "no_answer", "No answer", format!("the model has no answer for this instance: {error}"))
            })?;
            let id = Uuid::from_bytes(self.surroundings.bytes());
            let output = answered.to_json(live.model.classes());
            let joined = online.as_ref().map(|(online, state)| {
                let cells: Vec<Value> = asked.instance.joined(&live.model).iter().map(Cell::to_json).collect();
                json!({ "cells": cells, "loads": online.loads, "seen": state.seen })
            });
            let mut shown = json!({ "id": id });
            if let (Value::Object(shown), Value::Object(output)) = (&mut shown, &output) {
                shown.extend(output.clone());
            }
            predictions.push(shown);
            self.log.write(prediction::Prediction {
                id,
                model_version: live.version,
                generation: live.generation,
                entity: asked.entity,
                inputs: Value::Object(sent),
                output,
                event_time: asked.event_time,
                predicted_at: now,
                joined,
            });
        }
        Ok(Answer { predictions, model_version: live.number, stage: "champion" })
    }
}

impl Serving {
    /// What the live model of a problem would be given, by key, as of the instance's time: no answer, and no row of the log.
    ///
    /// # Errors
    /// 404 `no_live_model`; 400 naming every unknown or wrongly typed input.
    pub fn features(&self, slug: &str, request: &PredictRequest) -> Result<FeatureAnswer, Fault> {
        let live = self.routes.find(slug).ok_or_else(|| Self::no_live_model(slug))?;
        let count = request.instances.len();
        if !(1..=MOST_INSTANCES).contains(&count) {
            return Err(Fault::field("/instances", format!("must hold 1 to {MOST_INSTANCES} instances, got {count}")));
        }
        let now = self.surroundings.now();
        let online = live.online.as_ref().map(|online| (online, online.state()));
        let state = online.as_ref().map(|(_, state)| &**state);
        let features = read_each(&live, &request.instances, now, state, |inputs, as_of, _, _| {
            live.model.features_of(inputs, as_of)
        })?;
        let loads = online.as_ref().map_or(Value::Null, |(online, _)| json!(online.loads));
        Ok(FeatureAnswer { features, model_version: live.number, loads })
    }
}

/// Reads all instances, or names everything that is wrong with any of them.
fn read_all(
    live: &Live,
    instances: &[Map<String, Value>],
    now: DateTime<Utc>,
    state: Option<&State>,
) -> Result<Vec<Asked>, Fault> {
    read_each(live, instances, now, state, |inputs, as_of, sent, event_time| {
        let instance = live.model.instance(inputs, as_of)?;
        Ok(Asked { instance, entity: entity(live, sent), event_time })
    })
}

/// Reads each instance by `read`, which is given the model's inputs, the time they are about, and all that was sent.
fn read_each<T>(
    live: &Live,
    instances: &[Map<String, Value>],
    now: DateTime<Utc>,
    state: Option<&State>,
    read: impl Fn(
        &Map<String, Value>,
        Option<AsOf<'_>>,
        &Map<String, Value>,
        Option<DateTime<Utc>>,
    ) -> Result<T, Vec<InstanceProblem>>,
) -> Result<Vec<T>, Fault> {
    let mut mistakes = Vec::new();
    let mut asked = Vec::with_capacity(instances.len());
    for (position, sent) in instances.iter().enumerate() {
        let mut note = |name: &str, message: String| {
            let name = name.replace('~', "~0").replace('/', "~1");
            mistakes.push(Mistake { pointer: format!("/instances/{position}/{name}"), message });
        };
        let is_input = |name: &str| live.model.inputs().iter().any(|input| input.column.name == name);
        let extra = [Some("entity"), Some("event_time"), live.data.entity.as_deref(), live.data.event_time.as_deref()];
        let inputs: Map<String, Value> = sent
            .iter()
            .filter(|(name, _)| is_input(name) || !extra.contains(&Some(name.as_str())))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let event_time = event_time(live, sent).unwrap_or_else(|(name, message)| {
            note(name, message);
            None
        });
        let time = event_time.unwrap_or(now).timestamp_micros();
        let as_of = state.map(|state| AsOf { history: &state.history, time });
        match read(&inputs, as_of, sent, event_time) {
            Ok(one) => asked.push(one),
            Err(problems) => {
                for problem in problems {
                    note(&problem.input, problem.to_string());
                }
            }
        }
    }
    if mistakes.is_empty() {
        return Ok(asked);
    }
    let listed: Vec<String> = mistakes.iter().map(|mistake| mistake.message.clone()).take(20).collect();
    Err(Fault { code: "invalid_instances".to_owned(), ..Fault::invalid(listed.join("; "), mistakes) })
}

/// `event_time` if it was sent, else the value of the document's column of the event's time.
fn event_time<'l>(live: &'l Live, sent: &Map<String, Value>) -> Result<Option<DateTime<Utc>>, (&'l str, String)> {
    let is_input = |name: &str| live.model.inputs().iter().any(|input| input.column.name == name);
    let column = live.data.event_time.as_deref().unwrap_or_default();
    let (name, format, json) = match (sent.get("event_time").filter(|_| !is_input("event_time")), sent.get(column)) {
        (Some(json), _) => ("event_time", TimeFormat::Iso, json),
        (None, Some(json)) => (column, live.data.time_format, json),
        (None, None) => return Ok(None),
    };
    if json.is_null() {
        return Ok(None);
    }
    let wanted = match format {
        TimeFormat::Iso => "a time as in \"2026-05-01T12:30:00Z\"",
        TimeFormat::UnixS => "a time in seconds since 1970",
        TimeFormat::UnixMs => "a time in milliseconds since 1970",
    };
    match micros(format, json).and_then(DateTime::from_timestamp_micros) {
        Some(time) => Ok(Some(time)),
        // What the model itself reads is judged with its inputs.
        None if is_input(name) => Ok(None),
        None => Err((name, format!("must be {wanted}"))),
    }
}

/// `entity` if it was sent, else the value of the document's entity column.
fn entity(live: &Live, sent: &Map<String, Value>) -> Option<String> {
    let named = sent.get("entity").or_else(|| sent.get(live.data.entity.as_ref()?))?;
    match named {
        Value::Null => None,
        Value::String(text) => Some(text.chars().take(200).collect()),
        other => Some(other.to_string().chars().take(200).collect()),
    }
}
