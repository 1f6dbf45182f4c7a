//! Counts: exact over servers, kept with the window, and what they say.

use std::time::Duration;

use millrace_domain::monitor::{Reference, judge};
use millrace_domain::problem::Monitoring;
use serde_json::{Value, json};

use crate::{SLUG, Stage, instance};

#[tokio::test]
async fn a_window_holds_every_answer_and_each_number_follows_from_its_counts() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(730, 0.0).await;
    let view = stage.monitor().await;
    let window = view["windows"].as_array().unwrap().last().unwrap();
    assert_eq!((&window["finding"]["n"], &window["finding"]["verdict"]), (&json!(730), &json!("stable")), "{window}");
    assert_eq!(window["quality"]["labelled"], 730);
    assert_eq!(window["quality"]["verdict"], "pass", "{window}");
    let logged = stage.app.count("select count(*) from prediction").await;
    assert_eq!(logged, 730);

    let path = format!("/api/v1/deployments/{SLUG}/monitor/export.json?to=2100-01-01T00:00:00Z");
    let export = stage.engineer.get(&path).await.done();
    let reference: Reference = serde_json::from_value(export["references"]["1"].clone()).unwrap();
    let rule: Monitoring = serde_json::from_value(export["rule"].clone()).unwrap();
    for exported in export["windows"].as_array().unwrap() {
        let counts: Vec<u64> = serde_json::from_value(exported["counts"].clone()).unwrap();
        let again = judge(&reference, &counts, &rule).unwrap();
        assert_eq!(json!(again), exported["window"]["finding"]);
    }
    let bins = &view["bins"];
    let current: u64 = bins["current"].as_array().unwrap().iter().map(|bin| bin.as_u64().unwrap()).sum();
    assert_eq!(current, 730, "{bins}");
    // A hand at the database changes nothing of it.
    assert!(stage.app.try_sql("update monitor_window set counts = '{1}'").await.is_err());
    assert!(stage.app.try_sql("delete from monitor_window").await.is_err());
    stage.remove().await;
}

#[tokio::test]
async fn few_answers_give_no_verdict_and_no_alarm() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..3 {
        stage.hour(8, 400.0).await;
    }
    let view = stage.monitor().await;
    let window = view["windows"].as_array().unwrap().last().unwrap();
    assert_eq!((&window["finding"]["n"], &window["finding"]["verdict"]), (&json!(8), &json!("too_few")), "{window}");
    assert_eq!(stage.alerts().await, Vec::<Value>::new());
    stage.remove().await;
}

/// Two servers in whole windows of a few seconds, by the real clock.
#[tokio::test]
async fn what_two_servers_counted_adds_up_and_writing_twice_counts_once() {
    let short = json!({ "window": "4s", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 10 });
    let stage = Stage::with(json!({ "monitoring": short }), &[]).await;
    let other = stage.app.another_server().await.unwrap();
    let elsewhere = stage.caller.at(&other);
    let mut asked = 0;
    for round in 0..20u32 {
        let instances: Vec<Value> = (0..25).map(|n| instance(round * 25 + n, 0.0)).collect();
        let body = json!({ "instances": instances });
        for caller in [&stage.caller, &elsewhere] {
            asked += 25;
            caller.post(&format!("/v1/models/{SLUG}:predict"), body.clone()).await.done();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let count = "select coalesce(sum((w.finding ->> 'n')::bigint), 0)::bigint from monitor_window w";
    for _ in 0..150 {
        if stage.app.count(count).await == asked {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(stage.app.count(count).await, asked, "{}", stage.app.said());
    assert_eq!(
        stage.app.count("select count(distinct server) from live_count where array_length(counts, 1) > 0").await,
        2
    );
    drop(other);
    stage.remove().await;
}
