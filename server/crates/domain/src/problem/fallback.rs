//! What is answered while no model may: rules over what callers send, and a constant where none of them holds, signed with the document.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::expr::Expression;

/// `serving.fallback` of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct Fallback {
    /// Asked in this order; the first that holds answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FallbackRule>,
    /// The answer where none holds.
    #[serde(flatten)]
    pub otherwise: Constant,
}

/// What is answered where something holds of what was sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct FallbackRule {
    /// What must hold, over the inputs as they are sent.
    pub when: Expression,
    /// The answer then.
    #[serde(flatten)]
    pub answer: Constant,
}

/// An answer that does not depend on anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Constant {
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
    /// The answer to one instance as it was sent: something is always answered.
    pub fn answer(&self, sent: &Map<String, Value>) -> &Constant {
        self.rule_of(sent).map_or(&self.otherwise, |place| &self.rules[place].answer)
    }

    /// Which rule answers it; none where the constant does. One that cannot be read of what was sent does not hold.
    pub fn rule_of(&self, sent: &Map<String, Value>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.when.holds_of(sent) == Ok(true))
    }

    /// It in words, one sentence a rule, in the order in which they are asked.
    pub fn in_words(&self) -> Vec<String> {
        let rules = self.rules.iter().map(|rule| format!("where {}: {}", rule.when.text(), rule.answer.in_words()));
        let otherwise = self.otherwise.in_words();
        let otherwise = if self.rules.is_empty() { otherwise } else { format!("else: {otherwise}") };
        rules.chain([otherwise]).collect()
    }
}

impl Constant {
    /// It as callers get it.
    pub fn to_json(&self) -> Value {
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
    use super::{Constant, Fallback, FallbackRule};
    use crate::expr::Expression;
    use crate::metric::TargetKind;
    use crate::problem::walk::Table;
    use crate::problem::{Definition, Target};

    /// Rules that a fallback may have.
    const MOST_RULES: usize = 50;

    impl Fallback {
        /// The `fallback` of `serving`; everything that an answer of that kind of target has must be said.
        pub(in crate::problem) fn read(serving: &Table<'_>, target: Option<&Target>) -> Option<Self> {
            let table = serving.optional_table("fallback")?;
            let kind = target.map(|target| target.kind);
            let tables = table.tables("rules");
            if tables.len() > MOST_RULES {
                table.mistake("rules", format!("are {}; at most {MOST_RULES} are allowed", tables.len()));
            }
            let rules = tables.iter().filter_map(|rule| FallbackRule::read(rule, target)).collect();
            let otherwise = Constant::read(&table, kind);
            table.close();
            Some(Self { rules, otherwise })
        }
    }

    impl FallbackRule {
        fn read(table: &Table<'_>, target: Option<&Target>) -> Option<Self> {
            let text = table.text("when");
            let when = text.and_then(|text| {
                Expression::parse(text).map_err(|error| table.mistake("when", error.to_string())).ok()
            });
            let answer = Constant::read(table, target.map(|target| target.kind));
            table.close();
            let when = when?;
            // Of which nothing is known: what is left to be wrong is what it says itself.
            if let Err(error) = when.holds_of(&serde_json::Map::new()) {
                table.mistake("when", error.to_string());
            }
            match target.map(|target| &target.definition) {
                Some(Definition::Column(label)) if when.columns().contains(&label.as_str()) => {
                    table.mistake("when", format!("reads {label}, the answer itself, which no caller sends"));
                }
                _ => {}
            }
            Some(Self { when, answer })
        }
    }

    impl Constant {
        fn read(table: &Table<'_>, kind: Option<TargetKind>) -> Self {
            let is = |wanted: TargetKind| kind.is_none_or(|kind| kind == wanted);
            let label = if kind != Some(TargetKind::Regression) { table.line("label", 200) } else { None };
            let score = if is(TargetKind::Binary) { table.number_in("score", 0.0, 1.0, None) } else { None };
            let value =
                if is(TargetKind::Regression) { table.number_in("value", f64::MIN, f64::MAX, None) } else { None };
            Self { label, score, value }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::Fallback;

    fn fallback() -> Fallback {
        serde_json::from_value(json!({
            "rules": [
                { "when": "amount > 100 AND (kind = 'card' OR kind IS NULL)", "label": "fraud", "score": 0.7 },
                { "when": "kind IN ('cash', 'coin')", "label": "fine", "score": 0.01 }
            ],
            "label": "fine", "score": 0.1
        }))
        .unwrap()
    }

    fn score(sent: Value) -> Option<f64> {
        let sent: Map<String, Value> = serde_json::from_value(sent).unwrap();
        fallback().answer(&sent).score
    }

    #[test]
    fn the_first_rule_that_holds_answers_and_the_constant_where_none_does() {
        assert_eq!(score(json!({ "amount": 200, "kind": "card" })), Some(0.7));
        assert_eq!(score(json!({ "amount": 20, "kind": "cash" })), Some(0.01));
        assert_eq!(score(json!({ "amount": 20, "kind": "card" })), Some(0.1));
    }

    #[test]
    fn what_is_absent_is_null_and_what_cannot_be_read_holds_nowhere() {
        assert_eq!(score(json!({ "amount": 200 })), Some(0.7));
        assert_eq!(score(json!({ "amount": null, "kind": "coin" })), Some(0.01));
        assert_eq!(score(json!({ "amount": "200", "kind": 3, "more": [] })), Some(0.1));
        let sent = serde_json::from_value(json!({ "amount": "200" })).unwrap();
        let error = fallback().rules[0].when.holds_of(&sent).unwrap_err().to_string();
        assert_eq!(error, "> needs operands of one type (text), got number");
    }

    #[test]
    fn one_without_rules_is_written_as_before_there_were_any() {
        let constant = json!({ "label": "fine", "score": 0.1 });
        let read: Fallback = serde_json::from_value(constant.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), constant);
        assert_eq!(serde_json::from_value::<Fallback>(serde_json::to_value(fallback()).unwrap()).unwrap(), fallback());
    }
}
