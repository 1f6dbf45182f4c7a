//! What is answered while no model may: a constant that is signed with the document.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `serving.fallback` of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// The class, of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The probability of the positive class, of two classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The number, of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

impl Fallback {
    /// The answer as callers get it.
    pub fn answer(&self) -> Value {
        let mut answer = json!({});
        if let Some(score) = self.score {
            answer["score"] = json!(score);
        }
        if let Some(label) = &self.label {
            answer["label"] = json!(label);
        }
        if let Some(value) = self.value {
            answer["value"] = json!(value);
        }
        answer
    }

    /// It in words, for example `label false, score 0.1`.
    pub fn in_words(&self) -> String {
        let label = self.label.as_ref().map(|label| format!("label {label}"));
        let score = self.score.map(|score| format!("score {score}"));
        let value = self.value.map(|value| format!("value {value}"));
        [label, score, value].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(feature = "parse")]
mod read {
    use super::Fallback;
    use crate::metric::TargetKind;
    use crate::problem::walk::Table;

    impl Fallback {
        /// The `fallback` of `serving`; everything that an answer of that kind of target has must be said.
        pub(in crate::problem) fn read(serving: &Table<'_>, kind: Option<TargetKind>) -> Option<Self> {
            let table = serving.optional_table("fallback")?;
            let is = |wanted: TargetKind| kind.is_none_or(|kind| kind == wanted);
            let label = if kind != Some(TargetKind::Regression) { table.line("label", 200) } else { None };
            let score = if is(TargetKind::Binary) { table.number_in("score", 0.0, 1.0, None) } else { None };
            let value =
                if is(TargetKind::Regression) { table.number_in("value", f64::MIN, f64::MAX, None) } else { None };
            table.close();
            Some(Self { label, score, value })
        }
    }
}
