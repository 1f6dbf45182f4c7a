use millrace_domain::problem::{Mistake, ProblemDocument};
use millrace_domain::schema::Value;

use super::*;
use crate::join::TableColumns;
use crate::{ColumnData, Dataset};

fn document(target: &str, features: &str) -> ProblemDocument {
    let success = if target.contains("regression") {
        "metric = \"rmse\"\nat_most = 1"
    } else {
        "metric = \"accuracy\"\nat_least = 0.5"
    };
    let text = format!(
        r#"
        slug = "trial"
        title = "A trial"
        decision = "None"
        [target]
        name = "answer"
        {target}
        [data]
        split = {{ kind = "time", validation = 0.2, test = 0.2 }}
        {features}
        [success]
        {success}
        [serving]
        p99_ms = 10
        throughput_rps = 10
        "#
    );
    ProblemDocument::parse(&text).unwrap()
}

fn trips() -> Dataset {
    Dataset::from_parts([
        ("miles", ColumnData::Number(vec![Some(1.0), None, Some(3.0), Some(8.0)])),
        (
            "kind",
            ColumnData::Text([Some("cash"), Some("card"), None, Some("cash")].map(|k| k.map(str::to_owned)).to_vec()),
        ),
        ("tip", ColumnData::Integer(vec![Some(0), Some(3), Some(1), None])),
        ("unused", ColumnData::Boolean(vec![Some(true); 4])),
    ])
    .unwrap()
}

const FEATURES: &str = r#"
    [[features]]
    name = "double_miles"
    expression = "miles * 2"
    nullable = true
    [[features]]
    name = "kind"
    type = "category"
    nullable = true
"#;

fn plan() -> FeaturePlan {
    FeaturePlan::compile(
        &document("kind = \"binary\"\nexpression = \"tip > 1\"", FEATURES),
        trips().schema(),
        &TableColumns::new(),
    )
    .unwrap()
}

fn mistakes(target: &str, features: &str) -> Vec<Mistake> {
    FeaturePlan::compile(&document(target, features), trips().schema(), &TableColumns::new()).unwrap_err()
}

#[test]
fn inputs_are_the_columns_that_features_read() {
    let plan = plan();
    let names: Vec<&str> = plan.inputs().iter().map(|input| input.column.name.as_str()).collect();
    assert_eq!(names, ["miles", "kind"]);
}

#[test]
fn a_table_and_a_single_row_hold_the_same_values() {
    let (plan, dataset) = (plan(), trips());
    let table = plan.table(&dataset).unwrap();
    for row in 0..dataset.rows() {
        let single = [dataset.cells(0).value(row), dataset.cells(1).value(row)];
        assert_eq!(table.values(row), plan.features().values_of(&single[..]), "row {row}");
    }
}

#[test]
fn labels_of_two_classes_have_the_positive_one_second() {
    let labels = plan().labels(&trips()).unwrap();
    assert_eq!(labels.classes().unwrap(), ["false", "true"]);
    assert_eq!((0..4).map(|row| labels.class(row)).collect::<Vec<_>>(), [Some(0), Some(1), Some(0), None]);
    assert_eq!(labels.missing(), 1);
}

#[test]
fn numeric_classes_are_in_the_order_of_their_numbers() {
    let values = [10.0, -2.0, 9.0].into_iter().map(Value::Number);
    let labels = Labels::of(millrace_domain::metric::TargetKind::Multiclass, values).unwrap();
    assert_eq!(labels.classes().unwrap(), ["-2", "9", "10"]);
}

#[test]
fn a_target_of_one_class_is_refused() {
    let plan = FeaturePlan::compile(
        &document("kind = \"binary\"\ncolumn = \"unused\"", FEATURES),
        trips().schema(),
        &TableColumns::new(),
    );
    let error = plan.unwrap().labels(&trips()).unwrap_err();
    assert_eq!(error.to_string(), "the target has 1 class; a binary target needs two");
}

#[test]
fn every_mistake_of_a_plan_is_reported_with_its_pointer() {
    let wrong = r#"
        [[features]]
        name = "a"
        expression = "mile * 2"
        [[features]]
        name = "kind"
        [[features]]
        name = "c"
        expression = "tip + 1"
    "#;
    let found = mistakes("kind = \"regression\"\ncolumn = \"tip\"", wrong);
    let pointers: Vec<&str> = found.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/features/0/expression", "/features/1/expression", "/features/2/expression"]);
    assert!(found[0].message.contains("did you mean \"miles\""), "{}", found[0].message);
    assert!(found[1].message.contains("make it a category"), "{}", found[1].message);
    assert!(found[2].message.contains("the label itself"), "{}", found[2].message);
}

