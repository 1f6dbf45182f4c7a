//! Tracked runs, by the door that MLflow's clients knock at.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Grant, Role, Scope};
use millrace_test_support::{Answer, Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");
const DOOR: &str = "/api/2.0/mlflow";

fn document(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }],
        "success": { "metric": "roc_auc", "at_least": 0.5 },
    })
}

struct Tracking {
    app: TestApp,
    engineer: Person,
    client: Person,
}

/// A problem that is a draft, and a client with a token of the two scopes.
async fn tracking() -> Tracking {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    engineer.post("/api/v1/problems", document("shelves")).await.done();
    let client = app.token(&engineer, &[Scope::Launch, Scope::Read]).await.unwrap();
    Tracking { app, engineer, client }
}

impl Tracking {
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.client.post(&format!("{DOOR}/{path}"), body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.client.get(&format!("{DOOR}/{path}")).await
    }

    async fn begin(&self, name: &str) -> String {
        let body =
            json!({ "experiment_id": "shelves", "run_name": name, "start_time": 1_767_225_600_000_i64, "tags": [] });
        let begun = self.post("runs/create", body).await.done();
        begun["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }

    async fn log(&self, run: &str, key: &str, value: Value, step: i64) -> Answer {
        let body = json!({ "run_id": run, "key": key, "value": value, "timestamp": 1_767_225_600_000_i64 + step, "step": step });
        self.post("runs/log-metric", body).await
    }

    /// The newest values of a run by the name of the metric.
    async fn newest(&self, run: &str) -> Value {
        let told = self.get(&format!("runs/get?run_id={run}")).await.done();
        let metrics = told["run"]["data"]["metrics"].as_array().unwrap();
        let pairs = metrics.iter().map(|metric| (metric["key"].as_str().unwrap().to_owned(), metric["value"].clone()));
        Value::Object(pairs.collect())
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, word: &str) {
    assert_eq!((answer.status, answer.body["error_code"].as_str()), (status, Some(code)), "{}", answer.body);
    assert!(answer.body["message"].as_str().unwrap().contains(word), "{}", answer.body);
}

#[tokio::test]
async fn what_a_client_logs_is_told_back_and_stands_among_the_runs() {
    let tracking = tracking().await;
    let named = tracking.get("experiments/get-by-name?experiment_name=shelves").await.done();
    assert_eq!(named["experiment"]["experiment_id"], "shelves");
    let run = tracking.begin("try 7").await;
    tracking.log(&run, "loss", json!(0.6), 1).await.done();
    tracking.log(&run, "loss", json!("NaN"), 2).await.done();
    tracking.log(&run, "loss", json!(0.25), 3).await.done();
    let batch = json!({ "run_id": run,
        "metrics": [{"key": "test.roc_auc", "value": "Infinity", "timestamp": "1767225600000", "step": "0"}],
        "params": [{"key": "depth", "value": "6"}, {"key": "model", "value": "gbm"}], "tags": [{"key": "team", "value": "risk"}] });
    tracking.post("runs/log-batch", batch).await.done();
    tracking.post("runs/log-parameter", json!({ "run_uuid": run, "key": "eta", "value": "1e-05" })).await.done();
    tracking.post("runs/set-tag", json!({ "run_id": run, "key": "gone", "value": "soon" })).await.done();
    let input = json!({ "dataset": {"name": "rows (may)", "digest": "d1", "source_type": "local"}, "tags": [] });
    tracking.post("runs/log-inputs", json!({ "run_id": run, "datasets": [input] })).await.done();
    tracking.post("runs/delete-tag", json!({ "run_id": run, "key": "gone" })).await.done();
    tracking
        .post("runs/update", json!({ "run_id": run, "status": "FINISHED", "end_time": 1_767_225_660_000_i64 }))
        .await
        .done();

    let told = tracking.get(&format!("runs/get?run_id={run}")).await.done()["run"].clone();
    assert_eq!((&told["info"]["status"], &told["info"]["run_name"]), (&json!("FINISHED"), &json!("try 7")));
    assert_eq!(
        told["data"]["tags"],
        json!([
            {"key": "input.rows may", "value": "d1"}, {"key": "team", "value": "risk"}, {"key": "mlflow.runName", "value": "try 7"}
        ])
    );
    let parameters =
        json!([{"key": "depth", "value": "6"}, {"key": "eta", "value": "1e-05"}, {"key": "model", "value": "gbm"}]);
    assert_eq!(told["data"]["params"], parameters, "as they were written");
    assert_eq!(tracking.newest(&run).await, json!({ "loss": 0.25, "test.roc_auc": "Infinity" }));
    let history = tracking.get(&format!("metrics/get-history?run_id={run}&metric_key=loss&max_results=2")).await.done();
    let values: Vec<&Value> = history["metrics"].as_array().unwrap().iter().map(|point| &point["value"]).collect();
    assert_eq!((values, &history["next_page_token"]), (vec![&json!(0.6), &json!("NaN")], &json!("2")));

    let found = tracking
        .engineer
        .get("/api/v1/runs?filter=kind%20%3D%20'tracked'%20and%20params.depth%20%3E%205%20and%20params.eta%20%3C%200.1%20and%20seconds%20%3D%2060%20and%20metrics.loss%20%3C%201")
        .await
        .done();
    assert_eq!(found["items"][0]["tracked"], "try 7");
    let search = json!({ "experiment_ids": ["shelves"], "filter": "attributes.status = 'FINISHED' and metrics.loss < 1",
        "order_by": ["metrics.loss DESC", "attributes.start_time ASC"], "max_results": 10 });
    let began = told["info"]["start_time"].as_i64().unwrap();
    for (filter, found) in [
        ("attributes.status = \"FINISHED\" and params.model ILIKE \"G%\"".to_owned(), 1),
        (format!("attributes.run_id = '{run}'"), 1),
        (format!("attributes.start_time >= {began} and tags.mlflow.runName = 'try 7'"), 1),
        (format!("attributes.start_time > {began}"), 0),
    ] {
        let search = json!({ "experiment_ids": ["shelves"], "filter": filter });
        let runs = tracking.post("runs/search", search).await.done()["runs"].clone();
        assert_eq!(runs.as_array().map(Vec::len), Some(found), "{filter}: {runs}");
    }
    let tagged =
        json!({ "experiment_ids": ["shelves"], "filter": "tags.team = 'risk' and tag.`input.rows may` = 'd1'" });
    assert_eq!(tracking.post("runs/search", tagged).await.done()["runs"][0]["info"]["run_id"], json!(run));
    let others = json!({ "experiment_ids": ["shelves"], "filter": "tags.team != 'risk'" });
    assert_eq!(tracking.post("runs/search", others).await.done()["runs"], json!([]));
    let course = tracking.engineer.get(&format!("/api/v1/runs/{run}/metrics/loss")).await.done();
    let points = course["items"].as_array().unwrap().iter().map(|point| point["step"].as_i64().unwrap());
    assert!(points.clone().count() > 1 && points.is_sorted(), "{course}");
    assert_eq!(tracking.post("runs/search", search).await.done()["runs"][0]["info"]["run_id"], json!(run));
    let (status, page) = tracking.engineer.page(&format!("/runs/{run}")).await;
    assert_eq!(status, 200);
    for part in ["try 7", "loss", "no model comes of it", "risk"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("Run again"));
    tracking.app.remove().await;
}

#[tokio::test]
async fn a_parameter_is_written_once_and_nothing_of_a_refused_batch_stays() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    let parameter = |value: &str| json!({ "run_id": run, "key": "depth", "value": value });
    tracking.post("runs/log-parameter", parameter("6")).await.done();
    tracking.post("runs/log-parameter", parameter("6")).await.done();
    for other in ["7", "6.0"] {
        refused(
            &tracking.post("runs/log-parameter", parameter(other)).await,
            400,
            "INVALID_PARAMETER_VALUE",
            "written once",
        );
    }
    let batch = json!({ "run_id": run, "metrics": [{"key": "loss", "value": 1.0, "timestamp": 1, "step": 1}],
        "params": [{"key": "depth", "value": "8"}], "tags": [{"key": "a", "value": "b"}] });
    assert_eq!(tracking.post("runs/log-batch", batch).await.status, 400);
    assert_eq!(tracking.newest(&run).await, json!({}), "neither the metric");
    assert_eq!(tracking.app.count("select count(*) from run where tags ? 'a'").await, 0, "nor the tag");
    tracking.app.remove().await;
}

#[tokio::test]
async fn a_point_that_comes_late_does_not_become_the_newest_and_a_double_is_one() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    for (value, step) in [(0.5, 10), (0.4, 20), (0.9, 5), (0.4, 20)] {
        tracking.log(&run, "loss", json!(value), step).await.done();
    }
    assert_eq!(tracking.newest(&run).await, json!({ "loss": 0.4 }));
    let history = tracking.get(&format!("metrics/get-history?run_id={run}&metric_key=loss")).await.done();
    let points = history["metrics"].as_array().unwrap().iter();
    let points: Vec<(i64, f64)> = points.map(|p| (p["step"].as_i64().unwrap(), p["value"].as_f64().unwrap())).collect();
    assert_eq!(points, [(5, 0.9), (10, 0.5), (20, 0.4)]);
    tracking.app.remove().await;
}

#[tokio::test]
async fn clients_that_log_at_once_lose_no_point() {
    let tracking = tracking().await;
    let runs = [tracking.begin("a").await, tracking.begin("b").await];
    let logging = (0..8_i64).map(|client| {
        let (run, tracking) = (&runs[client as usize % 2], &tracking);
        async move {
            for step in 0..40 {
                tracking.log(run, &format!("of {client}"), json!(step), step).await.done();
            }
        }
    });
    futures::future::join_all(logging).await;
    assert_eq!(tracking.app.count("select sum(cardinality(step))::bigint from run_points").await, 320);
    assert_eq!(tracking.app.count("select count(*) from run_metric where step = 0 and value = 39").await, 8);
    tracking.app.remove().await;
}

#[tokio::test]
async fn callers_who_go_away_take_nothing_of_the_others_with_them() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    let batch = |client: i64| {
        let metric = |step| json!({"key": format!("of {client}"), "value": step, "timestamp": 1, "step": step});
        json!({ "run_id": run, "metrics": (0..1_000).map(metric).collect::<Vec<_>>() })
    };
    let calls = (0..16_i64).map(|client| {
        let (tracking, body) = (&tracking, batch(client));
        async move {
            let call = tracking.post("runs/log-batch", body);
            // Every second one goes away, sooner or later.
            match client % 2 {
                0 => Some(call.await.status),
                _ => tokio::time::timeout(std::time::Duration::from_millis(client as u64 * 4), call)
                    .await
                    .ok()
                    .map(|a| a.status),
            }
        }
    });
    let answered = futures::future::join_all(calls).await;
    assert!(answered.iter().flatten().all(|status| *status == 200), "{answered:?}");
    let whole =
        "select count(*) from (select name from run_points group by name having sum(cardinality(step)) = 1000) whole";
    assert!(tracking.app.count(whole).await >= answered.iter().flatten().count() as i64, "what was answered is there");
    let torn =
        "select count(*) from (select name from run_points group by name having sum(cardinality(step)) <> 1000) torn";
    assert_eq!(tracking.app.count(torn).await, 0, "a batch is there as a whole");
    tracking.app.remove().await;
}

