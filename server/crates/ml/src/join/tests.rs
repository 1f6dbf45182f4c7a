use std::sync::Arc;

use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::Value;
use proptest::prelude::*;

use super::*;
use crate::dataset::{ColumnData, Dataset};

const HOUR: i64 = 3_600_000_000;

/// Trips of companies, in hours.
fn trips(rows: &[(Option<&str>, i64, Option<f64>)]) -> Dataset {
    let company = rows.iter().map(|row| row.0.map(str::to_owned)).collect();
    let at = rows.iter().map(|row| Some(row.1 * HOUR)).collect();
    let fare = rows.iter().map(|row| row.2).collect();
    Dataset::from_parts([
        ("company", ColumnData::Text(company)),
        ("at", ColumnData::Time(at)),
        ("fare", ColumnData::Number(fare)),
        ("y", ColumnData::Boolean(rows.iter().map(|row| row.2.map(|fare| fare > 10.0)).collect())),
    ])
    .unwrap()
}

fn document(joins: &str) -> ProblemDocument {
    ProblemDocument::parse(&format!(
        "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\n\
         target = {{ name = \"y\", kind = \"binary\", column = \"y\", delay = \"2h\" }}\n\
         data = {{ event_time = \"at\", split = {{ kind = \"time\", validation = 0.2, test = 0.2 }} }}\n\
         success = {{ metric = \"roc_auc\", at_least = 0.6 }}\n{joins}"
    ))
    .unwrap()
}

fn aggregate(function: &str, of: &str) -> String {
    let of = if of.is_empty() { String::new() } else { format!("of = \"{of}\"\n") };
    format!(
        "[[aggregates]]\nname = \"{function}\"\nover = \"company\"\nfunction = \"{function}\"\n{of}window = \"3h\"\n"
    )
}

fn history(document: &ProblemDocument, sources: &Sources) -> History {
    let own = sources.own.as_ref().unwrap();
    let joins = Joins::compile(document, own.schema(), &sources.table_columns()).unwrap();
    History::new(&joins, sources).unwrap()
}

fn own(dataset: &Dataset) -> Sources {
    Sources { own: Some(Arc::new(dataset.clone())), ..Sources::default() }
}

fn numbers(dataset: &Dataset, column: &str) -> Vec<Option<f64>> {
    let cells = dataset.cells(dataset.slot(column).unwrap());
    let number = |row| match cells.value(row) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    (0..dataset.rows()).map(number).collect()
}

/// One aggregate over the rows themselves.
fn of_rows(rows: &[(Option<&str>, i64, Option<f64>)], function: &str, of: &str) -> Vec<Option<f64>> {
    let dataset = trips(rows);
    let history = history(&document(&aggregate(function, of)), &own(&dataset));
    numbers(&history.join(&dataset).unwrap(), function)
}

#[test]
fn a_window_holds_what_happened_strictly_before_the_row_and_not_longer_ago() {
    // Hours 0, 1, 1, 3 and 4: the second of two rows of one time does not see the first, 3 hours ago is inside, 4 is not.
    let rows = [0, 1, 1, 3, 4].map(|hour| (Some("a"), hour, Some(1.0)));
    assert_eq!(of_rows(&rows, "count", ""), [0.0, 1.0, 1.0, 3.0, 3.0].map(Some));
}

#[test]
fn an_entity_sees_only_its_own_rows_and_a_row_without_one_sees_nothing() {
    let rows = [(Some("a"), 0, None), (Some("b"), 1, None), (None, 2, None), (Some("a"), 2, None)];
    assert_eq!(of_rows(&rows, "count", ""), [Some(0.0), Some(0.0), None, Some(1.0)]);
}

#[test]
fn functions_give_what_they_are_named_for() {
    let rows = [(Some("a"), 0, Some(4.0)), (Some("a"), 1, Some(1.0)), (Some("a"), 2, None), (Some("a"), 3, Some(9.0))];
    let last = |function: &str| of_rows(&rows, function, "fare")[3];
    assert_eq!(last("sum"), Some(5.0));
    assert_eq!(last("mean"), Some(2.5));
    assert_eq!(last("min"), Some(1.0));
    assert_eq!(last("max"), Some(4.0));
    assert_eq!(last("last"), Some(1.0));
    assert_eq!(last("distinct"), Some(2.0));
}

#[test]
fn of_nothing_a_sum_is_zero_and_a_mean_is_missing() {
    let rows = [(Some("a"), 0, Some(4.0))];
    assert_eq!(of_rows(&rows, "sum", "fare"), [Some(0.0)]);
    assert_eq!(of_rows(&rows, "distinct", "fare"), [Some(0.0)]);
    assert_eq!(of_rows(&rows, "mean", "fare"), [None]);
    assert_eq!(of_rows(&rows, "last", "fare"), [None]);
}