#[test]
fn a_regression_on_text_is_a_mistake_at_the_target() {
    let found = mistakes("kind = \"regression\"\ncolumn = \"kind\"", "[[features]]\nname = \"miles\"\n");
    assert_eq!(found[0].pointer, "/target/column");
}

#[test]
fn encoders_see_the_training_rows_alone() {
    let table = plan().table(&trips()).unwrap();
    let encoders = Encoders::fit(&table, &[0, 2], &[], 0).0;
    let [FeatureEncoder::Number(miles), FeatureEncoder::Category(kind)] = encoders.features() else { panic!() };
    assert_eq!((miles.centre, miles.scale, miles.median, miles.missing_seen), (4.0, 2.0, 4.0, false));
    assert_eq!((kind.levels(), kind.missing_seen()), (&["cash".to_owned()][..], true));
}

#[test]
fn levels_are_ordered_by_frequency_and_then_by_name() {
    let table = plan().table(&trips()).unwrap();
    let encoders = Encoders::fit(&table, &[0, 1, 2, 3], &[], 0).0;
    let FeatureEncoder::Category(kind) = &encoders.features()[1] else { panic!() };
    assert_eq!(kind.levels(), ["cash", "card"]);
}

#[test]
fn an_unseen_level_has_a_code_for_trees_and_no_term_for_linear_models() {
    let table = plan().table(&trips()).unwrap();
    let encoders = Encoders::fit(&table, &[0, 3], &[], 0).0;
    let values = [FeatureValue::Missing, FeatureValue::Category("cheque".into())];
    let for_trees = encoders.for_trees(&values);
    assert!(for_trees[0].is_nan());
    assert_eq!(for_trees[1], 1.0);
    let mut terms = Vec::new();
    encoders.for_linear(&values, |position, size| terms.push((position, size)));
    assert_eq!(terms, [(0, 0.0)]);
}

#[test]
fn levels_beyond_two_hundred_are_folded() {
    let names = (0..500).map(|row| Some(format!("level {}", row % 250))).collect();
    let dataset =
        Dataset::from_parts([("kind", ColumnData::Text(names)), ("tip", ColumnData::Integer(vec![Some(1); 500]))]);
    let dataset = dataset.unwrap();
    let features = "[[features]]\nname = \"kind\"\ntype = \"category\"\n";
    let plan = FeaturePlan::compile(
        &document("kind = \"binary\"\ncolumn = \"tip\"", features),
        dataset.schema(),
        &TableColumns::new(),
    )
    .unwrap();
    let rows: Vec<u32> = (0..500).collect();
    let encoders = Encoders::fit(&plan.table(&dataset).unwrap(), &rows, &[], 0).0;
    assert_eq!(encoders.terms(), 201);
}

#[test]
fn a_whole_number_is_the_same_category_from_either_type_of_column() {
    assert_eq!(Value::Number(7.0).into_text().unwrap(), "7");
    assert_eq!(Value::Number(-0.0).into_text().unwrap(), "0");
}

#[test]
fn a_bare_column_whose_name_is_no_sql_is_still_that_column() {
    let names = ["fixed acidity", "a-b", "case", "with \"quotes\"", "1st"];
    let dataset = Dataset::from_parts(
        names
            .iter()
            .map(|name| (*name, ColumnData::Number(vec![Some(1.0)])))
            .chain([("a", ColumnData::Number(vec![None]))]),
    );
    let dataset = dataset.unwrap();
    let features: String = names.iter().map(|name| format!("[[features]]\nname = '{name}'\n")).collect();
    let plan = FeaturePlan::compile(
        &document("kind = \"regression\"\ncolumn = \"a\"", &features),
        dataset.schema(),
        &TableColumns::new(),
    )
    .unwrap();
    assert_eq!(plan.table(&dataset).unwrap().values(0), vec![FeatureValue::Number(1.0); 5]);
}

#[test]
fn definitions_that_were_stored_before_encodings_had_names_are_read() {
    let stored = r#"{"name":"kind","expression":"kind","type":"category","target_encoded":true,"nullable":false}"#;
    let read: FeatureDefinition = serde_json::from_str(stored).unwrap();
    assert_eq!(read.encoding, millrace_domain::problem::Encoding::Target);
    let plain = r#"{"name":"kind","expression":"kind","type":"category","nullable":false}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<FeatureDefinition>(plain).unwrap()).unwrap(), plain);
}

#[test]
fn a_dataset_without_an_input_is_refused_by_name() {
    let other = Dataset::from_parts([("miles", ColumnData::Number(vec![]))]).unwrap();
    assert_eq!(plan().table(&other), Err(FeatureSetError::MissingInput("kind".to_owned())));
}

