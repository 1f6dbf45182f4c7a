//! Spaces: which values a search may draw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Hyperparameter;
use super::program::number;
use super::setting::{Range, Scale, Setting, TrainerConfig};
use crate::problem::Mistake;

/// More values of one hyperparameter than this are refused.
const MOST_CHOICES: usize = 1_000;

/// What a search may draw for one hyperparameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Any value of a range.
    Range(Range),
    /// One of these, all equally likely; a single one is fixed.
    Choice(Vec<Setting>),
}

/// One trainer of a space: what is fixed, and what may be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    base: TrainerConfig,
    axes: BTreeMap<String, Axis>,
}

/// What a search may draw: a trainer, and then hyperparameters of that trainer alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    branches: Vec<Branch>,
}

impl Branch {
    /// Draws where the trainer declares that a search looks; the rest stays as it is.
    pub fn declared(base: TrainerConfig) -> Self {
        let axis = |parameter: &Hyperparameter| Some((parameter.name.to_owned(), Axis::Range(parameter.search?)));
        let axes = base.trainer().hyperparameters().iter().filter_map(axis).collect();
        Self { base, axes }
    }

    /// Reads what is drawn from a JSON object: `{"low": 0.01, "high": 0.3, "scale": "log"}` draws from a range, `[4, 6, 8]` from
    /// a list, and a number is fixed.
    ///
    /// # Errors
    /// Every unknown name, value outside its range, and misshapen member, each with its pointer. Of an external trainer, what is no
    /// number or misshapen alone.
    pub fn read(base: TrainerConfig, given: &Json) -> Result<Self, Vec<Mistake>> {
        let axes = match base.program() {
            // What it has says its declaration, which this is held against by whoever knows it ([`super::Program::axes`]).
            Some(_) => axes(given, |_| Ok(number)),
            None => axes(given, |name| {
                let range = base.trainer().hyperparameter(name)?.range;
                Ok(move |value: &Json| range.read(value))
            }),
        };
        Ok(Self { base, axes: axes? })
    }

    /// The trainer, with the values of what is not drawn.
    pub const fn base(&self) -> &TrainerConfig {
        &self.base
    }

    /// What is drawn for each hyperparameter.
    pub const fn axes(&self) -> &BTreeMap<String, Axis> {
        &self.axes
    }
}

impl Space {
    /// A space of at least one trainer; none of no trainer.
    pub fn new(branches: Vec<Branch>) -> Option<Self> {
        (!branches.is_empty()).then_some(Self { branches })
    }

    /// Its trainers, at least one.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }
}

impl Axis {
    /// The value at a share of the axis, between 0 and 1.
    pub fn at(&self, share: f64) -> Setting {
        match self {
            Self::Choice(choices) => choices[choice_at(share, choices.len())],
            Self::Range(Range::Number { low, high, scale }) => {
                Setting::Number(between(*low, *high, *scale, share).clamp(*low, *high))
            }
            // Half a step is added at both ends, so that they are as likely as the rest.
            Self::Range(Range::Integer { low, high, scale }) => {
                let drawn = between(*low as f64 - 0.5, *high as f64 + 0.5, *scale, share).round();
                Setting::Integer((drawn as u64).clamp(*low, *high))
            }
        }
    }

    /// As it is asked for in a search.
    pub fn asked(&self) -> Json {
        match self {
            Self::Choice(choices) => json!(choices),
            Self::Range(Range::Number { low, high, scale }) => json!({ "low": low, "high": high, "scale": scale }),
            Self::Range(Range::Integer { low, high, scale }) => json!({ "low": low, "high": high, "scale": scale }),
        }
    }

    /// The share at which a value lies; none for a value that is not on the axis.
    pub fn share_of(&self, value: &Setting) -> Option<f64> {
        self.ruler().share_of(value)
    }

    /// What tells the shares of many values.
    pub fn ruler(&self) -> Ruler<'_> {
        let (low, high, scale) = match self {
            Self::Choice(choices) => return Ruler::Choice(choices),
            Self::Range(Range::Number { low, high, scale }) => (*low, *high, *scale),
            Self::Range(Range::Integer { low, high, scale }) => (*low as f64 - 0.5, *high as f64 + 0.5, *scale),
        };
        let width = match scale {
            Scale::Linear => high - low,
            Scale::Log => (high / low).ln(),
        };
        Ruler::Range { low, width, scale }
    }
}

/// An axis, with what is the same of all its values computed once.
#[derive(Debug, Clone, Copy)]
pub enum Ruler<'a> {
    /// One of these.
    Choice(&'a [Setting]),
    /// A range.
    Range {
        /// The least value.
        low: f64,
        /// How far the greatest is from it, on its scale.
        width: f64,
        /// What is even.
        scale: Scale,
    },
}

