//! Networks and other estimators that were fitted elsewhere, in the Open Neural Network Exchange format.
//!
//! They answer one row at a time, so that a row has the same answer alone and among others. A model that names operators which are
//! not known here is refused when it is read.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_domain::metric::TargetKind;
use millrace_domain::trainer::ProgramInputs;
use serde::{Deserialize, Serialize};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedRunnableModel, tvec,
};
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact};

use super::estimator::PredictError;
use crate::features::{Encoders, FeatureValue};

/// How far from 0 and 1, and from 1 in sum, single precision may put shares.
const ROUNDING: f64 = 1e-4;

/// An estimator that was fitted elsewhere.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct OnnxModel {
    content: Arc<[u8]>,
    inputs: ProgramInputs,
    width: usize,
    /// Which of its outputs is the answer, and how many numbers that is.
    output: usize,
    numbers: usize,
    plan: Arc<TypedRunnableModel>,
}

/// As it is stored: the content as it came, and how it is asked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    inputs: ProgramInputs,
    width: usize,
    output: usize,
    content: String,
}

impl TryFrom<Stored> for OnnxModel {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let content = STANDARD.decode(&stored.content).map_err(|error| error.to_string())?;
        let graph = Graph::read(&content, stored.width)?;
        graph.answering(content.into(), stored.inputs, stored.output)
    }
}

impl From<OnnxModel> for Stored {
    fn from(model: OnnxModel) -> Self {
        let content = STANDARD.encode(&model.content);
        Self { inputs: model.inputs, width: model.width, output: model.output, content }
    }
}

impl std::fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxModel")
            .field("bytes", &self.content.len())
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// A graph that was read, for rows of so many numbers.
struct Graph {
    model: tract_onnx::prelude::InferenceModel,
    width: usize,
}

impl Graph {
    fn read(content: &[u8], width: usize) -> Result<Self, String> {
        let mut reader = content;
        let mut model = tract_onnx::onnx().model_for_read(&mut reader).map_err(|error| told(&error))?;
        let unknown: std::collections::BTreeSet<String> = model
            .nodes()
            .iter()
            .filter_map(|node| Some(node.op.name().strip_prefix("Unimplemented(")?.trim_end_matches(')').to_owned()))
            .collect();
        if !unknown.is_empty() {
            let unknown: Vec<String> = unknown.into_iter().collect();
            return Err(format!(
                "it uses operators that are not known here: {}; export it without them, for example with its scaling done by the \
                 encoding of the features",
                unknown.join(", ")
            ));
        }
        let inputs = model.input_outlets().map_err(|error| told(&error))?.len();
        if inputs != 1 {
            return Err(format!("it has {inputs} inputs; it must have one, a row of {width} numbers"));
        }
        let fact = InferenceFact::dt_shape(f32_type(), tvec!(1, width));
        let declared = model.input_fact(0).map_err(|error| told(&error))?;
        if declared.datum_type.concretize().is_some_and(|own| own != f32_type()) {
            return Err("its input is not of single-precision numbers (float32)".to_owned());
        }
        if let Some(columns) = declared.shape.dim(1).and_then(|dim| dim.concretize()).and_then(|dim| dim.to_i64().ok())
            && usize::try_from(columns).ok() != Some(width)
        {
            return Err(format!("it takes rows of {columns} numbers, and the features are {width}"));
        }
        model.set_input_fact(0, fact).map_err(|error| told(&error))?;
        Ok(Self { model, width })
    }

    /// The first output of floating-point numbers that are as many as an answer has.
    fn output(&self, answers: &[usize]) -> Result<usize, String> {
        let typed = self.model.clone().into_typed().map_err(|error| told(&error))?;
        let outlets = typed.output_outlets().map_err(|error| told(&error))?.to_vec();
        let mut seen = Vec::new();
        for (place, outlet) in outlets.iter().enumerate() {
            let fact = typed.outlet_fact(*outlet).map_err(|error| told(&error))?;
            let numbers = fact.shape.as_concrete().map(|shape| shape.iter().product::<usize>());
            if fact.datum_type == f32_type() && numbers.is_some_and(|numbers| answers.contains(&numbers)) {
                return Ok(place);
            }
            seen.push(format!("{:?} {:?}", fact.shape, fact.datum_type));
        }
        let wanted: Vec<String> = answers.iter().map(ToString::to_string).collect();
        Err(format!(
            "none of its outputs ({}) is an answer of {} single-precision number(s) a row",
            seen.join("; "),
            wanted.join(" or ")
        ))
    }

    fn answering(self, content: Arc<[u8]>, inputs: ProgramInputs, output: usize) -> Result<OnnxModel, String> {
        let Self { mut model, width } = self;
        let built = (|| -> TractResult<Option<(Arc<TypedRunnableModel>, usize)>> {
            let Some(outlet) = model.output_outlets()?.get(output).copied() else { return Ok(None) };
            model.select_output_outlets(&[outlet])?;
            let typed = model.into_optimized()?;
            let fact = typed.output_fact(0)?;
            let Some(numbers) = fact.shape.as_concrete().map(|shape| shape.iter().product()) else { return Ok(None) };
            if fact.datum_type != f32_type() {
                return Ok(None);
            }
            Ok(Some((typed.into_runnable()?, numbers)))
        })();
        let (plan, numbers) =
            built.map_err(|error| told(&error))?.ok_or_else(|| format!("its output {output} is no answer"))?;
        Ok(OnnxModel { content, inputs, width, output, numbers, plan })
    }
}