#[test]
fn what_is_about_the_label_counts_only_when_the_label_is_known() {
    // The label is known 2 hours after the event: at hour 2 that of hour 0 is, at hour 1 nothing is.
    let rows = [(Some("a"), 0, Some(20.0)), (Some("a"), 1, Some(20.0)), (Some("a"), 2, Some(20.0))];
    assert_eq!(of_rows(&rows, "sum", "y"), [Some(0.0), Some(0.0), Some(1.0)]);
}

#[test]
fn a_sum_that_slides_leaves_nothing_behind() {
    // 1e16 + 1 − 1e16 is 0 in doubles.
    let rows = [(Some("a"), 0, Some(1e16)), (Some("a"), 1, Some(1.0)), (Some("a"), 4, Some(0.0))];
    assert_eq!(of_rows(&rows, "sum", "fare")[2], Some(1.0));
}

/// Zips with people, by the hour from which they hold and the hour at which that became known.
fn zips(rows: &[(&str, i64, i64, i64)]) -> Dataset {
    Dataset::from_parts([
        ("zip", ColumnData::Text(rows.iter().map(|row| Some(row.0.to_owned())).collect())),
        ("since", ColumnData::Time(rows.iter().map(|row| Some(row.1 * HOUR)).collect())),
        ("entered", ColumnData::Time(rows.iter().map(|row| Some(row.2 * HOUR)).collect())),
        ("people", ColumnData::Integer(rows.iter().map(|row| Some(row.3)).collect())),
    ])
    .unwrap()
}

const ZIPS: &str = "[[tables]]\nname = \"zips\"\nkey = \"zip\"\nevent_time = \"since\"\nknown_time = \"entered\"\n\
    [[features]]\nname = \"people\"\nexpression = \"zips.people\"\nnullable = true\n\
    [[lookups]]\ntable = \"zips\"\non = \"company\"\ntime_to_live = \"5h\"\n";

fn people(zips: &Dataset, asked: &[(Option<&str>, i64, Option<f64>)], joins: &str) -> Vec<Option<f64>> {
    let dataset = trips(asked);
    let mut sources = own(&dataset);
    sources.tables.insert("zips".to_owned(), Arc::new(zips.clone()));
    numbers(&history(&document(joins), &sources).join(&dataset).unwrap(), "zips.people")
}

#[test]
fn a_lookup_finds_the_newest_row_that_holds_is_known_and_is_young_enough() {
    let zips = zips(&[("a", 0, 0, 10), ("a", 4, 6, 20), ("a", 4, 8, 30), ("b", 0, 0, 5)]);
    let at = |hour| (Some("a"), hour, None);
    let asked = [at(-1), at(0), at(5), at(6), at(8), at(9), at(10), (Some("c"), 1, None), (None, 1, None)];
    // At 5 the row of hour 4 is not known yet; at 8 a correction of it is; at 10 it is older than 5 hours.
    let expected = [None, Some(10.0), Some(10.0), Some(20.0), Some(30.0), Some(30.0), None, None, None];
    assert_eq!(people(&zips, &asked, ZIPS), expected);
}

#[test]
fn a_later_backfill_does_not_change_what_an_earlier_row_sees() {
    let before = zips(&[("a", 0, 0, 10)]);
    let after = zips(&[("a", 0, 0, 10), ("a", 0, 9, 99), ("a", 1, 9, 88)]);
    let asked = [(Some("a"), 2, None), (Some("a"), 4, None)];
    assert_eq!(people(&after, &asked, ZIPS), people(&before, &asked, ZIPS));
}

#[test]
fn without_a_known_time_the_join_is_looser() {
    let zips = zips(&[("a", 0, 0, 10), ("a", 1, 9, 88)]);
    let loose = ZIPS.replace("known_time = \"entered\"\n", "");
    assert_eq!(people(&zips, &[(Some("a"), 2, None)], &loose), [Some(88.0)]);
}

#[test]
fn a_table_without_times_holds_always() {
    let zips = zips(&[("a", 50, 50, 10)]);
    let always =
        ZIPS.replace("event_time = \"since\"\nknown_time = \"entered\"\n", "").replace("time_to_live = \"5h\"\n", "");
    assert_eq!(people(&zips, &[(Some("a"), 2, None)], &always), [Some(10.0)]);
}

