//! Evaluate: every metric on the validation and test parts, the baseline beside it, slices, and what figures are drawn from.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::metric::Metric;
use millrace_domain::monitor::Reference;
use millrace_domain::problem::{ProblemDocument, Slice};
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::evaluate::{
    ClassEvaluation, CurvePoint, Diagnostics, Evaluation, OutcomeError, Outcomes, SliceCurves, SliceEvaluation,
    ThresholdPoint, evaluate, evaluate_slices, slice_curves,
};
use millrace_ml::model::{Model, Prediction, outcomes};
use millrace_ml::reference::{counted, reference};
use millrace_ml::split::Part;
use millrace_ml::train::{answers_crosswise, baseline, repeat_last};
use millrace_storage::run::MetricValue;
use millrace_storage::{artifact, run};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::examples::examples;
use crate::explain::{equations, explained, permuted, told_worth};
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::stage::Stage;
use crate::train::Trained;

/// Slices of a rule that are drawn, those with most rows.
const MOST_SLICES: usize = 100;
/// Slices of a column whose curves are kept, those with most rows.
const MOST_SLICE_CURVES: usize = 20;

pub(crate) struct Evaluate;

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    model: Digest,
    content: Bytes,
}

/// What was measured.
#[derive(Serialize, Deserialize)]
pub(crate) struct Evaluated {
    pub model: Digest,
    #[serde(flatten)]
    pub tested: Tested,
    /// What repeating the last label known would reach there; empty where rows have no order.
    #[serde(default)]
    pub repeat_last: BTreeMap<Metric, f64>,
    evaluation: Digest,
    evaluation_bytes: u64,
    /// What live answers are held against.
    pub reference: Digest,
    reference_bytes: u64,
    /// Test rows to look at; earlier versions of the program kept none.
    #[serde(default)]
    examples: Option<Digest>,
    #[serde(default)]
    examples_bytes: u64,
}

/// What gates look at.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tested {
    pub test_rows: u64,
    pub metrics: Vec<Measured>,
    /// What always answering alike would reach on the test part.
    pub baseline: BTreeMap<Metric, f64>,
    /// One entry a slice rule of the document, in its order.
    pub slices: Vec<Vec<SliceEvaluation>>,
}

impl Tested {
    /// Of what was measured on the validation part, if it has rows, and on the test part.
    fn of(
        document: &ProblemDocument,
        prepared: &Prepared,
        validation: Option<&Measurement>,
        test: &Measurement,
        seed: u64,
    ) -> Result<Self, StepError> {
        let floor = baseline(&prepared.labels, &prepared.split, Part::Test).map_err(no_test_rows)?;
        let slices = document.slices.iter().map(|slice| {
            let rows = prepared.split.rows(Part::Test);
            let values = prepared.plan.slice_values(&prepared.dataset, &slice.by, rows).unwrap_or_default();
            evaluate_slices(&test.outcomes, values, slice.goal.metric, seed)
        });
        Ok(Self {
            test_rows: test.evaluation.rows,
            metrics: validation.into_iter().chain([test]).flat_map(|part| measured(&part.evaluation)).collect(),
            baseline: metrics_of(document, &floor),
            slices: slices.collect(),
        })
    }
}

/// Measures a model on what it was not fitted on, and makes what its live answers are held against.
pub(crate) fn tested(
    document: &ProblemDocument,
    prepared: &Prepared,
    model: &Model,
    seed: u64,
) -> Result<(Tested, Reference), StepError> {
    let validation = part(prepared, model, Part::Validation, seed)?;
    let test = part(prepared, model, Part::Test, seed)?.ok_or_else(empty_test_part)?;
    let tested = Tested::of(document, prepared, validation.as_ref(), &test, seed)?;
    Ok((tested, reference_of(prepared, model, &test)))
}

fn reference_of(prepared: &Prepared, model: &Model, test: &Measurement) -> Reference {
    let train = prepared.split.rows(Part::Train);
    reference(model, &prepared.table, train, &test.predictions, &test.outcomes)
}

/// How the data that another model was trained on, prepared as this one's, fills the bins of this one; none where that model has no answer to
/// it.
pub(crate) fn counts_before(reference: &Reference, prepared: &Prepared, other: &Model) -> Option<Vec<u64>> {
    let answers = other.predict(&prepared.dataset.take(prepared.split.rows(Part::Test))).ok()?;
    Some(counted(reference, &prepared.table, prepared.split.rows(Part::Train), &answers))
}

