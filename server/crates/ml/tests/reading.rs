//! Reading, profiling and validating real files; the counts are those of the data's own description, or were counted with
//! Python's csv module and pyarrow.

#![expect(clippy::unwrap_used, reason = "a step that fails is the failure of its test")]

mod support;

use millrace_domain::problem::{ProblemDocument, TimeFormat};
use millrace_domain::schema::{ColumnProfile, ColumnType, Finding, Profile, Severity, ValidationReport, Value};
use millrace_ml::Dataset;
use millrace_ml::profile::profile;
use millrace_ml::read::{Content, Loaded, ReadOptions, read};
use millrace_ml::validate::{Known, validate};
use support::file;

/// A data file, read; none when the data is not on this machine.
fn load(path: &str, times: &[(&str, TimeFormat)]) -> Option<Loaded> {
    let bytes = file(path)?;
    let time_columns = times.iter().map(|(name, format)| ((*name).to_owned(), *format)).collect();
    let options = ReadOptions { time_columns, ..ReadOptions::default() };
    Some(read(&bytes, path, &options).unwrap_or_else(|error| panic!("{error}")))
}

fn type_of(dataset: &Dataset, name: &str) -> ColumnType {
    dataset.schema()[dataset.slot(name).unwrap()].column_type
}

fn column<'p>(profile: &'p Profile, name: &str) -> &'p ColumnProfile {
    profile.columns.iter().find(|column| column.column.name == name).unwrap()
}

fn problem(target: &str, features: &str) -> ProblemDocument {
    let regression = target.contains("regression");
    let success = if regression { "metric = \"rmse\", at_most = 1" } else { "metric = \"accuracy\", at_least = 0.5" };
    let text = format!(
        "slug = \"real\"\ntitle = \"Real\"\ndecision = \"None\"\ntarget = {{ name = \"answer\", {target} }}\n\
         data = {{ split = {{ kind = \"random\", seed = 1 }} }}\nsuccess = {{ {success} }}\nfeatures = [{features}]\n"
    );
    ProblemDocument::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn report(loaded: &Loaded, problem: &ProblemDocument) -> ValidationReport {
    validate(&loaded.dataset, &profile(&loaded.dataset, &loaded.notes), problem, Known::default())
}

fn finding<'r>(report: &'r ValidationReport, check: &str, column: Option<&str>) -> &'r Finding {
    let found = report.findings.iter().find(|finding| finding.check == check && finding.column.as_deref() == column);
    found.unwrap_or_else(|| panic!("no {check} of {column:?}"))
}

#[test]
fn taxi_trips_have_the_missing_cells_that_are_described() {
    let Some(loaded) = load("tfx_chicago_taxi/data.csv", &[("trip_start_timestamp", TimeFormat::UnixS)]) else {
        return;
    };
    let profile = profile(&loaded.dataset, &loaded.notes);
    assert_eq!((profile.rows, profile.columns.len()), (15_002, 18));
    let missing = [
        ("pickup_census_tract", 15_001),
        ("company", 5_140),
        ("dropoff_census_tract", 4_241),
        ("pickup_community_area", 2),
        ("trip_seconds", 6),
        ("fare", 0),
        ("tips", 0),
    ];
    for (name, expected) in missing {
        assert_eq!(column(&profile, name).missing, expected, "{name}");
    }
    assert_eq!(type_of(&loaded.dataset, "trip_start_timestamp"), ColumnType::Time);
    assert_eq!(type_of(&loaded.dataset, "company"), ColumnType::Text);
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
}

