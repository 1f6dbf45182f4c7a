//! The launch form as it was typed: carried in addresses, and read into a request or into all its mistakes at once.

use leptos::wasm_bindgen::JsCast;
use leptos_router::params::ParamsMap;
use millrace_domain::fault::Fault;
use millrace_domain::ids::DatasetId;
use millrace_domain::problem::Mistake;
use millrace_domain::view::{LaunchRequest, RunView};
use serde_json::Value;

use crate::pages::address::address;

/// What stands in the fields; nothing is judged before [`LaunchForm::request`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaunchForm {
    /// Slug of the problem.
    pub problem: String,
    /// Dataset and version as `5/2`; empty means the newest valid one.
    pub dataset: String,
    /// Trainer.
    pub trainer: String,
    /// Trials; empty or 0 means no search.
    pub budget: String,
    /// What makes probabilities of scores; empty means nothing.
    pub calibration: String,
    /// How trials are drawn; empty means the usual way.
    pub sampler: String,
    /// Which trials are ended early; empty means the usual way.
    pub pruner: String,
    /// Trials that may run at once; empty means the usual number.
    pub parallel: String,
    /// Most seconds of processor time for all trials; empty means no limit.
    pub cpu_seconds: String,
    /// Most seconds from the first trial on; empty means no limit.
    pub wall_seconds: String,
    /// What a search must still be expected to gain to go on; empty means it is made whole.
    pub least_gain: String,
    /// Search space as a JSON object; empty means the trainer's own.
    pub search: String,
    /// Seed; empty means 0.
    pub seed: String,
    /// Fixed hyperparameters as a JSON object; may be empty.
    pub parameters: String,
}

impl LaunchForm {
    /// From an address.
    pub fn from_query(query: &ParamsMap) -> Self {
        Self::of(|name| query.get(name).unwrap_or_default())
    }

    /// From the form that a field is in, as it is filled now.
    pub fn around(field: &web_sys::Element) -> Option<Self> {
        let form = field.closest("form").ok()??;
        let data = web_sys::FormData::new_with_form(form.unchecked_ref()).ok()?;
        Some(Self::of(|name| data.get(name).as_string().unwrap_or_default()))
    }

    fn of(value: impl Fn(&str) -> String) -> Self {
        Self {
            problem: value("problem"),
            dataset: value("dataset"),
            trainer: value("trainer"),
            budget: value("budget"),
            calibration: value("calibration"),
            sampler: value("sampler"),
            pruner: value("pruner"),
            parallel: value("parallel"),
            cpu_seconds: value("cpu_seconds"),
            wall_seconds: value("wall_seconds"),
            least_gain: value("least_gain"),
            search: value("search"),
            seed: value("seed"),
            parameters: value("parameters"),
        }
    }

