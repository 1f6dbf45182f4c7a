//! Aliases, archive, comparison, model card and evidence pack.

use std::process::{Command, Output};

use millrace_domain::policy::{Grant, Role, Scope};
use millrace_test_support::Person;
use serde_json::{Value, json};

use crate::team::{BINARY, Team, document};

/// Two registered versions, the first live.
async fn two_versions() -> Team {
    let team = Team::with("things", 0.6, json!({})).await;
    for trainer in ["logistic", "decision_tree"] {
        let run = team.run(json!({ "trainer": trainer })).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    }
    team.put_live(1).await;
    team
}

async fn put(by: &Person, path: &str, body: Value) -> (u16, String) {
    let answer = by.send(by.request(reqwest::Method::PUT, path).json(&body)).await;
    (answer.status, answer.code().to_owned())
}

#[tokio::test]
async fn an_alias_keeps_every_move_and_moves_nothing_that_is_live() {
    let team = two_versions().await;
    let alias = |name: &str| format!("/api/v1/models/things/aliases/{name}");
    let to = |version: i32, reason: &str| json!({ "version": version, "reason": reason });
    assert_eq!(put(&team.engineer, &alias("stable"), to(1, "first")).await.0, 204);
    assert_eq!(put(&team.engineer, &alias("stable"), to(2, "better")).await.0, 204);
    let refused = [
        (put(&team.engineer, &alias("champion"), to(2, "quicker")).await, (409, "reserved_alias")),
        (put(&team.engineer, &alias("candidate"), to(2, "quicker")).await, (409, "reserved_alias")),
        (put(&team.engineer, &alias("Stable"), to(2, "name")).await, (400, "invalid")),
        (put(&team.engineer, &alias("stable"), to(9, "none")).await, (404, "not_found")),
        (put(&team.engineer, &alias("stable"), to(1, "")).await, (400, "invalid")),
        (put(&team.stakeholder, &alias("stable"), to(1, "role")).await, (403, "not_allowed")),
    ];
    for (answer, wanted) in refused {
        assert_eq!((answer.0, answer.1.as_str()), wanted);
    }
    let aliases = team.second.get("/api/v1/models/things/aliases").await.done();
    let told: Vec<(&str, &Value)> = aliases["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alias| (alias["name"].as_str().unwrap(), &alias["version"]))
        .collect();
    assert_eq!(told, [("champion", &json!(1)), ("candidate", &Value::Null), ("stable", &json!(2))]);
    let moves = &aliases["items"][2]["moves"];
    assert_eq!(
        (&moves[0]["previous"], &moves[0]["reason"], &moves[1]["version"]),
        (&json!(1), &json!("better"), &json!(1))
    );
    let live = team.second.get("/api/v1/deployments/things").await.done();
    assert_eq!(live["champion"], 1);
    // History is only added to, also by a hand at the database.
    let refused = team.app.try_sql("update model_alias_move set reason = 'x'").await.unwrap_err();
    assert!(refused.contains("only added") || refused.contains("permission denied"), "{refused}");
    let (_, page) = team.second.page("/models/things").await;
    assert!(page.contains("v1 to v2 by engineer") && page.contains("follows the deployment"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn versions_are_listed_a_page_at_a_time_with_what_people_decide_by() {
    let team = two_versions().await;
    let page = async |query: &str| team.second.get(&format!("/api/v1/models/things{query}")).await;
    let first = page("?page_size=1").await.done();
    let newest = team.second.get(&team.version(2)).await.done();
    let line = &first["items"][0];
    assert_eq!((&line["version"], &line["stage"]), (&json!(2), &json!("registered")));
    assert_eq!((&line["digest"], &line["gates"]), (&newest["digest"], &newest["gates"]));
    assert!(line["gates"].as_array().is_some_and(|gates| !gates.is_empty()), "{line}");
    let token = first["next_page_token"].as_str().expect("there is one more");
    let second = page(&format!("?page_size=1&page_token={token}")).await.done();
    assert_eq!((&second["items"][0]["version"], &second["next_page_token"]), (&json!(1), &Value::Null), "{second}");
    assert_eq!(page("").await.done()["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(page("?page_token=x").await.status, 400);
    let (_, models) = team.second.page("/models").await;
    assert!(models.contains("<a href=\"/models/things/v/1\">v1</a>"), "the live one beside the newest: {models}");
    // A number that no run registered is told as that, and another problem's as none.
    let request = json!({ "version": 9, "reason": "new" });
    let refused = team.engineer.post("/api/v1/deployments/things/rollouts", request.clone()).await;
    assert_eq!((refused.status, refused.code()), (409, "not_registered"), "{}", refused.body);
    assert_eq!(team.engineer.post("/api/v1/deployments/nothing/rollouts", request).await.status, 404);
    team.app.remove().await;
}

#[tokio::test]
async fn a_decision_that_is_sent_again_under_its_key_is_made_once() {
    let team = two_versions().await;
    let version = team.second.get(&team.version(2)).await.done();
    let body = json!({ "decision": "comment", "digest": version["digest"], "comment": "which rows?" });
    let send = async |body: &Value| {
        let path = format!("{}/decisions", team.version(2));
        team.second
            .send(team.second.request(reqwest::Method::POST, &path).header("idempotency-key", "k").json(body))
            .await
    };
    let (once, again) = (send(&body).await, send(&body).await);
    assert_eq!((once.status, again.status), (201, 201), "{}", again.body);
    assert_eq!(once.body, again.body);
    let other = send(&json!({ "decision": "approve", "digest": version["digest"], "comment": "" })).await;
    assert_eq!((other.status, other.code()), (409, "idempotency_key_reused"));
    let seen = team.second.get(&team.version(2)).await.done();
    assert_eq!(seen["review"]["decisions"].as_array().map(Vec::len), Some(1), "{}", seen["review"]);
    team.app.remove().await;
}

#[tokio::test]
async fn an_archived_version_goes_nowhere_until_it_is_brought_back() {
    let team = two_versions().await;
    let archive = |number: i32| format!("{}/archive", team.version(number));
    let body = |archived: bool| json!({ "archived": archived, "reason": "too slow" });
    assert_eq!(team.engineer.post(&archive(1), body(true)).await.code(), "in_use");
    assert_eq!(team.stakeholder.post(&archive(2), body(true)).await.status, 403);
    assert_eq!(team.engineer.post(&archive(2), body(true)).await.status, 204);
    assert_eq!(team.approve(&team.second, 2).await.code(), "archived");
    let alias = put(&team.engineer, "/api/v1/models/things/aliases/next", json!({ "version": 2, "reason": "a" })).await;
    assert_eq!(alias.1, "archived");
    assert_eq!(
        put(&team.engineer, "/api/v1/models/things/aliases/next", json!({ "version": 1, "reason": "a" })).await.0,
        204
    );
    let delete = |name: &str| {
        let path = format!("/api/v1/models/things/aliases/{name}");
        team.engineer.request(reqwest::Method::DELETE, &path).json(&json!({ "reason": "a" }))
    };
    assert_eq!(team.engineer.send(delete("never")).await.status, 404);
    assert_eq!(team.engineer.send(delete("next")).await.status, 204);
    assert_eq!(team.engineer.post(&archive(2), body(false)).await.status, 204);
    // A program that may only read asks whether it may set out, and hears what stands in the way.
    let reader = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    let promotion = async || reader.get(&team.version(2)).await.done()["promotion"].clone();
    let before = promotion().await;
    assert!(before["allowed"] == false && before.to_string().contains("is not approved"), "{before}");
    team.approve(&team.second, 2).await.done();
    assert_eq!(promotion().await["allowed"], true);
    // Approved before it was put away, it does not set out either; nor past the server.
    assert_eq!(team.engineer.post(&archive(2), body(true)).await.status, 204);
    let after = promotion().await;
    assert!(after["allowed"] == false && after.to_string().contains("version 2 is archived"), "{after}");
    let rollouts = "/api/v1/deployments/things/rollouts";
    assert_eq!(team.engineer.post(rollouts, json!({ "version": 2, "reason": "a" })).await.code(), "archived");
    let by_hand =
        "insert into rollout (problem_id, candidate_id, champion_id, plan, step, state, account_id, reason, started_at)
        select c.problem_id, c.id, l.id, '{}', 0, 'running', 1, 'a', now() from model_version c
        join model_version l on l.problem_id = c.problem_id and l.number = 1 where c.number = 2";
    let refused = team.app.try_sql(by_hand).await.unwrap_err();
    assert!(refused.contains("archived version"), "{refused}");
    team.app.remove().await;
}

#[tokio::test]
async fn the_schema_keeps_versions_and_takes_predictions_of_those_there_are_alone() {
    let team = two_versions().await;
    let app = &team.app;
    let predicted = |version: i64| {
        format!(
            "insert into prediction (id, model_version_id, generation, inputs, output, predicted_at)
            values (gen_random_uuid(), {version}, 1, '{{}}', '{{}}', now())"
        )
    };
    let version = app.count("select min(id) from model_version").await;
    app.sql(&predicted(version)).await;
    let unknown = app.try_sql(&predicted(version + 1_000)).await.unwrap_err();
    assert!(unknown.contains("there is no model version"), "{unknown}");
    let moved = format!("update prediction set model_version_id = {}", version + 1_000);
    assert!(app.try_sql(&moved).await.unwrap_err().contains("there is no model version"));
    for act in ["delete from model_version where false", "update model_version set id = default"] {
        let refused = app.try_sql(act).await.unwrap_err();
        assert!(refused.contains("model versions are kept"), "{act}: {refused}");
    }
}

#[tokio::test]
async fn two_versions_are_compared_by_what_differs() {
    let team = two_versions().await;
    let compared = team.second.get("/api/v1/models/things/compare?a=1&b=2").await.done();
    let rows = compared["rows"].as_array().unwrap();
    let metric = rows.iter().find(|row| row["name"] == "test.roc_auc").unwrap();
    let (a, b) = (metric["a"].as_str().unwrap(), metric["b"].as_str().unwrap());
    let delta = b.parse::<f64>().unwrap() - a.parse::<f64>().unwrap();
    assert!((metric["delta"].as_f64().unwrap() - delta).abs() < 1e-12, "{metric}");
    // Both were asked the same inputs of the same data.
    assert!(rows.iter().all(|row| row["group"] != "inputs" && row["name"] != "dataset"), "{rows:?}");
    assert_eq!(compared["new_inputs"], json!([]));
    assert_eq!(team.second.get("/api/v1/models/things/compare?a=1&b=7").await.status, 404);
    let (status, page) = team.second.page("/models/things/compare?a=1&b=2").await;
    assert!(status == 200 && page.contains("Version 1 beside version 2"), "{page}");
    assert!(page.contains("Callers of version 1 send every input that version 2 reads"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn the_versions_of_a_model_are_a_file_with_what_each_was_trained_by_and_on() {
    let team = two_versions().await;
    let (status, file) = team.second.page("/api/v1/models/things/versions.csv").await;
    assert_eq!(status, 200, "{file}");
    let lines: Vec<&str> = file.lines().collect();
    assert!(
        lines[0].starts_with(r#""model","version","stage","archived","gates_overridden","metric","value""#),
        "{file}"
    );
    assert!(
        lines[1].starts_with(r#""things","2","registered","false""#) && lines[1].contains("\"decision_tree\""),
        "{file}"
    );
    assert!(lines[2].starts_with(r#""things","1","live""#) && lines[2].contains(" v1\""), "{file}");
    let (_, page) = team.second.page("/models/things").await;
    assert!(page.contains("href=\"/api/v1/models/things/versions.csv\""), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_version_is_given_out_as_an_onnx_file_that_names_what_it_was_made_from() {
    let team = two_versions().await;
    let path = "/api/v1/models/things/versions/2/model.onnx";
    let given = team.second.request(reqwest::Method::GET, path).send().await.unwrap();
    assert_eq!(given.status(), 200);
    let name = given.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(name, "attachment; filename=\"things-v2.onnx\"");
    let file = given.bytes().await.unwrap();
    let has = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    let version = team.second.get("/api/v1/models/things/versions/2").await.done();
    assert!(has(version["artifact"].as_str().unwrap()), "{version}");
    let made_from = version["provenance"]["dataset_digest"].as_str().unwrap_or_default();
    assert!(made_from.len() == 64 && has(made_from) && has("TreeEnsemble") && has("millrace"), "{version}");
    let again = team.second.request(reqwest::Method::GET, path).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(file, again);
    assert_eq!(team.second.get("/api/v1/models/things/versions/9/model.onnx").await.status, 404);
    team.engineer.post("/api/v1/problems", document("another", 0.6, json!({}))).await.done();
    let grants = [Grant { role: Role::MlEngineer, problem: Some("another".to_owned()) }];
    let stranger = team.app.person_with("stranger", &grants).await.unwrap();
    assert_eq!(stranger.get(path).await.status, 404);
    assert_eq!(team.app.count("select count(*) from audit where outcome = 'refused'").await, 1);
    let (_, page) = team.second.page("/models/things/v/2").await;
    assert!(page.contains(&format!("href=\"{path}\"")), "{page}");
    team.app.remove().await;
}

fn verified(pack: &std::path::Path, more: &[&str]) -> Output {
    // No database, no settings: the archive alone.
    Command::new(BINARY).arg("verify-pack").arg(pack).args(more).env_clear().output().unwrap()
}

#[tokio::test]
async fn an_evidence_pack_is_checked_without_the_server_and_a_changed_one_is_refused() {
    let team = two_versions().await;
    let card = team.second.page("/api/v1/models/things/versions/1/card.md").await.1;
    assert!(card.starts_with("# things version 1") && card.contains("## What it had to prove"), "{card}");
    let (status, page) = team.second.page("/models/things/v/1/card").await;
    assert!(status == 200 && page.contains("What to be careful about"), "{page}");

    let request = team.second.request(reqwest::Method::GET, "/api/v1/models/things/versions/1/evidence.tar");
    let pack = request.send().await.unwrap().bytes().await.unwrap().to_vec();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pack.tar");
    std::fs::write(&path, &pack).unwrap();
    let sound = verified(&path, &[]);
    let said = String::from_utf8_lossy(&sound.stdout).into_owned();
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    for holds in [
        "the model's bytes are its own",
        "gates passed",
        "was signed by stakeholder",
        "approved by second",
        "audit trail",
    ] {
        assert!(said.contains(holds), "{holds}: {said}");
    }
    // Nobody signs a pack: what it is of is known from elsewhere.
    let model = team.second.get(&team.version(1)).await.done();
    assert!(verified(&path, &["--digest", model["digest"].as_str().unwrap()]).status.success());
    let other = team.second.get(&team.version(2)).await.done();
    assert_eq!(verified(&path, &["--digest", other["digest"].as_str().unwrap()]).status.code(), Some(1));
    // One bit in the middle of the largest part, and an end that is missing.
    let mut flipped = pack.clone();
    let place = pack.windows(6).position(|window| window == b"\"gates").unwrap() + 1;
    flipped[place] ^= 1;
    for broken in [flipped, pack[..pack.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(&path, &broken).unwrap();
        let refused = verified(&path, &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stdout));
    }
    team.app.remove().await;
}
