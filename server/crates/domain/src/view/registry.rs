//! The registry as it is shown: aliases, and two versions side by side.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::view::{ModelSummary, Permission};

views! {
    /// A model with its versions and the names that point at them.
    ModelView {
        /// Its versions, newest first.
        versions: Vec<ModelSummary>,
        /// Its aliases, those that follow the deployment first.
        aliases: Vec<AliasView>,
        /// Whether the reader may move aliases.
        may_move: Permission,
    }

    /// A name that points at a version.
    AliasView {
        /// The name.
        name: String,
        /// Whether it follows the deployment and cannot be moved by hand.
        follows: bool,
        /// The version; none when it was taken away.
        version: Option<i32>,
        /// Its moves, newest first; none of one that follows the deployment, whose history has them.
        moves: Vec<AliasMove>,
    }

    /// Where an alias was moved.
    AliasMove {
        /// The version; none when it was taken away.
        version: Option<i32>,
        /// The version before.
        previous: Option<i32>,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    }

    /// Two versions side by side.
    ModelComparison {
        /// One.
        a: ModelSummary,
        /// The other.
        b: ModelSummary,
        /// Where they differ.
        rows: Vec<ComparedRow>,
        /// In how many things they are equal.
        equal: u64,
        /// Inputs that the other reads and the one does not, or as another type; none where it is not known what they read.
        #[serde(default)]
        new_inputs: Option<Vec<String>>,
        /// Numbers of all versions, for choosing others.
        versions: Vec<i32>,
    }

    /// One thing in which they differ.
    ComparedRow {
        /// What it belongs to: `metrics`, `gates`, `inputs`, `parameters`, `data and code`.
        group: String,
        /// Its name.
        name: String,
        /// Of the one; none where it has none.
        a: Option<String>,
        /// Of the other.
        b: Option<String>,
        /// How much more the other has, of numbers.
        delta: Option<f64>,
    }
}
