//! Many runs: filtered, put in order, with any columns, exported, and side by side.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Grant, Role};
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }],
        "success": { "metric": "roc_auc", "at_least": 0.5 },
    })
}

fn rows() -> Vec<u8> {
    let mut csv = "x,big\n".to_owned();
    for row in 0..300u32 {
        csv.push_str(&format!("{},{}\n", (row * 37) % 101, u32::from((row * 37) % 101 + (row * 13) % 60 > 60)));
    }
    csv.into_bytes()
}

/// A team with one run of a problem, and eight more that were recorded with these values, among them numbers that are none.
async fn recorded() -> (TestApp, Person) {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document("shelves")).await;
    app.load(&engineer, "shelves", "rows.csv", rows()).await;
    app.run(&engineer, "shelves", json!({ "trainer": "logistic" })).await;
    app.sql(
        "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed, provenance, parameters,
            created_at, started_at, finished_at)
         select problem_version_id, dataset_version_id, author_id, case when i % 2 = 0 then 'failed' else 'succeeded' end,
            jsonb_build_object('trainer', 'gradient_boosting', 'parameters', '{}'::jsonb, 'budget', 0), i, provenance,
            jsonb_build_object('depth', i, 'odd name', 'it''s ' || i), now(), now(), now() + make_interval(secs => i)
         from run, generate_series(1, 8) i",
    )
    .await;
    app.sql(
        "insert into run_metric (run_id, name, value, n) select id, 'test.score',
            case seed when 3 then 'NaN' when 5 then 'infinity' when 6 then '-infinity' else seed / 10.0 end::double precision, 10
         from run where parameters ? 'depth'",
    )
    .await;
    (app, engineer)
}