    /// The filled form that asks for the same as a past run did.
    pub fn again(run: &RunView) -> Self {
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Object(fields) if fields.is_empty() => String::new(),
            other => other.to_string(),
        };
        Self {
            problem: run.summary.problem.clone(),
            dataset: run.dataset.as_ref().map_or_else(String::new, |data| format!("{}/{}", data.dataset, data.version)),
            trainer: text(&run.request["trainer"]),
            budget: text(&run.request["budget"]),
            calibration: text(&run.request["calibration"]),
            // Runs launched before there was a choice drew at random, one after the other.
            sampler: run.request["sampler"].as_str().unwrap_or("random").to_owned(),
            pruner: text(&run.request["pruner"]),
            parallel: run.request["parallel"].as_u64().unwrap_or(1).to_string(),
            cpu_seconds: text(&run.request["cpu_seconds"]),
            wall_seconds: text(&run.request["wall_seconds"]),
            least_gain: text(&run.request["least_gain"]),
            search: text(&run.request["search"]),
            seed: text(&run.provenance["seed"]),
            parameters: text(&run.request["parameters"]),
        }
    }

    /// The address of the filled form.
    pub fn address(&self) -> String {
        address("/runs/new", self.typed())
    }

    /// The fields by name, to be kept when they are refused.
    pub fn typed(&self) -> [(&'static str, &str); 14] {
        [
            ("problem", &self.problem),
            ("dataset", &self.dataset),
            ("trainer", &self.trainer),
            ("budget", &self.budget),
            ("calibration", &self.calibration),
            ("sampler", &self.sampler),
            ("pruner", &self.pruner),
            ("parallel", &self.parallel),
            ("cpu_seconds", &self.cpu_seconds),
            ("wall_seconds", &self.wall_seconds),
            ("least_gain", &self.least_gain),
            ("search", &self.search),
            ("seed", &self.seed),
            ("parameters", &self.parameters),
        ]
    }

    /// What the form asks for.
    ///
    /// # Errors
    /// Every field that can't be read, by its name.
    pub fn request(&self) -> Result<LaunchRequest, Fault> {
        let mut mistakes = Vec::new();
        let mut note = |pointer: &str, message: &str| {
            mistakes.push(Mistake { pointer: pointer.to_owned(), message: message.to_owned() });
        };
        if self.problem.trim().is_empty() {
            note("/problem", "choose a problem");
        }
        let (dataset, version) = match dataset_version(&self.dataset) {
            Ok(chosen) => chosen.unzip(),
            Err(message) => {
                note("/dataset", message);
                (None, None)
            }
        };
        let budget = number(&self.budget).unwrap_or_else(|()| {
            note("/budget", "must be a whole number of trials, 0 or more; leave it empty for no search");
            None
        });
        let seed = number(&self.seed).unwrap_or_else(|()| {
            note("/seed", "must be a whole number, 0 or more; leave it empty for 0");
            None
        });
        let parallel = number(&self.parallel).unwrap_or_else(|()| {
            note("/parallel", "must be a whole number of trials at once; leave it empty for 4");
            None
        });
        let mut limit = |pointer: &str, text: &str, what: &str| {
            let finite = number(text).and_then(|read: Option<f64>| match read {
                Some(seconds) if !seconds.is_finite() => Err(()),
                read => Ok(read),
            });
            finite.unwrap_or_else(|()| {
                note(pointer, &format!("must be a number{what}; leave it empty for no limit"));
                None
            })
        };
        let cpu_seconds = limit("/cpu_seconds", &self.cpu_seconds, " of seconds");
        let wall_seconds = limit("/wall_seconds", &self.wall_seconds, " of seconds");
        let least_gain = limit("/least_gain", &self.least_gain, "");
        let search = object(&self.search).unwrap_or_else(|()| {
            note(
                "/search",
                "must be a JSON object such as {\"max_depth\": [4, 6, 8]}; leave it empty for the trainer's own",
            );
            None
        });
        let parameters = object(&self.parameters).unwrap_or_else(|()| {
            note("/parameters", "must be a JSON object such as {\"max_depth\": 6}; leave it empty for the defaults");
            None
        });
        if !mistakes.is_empty() {
            return Err(Fault::invalid(in_words(&mistakes), mistakes));
        }
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(LaunchRequest {
            problem: self.problem.trim().to_owned(),
            dataset,
            version,
            seed,
            trainer: given(&self.trainer),
            parameters,
            search,
            calibration: given(&self.calibration),
            sampler: given(&self.sampler),
            pruner: given(&self.pruner),
            budget: budget.filter(|trials| *trials > 0),
            parallel,
            cpu_seconds,
            wall_seconds,
            least_gain,
            provenance: None,
        })
    }
}

/// `5/2` as dataset 5, version 2.
pub(in crate::pages) fn dataset_version(text: &str) -> Result<Option<(String, i32)>, &'static str> {
    const RULE: &str = "choose a dataset version from the list";
    if text.trim().is_empty() {
        return Ok(None);
    }
    let (dataset, version) = text.trim().split_once('/').ok_or(RULE)?;
    let dataset: DatasetId = dataset.parse().map_err(|_| RULE)?;
    let version: i32 = version.parse().map_err(|_| RULE)?;
    Ok(Some((dataset.to_string(), version)))
}

