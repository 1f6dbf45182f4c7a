//! MLflow's messages as JSON: numbers of 64 bits may come as texts, and numbers that are none are words.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::run::RunState;
use millrace_domain::tracking::Point;
use millrace_storage::run::{Newest, Run};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A whole number, as one or as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whole(pub i64);

/// The tag that is a run's name.
pub const RUN_NAME: &str = "mlflow.runName";

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

impl Serialize for Number {
    /// A number as JSON has it, or as the word for one that is none.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number => serializer.serialize_f64(number),
        }
    }
}

/// A value of a metric as clients read it.
#[derive(Debug, Serialize)]
struct Metric<'a> {
    key: &'a str,
    value: Number,
    timestamp: i64,
    step: i64,
}

/// A name and a text as clients read them.
#[derive(Debug, Serialize)]
struct Pair<'a> {
    key: &'a str,
    value: Cow<'a, str>,
}

/// The course of a metric.
#[derive(Debug)]
pub struct Course(pub Vec<Point>);

impl Serialize for Course {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|point| Metric {
            key: &point.name,
            value: Number(point.value),
            timestamp: point.at.timestamp_millis(),
            step: point.step,
        }))
    }
}

/// What is known of a run, without its values.
#[derive(Debug, Serialize)]
pub struct Info {
    run_id: String,
    run_uuid: String,
    run_name: String,
    experiment_id: String,
    user_id: String,
    status: &'static str,
    start_time: i64,
    end_time: Option<i64>,
    artifact_uri: String,
    lifecycle_stage: &'static str,
}

impl Info {
    pub fn of(run: &Run) -> Self {
        let id = run.id.to_string();
        Self {
            run_uuid: id.clone(),
            run_name: run.tracked.as_ref().map_or_else(|| format!("run {id}"), |tracked| tracked.name.clone()),
            experiment_id: run.problem.clone(),
            user_id: run.author_name.clone(),
            status: status(run.state),
            start_time: run.started_at.unwrap_or(run.created_at).timestamp_millis(),
            end_time: run.finished_at.map(|end| end.timestamp_millis()),
            artifact_uri: format!("mlflow-artifacts:/{}/{id}", run.problem),
            lifecycle_stage: "active",
            run_id: id,
        }
    }
}

/// A run with the newest value of each metric. Of a run of the pipeline the trainer is a parameter, and its state and kind are tags.
#[derive(Debug)]
pub struct Told {
    pub run: Run,
    pub newest: Option<Newest>,
}

impl Told {
    fn metrics(&self) -> Vec<Metric<'_>> {
        let Some(newest) = &self.newest else { return Vec::new() };
        let all = newest.names.iter().zip(&newest.values).zip(&newest.steps).zip(&newest.moments);
        all.map(|(((key, value), step), at)| Metric {
            key,
            value: Number(*value),
            timestamp: at.timestamp_millis(),
            step: *step,
        })
        .collect()
    }

    fn parameters(&self) -> Vec<Pair<'_>> {
        let mut all = pairs(self.run.parameters.as_ref().unwrap_or(&self.run.request["parameters"]));
        if self.run.tracked.is_none() {
            let trainer = self.run.trainer.as_deref().or_else(|| self.run.request["trainer"].as_str());
            all.extend(trainer.map(|trainer| Pair { key: "trainer", value: trainer.into() }));
        }
        all
    }

    fn tags(&self) -> Vec<Pair<'_>> {
        match &self.run.tracked {
            Some(tracked) => {
                let own = pairs(&tracked.tags).into_iter().filter(|pair| pair.key != RUN_NAME);
                own.chain([Pair { key: RUN_NAME, value: tracked.name.as_str().into() }]).collect()
            }
            None => vec![
                Pair { key: "millrace.kind", value: "pipeline".into() },
                Pair { key: "millrace.state", value: self.run.state.as_str().into() },
            ],
        }
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data<'a> {
            metrics: Vec<Metric<'a>>,
            params: Vec<Pair<'a>>,
            tags: Vec<Pair<'a>>,
        }
        #[derive(Serialize)]
        struct Inputs {}
        let mut told = serializer.serialize_struct("run", 3)?;
        told.serialize_field("info", &Info::of(&self.run))?;
        let data = Data { metrics: self.metrics(), params: self.parameters(), tags: self.tags() };
        told.serialize_field("data", &data)?;
        told.serialize_field("inputs", &Inputs {})?;
        told.end()
    }
}

/// The members of an object, as texts.
fn pairs(object: &Value) -> Vec<Pair<'_>> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| match value {
            Value::String(text) => Pair { key, value: Cow::Borrowed(text) },
            other => Pair { key, value: Cow::Owned(other.to_string()) },
        })
        .collect()
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
        let written = |number| serde_json::to_string(&Number(number)).unwrap();
        assert_eq!(written(f64::NAN), "\"NaN\"");
        assert_eq!(written(f64::NEG_INFINITY), "\"-Infinity\"");
        assert_eq!(written(0.25), "0.25");
    }

    #[test]
    fn a_moment_far_away_is_refused() {
        assert!(moment(Whole(i64::MAX), "timestamp").is_err());
        assert!(moment(Whole(1_767_225_600_000), "timestamp").is_ok());
    }
}