async fn listed(by: &Person, query: &str) -> Vec<i64> {
    let page = by.get(&format!("/api/v1/runs?{query}")).await.done();
    page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_run_tells_what_its_steps_did_and_held_and_how_sure_its_coefficients_are() {
    let (app, engineer) = recorded().await;
    let (status, log) = engineer.page("/api/v1/runs/1/log").await;
    assert_eq!(status, 200);
    for told in [
        "features: attempt 1 of 3 on ",
        "features: 1 features; rows: 180 to train on, 60 to validate, 60 to test, 0 without a label",
        "train: fitted on 180 rows in ",
        "evaluate: test.roc_auc ",
        "gate: success.roc_auc: pass (ROC AUC on the test part ≥ ",
        "register: succeeded; ",
    ] {
        assert!(log.contains(told), "{told} is not in {log}");
    }
    let (status, of_training) = engineer.page("/api/v1/runs/1/log?step=train").await;
    assert_eq!(status, 200);
    assert!(of_training.contains("train: fitted on 180 rows in "), "{of_training}");
    assert!(of_training.lines().all(|line| line.contains("  train: ")), "{of_training}");
    let unknown = engineer.get("/api/v1/runs/1/log?step=bake").await;
    assert_eq!(unknown.status, 400);
    assert!(
        unknown.body.to_string().contains("it has features, tune, train, evaluate, gate, register"),
        "{}",
        unknown.body
    );
    let times: Vec<&str> = log.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert!(times.is_sorted(), "{log}");
    let run = engineer.get("/api/v1/runs/1").await.done();
    let train = run["steps"].as_array().unwrap().iter().find(|step| step["kind"] == "train").unwrap();
    assert!(train["peak_bytes"].as_u64().unwrap() > 1_000_000, "{train}");
    let evaluation = engineer.get("/api/v1/runs/1/artifacts/evaluation").await.done();
    let examples = engineer.get("/api/v1/runs/1/artifacts/examples").await.done();
    let cells = examples["cells"].as_array().unwrap();
    let rows: u64 = cells.iter().map(|cell| cell["rows"].as_u64().unwrap()).sum();
    assert_eq!((&examples["columns"], rows), (&json!(["x"]), 60), "{examples}");
    for cell in cells {
        let examples = cell["examples"].as_array().unwrap();
        let given: Vec<f64> = examples.iter().map(|one| one["probability"].as_f64().unwrap()).collect();
        assert!(given.is_sorted() && (1..=5).contains(&given.len()), "least probable first: {cell}");
    }
    let (equation, errors) = (&evaluation["linear"]["equations"][0], &evaluation["linear"]["errors"]);
    assert_eq!(equation["terms"][0][0], "x");
    assert!(errors["terms"][0].as_f64().unwrap() > 0.0, "{evaluation}");
    assert_eq!(engineer.page("/api/v1/runs/99/log").await.0, 404);
    app.remove().await;
}

#[tokio::test]
async fn a_filter_compares_metrics_parameters_and_what_every_run_has() {
    let (app, engineer) = recorded().await;
    for (filter, expected) in [
        ("metrics.test.score > 0.35", vec![9, 8, 6, 5]),
        ("metrics.test.score >= 0.4 and params.depth < 8 and state = 'succeeded'", vec![8, 6]),
        ("params.\"odd name\" like '%S 2'", vec![3]),
        ("params.\"odd name\" like 'it_s 2'", vec![]),
        ("state like '\\'", vec![]),
        ("kind = 'reproduction'", vec![]),
        ("trainer = 'logistic'", vec![1]),
        ("seconds > 6.5 and seed != 8", vec![8]),
        ("created < '2020-01-01'", vec![]),
        ("metrics.nothing != 1", vec![]),
        ("metrics.test.score > 0.15 and metrics.test.score < 0.45", vec![5, 3]),
        ("metrics.test.score != 0.1", vec![9, 8, 7, 6, 5, 3]),
    ] {
        let query = format!("filter={}", encoded(filter));
        assert_eq!(listed(&engineer, &query).await, expected, "{filter}");
    }
    let refused = engineer.get("/api/v1/runs?filter=accuracy%20%3E%201").await;
    assert_eq!((refused.status, refused.body["errors"][0]["pointer"].as_str()), (400, Some("/filter")));
    app.remove().await;
}

#[tokio::test]
async fn what_is_no_finite_number_comes_last_in_both_directions_and_is_told_in_words() {
    let (app, engineer) = recorded().await;
    let down = listed(&engineer, "order_by=metrics.test.score%20desc").await;
    let up = listed(&engineer, "order_by=metrics.test.score").await;
    assert_eq!((&down[..5], &up[..5]), (&[9, 8, 5, 3, 2][..], &[2, 3, 5, 8, 9][..]));
    assert_eq!((&down[5..], &up[5..]), (&[7, 6, 4, 1][..], &[7, 6, 4, 1][..]));
    let page = engineer.get("/api/v1/runs?order_by=seed&columns=metrics.test.score,params.depth").await.done();
    let values: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|run| &run["values"]).collect();
    assert_eq!(values[0], &json!([null, null]));
    assert_eq!(values[3], &json!(["not a number", 3]));
    assert_eq!(values[5], &json!(["infinite", 5]));
    let (status, html) = engineer.page("/runs?order_by=params.depth&columns=metrics.test.score,params.depth").await;
    assert_eq!(status, 200);
    assert!(html.contains("minus infinite") && html.contains("aria-sort=\"ascending\""), "{html}");
    app.remove().await;
}

