use millrace_domain::metric::{Metric, TargetKind};
use millrace_domain::schema::Value;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::features::FeatureValue;
use crate::fixture::{Prepared, prepared};
use crate::split::Part;
use crate::train::{CalibrationMethod, Fitted, Trainer, answers_crosswise};

fn fits() -> impl Iterator<Item = (TargetKind, Trainer)> {
    [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression]
        .into_iter()
        .flat_map(|kind| Trainer::ALL.map(|trainer| (kind, trainer)))
        .filter(|(kind, trainer)| trainer.fits(*kind))
}

fn small(trainer: Trainer) -> TrainerConfig {
    match trainer {
        Trainer::GradientBoosting => TrainerConfig::read(trainer, &json!({"rounds": 12, "max_leaves": 6})).unwrap(),
        _ => TrainerConfig::default_of(trainer),
    }
}

fn model(kind: TargetKind, trainer: Trainer) -> (Prepared, Model) {
    let prepared = prepared(kind, 240);
    let model = prepared.model(&small(trainer));
    (prepared, model)
}

/// The row as a caller would send it.
fn object(model: &Model, dataset: &Dataset, row: usize) -> Map<String, Json> {
    let member = |input: &Input| {
        let value = match dataset.cells(dataset.slot(&input.column.name).unwrap()).value(row) {
            Value::Null => Json::Null,
            Value::Number(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::Boolean(truth) => json!(truth),
            Value::Time(micros) => json!(micros as f64 / 1e6),
        };
        (input.column.name.clone(), value)
    };
    model.inputs().iter().map(member).collect()
}

fn bits(prediction: &Prediction) -> Vec<u64> {
    match prediction {
        Prediction::Binary { score, .. } => vec![score.to_bits()],
        Prediction::Multiclass { probabilities, .. } => probabilities.iter().map(|p| p.to_bits()).collect(),
        Prediction::Regression { value } => vec![value.to_bits()],
    }
}

#[test]
fn single_rows_give_the_bits_of_the_batch_also_after_a_round_trip() {
    for (kind, trainer) in fits() {
        let (prepared, model) = model(kind, trainer);
        let batch = model.predict(&prepared.dataset).unwrap();
        let restored = Model::from_bytes(&model.to_bytes()).unwrap();
        for (row, expected) in batch.iter().enumerate() {
            let object = object(&model, &prepared.dataset, row);
            let single = model.predict_row(&model.instance(&object, None).unwrap()).unwrap();
            let again = restored.predict_row(&restored.instance(&object, None).unwrap()).unwrap();
            assert_eq!((&single, &again), (expected, expected), "{kind:?} {trainer:?} row {row}");
            assert_eq!(bits(&single), bits(expected));
        }
    }
}

#[test]
fn rows_that_are_answered_together_get_the_bits_of_each_alone() {
    for (kind, trainer) in fits() {
        let (prepared, model) = model(kind, trainer);
        let read = |row| model.instance(&object(&model, &prepared.dataset, row), None).unwrap();
        let instances: Vec<Instance> = (0..40).map(read).collect();
        for count in [1, 2, 15, 16, 40] {
            let together: Vec<&Instance> = instances.iter().take(count).collect();
            let answers = model.predict_and_bin(&together, None);
            assert_eq!(answers.len(), count);
            for (answer, instance) in answers.into_iter().zip(together) {
                let (answer, alone) = (answer.unwrap().0, model.predict_row(instance).unwrap());
                assert_eq!(
                    (bits(&answer), answer.label()),
                    (bits(&alone), alone.label()),
                    "{kind:?} {trainer:?} {count}"
                );
            }
        }
    }
}

#[test]
fn the_table_of_training_gives_the_same_bits_as_rows() {
    for (kind, trainer) in fits() {
        let (prepared, model) = model(kind, trainer);
        let rows: Vec<u32> = (0..prepared.dataset.rows() as u32).collect();
        let of_table = model.predictor().predict_table(&prepared.table, &rows).unwrap();
        assert_eq!(of_table, model.predict(&prepared.dataset).unwrap());
    }
}

#[test]
fn a_model_reads_back_to_the_same_bytes() {
    for (kind, trainer) in fits() {
        let bytes = model(kind, trainer).1.to_bytes();
        assert!(Model::from_bytes(&bytes).unwrap().to_bytes() == bytes, "{kind:?} {trainer:?}");
    }
}

#[test]
fn the_order_of_columns_does_not_matter_to_a_batch() {
    let (prepared, model) = model(TargetKind::Binary, Trainer::GradientBoosting);
    let parts = (0..prepared.dataset.schema().len())
        .rev()
        .map(|slot| (prepared.dataset.schema()[slot].name.clone(), prepared.dataset.cells(slot).clone()));
    let reversed = Dataset::from_parts(parts).unwrap();
    assert_eq!(model.predict(&reversed).unwrap(), model.predict(&prepared.dataset).unwrap());
}

#[test]
fn everything_wrong_with_an_instance_is_named_at_once() {
    let (prepared, model) = model(TargetKind::Binary, Trainer::Logistic);
    let mut object = object(&model, &prepared.dataset, 0);
    object.remove("weight");
    object.insert("size".to_owned(), json!(1.5));
    object.insert("colour".to_owned(), json!(7));
    object.insert("shape".to_owned(), json!("round"));
    let problems: Vec<String> =
        model.instance(&object, None).unwrap_err().iter().map(InstanceProblem::to_string).collect();
    assert_eq!(
        problems,
        [
            "\"shape\" is not an input of the model",
            "\"size\" must be a whole number, got 1.5",
            "\"weight\" is missing",
            "\"colour\" must be a text, got 7",
        ]
    );
}

#[test]
fn null_is_taken_where_the_feature_may_be_missing_and_only_there() {
    let (prepared, model) = model(TargetKind::Binary, Trainer::Logistic);
    let mut object = object(&model, &prepared.dataset, 0);
    object.insert("weight".to_owned(), Json::Null);
    assert!(model.instance(&object, None).is_ok());
    object.insert("open".to_owned(), Json::Null);
    object.insert("at".to_owned(), Json::Null);
    let problems = model.instance(&object, None).unwrap_err();
    let needed = |input: &str, feature: &str| InstanceProblem {
        input: input.to_owned(),
        problem: Problem::Needed { feature: feature.to_owned() },
    };
    assert_eq!(problems, [needed("open", "open"), needed("at", "hour")]);
}

#[test]
fn importance_adds_up_and_puts_what_matters_first() {
    for (kind, trainer) in fits() {
        // On few rows the gain of a split favours what has many values, noise or not.
        let model = prepared(kind, 2_000).model(&small(trainer));
        let importance = model.importance();
        let total: f64 = importance.iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert!(importance.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        assert_ne!(importance[0].0, "hour", "{kind:?} {trainer:?}: the hour is noise");
    }
}

#[test]
fn without_a_feature_that_matters_a_model_is_worse_and_without_noise_it_is_not() {
    for (kind, trainer) in fits() {
        let prepared = prepared(kind, 2_000);
        let model = prepared.model(&small(trainer));
        let metric = if kind == TargetKind::Regression { Metric::Rmse } else { Metric::RocAuc };
        let rows = prepared.split.rows(Part::Test);
        let worth = |seed| {
            let of = permutation_importance(model.predictor(), &prepared.table, &prepared.labels, rows, metric, seed);
            of.unwrap().unwrap()
        };
        let found = worth(1);
        let of = |name: &str| {
            let place = model.features().definitions().iter().position(|definition| definition.name == name);
            found[place.unwrap()]
        };
        let (size, hour) = (of("size"), of("hour"));
        assert!(size.least > 0.0 && size.mean > 5.0 * hour.mean.abs(), "{kind:?} {trainer:?}: {size:?} {hour:?}");
        assert_eq!(found, worth(1), "the same seed shuffles alike");
    }
}

#[test]
fn the_equation_of_a_linear_model_gives_its_answer() {
    let (prepared, model) = model(TargetKind::Regression, Trainer::ElasticNet);
    let equation = &model.coefficients().unwrap()[0];
    let weight = |name: &str| equation.terms.iter().find(|(term, _)| term == name).map_or(0.0, |(_, weight)| *weight);
    let row = (0..240).find(|row| (0..5).all(|slot| !prepared.dataset.cells(slot).is_missing(*row))).unwrap();
    let values = prepared.table.values(row);
    let sum = prepared.plan.features().definitions().iter().zip(&values).fold(
        equation.intercept,
        |sum, (definition, value)| match value {
            FeatureValue::Number(number) => sum + weight(&definition.name) * number,
            FeatureValue::Category(level) => sum + weight(&format!("{} = {level}", definition.name)),
            FeatureValue::Missing => sum,
        },
    );
    let Prediction::Regression { value } = model.predict(&prepared.dataset).unwrap()[row] else { panic!() };
    assert!((sum - value).abs() < 1e-9, "{sum} is not {value}");
}

#[test]
fn a_feature_too_large_for_a_linear_model_has_no_answer() {
    let (prepared, model) = model(TargetKind::Regression, Trainer::ElasticNet);
    let mut object = object(&model, &prepared.dataset, 0);
    object.insert("weight".to_owned(), json!(1e308));
    object.insert("size".to_owned(), json!(9e18));
    let answer = model.predict_row(&model.instance(&object, None).unwrap());
    assert!(matches!(answer, Ok(Prediction::Regression { value }) if value.is_finite()), "{answer:?}");
}

#[test]
fn bytes_of_another_format_are_refused_by_name() {
    let text = String::from_utf8(model(TargetKind::Binary, Trainer::Logistic).1.to_bytes()).unwrap();
    let newer = text.replacen("millrace-model/1", "millrace-model/2", 1);
    let error = Model::from_bytes(newer.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "the model is of format \"millrace-model/2\"; this version reads millrace-model/1");
}

#[test]
fn parts_that_do_not_fit_each_other_are_refused() {
    let text = String::from_utf8(model(TargetKind::Binary, Trainer::Logistic).1.to_bytes()).unwrap();
    for (part, instead) in [
        ("\"kind\":\"binary\"", "\"kind\":\"regression\""),
        ("\"classes\":[\"no\",\"yes\"]", "\"classes\":[\"no\"]"),
        ("\"link\":\"logistic\"", "\"link\":\"identity\""),
        ("ln(1 + weight)", "pg_sleep(1 + weight)"),
        ("ln(1 + weight)", "ln(1 + height)"),
        ("\"levels\":[", "\"levels\":[\"one more\","),
    ] {
        assert!(text.contains(part), "{part}");
        assert!(Model::from_bytes(text.replacen(part, instead, 1).as_bytes()).is_err(), "{instead}");
    }
}

/// Reads, and answers when it can be read: neither may panic or hang.
fn survive(bytes: &[u8], dataset: &Dataset) {
    if let Ok(model) = Model::from_bytes(bytes) {
        let _ = model.predict(dataset);
        let _ = (model.importance().len(), model.coefficients());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_are_no_model(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
    }

    #[test]
    fn a_damaged_model_is_refused_or_answers(
        trees in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let trainer = if trees { Trainer::GradientBoosting } else { Trainer::Logistic };
        let (prepared, model) = cached(trainer);
        let mut bytes = model.clone();
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            // Half of the changes put a digit in the place of what was there, which often leaves valid JSON.
            bytes[position] = if byte % 2 == 0 { byte } else { b'0' + byte % 10 };
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survive(&bytes, prepared);
    }

    #[test]
    fn numbers_changed_in_place_never_panic(
        which in any::<prop::sample::Index>(),
        number in prop::sample::select(vec!["-1", "0", "1e300", "4294967295", "99999999999999999999", "0.5", "null"]),
    ) {
        let (prepared, model) = cached(Trainer::GradientBoosting);
        let text = std::str::from_utf8(model).unwrap();
        let starts: Vec<usize> = text
            .match_indices(|c: char| c.is_ascii_digit() || c == '-')
            .map(|(at, _)| at)
            .filter(|at| matches!(text.as_bytes()[at - 1], b':' | b',' | b'['))
            .collect();
        let start = starts[which.index(starts.len())];
        let length = text[start..].find([',', ']', '}']).unwrap();
        survive(format!("{}{number}{}", &text[..start], &text[start + length..]).as_bytes(), prepared);
    }
}

/// A model's bytes and the data it was made from, made once.
fn cached(trainer: Trainer) -> &'static (Dataset, Vec<u8>) {
    static CELLS: [std::sync::OnceLock<(Dataset, Vec<u8>)>; 2] = [const { std::sync::OnceLock::new() }; 2];
    CELLS[usize::from(trainer == Trainer::Logistic)].get_or_init(|| {
        let (prepared, model) = model(TargetKind::Binary, trainer);
        (prepared.dataset.take(&(0..20).collect::<Vec<_>>()), model.to_bytes())
    })
}

#[test]
fn a_calibrated_model_reads_back_keeps_its_order_and_is_surer_of_itself_with_reason() {
    for method in [CalibrationMethod::Platt, CalibrationMethod::Isotonic] {
        let prepared = prepared(TargetKind::Binary, 4_000);
        let settings = json!({"max_leaves": 200, "min_leaf_rows": 2, "max_depth": 20, "smoothing": 0.1});
        let config = TrainerConfig::read(Trainer::DecisionTree, &settings).unwrap();
        let raw = prepared.model(&config);
        let fitted = prepared.fit(&config).unwrap();
        let fitted = fitted.calibrated(method, &prepared.table, &prepared.labels, &prepared.split).unwrap();
        let model = Model::new(&prepared.plan, fitted, raw.lineage().clone());
        let restored = Model::from_bytes(&model.to_bytes()).unwrap();
        let rows = prepared.split.rows(Part::Test);
        let measured = |model: &Model, metric| {
            let predictions = model.predictor().predict_table(&prepared.table, rows).unwrap();
            outcomes(&prepared.labels, rows, &predictions).unwrap().metric(metric).unwrap()
        };
        let loss = |model| measured(model, Metric::LogLoss);
        assert!(loss(&model) < 0.9 * loss(&raw), "{method:?}: {} {}", loss(&model), loss(&raw));
        assert_eq!(loss(&restored).to_bits(), loss(&model).to_bits());
        assert!((measured(&model, Metric::RocAuc) - measured(&raw, Metric::RocAuc)).abs() < 0.02);
    }
}

#[test]
fn a_calibration_that_follows_the_noise_of_its_rows_is_not_the_better_for_it() {
    let prepared = prepared(TargetKind::Binary, 400);
    let config = TrainerConfig::default_of(Trainer::Logistic);
    let fitted = prepared.fit(&config).unwrap();
    let rows = prepared.split.rows(Part::Validation);
    let loss = |fitted: &Fitted, crosswise: bool| {
        let Prepared { table, labels, .. } = &prepared;
        let predictions = match crosswise {
            true => answers_crosswise(&fitted.predictor, table, labels, rows),
            false => fitted.predictor.predict_table(table, rows),
        };
        outcomes(labels, rows, &predictions.unwrap()).unwrap().metric(Metric::Brier).unwrap()
    };
    let plain = loss(&fitted, false);
    assert_eq!(loss(&fitted, true).to_bits(), plain.to_bits(), "without a calibration they are the model's answers");
    let split = &prepared.split;
    let calibrated = fitted.calibrated(CalibrationMethod::Isotonic, &prepared.table, &prepared.labels, split).unwrap();
    assert!(loss(&calibrated, false) < plain, "on its own rows it is the best rising curve: {plain}");
    assert!(loss(&calibrated, true) > plain, "a logistic model of such data needs none: {plain}");
}

#[test]
fn a_model_says_yes_above_the_threshold_of_its_costs() {
    let prepared = prepared(TargetKind::Binary, 600);
    let costs = millrace_domain::metric::Costs { false_positive: 1.0, false_negative: 4.0 };
    let labels = prepared.labels.clone().with_costs(costs);
    let dear = Prepared { labels, ..prepared };
    let model = dear.model(&TrainerConfig::default_of(Trainer::Logistic));
    let restored = Model::from_bytes(&model.to_bytes()).unwrap();
    assert_eq!(restored.predictor().threshold(), 0.2);
    for prediction in restored.predict(&dear.dataset).unwrap() {
        let Prediction::Binary { score, label } = prediction else { panic!() };
        assert_eq!(&*label == "yes", score > 0.2, "{score}");
    }
    let rows = dear.split.rows(Part::Test);
    let predictions = model.predictor().predict_table(&dear.table, rows).unwrap();
    let outcomes = outcomes(&dear.labels, rows, &predictions).unwrap();
    let wrong = |says: bool| {
        let is_wrong = |(row, prediction): &(&u32, &Prediction)| {
            let Prediction::Binary { label, .. } = prediction else { panic!() };
            (&**label == "yes") == says && dear.labels.class(**row as usize) == Some(u32::from(!says))
        };
        rows.iter().zip(&predictions).filter(is_wrong).count() as f64
    };
    let expected = (wrong(true) + 4.0 * wrong(false)) / rows.len() as f64;
    assert!((outcomes.metric(Metric::Cost).unwrap() - expected).abs() < 1e-12);
}
