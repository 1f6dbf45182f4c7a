//! Hyperparameters: ranges, values, and the configuration that gives each of a trainer's its value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Trainer;
use super::program::{EXTERNAL, ProgramName, given_settings};
use crate::problem::Mistake;

/// How a range is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal steps are equally likely.
    #[default]
    Linear,
    /// Equal factors are equally likely.
    Log,
}

/// The values a hyperparameter may have, or those that a search draws from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Range {
    /// Numbers from `low` to `high`, both included.
    Number {
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
        /// How it is searched.
        scale: Scale,
    },
    /// Whole numbers from `low` to `high`, both included.
    Integer {
        /// Smallest.
        low: u64,
        /// Largest.
        high: u64,
        /// How it is searched.
        scale: Scale,
    },
}

/// The value of a hyperparameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Setting {
    /// A whole number.
    Integer(u64),
    /// A number.
    Number(f64),
    /// A word, of an external trainer alone.
    Category(String),
}

/// Values of hyperparameters by name.
pub type Settings = BTreeMap<String, Setting>;

impl Setting {
    /// As a number; none of a word.
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(whole) => Some(*whole as f64),
            Self::Number(number) => Some(*number),
            Self::Category(_) => None,
        }
    }
}

/// A number is the same whether it is written with a point or not.
impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Category(one), Self::Category(other)) => one == other,
            _ => self.as_f64().is_some_and(|one| other.as_f64() == Some(one)),
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(whole) => whole.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Category(word) => word.fmt(f),
        }
    }
}

impl Range {
    /// The value as a setting of this range; the reason why not is a phrase after the name.
    pub(super) fn read(&self, value: &Json) -> Result<Setting, String> {
        let wrong = || Err(format!("must be {self}, got {value}"));
        match *self {
            Self::Number { low, high, .. } => match value.as_f64() {
                Some(number) if (low..=high).contains(&number) => Ok(Setting::Number(number)),
                _ => wrong(),
            },
            Self::Integer { low, high, .. } => {
                let whole = value.as_u64().or_else(|| {
                    let number = value.as_f64()?;
                    (number.fract() == 0.0 && (0.0..1e15).contains(&number)).then_some(number as u64)
                });
                match whole {
                    Some(whole) if (low..=high).contains(&whole) => Ok(Setting::Integer(whole)),
                    _ => wrong(),
                }
            }
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number { low, high, .. } => write!(f, "a number from {low} to {high}"),
            Self::Integer { low, high, .. } => write!(f, "a whole number from {low} to {high}"),
        }
    }
}

/// A trainer with a value for each of its hyperparameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TrainerConfig {
    trainer: Trainer,
    /// Which external trainer it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<ProgramName>,
    settings: Settings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    trainer: Trainer,
    program: Option<ProgramName>,
    settings: Json,
}

impl TryFrom<Unchecked> for TrainerConfig {
    type Error = String;

    fn try_from(Unchecked { trainer, program, settings }: Unchecked) -> Result<Self, String> {
        let read = match program {
            Some(program) if trainer == Trainer::External => Self::external(program, &settings),
            None if trainer != Trainer::External => Self::read(trainer, &settings),
            _ => return Err("an external trainer has a program, and no other has".to_owned()),
        };
        read.map_err(|mistakes| {
            mistakes
                .iter()
                .map(|Mistake { pointer, message }| format!("{pointer} {message}"))
                .collect::<Vec<_>>()
                .join("; ")
        })
    }
}

impl TrainerConfig {
    /// Every hyperparameter at its default.
    pub fn default_of(trainer: Trainer) -> Self {
        let settings = trainer
            .hyperparameters()
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter.default.clone()))
            .collect();
        Self { trainer, program: None, settings }
    }

    /// That external trainer with these hyperparameters, whichever it turns out to have.
    ///
    /// # Errors
    /// What is neither number nor word, with its pointer.
    pub fn external(program: ProgramName, given: &Json) -> Result<Self, Vec<Mistake>> {
        Ok(Self { trainer: Trainer::External, program: Some(program), settings: given_settings(given)? })
    }

    /// The defaults, with the members of a JSON object in their place.
    ///
    /// # Errors
    /// Every unknown name and every value outside its range, each with its pointer.
    pub fn read(trainer: Trainer, given: &Json) -> Result<Self, Vec<Mistake>> {
        let mut config = Self::default_of(trainer);
        let Json::Object(given) = given else {
            return Err(vec![Mistake { pointer: String::new(), message: "must be an object".to_owned() }]);
        };
        let mut mistakes = Vec::new();
        for (name, value) in given {
            match trainer.hyperparameter(name).and_then(|parameter| parameter.range.read(value)) {
                Ok(setting) => {
                    config.settings.insert(name.clone(), setting);
                }
                Err(message) => mistakes.push(Mistake { pointer: format!("/{name}"), message }),
            }
        }
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    /// This configuration with other values; names it does not have are left out.
    #[must_use]
    pub fn with(&self, settings: &Settings) -> Self {
        let mut config = self.clone();
        for (name, setting) in settings {
            if let Some(own) = config.settings.get_mut(name) {
                own.clone_from(setting);
            }
        }
        config
    }

    /// The trainer.
    pub const fn trainer(&self) -> Trainer {
        self.trainer
    }

    /// Which external trainer it is, if it is one.
    pub const fn program(&self) -> Option<&ProgramName> {
        self.program.as_ref()
    }

    /// What the trainer is asked for by: its word, or `external:` and a name.
    pub fn asked_as(&self) -> String {
        match &self.program {
            Some(name) => format!("{EXTERNAL}{name}"),
            None => self.trainer.as_str().to_owned(),
        }
    }

    /// The value of every hyperparameter.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The value of one of the trainer's own hyperparameters.
    ///
    /// # Panics
    /// When the trainer has none of that name.
    pub fn number(&self, name: &str) -> f64 {
        let own = self.settings.get(name).and_then(Setting::as_f64);
        own.expect(
            "a configuration holds every hyperparameter of its trainer, and all of a trainer of ours are numbers",
        )
    }

    /// The value of one of the trainer's own whole-number hyperparameters.
    ///
    /// # Panics
    /// When the trainer has none of that name.
    pub fn whole(&self, name: &str) -> u64 {
        self.number(name) as u64
    }
}
