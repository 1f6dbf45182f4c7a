//! Bad input gets a clear answer, and nothing is left half done.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use std::io::Write;

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp, testdata};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x", "known_before_label": true }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    })
}

async fn team(slug: &str) -> (TestApp, Person) {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document(slug)).await;
    (app, engineer)
}

fn good_rows() -> String {
    let rows = (0..300u32).map(|row| format!("{},{}\n", row % 10, u32::from(row % 10 > 5)));
    format!("x,big\n{}", rows.collect::<String>())
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(content).unwrap();
    packed.finish().unwrap()
}

/// Why the file was rejected: the failure's words, or the critical findings'.
fn reason(version: &Value) -> String {
    let findings = version["report"]["findings"].as_array().cloned().unwrap_or_default();
    let broken = findings.iter().filter(|finding| finding["severity"] == "critical" && finding["outcome"] != "passed");
    let listed: String = broken.map(|finding| format!("{finding} ")).collect();
    format!("{} {listed}", version["failure"]["message"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn every_broken_file_is_rejected_with_the_reason() {
    let (app, engineer) = team("files").await;
    let good = good_rows();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("header only", b"x,big\n".to_vec(), "no rows"),
        ("ragged", format!("{good}7\n").into_bytes(), "301"),
        ("stray quote", format!("{good}7\"7,1\n").into_bytes(), "quote"),
        ("open quote", format!("{good}\"7,1\n").into_bytes(), "quote"),
        ("NUL", format!("{good}7\0,1\n").into_bytes(), "NUL"),
        ("invalid UTF-8", [good.as_bytes(), &[b'7', 0xff, b',', b'1', b'\n'][..]].concat(), "UTF-8"),
        (
            "UTF-16",
            [&[0xff, 0xfe][..], &good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()[..]].concat(),
            "UTF-16",
        ),
        ("wrong gzip", [&[0x1f, 0x8b][..], b"this is not packed"].concat(), "gzip"),
        ("duplicate columns", good.replacen("x,big", "x,x", 1).into_bytes(), "rename one"),
        ("label missing", good.replacen("x,big", "x,small", 1).into_bytes(), "big"),
        ("one class", good.replace(",1\n", ",0\n").into_bytes(), "class"),
        ("200 MB line", [good.as_bytes(), &vec![b'7'; 200_000_000][..]].concat(), "line"),
        (
            "all-null column",
            format!("y,big,x\n{}", good.lines().skip(1).map(|row| format!("{row},\n")).collect::<String>())
                .into_bytes(),
            "has no value in any row",
        ),
        ("NaN labels", good.replacen(",1\n", ",NaN\n", 1).into_bytes(), "missing in 1 of 300 rows"),
        ("infinite labels", good.replacen(",1\n", ",inf\n", 1).into_bytes(), "infinite"),
        ("text where a number is needed", good.replace("3,0", "three,0").into_bytes(), "x"),
    ];
    let mut wrong = Vec::new();
    for (name, content, wanted) in cases {
        let version = app.load(&engineer, "files", &format!("{name}.csv"), content).await;
        let reason = reason(&version);
        if version["summary"]["state"] != "rejected" || !reason.contains(wanted) {
            wrong.push(format!("{name}: {} {reason}", version["summary"]["state"]));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let refused = engineer.post("/api/v1/problems/files/runs", json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "no_valid_dataset"));
    app.remove().await;
}

#[tokio::test]
async fn an_empty_file_is_refused_at_the_door() {
    let (app, engineer) = team("empty").await;
    let refused = engineer.upload("empty", "data", "empty.csv", Vec::new()).await;
    assert_eq!(refused.status, 400);
    assert!(refused.detail().contains("0 bytes"), "{}", refused.detail());
    app.remove().await;
}

#[tokio::test]
async fn a_packed_file_is_the_same_dataset_as_the_plain_one() {
    let (app, engineer) = team("packed").await;
    let plain = app.load(&engineer, "packed", "rows.csv", good_rows().into_bytes()).await;
    let packed = app.load(&engineer, "packed", "rows.csv.gz", gzipped(good_rows().as_bytes())).await;
    assert_eq!(plain["digest"], packed["digest"]);
    app.remove().await;
}

#[tokio::test]
async fn x35_the_same_bytes_again_are_the_same_version() {
    let (app, engineer) = team("again").await;
    let first = engineer.upload("again", "data", "rows.csv", good_rows().into_bytes()).await.done();
    let second = engineer.upload("again", "data", "rows.csv", good_rows().into_bytes()).await.done();
    assert_eq!(first["version"], second["version"]);
    app.remove().await;
}

#[tokio::test]
async fn all_mistakes_of_a_document_come_at_once() {
    let (app, engineer) = team("mistakes").await;
    let mut wrong = document("mistaken");
    wrong["features"] = json!([{ "name": "x", "expression": "pg_sleep(1)" }, { "name": "x" }]);
    wrong["target"]["kind"] = json!("binery");
    let refused = engineer.post("/api/v1/problems", wrong).await;
    let pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!((refused.status, refused.code()), (400, "invalid_document"));
    assert_eq!(pointers, ["/target/kind", "/features/0/expression"]);
    app.remove().await;
}

#[tokio::test]
async fn a_prediction_that_does_not_fit_names_everything_that_is_wrong() {
    let (app, engineer) = team("asked").await;
    let stakeholder = app.person("signer", &[Role::Stakeholder]).await.unwrap();
    let caller = app.token(&engineer, &[Scope::Predict]).await.unwrap();
    let early = caller.post("/v1/models/asked:predict", json!({ "instances": [{ "x": 1 }] })).await;
    assert_eq!((early.status, early.code()), (404, "no_live_model"));
    app.load(&engineer, "asked", "rows.csv", good_rows().into_bytes()).await;
    let run = app.run(&engineer, "asked", json!({ "trainer": "logistic", "parameters": { "alpha": 1.0 } })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    let model = stakeholder.get("/api/v1/models/asked/versions/1").await.done();
    stakeholder.decide("/api/v1/models/asked/versions/1", "approve", model["digest"].as_str().unwrap()).await.done();
    engineer.post("/api/v1/deployments/asked/rollouts", json!({ "version": 1, "reason": "test" })).await.done();
    let mut refused = early;
    for _ in 0..600 {
        let body = json!({ "instances": [{ "y": 1, "x": "three" }, {}] });
        refused = caller.post("/v1/models/asked:predict", body).await;
        if refused.status != 404 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!((refused.status, pointers), (400, vec!["/instances/0/y", "/instances/0/x", "/instances/1/x"]));
    // A NUL is named, text about one is none, and a line that the database refuses costs none beside it.
    let predict = async |entity: &str, event_time: &str| {
        let both = json!([{ "x": 1, "entity": entity, "event_time": event_time }, { "x": 2, "entity": "beside" }]);
        caller.post("/v1/models/asked:predict", json!({ "instances": both })).await
    };
    let nul = predict("a\0b", "2026-05-01T12:30:00Z").await;
    assert_eq!((nul.status, &nul.body["errors"][0]["pointer"]), (400, &json!("/instances/0/entity")), "{}", nul.body);
    predict("\\u0000", "2026-05-01T12:30:00Z").await.done();
    app.sql("alter table prediction add check (entity is distinct from 'unkept')").await;
    let unkept = predict("unkept", "2026-05-01T12:30:00Z").await.done();
    let id = unkept["predictions"][1]["id"].clone();
    let label = |label: Value| json!({ "outcomes": [{ "id": id, "label": label }] });
    let nul = caller.post("/v1/models/asked:outcome", label(json!("a\0b"))).await;
    assert_eq!((nul.status, &nul.body["errors"][0]["pointer"]), (400, &json!("/outcomes/0/label")), "{}", nul.body);
    let known = caller.post("/v1/models/asked:outcome", label(json!(true))).await.done();
    assert_eq!(known["accepted"], 1, "the line beside one that cannot be kept was lost: {known}");
    assert_eq!(app.count("select count(*) from prediction where entity = 'unkept'").await, 0);
    app.remove().await;
}

#[tokio::test]
async fn the_blank_charges_of_telco_churn_are_found_and_named() {
    let Some(path) = testdata("telco_churn/Telco-Customer-Churn.csv") else { return };
    let (app, engineer) = team("unused").await;
    let stakeholder = app.person("signer", &[Role::Stakeholder]).await.unwrap();
    let mut churn = document("churn");
    churn["target"] = json!({ "name": "churn", "kind": "binary", "column": "Churn" });
    churn["features"] = json!([
        { "name": "tenure" }, { "name": "MonthlyCharges" }, { "name": "TotalCharges", "nullable": true },
        { "name": "Contract", "type": "category" },
    ]);
    app.sign_off(&engineer, &stakeholder, &churn).await;
    let version = app.load(&engineer, "churn", "churn.csv", std::fs::read(path).unwrap()).await;
    let findings = version["report"]["findings"].as_array().unwrap();
    let named = findings.iter().any(|finding| {
        finding["column"] == "TotalCharges" && finding["outcome"] == "failed" && finding.to_string().contains("11")
    });
    assert!(named, "{}", version["report"]);
    app.remove().await;
}

/// The program under a limit of two mebibytes a file, which the system answers as it does a full disk.
#[tokio::test]
async fn a_full_disk_refuses_an_upload_whole_and_takes_one_that_fits() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let limited = directory.path().join("limited");
    std::fs::write(&limited, format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 4096\nexec {BINARY} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&limited, std::fs::Permissions::from_mode(0o755)).unwrap();
    let app = TestApp::start(limited.to_str().unwrap()).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document("full")).await;
    let large = format!("x,big\n{}", "0.1234567890123,1\n".repeat(200_000)).into_bytes();
    let refused = engineer.upload("full", "data", "large.csv", large).await;
    assert_eq!((refused.status, refused.code()), (507, "storage_full"));
    let left: Vec<_> = walk(&app.home().join("artifacts"));
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    let taken = app.load(&engineer, "full", "rows.csv", good_rows().into_bytes()).await;
    assert_eq!((&taken["summary"]["state"], &taken["summary"]["version"]), (&json!("valid"), &json!(1)));
    app.remove().await;
}

/// The files below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