impl Ruler<'_> {
    /// The share at which a value lies; none for a value that is not on the axis.
    pub fn share_of(&self, value: &Setting) -> Option<f64> {
        let (low, width, scale) = match self {
            Self::Choice(choices) => {
                let place = choices.iter().position(|choice| choice == value)?;
                return Some((place as f64 + 0.5) / choices.len() as f64);
            }
            Self::Range { low, width, scale } => (*low, *width, *scale),
        };
        let value = value.as_f64();
        let share = match scale {
            Scale::Linear => (value - low) / width,
            Scale::Log => (value / low).ln() / width,
        };
        // A range of one value has no width.
        Some(if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 })
    }
}

/// The one of `count` that a share falls on.
pub fn choice_at(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).min(count - 1)
}

fn between(low: f64, high: f64, scale: Scale, share: f64) -> f64 {
    match scale {
        Scale::Linear => low + (high - low) * share,
        Scale::Log => (low.ln() + (high.ln() - low.ln()) * share).exp(),
    }
}

/// What is drawn for each hyperparameter of a JSON object; all mistakes at once. `reader` gives, for a name, what reads one of its
/// values.
pub(super) fn axes<R: Fn(&Json) -> Result<Setting, String>>(
    given: &Json,
    reader: impl Fn(&str) -> Result<R, String>,
) -> Result<BTreeMap<String, Axis>, Vec<Mistake>> {
    let Json::Object(given) = given else {
        return Err(vec![Mistake { pointer: String::new(), message: "must be an object".to_owned() }]);
    };
    let (mut axes, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (name, value) in given {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let read = match reader(name) {
            Ok(read) => axis(&read, value, &pointer),
            Err(message) => Err(vec![Mistake { pointer, message }]),
        };
        match read {
            Ok(axis) => {
                axes.insert(name.clone(), axis);
            }
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(axes) } else { Err(mistakes) }
}

/// One hyperparameter of a space; the mistakes of all its members at once.
fn axis(read: &impl Fn(&Json) -> Result<Setting, String>, given: &Json, pointer: &str) -> Result<Axis, Vec<Mistake>> {
    let mistake = |at: &str, message: String| Mistake { pointer: format!("{pointer}{at}"), message };
    match given {
        Json::Array(values) if values.is_empty() || values.len() > MOST_CHOICES => {
            Err(vec![mistake("", format!("must list 1 to {MOST_CHOICES} values"))])
        }
        Json::Array(values) => collect(
            values
                .iter()
                .enumerate()
                .map(|(position, value)| read(value).map_err(|message| mistake(&format!("/{position}"), message))),
        )
        .map(Axis::Choice),
        Json::Object(members) => range(read, members, &mistake).map(Axis::Range),
        value => read(value).map(|setting| Axis::Choice(vec![setting])).map_err(|message| vec![mistake("", message)]),
    }
}

fn range(
    read: &impl Fn(&Json) -> Result<Setting, String>,
    members: &serde_json::Map<String, Json>,
    mistake: &impl Fn(&str, String) -> Mistake,
) -> Result<Range, Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = members
        .keys()
        .filter(|name| !["low", "high", "scale"].contains(&name.as_str()))
        .map(|name| mistake(&format!("/{name}"), "is no part of a range; it has low, high and scale".to_owned()))
        .collect();
    let mut end = |name: &str| match members.get(name).map(read) {
        Some(Ok(setting)) => Some(setting),
        Some(Err(message)) => {
            mistakes.push(mistake(&format!("/{name}"), message));
            None
        }
        None => {
            mistakes.push(mistake(&format!("/{name}"), "is missing".to_owned()));
            None
        }
    };
    let (low, high) = (end("low"), end("high"));
    let scale = match members.get("scale").map(|scale| (scale.as_str(), scale)) {
        None | Some((Some("linear"), _)) => Scale::Linear,
        Some((Some("log"), _)) => Scale::Log,
        Some((_, other)) => {
            mistakes.push(mistake("/scale", format!("must be \"linear\" or \"log\", got {other}")));
            Scale::Linear
        }
    };
    let (Some(low), Some(high)) = (low, high) else {
        return Err(mistakes);
    };
    if low.as_f64() > high.as_f64() {
        mistakes.push(mistake("/low", "is greater than high".to_owned()));
    }
    if scale == Scale::Log && low.as_f64() <= 0.0 {
        mistakes.push(mistake("/low", "must be above 0 on a log scale".to_owned()));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(match (low, high) {
        (Setting::Integer(low), Setting::Integer(high)) => Range::Integer { low, high, scale },
        (low, high) => Range::Number { low: low.as_f64(), high: high.as_f64(), scale },
    })
}

/// All values, or all mistakes.
fn collect<T>(results: impl Iterator<Item = Result<T, Mistake>>) -> Result<Vec<T>, Vec<Mistake>> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
}