fn metrics_of(document: &ProblemDocument, outcomes: &Outcomes) -> BTreeMap<Metric, f64> {
    Metric::of(document.target.kind).filter_map(|metric| Some((metric, outcomes.metric(metric)?))).collect()
}

fn no_test_rows(error: OutcomeError) -> StepError {
    StepError::refused("no_test_rows", error.to_string())
}

fn empty_test_part() -> StepError {
    StepError::refused("no_test_rows", "the test part has no rows; give it a larger share or bring more data")
}

/// One metric of one part.
#[derive(Serialize, Deserialize)]
pub(crate) struct Measured {
    pub part: Part,
    pub metric: Metric,
    pub value: f64,
    pub interval: Option<(f64, f64)>,
    pub n: u64,
}

#[async_trait]
impl Stage for Evaluate {
    type Input = Input;
    type Output = Evaluated;
    const KIND: StepKind = StepKind::Evaluate;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let launched = Launched::of(context).await?;
        let frames = launched.frames(context).await?;
        let trained: Trained =
            serde_json::from_value(context.output_of(StepKind::Train.as_str()).await?).map_err(|error| {
                StepError::refused("internal", format!("the training's result cannot be read: {error}"))
            })?;
        let content = context.artifacts().get(&trained.model).await?;
        Ok(Input { launched, frames, model: trained.model, content })
    }

    fn digest(&self, input: &Input) -> Digest {
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "seed": input.launched.run.seed,
            "model": input.model,
            // What is drawn from it has more in it than it had.
            "drawn": 8,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Evaluated, StepError> {
        let (mut evaluated, [figures, reference, examples]) = context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "measuring on validation and test" }));
                measure(&input)
            })
            .await?;
        evaluated.evaluation_bytes = figures.len() as u64;
        evaluated.evaluation = context.artifacts().put(Bytes::from(figures)).await?;
        evaluated.reference_bytes = reference.len() as u64;
        evaluated.reference = context.artifacts().put(Bytes::from(reference)).await?;
        evaluated.examples_bytes = examples.len() as u64;
        evaluated.examples = Some(context.artifacts().put(Bytes::from(examples)).await?);
        Ok(evaluated)
    }

    fn told(&self, output: &Evaluated) -> Vec<String> {
        let line = |measured: &Measured| {
            let Measured { part, metric, value, interval, n } = measured;
            let interval = interval.map_or_else(String::new, |(low, high)| format!(" ({low:.6} to {high:.6})"));
            format!("{part}.{metric} {value:.6}{interval} on {n} rows")
        };
        output.tested.metrics.iter().map(line).collect()
    }

    fn commit(&self, context: &Context, output: Evaluated) -> Commit {
        let id = RunId(context.step().subject.id());
        commit(output, move |tx, output| {
            Box::pin(async move {
                let now = millrace_storage::now(tx).await?;
                let kept = [
                    ("evaluation", Some(output.evaluation), output.evaluation_bytes),
                    ("reference", Some(output.reference), output.reference_bytes),
                    ("examples", output.examples, output.examples_bytes),
                ];
                for (name, digest, bytes) in kept {
                    let Some(digest) = digest else { continue };
                    artifact::register(tx, &digest, bytes, "application/json", now).await?;
                    run::set_artifact(tx, id, name, &digest).await?;
                }
                run::set_metrics(tx, id, &values(&output)).await
            })
        })
    }
}