#[test]
fn blank_charges_are_found_and_named() {
    let Some(loaded) = load("telco_churn/Telco-Customer-Churn.csv", &[]) else { return };
    assert_eq!(type_of(&loaded.dataset, "TotalCharges"), ColumnType::Number);
    assert_eq!(loaded.notes["TotalCharges"], ["blank text in 11 rows (first: row 489) read as missing"]);
    let slot = loaded.dataset.slot("TotalCharges").unwrap();
    let blank: Vec<usize> =
        (0..loaded.dataset.rows()).filter(|row| loaded.dataset.cells(slot).is_missing(*row)).collect();
    // Counted with Python: rows whose TotalCharges is blank.
    assert_eq!(blank, [488, 753, 936, 1_082, 1_340, 3_331, 3_826, 4_380, 5_218, 6_670, 6_754]);

    let problem =
        problem("kind = \"binary\", column = \"Churn\"", "{ name = \"tenure\" }, { name = \"TotalCharges\" }");
    let report = report(&loaded, &problem);
    let warning = finding(&report, "reading", Some("TotalCharges"));
    assert!(warning.severity == Severity::Warning && warning.observed.contains("11 rows"));
    let critical = finding(&report, "null_share", Some("TotalCharges"));
    assert_eq!((critical.unexpected_rows, critical.examples[0].0), (11, 489));
    assert!(!report.allows_training());
}

#[test]
fn quoted_line_breaks_are_part_of_a_field() {
    let Some(loaded) = load("tfx_small/csv_multi_line_string.csv", &[]) else { return };
    assert_eq!(loaded.dataset.rows(), 3);
    let slot = loaded.dataset.slot("B").unwrap();
    assert_eq!(loaded.dataset.cells(slot).value(1), Value::Text("\"2,\n\"3\",\n4\n5\"".into()));
}

#[test]
fn a_column_that_is_always_empty_is_missing_everywhere() {
    let Some(loaded) = load("tfx_small/csv_empty_column.csv", &[]) else { return };
    let profile = profile(&loaded.dataset, &loaded.notes);
    assert_eq!((column(&profile, "B").missing, column(&profile, "C").missing), (3, 1));
    assert_eq!(type_of(&loaded.dataset, "B"), ColumnType::Text);
}

#[test]
fn wine_is_found_with_its_repeated_rows() {
    let Some(loaded) = load("mlflow_wine/wine-quality.csv", &[]) else { return };
    let problem = problem("kind = \"regression\", column = \"quality\"", "{ name = \"alcohol\", min = 0, max = 20 }");
    let report = report(&loaded, &problem);
    assert_eq!(loaded.dataset.rows(), 4_898);
    assert_eq!(finding(&report, "duplicate_rows", None).unexpected_rows, 937);
    assert!(report.allows_training(), "{:?}", report.blocking().next());
}

#[test]
fn semicolons_are_found_by_themselves() {
    for (path, rows, columns) in
        [("mlflow_wine/winequality-red.csv", 1_599, 12), ("bank_marketing/bank-additional-full.csv.gz", 41_188, 21)]
    {
        let Some(loaded) = load(path, &[]) else { return };
        assert_eq!(
            (loaded.delimiter, loaded.dataset.rows(), loaded.dataset.schema().len()),
            (Some(';'), rows, columns)
        );
    }
}

#[test]
fn the_one_skewed_penguin_is_found_by_its_range() {
    let Some(loaded) = load("tfx_penguin/penguins_skewed.csv", &[]) else { return };
    let features =
        "{ name = \"culmen_length_mm\", min = 0, max = 1 }, { name = \"culmen_depth_mm\", min = 0, max = 1 }";
    let report = report(&loaded, &problem("kind = \"multiclass\", column = \"species\"", features));
    assert_eq!(finding(&report, "min_value", Some("culmen_length_mm")).examples, [(2, "-1".to_owned())]);
    assert_eq!(report.blocking().count(), 1);
}

#[test]
fn row_names_of_r_are_accepted_and_a_stray_mark_is_seen() {
    let Some(loaded) = load("gx_titanic/Titanic.csv", &[]) else { return };
    let profile = profile(&loaded.dataset, &loaded.notes);
    assert_eq!((profile.rows, loaded.dataset.schema()[0].name.as_str()), (1_313, "row_names"));
    let age = column(&profile, "Age");
    // titanic_expected_data_asset_validate_results.json: mean 30.397989417989418, 557 missing.
    assert_eq!((age.mean, age.missing), (Some(30.397_989_417_989_418), 557));

    let class = "{ name = \"PClass\", type = \"category\", values = [\"1st\", \"2nd\", \"3rd\"] }";
    let report = report(&loaded, &problem("kind = \"binary\", column = \"Survived\"", class));
    assert_eq!(finding(&report, "allowed_values", Some("PClass")).observed, "\"*\" in 1 of 1,313 rows (0.08 %)");
}

