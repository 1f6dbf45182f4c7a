//! What the data and what the settings did ([`millrace_domain::effects`]).

use millrace_domain::effects::{Effect, Effects, MeasuredEffects};
use millrace_domain::problem::{ProblemDocument, Split};
use millrace_executor::{Reporter, StepError};
use millrace_ml::evaluate::{Comparison, Outcomes, compare};
use millrace_ml::model::{Model, outcomes};
use millrace_ml::split::Part;
use millrace_ml::train::{CalibrationMethod, TrainError, train};

use crate::load::Prepared;
use crate::progress::Units;

use super::measured::measured_on;

/// A model, and how its answers were calibrated.
pub(super) struct Settled<'a> {
    pub model: &'a Model,
    pub calibration: CalibrationMethod,
}

/// Both effects, beside the live version of that number; nothing where neither data nor settings differ.
pub(super) fn effects(
    document: &ProblemDocument,
    prepared: &Prepared,
    (number, champion): (i32, &Settled<'_>),
    challenger: &Settled<'_>,
    seed: u64,
    reporter: &Reporter,
) -> Result<Option<Effects>, StepError> {
    let metric = document.success.metric;
    let is_random = matches!(document.data.split, Split::Random { .. });
    let (old, new) = (champion.model.lineage(), challenger.model.lineage());
    let same_settings = old.trainer == new.trainer && champion.calibration == challenger.calibration;
    let same_features = old.features == new.features;
    let same_data = old.dataset == new.dataset && old.tables == new.tables && same_features;
    if same_settings && same_data {
        return Ok(None);
    }
    let rows = prepared.split.rows(Part::Test).len() as u64;
    let told = |measured, note| Ok(Some(Effects { champion: number, metric, rows, measured, note }));
    let untold = |reason: String| told(None, Some(reason));
    let before = match measured_on(prepared, Part::Test, champion.model) {
        Ok(before) => before,
        Err(reason) => return untold(format!("the live version {number} cannot be measured on this data: {reason}")),
    };
    let after = match measured_on(prepared, Part::Test, challenger.model) {
        Ok(after) => after,
        Err(reason) => return untold(reason),
    };
    let refitted = match (same_settings, same_data) {
        (true, _) => None,
        (false, true) => Some(before.clone()),
        (false, false) if old.trainer.program().is_some() => {
            return untold(format!(
                "{}, an external trainer, fitted the live version; it is not asked once more to tell data and settings apart",
                old.trainer.asked_as()
            ));
        }
        (false, false) => match refitted(prepared, champion, seed, reporter)? {
            Ok(refitted) => Some(refitted),
            Err(reason) => {
                return untold(format!("the live version's settings make no model of the new data: {reason}"));
            }
        },
    };
    let refitted = refitted.as_ref().unwrap_or(&after);
    let (by_data, by_settings) = match (
        compare(metric, &before, refitted, seed).map_err(|error| error.to_string()),
        compare(metric, refitted, &after, seed).map_err(|error| error.to_string()),
    ) {
        (Ok(Some(data)), Ok(Some(settings))) => (data, settings),
        (Err(reason), _) | (_, Err(reason)) => return untold(reason),
        _ => return untold("the metric is not defined on these rows".to_owned()),
    };
    let measured = MeasuredEffects {
        before: by_data.champion,
        refitted: by_data.challenger,
        after: by_settings.challenger,
        data: (same_data || !is_random).then(|| effect(&by_data, same_data)),
        settings: effect(&by_settings, same_settings),
    };
    if ![measured.before, measured.refitted, measured.after].iter().all(|value| value.is_finite()) {
        return untold("the metric is not finite for all of the models".to_owned());
    }
    let notes = [
        (!same_features).then_some("the document's target, split or features differ as well, which counts as data here"),
        measured.data.is_none().then_some(
            "rows are split at random, so the live version may have been trained on some of these: it looks better than it is, and what \
             the data did cannot be told",
        ),
    ];
    let notes: Vec<&str> = notes.into_iter().flatten().collect();
    told(Some(measured), (!notes.is_empty()).then(|| notes.join("; ")))
}

fn effect(of: &Comparison, is_same: bool) -> Effect {
    Effect { improvement: of.improvement, interval: of.interval.filter(|_| !is_same), is_same }
}

/// What a model's settings make of the training part, on the test part; or why they do not.
fn refitted(
    prepared: &Prepared,
    of: &Settled<'_>,
    seed: u64,
    reporter: &Reporter,
) -> Result<Result<Outcomes, String>, StepError> {
    let Prepared { table, labels, split, plan, .. } = prepared;
    let progress = Units::new(reporter, "the live version's settings: round");
    let fitted = match train(table, labels, split, plan.kind(), &of.model.lineage().trainer, seed, &progress) {
        Ok(fitted) => fitted,
        Err(TrainError::Cancelled) => return Err(StepError::Cancelled),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let fitted = match fitted.calibrated(of.calibration, table, labels, split) {
        Ok(fitted) => fitted,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let rows = split.rows(Part::Test);
    let measured = fitted.predictor.predict_table(table, rows).map_err(|error| error.to_string());
    Ok(measured.and_then(|answers| outcomes(labels, rows, &answers).map_err(|error| error.to_string())))
}
