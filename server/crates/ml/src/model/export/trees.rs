//! Trees in a graph, by `TreeEnsembleRegressor`.
//!
//! The library of trees compares and adds up in single precision, and so does the graph: thresholds and leaves are what they are, and the
//! values of the leaves that a row comes to are added one after the other, from the first tree to the last. An operator adds them up
//! in the order it likes, and for one row in another order than for many; here it only finds the leaves, each tree having an output of
//! its own, and a running sum adds. So a margin has the bits that it has in this crate, alone and among others.
//!
//! Every question is of one kind, whether a number is less than another (`BRANCH_LT`). A split by a set of categories asks where the code
//! lies among those at which the set begins and ends, one after the other; all answers that mean the same lead to the same node.
//! (Comparisons with each category would say so more plainly. Versions of onnxruntime that put such chains together again, as 1.22 does,
//! take minutes to read a file that has many.)

use std::collections::BTreeSet;
use std::ops::Range;

use hessboost::model::BoostedModel;
use hessboost::tree::RegTree;

use super::NotExportable;
use super::encoding::Features;
use super::graph::{Attribute, Element, Elements, Graph, Tensor};

/// Leaves that are found by one operator: what a row takes in memory on the way, in single-precision numbers.
const LEAVES: usize = 256;

/// The sums of an ensemble, before its link: `[rows, outputs]`, single precision.
///
/// # Errors
/// For ensembles that imported files may hold, and no trainer here makes.
pub(super) fn margins(
    graph: &mut Graph,
    trees: &BoostedModel,
    features: Features<'_>,
) -> Result<Tensor, NotExportable> {
    if trees.trees().iter().any(|tree| tree.linear_leaves().is_some()) {
        return Err(NotExportable::Trees("hold linear models in their leaves"));
    }
    if trees.shrinkage().is_some() {
        return Err(NotExportable::Trees("were fitted with shrinkage of the sum between trees"));
    }
    let columns = features.columns(graph);
    let outputs = trees.n_outputs();
    let base = graph.constant(&[1, 1, outputs], Elements::Singles(trees.base_scores().to_vec()));
    let mut sum = graph.for_each_row(&base, &[1, outputs]);
    let together = (LEAVES / outputs).max(1);
    for some in steps(trees).chunk_by(|(step, _), (next, _)| step / together == next / together) {
        let (first, last) = (some[0].0, some[some.len() - 1].0);
        let mut ensemble = Ensemble::default();
        for (step, tree) in some {
            ensemble.push((step - first) * outputs, tree, &columns.places);
        }
        let count = last + 1 - first;
        let leaves = ensemble.operator(graph, &columns.matrix, count * outputs);
        // 0 leaves an axis as long as it is.
        let shape = graph.wholes(vec![0, count as i64, outputs as i64]);
        let leaves = graph.op("Reshape", &[&leaves, &shape]);
        let terms = graph.concat(&[sum, leaves], 1);
        sum = graph.sum_in_order(&terms);
    }
    Ok(graph.squeeze(&sum, 1))
}

/// One tree and what it adds to.
struct Tree<'a> {
    tree: &'a RegTree,
    weight: f32,
    outputs: Range<usize>,
}

/// The trees that answer, each with its place among those that add to the same output, and in that order.
fn steps(trees: &BoostedModel) -> Vec<(usize, Tree<'_>)> {
    let kept = trees.best_iteration().map_or(trees.num_trees(), |best| (best + 1) * trees.trees_per_iteration());
    let mut added = vec![0; trees.n_outputs()];
    let all = trees.trees().iter().zip(trees.tree_weights()).zip(trees.tree_outputs()).take(kept);
    let step = |((tree, weight), outputs): ((_, _), Range<usize>)| {
        let step = added[outputs.start];
        added[outputs.clone()].iter_mut().for_each(|added| *added += 1);
        (step, Tree { tree, weight, outputs })
    };
    let mut steps: Vec<_> = all.map(step).collect();
    steps.sort_by_key(|(step, _)| *step);
    steps
}

/// The attributes of a `TreeEnsembleRegressor`, node by node and leaf by leaf.
#[derive(Default)]
struct Ensemble {
    trees: i64,
    tree: Vec<i64>,
    node: Vec<i64>,
    feature: Vec<i64>,
    mode: Vec<String>,
    value: Vec<f32>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing_is_yes: Vec<i64>,
    leaf_tree: Vec<i64>,
    leaf_node: Vec<i64>,
    target: Vec<i64>,
    weight: Vec<f32>,
}

/// A node that asks whether a number is less than another.
const LESS: &str = "BRANCH_LT";
/// A node that asks nothing.
const LEAF: &str = "LEAF";

/// What one node asks.
struct Question {
    feature: i64,
    mode: &'static str,
    value: f32,
    yes: i64,
    no: i64,
    missing_is_yes: bool,
}

