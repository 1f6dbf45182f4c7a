//! Numbers of other programs on the same bytes: TensorFlow Data Validation, Great Expectations, scipy, and population stability
//! indices computed with numpy.

#![expect(clippy::unwrap_used, reason = "a step that fails is the failure of its test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::drift::{Binning, ColumnDrift, FLOOR, distances};
use millrace_domain::partition::{Partition, Parts};
use millrace_domain::problem::{ProblemDocument, Rule, data_validation_schema, expectation_suite};
use millrace_domain::schema::{CheckOutcome, Finding, Profile, ValidationReport, Value};
use millrace_ml::Dataset;
use millrace_ml::drift::compare;
use millrace_ml::profile::profile;
use millrace_ml::read::{ReadOptions, read};
use millrace_ml::validate::{Known, validate};
use serde_json::Value as Json;
use support::file;

fn load(path: &str) -> Option<Dataset> {
    Some(read(&file(path)?, path, &ReadOptions::default()).unwrap().dataset)
}

fn rows(range: std::ops::Range<usize>) -> Vec<u32> {
    range.map(|row| u32::try_from(row).unwrap()).collect()
}

fn of<'t>(columns: &'t [ColumnDrift], name: &str) -> &'t ColumnDrift {
    columns.iter().find(|column| column.column == name).unwrap_or_else(|| panic!("{name} was not compared"))
}

/// The index as it is written down: rounded to the digits that are given.
#[track_caller]
fn psi_is(columns: &[ColumnDrift], expected: &[(&str, &str)]) {
    for (name, expected) in expected {
        rounds_to(of(columns, name).distances.psi, expected, name);
    }
}

#[track_caller]
fn rounds_to(found: f64, expected: &str, what: &str) {
    let digits = expected.split('.').nth(1).map_or(0, str::len);
    // Half a unit of the last digit, and no more than rounding of the number itself.
    let half = 0.5 / 10f64.powi(i32::try_from(digits).unwrap()) + 1e-9;
    let stated: f64 = expected.parse().unwrap();
    assert!((found - stated).abs() <= half, "{what} is {found}, not {expected}");
}

#[test]
fn adult_drifts_as_evidently_shows_it() {
    let Some(bytes) = file("evidently_adult/adults.parquet") else { return };
    let adult = read(&bytes, "adults.parquet", &ReadOptions::default()).unwrap().dataset;
    let education = adult.cells(adult.slot("education").unwrap());
    let (current, reference): (Vec<u32>, Vec<u32>) = rows(0..adult.rows()).into_iter().partition(|row| {
        let value = format!("{:?}", education.value(*row as usize));
        ["\"Some-college\"", "\"HS-grad\"", "\"Bachelors\""].iter().any(|kind| value.contains(kind))
    });
    assert_eq!((reference.len(), current.len()), (14_155, 34_687));
    let found = compare(&adult.take(&reference), &adult.take(&current), 1);
    // Of columns with gaps the stated numbers leave those out; here they have a bin of their own.
    psi_is(&found.columns, &[("education", "15.0"), ("education-num", "6.05"), ("age", "0.07")]);
    for (name, expected) in [("occupation", "0.19"), ("native-country", "0.10")] {
        let column = of(&found.columns, name);
        let known = column.binning.missing();
        let psi = distances(&column.reference[..known], &column.current[..known]).unwrap().psi;
        rounds_to(psi, expected, name);
    }
    let named = ["education", "education-num", "occupation", "native-country", "age"];
    for column in found.columns.iter().filter(|column| !named.contains(&column.column.as_str())) {
        assert!(column.distances.psi < 0.02, "{}: {}", column.column, column.distances.psi);
    }
}

#[test]
fn bank_marketing_drifts_between_its_years() {
    let Some(bank) = load("bank_marketing/bank-additional-full.csv.gz") else { return };
    let cut = bank.rows() * 7 / 10;
    let found = compare(&bank.take(&rows(0..cut)), &bank.take(&rows(cut..bank.rows())), 1);
    let expected = [
        ("emp.var.rate", "11.5"),
        ("nr.employed", "11.3"),
        ("euribor3m", "8.5"),
        ("cons.price.idx", "5.1"),
        ("cons.conf.idx", "4.5"),
        ("month", "1.4"),
        ("poutcome", "1.1"),
        ("contact", "0.79"),
        ("loan", "0.00"),
        ("education", "0.01"),
    ];
    psi_is(&found.columns, &expected);
}

