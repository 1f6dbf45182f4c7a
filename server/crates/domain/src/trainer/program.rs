//! External trainers: programs that whoever runs the server declared. A run asks for one by name and can reach nothing else.

use std::collections::BTreeMap;
#[cfg(feature = "parse")]
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::setting::{Range, Scale, Setting, Settings};
#[cfg(feature = "parse")]
use super::space::depends_on;
use super::space::{Axis, Condition, Values};
use crate::metric::TargetKind;
use crate::problem::Mistake;

/// What the name of an external trainer begins with where a trainer is asked for.
pub const EXTERNAL: &str = "external:";
/// Longest name, and most hyperparameters.
const MOST_NAME: usize = 40;
const MOST_PARAMETERS: usize = 50;

/// The name of an external trainer: small letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProgramName(String);

impl TryFrom<String> for ProgramName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter);
        if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(fits) {
            return Err(format!(
                "{name:?} is no name of an external trainer: 1 to {MOST_NAME} small letters, digits, _ and -"
            ));
        }
        Ok(Self(name))
    }
}

impl From<ProgramName> for String {
    fn from(name: ProgramName) -> Self {
        name.0
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a program is given of the features.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramInputs {
    /// What trees branch on: numbers as they are, NaN where one is missing, a category as its code.
    #[default]
    Columns,
    /// What linear models and networks add up: numbers scaled, a category as a number a level, nothing missing.
    Terms,
}

/// A hyperparameter of a program: a number from `low` to `high`, or one of the words in `values`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramParameter {
    /// Smallest value, of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Largest value, of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The words that it may be, if it is a word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Its value when nobody says otherwise.
    pub default: Setting,
    /// Whether it is a whole number.
    #[serde(default)]
    pub integer: bool,
    /// How a search draws it.
    #[serde(default)]
    pub scale: Scale,
    /// A search draws it only where each of these has one of these values.
    #[serde(default, skip_serializing_if = "Condition::is_empty")]
    pub when: Condition,
}

/// An external trainer, as declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The program and its arguments. `{directory}`, `{seed}` and `{<hyperparameter>}` are replaced in each of them.
    pub command: Vec<String>,
    /// The kinds of target it is for; all when it says none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<TargetKind>,
    /// What it is given of the features.
    #[serde(default)]
    pub inputs: ProgramInputs,
    /// Its environment, besides PATH, HOME and LANG.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Longest time it may take, in seconds.
    #[serde(default = "an_hour")]
    pub seconds: u32,
    /// Most processor time that any of its processes may use, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u32>,
    /// Most memory that any of its processes may address, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Its hyperparameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ProgramParameter>,
}

const fn an_hour() -> u32 {
    3_600
}

/// All external trainers of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Programs {
    #[serde(default)]
    trainers: BTreeMap<ProgramName, Program>,
}

impl Programs {
    /// Reads them from TOML, a table `[trainers.<name>]` each.
    ///
    /// # Errors
    /// What is wrong, in words.
    #[cfg(feature = "parse")]
    pub fn read(text: &str) -> Result<Self, String> {
        let read: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (name, program) in &read.trainers {
            program.check().map_err(|reason| format!("trainers.{name}: {reason}"))?;
        }
        Ok(read)
    }

