//! Counts: exact over servers, kept with the window, and what they say.

use std::process::Command;
use std::time::Duration;

use chrono::TimeDelta;
use millrace_domain::monitor::{Reference, judge};
use millrace_domain::policy::Scope;
use millrace_domain::problem::Monitoring;
use millrace_serving::Serving;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{BINARY, SLUG, Stage, ask, instance};

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
    commands_give_it_and_compute_it_again(&stage).await;
    let bins = &view["bins"];
    let current: u64 = bins["current"].as_array().unwrap().iter().map(|bin| bin.as_u64().unwrap()).sum();
    assert_eq!(current, 730, "{bins}");
    // A hand at the database changes nothing of it.
    assert!(stage.app.try_sql("update monitor_window set counts = '{1}'").await.is_err());
    assert!(stage.app.try_sql("delete from monitor_window").await.is_err());
    stage.remove().await;
}

async fn commands_give_it_and_compute_it_again(stage: &Stage) {
    let reader = stage.app.token(&stage.engineer, &[Scope::Read]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export.json");
    let millrace = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg(&path).env_clear();
        let token = reader.shows().trim_start_matches("Bearer ");
        command.env("MILLRACE_URL", &stage.app.server.url).env("MILLRACE_TOKEN", token).output().unwrap()
    };
    let exported = millrace(&["export", "--problem", SLUG, "--to", "2100-01-01T00:00:00Z", "--output"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let verified = millrace(&["verify-export"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(
        verified.status.success() && said.contains("all equal"),
        "{said}{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    // One answer more than was counted.
    let mut export: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let windows = export["windows"].as_array_mut().unwrap();
    let count = &mut windows.iter_mut().find(|window| window["window"]["finding"]["n"] == 730).unwrap()["counts"][0];
    *count = json!(count.as_u64().unwrap() + 1);
    std::fs::write(&path, export.to_string()).unwrap();
    let refused = millrace(&["verify-export"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("does not follow from its counts"), "{why}");
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
    let short =
        json!({ "window": "12s", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 10 });
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
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let count = "select coalesce(sum((w.finding ->> 'n')::bigint), 0)::bigint from monitor_window w";
    for _ in 0..600 {
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

fn instances(numbers: std::ops::Range<u32>) -> Vec<serde_json::Map<String, Value>> {
    numbers.map(|number| instance(number, 0.0).as_object().unwrap().clone()).collect()
}

/// The names of servers that had not written all of the newest window, of those that live by the stage's clock.
async fn uncounted(stage: &Stage) -> Vec<Value> {
    let view = stage.monitor().await;
    let newest = view["windows"].as_array().unwrap().last().unwrap();
    let of_program = |lost: &&Value| lost["server"].as_str().unwrap().contains('@');
    newest["uncounted"].as_array().unwrap().iter().filter(|lost| !of_program(lost)).cloned().collect()
}

#[tokio::test]
async fn a_window_names_the_server_that_was_lost_in_it_and_since_when_and_no_later_one_does() {
    let mut stage = Stage::set(json!({})).await;
    let stop = CancellationToken::new();
    let start = |name: &'static str| {
        let (db, artifacts) = (stage.services.db().clone(), stage.services.artifacts().clone());
        Serving::start(db, artifacts, stage.services.surroundings().clone(), name, 64, None, stop.clone())
    };
    let begins = stage.now;
    stage.clock.set(begins);
    let (lost, stopped) = (start("lost").await, start("stopped").await);
    // Both are known to count before anything is asked.
    for _ in 0..100 {
        if stage.app.count("select count(*) from counting_server where name in ('lost', 'stopped')").await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let written = begins + TimeDelta::minutes(10);
    stage.clock.set(written);
    for serving in [&lost, &stopped] {
        ask(serving, SLUG, instances(0..120), None).await;
    }
    assert!(lost.settle().await);
    // One writes no more and is lost with thirty answers, the other stops in order.
    stop.cancel();
    stage.clock.set(written + TimeDelta::seconds(5));
    ask(&lost, SLUG, instances(0..30), None).await;
    stopped.finish().await;

    for expected in [json!([{ "server": "lost", "since": written }]), json!([])] {
        stage.now += TimeDelta::hours(1);
        stage.clock.set(stage.now + TimeDelta::seconds(10));
        ask(&stage.serving, SLUG, instances(0..10), None).await;
        assert!(stage.serving.settle().await);
        stage.look().await;
        assert_eq!(json!(uncounted(&stage).await), expected);
    }
    let counted = "select (finding ->> 'n')::bigint from monitor_window where uncounted @> '[{\"server\": \"lost\"}]'";
    assert_eq!(stage.app.count(counted).await, 240);
    assert!(stage.app.try_sql("update monitor_window set uncounted = null").await.is_err());
    stage.remove().await;
}

/// In whole windows of a few seconds, by the real clock.
#[tokio::test]
async fn a_server_that_is_killed_loses_only_what_it_had_not_written_and_the_window_says_so() {
    let short =
        json!({ "window": "12s", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 10 });
    let stage = Stage::with(json!({ "monitoring": short }), &[]).await;
    let other = stage.app.another_server().await.unwrap();
    let elsewhere = stage.caller.at(&other);
    let ask = async |count: u32| {
        let instances: Vec<Value> = (0..count).map(|n| instance(n, 0.0)).collect();
        elsewhere.post(&format!("/v1/models/{SLUG}:predict"), json!({ "instances": instances })).await.done()
    };
    ask(100).await;
    // A window's columns are as many as its answers, twice: x, y and what was answered.
    let written = "select coalesce(sum(n), 0)::bigint from live_count, unnest(counts) n";
    let mut per_answer = 0;
    for _ in 0..1_200 {
        per_answer = stage.app.count(written).await / 100;
        if per_answer > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(per_answer > 0, "nothing was written: {}", stage.app.said());
    ask(7).await;
    drop(other);
    let marked = "select count(*) from monitor_window where uncounted is not null";
    let counted = "select coalesce(sum((finding ->> 'n')::bigint), 0)::bigint from monitor_window";
    for _ in 0..600 {
        if stage.app.count(marked).await > 0 && stage.app.count(counted).await >= 100 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let lost = stage.app.text("select string_agg(uncounted::text, ' ') from monitor_window").await;
    assert!(lost.contains("serve@"), "{lost:?}: {}", stage.app.said());
    let counted = stage.app.count(counted).await;
    assert!((100..=107).contains(&counted), "{counted} were counted");
    // One that stops in order takes itself off.
    let mut stopped = stage.app.another_server().await.unwrap();
    let known = "select count(*) from counting_server";
    for _ in 0..600 {
        if stage.app.count(known).await == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.app.count(known).await, 4);
    stopped.ask_to_stop().unwrap();
    assert!(stopped.ended_within(Duration::from_secs(40)).await.unwrap());
    assert_eq!(stage.app.count(known).await, 3, "the program, the stage's own server, and the one that was killed");
    stage.remove().await;
}

#[tokio::test]
async fn counts_are_kept_until_the_longest_window_that_needs_them_is_judged() {
    let long = json!({ "window": "30d", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 10 });
    let mut stage = Stage::set(json!({ "monitoring": long })).await;
    let length = 30 * 86_400;
    let begins = (stage.now.timestamp() / length + 1) * length;
    stage.now = chrono::DateTime::from_timestamp(begins, 0).unwrap();
    stage.clock.set(stage.now + TimeDelta::days(1));
    ask(&stage.serving, SLUG, instances(0..80), None).await;
    assert!(stage.serving.settle().await);
    stage.clock.set(stage.now + TimeDelta::days(20));
    stage.services.tidy().await.unwrap();
    stage.now += TimeDelta::days(30);
    stage.look().await;
    let view = stage.monitor().await;
    assert_eq!(view["windows"].as_array().unwrap().last().unwrap()["finding"]["n"], 80);
    stage.clock.set(stage.now + TimeDelta::days(8));
    stage.services.tidy().await.unwrap();
    assert_eq!(stage.app.count("select count(*) from live_count").await, 0);
    stage.remove().await;
}