#[test]
fn the_price_of_electricity_drifts_and_its_constant_columns_are_seen_to_move() {
    let Some(elec) = load("elec2/elec2.csv.gz") else { return };
    let cut = elec.rows() * 3 / 10;
    let found = compare(&elec.take(&rows(0..cut)), &elec.take(&rows(cut..elec.rows())), 1);
    psi_is(&found.columns, &[("nswprice", "1.06"), ("nswdemand", "0.04")]);
    for constant in ["vicprice", "vicdemand", "transfer"] {
        assert!(of(&found.columns, constant).distances.psi > 1.0, "{constant}");
    }
}

#[test]
fn inputs_that_do_not_drift_raise_nothing() {
    let Some(sea) = load("sea/sea.csv.gz") else { return };
    let block = |number: usize| sea.take(&rows(number * 12_500..(number + 1) * 12_500));
    for number in 1..4 {
        for column in compare(&block(0), &block(number), 1).columns.iter().filter(|column| column.column != "class") {
            assert!(column.distances.psi < 0.003, "{} in block {number}: {}", column.column, column.distances.psi);
        }
    }
}

#[test]
fn taxi_rides_drift_in_the_pandemic_and_not_before() {
    let month = |month: &str| load(&format!("gx_nyc_taxi/yellow_tripdata_sample_{month}.csv.gz"));
    let Some(first) = month("2019-07") else { return };
    // Places are numbers that name: they are compared as texts, as a feature of kind category has them.
    let places = |dataset: &Dataset| {
        let cells = dataset.cells(dataset.slot("pickup_location_id").unwrap());
        (0..dataset.rows()).map(|row| Some(place(&cells.value(row)))).collect::<Vec<_>>()
    };
    let mut reference = places(&first);
    for number in 8..13 {
        reference.extend(places(&month(&format!("2019-{number:02}")).unwrap()));
    }
    let column =
        |values: Vec<Option<String>>| Dataset::from_parts([("place", millrace_ml::ColumnData::Text(values))]).unwrap();
    let reference = column(reference);
    let psi = |name: &str| compare(&reference, &column(places(&month(name).unwrap())), 1).columns[0].distances.psi;
    for (name, expected) in
        [("2020-01", "0.014"), ("2020-02", "0.018"), ("2020-03", "0.029"), ("2020-04", "0.787"), ("2020-05", "0.826")]
    {
        let found = psi(name);
        rounds_to(found, expected, name);
        assert_eq!(found > 0.25, name >= "2020-04", "alarm in {name}");
    }
}

fn place(value: &Value<'_>) -> String {
    format!("{value:?}")
}

// scipy 1.17.1, ks_2samp: exact chances; ours is the limit of many rows, within 0.001 at 1,000 rows.
#[test]
fn samples_of_one_distribution_pass_the_test_of_kolmogorov_and_smirnov() {
    let (Some(base), Some(test)) = (
        load("gx_small/distributional_expectations_data_base.csv"),
        load("gx_small/distributional_expectations_data_test.csv"),
    ) else {
        return;
    };
    let found = compare(&base, &test, 1);
    for (name, statistic, p_value) in
        [("bimodal", 0.028, 0.828), ("norm_0_1", 0.058, 0.069), ("norm_10_1", 0.04, 0.401), ("norm_1_1", 0.03, 0.759)]
    {
        let ks = of(&found.columns, name).ks.unwrap();
        assert!((ks.statistic - statistic).abs() < 1e-12 && (ks.p_value - p_value).abs() < 1e-3, "{name}: {ks:?}");
    }
}

#[test]
fn distances_are_computed_again_from_the_stored_bins() {
    let (Some(train), Some(eval)) =
        (load("tfx_chicago_taxi/tfdv_demo_train.csv.gz"), load("tfx_chicago_taxi/tfdv_demo_eval.csv.gz"))
    else {
        return;
    };
    let found = compare(&train, &eval, 1);
    // As TensorFlow Data Validation's tutorial has them.
    for (name, expected) in [("payment_type", 0.0048), ("company", 0.0082)] {
        let apart = of(&found.columns, name).distances.l_infinity;
        assert!((apart - expected).abs() < 5e-5, "{name}: {apart}");
    }
    let stored: Json = serde_json::to_value(&found).unwrap();
    for column in stored["columns"].as_array().unwrap() {
        let counts = |side: &str| -> Vec<f64> {
            let counts: Vec<f64> =
                column[side].as_array().unwrap().iter().map(|count| count.as_f64().unwrap()).collect();
            let all: f64 = counts.iter().sum();
            counts.iter().map(|count| f64::max(count / all, FLOOR)).collect()
        };
        let (q, p) = (counts("reference"), counts("current"));
        let (sum_q, sum_p): (f64, f64) = (q.iter().sum(), p.iter().sum());
        let (mut kl, mut psi) = (0.0, 0.0);
        for bin in 0..p.len() {
            kl += p[bin] / sum_p * ((p[bin] / sum_p).ln() - (q[bin] / sum_q).ln());
            psi += (p[bin] - q[bin]) * (p[bin].ln() - q[bin].ln());
        }
        for (name, found) in [("kl", kl), ("psi", psi)] {
            let stated = column["distances"][name].as_f64().unwrap();
            assert!((stated - found).abs() <= 1e-12, "{} of {}: {stated} is not {found}", name, column["column"]);
        }
    }
    assert!(matches!(of(&found.columns, "company").binning, Binning::Texts { .. }));
}