    /// The one of that name.
    ///
    /// # Errors
    /// Naming those that exist.
    pub fn find(&self, name: &ProgramName) -> Result<&Program, String> {
        self.trainers.get(name).ok_or_else(|| {
            let names: Vec<String> = self.names().map(ToString::to_string).collect();
            match names.is_empty() {
                true => format!("{name} is not known here: this server has no external trainers (MILLRACE_TRAINERS)"),
                false => format!("{name} is not known here; external trainers are {}", names.join(", ")),
            }
        })
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &ProgramName> {
        self.trainers.keys()
    }

    /// The names of those for that kind of target.
    pub fn of(&self, kind: TargetKind) -> impl Iterator<Item = &ProgramName> {
        self.trainers.iter().filter(move |(_, program)| program.fits(kind)).map(|(name, _)| name)
    }
}

impl Program {
    /// Whether it is for that kind of target.
    pub fn fits(&self, kind: TargetKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Every hyperparameter: those given, and the defaults of the others.
    ///
    /// # Errors
    /// Every unknown name and every value outside its range, each with its pointer.
    pub fn settings(&self, given: &Settings) -> Result<Settings, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut settings: Settings = self.parameters.iter().map(|(name, own)| (name.clone(), own.usual())).collect();
        for (name, value) in given {
            match self.parameter(name).and_then(|parameter| parameter.read(&serde_json::json!(value))) {
                Ok(setting) => {
                    settings.insert(name.clone(), setting);
                }
                Err(message) => mistakes.push(Mistake { pointer: format!("/{name}"), message }),
            }
        }
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    /// What a search draws for each hyperparameter: as asked for ([`super::Branch::read`]), or all of them where nothing is.
    ///
    /// # Errors
    /// Every unknown name, value outside its range, and misshapen member, each with its pointer.
    pub fn axes(&self, asked: &Json) -> Result<BTreeMap<String, Axis>, Vec<Mistake>> {
        if asked.is_null() || asked.as_object().is_some_and(serde_json::Map::is_empty) {
            let all = self.parameters.iter();
            return Ok(all.map(|(name, own)| (name.clone(), own.axis())).collect());
        }
        // Narrowing what is drawn leaves the scale and the condition that are declared.
        let mut asked = asked.clone();
        for (name, range) in asked.as_object_mut().into_iter().flatten() {
            let range = range.as_object_mut().filter(|range| !range.contains_key("values"));
            if let (Some(range), Some(own)) = (range, self.parameters.get(name)) {
                range.entry("scale").or_insert_with(|| serde_json::json!(own.scale));
            }
        }
        let mut axes = super::space::axes(&asked, |name| {
            let parameter = self.parameter(name)?;
            Ok(move |value: &Json| parameter.read(value))
        })?;
        for (name, axis) in axes.iter_mut().filter(|(_, axis)| axis.when.is_empty()) {
            axis.when = self.parameters[name].when.clone();
        }
        Ok(axes)
    }

    fn parameter(&self, name: &str) -> Result<&ProgramParameter, String> {
        self.parameters.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("is no hyperparameter of it; it has {has}")
        })
    }

    #[cfg(feature = "parse")]
    fn check(&self) -> Result<(), String> {
        if self.command.first().is_none_or(String::is_empty) {
            return Err("command must name a program".to_owned());
        }
        if self.command.iter().chain(self.environment.values()).any(|text| text.contains('\0')) {
            return Err("command and environment cannot hold the character NUL".to_owned());
        }
        if let Some(name) = self.environment.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(format!("environment: {name:?} cannot be the name of a variable"));
        }
        if self.seconds == 0 || self.cpu_seconds == Some(0) || self.memory_mb == Some(0) {
            return Err("seconds, cpu_seconds and memory_mb must be at least 1".to_owned());
        }
        if self.parameters.len() > MOST_PARAMETERS {
            return Err(format!("has more than {MOST_PARAMETERS} parameters"));
        }
        let is_name = |name: &str| {
            name.len() <= MOST_NAME
                && name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        };
        for (name, parameter) in &self.parameters {
            if !is_name(name) || ["directory", "seed"].contains(&name.as_str()) {
                return Err(format!("parameters: {name:?} cannot be the name of a parameter"));
            }
            parameter.check().map_err(|reason| format!("parameters.{name}: {reason}"))?;
        }
        for (name, parameter) in &self.parameters {
            for (other, allowed) in &parameter.when {
                let wrong = |reason: &str| format!("parameters.{name}: when.{other} {reason}");
                let other = self.parameters.get(other).ok_or_else(|| wrong("is no parameter of it"))?;
                if allowed.is_empty() {
                    return Err(wrong("lists no value"));
                }
                for value in allowed {
                    other.read(&serde_json::json!(value)).map_err(|reason| wrong(&reason))?;
                }
            }
        }
        let axes = self.parameters.iter().map(|(name, own)| (name.clone(), own.axis())).collect();
        match self.parameters.keys().find(|name| depends_on(&axes, name, name, &mut BTreeSet::new())) {
            Some(name) => Err(format!("parameters.{name}: when depends on itself")),
            None => Ok(()),
        }
    }
}

impl ProgramParameter {
    fn range(&self) -> Range {
        let (low, high) = (self.low.unwrap_or_default(), self.high.unwrap_or_default());
        match self.integer {
            true => Range::Integer { low: low as u64, high: high as u64, scale: self.scale },
            false => Range::Number { low, high, scale: self.scale },
        }
    }

    /// The value as one of this hyperparameter's; the reason why not is a phrase after the name.
    fn read(&self, value: &Json) -> Result<Setting, String> {
        if self.values.is_empty() {
            return self.range().read(value);
        }
        let own = value.as_str().filter(|word| self.values.iter().any(|own| own == word));
        let word = own.ok_or_else(|| format!("must be one of {}, got {value}", self.values.join(", ")))?;
        Ok(Setting::Category(word.to_owned()))
    }

    fn usual(&self) -> Setting {
        self.read(&serde_json::json!(self.default)).unwrap_or_else(|_| self.default.clone())
    }