#[tokio::test]
async fn a_run_with_too_many_metrics_spoils_nothing_for_those_who_log_beside_it() {
    let tracking = tracking().await;
    let (wide, other) = (tracking.begin("wide").await, tracking.begin("other").await);
    let names = |from: i64| {
        (from..from + 1_000)
            .map(|name| json!({"key": format!("m {name}"), "value": 1, "timestamp": 1, "step": 0}))
            .collect::<Vec<_>>()
    };
    for from in [0, 1_000] {
        tracking.post("runs/log-batch", json!({ "run_id": wide, "metrics": names(from) })).await.done();
    }
    let (too_many, beside) = tokio::join!(
        tracking.post("runs/log-batch", json!({ "run_id": wide, "metrics": names(2_000) })),
        futures::future::join_all((0..20).map(|step| tracking.log(&other, "loss", json!(step), step))),
    );
    refused(&too_many, 400, "INVALID_PARAMETER_VALUE", "2000 metrics");
    assert!(beside.iter().all(|answer| answer.status == 200));
    tracking.app.remove().await;
}

#[tokio::test]
async fn files_of_a_run_are_kept_listed_and_given_back() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    let put = |name: &str, content: &'static str| {
        let path = format!("/api/2.0/mlflow-artifacts/artifacts/shelves/{run}/{name}");
        tracking.client.send(tracking.client.request(reqwest::Method::PUT, &path).body(content))
    };
    put("plots/roc.png", "a picture").await.done();
    put("model card.md", "a card").await.done();
    put("model card.md", "another card").await.done();
    let listed = |folder: &str| {
        let (path, client) =
            (format!("/api/2.0/mlflow-artifacts/artifacts?path=shelves/{run}{folder}"), &tracking.client);
        async move { client.get(&path).await.done()["files"].clone() }
    };
    let files = json!([
        { "path": "model card.md", "is_dir": false, "file_size": 12 },
        { "path": "plots", "is_dir": true },
    ]);
    assert_eq!(listed("").await, files);
    assert_eq!(listed("/plots").await, json!([{ "path": "roc.png", "is_dir": false, "file_size": 9 }]));
    let path = format!("/api/2.0/mlflow-artifacts/artifacts/shelves/{run}/plots/roc.png");
    assert_eq!(tracking.client.page(&path).await, (200, "a picture".to_owned()));
    assert_eq!(tracking.engineer.page(&format!("/api/v1/runs/{run}/artifacts/plots%2Froc.png")).await.1, "a picture");
    refused(&put("a%0Ab", "x").await, 400, "INVALID_PARAMETER_VALUE", "in its name");
    let reader = tracking.app.token(&tracking.engineer, &[Scope::Read]).await.unwrap();
    let denied = reader.send(reader.request(reqwest::Method::PUT, &path).body("x")).await;
    refused(&denied, 403, "PERMISSION_DENIED", "scope");
    tracking.app.remove().await;
}

