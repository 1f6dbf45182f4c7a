//! Data as it comes in again and again: formats, declared checks, drift against the version before.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::Role;
use millrace_test_support::{Person, TestApp, testdata};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
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
        { "type": "expect_column_values_to_be_dateutil_parseable", "kwargs": { "column": "x" } },
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
    assert!(
        said.contains("not imported: expect_column_values_to_be_dateutil_parseable")
            && said.contains("1 imported, 1 not"),
        "{said}"
    );
    std::fs::write(&file, "[]").unwrap();
    let refused = run();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a suite"));
}

/// A problem fed from a directory every five seconds.
async fn fed(read: &Value, place: &str) -> (TestApp, Person) {
    let app = TestApp::start_with(BINARY, &[("MILLRACE_SOURCES", place)], &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut source = json!({ "dataset": "data", "connection": "landing", "every": "5s" });
    for (key, value) in read.as_object().unwrap() {
        source[key] = value.clone();
    }
    app.sign_off(&engineer, &stakeholder, &document("fed", &json!({ "sources": [source] }))).await;
    (app, engineer)
}

async fn source(engineer: &Person, until: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    for _ in 0..150 {
        seen = engineer.get("/api/v1/sources?problem=fed").await.done()["items"][0].clone();
        if until(&seen) {
            return seen;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the source stands at {seen}");
}

/// A file as it was left a minute ago.
fn left(path: &std::path::Path, content: &[u8]) {
    std::fs::write(path, content).unwrap();
    let minute_ago = std::fs::metadata(path).unwrap().modified().unwrap() - std::time::Duration::from_secs(60);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(minute_ago).unwrap();
}

#[tokio::test]
async fn a_watched_directory_gives_a_new_version_when_a_file_changes_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    left(&folder.path().join("day-01.csv"), &rows(0));
    let place = format!("landing={}", folder.path().display());
    let (app, engineer) = fed(&json!({ "path": "day-*.csv" }), &place).await;
    let first = source(&engineer, |seen| !seen["loaded"].is_null()).await;
    assert_eq!(first["loaded"][1], 1);
    let looked = first["looked_at"].clone();
    let again = source(&engineer, |seen| seen["looked_at"] != looked).await;
    assert_eq!(again["loaded"][1], 1, "nothing has changed");
    left(&folder.path().join("day-02.csv"), &rows(3));
    let second = source(&engineer, |seen| seen["loaded"][1] == 2).await;
    assert_eq!(second["error"], Value::Null);
    assert_eq!(app.count("select count(*) from audit where action = 'dataset.load'").await, 2);
    let (_, page) = engineer.page("/datasets?problem=fed").await;
    assert!(page.contains("day-*.csv") && page.contains("version 2"), "{page}");
    app.remove().await;
}

#[tokio::test]
async fn files_that_come_one_after_the_other_are_each_taken_in_once_whoever_looks_when() {
    let folder = tempfile::tempdir().unwrap();
    let bring = |day: usize, content: &[u8]| left(&folder.path().join(format!("day-{day:02}.csv")), content);
    // Three files between two looks: none is lost.
    bring(1, &rows(0));
    bring(2, b"x,big\n1000,1\n");
    bring(3, b"x,big\n1001,1\n1002,0\n");
    let place = format!("landing={}", folder.path().display());
    let (app, engineer) = fed(&json!({ "path": "day-*.csv", "append": true }), &place).await;
    let third = source(&engineer, |seen| seen["loaded"][1] == 3).await;
    assert_eq!(third["append"], true, "{third}");
    let whole = read(&engineer, &json!(3)).await;
    assert_eq!((&whole["summary"]["rows"], &whole["appended_to"]), (&json!(403), &json!(2)), "{}", whole["failure"]);
    // A file of an earlier name is not looked for any more, a later one is, and nothing is taken in twice.
    bring(2, b"x,big\n1,1\n");
    bring(4, b"x,big\n1003,1\n");
    source(&engineer, |seen| seen["loaded"][1] == 4).await;
    let looked = source(&engineer, |_| true).await["looked_at"].clone();
    source(&engineer, |seen| seen["looked_at"] != looked).await;
    assert_eq!(read(&engineer, &json!(4)).await["summary"]["rows"], 404);
    assert_eq!(app.count("select count(*) from dataset_version").await, 4);
    // No file goes past one that is refused.
    bring(5, b"x,big,extra\n1,1,1\n");
    bring(6, b"x,big\n1005,1\n");
    let waits = source(&engineer, |seen| !seen["error"].is_null()).await;
    assert_eq!(
        waits["error"],
        "day-05.csv was refused as version 5; put it right in its place, and the files after it go on"
    );
    bring(5, b"x,big\n1004,1\n");
    source(&engineer, |seen| seen["loaded"][1] == 7).await;
    assert_eq!(read(&engineer, &json!(7)).await["summary"]["rows"], 406);
    app.remove().await;
}

#[tokio::test]
async fn x03_an_empty_batch_is_an_error_of_its_source_and_no_version() {
    let folder = tempfile::tempdir().unwrap();
    left(&folder.path().join("day.csv"), b"");
    let (app, engineer) = fed(&json!({ "path": "day.csv" }), &format!("landing={}", folder.path().display())).await;
    let seen = source(&engineer, |seen| !seen["error"].is_null()).await;
    assert_eq!(seen["error"], "it is empty: 0 bytes, no rows");
    assert_eq!(app.count("select count(*) from dataset_version").await, 0);
    app.remove().await;
}

#[tokio::test]
async fn a_connection_that_the_server_does_not_name_is_not_reached() {
    let (app, engineer) = fed(&json!({ "path": "passwd" }), "other=/etc").await;
    let seen = source(&engineer, |seen| !seen["error"].is_null()).await;
    assert!(seen["error"].as_str().unwrap().contains("no connection \"landing\""), "{seen}");
    app.remove().await;
}

#[tokio::test]
async fn a_query_is_read_from_postgres_and_cannot_write_there() {
    let warehouse = millrace_test_support::TestDatabase::new().await.unwrap();
    let (app, engineer) = fed(
        &json!({ "query": "select x::integer as x, (x % 3 = 0) as big, null::text as gap, '' as nothing from generate_series(1, 90) as x" }),
        &format!("landing={}", warehouse.url),
    )
    .await;
    let seen = source(&engineer, |seen| !seen["loaded"].is_null()).await;
    let dataset = seen["loaded"][0].as_str().unwrap().to_owned();
    let version = format!("/api/v1/datasets/{dataset}/versions/1");
    let mut read = Value::Null;
    for _ in 0..600 {
        read = engineer.get(&version).await.done();
        if read["summary"]["state"] != "loading" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let columns = read["profile"]["columns"].as_array().unwrap();
    assert_eq!(read["summary"]["rows"], 90);
    assert_eq!(
        (&columns[0]["type"], &columns[2]["missing"], &columns[3]["missing"]),
        (&json!("integer"), &json!(90), &json!(0))
    );
    app.remove().await;
    let (app, engineer) = fed(
        &json!({ "query": "with gone as (delete from audit returning 1) select * from gone" }),
        &format!("landing={}", warehouse.url),
    )
    .await;
    let seen = source(&engineer, |seen| !seen["error"].is_null()).await;
    assert!(seen["error"].as_str().unwrap().contains("read-only"), "{seen}");
    app.remove().await;
    warehouse.remove().await;
}

#[tokio::test]
async fn a_file_of_the_web_is_fetched_once_as_long_as_it_has_the_same_tag() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let served = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::clone(&served);
    let answer = async move |headers: axum::http::HeaderMap| {
        if headers.get("if-none-match").is_some_and(|tag| tag == "\"one\"") {
            return (axum::http::StatusCode::NOT_MODIFIED, [("etag", "\"one\"")], Vec::new());
        }
        count.fetch_add(1, Ordering::SeqCst);
        (axum::http::StatusCode::OK, [("etag", "\"one\"")], rows(0))
    };
    let router = axum::Router::new().route("/in/rows.csv", axum::routing::get(answer)).route(
        "/in/away.csv",
        axum::routing::get(async || axum::response::Redirect::temporary("http://169.254.169.254/")),
    );
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let (app, engineer) = fed(&json!({ "path": "rows.csv" }), &format!("landing=http://{address}/in/")).await;
    let first = source(&engineer, |seen| !seen["loaded"].is_null()).await;
    let looked = first["looked_at"].clone();
    source(&engineer, |seen| seen["looked_at"] != looked).await;
    assert_eq!(served.load(Ordering::SeqCst), 1);
    app.remove().await;
    let (app, engineer) = fed(&json!({ "path": "away.csv" }), &format!("landing=http://{address}/in/")).await;
    let seen = source(&engineer, |seen| !seen["error"].is_null()).await;
    assert!(seen["error"].as_str().unwrap().contains("sends on to another address"), "{seen}");
    app.remove().await;
    server.abort();
}

/// Sends a file to `path` as a form with these fields.
async fn send(
    by: &Person,
    path: &str,
    fields: &[(&'static str, &str)],
    content: Vec<u8>,
) -> millrace_test_support::Answer {
    let mut form = Form::new().part("file", Part::bytes(content).file_name("rows.csv"));
    for (name, value) in fields {
        form = form.text(*name, (*value).to_owned());
    }
    by.send(by.request(Method::POST, path).multipart(form)).await
}

async fn append(by: &Person, problem: &str, content: Vec<u8>) -> millrace_test_support::Answer {
    send(by, "/api/v1/datasets", &[("problem", problem), ("name", "data"), ("mode", "append")], content).await
}

/// The version once it is read and checked.
async fn read(by: &Person, number: &Value) -> Value {
    for _ in 0..600 {
        let seen = by.get(&format!("/api/v1/datasets/1/versions/{number}")).await.done();
        if seen["summary"]["state"] != "loading" {
            return seen;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("version {number} is still loading");
}

#[tokio::test]
async fn appended_rows_come_after_the_earlier_ones_and_only_once() {
    let (app, engineer) = signed_off("growing", &json!({})).await;
    let first = append(&engineer, "growing", rows(0)).await.done();
    assert_eq!(read(&engineer, &first["version"]).await["summary"]["rows"], 400, "there is nothing before the first");
    let more = append(&engineer, "growing", b"big,x\n1,7\n0,\n".to_vec()).await.done();
    let grown = read(&engineer, &more["version"]).await;
    assert_eq!((&grown["summary"]["rows"], &grown["appended_to"]), (&json!(402), &json!(1)), "{}", grown["failure"]);
    let again = append(&engineer, "growing", b"big,x\n1,7\n0,\n".to_vec()).await.done();
    assert_eq!(again["version"], 2, "bytes that are in already are not put in again");
    let other = append(&engineer, "growing", b"x,big,extra\n1,1,1\n".to_vec()).await.done();
    let refused = read(&engineer, &other["version"]).await;
    assert_eq!(refused["summary"]["state"], "rejected");
    assert!(refused["failure"]["message"].as_str().unwrap().contains("\"extra\" is new"), "{}", refused["failure"]);
    let (_, page) = engineer.page("/datasets/1/v/2").await;
    assert!(page.contains("those of") && page.contains("unchanged"), "{page}");
    app.remove().await;
}

#[tokio::test]
async fn rows_that_were_set_aside_are_downloaded_corrected_and_brought_back_once() {
    let allowed = json!({
        "data": {
            "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 },
            "quarantine": { "at_most": 0.01 },
        },
        "features": [{ "name": "x", "min": 0 }],
    });
    let (app, engineer) = signed_off("aside", &allowed).await;
    let text = String::from_utf8(rows(0)).unwrap();
    let broken = text.replacen("\n37,", "\n-37,", 1).replacen("\n74,", "\n,", 1);
    let first = append(&engineer, "aside", broken.into_bytes()).await.done();
    let version = read(&engineer, &first["version"]).await;
    assert_eq!((&version["summary"]["state"], &version["summary"]["rows"]), (&json!("valid"), &json!(398)));
    assert_eq!(version["quarantine"]["rows"], 2);
    assert_eq!(finding(&version, "quarantine", "x")["severity"], "warning");
    let (_, page) = engineer.page("/datasets/1/v/1").await;
    assert!(page.contains("Set aside") && page.contains("Bring them back"), "{page}");

    let file = engineer.request(Method::GET, "/api/v1/datasets/1/versions/1/quarantine.csv").send().await.unwrap();
    assert!(file.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    let file = file.text().await.unwrap();
    assert!(file.starts_with("\"_row\",\"_checks\",\"x\",\"big\"\n2,\"min_value of x\",-37,"), "{file}");
    let back = "/api/v1/datasets/1/versions/1/corrections";
    let stranger = send(&engineer, back, &[], file.replace("\n2,", "\n9,").into_bytes()).await.done();
    let refused = read(&engineer, &stranger["version"]).await;
    assert!(
        refused["failure"]["message"].as_str().unwrap().contains("row 9 was not set aside"),
        "{}",
        refused["failure"]
    );

    let corrected = file.replace(",-37,", ",37,").replace("null_share of x\",,", "null_share of x\",74,");
    let (one, two) = tokio::join!(
        send(&engineer, back, &[], corrected.clone().into_bytes()),
        send(&engineer, back, &[], format!("{corrected}\n").into_bytes())
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409], "no row comes back twice");
    let whole = read(&engineer, &json!(3)).await;
    assert_eq!((&whole["summary"]["rows"], &whole["corrects"]), (&json!(400), &json!(1)), "{}", whole["failure"]);
    assert!(whole["quarantine"].is_null());
    let seen = read(&engineer, &json!(1)).await;
    assert_eq!((&seen["quarantine"]["corrected_by"], &seen["summary"]["rows"]), (&json!(3), &json!(398)));
    assert_eq!(app.count("select count(*) from audit where action = 'dataset.correct'").await, 2);
    app.remove().await;
}

#[tokio::test]
async fn content_that_comes_back_after_other_content_is_the_newest_version_again() {
    let (app, engineer) = signed_off("back", &json!({})).await;
    let mut numbers = Vec::new();
    for offset in [0, 5, 0, 0] {
        let version = app.load(&engineer, "back", "rows.csv", rows(offset)).await;
        assert_eq!(version["summary"]["state"], "valid", "{}", version["failure"]);
        numbers.push(version["summary"]["version"].as_i64());
    }
    assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(3)], "what is newest already is not taken in once more");
    app.remove().await;
}

#[tokio::test]
async fn more_than_may_be_set_aside_stops_the_pipeline_and_says_so() {
    let strict = json!({
        "data": {
            "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 },
            "quarantine": { "at_most": 0.001 },
        },
        "features": [{ "name": "x", "min": 3 }],
    });
    let (app, engineer) = signed_off("strict", &strict).await;
    let version = app.load(&engineer, "strict", "rows.csv", rows(0)).await;
    assert_eq!((&version["summary"]["state"], &version["summary"]["rows"]), (&json!("rejected"), &json!(400)));
    let findings = version["report"]["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == "quarantine").unwrap();
    assert!(found["observed"].as_str().unwrap().contains("break a critical check"), "{found}");
    let none = engineer.get("/api/v1/datasets/1/versions/1/quarantine.csv").await;
    assert_eq!(none.status, 404);
    app.remove().await;
}

#[tokio::test]
async fn checks_that_hold_for_a_version_can_be_signed_and_hold_for_it() {
    let (app, engineer) = signed_off("inferred", &json!({})).await;
    app.load(&engineer, "inferred", "rows.csv", rows(0)).await;
    let suggested = engineer.request(Method::GET, "/api/v1/datasets/1/versions/1/checks.toml").send().await.unwrap();
    assert!(suggested.headers()["content-disposition"].to_str().unwrap().contains("checks.toml"));
    let suggested = suggested.text().await.unwrap();
    assert!(suggested.contains("[[checks]]") && suggested.contains("x IS NOT NULL"), "{suggested}");
    let checks: Value = toml::from_str(&suggested).unwrap();
    let stakeholder = app.person("another", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document("checked", &checks)).await;
    let same = app.load(&engineer, "checked", "rows.csv", rows(0)).await;
    for check in checks["checks"].as_array().unwrap() {
        let findings = same["report"]["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check["name"]).unwrap();
        assert_eq!(found["outcome"], "passed", "{found}");
    }
    let moved = app.load(&engineer, "checked", "rows.csv", rows(-500)).await;
    assert_eq!(moved["summary"]["state"], "valid", "what is suggested warns");
    let findings = moved["report"]["findings"].as_array().unwrap();
    assert!(
        findings.iter().any(|finding| finding["check"] == "x >= 0" && finding["outcome"] == "failed"),
        "{findings:?}"
    );
    app.remove().await;
}