fn profiled(dataset: &Dataset) -> Profile {
    profile(dataset, &BTreeMap::new())
}

#[test]
fn statistics_are_those_of_tensorflow_data_validation() {
    for part in ["train", "eval"] {
        let (Some(data), Some(stats)) = (
            load(&format!("tfx_chicago_taxi/tfdv_golden/{part}.csv.gz")),
            file(&format!("tfx_chicago_taxi/tfdv_golden/{part}_stats.json")),
        ) else {
            return;
        };
        let stats: Json = serde_json::from_slice(&stats).unwrap();
        let features = stats["datasets"][0]["features"].as_array().unwrap();
        let profile = profiled(&data);
        assert_eq!(features.len(), profile.columns.len());
        for feature in features {
            let name = feature["name"].as_str().or_else(|| feature["path"]["step"][0].as_str()).unwrap();
            let column = profile.columns.iter().find(|column| column.column.name == name).unwrap();
            let number = |value: &Json| value.as_f64().or_else(|| value.as_str()?.parse().ok());
            let numeric = &feature["num_stats"];
            let common =
                if numeric.is_null() { &feature["string_stats"]["common_stats"] } else { &numeric["common_stats"] };
            // TFDV keeps features as 32-bit floats, so each value is off by up to half an epsilon of its size: Python's exact
            // `statistics.pstdev` gives our number for the text's values and TFDV's for those values rounded to 32 bits.
            let rounded = |what: &str| match what {
                "standard deviation" => f64::from(f32::EPSILON) / 2.0 * column.mean.map_or(0.0, f64::abs),
                _ => 0.0,
            };
            let same = |what: &str, found: f64, stated: &Json| {
                let stated = number(stated).unwrap_or(0.0);
                let within = 1e-6 * stated.abs() + rounded(what);
                assert!((found - stated).abs() <= within, "{part} {name} {what}: {found}, not {stated}");
            };
            same("present", column.present as f64, &common["num_non_missing"]);
            same("missing", column.missing as f64, &common["num_missing"]);
            if column.present == 0 {
                continue;
            }
            if !numeric.is_null() {
                let quantiles = column.quantiles.unwrap();
                same("mean", column.mean.unwrap(), &numeric["mean"]);
                same("standard deviation", column.standard_deviation.unwrap(), &numeric["std_dev"]);
                same("least", quantiles[0], &numeric["min"]);
                same("greatest", quantiles[6], &numeric["max"]);
                let cells = data.cells(data.slot(name).unwrap());
                let zeros = (0..data.rows()).filter(|row| cells.value(*row) == Value::Number(0.0)).count();
                same("zeros", zeros as f64, &numeric["num_zeros"]);
            } else {
                let texts = &feature["string_stats"];
                same("distinct", column.distinct as f64, &texts["unique"]);
                for (rank, top) in texts["top_values"].as_array().unwrap().iter().take(column.top.len()).enumerate() {
                    same("top", column.top[rank].1 as f64, &top["frequency"]);
                }
            }
        }
    }
}

const TITANIC: &str = r#"
slug = "titanic"
title = "Survived"
decision = "None"
target = { name = "survived", kind = "binary", column = "Survived" }
data = { split = { kind = "random", validation = 0.2, test = 0.2, seed = 1 } }
success = { metric = "roc_auc", at_least = 0.7 }
features = [{ name = "Sex", type = "category" }]
"#;

