//! Data as it comes in again and again: formats, declared checks, drift against the version before.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::Role;
use millrace_test_support::{Person, TestApp, testdata};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document(slug: &str, more: &Value) -> Value {
    let mut document = json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x", "nullable": true }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    document
}

async fn signed_off(slug: &str, more: &Value) -> (TestApp, Person) {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document(slug, more)).await;
    (app, engineer)
}

/// Rows in which large `x` are mostly big, `x` moved by so much.
fn rows(shift: i64) -> Vec<u8> {
    let each = (0..400i64).map(|row| {
        let x = (row * 37) % 101;
        format!("{},{}\n", x + shift, u8::from(x + (row * 13) % 29 > 60))
    });
    format!("x,big\n{}", each.collect::<String>()).into_bytes()
}

fn finding<'r>(version: &'r Value, check: &str, column: &str) -> &'r Value {
    let findings = version["report"]["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check && finding["column"] == column);
    found.unwrap_or_else(|| panic!("no {check} of {column}: {}", version["report"]))
}

#[tokio::test]
async fn a_version_is_compared_with_the_one_before_and_the_numbers_can_be_computed_again() {
    let (app, engineer) = signed_off("drifting", &json!({})).await;
    let first = app.load(&engineer, "drifting", "rows.csv", rows(0)).await;
    assert!(first["report"]["drift"].is_null());
    let second = app.load(&engineer, "drifting", "rows.csv", rows(50)).await;
    assert_eq!(second["summary"]["state"], "valid", "drift warns");
    assert_eq!(finding(&second, "drift", "x")["severity"], "warning");
    assert_eq!(finding(&second, "drift", "x")["outcome"], "failed");
    assert_eq!(finding(&second, "drift", "big")["outcome"], "passed");
    let drift = engineer.get("/api/v1/datasets/1/versions/2/report").await.done()["report"]["drift"].clone();
    assert_eq!((&drift["reference_version"], &drift["floor"]), (&json!(1), &json!(1e-4)));
    for column in drift["columns"].as_array().unwrap() {
        let shares = |side: &str| -> Vec<f64> {
            let counts: Vec<f64> =
                column[side].as_array().unwrap().iter().map(|count| count.as_f64().unwrap()).collect();
            let rows: f64 = counts.iter().sum();
            assert_eq!(rows, 400.0);
            counts.iter().map(|count| (count / rows).max(1e-4)).collect()
        };
        let (q, p) = (shares("reference"), shares("current"));
        let psi: f64 = p.iter().zip(&q).map(|(p, q)| (p - q) * (p.ln() - q.ln())).sum();
        assert!((psi - column["distances"]["psi"].as_f64().unwrap()).abs() < 1e-12, "{column}");
    }
    let (_, page) = engineer.page("/datasets/1/v/2?drift=x").await;
    assert!(page.contains("Drift since version 1") && page.contains("Drift of x"), "{page}");
    app.remove().await;
}

#[tokio::test]
async fn a_declared_check_stops_the_month_in_which_taxis_began_to_carry_nobody() {
    let Some(january) = testdata("gx_nyc_taxi/yellow_tripdata_sample_2019-01.csv.gz") else { return };
    let february = testdata("gx_nyc_taxi/yellow_tripdata_sample_2019-02.csv.gz").unwrap();
    let rides = json!({
        "target": { "name": "card", "kind": "binary", "expression": "payment_type = 1" },
        "features": [{ "name": "trip_distance" }],
        "checks": [{ "name": "somebody rides", "expression": "passenger_count > 0" }],
    });
    let (app, engineer) = signed_off("rides", &rides).await;
    let month = async |path: std::path::PathBuf| {
        app.load(&engineer, "rides", "rides.csv.gz", std::fs::read(path).unwrap()).await
    };
    assert_eq!(month(january).await["summary"]["state"], "valid");
    let second = month(february).await;
    assert_eq!(second["summary"]["state"], "rejected");
    let broken = finding(&second, "somebody rides", "passenger_count");
    assert_eq!((&broken["unexpected_rows"], &broken["severity"]), (&json!(1_579), &json!("critical")));
    assert_eq!(broken["examples"].as_array().unwrap().len(), 20);
    app.remove().await;
}