#[tokio::test]
async fn nothing_comes_of_a_tracked_run_and_the_pipelines_own_are_not_added_to() {
    let tracking = tracking().await;
    let stakeholder = tracking.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    tracking.app.sign_off(&tracking.engineer, &stakeholder, &document("boxes")).await;
    let row = |row: u32| format!("{},{}\n", row * 37 % 101, u32::from(row * 37 % 101 + row * 13 % 60 > 60));
    let rows: String = (0..300).map(row).collect();
    tracking.app.load(&tracking.engineer, "boxes", "rows.csv", format!("x,big\n{rows}").into_bytes()).await;
    let own = tracking.app.run(&tracking.engineer, "boxes", json!({ "trainer": "logistic" })).await.id;
    assert_eq!(tracking.app.count("select count(*) from model_version").await, 1);
    let run = tracking.begin("").await;
    tracking.post("runs/update", json!({ "run_id": run, "status": "FAILED" })).await.done();

    let model = format!(
        "insert into model_version (problem_id, number, run_id, digest, artifact, stage, gates, created_at)
         select problem_id, 9, {run}, digest, artifact, 'registered', gates, now() from model_version limit 1"
    );
    let said = tracking.app.try_sql(&model).await.unwrap_err();
    assert!(said.contains("registers nothing"), "{said}");
    let said = tracking.app.try_sql(&format!("update run set kind = 'pipeline' where id = {run}")).await.unwrap_err();
    assert!(said.contains("stays what it is"), "{said}");
    let step = format!(
        "insert into step (subject_kind, subject_id, kind, position, state) values ('run', {run}, 'train', 0, 'queued')"
    );
    let said = tracking.app.try_sql(&step).await.unwrap_err();
    assert!(said.contains("has no steps"), "{said}");
    let repeated = tracking.engineer.post(&format!("/api/v1/runs/{run}/reproduce"), json!({})).await;
    assert_eq!((repeated.status, repeated.code()), (409, "not_repeatable"));
    let answer = tracking.log(&own, "test.roc_auc", json!(1.0), 0).await;
    refused(&answer, 400, "INVALID_PARAMETER_VALUE", "the pipeline's own");
    let told = tracking.get(&format!("runs/get?run_id={own}")).await.done();
    assert_eq!(told["run"]["info"]["status"], "FINISHED", "but it can be read");
    tracking.app.remove().await;
}

