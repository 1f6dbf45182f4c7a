//! Reference values: scikit-learn 1.9.1 on the 60 rows of [`reference`], with numbers standardised by `StandardScaler`.
//! scikit-learn iterated to 1e-12; ours stop at a gradient of 1e-9, which the curvature of these problems (above 1e-2)
//! turns into errors of at most 1e-6 in the coefficients.

use std::sync::atomic::{AtomicU64, Ordering};

use millrace_domain::Digest;
use millrace_domain::metric::Metric;
use millrace_domain::problem::{ProblemDocument, Split as Rule};
use serde_json::json;

use super::*;
use crate::evaluate::Outcomes;
use crate::features::FeaturePlan;
use crate::fixture::{Prepared, prepared};
use crate::join::TableColumns;
use crate::model::{Coefficients, Lineage, Model, Prediction, outcomes};
use crate::{ColumnData, Dataset};

const TOLERANCE: f64 = 1e-6;
const KINDS: [TargetKind; 3] = [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression];

/// Two integer-made features and the three targets of the reference script.
fn reference(kind: TargetKind) -> (FeaturePlan, Dataset) {
    let (mut a, mut b, mut two, mut three, mut number) = (vec![], vec![], vec![], vec![], vec![]);
    for i in 0..60_u32 {
        let (x, y) = (f64::from(i * 37 % 101) / 10.0, f64::from(i * 53 % 89) / 5.0 - 8.0);
        let noise = f64::from(i * 71 % 97) / 97.0 - 0.5;
        let sum = 0.6 * x - 0.35 * y + 6.0 * noise;
        a.push(Some(x));
        b.push(Some(y));
        two.push(Some(sum > 3.0));
        three.push(Some(if sum < 2.0 {
            0
        } else if sum < 4.5 {
            1
        } else {
            2
        }));
        number.push(Some(((3.0 * x - 2.0 * y + 10.0 * noise) * 1e6).round() / 1e6));
    }
    // One more row, which is the test part: a split leaves no part empty.
    let dataset = Dataset::from_parts([
        ("a", ColumnData::Number(a)),
        ("b", ColumnData::Number(b)),
        ("two", ColumnData::Boolean(two)),
        ("three", ColumnData::Integer(three)),
        ("number", ColumnData::Number(number)),
    ])
    .unwrap();
    let dataset = dataset.take(&(0..60).chain([0]).collect::<Vec<u32>>());
    let (column, metric) = match kind {
        TargetKind::Binary => ("two", "metric = \"accuracy\"\nat_least = 0.1"),
        TargetKind::Multiclass => ("three", "metric = \"accuracy\"\nat_least = 0.1"),
        TargetKind::Regression => ("number", "metric = \"rmse\"\nat_most = 9"),
    };
    let text = format!(
        "slug = \"ref\"\ntitle = \"R\"\ndecision = \"None\"\n[target]\nname = \"t\"\nkind = \"{}\"\ncolumn = \"{column}\"\n\
         [data]\n[[features]]\nname = \"a\"\n[[features]]\nname = \"b\"\n[success]\n{metric}\n[serving]\np99_ms = 9\n\
         throughput_rps = 9",
        kind.as_str()
    );
    let plan =
        FeaturePlan::compile(&ProblemDocument::parse(&text).unwrap(), dataset.schema(), &TableColumns::new()).unwrap();
    (plan, dataset)
}

fn reference_model(kind: TargetKind, trainer: Trainer, settings: serde_json::Value) -> (Model, Dataset) {
    let (plan, dataset) = reference(kind);
    let labels = plan.labels(&dataset).unwrap();
    let rule = Rule::Time { validation: 0.0, test: 1.0 / 61.0 };
    let split = Split::new(&rule, &dataset, None, &labels).unwrap();
    let config = TrainerConfig::read(trainer, &settings).unwrap();
    let fitted = train(&plan.table(&dataset).unwrap(), &labels, &split, kind, &config, 0, &()).unwrap();
    let digest = Digest::of("");
    let lineage = Lineage {
        dataset: digest,
        tables: Default::default(),
        problem: digest,
        features: digest,
        trainer: config,
        seed: 0,
    };
    (Model::new(&plan, fitted, lineage), dataset)
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= TOLERANCE, "{found} is not {expected}");
}