const fn f32_type() -> DatumType {
    DatumType::F32
}

/// The error and what led to it, without a trace.
fn told(error: &tract_onnx::prelude::TractError) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl OnnxModel {
    /// Reads a model that answers rows of these features.
    ///
    /// # Errors
    /// In words: what it is that cannot be answered with.
    pub(crate) fn read(
        content: Vec<u8>,
        inputs: ProgramInputs,
        encoders: &Encoders,
        kind: TargetKind,
        classes: usize,
    ) -> Result<Self, String> {
        let graph = Graph::read(&content, width(encoders, inputs))?;
        let output = graph.output(&answers(kind, classes))?;
        graph.answering(content.into(), inputs, output)
    }

    /// Reads a model and asks it these rows, of equally many numbers: to see whether that comes to an end, whatever it comes to.
    pub(crate) fn attempt(content: &[u8], width: usize, answers: &[usize], rows: &[Vec<f32>]) -> Result<(), String> {
        let graph = Graph::read(content, width)?;
        let output = graph.output(answers)?;
        let model = graph.answering(content.into(), ProgramInputs::Columns, output)?;
        for row in rows {
            model.asked(row).map_err(|error| told(&error))?;
        }
        Ok(())
    }

    /// The numbers that it gives for a row of numbers.
    fn asked(&self, row: &[f32]) -> TractResult<Vec<f64>> {
        let row = Tensor::from_shape(&[1, self.width], row)?;
        let outputs = self.plan.run(tvec!(row.into()))?;
        Ok(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?.iter().copied().map(f64::from).collect())
    }

    /// Whether it fits the encoders and gives as many numbers.
    pub(super) fn fits(&self, kind: TargetKind, outputs: usize, encoders: &Encoders) -> bool {
        self.width == width(encoders, self.inputs)
            && (self.numbers == outputs || kind == TargetKind::Binary && self.numbers == 2)
    }

    /// The answer for one row: one number, or one a class. Every row, alone or among others, goes through here.
    pub(super) fn answer(
        &self,
        kind: TargetKind,
        encoders: &Encoders,
        values: &[FeatureValue<'_>],
    ) -> Result<Vec<f64>, PredictError> {
        let row = encoded(encoders, self.inputs, values);
        let mut numbers = self.asked(&row).map_err(|error| PredictError::Onnx(told(&error)))?;
        if kind != TargetKind::Regression {
            as_probabilities(&mut numbers)?;
        }
        if kind == TargetKind::Binary && numbers.len() == 2 {
            numbers.remove(0);
        }
        Ok(numbers)
    }
}

/// Takes what rounding may have done out of probabilities, one of the positive class or one a class; what is none otherwise is an error.
fn as_probabilities(numbers: &mut [f64]) -> Result<(), PredictError> {
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(PredictError::NotFinite);
    }
    let strange = numbers.iter().find(|number| !(-ROUNDING..=1.0 + ROUNDING).contains(*number));
    if let Some(strange) = strange {
        return Err(PredictError::Onnx(format!(
            "{strange} is no probability; end the model with a sigmoid or a softmax"
        )));
    }
    numbers.iter_mut().for_each(|number| *number = number.clamp(0.0, 1.0));
    if numbers.len() > 1 {
        let sum: f64 = numbers.iter().sum();
        if (sum - 1.0).abs() > numbers.len() as f64 * ROUNDING {
            return Err(PredictError::Onnx(format!("the probabilities of its classes add up to {sum}")));
        }
        numbers.iter_mut().for_each(|number| *number /= sum);
    }
    Ok(())
}

/// How many numbers an answer may have, the usual first.
pub(crate) fn answers(kind: TargetKind, classes: usize) -> Vec<usize> {
    match kind {
        TargetKind::Regression => vec![1],
        TargetKind::Binary => vec![2, 1],
        TargetKind::Multiclass => vec![classes],
    }
}

/// How many numbers a row is.
pub(crate) fn width(encoders: &Encoders, inputs: ProgramInputs) -> usize {
    match inputs {
        ProgramInputs::Columns => encoders.columns(),
        ProgramInputs::Terms => encoders.terms(),
    }
}

/// A row as it is told: [`width`] numbers.
pub(crate) fn encoded(encoders: &Encoders, inputs: ProgramInputs, values: &[FeatureValue<'_>]) -> Vec<f32> {
    match inputs {
        ProgramInputs::Columns => encoders.for_trees(values),
        ProgramInputs::Terms => {
            let mut terms = vec![0.0_f32; encoders.terms()];
            encoders.for_linear(values, |position, size| terms[position] = size as f32);
            terms
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_pass_for_probabilities() {
        let strange: [&[f64]; 7] = [
            &[f64::INFINITY],
            &[f64::NEG_INFINITY, 1.0],
            &[f64::INFINITY, 0.0],
            &[f64::NAN],
            &[0.9, 0.8],
            &[1.2],
            &[0.2, 0.2, 0.2],
        ];
        for numbers in strange {
            assert!(as_probabilities(&mut numbers.to_vec()).is_err(), "{numbers:?}");
        }
        let mut rounded = [1.000_001, -1e-6];
        assert_eq!(as_probabilities(&mut rounded), Ok(()));
        assert_eq!(rounded, [1.0, 0.0]);
    }
}