    fn axis(&self) -> Axis {
        let values = match self.values.as_slice() {
            [] => Values::Range(self.range()),
            words => Values::Choice(words.iter().cloned().map(Setting::Category).collect()),
        };
        Axis { values, when: self.when.clone() }
    }

    #[cfg(feature = "parse")]
    fn check(&self) -> Result<(), String> {
        if self.values.is_empty() { self.check_number() } else { self.check_words() }
    }

    #[cfg(feature = "parse")]
    fn check_words(&self) -> Result<(), String> {
        if self.low.is_some() || self.high.is_some() || self.integer || self.scale != Scale::Linear {
            return Err("a word has values and a default alone".to_owned());
        }
        // They become arguments of the command, whose own places are in braces.
        let fits = |word: &String| {
            (1..=MOST_NAME).contains(&word.len())
                && !word.contains(|letter: char| letter.is_control() || "{}".contains(letter))
        };
        if let Some(word) = self.values.iter().find(|word| !fits(word)) {
            return Err(format!("{word:?} cannot be a value: 1 to {MOST_NAME} characters other than braces"));
        }
        if self.values.iter().collect::<BTreeSet<_>>().len() < self.values.len() {
            return Err("lists a value twice".to_owned());
        }
        self.read(&serde_json::json!(self.default)).map(drop).map_err(|reason| format!("the default {reason}"))
    }

    #[cfg(feature = "parse")]
    fn check_number(&self) -> Result<(), String> {
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return Err("must have low and high, or the words that it may be as values".to_owned());
        };
        let Some(default) = self.default.as_f64() else {
            return Err(format!("the default {:?} is no number, and no values are listed", self.default.to_string()));
        };
        let numbers = [low, high, default];
        if numbers.iter().any(|number| !number.is_finite()) || low > high {
            return Err("low and high must be numbers, and low not above high".to_owned());
        }
        if !(low..=high).contains(&default) {
            return Err(format!("the default {default} is not from {low} to {high}"));
        }
        if self.scale == Scale::Log && low <= 0.0 {
            return Err("low must be above 0 on a log scale".to_owned());
        }
        if self.integer && numbers.iter().any(|number| number.fract() != 0.0 || !(0.0..1e15).contains(number)) {
            return Err("low, high and default of a whole number must be whole numbers from 0".to_owned());
        }
        Ok(())
    }
}