#[tokio::test]
async fn refusals_are_in_the_words_of_the_clients() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    let unknown = tracking.post("experiments/create", json!({ "name": "whatever" })).await;
    refused(&unknown, 400, "INVALID_PARAMETER_VALUE", "millrace apply");
    refused(
        &tracking.post("experiments/create", json!({ "name": "shelves" })).await,
        400,
        "RESOURCE_ALREADY_EXISTS",
        "",
    );
    refused(&tracking.get("experiments/get?experiment_id=no").await, 404, "RESOURCE_DOES_NOT_EXIST", "slug");
    refused(
        &tracking.post("runs/create", json!({ "experiment_id": "0" })).await,
        400,
        "INVALID_PARAMETER_VALUE",
        "set_experiment",
    );
    refused(&tracking.get("runs/get?run_id=none").await, 404, "RESOURCE_DOES_NOT_EXIST", "none");
    refused(&tracking.log(&run, "a/../b", json!(1), 0).await, 400, "INVALID_PARAMETER_VALUE", "path");
    refused(&tracking.log(&run, "loss", json!("much"), 0).await, 400, "INVALID_PARAMETER_VALUE", "number");
    let many: Vec<Value> =
        (0..1_001).map(|step| json!({"key": "m", "value": 1, "timestamp": 1, "step": step})).collect();
    refused(
        &tracking.post("runs/log-batch", json!({"run_id": run, "metrics": many})).await,
        400,
        "INVALID_PARAMETER_VALUE",
        "1001",
    );
    refused(
        &tracking.post("runs/search", json!({"experiment_ids": ["shelves"], "filter": "nonsense ="})).await,
        400,
        "INVALID_PARAMETER_VALUE",
        "filter",
    );
    let far = json!({ "run_id": run, "key": "m", "value": 1, "timestamp": i64::MAX, "step": i64::MIN });
    refused(&tracking.post("runs/log-metric", far).await, 400, "INVALID_PARAMETER_VALUE", "milliseconds");
    assert_eq!(tracking.app.count("select count(*) from run_points").await, 0);
    tracking.app.remove().await;
}