#[tokio::test]
async fn one_table_in_every_format_is_one_dataset() {
    let (app, engineer) = signed_off("formats", &json!({})).await;
    let csv = String::from_utf8(rows(0)).unwrap();
    let lines: String = csv
        .lines()
        .skip(1)
        .map(|line| {
            let (x, big) = line.split_once(',').unwrap();
            format!("{{\"x\":{x},\"big\":{big}}}\n")
        })
        .collect();
    let plain = app.load(&engineer, "formats", "rows.csv", csv.clone().into_bytes()).await;
    for (name, content, format) in [
        ("rows.csv.zst", zstd::encode_all(csv.as_bytes(), 3).unwrap(), "zstd-compressed CSV"),
        ("rows.ndjson", lines.clone().into_bytes(), "NDJSON"),
        ("rows.ndjson.zst", zstd::encode_all(lines.as_bytes(), 3).unwrap(), "zstd-compressed NDJSON"),
    ] {
        let version = app.load(&engineer, "formats", name, content).await;
        assert_eq!((&version["format"], &version["digest"]), (&json!(format), &plain["digest"]), "{name}");
    }
    app.remove().await;
}

#[tokio::test]
async fn a_file_is_read_as_the_problem_declares_it() {
    let declared = json!({
        "data": {
            "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 },
            "csv": { "delimiter": "|", "header": false, "encoding": "latin1", "missing": ["?"] },
        },
        "target": { "name": "big", "kind": "binary", "column": "column_2" },
        "features": [{ "name": "column_1", "nullable": true }, { "name": "column_3", "type": "category" }],
    });
    let (app, engineer) = signed_off("declared", &declared).await;
    let mut content = Vec::new();
    for line in String::from_utf8(rows(0)).unwrap().lines().skip(1) {
        let (x, big) = line.split_once(',').unwrap();
        let x = if x == "37" { "?" } else { x };
        content.extend(format!("{x}|{big}|caf").into_bytes());
        content.extend(*b"\xE9\n");
    }
    let version = app.load(&engineer, "declared", "rows.txt", content).await;
    assert_eq!(version["summary"]["state"], "valid", "{}", version["failure"]);
    let columns = version["profile"]["columns"].as_array().unwrap();
    assert_eq!((&columns[0]["type"], &columns[2]["top"][0][0]), (&json!("integer"), &json!("caf\u{e9}")));
    assert!(columns[0]["missing"].as_u64().unwrap() > 0);
    assert_eq!(version["profile"]["rows"], 400);
    app.remove().await;
}

#[tokio::test]
async fn a_suite_of_great_expectations_becomes_checks_and_says_what_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("suite.json");
    let suite = json!({ "expectations": [
        { "type": "expect_column_values_to_not_be_null", "kwargs": { "column": "x", "mostly": 0.9 } },
        { "type": "expect_column_kl_divergence_to_be_less_than", "kwargs": { "column": "x" } },
    ]});
    std::fs::write(&file, suite.to_string()).unwrap();
    let run = || std::process::Command::new(BINARY).args(["import-checks", "--file"]).arg(&file).output().unwrap();
    let output = run();
    assert_eq!(output.status.code(), Some(0));
    let checks = String::from_utf8(output.stdout).unwrap();
    assert!(
        checks.contains("[[checks]]") && checks.contains("x IS NOT NULL") && checks.contains("at_least = 0.9"),
        "{checks}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not imported: expect_column_kl_divergence") && said.contains("1 imported, 1 not"), "{said}");
    std::fs::write(&file, "[]").unwrap();
    let refused = run();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a suite"));
}