#[test]
fn the_suite_of_great_expectations_gives_its_one_failure() {
    let (Some(data), Some(suite), Some(results)) = (
        load("gx_titanic/Titanic.csv"),
        file("gx_titanic/titanic_expectations.json"),
        file("gx_titanic/titanic_expected_data_asset_validate_results.json"),
    ) else {
        return;
    };
    let imported = expectation_suite(&String::from_utf8(suite).unwrap()).unwrap();
    assert_eq!((imported.checks.len(), imported.left_out.len()), (10, 0));
    let document = ProblemDocument::parse(&format!("{TITANIC}{}", imported.to_toml())).unwrap();
    let report: ValidationReport = validate(&data, &profiled(&data), &document, Known::default());
    let found = |name: &str| report.findings.iter().find(|finding| finding.check == name).unwrap();
    let failed: Vec<&str> = imported
        .checks
        .iter()
        .filter(|check| found(&check.name).outcome == CheckOutcome::Failed)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(failed, ["PClass values to be in set"]);
    assert!(
        imported
            .checks
            .iter()
            .all(|check| matches!(found(&check.name).outcome, CheckOutcome::Failed | CheckOutcome::Passed))
    );
    let results: Json = serde_json::from_slice(&results).unwrap();
    let failures = results["results"].as_array().unwrap().iter().filter(|result| result["success"] == false).count();
    assert_eq!(failures, failed.len());
    assert_eq!(found("PClass values to be in set").examples[0].1, "*");
    let regex = found("Name values to match regex");
    assert_eq!((regex.unexpected_rows, regex.outcome), (3, CheckOutcome::Passed));
    assert_eq!(found("Age mean to be between").observed, "30.397989417989418");
    assert!(matches!(imported.checks[8].rule, Rule::Rows { at_least: 0.95, .. }));
}

#[test]
fn passenger_counts_of_zero_appear_in_february() {
    let rule = "[[checks]]\nname = \"passengers\"\nexpression = \"passenger_count > 0\"\n";
    let text = TITANIC
        .replace("column = \"Survived\"", "expression = \"payment_type = 1\"")
        .replace("{ name = \"Sex\", type = \"category\" }", "{ name = \"trip_distance\" }");
    let document = ProblemDocument::parse(&format!("{text}{rule}")).unwrap();
    for (month, rows) in [("2019-01", 0), ("2019-02", 1_579), ("2019-03", 199)] {
        let Some(data) = load(&format!("gx_nyc_taxi/yellow_tripdata_sample_{month}.csv.gz")) else { return };
        let report = validate(&data, &profiled(&data), &document, Known::default());
        let finding = report.findings.iter().find(|finding| finding.check == "passengers").unwrap();
        assert_eq!(finding.unexpected_rows, rows, "{month}: {}", finding.observed);
        assert_eq!(report.allows_training(), rows == 0, "{month}");
    }
}

/// The columns that a report says give the target away.
fn leaks(data: &Dataset, target: &str, features: &[&str], success: &str) -> Vec<String> {
    let features: Vec<String> = features
        .iter()
        .map(|name| format!("{{ name = \"f {name}\", expression = '\"{name}\"', nullable = true }}"))
        .collect();
    let text = format!(
        "slug = \"leaks\"\ntitle = \"T\"\ndecision = \"D\"\n{target}\n{success}\nfeatures = [{}]\n\
         data = {{ split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n",
        features.join(", ")
    );
    let report = validate(data, &profiled(data), &ProblemDocument::parse(&text).unwrap(), Known::default());
    let leaking = |finding: &&millrace_domain::schema::Finding| {
        matches!(finding.check.as_str(), "target_leak" | "target_copy") && finding.outcome == CheckOutcome::Failed
    };
    report.findings.iter().filter(leaking).map(|finding| finding.observed.clone()).collect()
}

#[test]
fn the_duration_of_a_call_gives_away_how_it_ended_and_nothing_else_does() {
    let Some(bank) = load("bank_marketing/bank-additional-full.csv.gz") else { return };
    let target = "target = { name = \"yes\", kind = \"binary\", column = \"y\" }";
    let features = ["duration", "age", "nr.employed", "euribor3m", "emp.var.rate", "pdays", "previous", "campaign"];
    let found = leaks(&bank, target, &features, "success = { metric = \"roc_auc\", at_least = 0.7 }");
    // From the ranks of scipy 1.17.1: 0.818.
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("0.818"), "{found:?}");
}