/// What was measured, what is drawn from, the reference of the model, and test rows to look at.
fn measure(input: &Input) -> Result<(Evaluated, [Vec<u8>; 3]), StepError> {
    let document = &input.launched.problem.document;
    let seed = input.launched.seed();
    let prepared = prepare(&input.frames, document)?;
    let model = Model::from_bytes(&input.content)
        .map_err(|error| StepError::refused("corrupt_model", format!("the kept model cannot be read: {error}")))?;
    let validation = part(&prepared, &model, Part::Validation, seed)?;
    let test = part(&prepared, &model, Part::Test, seed)?.ok_or_else(empty_test_part)?;
    let (labels, split) = (&prepared.labels, &prepared.split);
    let last = repeat_last(&prepared.dataset, &document.data, document.target.delay, labels, split, Part::Test);
    let last = last.transpose().map_err(no_test_rows)?;
    let mut last = last.map_or_else(BTreeMap::new, |outcomes| metrics_of(document, &outcomes));
    // Of who is certain and wrong it says only how near to 0 a probability may come.
    last.remove(&Metric::LogLoss);
    let mut figures = figures(&model, validation.as_ref().map(|part| &part.evaluation), &test);
    let worth = permuted(&prepared, &model, document.success.metric, seed);
    figures["permutation"] = told_worth(&model, document.success.metric, &worth);
    figures["linear"] = equations(&prepared, &model);
    figures["costs"] = json!(document.target.costs);
    figures["unit"] = json!(document.target.unit);
    (figures["contributions"], figures["dependence"]) = explained(&prepared, &model, &worth, seed);
    let reference = reference_of(&prepared, &model, &test);
    let tested = Tested::of(document, &prepared, validation.as_ref(), &test, seed)?;
    figures["slices"] = slices_drawn(document, &tested);
    figures["slice_curves"] = slice_curves_drawn(document, &prepared, &test);
    let evaluated = Evaluated {
        model: input.model,
        tested,
        repeat_last: last,
        evaluation: input.model,
        evaluation_bytes: 0,
        reference: input.model,
        reference_bytes: 0,
        examples: None,
        examples_bytes: 0,
    };
    let examples = examples(&prepared, &model, &test.predictions).to_string();
    let reference = json!(reference).to_string();
    Ok((evaluated, [figures.to_string(), reference, examples].map(String::into_bytes)))
}

/// What the rules on slices are judged by, with the slices that are too small for it.
fn slices_drawn(document: &ProblemDocument, tested: &Tested) -> Value {
    let rule = |(slice, values): (&Slice, &Vec<SliceEvaluation>)| {
        let values = &values[..values.len().min(MOST_SLICES)];
        json!({ "by": slice.by, "metric": slice.goal.metric, "bound": slice.goal.bound, "min_rows": slice.min_rows, "values": values })
    };
    document.slices.iter().zip(&tested.slices).map(rule).collect()
}

/// The curves on the slices that the document's rules are about, by column; none of a model that is not binary.
fn slice_curves_drawn(document: &ProblemDocument, prepared: &Prepared, test: &Measurement) -> Value {
    let mut columns: Vec<&str> = Vec::new();
    for slice in &document.slices {
        if !columns.contains(&slice.by.as_str()) {
            columns.push(&slice.by);
        }
    }
    let rows = prepared.split.rows(Part::Test);
    let told = |curves: SliceCurves| {
        json!({
            "value": curves.value,
            "rows": curves.rows,
            "positives": curves.positives,
            "roc_auc": curves.roc_auc,
            "roc_auc_interval": curves.roc_auc_interval,
            "pr_auc": curves.pr_auc,
            "roc": places(&curves.roc),
            "pr": places(&curves.precision_recall),
        })
    };
    let of = |by: &str| {
        let values = prepared.plan.slice_values(&prepared.dataset, by, rows).unwrap_or_default();
        let curves = slice_curves(&test.outcomes, values, MOST_SLICE_CURVES);
        (!curves.is_empty()).then(|| json!({ "by": by, "values": curves.into_iter().map(told).collect::<Vec<_>>() }))
    };
    columns.into_iter().filter_map(of).collect()
}

struct Measurement {
    evaluation: Evaluation,
    outcomes: Outcomes,
    predictions: Vec<Prediction>,
}

/// Measures one part; none when it has no rows.
fn part(prepared: &Prepared, model: &Model, part: Part, seed: u64) -> Result<Option<Measurement>, StepError> {
    let rows = prepared.split.rows(part);
    if rows.is_empty() {
        return Ok(None);
    }
    let failed = |error: String| StepError::refused("evaluation_failed", error);
    let predictions = match (part, model.predictor().calibration()) {
        // It was fitted on these rows.
        (Part::Validation, Some(_)) => answers_crosswise(model.predictor(), &prepared.table, &prepared.labels, rows)
            .map_err(|error| failed(error.to_string()))?,
        _ => model.predict(&prepared.dataset.take(rows)).map_err(|error| failed(error.to_string()))?,
    };
    let outcomes = outcomes(&prepared.labels, rows, &predictions).map_err(|error| failed(error.to_string()))?;
    Ok(Some(Measurement { evaluation: evaluate(part, &outcomes, seed), outcomes, predictions }))
}

fn measured(evaluation: &Evaluation) -> Vec<Measured> {
    let values = evaluation.metrics.iter();
    values
        .map(|(metric, value)| Measured {
            part: evaluation.part,
            metric: *metric,
            value: *value,
            interval: evaluation.intervals.get(metric).copied(),
            n: evaluation.rows,
        })
        .collect()
}