#[test]
fn whole_numbers_beyond_doubles_are_different_keys() {
    let (large, next) = (9_007_199_254_740_992_i64, 9_007_199_254_740_993_i64);
    let table = Dataset::from_parts([
        ("company", ColumnData::Integer(vec![Some(large), Some(next)])),
        ("people", ColumnData::Integer(vec![Some(1), Some(2)])),
    ])
    .unwrap();
    let data = Dataset::from_parts([
        ("company", ColumnData::Integer(vec![Some(next), Some(large)])),
        ("at", ColumnData::Time(vec![Some(0), Some(0)])),
        ("y", ColumnData::Boolean(vec![Some(true), Some(false)])),
    ])
    .unwrap();
    let mut sources = own(&data);
    sources.tables.insert("zips".to_owned(), Arc::new(table));
    let joins = "[[tables]]\nname = \"zips\"\nkey = \"company\"\n[[lookups]]\ntable = \"zips\"\n\
                 [[features]]\nname = \"people\"\nexpression = \"zips.people\"\n";
    let joined = history(&document(joins), &sources).join(&data).unwrap();
    assert_eq!(numbers(&joined, "zips.people"), [Some(2.0), Some(1.0)]);
}

#[test]
fn mistakes_of_joins_name_the_place_and_the_way_out() {
    let data = trips(&[(Some("a"), 0, Some(1.0))]);
    let table = zips(&[("a", 0, 0, 10)]);
    let mut tables = TableColumns::new();
    let mistakes = |joins: &str, tables: &TableColumns<'_>| {
        let mistakes = Joins::compile(&document(joins), data.schema(), tables).unwrap_err();
        mistakes.into_iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.message)).collect::<Vec<_>>()
    };
    assert_eq!(mistakes(ZIPS, &tables), ["/tables/0 there is no dataset \"zips\" yet"]);
    tables.insert("zips", table.schema());
    assert_eq!(
        mistakes(&ZIPS.replace("on = \"company\"", "on = \"fare\""), &tables),
        ["/lookups/0/on \"fare\" is number here and text in zips; they never meet"]
    );
    assert_eq!(
        mistakes(&ZIPS.replace("zips.people", "zips.peple"), &tables),
        ["/lookups/0 zips has no column \"peple\"; it has zip, since, entered, people"]
    );
    assert_eq!(
        mistakes(&aggregate("sum", "company"), &tables),
        ["/aggregates/0/of gives a text, but sum is of numbers"]
    );
}

const ALL: [&str; 7] = ["count", "sum", "mean", "min", "max", "last", "distinct"];

proptest! {
    /// What a request sees is what the training set saw, bit for bit, whether earlier rows were loaded or remembered.
    #[test]
    fn one_row_alone_and_the_whole_set_agree_to_the_bit(
        rows in prop::collection::vec((0..3_usize, 0..12_i64, prop::option::of(-1e3..1e3_f64)), 1..60),
        kept in 0..60_usize,
    ) {
        let mut rows: Vec<_> = rows.into_iter().map(|(c, at, fare)| (Some(["a", "b", "c"][c]), at, fare)).collect();
        rows.sort_by_key(|row| row.1);
        let data = trips(&rows);
        let text: Vec<String> = ALL.iter().map(|function| aggregate(function, if *function == "count" { "" } else { "fare" })).collect();
        let document = document(&text.concat());
        let whole = history(&document, &own(&data)).join(&data).unwrap();
        // The rows of one time are loaded together.
        let cut = rows.iter().position(|row| row.1 >= rows[kept.min(rows.len() - 1)].1).unwrap();
        let loaded = trips(&rows[..cut]);
        let mut alone = history(&document, &own(&loaded));
        let schema = data.schema().to_vec();
        for (row, (company, at, _)) in rows.iter().enumerate() {
            let part = |name: &str| (name == "company").then(|| Part::Text(company.unwrap().into()));
            let cells = alone.row(part, at * HOUR);
            for (function, cell) in ALL.iter().zip(&cells) {
                let expected = numbers(&whole, function)[row].map(f64::to_bits);
                let got = match cell.value { Value::Number(number) => Some(number.to_bits()), _ => None };
                prop_assert_eq!(got, expected, "{} of row {}", function, row);
                if *function == "count" {
                    let newest = rows[..row].iter().filter(|other| other.0 == *company && other.1 < *at).map(|other| other.1 * HOUR).max();
                    let seen = if cell.value == Value::Number(0.0) { None } else { newest };
                    prop_assert_eq!(cell.as_of, seen, "age of row {}", row);
                }
            }
            if row >= cut {
                alone.remember(part, &schema, &data.row(row), at * HOUR);
            }
        }
    }
}

mod parity {
    use millrace_domain::Digest;
    use millrace_domain::schema::Value;
    use serde_json::{Map, json};

    use super::*;
    use crate::features::FeaturePlan;
    use crate::model::{AsOf, Lineage, Model, micros};
    use crate::parity::{Request, recompute, seen_by};
    use crate::split::Split;
    use crate::train::{Trainer, TrainerConfig, train};

