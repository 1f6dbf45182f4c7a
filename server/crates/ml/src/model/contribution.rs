//! What each feature contributes to an answer: Shapley values (Lundberg and Lee 2017).
//!
//! Of trees they are those of the paths that the training rows took (TreeSHAP, Lundberg et al. 2018), exact, by the library of trees. Of
//! a linear model a term contributes its weight times how far it is from its mean over the background rows, which is its Shapley value
//! when features vary by themselves. Contributions of a row and the base add up to what the estimator calculates before
//! its link: log-odds of boosted and logistic classes, else the answer itself.

use hessboost::model::{BoostedModel, Iterations};

use super::calibration::Calibration;
use super::estimator::{Estimator, PredictError, Predictor};
use super::linear::LinearEstimator;
use super::matrix::tree_matrix;
use crate::evaluate::most_probable;
use crate::features::{FeatureTable, FeatureValue};

/// What contributions are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContributionUnit {
    /// Log-odds of the positive class, or the sum that a class is chosen by.
    LogOdds,
    /// The answer itself: a number, or a probability.
    Answer,
}

/// What made one answer: of several classes, the one that was answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// What is answered when no feature is known.
    pub base: f64,
    /// One a feature, in the order of the definitions.
    pub of_features: Vec<f64>,
}

impl Predictor {
    /// What contributions are measured in.
    pub fn contribution_unit(&self) -> ContributionUnit {
        match (&self.estimator, self.classes.is_empty()) {
            (Estimator::Linear(_) | Estimator::Trees(_), false) => ContributionUnit::LogOdds,
            _ => ContributionUnit::Answer,
        }
    }

    /// How many numbers the contributions to one answer follow from: leaves of trees, or terms.
    pub fn contribution_size(&self) -> usize {
        match &self.estimator {
            Estimator::Linear(linear) => linear.outputs.iter().map(|output| output.weights.len()).sum(),
            Estimator::Trees(trees) | Estimator::Forest(trees) => {
                trees.trees().iter().map(|tree| tree.num_leaves()).sum()
            }
            Estimator::Onnx(_) => 0,
        }
    }

    /// What made the answers for `rows` of a table. `background` are the rows that a linear model's terms have their means over,
    /// usually some of those it was fitted on.
    ///
    /// # Errors
    /// When the tree ensemble refuses a row.
    pub fn contributions(
        &self,
        table: &FeatureTable,
        rows: &[u32],
        background: &[u32],
    ) -> Result<Vec<Contributions>, PredictError> {
        let of = |rows: &[u32]| rows.iter().map(|row| table.values(*row as usize)).collect::<Vec<_>>();
        self.contributions_to(&of(rows), &of(background))
    }

