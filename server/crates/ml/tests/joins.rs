//! Joins on real data, against the numbers of other programs: Feast's own point-in-time join, and windows summed with Python's
//! `math.fsum` over numpy arrays (numpy 2, pandas 3).

#![expect(clippy::unwrap_used, reason = "a step that fails is the failure of its test")]

mod support;

use std::sync::Arc;

use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::{CheckOutcome, Value};
use millrace_ml::Dataset;
use millrace_ml::join::{History, Joins, Sources};
use millrace_ml::profile::profile;
use millrace_ml::read::{ReadOptions, read};
use millrace_ml::validate::{Known, validate_table};
use support::file;

fn load(path: &str) -> Option<Dataset> {
    Some(read(&file(path)?, path, &ReadOptions::default()).unwrap().dataset)
}

/// A document whose target is the column `target`, and whose rows happen at `event_time`.
fn document(target: &str, event_time: &str, joins: &str) -> ProblemDocument {
    let text = format!(
        "slug = \"joined\"\ntitle = \"T\"\ndecision = \"D\"\n\
         target = {{ name = \"y\", kind = \"regression\", column = \"{target}\" }}\n\
         data = {{ event_time = \"{event_time}\", split = {{ kind = \"time\", validation = 0.2, test = 0.2 }} }}\n\
         success = {{ metric = \"rmse\", at_most = 1 }}\n{joins}"
    );
    ProblemDocument::parse(&text).unwrap()
}

fn joined(document: &ProblemDocument, data: &Dataset, tables: &[(&str, &Dataset)]) -> Dataset {
    let tables = tables.iter().map(|(name, table)| ((*name).to_owned(), Arc::new((*table).clone())));
    let sources = Sources { own: Some(Arc::new(data.clone())), tables: tables.collect() };
    let joins = Joins::compile(document, data.schema(), &sources.table_columns()).unwrap();
    History::new(&joins, &sources).unwrap().join(data).unwrap()
}

fn cell<'d>(dataset: &'d Dataset, column: &str, row: usize) -> Value<'d> {
    dataset.cells(dataset.slot(column).unwrap()).value(row)
}

fn numbers(dataset: &Dataset, column: &str) -> Vec<Option<f64>> {
    let number = |row| match cell(dataset, column, row) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    (0..dataset.rows()).map(number).collect()
}

const ZIPCODES: [&str; 6] = ["city", "state", "location_type", "tax_returns_filed", "population", "total_wages"];

fn zipcodes(time_to_live: &str) -> String {
    let features = ZIPCODES.map(|name| {
        let kind = if ZIPCODES[..3].contains(&name) { "category" } else { "number" };
        format!("[[features]]\nname = \"zip_{name}\"\nexpression = \"zipcodes.{name}\"\ntype = \"{kind}\"\nnullable = true\n")
    });
    format!(
        "[[tables]]\nname = \"zipcodes\"\nkey = \"zipcode\"\nevent_time = \"event_timestamp\"\n\
         known_time = \"created_timestamp\"\n[[lookups]]\ntable = \"zipcodes\"\ntime_to_live = \"{time_to_live}\"\n{}",
        features.concat()
    )
}

#[test]
fn feasts_own_join_of_loans_and_zip_codes_is_reproduced_in_every_row() {
    let Some(expected) = load("feast_credit_scoring/my_training_ds.parquet") else { return };
    let zips = load("feast_credit_scoring/zipcode_table.parquet").unwrap();
    let document = document("loan_amnt", "event_timestamp", &zipcodes("3650d"));
    let found = joined(&document, &expected, &[("zipcodes", &zips)]);
    assert_eq!(found.rows(), 28_638);
    for name in ZIPCODES {
        for row in 0..expected.rows() {
            let here = cell(&found, &format!("zipcodes.{name}"), row);
            assert_eq!(here, cell(&expected, name, row), "{name} of row {}", row + 1);
        }
    }
}

#[test]
fn zip_codes_older_than_their_time_to_live_are_missing_in_every_row() {
    let Some(loans) = load("feast_credit_scoring/loan_table.parquet") else { return };
    let zips = load("feast_credit_scoring/zipcode_table.parquet").unwrap();
    // The table is 3.6 to 4.7 years older than the loans.
    let found = joined(&document("loan_amnt", "event_timestamp", &zipcodes("1300d")), &loans, &[("zipcodes", &zips)]);
    for name in ZIPCODES {
        assert_eq!(found.cells(found.slot(&format!("zipcodes.{name}")).unwrap()).missing(), loans.rows(), "{name}");
    }
}

