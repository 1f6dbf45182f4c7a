//! Feature sets and lineage, as they are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::view::ModelSummary;

views! {
    /// A line of the list of feature sets: the one of a problem's signed-off version, else of its newest.
    FeatureSetSummary {
        /// Slug of the problem, which is the feature set's name as well.
        slug: String,
        /// Title of the problem.
        title: String,
        /// Counts the distinct feature sets of the problem from 1.
        version: u32,
        /// Digest over everything that says how inputs are computed.
        digest: String,
        /// The problem version it is that of.
        problem_version: i32,
        /// That version's state.
        state: String,
        /// The column that names what a row is about.
        entity: Option<String>,
        /// How many features there are.
        features: u32,
        /// The tables they are joined to.
        tables: Vec<String>,
        /// Who answers for it.
        owner: String,
        /// What it is for.
        description: Option<String>,
        /// Number of the live model version, if it computes its inputs so.
        live_model: Option<i32>,
        /// How many registered model versions compute their inputs so.
        models: u32,
        /// When this feature set came up.
        created_at: DateTime<Utc>,
    }

    /// One feature.
    FeatureView {
        /// Its name.
        name: String,
        /// What it means.
        description: Option<String>,
        /// `number` or `category`.
        feature_type: String,
        /// How it is computed.
        expression: String,
        /// What it is read from: the data's columns, tables, earlier rows.
        reads: Vec<String>,
        /// The values it may have, in words.
        allowed: String,
        /// What is known of its values over the rows of the newest run; none before one.
        statistics: Option<FeatureStatistics>,
        /// How much the live model relies on it.
        importance: Option<f64>,
        /// Why it may give the answer away.
        leak: Option<String>,
    }

    /// A feature over all rows of a run.
    FeatureStatistics {
        /// Share of the rows in which it is missing.
        missing_share: f64,
        /// Distinct values.
        distinct: u64,
        /// Arithmetic mean of numbers.
        mean: Option<f64>,
        /// Least and greatest number.
        range: Option<(f64, f64)>,
        /// The most frequent values with their counts.
        top: Vec<(String, u64)>,
        /// Equal-width bins of numbers: lower edge, upper edge, count.
        histogram: Vec<(f64, f64, u64)>,
    }

    /// A feature set that the problem had or has.
    FeatureSetVersion {
        /// Its number.
        version: u32,
        /// Its digest.
        digest: String,
        /// The first problem version that had it.
        problem_version: i32,
        /// Who wrote that.
        author: String,
        /// When.
        created_at: DateTime<Utc>,
        /// What changed since the one before, in words.
        changes: Vec<String>,
    }

    /// A model version that uses a feature set.
    FeatureSetModel {
        /// The model version.
        model: ModelSummary,
        /// Number of the feature set it uses; none when no problem version has it any more.
        feature_set: Option<u32>,
    }

    /// A feature set with everything around it.
    FeatureSetView {
        /// The line.
        summary: FeatureSetSummary,
        /// Its features, in order.
        features: Vec<FeatureView>,
        /// The run whose rows the statistics are of.
        computed_by: Option<String>,
        /// Whether served answers, computed again, came to the same bits; none without a live model.
        parity: Option<String>,
        /// Whether such an answer differed.
        parity_broken: bool,
        /// All feature sets of the problem, newest first.
        versions: Vec<FeatureSetVersion>,
        /// The problem's model versions, newest first.
        models: Vec<FeatureSetModel>,
        /// Where its inputs come from and what came of it.
        lineage: LineageView,
    }

    /// A thing with an origin or an outcome.
    LineageThing {
        /// What it is.
        kind: String,
        /// Its name.
        label: String,
        /// Its page.
        href: Option<String>,
        /// Its column, from 0 on the left.
        layer: u8,
    }

    /// What came of what.
    LineageView {
        /// The things.
        things: Vec<LineageThing>,
        /// From one to another, by their positions.
        links: Vec<(u32, u32)>,
        /// The one that is looked at.
        here: Option<u32>,
    }
}

impl LineageView {
    /// Adds a thing; gives its position.
    pub fn add(&mut self, layer: u8, kind: &str, label: impl Into<String>, href: Option<String>) -> u32 {
        self.things.push(LineageThing { kind: kind.to_owned(), label: label.into(), href, layer });
        self.things.len() as u32 - 1
    }

    /// Says that one came of the other.
    pub fn link(&mut self, from: u32, to: u32) {
        if !self.links.contains(&(from, to)) {
            self.links.push((from, to));
        }
    }
}
