//! MLflow's messages as JSON: numbers of 64 bits may come as texts, and numbers that are none are words.

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::run::RunState;
use millrace_domain::tracking::{Entry, Point};
use millrace_storage::run::Run;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// A whole number, as one or as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whole(pub i64);

/// A number, as one or as a text: `NaN`, `Infinity` and `-Infinity` too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Whole(i64),
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = match Written::deserialize(deserializer)? {
            Written::Whole(whole) => Some(whole),
            Written::Number(number) => (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64),
            Written::Text(text) => text.parse().ok(),
        };
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("must be a whole number"))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Written::deserialize(deserializer)? {
            Written::Whole(whole) => Some(whole as f64),
            Written::Number(number) => Some(number),
            Written::Text(text) => text.parse().ok(),
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("must be a number"))
    }
}

/// A metric as clients send it.
#[derive(Debug, Deserialize)]
pub struct SentMetric {
    key: String,
    value: Number,
    timestamp: Option<Whole>,
    step: Option<Whole>,
}

impl SentMetric {
    pub fn point(self, now: DateTime<Utc>) -> Result<Point, Fault> {
        let at = self.timestamp.map_or(Ok(now), |at| moment(at, "timestamp"))?;
        Ok(Point { name: self.key, value: self.value.0, step: self.step.unwrap_or_default().0, at })
    }
}

/// A moment in milliseconds.
pub fn moment(at: Whole, name: &str) -> Result<DateTime<Utc>, Fault> {
    // What Postgres can hold, with room to spare.
    let is_near = (-62_000_000_000_000..=253_000_000_000_000).contains(&at.0);
    let moment = DateTime::from_timestamp_millis(at.0).filter(|_| is_near);
    moment.ok_or_else(|| {
        Fault::field(&format!("/{name}"), "must be milliseconds since 1970, between the years 6 and 9987")
    })
}

/// The run of an id that a client sent.
pub fn run_id(id: Option<String>, older: Option<String>) -> Result<RunId, Fault> {
    let id = id.filter(|id| !id.is_empty()).or(older).unwrap_or_default();
    id.parse().map_err(|_| Fault::not_found(&format!("run {id:?}")))
}

/// A run's state in MLflow's word.
pub const fn status(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "SCHEDULED",
        RunState::Running => "RUNNING",
        RunState::Succeeded | RunState::Rejected => "FINISHED",
        RunState::Failed => "FAILED",
        RunState::Cancelled => "KILLED",
    }
}

/// The state of MLflow's word.
pub fn state(status: &str) -> Result<RunState, Fault> {
    match status {
        "SCHEDULED" => Ok(RunState::Queued),
        "RUNNING" => Ok(RunState::Running),
        "FINISHED" => Ok(RunState::Succeeded),
        "FAILED" => Ok(RunState::Failed),
        "KILLED" => Ok(RunState::Cancelled),
        _ => Err(Fault::field("/status", "must be RUNNING, SCHEDULED, FINISHED, FAILED or KILLED")),
    }
}

/// A number as JSON has it, or as the word for one that is none.
fn number(number: f64) -> Value {
    match number {
        _ if number.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ => json!(number),
    }
}

pub fn metric(point: &Point) -> Value {
    json!({ "key": point.name, "value": number(point.value), "timestamp": point.at.timestamp_millis(), "step": point.step })
}

/// What is known of a run, without its values.
pub fn info(run: &Run) -> Value {
    let id = run.id.to_string();
    let name = run.tracked.as_ref().map_or_else(|| format!("run {id}"), |tracked| tracked.name.clone());
    json!({
        "run_id": id,
        "run_uuid": id,
        "run_name": name,
        "experiment_id": run.problem,
        "user_id": run.author_name,
        "status": status(run.state),
        "start_time": run.started_at.unwrap_or(run.created_at).timestamp_millis(),
        "end_time": run.finished_at.map(|end| end.timestamp_millis()),
        "artifact_uri": format!("mlflow-artifacts:/{}/{id}", run.problem),
        "lifecycle_stage": "active",
    })
}

/// A run with the newest value of each metric. Of a run of the pipeline the trainer is a parameter, and its state and kind are tags.
pub fn run(run: &Run, points: &[&Point]) -> Value {
    let fitted = run.parameters.as_ref().unwrap_or(&run.request["parameters"]);
    let members = |object: &Value| -> Vec<Entry> {
        let all = object.as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.map(|(key, value)| Entry { key: key.clone(), value: text(value) }).collect()
    };
    let mut parameters = members(fitted);
    let tags = match &run.tracked {
        Some(tracked) => members(&tracked.tags),
        None => {
            let trainer = run.trainer.clone().or_else(|| Some(run.request["trainer"].as_str()?.to_owned()));
            parameters.extend(trainer.map(|value| Entry { key: "trainer".to_owned(), value }));
            let tag = |key: &str, value: String| Entry { key: format!("millrace.{key}"), value };
            vec![tag("kind", "pipeline".to_owned()), tag("state", run.state.to_string())]
        }
    };
    let pair = |entry: &Entry| json!({ "key": entry.key, "value": entry.value });
    json!({
        "info": info(run),
        "data": {
            "metrics": points.iter().map(|point| metric(point)).collect::<Vec<_>>(),
            "params": parameters.iter().map(pair).collect::<Vec<_>>(),
            "tags": tags.iter().map(pair).collect::<Vec<_>>(),
        },
        "inputs": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_numbers_or_as_texts() {
        let read = |text: &str| serde_json::from_str::<Number>(text).map(|number| number.0);
        assert_eq!((read("1.5").unwrap(), read("\"2\"").unwrap(), read("3").unwrap()), (1.5, 2.0, 3.0));
        assert!(read("\"NaN\"").unwrap().is_nan());
        assert_eq!(read("\"-Infinity\"").unwrap(), f64::NEG_INFINITY);
        assert!(read("\"much\"").is_err() && read("null").is_err());
        let whole = |text: &str| serde_json::from_str::<Whole>(text).map(|whole| whole.0);
        assert_eq!((whole("\"17\"").unwrap(), whole("4.0").unwrap()), (17, 4));
        assert!(whole("1.5").is_err() && whole("1e300").is_err());
    }

    #[test]
    fn a_number_that_is_none_is_a_word() {
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(number(f64::INFINITY), "Infinity");
        assert_eq!(number(0.25), 0.25);
    }

    #[test]
    fn a_moment_far_away_is_refused() {
        assert!(moment(Whole(i64::MAX), "timestamp").is_err());
        assert!(moment(Whole(1_767_225_600_000), "timestamp").is_ok());
    }
}