#[tokio::test]
async fn every_field_orders_and_filters_in_both_kinds() {
    let (app, engineer) = recorded().await;
    let all = listed(&engineer, "").await;
    for field in [
        "state",
        "trainer",
        "problem",
        "author",
        "created",
        "kind",
        "name",
        "seed",
        "seconds",
        "run",
        "model",
        "params.depth",
        "metrics.test.score",
    ] {
        for direction in ["", "%20desc"] {
            let mut ordered = listed(&engineer, &format!("order_by={field}{direction}")).await;
            ordered.sort_unstable();
            assert!(ordered.iter().eq(all.iter().rev()), "{field}{direction}: {ordered:?}");
        }
        let compared =
            if matches!(field, "seed" | "seconds" | "run" | "model" | "metrics.test.score") { "1" } else { "'x'" };
        let filtered =
            engineer.get(&format!("/api/v1/runs?filter={}", encoded(&format!("{field} != {compared}")))).await;
        assert_eq!(filtered.status, 200, "{field}: {}", filtered.body);
    }
    assert_eq!(listed(&engineer, "order_by=run").await, all.iter().rev().copied().collect::<Vec<_>>());
    let several = listed(&engineer, "order_by=state,metrics.test.score%20desc,metrics.none").await;
    assert_eq!(several, [9, 5, 3, 7, 8, 2, 6, 4, 1]);
    app.remove().await;
}

#[tokio::test]
async fn a_page_that_is_opened_by_a_click_asks_for_the_same() {
    let (app, engineer) = recorded().await;
    for (asked, expected) in [("", 9), ("order_by=seed", 9), ("filter=seed%20%3D%201&columns=params.depth,seed", 1)] {
        let request = engineer.request(reqwest::Method::POST, "/fn/list_runs").body(asked);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = engineer.send(request).await;
        assert_eq!((answer.status, answer.body["runs"].as_array().map(Vec::len)), (200, Some(expected)), "{asked}");
    }
    app.remove().await;
}

#[tokio::test]
async fn more_runs_than_can_stand_side_by_side_are_refused_whichever_door() {
    let (app, engineer) = recorded().await;
    let ids: Vec<String> = (1..=51).map(|id| id.to_string()).collect();
    let asked = format!("ids={}", ids.join(","));
    assert_eq!(engineer.get(&format!("/api/v1/runs/compare?{asked}")).await.status, 400);
    let request = engineer.request(reqwest::Method::POST, "/fn/compare_runs").body(asked);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = engineer.send(request).await;
    assert!(answer.body.to_string().contains("are more than 50 runs"), "{} {}", answer.status, answer.body);
    app.remove().await;
}

#[tokio::test]
async fn a_run_that_others_are_held_against_stands_on_top_of_every_page_and_is_none_that_the_reader_may_not_see() {
    let (app, engineer) = recorded().await;
    let list = async |by: &Person, baseline: &str| {
        let asked = format!("filter=seed%20%3E%202&order_by=seed&columns=metrics.test.score&baseline={baseline}");
        let request = by.request(reqwest::Method::POST, "/fn/list_runs").body(asked);
        by.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    };
    let page = list(&engineer, "2").await.done();
    assert_eq!((&page["baseline"]["id"], &page["baseline"]["values"]), (&json!("2"), &json!([0.1])));
    assert!(page["runs"].as_array().unwrap().iter().all(|run| run["id"] != "2"), "it does not pass the filter: {page}");
    let (_, html) =
        engineer.page("/runs?filter=seed%20%3E%202&order_by=seed&columns=metrics.test.score&baseline=2").await;
    let first = html.split("row-baseline").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(first.contains("/runs/2\"") && first.contains("Unpin"), "{first}");
    assert!(html.contains(">+0.3<"), "the run of 0.4 is 0.3 more: {html}");
    engineer.post("/api/v1/problems", document("other")).await.done();
    let grants = [Grant { role: Role::MlEngineer, problem: Some("other".to_owned()) }];
    let stranger = app.person_with("stranger", &grants).await.unwrap();
    for (by, baseline, said) in [(&stranger, "2", "404"), (&engineer, "99", "404"), (&engineer, "x", "400")] {
        let answer = list(by, baseline).await;
        assert!(answer.body.to_string().contains(said), "{baseline}: {} {}", answer.status, answer.body);
    }
    app.remove().await;
}