#[track_caller]
fn check(model: &Model, weights: [f64; 2], intercept: f64) {
    let equations = model.coefficients().unwrap();
    let [Coefficients { terms, intercept: found, .. }] = equations.as_slice() else { panic!("one equation") };
    close(terms[0].1, weights[0]);
    close(terms[1].1, weights[1]);
    close(*found, intercept);
}

#[test]
fn logistic_regression_agrees_with_scikit_learn() {
    let model = |alpha: f64| {
        reference_model(TargetKind::Binary, Trainer::Logistic, json!({"alpha": alpha, "tolerance": 1e-9})).0
    };
    check(&model(0.0), [0.8309056786914337, -0.344247336130069], -3.660420124392735);
    check(&model(2.0), [0.501966335855815, -0.19418269934080554], -2.2109179735011297);
}

#[test]
fn multinomial_regression_agrees_with_scikit_learn() {
    let settings = json!({"alpha": 0.5, "tolerance": 1e-9});
    let (model, dataset) = reference_model(TargetKind::Multiclass, Trainer::Logistic, settings);
    let expected = [
        (0, [0.6965285349655563, 0.26843506404068634, 0.03503640099375723]),
        (7, [0.03302992862783743, 0.3725211944852429, 0.5944488768869197]),
        (33, [0.93583627252135, 0.06327170910748185, 0.000892018371168034]),
    ];
    let predictions = model.predict(&dataset).unwrap();
    for (row, expected) in expected {
        let Prediction::Multiclass { probabilities, .. } = &predictions[row] else { panic!() };
        probabilities.iter().zip(expected).for_each(|(found, expected)| close(*found, expected));
    }
}

#[test]
fn elastic_net_lasso_and_ridge_agree_with_scikit_learn() {
    let model = |alpha: f64, l1_ratio: f64| {
        let settings = json!({"alpha": alpha, "l1_ratio": l1_ratio, "tolerance": 1e-9});
        reference_model(TargetKind::Regression, Trainer::ElasticNet, settings).0
    };
    check(&model(0.05, 0.5), [3.2877874917896683, -1.8228269528340564], -1.659010729923395);
    check(&model(0.2, 0.0), [2.905768154835904, -1.6115195305584142], 0.039627574547573374);
    check(&model(0.1, 1.0), [2.9931531670636544, -1.6574244974195298], -0.3511473412670192);
}

#[test]
fn every_trainer_beats_the_baseline_on_every_kind_it_fits() {
    for kind in KINDS {
        let prepared = prepared(kind, 600);
        let metric = if kind == TargetKind::Regression { Metric::Rmse } else { Metric::LogLoss };
        let guess = baseline(&prepared.labels, &prepared.split, Part::Test).unwrap().metric(metric).unwrap();
        for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(kind)) {
            let fitted = prepared.fit(&TrainerConfig::default_of(trainer)).unwrap();
            let rows = prepared.split.rows(Part::Test);
            let predictions = fitted.predictor.predict_table(&prepared.table, rows).unwrap();
            let found = outcomes(&prepared.labels, rows, &predictions).unwrap().metric(metric).unwrap();
            assert!(found < 0.9 * guess, "{trainer:?} {kind:?}: {found} beside {guess}");
        }
    }
}