#[test]
fn casual_and_registered_riders_are_all_riders() {
    let Some(hours) = load("evidently_bike_sharing/hour.csv") else { return };
    let target = "target = { name = \"riders\", kind = \"regression\", column = \"cnt\" }";
    let features = ["temp", "atemp", "hum", "windspeed", "hr", "casual", "registered"];
    let found = leaks(&hours, target, &features, "success = { metric = \"rmse\", at_most = 100 }");
    assert_eq!(found, ["f casual plus f registered is the target; are both known before it is?"]);
}

/// A number of the vectors, which write infinities as Python does.
fn edges(partition: &Json) -> Option<(Vec<f64>, bool, bool)> {
    let infinite = |edge: &Json| edge.as_str().is_some();
    let all = partition["bins"].as_array()?;
    let finite = all.iter().filter_map(Json::as_f64).collect();
    Some((finite, all.first().is_some_and(infinite), all.last().is_some_and(infinite)))
}

/// The partition of a case; infinite edges and `tail_weights` are what `below` and `above` say here.
fn partition_of(case: &Json) -> Option<Partition> {
    let given = &case["partition_object"];
    let numbers =
        |key: &str| -> Vec<f64> { given[key].as_array().into_iter().flatten().filter_map(Json::as_f64).collect() };
    let mut weights = numbers("weights");
    let parts = match edges(given) {
        None => {
            let texts = given["values"].as_array()?.iter().map(|value| value.as_str().unwrap().to_owned());
            Parts::Values { values: texts.collect() }
        }
        Some((bins, lower, upper)) => {
            let tails = numbers("tail_weights");
            let above = if upper { weights.pop() } else { tails.get(1).copied() };
            let below = if lower { Some(weights.remove(0)) } else { tails.first().copied() };
            Parts::Bins { bins, below, above }
        }
    };
    let holdout = |key: &str| case[key].as_f64().unwrap_or(0.0);
    let tail_weight_holdout = holdout("tail_weight_holdout");
    let internal_weight_holdout = holdout("internal_weight_holdout");
    Some(Partition { parts, weights, tail_weight_holdout, internal_weight_holdout })
}

fn close(found: &[f64], expected: &Json, what: &str) {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-9, "{what}: {found}, not {expected}");
    }
}

#[test]
fn the_45_divergences_of_great_expectations_come_out() {
    let Some(bytes) = file("gx_small/kl_divergence_test_vectors.json") else { return };
    // Python writes infinities bare, which is no JSON.
    let text = String::from_utf8(bytes).unwrap().replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\"");
    let vectors: Json = serde_json::from_str(&text).unwrap();
    let mut seen = 0;
    for set in vectors["datasets"].as_array().unwrap() {
        for test in set["tests"].as_array().unwrap() {
            seen += 1;
            let (case, out) = (&test["in"], &test["out"]);
            let title = test["title"].as_str().unwrap();
            if case["partition_object"].is_null() {
                // Nothing is written down, so there is nothing to compare with: elsewhere a profiler may fill it in.
                continue;
            }
            let refused = partition_of(case).map(|partition| partition.check());
            if !out["traceback_substring"].is_null() {
                assert!(!matches!(refused, Some(Ok(()))), "{title} is refused");
                continue;
            }
            assert_eq!(refused, Some(Ok(())), "{title}");
            let partition = partition_of(case).unwrap();
            let column = set["data"][case["column"].as_str().unwrap()].as_array().unwrap();
            let texts = column.iter().filter_map(Json::as_str);
            let numbers = column.iter().filter_map(Json::as_f64);
            let compared = match partition.parts {
                Parts::Values { .. } => partition.compare_values(texts),
                Parts::Bins { .. } => partition.compare_numbers(numbers),
            };
            let compared = compared.unwrap_or_else(|| panic!("{title} has values"));
            if let Some(succeeds) = out["success"].as_bool() {
                let holds = case["threshold"]
                    .as_f64()
                    .is_none_or(|most| compared.divergence.is_some_and(|found| found <= most));
                assert_eq!(holds, succeeds, "{title}: {:?}", compared.divergence);
            }
            if let Some(observed) = out.get("observed_value") {
                match (observed.as_f64(), compared.divergence) {
                    (Some(expected), Some(found)) => assert!((found - expected).abs() < 1e-9, "{title}: {found}"),
                    (None, None) => {}
                    (expected, found) => panic!("{title}: {found:?}, not {expected:?}"),
                }
            }
            for (key, found) in [("observed_partition", &compared.observed), ("expected_partition", &compared.expected)]
            {
                let told =
                    out.get(key).or_else(|| out["details"].get(key)).filter(|told| told.get("tail_weights").is_some());
                let Some(told) = told else { continue };
                let inner = found.len() - 1;
                close(&found[1..inner], &told["weights"], &format!("{title}, {key}"));
                close(&[found[0], found[inner]], &told["tail_weights"], &format!("{title}, tails of {key}"));
            }
        }
    }
    assert_eq!(seen, 45);
}