const DRIVERS: &str = "[[tables]]\nname = \"drivers\"\nkey = \"driver_id\"\nevent_time = \"event_timestamp\"\n\
    known_time = \"created\"\n[[lookups]]\ntable = \"drivers\"\ntime_to_live = \"1d\"\n\
    [[features]]\nname = \"rate\"\nexpression = \"drivers.conv_rate\"\nnullable = true\n\
    [[features]]\nname = \"trips\"\nexpression = \"drivers.avg_daily_trips\"\nnullable = true\n";

#[test]
fn a_pushed_row_is_seen_from_the_time_it_was_created() {
    use millrace_ml::ColumnData;
    let Some(drivers) = load("feast_driver_stats/driver_stats.parquet") else { return };
    let moments = ["2024-09-10T15:52:25.905769Z", "2024-09-10T15:52:25.905770Z", "2024-09-10T10:09:16Z"];
    let micros = moments.map(|text| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_micros());
    let asked = Dataset::from_parts([
        ("driver_id", ColumnData::Integer(vec![Some(1001); 3])),
        ("at", ColumnData::Time(micros.map(Some).to_vec())),
        ("y", ColumnData::Number(vec![Some(0.0); 3])),
    ])
    .unwrap();
    let found = joined(&document("y", "at", DRIVERS), &asked, &[("drivers", &drivers)]);
    let trips = numbers(&found, "drivers.avg_daily_trips");
    // A microsecond before it was created, the hand-pushed row has happened but is not known; before anything was created,
    // nothing is.
    assert_ne!(trips[0], Some(1_000.0));
    assert!(trips[0].is_some());
    assert_eq!((trips[1], numbers(&found, "drivers.conv_rate")[1]), (Some(1_000.0), Some(1.0)));
    assert_eq!(trips[2], None);
}

#[test]
fn repeated_rows_of_the_driver_table_are_named() {
    for name in ["driver_stats", "driver_stats_with_string"] {
        let Some(drivers) = load(&format!("feast_driver_stats/{name}.parquet")) else { return };
        let document = document("y", "at", DRIVERS);
        let table = document.table("drivers").unwrap();
        let report =
            validate_table(&drivers, &profile(&drivers, &Default::default()), &document, table, Known::default());
        let repeated = report.findings.iter().find(|finding| finding.check == "key_unique").unwrap();
        assert_eq!((repeated.outcome, repeated.unexpected_rows), (CheckOutcome::Failed, 2), "{}", repeated.observed);
        assert!(report.allows_training());
    }
}

#[test]
fn windows_over_taxi_rides_have_the_sums_of_another_program() {
    let Some(rides) = load("gx_nyc_taxi/yellow_tripdata_sample_2019-01.csv.gz") else { return };
    let aggregate = |function: &str, of: &str| {
        let of = if of.is_empty() { String::new() } else { format!("of = \"{of}\"\n") };
        format!(
            "[[aggregates]]\nname = \"w_{function}\"\nover = \"pickup_location_id\"\nfunction = \"{function}\"\n{of}window = \"7d\"\n"
        )
    };
    let joins = [
        aggregate("count", ""),
        aggregate("sum", "fare_amount"),
        aggregate("mean", "fare_amount"),
        aggregate("max", "fare_amount"),
        aggregate("last", "fare_amount"),
        aggregate("distinct", "passenger_count"),
    ];
    let found = joined(&document("tip_amount", "pickup_datetime", &joins.concat()), &rides, &[]);
    let total = |function: &str| -> f64 {
        // Summed exactly: the totals are of ten thousand rounded numbers.
        let known: Vec<f64> = numbers(&found, &format!("w_{function}")).into_iter().flatten().collect();
        xsum::XsumExt::xsum(known.as_slice())
    };
    assert_eq!(total("count"), 487_443.0);
    assert_eq!(total("sum"), 5_756_040.43);
    assert_eq!(total("mean"), 119_254.617_740_64);
    assert_eq!(total("max"), 510_695.4);
    assert_eq!(total("last"), 120_361.64);
    assert_eq!(total("distinct"), 46_141.0);
    assert_eq!(numbers(&found, "w_mean").iter().filter(|mean| mean.is_none()).count(), 180);
}
