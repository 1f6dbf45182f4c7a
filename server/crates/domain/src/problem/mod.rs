//! The problem document: what is to be predicted, how well, for whom, and under which rules.
//!
//! A document is read once ([`ProblemDocument::parse`]) into types that cannot be wrong; every mistake is reported at once
//! with its pointer. Its *digest* is that of its canonical JSON: what people sign. Gates, alerts and rollout limits are
//! derived from the signed document, so changing a limit needs a new signature.

mod diff;
mod environment;
mod fallback;
mod feature;
mod feature_set;
#[cfg(feature = "parse")]
mod import;
#[cfg(feature = "parse")]
mod import_schema;
mod join;
mod limits;
mod operation;
#[cfg(feature = "parse")]
mod read;
mod rollout;
mod rule;
mod source;
mod span;
mod state;
#[cfg(feature = "parse")]
mod suggest;
mod summary;
#[cfg(all(test, feature = "parse"))]
pub(crate) mod tests;
#[cfg(feature = "parse")]
mod walk;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::expr::Expression;
use crate::metric::{Bound, Costs, Metric, TargetKind};
use crate::policy::Role;
use crate::review::Quorum;

pub use diff::changes;
pub use environment::Environment;
pub use fallback::{Constant, Fallback, FallbackRule};
pub use feature::{Encoding, Feature, FeatureType};
pub use feature_set::AboutFeatures;
#[cfg(feature = "parse")]
pub use import::{Imported, expectation_suite};
#[cfg(feature = "parse")]
pub use import_schema::data_validation_schema;
pub use join::{Aggregate, AggregateFunction, Lookup, SourceTable};
pub use limits::GateLimits;
pub use operation::{
    Blackout, Business, BusinessRead, Drift, DriftMetric, Monitoring, NoData, Notify, Promote, Retraining, When,
};
pub use rollout::{Canary, Conduct, Rollout, RolloutCheck, Stage};
pub use rule::{DataCheck, Rule, Statistic};
pub use source::{Source, SourceRead};
pub use span::Span;
pub use state::{ProblemState, TransitionRefused};
#[cfg(feature = "parse")]
pub use suggest::checks_that_hold;

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mistake {
    /// JSON pointer (RFC 6901) to the place, `""` for the whole document.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A valid problem document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProblemDocument {
    /// Address of the problem: lower-case letters, digits and hyphens.
    pub slug: String,
    /// One line for people.
    pub title: String,
    /// What will be done with the answer.
    pub decision: String,
    /// What is predicted.
    pub target: Target,
    /// How rows are read and split.
    pub data: Data,
    /// What feeds the datasets by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Tables that rows are joined to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<SourceTable>,
    /// Rows of tables, as of the time of a row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// Numbers about what happened before a row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<Aggregate>,
    /// Rows that are not trained on, and what they lack.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// What people should know of the features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_set: Option<AboutFeatures>,
    /// The inputs of the model, in order.
    pub features: Vec<Feature>,
    /// Rules for the data, besides those that follow from features and target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<DataCheck>,
    /// What a model must reach on the test part.
    pub success: Goal,
    /// What a model must keep besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Goal>,
    /// Parts of the data on which a model must hold up as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
    /// Other limits on a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateLimits>,
    /// What serving must keep.
    pub serving: Serving,
    /// The business number the predictions should move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business: Option<Business>,
    /// How a version reaches its users.
    pub rollout: Rollout,
    /// What is watched in production.
    pub monitoring: Monitoring,
    /// When a new model is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retraining: Option<Retraining>,
    /// Which approvals are needed.
    pub approvals: Approvals,
    /// Who is told.
    pub notify: Notify,
}

/// What is predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// Its name in reports.
    pub name: String,
    /// Its kind.
    pub kind: TargetKind,
    /// How a row's label is computed.
    #[serde(flatten)]
    pub definition: Definition,
    /// How long after the event the label is known.
    pub delay: Span,
    /// What the errors of a binary model cost; both alike when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
    /// Of a number: the quantile that is predicted, above 0 and below 1; the mean when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Of a number: what it is counted in, as in `minutes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// How a row's label is computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Definition {
    /// It is the value of a column.
    Column(String),
    /// It is the value of an expression over columns.
    Expression(Expression),
}

impl ProblemDocument {
    /// The names under which a row may be sent to be answered: what features and keys are read from, and whom and when it is about.
    pub fn sent_names(&self) -> std::collections::BTreeSet<&str> {
        let features = self.features.iter().flat_map(|feature| feature.expression.columns());
        let keys = join::key_columns(&self.lookups, &self.aggregates);
        let about = [self.data.entity.as_deref(), self.data.event_time.as_deref(), Some("entity"), Some("event_time")];
        features.chain(keys).chain(about.into_iter().flatten()).collect()
    }
}

impl Target {
    /// The columns that the label is computed from.
    pub fn columns(&self) -> Vec<&str> {
        match &self.definition {
            Definition::Column(name) => vec![name],
            Definition::Expression(expression) => expression.columns(),
        }
    }