#[test]
fn boosting_answers_with_the_quantile_that_is_asked_for_and_nothing_else_fits_one() {
    let mut prepared = prepared(TargetKind::Regression, 3_000);
    let config = TrainerConfig::default_of(Trainer::GradientBoosting);
    let rows = prepared.split.rows(Part::Test).to_vec();
    let mut answers = Vec::new();
    for quantile in [0.1, 0.5, 0.9] {
        prepared.labels = prepared.labels.clone().with_quantile(Some(quantile));
        let fitted = prepared.fit(&config).unwrap();
        let predictions = fitted.predictor.predict_table(&prepared.table, &rows).unwrap();
        let found = outcomes(&prepared.labels, &rows, &predictions).unwrap();
        let floor = baseline(&prepared.labels, &prepared.split, Part::Test).unwrap();
        let of = |outcomes: &Outcomes, metric| outcomes.metric(metric).unwrap();
        assert!(of(&found, Metric::Pinball) < 0.6 * of(&floor, Metric::Pinball), "{quantile}");
        // Of 600 rows a share varies by 0.02, and trees lean to the rows that they were fitted on.
        assert!(of(&found, Metric::CoverageError) < 0.15, "{quantile}: {:?}", found.metric(Metric::CoverageError));
        let value = |prediction: &Prediction| match prediction {
            Prediction::Regression { value } => *value,
            _ => f64::NAN,
        };
        answers.push(predictions.iter().map(value).sum::<f64>());
    }
    assert!(answers[0] < answers[1] && answers[1] < answers[2], "{answers:?}");
    let refused = prepared.fit(&TrainerConfig::default_of(Trainer::ElasticNet)).unwrap_err().to_string();
    assert_eq!(refused, "elastic_net does not fit a quantile target; use gradient_boosting");
}

#[test]
fn a_quantile_that_was_moved_by_the_validation_part_lies_where_it_is_said_to() {
    let mut prepared = prepared(TargetKind::Regression, 3_000);
    let config = TrainerConfig::default_of(Trainer::GradientBoosting);
    let rows = prepared.split.rows(Part::Test).to_vec();
    for quantile in [0.1, 0.5, 0.9] {
        prepared.labels = prepared.labels.clone().with_quantile(Some(quantile));
        let fitted = prepared.fit(&config).unwrap();
        let error = |fitted: &Fitted| {
            let predictions = fitted.predictor.predict_table(&prepared.table, &rows).unwrap();
            outcomes(&prepared.labels, &rows, &predictions).unwrap().metric(Metric::CoverageError).unwrap()
        };
        let (labels, split) = (&prepared.labels, &prepared.split);
        let moved = fitted.clone().calibrated(CalibrationMethod::Conformal, &prepared.table, labels, split).unwrap();
        // The shares of two parts of 450 and 600 rows are by chance at most 0.06 apart in 19 of 20.
        assert!(error(&moved) < 0.06, "{quantile}: {} {}", error(&fitted), error(&moved));
        let contributions = moved.predictor.contributions(&prepared.table, &rows[..20], &[]).unwrap();
        for (own, row) in contributions.iter().zip(&rows) {
            let answer = moved.predictor.predict(&prepared.table.values(*row as usize)).unwrap();
            let sum = own.base + own.of_features.iter().sum::<f64>();
            assert!((sum - answer.number().unwrap()).abs() < 1e-3, "{sum} {answer:?}");
        }
    }
    let few = Calibration::shift(0.9, vec![0.5; 8]);
    assert_eq!((few, Calibration::shift(0.9, vec![0.5; 9])), (None, Some(Calibration::Conformal { shift: 0.5 })));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let boosting = json!({"subsample": 0.7, "colsample": 0.6});
    for (trainer, settings) in [(Trainer::GradientBoosting, boosting), (Trainer::RandomForest, json!({"trees": 20}))] {
        let config = TrainerConfig::read(trainer, &settings).unwrap();
        let bytes = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| prepared(TargetKind::Binary, 500).model(&config).to_bytes())
        };
        assert!(bytes(1) == bytes(3), "{trainer}");
    }
}

