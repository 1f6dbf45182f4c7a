//! Gates: what a model version must prove before it may be promoted, and the one function that decides.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, RunId};

/// A challenger may be worse than the champion by this share of the champion's value.
pub const MARGIN: f64 = 0.02;

/// How a gate ended. Missing evidence never promotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rule holds on enough evidence.
    Pass,
    /// The rule is broken.
    Fail,
    /// There is not enough evidence to say.
    Insufficient,
}

impl Verdict {
    /// The wire word, also `data-state` in pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Insufficient => "insufficient",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One gate's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gate {
    /// Stable name, for example `success.roc_auc`.
    pub name: String,
    /// The rule in words.
    pub rule: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was observed; none when it could not be measured.
    pub observed: Option<f64>,
    /// The limit.
    pub threshold: Option<f64>,
    /// Rows or measurements behind it.
    pub n: u64,
    /// 95 % interval of the observed value, where one is known.
    pub interval: Option<(f64, f64)>,
    /// Why, in one sentence, when it is not a plain comparison.
    pub note: Option<String>,
    /// Who let it be although it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Override>,
    /// Where what it was decided on is shown, as a path on this server. It is written when a gate is shown, and not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

impl Gate {
    /// A gate that nothing is known of yet.
    pub fn new(name: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rule: rule.into(),
            verdict: Verdict::Insufficient,
            observed: None,
            threshold: None,
            n: 0,
            interval: None,
            note: None,
            overridden: None,
            evidence: None,
        }
    }

    /// Where what a gate of a run was decided on is shown. What was measured for a gate alone stands in the run's log: how a champion fared
    /// on the same rows, say, which its own run's page does not show.
    pub fn evidence_in(&self, slug: &str, run: RunId) -> String {
        match self.name.split('.').next().unwrap_or_default() {
            "success" | "guardrail" | "baseline" | "slice" | "train_gap" => format!("/runs/{run}?tab=plots"),
            "cases" => format!("/problems/{slug}/cases"),
            _ => format!("/runs/{run}?tab=log"),
        }
    }
}

/// Somebody's word that a version may go on although a gate did not pass. It does not change the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Override {
    /// Whose account.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub account: AccountId,
    /// Their name then.
    pub by: String,
    /// Why.
    pub reason: String,
    /// From then on the version does not set out any more.
    pub until: DateTime<Utc>,
}

/// Days that an override holds at most.
pub const LONGEST_OVERRIDE: i64 = 90;

/// What all gates together say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Every gate passed.
    Passed,
    /// These gates failed or lack evidence, by name.
    Rejected(Vec<String>),
}

/// Decides over all gates: every one must pass, and there must be at least one.
pub fn decide(gates: &[Gate]) -> Decision {
    decided(gates, |gate| gate.verdict == Verdict::Pass)
}

/// Decides over the gates of a registered version, where somebody may have let one be until a day.
pub fn decide_at(gates: &[Gate], now: DateTime<Utc>) -> Decision {
    let holds = |given: &Override| given.until > now;
    decided(gates, |gate| gate.verdict == Verdict::Pass || gate.overridden.as_ref().is_some_and(holds))
}

fn decided(gates: &[Gate], lets_pass: impl Fn(&Gate) -> bool) -> Decision {
    let open: Vec<String> = gates.iter().filter(|gate| !lets_pass(gate)).map(|gate| gate.name.clone()).collect();
    match (gates.is_empty(), open.is_empty()) {
        (true, _) => Decision::Rejected(vec!["no gate was evaluated".to_owned()]),
        (false, true) => Decision::Passed,
        (false, false) => Decision::Rejected(open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_where_the_numbers_were_made() {
        let at = |name: &str| gate(name, Verdict::Pass).evidence_in("taxi", RunId(7));
        assert_eq!(at("success.roc_auc"), "/runs/7?tab=plots");
        assert_eq!(at("cases"), "/problems/taxi/cases");
        assert_eq!(at("champion"), "/runs/7?tab=log");
        assert_eq!(at("latency.p99"), "/runs/7?tab=log");
    }

    fn gate(name: &str, verdict: Verdict) -> Gate {
        Gate { verdict, ..Gate::new(name, "") }
    }

    #[test]
    fn no_gates_is_no_pass() {
        assert_ne!(decide(&[]), Decision::Passed);
    }

    #[test]
    fn missing_evidence_rejects() {
        let gates = [gate("a", Verdict::Pass), gate("b", Verdict::Insufficient)];
        assert_eq!(decide(&gates), Decision::Rejected(vec!["b".to_owned()]));
    }

    #[test]
    fn all_passing_gates_pass() {
        assert_eq!(decide(&[gate("a", Verdict::Pass)]), Decision::Passed);
    }

    #[test]
    fn what_was_let_be_counts_until_its_day_and_never_as_passed() {
        let until = DateTime::from_timestamp(1_000, 0).unwrap();
        let given = Override { account: AccountId(1), by: "A".to_owned(), reason: "b".to_owned(), until };
        let gates = [Gate { overridden: Some(given), ..gate("a", Verdict::Fail) }, gate("b", Verdict::Pass)];
        let before = until - chrono::TimeDelta::seconds(1);
        let rejected = Decision::Rejected(vec!["a".to_owned()]);
        assert_eq!(
            (decide_at(&gates, before), decide_at(&gates, until), decide(&gates)),
            (Decision::Passed, rejected.clone(), rejected)
        );
    }
}