impl Ensemble {
    /// Adds a tree whose outputs are `first` and those after it. Its root comes first, as it has to.
    fn push(&mut self, first: usize, Tree { tree, weight, outputs }: &Tree<'_>, places: &[usize]) {
        let mut next = tree.num_nodes() as i64;
        for (id, node) in tree.nodes().iter().enumerate() {
            let own = id as i64;
            if node.is_leaf() {
                let leaf = Question { feature: 0, mode: LEAF, value: 0.0, yes: 0, no: 0, missing_is_yes: false };
                self.node(own, &leaf);
                for (output, leaf) in outputs.clone().zip(tree.leaf_vector(id)) {
                    self.leaf_tree.push(self.trees);
                    self.leaf_node.push(own);
                    self.target.push((first + output) as i64);
                    self.weight.push(weight * leaf);
                }
                continue;
            }
            let feature = places[node.split_feature as usize] as i64;
            let questions = match tree.split_categories(id) {
                [] => vec![(node.split_cond, true)],
                categories => bounds(categories),
            };
            let last = questions.len() - 1;
            for (place, (value, less_is_left)) in questions.into_iter().enumerate() {
                let this = if place == 0 { own } else { next - 1 };
                let (yes, other) = if less_is_left { (node.left, node.right) } else { (node.right, node.left) };
                let no = if place < last { next } else { i64::from(other) };
                next += i64::from(place < last);
                // Of two questions that follow each other one leads where missing values go, and the last one leads to both sides.
                let missing_is_yes = node.default_left == less_is_left;
                self.node(this, &Question { feature, mode: LESS, value, yes: i64::from(yes), no, missing_is_yes });
            }
        }
        self.trees += 1;
    }

    fn node(&mut self, id: i64, asked: &Question) {
        self.tree.push(self.trees);
        self.node.push(id);
        self.feature.push(asked.feature);
        self.mode.push(asked.mode.to_owned());
        self.value.push(asked.value);
        self.yes.push(asked.yes);
        self.no.push(asked.no);
        self.missing_is_yes.push(i64::from(asked.missing_is_yes));
    }

    /// The operator: `[rows, columns]` to `[rows, targets]`, single precision.
    fn operator(self, graph: &mut Graph, matrix: &Tensor, targets: usize) -> Tensor {
        graph.ml(
            "TreeEnsembleRegressor",
            matrix,
            [
                ("n_targets", Attribute::Whole(targets as i64)),
                ("aggregate_function", Attribute::Word("SUM")),
                ("post_transform", Attribute::Word("NONE")),
                ("nodes_treeids", Attribute::Wholes(self.tree)),
                ("nodes_nodeids", Attribute::Wholes(self.node)),
                ("nodes_featureids", Attribute::Wholes(self.feature)),
                ("nodes_modes", Attribute::Texts(self.mode)),
                ("nodes_values", Attribute::Singles(self.value)),
                ("nodes_truenodeids", Attribute::Wholes(self.yes)),
                ("nodes_falsenodeids", Attribute::Wholes(self.no)),
                ("nodes_missing_value_tracks_true", Attribute::Wholes(self.missing_is_yes)),
                ("target_treeids", Attribute::Wholes(self.leaf_tree)),
                ("target_nodeids", Attribute::Wholes(self.leaf_node)),
                ("target_ids", Attribute::Wholes(self.target)),
                ("target_weights", Attribute::Singles(self.weight)),
            ],
        )
    }
}

/// The codes at which a set of categories begins and ends, rising, each with whether what is less and not below the one before is in the set.
/// Codes are whole numbers from 0.
fn bounds(categories: &[u32]) -> Vec<(f32, bool)> {
    let set: BTreeSet<u32> = categories.iter().copied().collect();
    let begins = set.iter().filter(|code| **code > 0 && !set.contains(&(**code - 1))).map(|code| (*code, false));
    let ends =
        set.iter().filter(|code| !set.contains(&code.saturating_add(1))).map(|code| (code.saturating_add(1), true));
    let mut bounds: Vec<(u32, bool)> = begins.chain(ends).collect();
    bounds.sort_unstable();
    bounds.into_iter().map(|(code, is_in)| (code as f32, is_in)).collect()
}

/// What the library of trees makes of the margin of two classes, in single precision as it does: `1 / (e⁻ᵐ + 1)`.
pub(super) fn sigmoid(graph: &mut Graph, margins: &Tensor) -> Tensor {
    let negative = graph.op("Neg", &[margins]);
    let most = graph.single(88.7);
    let bounded = graph.op("Min", &[&negative, &most]);
    let power = exp(graph, &bounded);
    let one = graph.single(1.0);
    let sum = graph.op("Add", &[&power, &one]);
    graph.op("Div", &[&one, &sum])
}

/// What it makes of the margins of several classes: shares of e to the power of each, whose total is added up in doubles.
pub(super) fn softmax(graph: &mut Graph, margins: &Tensor) -> Tensor {
    let largest = graph.largest(margins);
    let less = graph.op("Sub", &[margins, &largest]);
    let powers = exp(graph, &less);
    let doubles = graph.cast(&powers, Element::Double);
    let total = graph.sum(&doubles);
    let total = graph.cast(&total, Element::Single);
    graph.op("Div", &[&powers, &total])
}

/// e to the power of single-precision numbers, rounded once: approximations of it in single precision differ between runtimes.
fn exp(graph: &mut Graph, of: &Tensor) -> Tensor {
    let of = graph.cast(of, Element::Double);
    let power = graph.op("Exp", &[&of]);
    graph.cast(&power, Element::Single)
}