#[test]
fn boosting_keeps_the_best_round_of_the_validation_part() {
    let report = prepared(TargetKind::Regression, 400)
        .fit(&TrainerConfig::default_of(Trainer::GradientBoosting))
        .unwrap()
        .report;
    let best = report.validation_loss.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(report.validation_loss[report.iterations as usize - 1], best);
    assert!(report.validation_loss.len() < 500, "it stopped early");
}

#[test]
fn a_solver_that_runs_out_of_iterations_is_an_error() {
    let short = [(TargetKind::Binary, Trainer::Logistic, 2), (TargetKind::Regression, Trainer::ElasticNet, 10)];
    for (kind, trainer, most) in short {
        let config = TrainerConfig::read(trainer, &json!({"max_iterations": most, "tolerance": 1e-10})).unwrap();
        let error = prepared(kind, 300).fit(&config).unwrap_err();
        assert!(matches!(error, TrainError::NotConverged { .. }), "{error}");
    }
}

#[test]
fn a_trainer_of_another_kind_is_refused_with_the_one_that_fits() {
    let error = prepared(TargetKind::Regression, 50).fit(&TrainerConfig::default_of(Trainer::Logistic)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "logistic does not fit a regression target; use gradient_boosting, random_forest, decision_tree, elastic_net"
    );
}

/// Looks at what is learned from.
struct Watching;

impl Progress for Watching {
    fn watches_training(&self) -> bool {
        true
    }
}

#[test]
fn watching_the_loss_on_what_is_learned_from_leaves_the_model_as_it_is() {
    let Prepared { table, labels, split, kind, .. } = prepared(TargetKind::Binary, 2_000);
    let config = TrainerConfig::default_of(Trainer::GradientBoosting);
    let fitted = |progress: &dyn Progress| train(&table, &labels, &split, kind, &config, 3, progress).unwrap();
    let (unseen, seen) = (fitted(&()), fitted(&Watching));
    assert_eq!(json!(unseen.predictor.estimator()), json!(seen.predictor.estimator()));
    assert_eq!((&unseen.report.training_loss, unseen.report.loss_rows.1), (&Vec::new(), 0));
    let FitReport { validation_loss, training_loss, loss_rows, .. } = seen.report;
    assert_eq!(
        (validation_loss, training_loss.len()),
        (unseen.report.validation_loss.clone(), unseen.report.validation_loss.len())
    );
    let rows = [Part::Validation, Part::Train].map(|part| split.rows(part).len() as u64);
    assert_eq!(loss_rows, (rows[0], rows[1]));
    assert!(training_loss.windows(2).all(|pair| pair[1] < pair[0]), "each round learns: {training_loss:?}");
}

#[test]
fn a_class_without_a_training_row_is_named() {
    let (plan, dataset) = reference(TargetKind::Multiclass);
    let labels = plan.labels(&dataset).unwrap();
    let last_class_in_test = {
        let mut order: Vec<u32> = (0..61).collect();
        order.sort_by_key(|row| labels.class(*row as usize));
        dataset.take(&order)
    };
    let labels = plan.labels(&last_class_in_test).unwrap();
    let split = Split::new(&Rule::Time { validation: 0.0, test: 0.5 }, &last_class_in_test, None, &labels).unwrap();
    let table = plan.table(&last_class_in_test).unwrap();
    let config = TrainerConfig::default_of(Trainer::Logistic);
    let error = train(&table, &labels, &split, TargetKind::Multiclass, &config, 0, &()).unwrap_err();
    assert_eq!(error, TrainError::AbsentClasses(vec!["2".to_owned()]));
}

/// Wants no more after so many reports.
struct Impatient(AtomicU64);

impl Progress for Impatient {
    fn report(&self, done: u64, of: u64, _: Option<f64>) {
        assert!(done <= of);
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 3
    }
}

