//! What a new model owes to newer data, and what to other settings.
//!
//! Beside the live version stands the model that its settings (trainer, hyperparameters, calibration) make of the new training part: from
//! the live version to that model only the data changes, from there to the new model only the settings.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;

/// The difference between the live version and a new model on the same test rows, in its two parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Effects {
    /// Number of the live version.
    pub champion: i32,
    /// The success metric.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric: Metric,
    /// Test rows behind it.
    pub rows: u64,
    /// The numbers; none where they could not be had.
    pub measured: Option<MeasuredEffects>,
    /// Why there are none, or what to keep in mind.
    pub note: Option<String>,
}

/// The metric of three models, and what lies between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeasuredEffects {
    /// Of the live version.
    pub before: f64,
    /// Of its settings on the new data.
    pub refitted: f64,
    /// Of the new model.
    pub after: f64,
    /// By the data; none where the live version may have been trained on these rows.
    pub data: Option<Effect>,
    /// By the settings.
    pub settings: Effect,
}

/// How much better, positive is better whichever way the metric points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Effect {
    /// In the metric's unit.
    pub improvement: f64,
    /// 95 % interval by a bootstrap paired over the rows; none where they do not carry one.
    pub interval: Option<(f64, f64)>,
    /// Whether nothing differs that this would be the effect of.
    pub is_same: bool,
}