    /// A model over the fares of the last three hours and the hour of the day, trained on a hundred trips.
    fn model() -> (Model, Sources) {
        let rows: Vec<_> = (0..100_i64)
            .map(|row| (Some(["a", "b"][row as usize % 2]), row, Some(((row * 37) % 21) as f64 + 0.1)))
            .collect();
        let data = trips(&rows);
        let text = format!("{}[[features]]\nname = \"hour\"\nexpression = \"hour(at)\"\n", aggregate("sum", "fare"));
        let document = document(&text);
        let sources = own(&data);
        let plan = FeaturePlan::compile(&document, data.schema(), &sources.table_columns()).unwrap();
        let joined = History::new(plan.joins(), &sources).unwrap().join(&data).unwrap();
        let (table, labels) = (plan.table(&joined).unwrap(), plan.labels(&joined).unwrap());
        let split = Split::new(&document.data.split, &joined, Some("at"), &labels).unwrap();
        let config = TrainerConfig::default_of(Trainer::Logistic);
        let fitted = train(&table, &labels, &split, plan.kind(), &config, 1, &()).unwrap();
        let digest = Digest::of("x");
        let lineage = Lineage {
            dataset: digest,
            tables: Default::default(),
            problem: digest,
            features: digest,
            trainer: config,
            seed: 1,
        };
        (Model::new(&plan, fitted, lineage), sources)
    }

    fn object(company: &str, hour: i64, fare: f64) -> Map<String, serde_json::Value> {
        let day = 5 + hour / 24;
        let at = format!("1970-01-{day:02}T{:02}:00:00Z", hour % 24);
        json!({ "company": company, "at": at, "fare": fare }).as_object().unwrap().clone()
    }

    fn time(object: &Map<String, serde_json::Value>) -> i64 {
        micros(millrace_domain::problem::TimeFormat::Iso, &object["at"]).unwrap()
    }

    #[test]
    fn what_serving_answers_is_what_training_computes_to_the_bit() {
        let (model, sources) = model();
        let mut history = History::new(model.joins(), &sources).unwrap();
        let mut before: Vec<Map<String, serde_json::Value>> = Vec::new();
        for hour in 5..30 {
            let asked = object(["a", "b"][hour as usize % 2], hour, hour as f64 / 3.0);
            let as_of = Some(AsOf { history: &history, time: time(&asked) });
            let instance = model.instance(&asked, as_of).unwrap();
            let answer = model.predict_row(&instance).unwrap();
            let earlier: Vec<Request<'_>> =
                before.iter().map(|object| Request { object, time: time(object) }).collect();
            let again =
                recompute(&model, &sources, &earlier, &[Request { object: &asked, time: time(&asked) }]).unwrap();
            assert_eq!(again[0].prediction, answer);
            assert_eq!(again[0].joined, instance.joined(&model));
            model.remember(&mut history, &asked, time(&asked));
            before.push(asked);
        }
        let sums = before.len();
        assert!(sums > 20 && history.remembered() > 0);
    }

    #[test]
    fn requests_about_others_change_no_answer_and_are_told_apart() {
        let (model, sources) = model();
        let before: Vec<_> = (5..25).map(|hour| object(["a", "b"][hour % 2], hour as i64, hour as f64)).collect();
        let earlier: Vec<Request<'_>> = before.iter().map(|object| Request { object, time: time(object) }).collect();
        let asked = object("a", 26, 1.0);
        let asked = [Request { object: &asked, time: time(&asked) }];
        let seen = seen_by(&model, &earlier, &asked).unwrap();
        assert!(seen.iter().all(|place| before[*place]["company"] == "a") && seen.len() == 10);
        let seen: Vec<Request<'_>> = seen.into_iter().map(|place| earlier[place].clone()).collect();
        let [all, those] = [&earlier, &seen].map(|before| recompute(&model, &sources, before, &asked).unwrap());
        assert_eq!(those, all);
    }

    #[test]
    fn a_slip_of_a_time_zone_in_one_path_is_a_difference() {
        let (model, sources) = model();
        let history = History::new(model.joins(), &sources).unwrap();
        let asked = object("a", 3, 1.0);
        let slipped = time(&asked) - 2 * HOUR;
        let instance = model.instance(&asked, Some(AsOf { history: &history, time: slipped })).unwrap();
        let again = recompute(&model, &sources, &[], &[Request { object: &asked, time: time(&asked) }]).unwrap();
        assert_ne!(again[0].joined, instance.joined(&model));
        assert!(matches!(again[0].joined[0], Value::Number(_)));
    }
}