/// A tree that splits once. Its leaves answer with the share of the class, or the mean, of their rows and of five like all.
#[test]
fn a_leaf_answers_with_what_its_rows_have_and_a_little_of_what_all_have() {
    for kind in KINDS {
        let prepared = prepared(kind, 600);
        let config = TrainerConfig::read(Trainer::DecisionTree, &json!({"max_leaves": 2, "smoothing": 5})).unwrap();
        let model = prepared.fit(&config).unwrap().predictor;
        let rows = prepared.split.rows(Part::Train);
        let predictions = model.predict_table(&prepared.table, rows).unwrap();
        let numbers = |prediction: &Prediction| match prediction {
            Prediction::Binary { score, .. } => vec![*score],
            Prediction::Multiclass { probabilities, .. } => probabilities.clone(),
            Prediction::Regression { value } => vec![*value],
        };
        let mut leaves: Vec<Vec<f64>> = predictions.iter().map(numbers).collect();
        leaves.sort_by(|a, b| a[0].total_cmp(&b[0]));
        leaves.dedup();
        assert_eq!(leaves.len(), 2);
        for leaf in leaves {
            let inside = rows.iter().zip(&predictions).filter(|(_, prediction)| numbers(prediction) == leaf);
            let inside: Vec<usize> = inside.map(|(row, _)| *row as usize).collect();
            let all: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
            let mean = |rows: &[usize], number: &dyn Fn(usize) -> f64| {
                rows.iter().map(|row| number(*row)).sum::<f64>() / rows.len() as f64
            };
            let smoothed = |number: &dyn Fn(usize) -> f64| {
                let own = inside.len() as f64;
                (mean(&inside, number) * own + mean(&all, number) * 5.0) / (own + 5.0)
            };
            let labels = &prepared.labels;
            let share = |class: u32| smoothed(&|row| f64::from(u8::from(labels.class(row) == Some(class))));
            let expected = match kind {
                TargetKind::Binary => vec![share(1)],
                TargetKind::Multiclass => vec![share(0), share(1), share(2)],
                TargetKind::Regression => vec![smoothed(&|row| labels.number(row).unwrap())],
            };
            for (found, expected) in leaf.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                    "{kind:?}: {found} is not {expected}"
                );
            }
        }
    }
}

#[test]
fn training_ends_when_the_caller_wants_no_more() {
    let prepared = prepared(TargetKind::Binary, 300);
    let config = TrainerConfig::default_of(Trainer::GradientBoosting);
    let progress = Impatient(AtomicU64::new(0));
    let ended = train(&prepared.table, &prepared.labels, &prepared.split, prepared.kind, &config, 7, &progress);
    assert_eq!((ended.unwrap_err(), progress.0.into_inner()), (TrainError::Cancelled, 3));
}

#[test]
fn every_mistake_of_a_configuration_is_reported_with_its_pointer() {
    let given = json!({"eta": 0, "max_depth": 6.5, "depth": 3, "rounds": "many"});
    let mistakes = TrainerConfig::read(Trainer::GradientBoosting, &given).unwrap_err();
    let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/depth", "/eta", "/max_depth", "/rounds"]);
    assert_eq!(mistakes[1].message, "must be a number from 0.0001 to 1, got 0");
}

#[test]
fn a_configuration_reads_back_from_its_json() {
    for trainer in Trainer::ALL {
        let config = TrainerConfig::default_of(trainer);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TrainerConfig>(&text).unwrap(), config);
    }
}