#[test]
fn dictionaries_of_parquet_are_texts() {
    let Some(loaded) = load("evidently_adult/adults.parquet", &[]) else { return };
    let profile = profile(&loaded.dataset, &loaded.notes);
    assert_eq!((loaded.format.content, profile.rows), (Content::Parquet, 48_842));
    for (name, missing) in [("workclass", 2_799), ("occupation", 2_809), ("native-country", 857), ("age", 0)] {
        assert_eq!(column(&profile, name).missing, missing, "{name}");
    }
    assert_eq!(type_of(&loaded.dataset, "education"), ColumnType::Text);
    let report = report(&loaded, &problem("kind = \"binary\", column = \"class\"", "{ name = \"age\" }"));
    assert_eq!(finding(&report, "duplicate_rows", None).unexpected_rows, 52);
}

#[test]
fn timestamps_of_any_unit_are_times() {
    for path in [
        "feast_driver_stats/driver_stats.parquet",
        "feast_driver_stats/driver_stats_with_string.parquet",
        "feast_credit_scoring/loan_table.parquet",
    ] {
        let Some(loaded) = load(path, &[]) else { return };
        assert_eq!(type_of(&loaded.dataset, "event_timestamp"), ColumnType::Time, "{path}");
        let profile = profile(&loaded.dataset, &loaded.notes);
        let [first, .., last] = column(&profile, "event_timestamp").quantiles.unwrap();
        // 2020-01-01 and 2026-01-01 in microseconds.
        assert!(first >= 1_577_836_800e6 && last < 1_767_225_600e6, "{path}: {first} {last}");
    }
}

#[test]
fn every_file_of_the_collection_is_read_to_its_last_row() {
    let files = [
        ("statsmodels/fair.csv", 6_366, 9),
        ("gx_nyc_taxi/yellow_tripdata_sample_2019-02.csv.gz", 10_000, 18),
        ("nycflights13/weather.csv", 26_115, 15),
        ("nycflights13/planes.csv", 3_322, 9),
        ("nycflights13/flights_sample.csv", 32_735, 17),
        ("metaflow_movies/movies.csv", 3_751, 4),
        ("evidently_bike_sharing/hour.csv", 17_379, 17),
        ("nannyml_california_housing/reference.csv", 5_832, 13),
        ("credit_default/UCI_Credit_Card.csv.gz", 30_000, 25),
        ("elec2/elec2.csv.gz", 45_312, 9),
        ("feast_credit_scoring/my_training_ds.parquet", 28_638, 23),
        ("feast_credit_scoring/zipcode_table.parquet", 28_844, 9),
    ];
    for (path, rows, columns) in files {
        let Some(loaded) = load(path, &[]) else { return };
        assert_eq!((loaded.dataset.rows(), loaded.dataset.schema().len()), (rows, columns), "{path}");
        let stored = Dataset::from_parquet(&loaded.dataset.to_parquet().unwrap()).unwrap();
        assert_eq!(stored.digest(), loaded.dataset.digest(), "{path}");
    }
}

#[test]
fn marks_of_missing_values_are_missing_among_numbers_and_texts_among_texts() {
    let Some(loaded) = load("nycflights13/weather.csv", &[]) else { return };
    assert_eq!(type_of(&loaded.dataset, "wind_gust"), ColumnType::Number);
    assert!(loaded.notes["wind_gust"][0].starts_with("\"NA\" in "));
    let Some(loaded) = load("gx_small/missingness.csv", &[]) else { return };
    assert_eq!(type_of(&loaded.dataset, "type"), ColumnType::Text);
    assert_eq!(loaded.dataset.cells(loaded.dataset.slot("type").unwrap()).value(4), Value::Text("NULL".into()));
}