/// The hyperparameters that are given to an external trainer, before it is asked whether it has them: numbers and words.
///
/// # Errors
/// Everything that is none, with its pointer.
pub(super) fn given_settings(given: &Json) -> Result<Settings, Vec<Mistake>> {
    let members = match given {
        Json::Null => return Ok(Settings::new()),
        Json::Object(members) => members,
        _ => return Err(vec![Mistake { pointer: String::new(), message: "must be an object".to_owned() }]),
    };
    let mut mistakes = Vec::new();
    let mut settings = Settings::new();
    if members.len() > MOST_PARAMETERS {
        mistakes.push(Mistake { pointer: String::new(), message: format!("has more than {MOST_PARAMETERS} members") });
    }
    for (name, value) in members {
        match given_setting(value) {
            Ok(setting) => {
                settings.insert(name.clone(), setting);
            }
            Err(message) => mistakes.push(Mistake { pointer: format!("/{name}"), message }),
        }
    }
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// The value as a setting of any hyperparameter.
pub(super) fn given_setting(value: &Json) -> Result<Setting, String> {
    match serde_json::from_value::<Setting>(value.clone()) {
        Ok(Setting::Category(word)) if word.len() <= MOST_NAME => Ok(Setting::Category(word)),
        Ok(setting) if setting.as_f64().is_some_and(f64::is_finite) => Ok(setting),
        _ => Err(format!("must be a number or a word of at most {MOST_NAME} characters, got {value}")),
    }
}

#[cfg(all(test, feature = "parse"))]
mod tests {
    use serde_json::json;

    use super::*;

    const DECLARED: &str = r#"
        [trainers.lightgbm]
        command = ["python3", "/srv/train.py", "{directory}", "--leaves", "{leaves}"]
        kinds = ["binary"]
        memory_mb = 4096
        [trainers.lightgbm.parameters]
        leaves = { low = 2, high = 256, default = 31, integer = true }
        rate = { low = 0.001, high = 1.0, default = 0.1 }
        boosting = { values = ["gbdt", "dart", "goss"], default = "gbdt" }
        drop = { low = 0.0, high = 1.0, default = 0.1, when = { boosting = ["dart"] } }
    "#;

    fn declared() -> Programs {
        Programs::read(DECLARED).expect("what is declared is in order")
    }

    fn named(name: &str) -> ProgramName {
        name.to_owned().try_into().expect("a name")
    }

    #[test]
    fn a_program_is_found_by_name_for_the_targets_it_is_for() {
        let programs = declared();
        assert_eq!(programs.of(TargetKind::Binary).collect::<Vec<_>>(), [&named("lightgbm")]);
        assert_eq!(programs.of(TargetKind::Regression).count(), 0);
        let error = programs.find(&named("xgboost")).unwrap_err();
        assert_eq!(error, "xgboost is not known here; external trainers are lightgbm");
    }

    #[test]
    fn hyperparameters_that_are_not_given_have_their_defaults() {
        let given = given_settings(&json!({"leaves": 15})).unwrap();
        let settings = declared().find(&named("lightgbm")).unwrap().settings(&given).unwrap();
        assert_eq!(json!(settings), json!({"boosting": "gbdt", "drop": 0.1, "leaves": 15, "rate": 0.1}));
    }

    #[test]
    fn every_wrong_hyperparameter_is_told_with_its_pointer() {
        let given = given_settings(&json!({"boosting": "rf", "leaves": 1, "rate": 2, "depth": 3})).unwrap();
        let mistakes = declared().find(&named("lightgbm")).unwrap().settings(&given).unwrap_err();
        let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(pointers, ["/boosting", "/depth", "/leaves", "/rate"]);
        assert_eq!(mistakes[0].message, "must be one of gbdt, dart, goss, got \"rf\"");
        let mistakes = given_settings(&json!({"leaves": [1]})).unwrap_err();
        assert_eq!(mistakes[0].message, "must be a number or a word of at most 40 characters, got [1]");
    }

    #[test]
    fn words_are_drawn_from_those_declared_and_a_narrower_search_keeps_the_declared_condition() {
        let programs = declared();
        let program = programs.find(&named("lightgbm")).unwrap();
        let asked = |axes: BTreeMap<String, Axis>| -> Json {
            axes.iter().map(|(name, axis)| (name.clone(), axis.asked())).collect()
        };
        let all = asked(program.axes(&json!({})).unwrap());
        assert_eq!(all["boosting"], json!(["gbdt", "dart", "goss"]));
        assert_eq!(all["drop"], json!({"low": 0.0, "high": 1.0, "scale": "linear", "when": {"boosting": ["dart"]}}));
        let narrowed =
            asked(program.axes(&json!({"boosting": ["gbdt", "dart"], "drop": {"low": 0.2, "high": 0.4}})).unwrap());
        assert_eq!(narrowed["drop"]["when"], json!({"boosting": ["dart"]}));
        // What a run was launched with can be asked for again.
        let listed =
            json!({"boosting": ["gbdt", "dart"], "rate": {"values": [0.1, 0.5], "when": {"boosting": ["gbdt"]}}});
        assert_eq!(asked(program.axes(&listed).unwrap()), listed);
        let mistakes = program.axes(&json!({"boosting": ["dart", "rf"]})).unwrap_err();
        assert_eq!(mistakes[0].pointer, "/boosting/1");
    }

    #[test]
    fn a_declaration_that_cannot_be_meant_is_refused_by_name() {
        for (text, expected) in [
            ("[trainers.a]\ncommand = []", "trainers.a: command must name a program"),
            ("[trainers.a]\ncommand = [\"x\"]\nseconds = 0", "at least 1"),
            ("[trainers.a]\ncommand = [\"x\"]\ntimeout = 1", "unknown field"),
            ("[trainers.\"../a\"]\ncommand = [\"x\"]", "no name of an external trainer"),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.seed = { low = 0, high = 1, default = 0 }",
                "cannot be the name of a parameter",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { low = 0, high = 1, default = 2 }",
                "parameters.b: the default 2 is not from 0 to 1",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { low = 0, high = 1, default = 0.5, integer = true }",
                "whole numbers",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { default = \"c\" }",
                "must have low and high, or the words",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { values = [\"{seed}\"], default = \"{seed}\" }",
                "other than braces",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { values = [\"c\", \"d\"], default = \"e\" }",
                "parameters.b: the default must be one of c, d, got \"e\"",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\nparameters.b = { low = 0, high = 1, default = 0, when = { c = [1] } }",
                "parameters.b: when.c is no parameter of it",
            ),
            (
                "[trainers.a]\ncommand = [\"x\"]\n\
                 parameters.b = { low = 0, high = 1, default = 0, when = { c = [1] } }\n\
                 parameters.c = { low = 0, high = 1, default = 0, when = { b = [1] } }",
                "depends on itself",
            ),
        ] {
            let error = Programs::read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