fn values(output: &Evaluated) -> Vec<MetricValue> {
    let own = output.tested.metrics.iter().map(|measured| MetricValue {
        name: format!("{}.{}", measured.part, measured.metric),
        step: 0,
        value: measured.value,
        interval: measured.interval,
        n: i64::try_from(measured.n).unwrap_or(i64::MAX),
    });
    let floors = [("baseline", &output.tested.baseline), ("repeat_last", &output.repeat_last)];
    let floors = floors.into_iter().flat_map(|(floor, values)| {
        values.iter().map(move |(metric, value)| MetricValue {
            name: format!("{floor}.{metric}"),
            step: 0,
            value: *value,
            interval: None,
            n: i64::try_from(output.tested.test_rows).unwrap_or(i64::MAX),
        })
    });
    own.chain(floors).collect()
}

/// What pages draw: curves, tables, importance and the model's inputs.
fn figures(model: &Model, validation: Option<&Evaluation>, test: &Measurement) -> Value {
    let classes: Vec<&str> = model.classes().iter().map(AsRef::as_ref).collect();
    let importance: Vec<(&str, f64)> = model.importance();
    let inputs: Vec<(&str, &str)> =
        model.inputs().iter().map(|input| (input.column.name.as_str(), input.column.column_type.as_str())).collect();
    let mut shown = drawn(&test.evaluation.diagnostics, &classes);
    shown["scores"] = score_histogram(&test.predictions);
    json!({
        "kind": model.kind(),
        "test": shown,
        "validation": validation.map(|part| drawn(&part.diagnostics, &classes)),
        "importance": importance,
        "inputs": inputs,
    })
}

fn drawn(diagnostics: &Diagnostics, classes: &[&str]) -> Value {
    match diagnostics {
        Diagnostics::Binary { roc, precision_recall, calibration, confusion, prevalence, threshold, thresholds } => {
            json!({
                "roc": places(roc),
                "pr": places(precision_recall),
                "calibration": calibration,
                "confusion": { "labels": classes, "counts": confusion.counts },
                "prevalence": prevalence,
                "threshold": threshold,
                "thresholds": thresholds
                    .iter()
                    .map(|point| {
                        let ThresholdPoint { threshold, true_positive, false_positive, false_negative, true_negative } = *point;
                        json!([threshold, true_negative, false_positive, false_negative, true_positive])
                    })
                    .collect::<Vec<_>>(),
            })
        }
        Diagnostics::Multiclass { confusion, classes: each, calibration } => json!({
            "confusion": { "labels": classes, "counts": confusion.counts },
            "classes": each.iter().map(|one| class_drawn(one, classes)).collect::<Vec<_>>(),
            "calibration": calibration,
        }),
        Diagnostics::Regression { residuals } => json!({
            "scatter": residuals.points,
            "largest_errors": residuals.largest,
            "residual_mean": residuals.mean,
            "residual_quantiles": residuals.quantiles,
            "tenths": residuals.tenths,
        }),
    }
}

fn class_drawn(one: &ClassEvaluation, classes: &[&str]) -> Value {
    json!({
        "label": classes.get(one.class),
        "rows": one.rows,
        "predicted": one.predicted,
        "precision": one.precision,
        "precision_interval": one.precision_interval,
        "recall": one.recall,
        "recall_interval": one.recall_interval,
        "f1": one.f1,
        "roc_auc": one.roc_auc,
        "roc_auc_interval": one.roc_auc_interval,
        "pr_auc": one.pr_auc,
        "roc": places(&one.roc),
        "pr": places(&one.precision_recall),
    })
}

fn places(curve: &[CurvePoint]) -> Vec<(f64, f64)> {
    curve.iter().map(|point| (point.x, point.y)).collect()
}

/// Twenty bins of the scores of a binary model: low, high, count.
fn score_histogram(predictions: &[Prediction]) -> Value {
    const BINS: usize = 20;
    let mut counts = [0u64; BINS];
    for prediction in predictions {
        if let Prediction::Binary { score, .. } = prediction {
            counts[((score * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
    }
    let edge = |bin: usize| bin as f64 / BINS as f64;
    json!(counts.iter().enumerate().map(|(bin, count)| (edge(bin), edge(bin + 1), *count)).collect::<Vec<_>>())
}
