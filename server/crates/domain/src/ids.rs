//! Identifiers. Numbers are given out by the database; callers see them as opaque strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not an identifier of that kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind} id")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match text.parse::<i64>() {
                    Ok(number) if number > 0 => Ok(Self(number)),
                    _ => Err(IdError { kind: $kind, text: text.chars().take(40).collect() }),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A person who can sign in.
    AccountId,
    "account"
);
id!(
    /// A problem; its versions carry the documents.
    ProblemId,
    "problem"
);
id!(
    /// One immutable version of a problem document.
    ProblemVersionId,
    "problem version"
);
id!(
    /// A named dataset of a problem.
    DatasetId,
    "dataset"
);
id!(
    /// One immutable load of a dataset.
    DatasetVersionId,
    "dataset version"
);
id!(
    /// One pass through the pipeline.
    RunId,
    "run"
);
id!(
    /// One rehearsal of a problem's policy.
    RehearsalId,
    "rehearsal"
);
id!(
    /// One durable step of a run, of a dataset load or of a rehearsal.
    StepId,
    "step"
);
id!(
    /// One registered, immutable model version.
    ModelVersionId,
    "model version"
);
id!(
    /// The way of a candidate to its users.
    RolloutId,
    "rollout"
);
