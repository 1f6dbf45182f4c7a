//! Regression cases: inputs and what a model must answer to them, kept so that what was right once, or was found wrong, stays right.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metric::TargetKind;

/// Cases of one problem that are held against a version at most.
pub const MOST_CASES: u64 = 10_000;
/// Bytes of a case's inputs at most.
const LARGEST_INSTANCE: usize = 16 * 1_024;

/// What must be answered. Everything that is said must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The least score of a binary model, or the least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The greatest score of a binary model, or the greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl Expected {
    /// Whether an answer is as expected; `number` is the score of a binary model, or the number.
    pub fn holds(&self, label: Option<&str>, number: Option<f64>) -> bool {
        self.label.as_deref().is_none_or(|wanted| label == Some(wanted))
            && self.at_least.is_none_or(|least| number.is_some_and(|number| number >= least))
            && self.at_most.is_none_or(|most| number.is_some_and(|number| number <= most))
    }

    /// It in words, for example `label true, score at least 0.7`.
    pub fn in_words(&self, kind: TargetKind) -> String {
        let number = if kind == TargetKind::Regression { "value" } else { "score" };
        let label = self.label.as_ref().map(|label| format!("label {label}"));
        let least = self.at_least.map(|least| format!("{number} at least {least}"));
        let most = self.at_most.map(|most| format!("{number} at most {most}"));
        [label, least, most].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Whether a target of that kind can be held against it.
    fn check(&self, kind: TargetKind) -> Result<(), String> {
        let bounds = [self.at_least, self.at_most];
        let has_bound = bounds.iter().any(Option::is_some);
        if self.label.is_none() && !has_bound {
            return Err("says nothing: give a label, at_least or at_most".to_owned());
        }
        if bounds.into_iter().flatten().any(|bound| !bound.is_finite()) {
            return Err("has a bound that is not a number".to_owned());
        }
        if let (Some(least), Some(most)) = (self.at_least, self.at_most)
            && least > most
        {
            return Err(format!("can never hold: at least {least} and at most {most}"));
        }
        match kind {
            TargetKind::Regression if self.label.is_some() => {
                Err("has a label; this target is a number, give at_least and at_most".to_owned())
            }
            TargetKind::Multiclass if has_bound => {
                Err("has a bound; of several classes only the label counts".to_owned())
            }
            TargetKind::Binary if bounds.into_iter().flatten().any(|bound| !(0.0..=1.0).contains(&bound)) => {
                Err("has a bound that is no score: scores are between 0 and 1".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A case that is to be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCase {
    /// What it is about, in one line.
    pub name: String,
    /// The inputs, as a prediction is asked for; `event_time` says as of when it is joined, the end of the training data when absent. What
    /// it is joined to is in the training data: rows that only serving has seen are not.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub instance: Map<String, Value>,
    /// What must be answered.
    pub expect: Expected,
}

impl NewCase {
    /// Whether it can be kept for a target of that kind.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub fn check(&self, kind: TargetKind) -> Result<(), (&'static str, String)> {
        let name = self.name.trim();
        if !(1..=200).contains(&name.chars().count()) || name.contains(char::is_control) {
            return Err(("name", "is needed: 1 to 200 characters on one line".to_owned()));
        }
        if self.instance.is_empty() {
            return Err(("instance", "has no inputs".to_owned()));
        }
        if let Some((input, _)) = self.instance.iter().find(|(_, value)| value.is_array() || value.is_object()) {
            return Err((
                "instance",
                format!("{input:?} is a list or an object; inputs are texts, numbers, true, false or null"),
            ));
        }
        let size = Value::Object(self.instance.clone()).to_string().len();
        if size > LARGEST_INSTANCE {
            return Err(("instance", format!("has {size} bytes; {LARGEST_INSTANCE} are kept at most")));
        }
        self.expect.check(kind).map_err(|message| ("expect", message))
    }
}

/// Cases that are to be kept, all or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CasesRequest {
    /// The cases.
    pub cases: Vec<NewCase>,
}

/// A case that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub name: String,
    /// The inputs.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub instance: Map<String, Value>,
    /// What must be answered.
    pub expect: Expected,
    /// The prediction that it was made of.
    pub prediction: Option<String>,
    /// Who keeps it.
    pub by: String,
    /// Since when.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(value: Value) -> Expected {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn everything_that_is_said_must_hold() {
        let wanted = expected(json!({ "label": "true", "at_least": 0.7 }));
        let answers =
            [(Some("true"), Some(0.8)), (Some("true"), Some(0.6)), (Some("false"), Some(0.8)), (Some("true"), None)];
        assert_eq!(answers.map(|(label, number)| wanted.holds(label, number)), [true, false, false, false]);
    }

    #[test]
    fn an_answer_that_is_no_number_is_within_no_bounds() {
        assert!(!expected(json!({ "at_most": 1.0 })).holds(None, Some(f64::NAN)));
    }

    #[test]
    fn what_cannot_be_held_against_an_answer_is_refused() {
        let cases = [
            (TargetKind::Binary, json!({})),
            (TargetKind::Binary, json!({ "at_least": 1.5 })),
            (TargetKind::Binary, json!({ "at_least": 0.9, "at_most": 0.1 })),
            (TargetKind::Multiclass, json!({ "at_least": 0.5 })),
            (TargetKind::Regression, json!({ "label": "7" })),
        ];
        for (kind, expect) in cases {
            let case = NewCase {
                name: "a".to_owned(),
                instance: json!({ "x": 1 }).as_object().unwrap().clone(),
                expect: expected(expect.clone()),
            };
            assert_eq!(case.check(kind).map_err(|(field, _)| field), Err("expect"), "{expect}");
        }
    }
}