    /// The same for rows of feature values; none for a model that was fitted elsewhere, of which only answers are known. Without a
    /// background a linear model's terms contribute all that they are away from nothing.
    ///
    /// # Errors
    /// When the tree ensemble refuses a row.
    pub fn contributions_to(
        &self,
        rows: &[Vec<FeatureValue<'_>>],
        background: &[Vec<FeatureValue<'_>>],
    ) -> Result<Vec<Contributions>, PredictError> {
        let mut found = match &self.estimator {
            Estimator::Linear(linear) => self.of_terms(linear, rows, background),
            Estimator::Trees(trees) | Estimator::Forest(trees) => self.of_trees(trees, rows)?,
            Estimator::Onnx(_) => Vec::new(),
        };
        // A number that was moved is moved whatever the features are; probabilities are told apart from what they were made of.
        if let Some(Calibration::Conformal { shift }) = self.calibration() {
            found.iter_mut().for_each(|own| own.base += shift);
        }
        Ok(found)
    }

    fn of_trees(
        &self,
        trees: &BoostedModel,
        rows: &[Vec<FeatureValue<'_>>],
    ) -> Result<Vec<Contributions>, PredictError> {
        let failed = |error: hessboost::error::HessboostError| PredictError::Trees(error.to_string());
        let count = rows.len();
        let encoded = rows.iter().flat_map(|row| self.encoders.for_trees(row)).collect();
        let matrix = tree_matrix(&self.encoders, count, encoded).map_err(failed)?;
        let found = trees.predict_contribs(&matrix, Iterations::Best).map_err(failed)?;
        let row = |place: usize| {
            let outputs: Vec<&[f32]> = (0..trees.n_outputs()).filter_map(|output| found.get(place, output)).collect();
            let sums: Vec<f64> = outputs.iter().map(|own| own.iter().copied().map(f64::from).sum()).collect();
            let own = outputs[most_probable(&sums) as usize];
            let (mut first, mut of_features) = (0, Vec::with_capacity(self.encoders.features().len()));
            for encoder in self.encoders.features() {
                let end = first + encoder.columns();
                of_features.push(own[first..end].iter().copied().map(f64::from).sum());
                first = end;
            }
            Contributions { base: f64::from(own[first]), of_features }
        };
        Ok((0..count).map(row).collect())
    }

    fn of_terms(
        &self,
        linear: &LinearEstimator,
        rows: &[Vec<FeatureValue<'_>>],
        background: &[Vec<FeatureValue<'_>>],
    ) -> Vec<Contributions> {
        let features = self.encoders.features();
        let owners: Vec<usize> =
            (0..features.len()).flat_map(|feature| std::iter::repeat_n(feature, features[feature].terms())).collect();
        let mut means = vec![0.0; owners.len()];
        for row in background {
            self.encoders.for_linear(row, |term, size| means[term] += size);
        }
        means.iter_mut().for_each(|mean| *mean /= background.len().max(1) as f64);
        let row = |row: &Vec<FeatureValue<'_>>| {
            let mut terms = vec![0.0; owners.len()];
            self.encoders.for_linear(row, |term, size| terms[term] += size);
            let of_output = |output: &super::LinearOutput| {
                let mut of_features = vec![0.0; features.len()];
                let mut base = output.intercept;
                for (term, owner) in owners.iter().enumerate() {
                    of_features[*owner] += output.weights[term] * (terms[term] - means[term]);
                    base += output.weights[term] * means[term];
                }
                Contributions { base, of_features }
            };
            let outputs: Vec<Contributions> = linear.outputs.iter().map(of_output).collect();
            let sums: Vec<f64> = outputs.iter().map(|own| own.base + own.of_features.iter().sum::<f64>()).collect();
            outputs.into_iter().nth(most_probable(&sums) as usize)
        };
        rows.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::TargetKind;
    use millrace_domain::problem::ProblemDocument;
    use serde_json::json;

    use super::*;
    use crate::ColumnData;
    use crate::features::FeaturePlan;
    use crate::fixture::{Prepared, prepared};
    use crate::join::TableColumns;
    use crate::model::Prediction;
    use crate::split::Part;
    use crate::train::{Trainer, TrainerConfig, train};

    fn fitted(kind: TargetKind, trainer: Trainer) -> (Prepared, Predictor) {
        let prepared = prepared(kind, 300);
        let settings = if trainer == Trainer::GradientBoosting { json!({"rounds": 20}) } else { json!({}) };
        let config = TrainerConfig::read(trainer, &settings).unwrap();
        let predictor = prepared.fit(&config).unwrap().predictor;
        (prepared, predictor)
    }

    /// What the estimator calculated before its link, as far as an answer tells: of several classes the difference to the last one is
    /// all that is told, so those are left out.
    fn before_link(predictor: &Predictor, prediction: &Prediction) -> f64 {
        match (prediction, predictor.contribution_unit()) {
            (Prediction::Binary { score, .. }, ContributionUnit::LogOdds) => (score / (1.0 - score)).ln(),
            (Prediction::Binary { score, .. }, ContributionUnit::Answer) => *score,
            (Prediction::Regression { value }, _) => *value,
            (Prediction::Multiclass { probabilities, .. }, _) => probabilities[most_probable(probabilities) as usize],
        }
    }

    #[test]
    fn contributions_and_the_base_add_up_to_the_answer() {
        for kind in [TargetKind::Binary, TargetKind::Regression] {
            for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(kind)) {
                let (prepared, predictor) = fitted(kind, trainer);
                let rows = prepared.split.rows(Part::Test);
                let background = prepared.split.rows(Part::Train);
                let found = predictor.contributions(&prepared.table, rows, background).unwrap();
                let answers = predictor.predict_table(&prepared.table, rows).unwrap();
                assert_eq!(found.len(), rows.len());
                for (own, answer) in found.iter().zip(&answers) {
                    let sum = own.base + own.of_features.iter().sum::<f64>();
                    let expected = before_link(&predictor, answer);
                    assert!((sum - expected).abs() < 1e-4 * expected.abs().max(1.0), "{trainer}: {sum}, {expected}");
                }
            }
        }
    }

    #[test]
    fn of_several_classes_it_is_the_one_answered_with() {
        let (prepared, predictor) = fitted(TargetKind::Multiclass, Trainer::RandomForest);
        let rows = prepared.split.rows(Part::Test);
        let found = predictor.contributions(&prepared.table, rows, &[]).unwrap();
        for (own, answer) in found.iter().zip(predictor.predict_table(&prepared.table, rows).unwrap()) {
            let sum = own.base + own.of_features.iter().sum::<f64>();
            assert!((sum - before_link(&predictor, &answer)).abs() < 1e-4);
        }
    }

    /// On rows that have every pair of values once, paths weigh rows as features that vary by themselves do, and a Shapley
    /// value of two features is half of what each adds alone and half of what it adds to the other.
    #[test]
    fn of_two_features_that_vary_by_themselves_a_tree_gives_the_shapley_values() {
        let (mut a, mut b, mut number) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..144_u32 {
            let (one, other) = (f64::from(pair % 12), f64::from(pair / 12));
            a.push(Some(one));
            b.push(Some(other));
            number.push(Some(if one > 4.0 && other > 6.0 { 10.0 } else { one * 0.3 }));
        }
        // Once more at the end, since a split leaves no part empty.
        let dataset = crate::Dataset::from_parts([
            ("a", ColumnData::Number(a)),
            ("b", ColumnData::Number(b)),
            ("number", ColumnData::Number(number)),
        ])
        .unwrap()
        .take(&(0..144).chain([0]).collect::<Vec<u32>>());
        let document = "slug = \"grid\"\ntitle = \"G\"\ndecision = \"None\"\n[target]\nname = \"t\"\nkind = \"regression\"\n\
            column = \"number\"\n[data]\n[[features]]\nname = \"a\"\n[[features]]\nname = \"b\"\n[success]\nmetric = \"rmse\"\n\
            at_most = 9";
        let document = ProblemDocument::parse(document).unwrap();
        let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).unwrap();
        let (table, labels) = (plan.table(&dataset).unwrap(), plan.labels(&dataset).unwrap());
        let rule = millrace_domain::problem::Split::Time { validation: 0.0, test: 1.0 / 145.0 };
        let split = crate::split::Split::new(&rule, &dataset, None, &labels).unwrap();
        let settings = json!({"max_depth": 4, "min_leaf_rows": 1, "smoothing": 0.0});
        let config = TrainerConfig::read(Trainer::DecisionTree, &settings).unwrap();
        let predictor = train(&table, &labels, &split, TargetKind::Regression, &config, 0, &()).unwrap().predictor;
        let answer = |one: f64, other: f64| {
            let Prediction::Regression { value } =
                predictor.predict(&[FeatureValue::Number(one), FeatureValue::Number(other)]).unwrap()
            else {
                panic!("a number");
            };
            value
        };
        let values = || (0..12).map(f64::from);
        let mean = |of: &dyn Fn(f64) -> f64| values().map(of).sum::<f64>() / 12.0;
        let nothing = mean(&|one| mean(&|other| answer(one, other)));
        let rows: Vec<u32> = (0..144).collect();
        let found = predictor.contributions(&table, &rows, &[]).unwrap();
        for (pair, own) in found.iter().enumerate() {
            let (one, other) = ((pair % 12) as f64, (pair / 12) as f64);
            let (of_one, of_other) = (mean(&|b| answer(one, b)), mean(&|a| answer(a, other)));
            let both = answer(one, other);
            let expected = [(of_one - nothing + both - of_other) / 2.0, (of_other - nothing + both - of_one) / 2.0];
            for (found, expected) in own.of_features.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found} is not {expected} at {one}, {other}");
            }
        }
    }
}