    /// A bound as `text` says it, with what the metric is counted in where that is known.
    pub fn counted(&self, metric: Metric, text: impl std::fmt::Display) -> String {
        match &self.unit {
            Some(unit) if metric.is_in_unit_of_target() => format!("{text} {unit}"),
            _ => text.to_string(),
        }
    }
}

impl Definition {
    /// The expression that gives the label.
    #[cfg(feature = "parse")]
    pub fn expression(&self) -> Expression {
        match self {
            Self::Column(name) => Expression::column(name),
            Self::Expression(expression) => expression.clone(),
        }
    }
}

/// How rows are read and split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// Column that names the entity a row is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Column of the event's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// Column of the time at which a row became known, where that is later than its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_time: Option<String>,
    /// How these times are written.
    pub time_format: TimeFormat,
    /// How CSV is written, where it differs from what is found out by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<Csv>,
    /// How rows become training, validation and test parts.
    pub split: Split,
    /// Rows that are expected before there are any, for judging what the test part will be able to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_rows: Option<u64>,
    /// Whether rows that break a critical check are set aside instead of stopping the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// Rows that break a critical check are set aside, with the checks they break, and the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Largest share of the rows that may be set aside; beyond it the pipeline stops.
    pub at_most: f64,
}

/// How CSV is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Csv {
    /// What stands between two fields; found out when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether the first line names the columns; else they are `column_1` and so on.
    pub header: bool,
    /// Label of the encoding, for example `latin1` or `utf-16le`; UTF-8 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Unquoted texts that stand for a missing cell, besides nothing at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether `1,5` is one and a half. Points then are no part of a number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decimal_comma: bool,
}

/// How a time is written in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// ISO 8601 / RFC 3339 text; no zone means UTC.
    Iso,
    /// Seconds since 1970-01-01 UTC.
    UnixS,
    /// Milliseconds since 1970-01-01 UTC.
    UnixMs,
}

/// How rows become parts. Shares are of all rows; what is left is for training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Split {
    /// In order of event time (the source's order without one): the earliest train, the latest test.
    Time {
        /// Share of the validation part.
        validation: f64,
        /// Share of the test part.
        test: f64,
    },
    /// By a seeded shuffle, stratified by class for classification.
    Random {
        /// Share of the validation part.
        validation: f64,
        /// Share of the test part.
        test: f64,
        /// Seed of the shuffle.
        seed: u64,
        /// Column whose equal values stay in one part, at the price of the strata.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entity: Option<String>,
    },
}

impl Split {
    /// Share of the validation part.
    pub const fn validation(&self) -> f64 {
        match self {
            Self::Time { validation, .. } | Self::Random { validation, .. } => *validation,
        }
    }

    /// Share of the test part.
    pub const fn test(&self) -> f64 {
        match self {
            Self::Time { test, .. } | Self::Random { test, .. } => *test,
        }
    }
}

/// A metric and its bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The metric.
    pub metric: Metric,
    /// Its bound.
    #[serde(flatten)]
    pub bound: Bound,
    /// The smallest difference that matters to the decision, in the metric's unit; only for the success metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_difference: Option<f64>,
}

/// A goal on every value of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// The column or feature whose values make the slices.
    pub by: String,
    /// The goal in each slice.
    #[serde(flatten)]
    pub goal: Goal,
    /// Slices with fewer rows give no verdict.
    pub min_rows: u64,
}

/// What serving must keep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct Serving {
    /// 99th percentile of a single prediction, in milliseconds.
    pub p99_ms: f64,
    /// Predictions a second it is measured at.
    pub throughput_rps: f64,
    /// What is answered while no model may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// Which approvals are needed, each by somebody other than the author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// How many for the document itself.
    pub specification: u32,
    /// How many for putting a model version live.
    pub promotion: u32,
    /// Roles that must be among those who sign the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specification_roles: Vec<Role>,
    /// Roles that must be among those who approve a promotion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotion_roles: Vec<Role>,
    /// How long a sign-off or an approval holds; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<Span>,
}

impl Approvals {
    /// What signing the document takes.
    pub fn of_specification(&self) -> Quorum {
        Quorum { needed: self.specification, roles: self.specification_roles.clone(), valid_for: self.valid_for }
    }

    /// What approving a promotion takes.
    pub fn of_promotion(&self) -> Quorum {
        Quorum { needed: self.promotion, roles: self.promotion_roles.clone(), valid_for: self.valid_for }
    }
}

impl ProblemDocument {
    /// The document as canonical JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a document holds only strings, finite numbers, lists and string-keyed maps")
    }

    /// The digest that people sign.
    pub fn digest(&self) -> Digest {
        Digest::of_canonical(&self.to_json())
    }

    /// Digest of what features are computed from: target, data reading, joins and feature definitions.
    pub fn feature_digest(&self) -> Digest {
        let mut read = serde_json::json!({ "target": self.target, "data": self.data, "features": self.features });
        if !(self.lookups.is_empty() && self.aggregates.is_empty()) {
            read["joins"] = serde_json::json!([self.tables, self.lookups, self.aggregates]);
        }
        Digest::of_canonical(&read)
    }
}
