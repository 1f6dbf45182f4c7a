//! External trainers: programs that whoever runs the server declared. A run asks for one by name and can reach nothing else.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::setting::{Range, Scale, Setting, Settings};
use super::space::Axis;
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

/// A hyperparameter of a program.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramParameter {
    /// Smallest value.
    pub low: f64,
    /// Largest value.
    pub high: f64,
    /// Its value when nobody says otherwise.
    pub default: f64,
    /// Whether it is a whole number.
    #[serde(default)]
    pub integer: bool,
    /// How a search draws it.
    #[serde(default)]
    pub scale: Scale,
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
        let mut settings: Settings =
            self.parameters.iter().map(|(name, own)| (name.clone(), own.setting(own.default))).collect();
        for (name, value) in given {
            match self.parameter(name).and_then(|parameter| parameter.range().read(&serde_json::json!(value))) {
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
            return Ok(all.map(|(name, own)| (name.clone(), Axis::Range(own.range()))).collect());
        }
        // Narrowing a range leaves the scale that is declared.
        let mut asked = asked.clone();
        for (name, range) in asked.as_object_mut().into_iter().flatten() {
            if let (Some(range), Some(own)) = (range.as_object_mut(), self.parameters.get(name)) {
                range.entry("scale").or_insert_with(|| serde_json::json!(own.scale));
            }
        }
        super::space::axes(&asked, |name| {
            let range = self.parameter(name)?.range();
            Ok(move |value: &Json| range.read(value))
        })
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
        Ok(())
    }
}

impl ProgramParameter {
    fn range(&self) -> Range {
        match self.integer {
            true => Range::Integer { low: self.low as u64, high: self.high as u64, scale: self.scale },
            false => Range::Number { low: self.low, high: self.high, scale: self.scale },
        }
    }

    fn setting(&self, value: f64) -> Setting {
        if self.integer { Setting::Integer(value as u64) } else { Setting::Number(value) }
    }

    #[cfg(feature = "parse")]
    fn check(&self) -> Result<(), String> {
        let numbers = [self.low, self.high, self.default];
        if numbers.iter().any(|number| !number.is_finite()) || self.low > self.high {
            return Err("low and high must be numbers, and low not above high".to_owned());
        }
        if !(self.low..=self.high).contains(&self.default) {
            return Err(format!("the default {} is not from {} to {}", self.default, self.low, self.high));
        }
        if self.scale == Scale::Log && self.low <= 0.0 {
            return Err("low must be above 0 on a log scale".to_owned());
        }
        if self.integer && numbers.iter().any(|number| number.fract() != 0.0 || !(0.0..1e15).contains(number)) {
            return Err("low, high and default of a whole number must be whole numbers from 0".to_owned());
        }
        Ok(())
    }
}

/// The hyperparameters that are given to an external trainer, before it is asked whether it has them: numbers.
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
        match number(value) {
            Ok(setting) => {
                settings.insert(name.clone(), setting);
            }
            Err(message) => mistakes.push(Mistake { pointer: format!("/{name}"), message }),
        }
    }
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
}

/// The value as a setting of any range.
pub(super) fn number(value: &Json) -> Result<Setting, String> {
    match serde_json::from_value::<Setting>(value.clone()) {
        Ok(setting) if setting.as_f64().is_finite() => Ok(setting),
        _ => Err(format!("must be a number, got {value}")),
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
        assert_eq!(json!(settings), json!({"leaves": 15, "rate": 0.1}));
    }

    #[test]
    fn every_wrong_hyperparameter_is_told_with_its_pointer() {
        let given = given_settings(&json!({"leaves": 1, "rate": 2, "depth": 3})).unwrap();
        let mistakes = declared().find(&named("lightgbm")).unwrap().settings(&given).unwrap_err();
        let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(pointers, ["/depth", "/leaves", "/rate"]);
        let mistakes = given_settings(&json!({"leaves": "many"})).unwrap_err();
        assert_eq!(mistakes[0].message, "must be a number, got \"many\"");
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
        ] {
            let error = Programs::read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
