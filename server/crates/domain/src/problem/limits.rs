//! Limits on a model version besides those on its metrics. What a document does not name is no gate.

use serde::{Deserialize, Serialize};

/// `[gates]` of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GateLimits {
    /// How much better the success metric may be on the rows it was trained on than on the test part, in the metric's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_gap: Option<f64>,
    /// Largest share of test rows that the live version gets right and the new one wrong (negative flips; Yan et al. 2021).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_flips: Option<f64>,
    /// Largest size of its stored form, in megabytes of 10⁶ bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_mb: Option<f64>,
    /// What a server that has it may need more than one that has it not, in megabytes of 10⁶ bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<f64>,
}

impl GateLimits {
    /// What is signed, one sentence a limit.
    pub(super) fn in_words(&self, metric: &str) -> Vec<String> {
        let gap = self.train_gap.map(|gap| {
            format!(
                "Its {metric} on the rows it was trained on is at most {gap} better than on those it has never seen."
            )
        });
        let flips = self.negative_flips.map(|share| {
            format!("It gets at most {} % of the answers wrong that the live model gets right.", share * 100.0)
        });
        let size = self.model_mb.map(|size| format!("Stored, it takes at most {size} MB."));
        let memory = self
            .memory_mb
            .map(|size| format!("In a server's memory it takes at most {size} MB, without what it is joined to."));
        [gap, flips, size, memory].into_iter().flatten().collect()
    }
}

#[cfg(feature = "parse")]
mod read {
    use super::GateLimits;
    use crate::metric::TargetKind;
    use crate::problem::walk::Table;

    impl GateLimits {
        /// The `gates` of a document.
        pub(in crate::problem) fn read(document: &Table<'_>, kind: Option<TargetKind>) -> Option<Self> {
            let table = document.optional_table("gates")?;
            let number = |key: &'static str, low: f64, high: f64| {
                if table.has(key) { table.number_in(key, low, high, None) } else { None }
            };
            let limits = Self {
                train_gap: number("train_gap", 0.0, 1e12),
                negative_flips: number("negative_flips", 0.0, 1.0),
                model_mb: number("model_mb", 0.001, 1e6),
                memory_mb: number("memory_mb", 0.001, 1e6),
            };
            if limits.negative_flips.is_some() && kind == Some(TargetKind::Regression) {
                table.mistake("negative_flips", "is a share of right answers; a number is right or wrong by no rule");
            }
            table.close();
            Some(limits)
        }
    }
}
