//! Every trainer at its defaults.

use millrace_domain::metric::{Direction, Metric};
use millrace_domain::trainer::{Trainer, TrainerConfig};
use millrace_ml::evaluate::{Evaluation, evaluate};
use millrace_ml::model::outcomes;
use millrace_ml::split::Part;
use millrace_ml::train::{baseline, train};
use serde_json::json;

use crate::sets::{Ready, Set, ready, sets};

struct Reached {
    rows: (usize, usize),
    /// The metric of each trainer.
    values: Vec<(Trainer, f64)>,
    floor: f64,
}

fn measured(set: &Set) -> Option<Reached> {
    let Ready { kind, table, labels, split } = ready(set)?;
    let test = split.rows(Part::Test);
    let values = Trainer::of(kind).map(|trainer| {
        // Without a validation part boosting does not know where to stop: a hundred rounds, as HGB's.
        let is_fixed = trainer == Trainer::GradientBoosting && split.rows(Part::Validation).is_empty();
        let settings = if is_fixed { json!({ "rounds": 100 }) } else { json!({}) };
        let config = TrainerConfig::read(trainer, &settings).unwrap();
        let fitted = train(&table, &labels, &split, kind, &config, 0, &()).unwrap();
        let predictions = fitted.predictor.predict_table(&table, test).unwrap();
        let Evaluation { metrics, .. } = evaluate(Part::Test, &outcomes(&labels, test, &predictions).unwrap(), 0);
        (trainer, metrics[&set.metric])
    });
    let values = values.collect();
    let floor = baseline(&labels, &split, Part::Test).unwrap().metric(set.metric).unwrap();
    let rows = (split.rows(Part::Train).len() + split.rows(Part::Validation).len(), test.len());
    Some(Reached { rows, values, floor })
}

/// Whether a value is as good as theirs, or near: 0.01 of an area, 3 % of an error.
fn is_near(set: &Set, value: f64) -> bool {
    match set.metric.direction() {
        Direction::Up => value >= set.theirs.0 - 0.01,
        Direction::Down => value <= set.theirs.0 * 1.03,
    }
}

/// Prints their table.
pub fn table() {
    let trainers = [
        ("boosting", &[Trainer::GradientBoosting][..]),
        ("forest", &[Trainer::RandomForest]),
        ("tree", &[Trainer::DecisionTree]),
        ("logistic or elastic net", &[Trainer::Logistic, Trainer::ElasticNet]),
    ];
    println!(
        "| set, and how it is split (train + validation / test) | metric | HGB | LR or ridge | {} | constant |",
        trainers.map(|(name, _)| name).join(" | ")
    );
    println!("|---|---|---|---|{}---|", "---|".repeat(trainers.len()));
    let (mut found, mut far) = (0, Vec::new());
    for set in sets() {
        let Some(reached) = measured(&set) else { continue };
        found += 1;
        let digits = if set.metric == Metric::RocAuc { 3 } else { 2 };
        let shown = |value: f64| if value > 10.0 { format!("{value:.1}") } else { format!("{value:.digits$}") };
        let of =
            |of: &[Trainer]| reached.values.iter().find(|(trainer, _)| of.contains(trainer)).map(|(_, value)| *value);
        let ours: Vec<String> = trainers.iter().map(|(_, own)| of(own).map_or_else(String::new, shown)).collect();
        println!(
            "| {}: {}; here {} / {} | {} | {} | {} | {} | {} |",
            set.name,
            set.protocol,
            reached.rows.0,
            reached.rows.1,
            set.metric.title(),
            shown(set.theirs.0),
            set.theirs.1.map_or_else(String::new, shown),
            ours.join(" | "),
            shown(reached.floor),
        );
        if !of(&[Trainer::GradientBoosting]).is_some_and(|value| is_near(&set, value)) {
            far.push(set.name);
        }
    }
    assert!(found > 0, "no set was found in MILLRACE_TESTDATA");
    assert!(far.is_empty(), "boosting is not within 0.01 of the area or 3 % of the error of HGB on {far:?}");
}
