//! The reference of a model: the bins that its live answers are counted in, and how its own data fills them.
//!
//! Features are binned as [`crate::drift`] bins columns, over the training part; what the model answers over the held-out part,
//! since of rows it was trained on it is too sure. Scores and numbers have twenty bins, so that quality can be estimated from them,
//! and of two classes an edge just above the threshold.

use std::collections::HashMap;

use millrace_domain::drift::Binning;
use millrace_domain::monitor::{Column, Reference};

use crate::drift::{edges_of, most_frequent};
use crate::evaluate::Outcomes;
use crate::features::{FeatureColumn, FeatureTable, FeatureValue};
use crate::model::{Model, Prediction};
use crate::order::key_of;

/// Parts that a feature is binned in.
const PARTS: u32 = 10;
/// Parts that what is answered is binned in.
const PARTS_OF_ANSWERS: u32 = 20;

/// The reference of a model, from the features of its training rows, and from what it answers to held-out rows with what came true.
pub fn reference(
    model: &Model,
    table: &FeatureTable,
    train: &[u32],
    answers: &[Prediction],
    outcomes: &Outcomes,
) -> Reference {
    let names = model.features().definitions().iter().map(|definition| definition.name.clone());
    let mut importance = model.predictor().importance();
    if importance.iter().all(|share| *share == 0.0) {
        // Where nothing is known of what matters, all features matter alike.
        let alike = 1.0 / importance.len() as f64;
        importance.fill(alike);
    }
    let features = names.zip(table.columns()).zip(importance).map(|((name, column), importance)| {
        let (binning, counts) = match column {
            FeatureColumn::Number(numbers) => {
                count_numbers(train.iter().map(|row| numbers[*row as usize]), PARTS, None)
            }
            FeatureColumn::Category { levels, codes } => {
                count_texts(train.iter().map(|row| levels.get(codes[*row as usize] as usize).map(String::as_str)))
            }
        };
        Column { name, binning, counts, importance }
    });
    let features = features.collect();
    let threshold = model.predictor().threshold();
    let edge = matches!(outcomes, Outcomes::Binary(_)).then(|| threshold.next_up());
    let numbers: Option<Vec<f64>> = answers.iter().map(Prediction::number).collect();
    let (binning, counts) = match &numbers {
        Some(numbers) => count_numbers(numbers.iter().copied(), PARTS_OF_ANSWERS, edge),
        None => count_texts(answers.iter().map(Prediction::label)),
    };
    let positives = match outcomes {
        Outcomes::Binary(outcomes) => {
            let mut true_in = vec![0u64; counts.len() - 1];
            outcomes.pairs().filter(|(_, came)| *came).for_each(|(score, _)| true_in[binning.of_number(score)] += 1);
            true_in.iter().zip(&counts).map(|(yes, all)| (*all > 0).then(|| *yes as f64 / *all as f64)).collect()
        }
        Outcomes::Multiclass(_) | Outcomes::Regression(_) => Vec::new(),
    };
    let prediction = Column { name: model.target().to_owned(), binning, counts, importance: 0.0 };
    Reference { features, prediction, positives, threshold }
}