/// Rows of 40 shops, each with a click rate of its own, and of a visitor who hardly ever comes twice and says nothing.
fn shops(encoding: &str) -> (FeaturePlan, Dataset) {
    let rows: Vec<u64> = (0..3_000).collect();
    let scattered = |row: u64, by: u64| {
        let mut bits = (row * 8 + by).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33
    };
    let shop = |row: u64| scattered(row, 1) % 40;
    let dataset = Dataset::from_parts([
        ("shop", ColumnData::Text(rows.iter().map(|row| Some(format!("shop {}", shop(*row)))).collect())),
        (
            "visitor",
            ColumnData::Text(rows.iter().map(|row| Some(format!("v{}", scattered(*row, 2) % 2_500))).collect()),
        ),
        ("clicked", ColumnData::Boolean(rows.iter().map(|row| Some(scattered(*row, 3) % 40 < shop(*row))).collect())),
    ]);
    let text = format!(
        "slug = \"ref\"\ntitle = \"R\"\ndecision = \"None\"\ntarget = {{ name = \"t\", kind = \"binary\", column = \"clicked\" }}\n\
         success = {{ metric = \"roc_auc\", at_least = 0.5 }}\n\
         features = [{{ name = \"shop\", type = \"category\"{encoding} }}, {{ name = \"visitor\", type = \"category\"{encoding} }}]\n\
         [data]\nsplit = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }}"
    );
    let dataset = dataset.unwrap();
    let document = ProblemDocument::parse(&text).unwrap();
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).unwrap();
    (plan, dataset)
}

#[test]
fn a_category_told_by_the_label_helps_where_it_knows_something_and_does_not_learn_noise_by_heart() {
    for trainer in [Trainer::Logistic, Trainer::GradientBoosting] {
        // The rate of a shop, known exactly, gives 0.83.
        let auc = auc_of_shops(", encoding = \"target\"", trainer);
        assert!(auc > 0.78, "{trainer:?}: {auc}");
    }
}

#[test]
fn a_number_a_level_finds_what_the_levels_say_with_every_trainer() {
    for trainer in [Trainer::Logistic, Trainer::GradientBoosting] {
        let auc = auc_of_shops(", encoding = \"one_hot\"", trainer);
        assert!(auc > 0.75, "{trainer:?}: {auc}");
    }
}

#[test]
fn places_in_an_order_that_says_nothing_are_taken_apart_by_trees_and_not_by_a_line() {
    let values: Vec<String> = (0..2_500)
        .map(|value| format!("\"v{value}\""))
        .chain((0..40).map(|shop| format!("\"shop {}\"", (shop * 7) % 40)))
        .collect();
    let encoding = format!(", encoding = \"ordinal\", values = [{}]", values.join(", "));
    let (line, trees) =
        (auc_of_shops(&encoding, Trainer::Logistic), auc_of_shops(&encoding, Trainer::GradientBoosting));
    assert!(line < 0.7 && trees > 0.75, "{line} {trees}");
}

/// The area under the curve on the test part of [`shops`], every model being stored and read again on the way.
fn auc_of_shops(encoding: &str, trainer: Trainer) -> f64 {
    let (plan, dataset) = shops(encoding);
    let (labels, table) = (plan.labels(&dataset).unwrap(), plan.table(&dataset).unwrap());
    let rule = Rule::Random { validation: 0.2, test: 0.2, seed: 1, entity: None };
    let split = Split::new(&rule, &dataset, None, &labels).unwrap();
    let config = TrainerConfig::default_of(trainer);
    let fitted = train(&table, &labels, &split, TargetKind::Binary, &config, 7, &()).unwrap();
    let lineage = Lineage {
        dataset: Digest::of(""),
        tables: Default::default(),
        problem: Digest::of(""),
        features: Digest::of(""),
        trainer: config,
        seed: 7,
    };
    let model = Model::new(&plan, fitted, lineage);
    let again = Model::from_bytes(&model.to_bytes()).unwrap();
    assert_eq!(again.predict(&dataset).unwrap(), model.predict(&dataset).unwrap());
    let rows = split.rows(Part::Test);
    let predictions = again.predict(&dataset.take(rows)).unwrap();
    outcomes(&labels, rows, &predictions).unwrap().metric(Metric::RocAuc).unwrap()
}