#[tokio::test]
async fn who_may_not_launch_may_not_log_and_who_may_not_read_sees_no_run() {
    let tracking = tracking().await;
    let run = tracking.begin("").await;
    let log = json!({ "run_id": run, "key": "loss", "value": 1.0, "timestamp": 1, "step": 0 });
    let log_path = format!("{DOOR}/runs/log-metric");
    refused(&tracking.app.anybody().post(&log_path, log.clone()).await, 401, "UNAUTHENTICATED", "");
    let reader = tracking.app.token(&tracking.engineer, &[Scope::Read]).await.unwrap();
    refused(&reader.post(&log_path, log.clone()).await, 403, "PERMISSION_DENIED", "scope");
    let stakeholder = tracking.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let stakeholder = tracking.app.token(&stakeholder, &[Scope::Launch, Scope::Read]).await.unwrap();
    refused(&stakeholder.post(&log_path, log.clone()).await, 403, "PERMISSION_DENIED", "role");
    tracking.engineer.post("/api/v1/problems", document("boxes")).await.done();
    let elsewhere = tracking.app.person_with("elsewhere", &[Grant::on(Role::MlEngineer, "boxes")]).await.unwrap();
    let elsewhere = tracking.app.token(&elsewhere, &[Scope::Launch, Scope::Read]).await.unwrap();
    refused(&elsewhere.post(&log_path, log.clone()).await, 404, "RESOURCE_DOES_NOT_EXIST", "");
    refused(&elsewhere.get(&format!("{DOOR}/runs/get?run_id={run}")).await, 404, "RESOURCE_DOES_NOT_EXIST", "");
    let search = json!({ "experiment_ids": ["shelves", "boxes"] });
    assert_eq!(elsewhere.post(&format!("{DOOR}/runs/search"), search).await.done()["runs"], json!([]));
    // Whoever knows the run and loses the right is turned away too.
    tracking.log(&run, "loss", json!(1.0), 0).await.done();
    tracking
        .app
        .sql("delete from account_role where account_id in (select id from account where email like 'engineer%')")
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
    refused(&tracking.log(&run, "loss", json!(2.0), 1).await, 403, "PERMISSION_DENIED", "");
    tracking.app.remove().await;
}