#[tokio::test]
async fn an_export_is_the_slice_of_the_page() {
    let (app, engineer) = recorded().await;
    let query = "filter=params.depth%20%3C%203&order_by=seed&columns=params.depth,metrics.test.score";
    let request = engineer.request(reqwest::Method::GET, &format!("/api/v1/runs/export.csv?{query}"));
    let text = request.send().await.unwrap().text().await.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].ends_with("\"params.depth\",\"metrics.test.score\""), "{text}");
    assert!(lines[1].starts_with("\"2\",\"shelves\"") && lines[1].ends_with("\"1\",\"0.1\""), "{text}");
    let whole = engineer.get(&format!("/api/v1/runs/export.json?{query}")).await.done();
    assert_eq!(whole["runs"][1]["values"], json!([2, 0.2]));
    app.remove().await;
}

#[tokio::test]
async fn pages_of_an_ordered_list_follow_each_other() {
    let (app, engineer) = recorded().await;
    app.sql(
        "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed, provenance, created_at)
         select problem_version_id, dataset_version_id, author_id, 'failed', request, 100 + i, provenance, now()
         from run, generate_series(1, 60) i where id = 1",
    )
    .await;
    for order in ["", "&order_by=seed%20desc", "&page_size=23", "&page_size=23&order_by=seed%20desc"] {
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = engineer.get(&format!("/api/v1/runs?problem=shelves{order}{token}")).await.done();
            let length = page["items"].as_array().unwrap().len();
            assert!(length <= if order.contains("page_size") { 23 } else { 50 }, "{order}: {length}");
            seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
            match page["next_page_token"].as_str() {
                Some(next) => token = format!("&page_token={next}"),
                None => break,
            }
        }
        let all: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), all.len()), (69, 69), "{order}");
    }
    for (size, list) in [("0", "runs"), ("201", "runs"), ("201", "alerts"), ("-1", "runs")] {
        let refused = engineer.get(&format!("/api/v1/{list}?page_size={size}")).await;
        assert_eq!(refused.status, 400, "{list} {size}: {}", refused.body);
    }
    app.remove().await;
}

