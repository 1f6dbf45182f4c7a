//! What made an answer, feature by feature.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_ml::model::ContributionUnit;
use serde_json::{Map, Value, json};

use crate::read::read_one;
use crate::routes::{Live, Turn};

/// Explains answers on a thread of its own; what is not explained in time is said. The turn is held until it has ended, however long somebody
/// waits for it.
pub(crate) async fn explained_by(
    answers: Vec<(Arc<Live>, Map<String, Value>)>,
    now: DateTime<Utc>,
    most: usize,
    patience: Duration,
    turn: Turn,
) -> Vec<Value> {
    let count = answers.len();
    let each = move || {
        let _turn = turn;
        answers.iter().map(|(live, sent)| explanation(live, sent, now, most)).collect()
    };
    match tokio::time::timeout(patience, tokio::task::spawn_blocking(each)).await {
        Ok(Ok(told)) => told,
        _ => vec![json!({ "unexplained": "it took too long" }); count],
    }
}

/// The features that contributed most to an answer, in the model's own unit: Shapley values of trees, and of a linear model what its
/// terms add to the intercept. An answer that cannot be explained is an answer all the same.
pub(crate) fn explanation(live: &Live, sent: &Map<String, Value>, now: DateTime<Utc>, most: usize) -> Value {
    let explained = catch_unwind(AssertUnwindSafe(|| contributions(live, sent, now, most)));
    match explained.unwrap_or_else(|_| Err("it panicked".to_owned())) {
        Ok(told) => told,
        Err(reason) => json!({ "unexplained": reason }),
    }
}

fn contributions(live: &Live, sent: &Map<String, Value>, now: DateTime<Utc>, most: usize) -> Result<Value, String> {
    let (read, _) = read_one(live, sent, now)?;
    let found = live.model.contributions(&read.instance).map_err(|error| error.to_string())?;
    let found = found.ok_or("nothing is known of it")?;
    let features = live.model.features();
    let values = features.values_of(&read.instance);
    let named = features.definitions().iter().zip(values).zip(&found.of_features);
    let mut told: Vec<(f64, Value)> = named
        .map(|((definition, value), share)| {
            (share.abs(), json!({ "feature": definition.name, "value": value.to_json(), "contribution": share }))
        })
        .collect();
    told.sort_by(|a, b| b.0.total_cmp(&a.0));
    let unit = match live.model.predictor().contribution_unit() {
        ContributionUnit::LogOdds => "log-odds",
        ContributionUnit::Answer => "answer",
    };
    let told: Vec<Value> = told.into_iter().take(most).map(|(_, told)| told).collect();
    Ok(json!({ "base": found.base, "unit": unit, "features": told }))
}
