//! Gates: what a model version must prove before it may be promoted, and the one function that decides.

use std::fmt;

use serde::{Deserialize, Serialize};

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
}

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
    let open: Vec<String> =
        gates.iter().filter(|gate| gate.verdict != Verdict::Pass).map(|gate| gate.name.clone()).collect();
    match (gates.is_empty(), open.is_empty()) {
        (true, _) => Decision::Rejected(vec!["no gate was evaluated".to_owned()]),
        (false, true) => Decision::Passed,
        (false, false) => Decision::Rejected(open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str, verdict: Verdict) -> Gate {
        Gate {
            name: name.to_owned(),
            rule: String::new(),
            verdict,
            observed: None,
            threshold: None,
            n: 0,
            interval: None,
            note: None,
        }
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
}
