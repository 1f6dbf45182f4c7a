//! Rows joined to tables and to their own past, from the document to the prediction.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document() -> Value {
    json!({
        "slug": "orders", "title": "Will the order come back", "decision": "whom to call",
        "target": { "name": "returned", "kind": "binary", "column": "returned" },
        "data": { "event_time": "at", "split": { "kind": "time", "validation": 0.2, "test": 0.2 } },
        "tables": [{ "name": "shops", "key": "shop", "event_time": "since", "known_time": "entered" }],
        "lookups": [{ "table": "shops", "name": "shop_now" }],
        "aggregates": [
            { "name": "orders_1d", "over": "customer", "function": "count", "window": "1d" },
            { "name": "spent_1d", "over": "customer", "function": "sum", "of": "amount", "window": "1d" },
        ],
        "features": [
            { "name": "size", "expression": "shop_now.size", "nullable": true },
            { "name": "spent", "expression": "ln(1 + spent_1d)" },
        ],
        "success": { "metric": "roc_auc", "at_least": 0.6 },
    })
}

/// Orders a quarter of an hour apart; whoever ordered a lot on the day, at a large shop, sends back.
fn orders() -> Vec<u8> {
    let mut text = "customer,shop,amount,at,returned\n".to_owned();
    for row in 0..800i64 {
        let (customer, shop) = ((row * row) % 13, (row * 7) % 5);
        let amount = (row * 31) % 97;
        let returned = customer < 5 && shop > 1 || (row * 11) % 17 == 0;
        let (day, hour, minute) = (1 + row / 96, (row / 4) % 24, (row % 4) * 15);
        text += &format!("c{customer},{shop},{amount}.5,2026-03-{day:02}T{hour:02}:{minute:02}:00Z,{returned}\n");
    }
    text.into_bytes()
}

fn shops() -> Vec<u8> {
    let rows = (0..5).map(|shop| format!("{shop},{},2026-01-01T00:00:00Z,2026-01-02T00:00:00Z\n", shop * 100));
    format!("shop,size,since,entered\n{}", rows.collect::<String>()).into_bytes()
}

async fn people() -> (TestApp, Person, Person) {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document()).await;
    (app, engineer, stakeholder)
}

