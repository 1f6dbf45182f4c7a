//! Receipts: what is kept of one prediction.

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{
    CounterpartView, JoinedCellView, JoinedView, ParityDifference, Permission, PredictionView, ReplayView,
};
use millrace_storage::Uuid;
use millrace_storage::prediction::{self, Receipt};
use serde_json::{Map, Value, json};

use crate::parity::differences;
use crate::{Result, Services, fault};

impl Services {
    /// A prediction with all that is kept of it, for whoever may read its problem.
    ///
    /// # Errors
    /// 404 when there is none: its log is written within a moment after the answer.
    pub async fn receipt(&self, actor: &Actor, id: Uuid) -> Result<Receipt> {
        let missing = || Fault::not_found("prediction");
        let receipt = prediction::receipt(self.db.pool(), id).await.map_err(fault)?.ok_or_else(missing)?;
        if !actor.sees(&receipt.slug) {
            return Err(missing());
        }
        let object = format!("deployment/{}", receipt.slug);
        self.authorise_on(actor, Action::ReadWorkspace, &receipt.slug, &object).await?;
        Ok(receipt)
    }

    /// The same as it is shown.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn prediction(&self, actor: &Actor, id: Uuid) -> Result<PredictionView> {
        let receipt = self.receipt(actor, id).await?;
        let (label, observed_at) = receipt.outcome.unzip();
        Ok(PredictionView {
            id: id.to_string(),
            may_keep: Permission::from_result(actor.may_on(Action::KeepCase, &receipt.slug)),
            slug: receipt.slug,
            model_version: receipt.number,
            generation: receipt.generation,
            arm: receipt.arm,
            entity: receipt.entity,
            inputs: receipt.answered.inputs,
            output: receipt.answered.output,
            joined: receipt.answered.joined.map(|joined| joined_view(joined, receipt.answered.time)),
            event_time: receipt.event_time,
            predicted_at: receipt.predicted_at,
            micros: receipt.micros,
            counterpart: receipt.counterpart.map(|(model_version, output, failure)| CounterpartView {
                model_version,
                output,
                failure,
            }),
            label,
            observed_at,
        })
    }

    /// What computing a prediction again found, as it is shown.
    pub fn replayed(id: Uuid, features: Map<String, Value>, found: Option<&Value>) -> ReplayView {
        let differing: Vec<ParityDifference> = found.map(|found| differences(&json!([found]))).unwrap_or_default();
        ReplayView {
            prediction: id.to_string(),
            same: differing.is_empty(),
            differences: differing,
            features: Value::Object(features),
        }
    }
}

/// What a prediction was joined to, as it is shown; `at` is the time that it is about.
fn joined_view(mut joined: Value, at: DateTime<Utc>) -> JoinedView {
    let named = |(place, value): (usize, &Value)| {
        // Earlier programs logged cells without names and times.
        let name = joined["names"][place].as_str().map_or_else(|| format!("cell {}", place + 1), str::to_owned);
        let as_of = joined["as_of"][place].as_i64().and_then(DateTime::from_timestamp_micros);
        let age_seconds = as_of.map(|time| (at - time).as_seconds_f64());
        JoinedCellView { name, value: value.clone(), as_of, age_seconds }
    };
    let cells = joined["cells"].as_array().into_iter().flatten().enumerate().map(named).collect();
    JoinedView { cells, loads: joined["loads"].take() }
}
