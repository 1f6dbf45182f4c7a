//! One prediction request: read, answered, logged.

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::problem::Mistake;
use millrace_ml::model::{Instance, Prediction};
use millrace_storage::{Uuid, prediction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Serving;
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
        let asked = read_all(&live, &request.instances)?;
        let now = self.surroundings.now();
        let mut predictions = Vec::with_capacity(count);
        for (asked, sent) in asked.into_iter().zip(request.instances) {
            let answered = live.model.predict_row(&asked.instance).map_err(|error| {
                Fault::new(422, "no_answer", "No answer", format!("the model has no answer for this instance: {error}"))
            })?;
            let id = Uuid::from_bytes(self.surroundings.bytes());
            let output = written(&live, &answered);
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
            });
        }
        Ok(Answer { predictions, model_version: live.number, stage: "champion" })
    }
}

/// Reads all instances, or names everything that is wrong with any of them.
fn read_all(live: &Live, instances: &[Map<String, Value>]) -> Result<Vec<Asked>, Fault> {
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
        let event_time = match sent.get("event_time").filter(|_| !is_input("event_time")) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => match DateTime::parse_from_rfc3339(text) {
                Ok(time) => Some(time.to_utc()),
                Err(_) => {
                    note("event_time", "must be a time as in \"2026-05-01T12:30:00Z\"".to_owned());
                    None
                }
            },
            Some(_) => {
                note("event_time", "must be a time as in \"2026-05-01T12:30:00Z\"".to_owned());
                None
            }
        };
        match live.model.instance(&inputs) {
            Ok(instance) => asked.push(Asked { instance, entity: entity(live, sent), event_time }),
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

/// `entity` if it was sent, else the value of the document's entity column.
fn entity(live: &Live, sent: &Map<String, Value>) -> Option<String> {
    let named = sent.get("entity").or_else(|| sent.get(live.data.entity.as_ref()?))?;
    match named {
        Value::Null => None,
        Value::String(text) => Some(text.chars().take(200).collect()),
        other => Some(other.to_string().chars().take(200).collect()),
    }
}

fn written(live: &Live, prediction: &Prediction) -> Value {
    match prediction {
        Prediction::Binary { score, label } => json!({ "score": score, "label": label }),
        Prediction::Multiclass { label, probabilities } => {
            let classes = live.model.classes().iter().map(ToString::to_string);
            let by_class: Map<String, Value> =
                classes.zip(probabilities).map(|(class, probability)| (class, json!(probability))).collect();
            json!({ "label": label, "probabilities": by_class })
        }
        Prediction::Regression { value } => json!({ "value": value }),
    }
}