/// The rows of shirts that are fitted on.
const FITTED: [u32; 4] = [3, 0, 2, 1];

/// Sizes of shirts, told as asked; fitted on the first four rows.
fn shirts(encoding: &str) -> Encoders {
    fitted_shirts(encoding, "").1
}

fn fitted_shirts(encoding: &str, more: &str) -> (FeatureTable, Encoders, Told) {
    let texts = |texts: [Option<&str>; 5]| ColumnData::Text(texts.map(|text| text.map(str::to_owned)).to_vec());
    let dataset = Dataset::from_parts([
        ("size", texts([Some("s"), Some("l"), None, Some("m"), Some("xl")])),
        ("weight", ColumnData::Number(vec![Some(1.0), None, Some(2.5), Some(4.0), Some(-1.0)])),
        ("sold", ColumnData::Integer(vec![Some(1), Some(2), Some(3), Some(4), Some(5)])),
    ]);
    let dataset = dataset.unwrap();
    let features = format!(
        "[[features]]\nname = \"size\"\ntype = \"category\"\nnullable = true\nvalues = [\"s\", \"m\", \"l\", \"xl\"]\nencoding = \"{encoding}\"\n{more}"
    );
    let document = document("kind = \"regression\"\ncolumn = \"sold\"", &features);
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).unwrap();
    let table = plan.table(&dataset).unwrap();
    let (encoders, told) = Encoders::fit(&table, &FITTED, &[1.0, 2.0, 3.0, 4.0], 0);
    (table, encoders, told)
}

#[test]
fn rows_of_a_table_are_encoded_as_each_alone() {
    for encoding in ["ordinal", "one_hot", "target", "trainer"] {
        let (table, encoders, told) = fitted_shirts(encoding, "[[features]]\nname = \"weight\"\nnullable = true\n");
        for (rows, told) in [(&FITTED[..], Some(&told)), (&[4, 1, 0, 2, 1][..], None)] {
            let (mut trees, mut linear) = (Vec::new(), Vec::new());
            for (position, row) in rows.iter().enumerate() {
                let mut values = table.values(*row as usize);
                if let Some(told) = told {
                    told.apply(position, &mut values);
                }
                trees.extend(encoders.for_trees(&values).iter().map(|number| number.to_bits()));
                encoders.for_linear(&values, |term, size| {
                    if size != 0.0 {
                        linear.push((term as u32, size));
                    }
                });
            }
            let found: Vec<u32> = encoders.for_trees_in(&table, told).all(rows).into_iter().map(f32::to_bits).collect();
            assert_eq!((found, encoders.for_linear_in(&table, told).all(rows)), (trees, linear), "{encoding}");
        }
    }
}

fn of_size(size: &str) -> [FeatureValue<'_>; 1] {
    [FeatureValue::Category(size.into())]
}

fn terms(encoders: &Encoders, values: &[FeatureValue<'_>]) -> Vec<f64> {
    let mut terms = vec![0.0; encoders.terms()];
    encoders.for_linear(values, |position, size| terms[position] = size);
    terms
}

#[test]
fn a_category_with_an_order_is_its_place_and_a_value_outside_it_is_missing() {
    let encoders = shirts("ordinal");
    assert_eq!([encoders.for_trees(&of_size("s")), encoders.for_trees(&of_size("xl"))], [vec![0.0], vec![3.0]]);
    for outside in [of_size("xxl"), [FeatureValue::Missing]] {
        assert!(encoders.for_trees(&outside)[0].is_nan());
        // The median of 0, 1 and 2 is also their mean; what is missing has a term of its own.
        assert_eq!(terms(&encoders, &outside), [0.0, 1.0]);
    }
    let step = terms(&encoders, &of_size("l"))[0] - terms(&encoders, &of_size("m"))[0];
    assert!((step - 1.0 / (2.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{step}");
}

#[test]
fn a_number_a_level_is_the_same_for_every_estimator() {
    let encoders = shirts("one_hot");
    // Levels that training saw, equally frequent and so by name, and what is missing.
    for (values, expected) in [
        (of_size("l"), [1.0, 0.0, 0.0, 0.0]),
        (of_size("s"), [0.0, 0.0, 1.0, 0.0]),
        ([FeatureValue::Missing], [0.0, 0.0, 0.0, 1.0]),
        (of_size("xl"), [0.0; 4]),
    ] {
        assert_eq!(terms(&encoders, &values), expected);
        assert_eq!(encoders.for_trees(&values), expected.map(|number| number as f32));
    }
}
