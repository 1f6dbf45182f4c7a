//! Runs and steps: their states and what may follow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The stored word, also `data-state` in pages.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

states! {
    /// Where a run stands.
    RunState {
        /// No step has begun.
        Queued = "queued",
        /// A step has begun and the run has not ended.
        Running = "running",
        /// Gated and registered; of a repetition: the same came of it.
        Succeeded = "succeeded",
        /// A gate said no.
        Rejected = "rejected",
        /// A step could not be done.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Rejected | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// Where a step stands.
    StepState {
        /// Waits for the step before it.
        Blocked = "blocked",
        /// Ready to be claimed once its time has come.
        Queued = "queued",
        /// Held by a worker under a lease.
        Running = "running",
        /// Committed.
        Succeeded = "succeeded",
        /// Ended with a reason that trying again would not change.
        Failed = "failed",
        /// Its worker died or erred in every allowed attempt; a person may try again.
        Quarantined = "quarantined",
        /// Stopped by a person.
        Cancelled = "cancelled",
        /// Never begun: a step before it did not succeed, or those beside it were enough.
        Skipped = "skipped",
    }
}

impl StepState {
    /// Whether nothing more will happen by itself.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Blocked | Self::Queued | Self::Running)
    }
}

states! {
    /// Where a dataset version stands.
    DatasetState {
        /// Being read and validated.
        Loading = "loading",
        /// Read, and no critical check failed.
        Valid = "valid",
        /// Could not be read, or a critical check failed.
        Rejected = "rejected",
    }
}

states! {
    /// What the rows of a dataset version are to its problem.
    DatasetRole {
        /// What is trained on.
        Examples = "examples",
        /// Rows of a table that examples are joined to.
        Table = "table",
        /// Rows that are only looked at.
        Environment = "environment",
    }
}

states! {
    /// Where a model version stands.
    ModelStage {
        /// Passed its gates; waits for approval.
        Registered = "registered",
        /// Approved by enough people on its digest.
        Approved = "approved",
        /// Answers predictions.
        Live = "live",
        /// Was live; another version took its place.
        Superseded = "superseded",
        /// Was live and was taken back.
        RolledBack = "rolled_back",
    }
}

states! {
    /// What is done with a candidate.
    RolloutStage {
        /// It answers beside the champion, unseen by callers.
        Shadow = "shadow",
        /// It answers a share of all units.
        Canary = "canary",
        /// It answers everything, and the version before it is asked beside it.
        Watch = "watch",
    }
}

states! {
    /// Where a rollout stands.
    RolloutState {
        /// It goes on when enough is known.
        Running = "running",
        /// It does not go on by itself; it is still taken back.
        Paused = "paused",
        /// The candidate answers everything, and was watched.
        Completed = "completed",
        /// The candidate was taken back.
        RolledBack = "rolled_back",
    }
}

states! {
    /// What a reviewer decided.
    ReviewDecision {
        /// Signs the digest.
        Approve = "approve",
        /// Sends it back.
        RequestChanges = "request_changes",
        /// Says something without deciding.
        Comment = "comment",
    }
}

/// The kinds of steps, in the order of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "`title` says what each does")]
pub enum StepKind {
    Ingest,
    Validate,
    Features,
    Trial,
    Tune,
    Train,
    Evaluate,
    Gate,
    Register,
    Compare,
    Rehearse,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Ingest,
        Self::Validate,
        Self::Features,
        Self::Trial,
        Self::Tune,
        Self::Train,
        Self::Evaluate,
        Self::Gate,
        Self::Register,
        Self::Compare,
        Self::Rehearse,
    ];
    /// The steps of a dataset load.
    pub const OF_DATASET: [Self; 2] = [Self::Ingest, Self::Validate];
    /// The steps of a run. One that searches has its trials before it tunes, side by side.
    pub const OF_RUN: [Self; 6] = [Self::Features, Self::Tune, Self::Train, Self::Evaluate, Self::Gate, Self::Register];
    /// The steps of a run that repeats another one: those that compute, and whether they made the same again.
    pub const OF_REPRODUCTION: [Self; 5] = [Self::Features, Self::Tune, Self::Train, Self::Evaluate, Self::Compare];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Validate => "validate",
            Self::Features => "features",
            Self::Trial => "trial",
            Self::Tune => "tune",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Gate => "gate",
            Self::Register => "register",
            Self::Compare => "compare",
            Self::Rehearse => "rehearse",
        }
    }

    /// What it does, in a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ingest => "Read the source into an immutable version",
            Self::Validate => "Check it against the problem and earlier versions",
            Self::Features => "Compute features and split",
            Self::Trial => "Try hyperparameters",
            Self::Tune => "Choose hyperparameters",
            Self::Train => "Fit the model",
            Self::Evaluate => "Measure it on validation and test",
            Self::Gate => "Decide whether it may be promoted",
            Self::Register => "Register an immutable version",
            Self::Compare => "Compare with what was made first",
            Self::Rehearse => "Go through the past by the policy",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