/// The findings that a schema of TensorFlow Data Validation gives on data, by check.
fn anomalies(schema: &str, data: &str) -> Option<BTreeMap<String, Finding>> {
    let schema = String::from_utf8(file(schema)?).unwrap();
    let dataset = load(data)?;
    let imported = data_validation_schema(&schema).unwrap();
    let document = ProblemDocument { checks: imported.checks, ..checked() };
    let report = validate(&dataset, &profile(&dataset, &Default::default()), &document, Known::default());
    let declared = |name: &str| document.checks.iter().any(|check| check.name == name);
    let broken = report.findings.into_iter().filter(|finding| {
        declared(&finding.check) && matches!(finding.outcome, CheckOutcome::Failed | CheckOutcome::Errored)
    });
    Some(broken.map(|finding| (finding.check.clone(), finding)).collect())
}

/// A document of which only the checks matter.
fn checked() -> ProblemDocument {
    ProblemDocument::parse(
        "slug = \"checked\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = { name = \"y\", kind = \"regression\", column = \"fare\" }\n\
         data = { split = { kind = \"random\", validation = 0.2, test = 0.2, seed = 1 } }\n\
         success = { metric = \"rmse\", at_most = 1 }\nfeatures = [{ name = \"trip_miles\" }]",
    )
    .unwrap()
}

#[test]
fn the_inferred_schema_of_tensorflow_data_validation_finds_its_own_anomalies() {
    const GOLDEN: &str = "tfx_chicago_taxi/tfdv_golden";
    let schema = format!("{GOLDEN}/inferred_schema.pbtxt");
    let Some(train) = anomalies(&schema, &format!("{GOLDEN}/train.csv.gz")) else { return };
    assert_eq!(train, BTreeMap::new());
    let eval = anomalies(&schema, &format!("{GOLDEN}/eval.csv.gz")).unwrap();
    let names: Vec<&str> = eval.keys().map(String::as_str).collect();
    assert_eq!(names, ["company in its domain", "payment_type in its domain", "pickup_census_tract has values"]);
    let rows = |check: &str| eval[check].unexpected_rows;
    assert_eq!((rows("company in its domain"), rows("payment_type in its domain")), (8, 1));
    assert!(eval["payment_type in its domain"].examples[0].1.contains("Prcard"));
}

#[test]
fn the_users_schema_of_the_taxi_example_finds_what_is_not_in_it() {
    let Some(found) = anomalies("tfx_chicago_taxi/user_provided_schema.pbtxt", "tfx_chicago_taxi/data.csv") else {
        return;
    };
    let company = &found["company in its domain"];
    let values: BTreeSet<&String> = company.examples.iter().map(|(_, value)| value).collect();
    assert_eq!((values.len(), company.unexpected_rows), (11, 14));
    for name in ["pickup_community_area present", "pickup_latitude present", "pickup_longitude present"] {
        assert!(found.contains_key(name), "{name}: {:?}", found.keys());
    }
    assert_eq!(found.len(), 4, "{:?}", found.keys());
}

#[test]
fn the_skewed_penguins_differ_in_one_cell() {
    let Some(skewed) = load("tfx_penguin/penguins_skewed.csv") else { return };
    let labelled = load("tfx_penguin/penguins_labelled.csv").unwrap();
    let document = ProblemDocument::parse(
        "slug = \"penguins\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = { name = \"y\", kind = \"multiclass\", column = \"species\" }\n\
         data = { split = { kind = \"random\", validation = 0.2, test = 0.2, seed = 1 } }\n\
         success = { metric = \"accuracy\", at_least = 0.9 }\n\
         features = [{ name = \"culmen_length_mm\", min = 0, max = 1 }, { name = \"culmen_depth_mm\", min = 0, max = 1 }]",
    )
    .unwrap();
    let blocking = |dataset: &Dataset| -> Vec<String> {
        let report = validate(dataset, &profile(dataset, &Default::default()), &document, Known::default());
        report.blocking().map(|finding| format!("{:?} {:?}", finding.column, finding.examples)).collect()
    };
    assert_eq!(blocking(&labelled), Vec::<String>::new());
    assert_eq!(blocking(&skewed), ["Some(\"culmen_length_mm\") [(2, \"-1\")]"]);
}
