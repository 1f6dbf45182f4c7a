//! Who may let a version go on that gates stopped, regression cases, and limits that a document names.

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, thing};
use serde_json::{Value, json};

use crate::team::{Team, document};

fn gate<'a>(run: &'a Value, name: &str) -> &'a Value {
    let gates = run["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["name"] == name).unwrap_or_else(|| panic!("no gate {name} in {gates:?}"))
}

#[tokio::test]
async fn those_who_answer_for_the_decision_let_a_stopped_run_go_on_and_it_stays_red() {
    let team = Team::with("things", 0.999, json!({})).await;
    let stopped = team.run(json!({ "trainer": "logistic" })).await;
    assert_eq!(stopped["state"], "rejected", "{}", stopped["failure"]);
    let open = ["success.roc_auc"];
    let refused = [
        (team.override_by(&team.engineer, &stopped, &open, "we need it", 7).await, 403, "not_allowed"),
        (team.override_by(&team.stakeholder, &stopped, &[], "we need it", 7).await, 409, "gates_differ"),
        (team.override_by(&team.stakeholder, &stopped, &["latency.p99"], "we need it", 7).await, 409, "gates_differ"),
        (team.override_by(&team.stakeholder, &stopped, &open, " ", 7).await, 400, "invalid"),
        (team.override_by(&team.stakeholder, &stopped, &open, "we need it", 0).await, 400, "invalid"),
        (team.override_by(&team.stakeholder, &stopped, &open, "we need it", 91).await, 400, "invalid"),
    ];
    for (answer, status, code) in refused {
        assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.body);
    }
    let token = team.app.token(&team.stakeholder, &Scope::ALL).await.unwrap();
    assert_eq!(team.override_by(&token, &stopped, &open, "we need it", 7).await.status, 403);

    let done = team.override_by(&team.stakeholder, &stopped, &open, "The season begins", 7).await.done();
    assert_eq!(done["version"], 1);
    let again = team.override_by(&team.second, &stopped, &open, "we need it", 7).await;
    assert_eq!(again.code(), "registered_already");
    let run = team.engineer.get(&format!("/api/v1/runs/{}", stopped["id"].as_str().unwrap())).await.done();
    assert_eq!((&run["state"], &run["model"]["version"]), (&json!("rejected"), &json!(1)));

    // Who let it go on does not approve it as well.
    assert_eq!(team.approve(&team.stakeholder, 1).await.status, 403);
    team.put_live(1).await;
    let live = team.second.get(&team.version(1)).await.done();
    let red = gate(&live, "success.roc_auc");
    assert_eq!((&red["verdict"], &red["overridden"]["reason"]), (&json!("fail"), &json!("The season begins")));
    assert_eq!((&live["summary"]["stage"], &live["summary"]["overridden"]), (&json!("live"), &json!(true)));

    let audited = "select count(*) from audit where action = 'run.override_gates' and outcome = ";
    assert_eq!(team.app.count(&format!("{audited}'done'")).await, 1);
    assert_eq!(team.app.count(&format!("{audited}'refused'")).await, 6);
    let (_, page) = team.second.page("/models/things/v/1").await;
    assert!(page.contains("Gates overridden by stakeholder") && page.contains("The season begins"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn nobody_overrides_the_gates_of_their_own_run_at_any_door() {
    let team = Team::with("things", 0.999, json!({})).await;
    let both = team.app.person("both", &[Role::MlEngineer, Role::Stakeholder]).await.unwrap();
    let stopped = team.app.run(&both, team.slug, json!({ "trainer": "logistic" })).await;
    let own = team.override_by(&both, &stopped.body, &["success.roc_auc"], "mine", 7).await;
    assert_eq!((own.status, own.code()), (403, "own_work"));
    // Nor by a hand at the database, nor what nobody let go on, nor what ran out.
    let given = |account: i64, until: &str| {
        format!(r#", "overridden": {{ "account": "{account}", "by": "a", "reason": "b", "until": "{until}" }}"#)
    };
    let insert = |overridden: &str| {
        format!(
            r#"insert into model_version (problem_id, number, run_id, digest, artifact, gates, stage, created_at)
               select p.id, 1, r.id, sha256('a'), (select digest from artifact limit 1),
                   '[{{ "name": "a", "verdict": "fail"{overridden} }}]'::jsonb, 'registered', now()
               from problem p, run r where p.slug = 'things' and r.id = {}"#,
            stopped.id
        )
    };
    let (own, other) = (both.id.0, team.stakeholder.id.0);
    let soon = team.app.text("select to_char(now() + interval '5 days', 'YYYY-MM-DD') || 'T00:00:00Z'").await;
    let refused = [
        (String::new(), "registered only when"),
        (given(other, "2020-01-01T00:00:00Z"), "registered only when"),
        (given(own, &soon), "their own run"),
        (given(other, "2999-01-01T00:00:00Z"), "who, why and until when"),
        (given(other + 1_000, &soon), "who, why and until when"),
        (r#", "overridden": { "until": "2999-01-01T00:00:00Z" }"#.to_owned(), "who, why and until when"),
    ];
    for (overridden, why) in refused {
        let refused = team.app.try_sql(&insert(&overridden)).await.unwrap_err();
        assert!(refused.contains(why), "{overridden}: {refused}");
    }
    team.app.try_sql(&insert(&given(other, &soon))).await.unwrap();
    // Whoever let it go on does not approve it, whoever writes it down.
    let approve = format!(
        "insert into decision (subject_kind, subject_id, digest, account_id, decision, comment, decided_at)
         select 'model', id, digest, {other}, 'approve', '', now() from model_version"
    );
    team.app.try_sql(&approve).await.unwrap();
    let refused = team.app.try_sql("update model_version set stage = 'approved'").await.unwrap_err();
    assert!(refused.contains("as many others"), "{refused}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_version_that_answers_a_regression_case_otherwise_is_stopped_and_the_case_is_named() {
    let team = Team::with("things", 0.6, json!({})).await;
    let first = team.run(json!({ "trainer": "logistic" })).await;
    assert_eq!(first["state"], "succeeded", "{}", first["failure"]);
    assert!(first["gates"].as_array().unwrap().iter().all(|gate| gate["name"] != "cases"));
    team.put_live(1).await;

    let unfit = json!({ "cases": [
        { "name": "big", "instance": { "x": 99, "y": 99 }, "expect": { "label": "1" } },
        { "name": "", "instance": { "x": 1 }, "expect": { "label": "1" } },
        { "name": "no list", "instance": { "x": [1] }, "expect": { "label": "1" } },
        { "name": "no score", "instance": { "x": 1 }, "expect": { "at_most": 7 } },
        { "name": "no input", "instance": { "x": 1, "yy": 2 }, "expect": { "at_most": 0.7 } }] });
    let refused = team.engineer.post(&team.cases(), unfit).await;
    let pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
    assert_eq!(pointers, ["/cases/1/name", "/cases/2/instance", "/cases/3/expect", "/cases/4/instance"]);
    let good = json!({ "cases": [{ "name": "big", "instance": { "x": 99, "y": 99 }, "expect": { "at_least": 0.9 } }] });
    team.engineer.post(&team.cases(), good).await.done();

    // What a caller got is disputed, and kept with what must be answered.
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let (x, y, _) = thing(7);
    let asked = json!({ "instances": [{ "entity": "t7", "x": x, "y": y }] });
    let mut answer = caller.post("/v1/models/things:predict", asked.clone()).await;
    for _ in 0..600 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        answer = caller.post("/v1/models/things:predict", asked.clone()).await;
    }
    let answer = answer.done();
    let (id, said) =
        (answer["predictions"][0]["id"].as_str().unwrap(), answer["predictions"][0]["label"].as_str().unwrap());
    let wanted = if said == "1" { "0" } else { "1" };
    let keep = format!("/api/v1/predictions/{id}/case");
    let expect = json!({ "name": "thing seven", "expect": { "label": wanted } });
    let mut kept = team.second.post(&keep, expect.clone()).await;
    for _ in 0..600 {
        if kept.status != 404 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        kept = team.second.post(&keep, expect.clone()).await;
    }
    let case = kept.done()["case"].as_str().unwrap().to_owned();

    let second = team.run(json!({ "trainer": "logistic", "seed": 2 })).await;
    let stopped = gate(&second, "cases");
    assert_eq!((&second["state"], &stopped["verdict"], &stopped["n"]), (&json!("rejected"), &json!("fail"), &json!(2)));
    let note = stopped["note"].as_str().unwrap();
    assert!(note.contains("thing seven") && !note.contains("big:"), "{note}");

    let retire = |by: &Person| {
        let request = by.request(reqwest::Method::DELETE, &format!("{}/{case}", team.cases()));
        request.json(&json!({ "reason": "the label was wrong" }))
    };
    assert_eq!(team.engineer.send(retire(&team.engineer)).await.status, 403);
    assert_eq!(team.second.send(retire(&team.second)).await.status, 204);
    assert_eq!(team.second.send(retire(&team.second)).await.status, 404);
    let third = team.run(json!({ "trainer": "logistic", "seed": 3 })).await;
    assert_eq!((&third["state"], &gate(&third, "cases")["n"]), (&json!("succeeded"), &json!(1)));
    team.app.remove().await;
}

#[tokio::test]
async fn limits_that_a_document_names_are_gates_beside_the_live_version() {
    let team = Team::with("things", 0.6, json!({})).await;
    assert_eq!(team.run(json!({ "trainer": "logistic" })).await["state"], "succeeded");
    team.put_live(1).await;
    let limits =
        json!({ "gates": { "train_gap": 0.001, "negative_flips": 0.0, "model_mb": 0.001, "memory_mb": 0.001 } });
    let versions = format!("/api/v1/problems/{}/versions", team.slug);
    let saved = team.engineer.post(&versions, document("things", 0.6, limits)).await.done();
    let version = format!("{versions}/{}", saved["version"]);
    team.engineer.post(&format!("{version}/submit"), json!({})).await.done();
    team.stakeholder.decide(&version, "approve", saved["digest"].as_str().unwrap()).await.done();

    let deep = json!({ "trainer": "decision_tree", "parameters": { "max_depth": 12 } });
    let run = team.run(deep).await;
    assert_eq!(run["state"], "rejected", "{}", run["failure"]);
    for (name, limit) in [("train_gap", 0.001), ("negative_flips", 0.0), ("model_mb", 0.001), ("memory_mb", 0.001)] {
        let gate = gate(&run, name);
        assert_eq!((&gate["verdict"], &gate["threshold"]), (&json!("fail"), &json!(limit)), "{gate}");
        assert!(gate["observed"].as_f64().unwrap() > limit, "{gate}");
    }
    let latency = gate(&run, "latency.p99")["note"].as_str().unwrap().to_owned();
    assert!(latency.contains("of the live version 1 not above"), "{latency}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_rule_of_the_fallback_that_cannot_be_read_of_what_is_sent_stops_the_model_and_is_named() {
    let rules = json!([
        { "when": "x > 0", "label": "1", "score": 0.9 },
        { "when": "colour = 'red'", "label": "1", "score": 0.9 },
        { "when": "x = 'red'", "label": "1", "score": 0.9 }
    ]);
    let fallback = json!({ "rules": rules, "label": "0", "score": 0.1 });
    let serving = json!({ "p99_ms": 250.0, "throughput_rps": 50.0, "fallback": fallback });
    let team = Team::with("things", 0.6, json!({ "serving": serving })).await;
    let run = team.run(json!({ "trainer": "logistic" })).await;
    let stopped = gate(&run, "fallback");
    assert_eq!((&run["state"], &stopped["verdict"]), (&json!("rejected"), &json!("fail")), "{stopped}");
    let note = "colour = 'red': \"colour\" is not sent; x = 'red': = needs operands of one type (number), got text";
    assert_eq!((&stopped["observed"], &stopped["note"]), (&json!(2.0), &json!(note)));
    team.app.remove().await;
}

#[tokio::test]
async fn a_model_is_weighed_while_it_answers_and_passes_where_it_takes_less_than_it_may() {
    let limits = json!({ "gates": { "memory_mb": 64.0 } });
    let team = Team::with("things", 0.6, limits).await;
    let weights = async |request: Value| {
        let run = team.run(request).await;
        let gate = gate(&run, "memory_mb").clone();
        assert_eq!(gate["verdict"], "pass", "{gate}");
        assert!(gate["n"].as_u64().unwrap() > 0, "{gate}");
        gate["observed"].as_f64().unwrap()
    };
    let few = weights(json!({ "trainer": "random_forest", "parameters": { "trees": 10, "max_depth": 12 } })).await;
    let many = weights(json!({ "trainer": "random_forest", "parameters": { "trees": 400, "max_depth": 12 } })).await;
    assert!(many > few && many > 1.0, "{few} MB and {many} MB");
    team.app.remove().await;
}