/// The bin of each column for an answer: the features, then the prediction.
pub fn bins(reference: &Reference, values: &[FeatureValue<'_>], answer: &Prediction) -> Vec<u16> {
    let mut bins = Vec::with_capacity(values.len() + 1);
    bins.extend(reference.features.iter().zip(values).map(|(column, value)| bin(&column.binning, value)));
    bins.push(bin_of_answer(&reference.prediction.binning, answer));
    bins
}

/// How other rows, and answers to others of them, fill the bins of a reference.
pub fn counted(reference: &Reference, table: &FeatureTable, rows: &[u32], answers: &[Prediction]) -> Vec<u64> {
    let mut counts = vec![0; reference.width()];
    for row in rows {
        let (values, mut first) = (table.values(*row as usize), 0);
        for (column, value) in reference.features.iter().zip(&values) {
            counts[first + usize::from(bin(&column.binning, value))] += 1;
            first += column.counts.len();
        }
    }
    let first: usize = reference.features.iter().map(|column| column.counts.len()).sum();
    for answer in answers {
        counts[first + usize::from(bin_of_answer(&reference.prediction.binning, answer))] += 1;
    }
    counts
}

fn bin_of_answer(binning: &Binning, answer: &Prediction) -> u16 {
    narrow(match (binning, answer.number(), answer.label()) {
        (Binning::Numbers { .. }, Some(number), _) => binning.of_number(number),
        (Binning::Texts { .. }, _, Some(label)) => binning.of_text(label),
        _ => binning.missing(),
    })
}

fn bin(binning: &Binning, value: &FeatureValue<'_>) -> u16 {
    narrow(match (binning, value) {
        (Binning::Numbers { .. }, FeatureValue::Number(number)) => binning.of_number(*number),
        (Binning::Texts { .. }, FeatureValue::Category(text)) => binning.of_text(text),
        _ => binning.missing(),
    })
}

/// There are a few hundred bins at most.
fn narrow(bin: usize) -> u16 {
    u16::try_from(bin).unwrap_or(u16::MAX)
}

/// Bins of numbers, NaN for a missing one, and how they are filled.
fn count_numbers(numbers: impl Iterator<Item = f64> + Clone, parts: u32, edge: Option<f64>) -> (Binning, Vec<u64>) {
    let mut keys: Vec<i64> = numbers.clone().filter(|number| !number.is_nan()).map(key_of).collect();
    keys.sort_unstable();
    let mut edges = edges_of(&keys, parts);
    edges.extend(edge);
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    let binning = Binning::Numbers { edges };
    let mut counts = vec![0; binning.bins()];
    numbers.for_each(|number| counts[binning.of_number(number)] += 1);
    (binning, counts)
}

/// Bins of texts, and how they are filled.
fn count_texts<'t>(texts: impl Iterator<Item = Option<&'t str>> + Clone) -> (Binning, Vec<u64>) {
    let mut rows: HashMap<&str, u64> = HashMap::new();
    texts.clone().flatten().for_each(|text| *rows.entry(text).or_default() += 1);
    let mut values = most_frequent(rows.iter());
    values.sort_unstable();
    let binning = Binning::Texts { values };
    let mut counts = vec![0; binning.bins()];
    texts.for_each(|text| counts[text.map_or(binning.missing(), |text| binning.of_text(text))] += 1);
    (binning, counts)
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::TargetKind;
    use millrace_domain::monitor::{Verdict, judge};

    use super::*;
    use crate::fixture::{Prepared, document, prepared};
    use crate::model::outcomes;
    use crate::split::Part;
    use crate::train::{Trainer, TrainerConfig};

    fn made(kind: TargetKind) -> (Prepared, Model, Reference) {
        let prepared = prepared(kind, 2_000);
        let model = prepared.model(&TrainerConfig::default_of(Trainer::RandomForest));
        let rows = prepared.split.rows(Part::Test);
        let answers = model.predict(&prepared.dataset.take(rows)).unwrap();
        let came = outcomes(&prepared.labels, rows, &answers).unwrap();
        let reference = reference(&model, &prepared.table, prepared.split.rows(Part::Train), &answers, &came);
        (prepared, model, reference)
    }

    /// Counts rows as a server counts answers.
    fn answered(prepared: &Prepared, model: &Model, reference: &Reference, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; reference.width()];
        for row in rows {
            let values = prepared.table.values(*row as usize);
            let answer = model.predictor().predict(&values).unwrap();
            reference.count(&mut counts, &bins(reference, &values, &answer), 500);
        }
        counts
    }

    #[test]
    fn the_rows_of_the_reference_counted_again_are_the_reference() {
        for kind in [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression] {
            let (prepared, model, reference) = made(kind);
            let train = answered(&prepared, &model, &reference, prepared.split.rows(Part::Train));
            let columns = reference.split(&train).unwrap().columns;
            for (column, counts) in reference.features.iter().zip(columns) {
                assert_eq!(column.counts, counts, "{}", column.name);
            }
            let test = answered(&prepared, &model, &reference, prepared.split.rows(Part::Test));
            let columns = reference.split(&test).unwrap().columns;
            assert_eq!(&reference.prediction.counts, columns.last().unwrap());

            let answers = model.predict(&prepared.dataset.take(prepared.split.rows(Part::Test))).unwrap();
            let both = counted(&reference, &prepared.table, prepared.split.rows(Part::Train), &answers);
            assert_eq!(reference.against(&both).unwrap(), reference);
        }
    }

    #[test]
    fn held_out_rows_have_not_drifted_and_their_quality_is_estimated_as_it_is() {
        let (prepared, model, reference) = made(TargetKind::Binary);
        let rows = prepared.split.rows(Part::Test);
        let found =
            judge(&reference, &answered(&prepared, &model, &reference, rows), &document(TargetKind::Binary).monitoring);
        let found = found.unwrap();
        assert_eq!(found.verdict, Verdict::Stable, "{found:?}");
        let answers = model.predict(&prepared.dataset.take(rows)).unwrap();
        let came = outcomes(&prepared.labels, rows, &answers).unwrap();
        let estimate = found.estimate.unwrap();
        let metric = |metric| came.metric(metric).unwrap();
        use millrace_domain::metric::Metric;
        assert!((estimate.accuracy - metric(Metric::Accuracy)).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.roc_auc - metric(Metric::RocAuc)).abs() < 0.01, "{estimate:?}");
    }
}