#[test]
fn the_more_a_rare_class_counts_the_more_scores_lean_to_it() {
    let prepared = prepared(TargetKind::Binary, 600);
    let rows = prepared.split.rows(Part::Train);
    let counts = prepared.labels.counts(rows);
    let share = counts[1] as f64 / (counts[0] + counts[1]) as f64;
    assert!((share - 0.5).abs() > 0.05, "the classes of the fixture are not equally frequent: {share}");
    for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(TargetKind::Binary)) {
        let mean = |balance: f64| {
            let config = TrainerConfig::read(trainer, &json!({ "class_balance": balance })).unwrap();
            let predictor = prepared.fit(&config).unwrap().predictor;
            let answers = predictor.predict_table(&prepared.table, rows).unwrap();
            let scores = answers.iter().map(|answer| match answer {
                Prediction::Binary { score, .. } => *score,
                _ => 0.0,
            });
            scores.sum::<f64>() / rows.len() as f64
        };
        let (as_they_are, half, alike) = (mean(0.0), mean(0.5), mean(1.0));
        assert!((as_they_are - share).abs() < 0.02, "{trainer}: {as_they_are}");
        let towards = |one: f64, other: f64| (one < other) == (share < 0.5);
        assert!(towards(as_they_are, half) && towards(half, alike), "{trainer}: {as_they_are}, {half}, {alike}");
    }
}

/// The same, against scikit-learn 1.9.1 with `class_weight="balanced"`.
#[test]
fn balanced_logistic_regression_agrees_with_scikit_learn() {
    let settings = json!({"alpha": 2.0, "tolerance": 1e-9, "class_balance": 1.0});
    let model = reference_model(TargetKind::Binary, Trainer::Logistic, settings).0;
    check(&model, [0.5017294565832255, -0.19443079442669908], -2.2675114101412395);
}

#[test]
fn training_rows_are_answered_by_what_they_were_told_and_not_by_their_own_labels() {
    let rows = 600_u32;
    let text = "slug = \"shops\"\ntitle = \"S\"\ndecision = \"None\"\n[target]\nname = \"t\"\nkind = \"binary\"\ncolumn = \"paid\"\n\
         [data]\n[[features]]\nname = \"x\"\n[[features]]\nname = \"shop\"\ntype = \"category\"\nencoding = \"target\"\n\
         [success]\nmetric = \"roc_auc\"\nat_least = 0.5\n[serving]\np99_ms = 9\nthroughput_rps = 9";
    // Each shop has one row, so that by all rows it is told that row's label.
    let dataset = Dataset::from_parts([
        ("x", ColumnData::Number((0..rows).map(|row| Some(f64::from(row * 37 % 101))).collect())),
        ("shop", ColumnData::Text((0..rows).map(|row| Some(format!("shop {row}"))).collect())),
        ("paid", ColumnData::Boolean((0..rows).map(|row| Some(row * 71 % 97 < 48)).collect())),
    ])
    .unwrap();
    let document = ProblemDocument::parse(text).unwrap();
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).unwrap();
    let (table, labels) = (plan.table(&dataset).unwrap(), plan.labels(&dataset).unwrap());
    let rule = Rule::Random { validation: 0.2, test: 0.2, seed: 3, entity: None };
    let split = Split::new(&rule, &dataset, None, &labels).unwrap();
    let rows = split.rows(Part::Train);
    let config = TrainerConfig::default_of(Trainer::Logistic);
    let fitted = train(&table, &labels, &split, TargetKind::Binary, &config, 7, &()).unwrap();
    let area =
        |predictions: Vec<Prediction>| outcomes(&labels, rows, &predictions).unwrap().metric(Metric::RocAuc).unwrap();
    let as_told = area(answers_to_training(&fitted.predictor, &table, &labels, &split, 7).unwrap());
    assert!((0.35..0.75).contains(&as_told), "{as_told}, where nothing tells the label");
    // What its encoders make of a shop with one row is that row's label.
    let by_its_encoders = area(fitted.predictor.predict_table(&table, rows).unwrap());
    assert!((by_its_encoders - 0.5).abs() > 0.49, "{by_its_encoders}");
}