#[tokio::test]
async fn runs_side_by_side_keep_their_order_and_are_those_the_reader_sees() {
    let (app, engineer) = recorded().await;
    let compared = engineer.get("/api/v1/runs/compare?ids=4,2,1").await.done();
    let row = |part: &str, name: &str| {
        let rows = compared[part].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["values"].clone()).unwrap_or_default()
    };
    assert_eq!(row("metrics", "test.score"), json!(["not a number", 0.1, null]));
    assert_eq!(row("parameters", "depth"), json!([3, 1, null]));
    let area = compared["metrics"].as_array().unwrap().iter().find(|row| row["name"] == "test.roc_auc").unwrap();
    assert_eq!((&area["intervals"][0], area["intervals"][2].as_array().map(Vec::len)), (&Value::Null, Some(2)));
    assert_eq!(compared["curves"][2]["confusion"].as_array().map(Vec::len), Some(2));
    assert_eq!(row("parameters", "trainer"), json!(["gradient_boosting", "gradient_boosting", "logistic"]));
    let (_, html) = engineer.page("/runs/compare?ids=2&ids=9&baseline=9").await;
    let baseline = html.split("aria-current=\"true\"").nth(1).unwrap();
    assert!(baseline[..100].contains(">#9<") && html.contains("equal rows are hidden"), "{html}");
    let (status, table) = engineer.page("/api/v1/runs/compare.csv?ids=4,2,1&baseline=2&differing=true").await;
    assert_eq!(status, 200);
    let line = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert_eq!(
        line("\"kind\""),
        r#""kind","name","4","2","1","4 minus 2","1 minus 2","4 low","4 high","2 low","2 high","1 low","1 high""#
    );
    assert_eq!(line("\"parameter\",\"depth\""), r#""parameter","depth","3","1","","","","","","","","","""#);
    let scores = engineer.page("/api/v1/runs/compare.csv?ids=5,2&baseline=2").await.1;
    assert!(scores.contains(r#""metric","test.score","0.4","0.1","0.30000000000000004","","","","""#), "{scores}");
    assert!(line("\"metric\",\"test.roc_auc\"").split(',').nth(11).is_some_and(|low| low.len() > 4), "{table}");
    let apart = engineer.get("/api/v1/runs/compare?ids=5,2&baseline=2&differing=true").await.done();
    assert_eq!(
        (&apart["baseline"], &apart["differences"]["test.score"]),
        (&json!("2"), &json!([0.30000000000000004, 0.0]))
    );
    let differing = |part: &str| apart[part].as_array().unwrap().iter().all(|row| row["values"][0] != row["values"][1]);
    assert!(["parameters", "metrics", "tags", "provenance"].into_iter().all(differing), "{apart}");
    let whole = engineer.page("/api/v1/runs/compare.csv?ids=4,2,1").await.1;
    assert!(whole.lines().count() > table.lines().count(), "equal rows are there: {whole}");
    assert_eq!(engineer.get("/api/v1/runs/compare.csv?ids=4,2&baseline=1").await.status, 400);
    engineer.post("/api/v1/problems", document("other")).await.done();
    let grants = [Grant { role: Role::MlEngineer, problem: Some("other".to_owned()) }];
    let stranger = app.person_with("stranger", &grants).await.unwrap();
    assert_eq!(stranger.get("/api/v1/runs/compare?ids=2").await.status, 404);
    assert_eq!(listed(&stranger, "order_by=seed").await, Vec::<i64>::new());
    assert_eq!(stranger.get("/api/v1/runs/export.json").await.done()["runs"], json!([]));
    assert_eq!(stranger.get("/api/v1/runs/compare.csv?ids=2").await.status, 404);
    assert_eq!(stranger.post("/api/v1/runs/1/reproduce", json!({})).await.status, 404);
    assert_eq!(engineer.get("/api/v1/runs/compare?ids=2,x").await.status, 400);
    assert_eq!(engineer.get("/api/v1/runs/compare?ids=2,99").await.status, 404);
    app.remove().await;
}

#[tokio::test]
async fn things_are_found_by_name_number_and_digest_and_only_those_that_one_may_see() {
    let (app, engineer) = recorded().await;
    let stakeholder = app.person("second", &[Role::Stakeholder]).await.unwrap();
    let found = async |by: &Person, text: &str| -> Vec<String> {
        let found = by.get(&format!("/api/v1/find?q={}", encoded(text))).await.done();
        found["items"].as_array().unwrap().iter().map(|one| one["href"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&engineer, "SHELV").await, ["/problems/shelves", "/models/shelves/v/1"]);
    assert_eq!(found(&engineer, "is it").await, ["/problems/shelves"]);
    assert_eq!(found(&stakeholder, " 3 ").await, ["/runs/3"]);
    for called in ["run 2", "#2", "Run #2"] {
        assert_eq!(found(&engineer, called).await, ["/runs/2"], "{called}");
    }
    assert!(found(&engineer, "rows.csv").await.contains(&"/datasets/1/v/1".to_owned()));
    let digest = engineer.get("/api/v1/models/shelves/versions/1").await.done()["digest"].as_str().unwrap().to_owned();
    assert_eq!(found(&engineer, &digest[..12]).await, ["/models/shelves/v/1"]);
    assert_eq!(found(&engineer, &digest.to_uppercase()).await, ["/models/shelves/v/1"]);
    assert_eq!(found(&engineer, &digest[..32]).await, ["/models/shelves/v/1"]);
    let id = "01989f3c-0000-7000-8000-000000000001";
    assert_eq!(found(&engineer, id).await, [format!("/predictions?id={id}")]);
    for nothing in ["", "%", "_", "nowhere", "'; drop table run; --"] {
        assert_eq!(found(&engineer, nothing).await, Vec::<String>::new(), "{nothing}");
    }
    engineer.post("/api/v1/problems", document("other")).await.done();
    let grants = [Grant { role: Role::MlEngineer, problem: Some("other".to_owned()) }];
    let stranger = app.person_with("stranger", &grants).await.unwrap();
    assert_eq!(found(&stranger, "is it").await, ["/problems/other"]);
    for hidden in ["shelves", "3", &digest, "rows.csv"] {
        assert_eq!(found(&stranger, hidden).await, Vec::<String>::new(), "{hidden}");
    }
    assert_eq!(engineer.get(&format!("/api/v1/find?q={}", "a".repeat(201))).await.status, 400);
    let (status, page) = engineer.page("/find?q=shelves").await;
    assert!(status == 200 && page.contains("href=\"/models/shelves/v/1\""), "{page}");
    app.remove().await;
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn the_code_that_launched_a_run_is_kept_with_it() {
    let (app, engineer) = recorded().await;
    let diff = "--- a/train.py\n+++ b/train.py\n+ größer\n";
    let provenance = json!({ "git_sha": "c6e6787aa01", "branch": "main", "dirty": true, "diff": diff });
    let run =
        app.run(&engineer, "shelves", json!({ "trainer": "logistic", "seed": 2, "provenance": provenance })).await;
    assert_eq!(run.body["provenance"]["git_sha"], "c6e6787aa01");
    assert_eq!(run.body["provenance"]["branch"], "main");
    let kept = engineer.request(reqwest::Method::GET, &format!("/api/v1/runs/{}/artifacts/code.diff", run.id));
    let kept = kept.send().await.unwrap();
    assert_eq!(kept.headers()["content-type"], "text/x-diff");
    assert_eq!(kept.headers()["content-disposition"], format!("attachment; filename=\"run-{}-code.diff\"", run.id));
    assert_eq!(kept.headers()["etag"], format!("{}", run.body["provenance"]["diff_digest"]));
    assert_eq!(kept.text().await.unwrap(), diff);
    let (status, page) = engineer.page(&format!("/runs/{}?tab=artifacts", run.id)).await;
    assert!(status == 200 && page.contains("/artifacts/code.diff"));
    for wrong in [json!({ "git_sha": "none" }), json!({ "git_sha": ["x"] }), json!({ "diff": "x".repeat(1_048_577) })] {
        let refused = engineer.post("/api/v1/problems/shelves/runs", json!({ "provenance": wrong })).await;
        assert_eq!((refused.status, refused.body["errors"][0]["pointer"].as_str()), (400, Some("/provenance")));
    }
    assert_eq!(engineer.get(&format!("/api/v1/runs/{}/artifacts/none", run.id)).await.status, 404);
    app.remove().await;
}

#[tokio::test]
async fn each_look_at_the_held_out_part_is_counted() {
    let (app, engineer) = recorded().await;
    let looks = |run: &Value| (run["held_out"]["looks"].as_u64(), run["held_out"]["luck"].as_f64());
    let first = engineer.get("/api/v1/runs/1").await.done();
    assert_eq!(looks(&first), (Some(1), Some(0.0)), "runs that were never measured do not look");
    let second = app.run(&engineer, "shelves", json!({ "trainer": "decision_tree" })).await;
    let (count, luck) = looks(&second.body);
    let interval = &second.body["intervals"]["test.roc_auc"];
    let error = (interval[1].as_f64().unwrap() - interval[0].as_f64().unwrap()) / 2.0 / 1.96;
    assert_eq!(count, Some(2));
    assert!((luck.unwrap() - 0.564 * error).abs() < 1e-3 * error, "{luck:?} of {error}");
    let (_, page) = engineer.page(&format!("/runs/{}", second.id)).await;
    assert!(page.contains("2 runs have been measured on this part"));
    app.remove().await;
}
