//! Spaces: which values a search may draw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::Hyperparameter;
use super::program::given_setting;
use super::setting::{Range, Scale, Setting, Settings, TrainerConfig};
use crate::problem::Mistake;

/// More values of one hyperparameter than this are refused.
const MOST_CHOICES: usize = 1_000;

/// What a search may draw for one hyperparameter, and when it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What may be drawn.
    pub values: Values,
    /// Where it is drawn; otherwise it has the value that it has without a search.
    pub when: Condition,
}

/// Values that a search may draw.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Any value of a range.
    Range(Range),
    /// One of these, all equally likely; a single one is fixed.
    Choice(Vec<Setting>),
}

/// Hyperparameters that must each have one of some values, and must themselves be drawn where they depend on others; always met when
/// there are none.
pub type Condition = BTreeMap<String, Vec<Setting>>;

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
        let axis =
            |parameter: &Hyperparameter| Some((parameter.name.to_owned(), Values::Range(parameter.search?).into()));
        let axes = base.trainer().hyperparameters().iter().filter_map(axis).collect();
        Self { base, axes }
    }

    /// Reads what is drawn from a JSON object: `{"low": 0.01, "high": 0.3, "scale": "log"}` draws from a range, `[4, 6, 8]` or
    /// `{"values": [4, 6, 8]}` from a list, and a number or word is fixed. With `"when": {"booster": ["dart"]}` beside a range or
    /// values it is drawn only where another hyperparameter has one of those values.
    ///
    /// # Errors
    /// Every unknown name, value outside its range, misshapen member, and condition that is never met, each with its pointer. Of an
    /// external trainer whose declaration is not filled in yet, what is misshapen alone.
    pub fn read(base: TrainerConfig, given: &Json) -> Result<Self, Vec<Mistake>> {
        let axes = match base.program() {
            // What it has says its declaration, which this is held against by whoever knows it ([`super::Program::axes`]).
            Some(_) => axes(given, |_| Ok(given_setting)),
            None => axes(given, |name| {
                let range = base.trainer().hyperparameter(name)?.range;
                Ok(move |value: &Json| range.read(value))
            }),
        };
        let branch = Self { base, axes: axes? };
        let mistakes = branch.never_met();
        if mistakes.is_empty() { Ok(branch) } else { Err(mistakes) }
    }

    /// The conditions that no draw meets.
    fn never_met(&self) -> Vec<Mistake> {
        let conditions = self
            .axes
            .iter()
            .flat_map(|(name, axis)| axis.when.iter().map(move |(other, allowed)| (name, other, allowed)));
        let refused = conditions.filter_map(|(name, other, allowed)| {
            let fixed = self.base.settings().get(other);
            let is_met = match self.axes.get(other) {
                Some(axis) => allowed.iter().any(|value| axis.values.has(value)),
                // Of an external trainer it is known once what it declares is filled in.
                None => fixed.is_none() || fixed.is_some_and(|fixed| allowed.contains(fixed)),
            };
            let message = || match fixed.filter(|_| !self.axes.contains_key(other)) {
                Some(fixed) => format!("is never met: {other} is {fixed} in all trials"),
                None => format!("is never met: the search draws no such {other}"),
            };
            (!is_met).then(|| Mistake {
                pointer: format!("{}/when{}", pointer_to(name), pointer_to(other)),
                message: message(),
            })
        });
        refused.collect()
    }

    /// All that must hold for a hyperparameter to be drawn: its own condition, and those of what it depends on.
    pub fn condition(&self, name: &str) -> Condition {
        let mut whole = Condition::new();
        for (other, allowed) in self.axes.get(name).into_iter().flat_map(|axis| &axis.when) {
            let further = self.condition(other);
            for (other, allowed) in further.iter().chain([(other, allowed)]) {
                let held = whole.entry(other.clone()).or_insert_with(|| allowed.clone());
                held.retain(|value| allowed.contains(value));
            }
        }
        whole
    }

    /// The trainer with what is drawn: what has a condition that is not met stays as it is without a search.
    pub fn with_drawn(&self, mut value: impl FnMut(&Axis) -> Setting) -> TrainerConfig {
        let mut drawn: Settings = self.axes.iter().map(|(name, axis)| (name.clone(), value(axis))).collect();
        if self.axes.values().any(|axis| !axis.when.is_empty()) {
            let all = self.base.with(&drawn);
            drawn.retain(|name, _| is_met(&self.condition(name), all.settings()));
        }
        self.base.with(&drawn)
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

/// Whether what a condition asks for is so.
pub fn is_met(condition: &Condition, settings: &Settings) -> bool {
    condition.iter().all(|(name, allowed)| settings.get(name).is_some_and(|value| allowed.contains(value)))
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

impl From<Values> for Axis {
    /// Drawn in every trial.
    fn from(values: Values) -> Self {
        Self { values, when: Condition::new() }
    }
}

impl Axis {
    /// As it is asked for in a search.
    pub fn asked(&self) -> Json {
        if self.when.is_empty() {
            return self.values.asked();
        }
        let mut asked = match self.values.asked() {
            values @ Json::Array(_) => json!({ "values": values }),
            range => range,
        };
        asked["when"] = json!(self.when);
        asked
    }
}

impl Values {
    /// The value at a share of the axis, between 0 and 1.
    pub fn at(&self, share: f64) -> Setting {
        match self {
            Self::Choice(choices) => choices[choice_at(share, choices.len())].clone(),
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

    fn asked(&self) -> Json {
        match self {
            Self::Choice(choices) => json!(choices),
            Self::Range(Range::Number { low, high, scale }) => json!({ "low": low, "high": high, "scale": scale }),
            Self::Range(Range::Integer { low, high, scale }) => json!({ "low": low, "high": high, "scale": scale }),
        }
    }

    /// Whether that value may be drawn.
    fn has(&self, value: &Setting) -> bool {
        match (self, value) {
            (Self::Choice(choices), value) => choices.contains(value),
            (Self::Range(range), value) => range.read(&json!(value)).is_ok(),
        }
    }

    /// The share at which a value lies; none for a value that is not among them.
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
        let value = value.as_f64()?;
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
        let pointer = pointer_to(name);
        let mut value = value.clone();
        let when = value.as_object_mut().and_then(|members| members.remove("when"));
        let values = match reader(name) {
            Ok(read) => values(&read, &value, &pointer),
            Err(message) => Err(vec![Mistake { pointer: pointer.clone(), message }]),
        };
        let when =
            when.map_or_else(|| Ok(Condition::new()), |given| condition(&reader, &given, &format!("{pointer}/when")));
        match (values, when) {
            (Ok(values), Ok(when)) => {
                axes.insert(name.clone(), Axis { values, when });
            }
            (values, when) => mistakes.extend(values.err().into_iter().chain(when.err()).flatten()),
        }
    }
    mistakes.extend(axes.keys().filter(|name| depends_on(&axes, name, name, &mut BTreeSet::new())).map(|name| {
        Mistake { pointer: format!("{}/when", pointer_to(name)), message: "depends on itself".to_owned() }
    }));
    if mistakes.is_empty() { Ok(axes) } else { Err(mistakes) }
}

/// Whether the condition of one hyperparameter leads to another, over any number of others.
pub(super) fn depends_on<'a>(
    axes: &'a BTreeMap<String, Axis>,
    name: &str,
    sought: &str,
    seen: &mut BTreeSet<&'a str>,
) -> bool {
    axes.get(name)
        .into_iter()
        .flat_map(|axis| axis.when.keys())
        .any(|other| other == sought || (seen.insert(other) && depends_on(axes, other, sought, seen)))
}

/// What a hyperparameter is drawn under: an object of others, each with a value or a list of them.
fn condition<R: Fn(&Json) -> Result<Setting, String>>(
    reader: &impl Fn(&str) -> Result<R, String>,
    given: &Json,
    pointer: &str,
) -> Result<Condition, Vec<Mistake>> {
    let mistake = |at: String, message: String| Mistake { pointer: format!("{pointer}{at}"), message };
    let Some(given) = given.as_object().filter(|given| !given.is_empty()) else {
        let message = "must be an object that gives another hyperparameter one or more values".to_owned();
        return Err(vec![mistake(String::new(), message)]);
    };
    let (mut condition, mut mistakes) = (Condition::new(), Vec::new());
    for (name, value) in given {
        let at = pointer_to(name);
        let allowed = match value {
            Json::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        if allowed.is_empty() || allowed.len() > MOST_CHOICES {
            mistakes.push(mistake(at, format!("must be 1 to {MOST_CHOICES} values")));
            continue;
        }
        let read = reader(name).and_then(|read| allowed.iter().map(read).collect::<Result<Vec<Setting>, String>>());
        match read {
            Ok(allowed) => {
                condition.insert(name.clone(), allowed);
            }
            Err(message) => mistakes.push(mistake(at, message)),
        }
    }
    if mistakes.is_empty() { Ok(condition) } else { Err(mistakes) }
}

/// The pointer to a member.
fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The values of one hyperparameter of a space; the mistakes of all its members at once.
fn values(
    read: &impl Fn(&Json) -> Result<Setting, String>,
    given: &Json,
    pointer: &str,
) -> Result<Values, Vec<Mistake>> {
    let mistake = |at: &str, message: String| Mistake { pointer: format!("{pointer}{at}"), message };
    match given {
        Json::Object(members) if members.len() == 1 && members.get("values").is_some_and(Json::is_array) => {
            values(read, &members["values"], &format!("{pointer}/values"))
        }
        Json::Array(values) if values.is_empty() || values.len() > MOST_CHOICES => {
            Err(vec![mistake("", format!("must list 1 to {MOST_CHOICES} values"))])
        }
        Json::Array(values) => collect(
            values
                .iter()
                .enumerate()
                .map(|(position, value)| read(value).map_err(|message| mistake(&format!("/{position}"), message))),
        )
        .map(Values::Choice),
        Json::Object(members) => range(read, members, &mistake).map(Values::Range),
        value => read(value).map(|setting| Values::Choice(vec![setting])).map_err(|message| vec![mistake("", message)]),
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
        .map(|name| mistake(&format!("/{name}"), "is no part of a range; it has low, high, scale and when".to_owned()))
        .collect();
    let mut end = |name: &str| match members.get(name).map(read) {
        Some(Ok(Setting::Category(word))) => {
            mistakes.push(mistake(&format!("/{name}"), format!("must be a number, got {word:?}; words are listed")));
            None
        }
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
    let (Some(least), Some(most)) = (low.as_f64(), high.as_f64()) else {
        return Err(mistakes);
    };
    if least > most {
        mistakes.push(mistake("/low", "is greater than high".to_owned()));
    }
    if scale == Scale::Log && least <= 0.0 {
        mistakes.push(mistake("/low", "must be above 0 on a log scale".to_owned()));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(match (low, high) {
        (Setting::Integer(low), Setting::Integer(high)) => Range::Integer { low, high, scale },
        _ => Range::Number { low: least, high: most, scale },
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
