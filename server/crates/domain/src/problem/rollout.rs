//! How a version reaches its users: what each stage must gather, and who decides.

use serde::{Deserialize, Serialize};

use super::Span;

/// How a version reaches its users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Predictions made beside the champion, unseen by callers.
    pub shadow: Stage,
    /// A share of callers gets the candidate's answers.
    pub canary: Canary,
    /// The candidate answers everything, and the version before it is asked beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Stage>,
    /// A stage that has not gathered its evidence by then is taken back; 7 days when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// Who goes on to the next stage when everything is shown.
    #[serde(default, skip_serializing_if = "Conduct::is_automatic")]
    pub advance: Conduct,
    /// Who takes the candidate back when a check fails.
    #[serde(default, skip_serializing_if = "Conduct::is_automatic")]
    pub on_breach: Conduct,
    /// Checks that are shown and decide nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<RolloutCheck>,
}

impl Rollout {
    /// The deadline when none is named.
    pub const USUAL_DEADLINE: Span = Span::of_seconds(7 * 86_400);

    /// What the watch after full must gather.
    pub fn watch(&self) -> Stage {
        self.watch.clone().unwrap_or(Stage { min_predictions: 0, min_duration: Span::of_seconds(3_600) })
    }
}

/// Evidence a stage must gather.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// At least so many predictions of the candidate.
    pub min_predictions: u64,
    /// For at least so long.
    pub min_duration: Span,
}

/// The canary stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Share of entities, in percent, that it begins with.
    pub percent: f64,
    /// The shares after that, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<f64>,
    /// Evidence it must gather at each share.
    #[serde(flatten)]
    pub evidence: Stage,
}

/// Whether something is done by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conduct {
    /// It is done at once.
    #[default]
    Automatic,
    /// A person is asked.
    Ask,
}

impl Conduct {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_automatic(&self) -> bool {
        matches!(self, Self::Automatic)
    }
}

/// A check of a rollout that a document may set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutCheck {
    /// The distribution of answers.
    Shift,
    /// Slow answers.
    Slow,
    /// Answers against the truth.
    Quality,
    /// What answers do to the business metric.
    Business,
}

impl RolloutCheck {
    /// Its name among the checks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Slow => "slow",
            Self::Quality => "quality",
            Self::Business => "business",
        }
    }
}

#[cfg(feature = "parse")]
mod read {
    use super::{Canary, Conduct, Rollout, RolloutCheck, Stage};
    use crate::problem::Span;
    use crate::problem::walk::Table;

    /// Half of all units: beyond it no control group of the same size is left.
    const LARGEST_SHARE: f64 = 50.0;
    const SHORTEST_DEADLINE: Span = Span::of_seconds(1);

    impl Rollout {
        /// The `rollout` of a document; the defaults when it has none.
        pub(in crate::problem) fn read(document: &Table<'_>) -> Option<Self> {
            let Some(rollout) = document.optional_table("rollout") else {
                return (!document.has("rollout")).then(Self::usual);
            };
            let usual = Self::usual();
            let stage = |key: &'static str, usual: Stage| match rollout.optional_table(key) {
                Some(table) => {
                    let stage = Stage::read(&table, &usual);
                    table.close();
                    stage
                }
                None => Some(usual),
            };
            let shadow = stage("shadow", usual.shadow.clone());
            let canary = match rollout.optional_table("canary") {
                Some(canary) => Canary::read(&canary, &usual.canary),
                None => Some(usual.canary.clone()),
            };
            let watch = if rollout.has("watch") { stage("watch", usual.watch()).map(Some) } else { Some(None) };
            let deadline = rollout.optional_span("deadline");
            if deadline.is_some_and(|deadline| deadline.seconds() < SHORTEST_DEADLINE.seconds()) {
                rollout.mistake("deadline", format!("must be at least {SHORTEST_DEADLINE}"));
            }
            let advance = rollout.word_of(
                "advance",
                &[("automatic", Conduct::Automatic), ("ask", Conduct::Ask)],
                Conduct::Automatic,
            );
            let on_breach = rollout.word_of(
                "on_breach",
                &[("roll_back", Conduct::Automatic), ("automatic", Conduct::Automatic), ("ask", Conduct::Ask)],
                Conduct::Automatic,
            );
            let watched = Self::read_watched(&rollout);
            rollout.close();
            Some(Self {
                shadow: shadow?,
                canary: canary?,
                watch: watch?,
                deadline,
                advance: advance?,
                on_breach: on_breach?,
                watched: watched?,
            })
        }

        fn usual() -> Self {
            Self {
                shadow: Stage { min_predictions: 500, min_duration: Span::of_seconds(3_600) },
                canary: Canary {
                    percent: 5.0,
                    steps: Vec::new(),
                    evidence: Stage { min_predictions: 2_000, min_duration: Span::of_seconds(6 * 3_600) },
                },
                watch: None,
                deadline: None,
                advance: Conduct::Automatic,
                on_breach: Conduct::Automatic,
                watched: Vec::new(),
            }
        }

        fn read_watched(rollout: &Table<'_>) -> Option<Vec<RolloutCheck>> {
            let all = [RolloutCheck::Shift, RolloutCheck::Slow, RolloutCheck::Quality, RolloutCheck::Business];
            let mut watched = Vec::new();
            for name in rollout.optional_texts("watched").unwrap_or_default() {
                match all.into_iter().find(|check| check.as_str() == name) {
                    Some(check) if !watched.contains(&check) => watched.push(check),
                    Some(_) => rollout.mistake("watched", format!("{name} stands twice")),
                    None => {
                        rollout.mistake("watched", format!("must name shift, slow, quality or business, got {name:?}"))
                    }
                }
            }
            Some(watched)
        }
    }

    impl Stage {
        fn read(table: &Table<'_>, usual: &Self) -> Option<Self> {
            let min_predictions = table.whole_or("min_predictions", usual.min_predictions);
            let min_duration = table.span_or("min_duration", &usual.min_duration.to_string());
            Some(Self { min_predictions, min_duration: min_duration? })
        }
    }

    impl Canary {
        fn read(table: &Table<'_>, usual: &Self) -> Option<Self> {
            let percent = table.number_in("percent", 0.1, LARGEST_SHARE, Some(usual.percent));
            let steps = if table.has("steps") { table.numbers("steps") } else { Some(Vec::new()) };
            let evidence = Stage::read(table, &usual.evidence);
            table.close();
            let (percent, steps, evidence) = (percent?, steps?, evidence?);
            let mut before = percent;
            for step in &steps {
                if *step <= before || *step > LARGEST_SHARE {
                    table.mistake(
                        "steps",
                        format!(
                            "must rise from {percent} and end at {LARGEST_SHARE} at most (a control group as large as the candidate's \
                             is kept), got {step}"
                        ),
                    );
                    return None;
                }
                before = *step;
            }
            Some(Self { percent, steps, evidence })
        }
    }
}