pub(in crate::pages) fn number<T: std::str::FromStr>(text: &str) -> Result<Option<T>, ()> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(drop) }
}

pub(in crate::pages) fn object(text: &str) -> Result<Option<Value>, ()> {
    match text.trim() {
        "" => Ok(None),
        text => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Some(value)),
            _ => Err(()),
        },
    }
}

fn in_words(mistakes: &[Mistake]) -> String {
    let words: Vec<String> =
        mistakes.iter().map(|m| format!("{}: {}", m.pointer.trim_start_matches('/'), m.message)).collect();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled() -> LaunchForm {
        LaunchForm {
            problem: "taxi-tips".to_owned(),
            dataset: "5/2".to_owned(),
            trainer: "gradient_boosting".to_owned(),
            budget: "12".to_owned(),
            calibration: "platt".to_owned(),
            sampler: "tpe".to_owned(),
            pruner: "halving".to_owned(),
            parallel: "2".to_owned(),
            cpu_seconds: "60".to_owned(),
            wall_seconds: String::new(),
            least_gain: "0.001".to_owned(),
            search: r#"{"eta": [0.1]}"#.to_owned(),
            seed: "7".to_owned(),
            parameters: r#"{"max_depth": 6}"#.to_owned(),
        }
    }

    #[test]
    fn a_filled_form_becomes_its_request() {
        let expected = LaunchRequest {
            problem: "taxi-tips".to_owned(),
            dataset: Some("5".to_owned()),
            version: Some(2),
            seed: Some(7),
            trainer: Some("gradient_boosting".to_owned()),
            parameters: Some(json!({"max_depth": 6})),
            search: Some(json!({"eta": [0.1]})),
            calibration: Some("platt".to_owned()),
            sampler: Some("tpe".to_owned()),
            pruner: Some("halving".to_owned()),
            budget: Some(12),
            parallel: Some(2),
            cpu_seconds: Some(60.0),
            wall_seconds: None,
            least_gain: Some(0.001),
            provenance: None,
        };
        assert_eq!(filled().request(), Ok(expected));
    }

    #[test]
    fn only_the_problem_is_needed() {
        let form = LaunchForm { problem: "taxi-tips".to_owned(), budget: "0".to_owned(), ..LaunchForm::default() };
        let request = form.request().expect("a problem alone is enough");
        assert_eq!((request.dataset, request.version, request.budget, request.seed), (None, None, None, None));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let form = LaunchForm {
            dataset: "the newest".to_owned(),
            budget: "-1".to_owned(),
            parallel: "1.5".to_owned(),
            cpu_seconds: "a minute".to_owned(),
            search: "[]".to_owned(),
            seed: "seven".to_owned(),
            parameters: "[1]".to_owned(),
            ..LaunchForm::default()
        };
        let pointers: Vec<String> =
            form.request().expect_err("eight fields are wrong").errors.into_iter().map(|m| m.pointer).collect();
        assert_eq!(
            pointers,
            ["/problem", "/dataset", "/budget", "/seed", "/parallel", "/cpu_seconds", "/search", "/parameters"]
        );
    }

    #[test]
    fn an_address_carries_the_filled_form() {
        let expected = "/runs/new?problem=taxi-tips&dataset=5%2F2&trainer=gradient_boosting&budget=12&calibration=platt&sampler=tpe\
                        &pruner=halving&parallel=2&cpu_seconds=60&least_gain=0.001&search=%7B%22eta%22%3A%20%5B0.1%5D%7D&seed=7&parameters=%7B%22max_depth%22%3A%206%7D";
        assert_eq!(filled().address(), expected);
    }
}