#[tokio::test]
async fn a_run_that_the_check_of_features_stopped_can_be_tried_again_and_says_the_same() {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut narrow = document();
    narrow["features"][0]["max"] = json!(300);
    app.sign_off(&engineer, &stakeholder, &narrow).await;
    app.load_named(&engineer, "orders", "shops", "shops.csv", shops()).await;
    app.load(&engineer, "orders", "orders.csv", orders()).await;
    let run = app.run(&engineer, "orders", json!({ "seed": 1 })).await;
    assert_eq!(run.body["failure"]["code"], "invalid_data", "{}", run.body);
    let id = run.body["id"].as_str().unwrap();
    engineer.submit(&format!("/runs/{id}"), "/fn/retry_run", &[("id", id)]).await;
    let ended = format!(
        "select count(*) from step where subject_kind = 'run' and subject_id = {id} and kind = 'features' and attempt > 1
            and state not in ('queued', 'running')"
    );
    for _ in 0..200 {
        if app.count(&ended).await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let again = engineer.get(&format!("/api/v1/runs/{id}")).await.done();
    assert_eq!((&again["state"], &again["failure"]), (&json!("failed"), &run.body["failure"]));
    app.remove().await;
}

#[tokio::test]
async fn a_file_is_replayed_with_the_rows_that_are_joined_and_as_fast_as_is_asked() {
    let (app, engineer, client) = live().await;
    ask(&client, json!({ "customer": "c0", "shop": 0, "at": "2026-02-01T00:00:00Z" })).await;
    let token = app.services.recognise_host(&engineer.email).await.unwrap();
    let token = app.services.create_token(&token, "script", &[Scope::Read, Scope::Predict], 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    std::fs::write(&file, orders()).unwrap();
    // A draft that nobody signed is not what is live.
    let mut draft = document();
    draft["features"].as_array_mut().unwrap().push(json!({ "name": "other", "expression": "of_another_file" }));
    engineer.post("/api/v1/problems/orders/versions", draft).await.done();
    let mut command = tokio::process::Command::new(BINARY);
    // Two hundred orders came within fifty hours.
    command.args(["replay", "--problem", "orders", "--rows", "200", "--speed", "90000", "--json", "--data"]).arg(&file);
    command.env("MILLRACE_URL", &app.server.url).env("MILLRACE_TOKEN", token);
    let began = std::time::Instant::now();
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), json!({ "predictions": 200, "outcomes": 200 }));
    assert!(began.elapsed().as_secs_f64() >= 1.9, "its pace is kept");
    let kept = "select count(*) from prediction where event_time between '2026-03-01' and '2026-03-04' and inputs ->> 'customer' like 'c%'";
    for _ in 0..100 {
        if app.count(kept).await == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(app.count(kept).await, 200);
    app.remove().await;
}

/// The service, who works on it, and a client that asks for predictions.
async fn live() -> (TestApp, Person, Person) {
    let (app, engineer, stakeholder) = people().await;
    app.load_named(&engineer, "orders", "shops", "shops.csv", shops()).await;
    app.load(&engineer, "orders", "orders.csv", orders()).await;
    let run = app.run(&engineer, "orders", json!({ "seed": 1 })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body);
    let version = engineer.get("/api/v1/models/orders/versions/1").await.done();
    let digest = version["digest"].as_str().unwrap();
    stakeholder.decide("/api/v1/models/orders/versions/1", "approve", digest).await.done();
    engineer.post("/api/v1/deployments/orders/rollouts", json!({ "version": 1 })).await.done();
    let client = app.token(&engineer, &[Scope::Predict]).await.unwrap();
    (app, engineer, client)
}

async fn ask(client: &Person, instance: Value) -> Value {
    for _ in 0..100 {
        let answer = client.post("/v1/models/orders:predict", json!({ "instances": [instance] })).await;
        if answer.status != 404 {
            return answer.done()["predictions"][0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no model is live");
}

/// Waits until an order of c1 at ten o'clock is remembered: the log is followed twice a second.
async fn remembered(client: &Person) {
    let keys = json!({ "customer": "c1", "shop": 3, "at": "2026-03-12T10:05:00Z" });
    for _ in 0..300 {
        let read = client.post("/v1/models/orders:features", json!({ "instances": [keys] })).await.done();
        if read["features"][0]["orders_1d"] == 1.0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the order is not remembered");
}

/// What the answer was joined to, from the log.
async fn joined(app: &TestApp, prediction: &Value, cell: &str) -> i64 {
    let id = prediction["id"].as_str().unwrap();
    for _ in 0..50 {
        let query = format!("select count(*) from prediction where id = '{id}'");
        if app.count(&query).await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let cell = format!(
        "select cell::double precision::bigint from prediction, json_array_elements_text(joined->'cells')
        with ordinality cells (cell, place) where id = '{id}' and joined->'names'->>(place - 1)::int = '{cell}'"
    );
    app.count(&cell).await
}

#[tokio::test]
async fn a_run_waits_for_the_tables_that_its_document_names() {
    let (app, engineer, _) = people().await;
    app.load(&engineer, "orders", "orders.csv", orders()).await;
    let refused = engineer.post("/api/v1/problems/orders/runs", json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "no_valid_table"));
    assert!(refused.detail().contains("\"shops\""), "{}", refused.detail());
    app.remove().await;
}

#[tokio::test]
async fn a_table_is_checked_by_its_own_rules() {
    let (app, engineer, _) = people().await;
    let without = b"shop,since,entered\n1,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z\n".to_vec();
    let rejected = app.load_named(&engineer, "orders", "shops", "shops.csv", without).await;
    assert_eq!(rejected["summary"]["state"], "rejected");
    let findings = rejected["report"]["findings"].as_array().unwrap();
    let missing = findings.iter().find(|finding| finding["column"] == "size").unwrap();
    assert_eq!((&missing["check"], &missing["outcome"]), (&json!("column_present"), &json!("failed")));
    assert!(!findings.iter().any(|finding| finding["check"] == "label_missing"), "a table has no labels");
    app.remove().await;
}

#[tokio::test]
async fn a_request_is_joined_as_the_training_rows_were_and_sees_the_requests_before_it() {
    let (app, _, client) = live().await;
    // The newest order of c1 in the data is of 2026-03-09; two days later nothing of it is in the window.
    let at = |minute: u32| format!("2026-03-12T10:{minute:02}:00Z");
    let order = |minute: u32| json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": at(minute) });
    let first = ask(&client, order(0)).await;
    assert_eq!(joined(&app, &first, "orders_1d").await, 0, "no order within a day");
    assert_eq!(joined(&app, &first, "shop_now.size").await, 300, "the shop's size");
    remembered(&client).await;
    let second = ask(&client, order(5)).await;
    assert_eq!(joined(&app, &second, "orders_1d").await, 1, "the order before");
    assert_eq!(joined(&app, &second, "spent_1d").await, 7, "what was spent, 7.25, rounded");
    let other = ask(&client, json!({ "customer": "c2", "shop": 9, "at": at(6) })).await;
    assert_eq!(joined(&app, &other, "orders_1d").await, 0, "somebody else's");
    app.remove().await;
}

#[tokio::test]
async fn a_receipt_names_what_was_joined_with_its_age_and_replay_tells_each_feature() {
    let (app, engineer, client) = live().await;
    let order = |minute: u32| json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": format!("2026-03-12T10:{minute:02}:00Z") });
    ask(&client, order(0)).await;
    remembered(&client).await;
    let asked = ask(&client, order(5)).await;
    assert_eq!(joined(&app, &asked, "orders_1d").await, 1);
    let id = asked["id"].as_str().unwrap();
    let receipt = engineer.get(&format!("/api/v1/predictions/{id}")).await.done();
    let cell = |name: &str| {
        let cells = receipt["joined"]["cells"].as_array().unwrap();
        cells.iter().find(|cell| cell["name"] == name).cloned().unwrap()
    };
    let (orders, size) = (cell("orders_1d"), cell("shop_now.size"));
    assert_eq!((&orders["value"], &orders["age_seconds"]), (&json!(1.0), &json!(300.0)), "{receipt}");
    assert_eq!((&size["value"], &size["as_of"]), (&json!(300.0), &json!("2026-01-01T00:00:00Z")), "{receipt}");
    assert_eq!(receipt["joined"]["loads"]["tables"]["shops"]["number"], 1, "{receipt}");
    let again = engineer.get(&format!("/api/v1/predictions/{id}/replay")).await.done();
    assert_eq!((&again["same"], &again["features"]["size"]), (&json!(true), &json!(300.0)), "{again}");
    let spent = again["features"]["spent"].as_f64().unwrap();
    assert!((spent - 8.25_f64.ln()).abs() < 1e-12, "{again}");
    app.remove().await;
}

#[tokio::test]
async fn features_are_read_by_key_without_an_answer_or_a_row_of_the_log() {
    let (app, _, client) = live().await;
    let order = json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": "2026-03-12T10:00:00Z" });
    ask(&client, order.clone()).await;
    remembered(&client).await;
    let logged = app.count("select count(*) from prediction").await;
    let keys = json!({ "customer": "c1", "shop": 3, "at": "2026-03-12T10:05:00Z" });
    let read = client
        .post("/v1/models/orders:features", json!({ "instances": [keys, { "customer": "nobody" }] }))
        .await
        .done();
    let (known, unknown) = (&read["features"][0], &read["features"][1]);
    assert_eq!(
        (&known["shop_now.size"], &known["orders_1d"], &known["spent_1d"]),
        (&json!(300.0), &json!(1.0), &json!(7.25))
    );
    assert_eq!((&unknown["shop_now.size"], &unknown["orders_1d"]), (&Value::Null, &json!(0.0)));
    assert!(read["loads"].is_object(), "{read}");
    let refused = client.post("/v1/models/orders:features", json!({ "instances": [{ "zip": 1 }] })).await;
    assert_eq!((refused.status, refused.code()), (400, "invalid_instances"));
    assert_eq!(app.count("select count(*) from prediction").await, logged);
    app.remove().await;
}

#[tokio::test]
async fn what_was_remembered_is_remembered_after_a_restart() {
    let (mut app, engineer, client) = live().await;
    let order = |minute: u32| json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": format!("2026-03-12T10:{minute:02}:00Z") });
    let first = ask(&client, order(0)).await;
    assert_eq!(joined(&app, &first, "orders_1d").await, 0);
    app.restart(&[]).await.unwrap();
    let client = app.token(&engineer, &[Scope::Predict]).await.unwrap();
    let second = ask(&client, order(5)).await;
    assert_eq!(joined(&app, &second, "orders_1d").await, 1);
    app.remove().await;
}

#[tokio::test]
async fn a_newer_table_is_joined_to_without_a_restart() {
    let (app, engineer, client) = live().await;
    let order = json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": "2026-03-12T10:00:00Z" });
    let before = ask(&client, order.clone()).await;
    assert_eq!(joined(&app, &before, "shop_now.size").await, 300);
    let newer = String::from_utf8(shops()).unwrap() + "3,777,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z\n";
    app.load_named(&engineer, "orders", "shops", "shops.csv", newer.into_bytes()).await;
    let mut size = 0;
    for _ in 0..40 {
        let answer = ask(&client, order.clone()).await;
        size = joined(&app, &answer, "shop_now.size").await;
        if size == 777 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    assert_eq!(size, 777);
    app.remove().await;
}

/// The deployment once answers were computed again.
async fn audited(app: &TestApp, engineer: &Person, until: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..150 {
        let seen = engineer.get("/api/v1/deployments/orders").await.done();
        if until(&seen["parity"]) {
            return seen;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("no answer was computed again; the server said: {}", app.said());
}

#[tokio::test]
async fn answers_computed_again_come_to_the_same_bits() {
    let (app, engineer, client) = live().await;
    for minute in 0..20 {
        let order = json!({ "customer": format!("c{}", minute % 3), "shop": minute % 6, "amount": f64::from(minute) * 0.1 + 0.1,
            "at": format!("2026-03-12T10:{minute:02}:00Z") });
        ask(&client, order).await;
        if minute % 7 == 0 {
            // So that later answers see earlier requests.
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        }
    }
    let seen = audited(&app, &engineer, |parity| parity["compared"].as_i64() > Some(0)).await;
    assert_eq!(seen["parity"]["differing"], 0, "{seen}");
    assert_eq!(seen["joined"][1]["table"], "shops");
    app.remove().await;
}

#[tokio::test]
async fn a_difference_of_one_ulp_is_told_and_the_version_is_not_put_live_again() {
    let (app, engineer, client) = live().await;
    let on_call = app.person("oncall", &[Role::OnCall]).await.unwrap();
    // Every answer is logged with its score one unit in the last place off, as a path that rounds otherwise would.
    app.sql(
        "create function off() returns trigger language plpgsql as $$ begin
             new.output = jsonb_set(new.output::jsonb, '{score}', to_jsonb((new.output->>'score')::double precision * (1 + 2.3e-16)));
             return new; end $$",
    )
    .await;
    app.sql("create trigger off before insert on prediction for each row execute function off()").await;
    ask(&client, json!({ "customer": "c1", "shop": 3, "amount": 7.25, "at": "2026-03-12T10:00:00Z" })).await;
    let seen = audited(&app, &engineer, |parity| parity["differing"].as_i64() > Some(0)).await;
    assert_eq!(seen["parity"]["examples"][0]["what"], "answer");
    let letter = app.letter(&on_call.email, "parity_broken").await;
    assert!(letter.text.contains("/deployments/orders"), "{}", letter.text);
    let (_, page) = engineer.page("/deployments/orders").await;
    assert!(page.contains("What differed"), "{page}");
    on_call.post("/api/v1/deployments/orders/rollback", json!({ "reason": "answers differ" })).await.done();
    let refused = engineer.post("/api/v1/deployments/orders/rollouts", json!({ "version": 1 })).await;
    assert_eq!((refused.status, refused.code()), (409, "parity_broken"));
    app.remove().await;
}

#[tokio::test]
async fn a_feature_set_says_what_it_is_computed_from_who_answers_for_it_and_who_uses_it() {
    let (app, engineer, _) = live().await;
    let listed = engineer.get("/api/v1/features").await.done()["items"][0].clone();
    assert_eq!(
        (&listed["version"], &listed["live_model"], &listed["owner"]),
        (&json!(1), &json!(1), &json!("engineer"))
    );
    let set = engineer.get("/api/v1/features/orders").await.done();
    let feature = |name: &str| set["features"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(feature("size")["reads"], json!(["size of shops"]));
    assert_eq!(feature("spent")["reads"], json!(["sum over 1 day of earlier rows"]));
    let size = &feature("size")["statistics"];
    assert_eq!((&size["distinct"], &size["range"]), (&json!(5), &json!([0.0, 400.0])));
    assert!(feature("size")["importance"].as_f64().unwrap() > 0.0);
    let things = set["lineage"]["things"].as_array().unwrap();
    assert!(things.iter().any(|thing| thing["kind"] == "deployment"), "{things:?}");
    let (_, page) = engineer.page("/features/orders").await;
    assert!(page.contains("size of shops") && page.contains("<svg"), "{page}");
    let (_, page) = engineer.page("/models/orders/v/1").await;
    assert!(page.contains("Where it comes from") && page.contains("shops.csv"), "{page}");
    app.remove().await;
}

/// Writes and submits another version of the document; what submitting answered, and where the version is.
async fn revise(engineer: &Person, change: impl FnOnce(&mut Value)) -> (millrace_test_support::Answer, Value, String) {
    let mut document = document();
    change(&mut document);
    let saved = engineer.post("/api/v1/problems/orders/versions", document).await.done();
    let version = format!("/api/v1/problems/orders/versions/{}", saved["version"]);
    (engineer.post(&format!("{version}/submit"), json!({})).await, saved, version)
}

#[tokio::test]
async fn a_change_that_would_break_the_live_model_is_refused_with_the_list() {
    let (app, engineer, _) = live().await;
    let (refused, ..) = revise(&engineer, |document| document["tables"][0]["event_time"] = json!("entered")).await;
    assert_eq!((refused.status, refused.code()), (409, "breaks_live_model"));
    assert!(
        refused.detail().contains("shop_now of table shops, of which the event time changes"),
        "{}",
        refused.detail()
    );
    let (wording, ..) = revise(&engineer, |document| document["title"] = json!("Does the order come back")).await;
    assert_eq!(wording.status, 200, "{}", wording.detail());
    app.remove().await;
}

#[tokio::test]
async fn a_table_keeps_the_columns_that_the_live_model_reads() {
    let (app, engineer, _) = live().await;
    let reviewer = app.person("another", &[Role::Stakeholder]).await.unwrap();
    let spent = json!([
        { "name": "spent", "expression": "ln(1 + spent_1d)" },
        { "name": "shop", "expression": "shop_now.shop", "nullable": true },
    ]);
    let (submitted, saved, version) = revise(&engineer, |document| document["features"] = spent).await;
    assert_eq!(submitted.status, 200, "{}", submitted.detail());
    let waived = json!({ "decision": "approve", "digest": saved["digest"], "comment": "", "waiver": "a test" });
    reviewer.post(&format!("{version}/decisions"), waived).await.done();
    let narrow = b"shop,since,entered\n1,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z\n".to_vec();
    let load = app.load_named(&engineer, "orders", "shops", "shops.csv", narrow).await;
    assert_eq!(load["summary"]["state"], "rejected");
    let findings = load["report"]["findings"].as_array().unwrap();
    let missing = findings.iter().find(|finding| finding["column"] == "size").unwrap();
    assert!(missing["expected"].as_str().unwrap().contains("live model"), "{missing}");
    app.remove().await;
}
