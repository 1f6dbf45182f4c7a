//! Random forests and single trees, by hessboost.
//!
//! A forest is the mean of its trees, each grown on a draw of the rows, with a draw of the features at each split
//! (Breiman 2001, "Random Forests"; rows are drawn without replacement). Trees are grown on the squared error, of classes on
//! that of their 0/1 indicators: a leaf then answers with the share of each class among its rows, and a split gains what it
//! takes from the Gini impurity, since the squared error of 0/1 numbers around their mean *is* their Gini impurity (half of it,
//! for two classes). The shares are smoothed towards those of the whole training part (the m-estimate of Cestnik 1990), so that no
//! leaf is certain (unless smoothing is 0), and averaged: which is what a probability is wanted for, and votes are not.

use std::sync::atomic::{AtomicU64, Ordering};

use hessboost::config::{GrowPolicy, MultiStrategy, TrainingParams, TreeMethod};
use hessboost::data::BinnedMatrix;
use hessboost::model::BoostedModel;
use hessboost::objective::{Objective, RegLoss};
use millrace_domain::metric::TargetKind;
use millrace_domain::trainer::Trainer;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Fit, FitReport, Task, TrainError};
use crate::model::Estimator;
use crate::split::Part;

/// Most bins of a number's values; a split lies between two.
const BINS: usize = 256;

/// Fits a forest, or one tree, on the training part. Trees are grown side by side, each from a seed of its own.
pub(super) fn fit(task: &Task<'_>) -> Result<Fit, TrainError> {
    let (labels, targets) = labels(task);
    let training = task
        .matrix(Part::Train)
        .and_then(|features| match task.weights(Part::Train) {
            Some(weights) => features.with_weights(&weights),
            None => Ok(features),
        })
        .and_then(|features| BinnedMatrix::new(&features, BINS)?.with_label_matrix(&labels, targets))
        .map_err(|error| task.failed(error))?;
    let trees = match task.config.trainer() {
        Trainer::RandomForest => task.config.whole("trees"),
        _ => 1,
    };
    let grown = AtomicU64::new(0);
    let grow = |tree: u64| {
        if task.progress.is_cancelled() {
            return Err(TrainError::Cancelled);
        }
        let params = params(task, tree).map_err(|error| task.failed(error))?;
        let grown_tree = hessboost::training::train(&params, &training, 1).map_err(|error| task.failed(error));
        task.progress.report(grown.fetch_add(1, Ordering::Relaxed) + 1, trees, None);
        grown_tree
    };
    let grown: Vec<BoostedModel> = (0..trees).into_par_iter().map(grow).collect::<Result<_, _>>()?;
    let forest = BoostedModel::average(&grown).map_err(|error| task.failed(error))?;
    let report = FitReport { iterations: trees, ..FitReport::default() };
    Ok((Estimator::Forest(Box::new(forest)), report))
}

/// Forests of neighbouring seeds share no tree.
fn seed_of(seed: u64, tree: u64) -> u64 {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(tree);
    generator.random()
}

/// How tree number `tree` is grown.
fn params(task: &Task<'_>, tree: u64) -> hessboost::error::Result<TrainingParams> {
    let config = task.config;
    let all = TrainingParams::builder()
        .objective(Objective::SquaredError(RegLoss::default()))
        .multi_strategy(MultiStrategy::MultiOutputTree)
        .tree_method(TreeMethod::Hist)
        .max_bin(BINS)
        .seed(seed_of(task.seed, tree))
        // A leaf answers with the mean of its rows and of so many that are like all.
        .eta(1.0)
        .lambda(config.number("smoothing"))
        .max_depth(config.whole("max_depth") as usize)
        .min_child_weight(config.number("min_leaf_rows"));
    if config.trainer() == Trainer::RandomForest {
        all.grow_policy(GrowPolicy::DepthWise)
            .subsample(config.number("subsample"))
            .colsample_bynode(config.number("max_features"))
            .build()
    } else {
        all.grow_policy(GrowPolicy::LossGuide).max_leaves(config.whole("max_leaves") as usize).build()
    }
}

/// The numbers that trees are grown on, row by row, and how many a row has: of two classes the indicator of the second, of more
/// an indicator each.
fn labels(task: &Task<'_>) -> (Vec<f32>, usize) {
    match task.kind {
        TargetKind::Regression => (task.numbers(Part::Train).into_iter().map(|number| number as f32).collect(), 1),
        TargetKind::Binary => (task.classes(Part::Train).into_iter().map(|class| class as f32).collect(), 1),
        TargetKind::Multiclass => {
            let classes = task.labels.classes().map_or(0, <[String]>::len);
            let indicators = task
                .classes(Part::Train)
                .into_iter()
                .flat_map(|own| (0..classes).map(move |class| if class == own as usize { 1.0 } else { 0.0 }));
            (indicators.collect(), classes)
        }
    }
}
