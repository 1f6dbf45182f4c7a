//! Trainings that start by themselves: each reason once, one run for all that is open, and none while something is in the way.

use chrono::TimeDelta;
use millrace_test_support::{TestApp, things};
use serde_json::{Value, json};

use crate::{SLUG, Stage, ask};

fn policy(more: Value) -> Value {
    let mut policy = json!({ "on_drift": true, "cool_down": "30m", "promote": "approval" });
    policy.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "retraining": policy })
}

impl Stage {
    async fn triggers(&self) -> Value {
        self.engineer.get(&format!("/api/v1/problems/{SLUG}/triggers")).await.done()
    }

    async fn standing(&self) -> String {
        // As seen by whoever lives by the moved clock.
        let actor = self.services.recognise_host(&self.engineer.email).await.unwrap();
        self.services.triggers(&actor, SLUG).await.unwrap().standing
    }

    /// Runs that were started by themselves.
    async fn started(&self) -> i64 {
        self.app.count("select count(distinct run_id) from trigger_event where run_id is not null").await
    }

    async fn ended(&self) -> Value {
        let events = self.triggers().await["events"].as_array().unwrap().clone();
        let run = events.iter().find_map(|event| event["run"].as_str()).unwrap().to_owned();
        self.app.ended(&self.engineer, &run).await
    }
}

async fn more_things(app: &TestApp, stage: &Stage, count: u32) {
    app.load(&stage.engineer, SLUG, "things.csv", things(count)).await;
}

#[tokio::test]
async fn confirmed_drift_trains_once_there_is_newer_data_and_the_version_waits_for_approval() {
    let mut stage = Stage::set(policy(json!({}))).await;
    for _ in 0..3 {
        stage.hour(300, 60.0).await;
    }
    assert_eq!(stage.started().await, 0);
    assert!(stage.standing().await.contains("no data yet"), "{}", stage.standing().await);
    more_things(&stage.app, &stage, 5_000).await;
    for _ in 0..5 {
        stage.look().await;
    }
    assert_eq!(stage.started().await, 1);
    let run = stage.ended().await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    stage.now += TimeDelta::hours(1);
    for _ in 0..3 {
        stage.look().await;
    }
    assert_eq!(stage.started().await, 1, "one reason starts one run");
    let model = stage.engineer.get(&format!("/api/v1/models/{SLUG}/versions/2")).await.done();
    assert_eq!(model["summary"]["stage"], "registered", "{model}");
    let audited = "select count(*) from audit where actor = 'retraining' and action = 'run.launch'";
    assert_eq!(stage.app.count(audited).await, 1);
    // Everybody who may approve it was asked once; nothing sets out without them.
    let asked = "select count(*) from mail where kind = 'model_review'";
    assert_eq!(stage.app.count(asked).await, 2);
    let by_hand = "insert into policy_promotion select m.id, v.id, now() from model_version m, problem_version v where m.number = 2";
    let refused = stage.app.try_sql(by_hand).await.unwrap_err();
    assert!(refused.contains("no version goes on by itself"), "{refused}");
    // Whoever launched the run whose settings it repeats does not approve it.
    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let digest = model["digest"].as_str().unwrap();
    assert_eq!(stage.engineer.decide(&path, "approve", digest).await.status, 403);
    stage.remove().await;
}

#[tokio::test]
async fn an_alert_that_goes_on_trains_again_on_newer_data_and_never_beside_a_version_that_waits() {
    let mut stage = Stage::set(policy(json!({ "cool_down": "1s" }))).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    assert_eq!((stage.started().await, &stage.ended().await["state"]), (1, &json!("succeeded")));
    more_things(&stage.app, &stage, 5_100).await;
    stage.hour(300, 60.0).await;
    assert_eq!(stage.started().await, 1);
    let standing = stage.standing().await;
    assert!(standing.contains("version 2, which was trained by itself, waits for approval"), "{standing}");

    // Once somebody has said no, the drift that goes on is reason for another one, once a version of the data.
    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let model = stage.stakeholder.get(&path).await.done();
    stage.stakeholder.decide(&path, "request_changes", model["digest"].as_str().unwrap()).await.done();
    stage.look().await;
    assert_eq!((stage.started().await, &stage.ended().await["state"]), (2, &json!("succeeded")));
    // Version 3 waits now, whatever other data comes.
    more_things(&stage.app, &stage, 5_200).await;
    stage.hour(300, 60.0).await;
    assert_eq!(stage.started().await, 2);
    assert!(stage.standing().await.contains("version 3, which was trained by itself"), "{}", stage.standing().await);
    let waits = stage.app.count("select count(*) from trigger_event where reason = 'drift' and run_id is null").await;
    assert_eq!(waits, 1, "once a version of the data");
    let events = stage.triggers().await["events"].as_array().unwrap().clone();
    let of_drift: Vec<&str> = events.iter().map(|event| event["detail"].as_str().unwrap()).collect();
    assert!(of_drift.len() == 3 && of_drift[..2].iter().all(|detail| detail.contains("it goes on")), "{of_drift:?}");
    stage.remove().await;
}

#[tokio::test]
async fn drift_that_is_over_before_there_is_data_starts_nothing() {
    let mut stage = Stage::set(policy(json!({}))).await;
    for shift in [60.0, 60.0, 0.0, 0.0] {
        stage.hour(300, shift).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    let event = stage.triggers().await["events"][0].clone();
    assert_eq!((&event["reason"], &event["run"]), (&json!("drift"), &Value::Null), "{event}");
    assert!(event["ended"].as_str().unwrap().contains("over before"), "{event}");
    stage.remove().await;
}

#[tokio::test]
async fn where_the_signed_document_says_so_a_retrained_version_sets_out_without_a_person() {
    let mut stage = Stage::set(policy(json!({ "promote": "automatic" }))).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    let run = stage.ended().await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    // Two watches at once send it on once.
    let (mut one, mut other) =
        (millrace_jobs::Watch::new(stage.services.clone()), millrace_jobs::Watch::new(stage.services.clone()));
    tokio::join!(one.look(), other.look());
    let now = stage.engineer.get(&format!("/api/v1/deployments/{SLUG}")).await.done();
    assert_eq!(
        (&now["stage"], &now["candidate"], &now["history"][0]["by"]),
        (&json!("shadow"), &json!(2), &Value::Null),
        "{now}"
    );
    let model = stage.engineer.get(&format!("/api/v1/models/{SLUG}/versions/2")).await.done();
    assert_eq!((&model["goes_on_by"], &model["summary"]["stage"]), (&json!(1), &json!("approved")), "{model}");
    let audited = "select count(*) from audit where actor = 'retraining' and action = 'deployment.rollout'";
    assert_eq!(stage.app.count(audited).await, 1);
    assert_eq!(stage.app.count("select count(*) from mail where kind = 'model_review'").await, 0);
    // A version that people launched does not, whatever the document says.
    let by_hand = "insert into policy_promotion select m.id, v.id, now() from model_version m, problem_version v where m.number = 1";
    assert!(stage.app.try_sql(by_hand).await.is_err());
    assert!(stage.app.try_sql("delete from policy_promotion").await.is_err());
    // Nothing is said to have started a run that it did not start.
    let started = "insert into trigger_event (problem_id, reason, key, detail, at, run_id)
        select problem_id, 'asked', 'x', '', now(), 1 from trigger_event limit 1";
    assert!(stage.app.try_sql(started).await.is_err());

    // Whoever objects while it is on its way stops it, at every door.
    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let digest = model["digest"].as_str().unwrap();
    stage.stakeholder.decide(&path, "request_changes", digest).await.done();
    let model = stage.engineer.get(&path).await.done();
    assert_eq!((&model["goes_on_by"], &model["may_deploy"]["allowed"]), (&Value::Null, &json!(false)), "{model}");
    let arrive = "do $$ begin update model_version set stage = 'superseded' where number = 1;
        update model_version set stage = 'live' where number = 2; raise exception 'it may'; end $$";
    let refused = stage.app.try_sql(arrive).await.unwrap_err();
    assert!(refused.contains("goes live only with an approval"), "{refused}");
    // An approval lets it go on again, as it lets any other.
    stage.stakeholder.decide(&path, "approve", digest).await.done();
    let refused = stage.app.try_sql(arrive).await.unwrap_err();
    assert!(refused.contains("it may"), "{refused}");
    stage.remove().await;
}

#[tokio::test]
async fn what_was_trained_by_itself_waits_for_people_once_the_only_live_version_was_taken_back() {
    let mut stage = Stage::set(policy(json!({ "promote": "automatic" }))).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    let taken = json!({ "reason": "it answers nonsense" });
    stage.on_call.post(&format!("/api/v1/deployments/{SLUG}/rollback"), taken).await.done();
    assert_eq!(stage.ended().await["state"], "succeeded");
    for _ in 0..2 {
        stage.look().await;
    }
    let now = stage.engineer.get(&format!("/api/v1/deployments/{SLUG}")).await.done();
    assert_eq!(
        (&now["stage"], &now["champion"], &now["candidate"]),
        (&json!("none"), &Value::Null, &Value::Null),
        "{now}"
    );
    let asked = "select count(*) from mail where kind = 'model_review'";
    assert!(stage.app.count(asked).await > 0, "people are asked");
    stage.remove().await;
}

#[tokio::test]
async fn who_asks_for_changes_of_a_retrained_version_keeps_it_from_setting_out() {
    let mut stage = Stage::set(policy(json!({ "promote": "automatic" }))).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    assert_eq!(stage.ended().await["state"], "succeeded");
    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let model = stage.stakeholder.get(&path).await.done();
    stage.stakeholder.decide(&path, "request_changes", model["digest"].as_str().unwrap()).await.done();
    stage.look().await;
    let now = stage.engineer.get(&format!("/api/v1/deployments/{SLUG}")).await.done();
    assert_eq!((&now["stage"], &now["champion"]), (&json!("full"), &json!(1)), "{now}");
    stage.remove().await;
}

#[tokio::test]
async fn a_schedule_that_was_missed_is_one_training_and_a_pause_starts_none() {
    let mut stage = Stage::set(policy(json!({ "cron": "0 * * * *", "on_drift": false }))).await;
    stage.look().await;
    more_things(&stage.app, &stage, 4_500).await;
    let path = format!("/api/v1/problems/{SLUG}/triggers");
    let paused = stage.on_call.put(&path, json!({ "paused": true, "reason": "holidays" })).await.done();
    assert_eq!(paused["paused"][1], "holidays", "{paused}");
    assert_eq!(paused["next"], json!([]));
    stage.now += TimeDelta::hours(6);
    stage.look().await;
    assert_eq!(stage.started().await, 0);
    stage.on_call.put(&path, json!({ "paused": false, "reason": "back again" })).await.done();
    stage.now += TimeDelta::hours(6);
    for _ in 0..3 {
        stage.look().await;
    }
    let events = "select count(*) from trigger_event where reason = 'schedule'";
    assert_eq!((stage.app.count(events).await, stage.started().await), (1, 1));
    stage.ended().await;
    stage.remove().await;
}

#[tokio::test]
async fn times_that_come_while_a_training_waits_and_those_before_the_schedule_was_signed_are_not_counted() {
    let mut stage = Stage::set(policy(json!({ "cron": "0 * * * *", "on_drift": false }))).await;
    for _ in 0..5 {
        stage.now += TimeDelta::hours(1);
        stage.look().await;
    }
    let events = "select count(*) from trigger_event where reason = 'schedule'";
    assert_eq!((stage.app.count(events).await, stage.started().await), (1, 0), "there is no newer data");
    // As if nobody had looked for a year: what was due before the document was signed is not due.
    stage.app.sql("update trigger_event set ended = 'test'").await;
    stage.app.sql("update retraining set looked_until = now() - interval '1 year'").await;
    let signed = stage.now + TimeDelta::minutes(50);
    stage.app.sql(&format!("update problem_version set approved_at = '{signed}' where state = 'approved'")).await;
    stage.now += TimeDelta::hours(1);
    stage.look().await;
    let missed = "select count(*) from trigger_event where detail like '%missed%'";
    assert_eq!(stage.app.count(missed).await, 0);
    stage.remove().await;
}

#[tokio::test]
async fn a_training_that_failed_leaves_the_data_new_and_a_sign_off_that_ran_out_starts_none() {
    let mut stage = Stage::set(policy(json!({ "on_drift": false, "cool_down": "1s" }))).await;
    more_things(&stage.app, &stage, 5_000).await;
    let ask = format!("/api/v1/problems/{SLUG}/triggers/run");
    let frame = "select encode(frame, 'hex') from dataset_version order by id desc limit 1";
    let frame = stage.app.text(frame).await;
    let stored = stage.app.home().join("artifacts").join(&frame[..2]).join(&frame[2..]);
    let whole = std::fs::read(&stored).unwrap();
    for (round, content, state) in [(1, &whole[..100], "failed"), (2, &whole[..], "succeeded")] {
        std::fs::write(&stored, content).unwrap();
        stage.now += TimeDelta::hours(1);
        stage.engineer.post(&ask, json!({ "reason": format!("round {round}") })).await.done();
        stage.look().await;
        assert_eq!(stage.started().await, round, "{}", stage.standing().await);
        let ended = stage.ended().await;
        assert_eq!(ended["state"], state, "{}", ended["failure"]);
    }
    stage.app.sql("update problem_version set sign_off_ends_at = now() + interval '5 hours'").await;
    more_things(&stage.app, &stage, 5_500).await;
    stage.now += TimeDelta::hours(6);
    stage.engineer.post(&ask, json!({ "reason": "round 3" })).await.done();
    stage.look().await;
    assert_eq!(stage.started().await, 2);
    assert!(stage.standing().await.contains("sign-off ran out"), "{}", stage.standing().await);
    stage.remove().await;
}

#[tokio::test]
async fn twenty_reasons_whose_watch_dies_before_the_run_are_started_by_the_next_one_and_once() {
    let mut stage = Stage::set(policy(json!({ "on_drift": false, "cool_down": "1s" }))).await;
    for round in 0..20u32 {
        more_things(&stage.app, &stage, 4_100 + round).await;
        stage.now += TimeDelta::hours(1);
        stage.clock.set(stage.now);
        // Somebody asks, and the watch that would have started it is gone: all that is left is the ledger.
        stage
            .engineer
            .post(&format!("/api/v1/problems/{SLUG}/triggers/run"), json!({ "reason": format!("round {round}") }))
            .await;
        // Two watches at once take it up.
        let (mut one, mut other) =
            (millrace_jobs::Watch::new(stage.services.clone()), millrace_jobs::Watch::new(stage.services.clone()));
        tokio::join!(one.look(), other.look());
        assert_eq!(stage.started().await, i64::from(round) + 1);
        stage.ended().await;
    }
    stage.remove().await;
}

#[tokio::test]
async fn after_trainings_for_nothing_it_stops_and_says_so_until_somebody_lets_it_go_on() {
    let mut stage = Stage::set(policy(json!({ "on_drift": false, "cool_down": "1s", "give_up_after": 2 }))).await;
    let ask = |round: u32| json!({ "reason": format!("round {round}") });
    let path = format!("/api/v1/problems/{SLUG}/triggers");
    for round in 0..3u32 {
        more_things(&stage.app, &stage, 4_100 + round).await;
        stage.now += TimeDelta::hours(1);
        stage.clock.set(stage.now);
        stage.engineer.post(&format!("{path}/run"), ask(round)).await;
        stage.look().await;
        if round < 2 {
            let run = stage.ended().await;
            // As if it had come to nothing.
            let id = run["id"].as_str().unwrap();
            stage.app.sql(&format!("update run set state = 'rejected' where id = {id}")).await;
        }
    }
    assert_eq!(stage.started().await, 2);
    let alerts = stage.alerts().await;
    assert_eq!((&alerts[0]["cause"], &alerts[0]["state"]), (&json!("retraining"), &json!("firing")), "{alerts:?}");
    assert!(stage.standing().await.contains("Stopped: 2 trainings"), "{}", stage.standing().await);
    let actor = stage.services.recognise_host(&stage.engineer.email).await.unwrap();
    stage.services.pause_retraining(&actor, SLUG, false, "the data is mended").await.unwrap();
    stage.now += TimeDelta::hours(1);
    stage.look().await;
    assert_eq!(stage.started().await, 3);
    stage.ended().await;
    stage.app.sql("update run set state = 'succeeded' where state = 'rejected'").await;
    stage.remove().await;
}

#[tokio::test]
async fn only_who_may_steers_and_only_where_the_document_has_a_policy() {
    let stage = Stage::set(json!({})).await;
    let path = format!("/api/v1/problems/{SLUG}/triggers");
    let pause = json!({ "paused": true, "reason": "holidays" });
    assert_eq!(stage.engineer.put(&path, pause.clone()).await.status, 409);
    assert_eq!(stage.stakeholder.put(&path, pause).await.status, 403);
    let shown = stage.stakeholder.get(&path).await.done();
    assert_eq!((&shown["has_policy"], &shown["may_act"]["allowed"]), (&json!(false), &json!(false)), "{shown}");
    stage.remove().await;
}

#[tokio::test]
async fn a_run_beside_a_live_version_tells_what_the_data_and_what_the_settings_did() {
    let stage = Stage::set(policy(json!({}))).await;
    more_things(&stage.app, &stage, 5_000).await;
    let effects = async |request: Value| {
        let run = stage.app.run(&stage.engineer, SLUG, request).await.body;
        assert_eq!(run["effects"]["champion"], 1, "{run}");
        run["effects"]["measured"].clone()
    };
    let newer = effects(json!({ "trainer": "logistic" })).await;
    let same = json!({ "improvement": 0.0, "interval": null, "is_same": true });
    // Split at random: the live version has seen some of these rows, so what the data did is not told.
    assert_eq!((&newer["settings"], &newer["data"]), (&same, &Value::Null), "{newer}");
    assert_eq!(newer["refitted"], newer["after"], "{newer}");

    let shallow = json!({ "trainer": "gradient_boosting", "parameters": { "max_depth": 1, "rounds": 3 } });
    let both = effects(shallow.clone()).await;
    // What the live version's settings make of these data is what the run before made of them.
    assert_eq!((&both["before"], &both["refitted"]), (&newer["before"], &newer["after"]), "{both}");
    let lost = both["refitted"].as_f64().unwrap() - both["after"].as_f64().unwrap();
    assert!(lost > 0.0 && (lost + both["settings"]["improvement"].as_f64().unwrap()).abs() < 1e-12, "{both}");

    let mut old = shallow;
    old["version"] = json!(1);
    let settings = effects(old).await;
    assert_eq!(settings["data"], same, "{settings}");
    assert_eq!(settings["refitted"], settings["before"], "{settings}");
    stage.remove().await;
}

#[tokio::test]
async fn quality_that_is_estimated_to_fall_is_told_and_trains_before_any_outcome_is_known() {
    let monitoring = json!({ "window": "1h", "drift": { "metric": "psi", "threshold": 1e6, "windows": 2 }, "min_rows": 100,
        "estimated_loss": 0.05 });
    let mut more = policy(json!({ "on_drift": false, "on_estimated_loss": true, "cpu": "1s" }));
    more["monitoring"] = monitoring;
    let mut stage = Stage::set(more).await;
    more_things(&stage.app, &stage, 5_000).await;
    stage.hour(300, 0.0).await;
    assert_eq!(stage.alerts().await, Vec::<Value>::new());
    // Things so close to the line that the model is sure of none, and nobody says what became of them.
    for _ in 0..2 {
        let close = |number: u32| json!({ "thing": format!("c{number}"), "x": 47.0 + f64::from(number % 60) / 10.0, "y": 50.0 });
        let instances = (0..200).map(|number| close(number).as_object().unwrap().clone()).collect();
        stage.clock.set(stage.now + TimeDelta::minutes(5));
        ask(&stage.serving, SLUG, instances, None).await;
        stage.serving.settle().await;
        stage.now += TimeDelta::hours(1);
        stage.look().await;
    }
    let alerts = stage.alerts().await;
    let told: Vec<_> = alerts.iter().map(|alert| (&alert["cause"], &alert["state"])).collect();
    assert_eq!(told, [(&json!("estimate"), &json!("firing"))], "{alerts:?}");
    assert!(alerts[0]["title"].as_str().unwrap().starts_with("Estimated quality: ROC AUC 0."), "{alerts:?}");
    let tried = format!("/api/v1/deployments/{SLUG}/monitor/backtest?about=estimate");
    let tried = stage.engineer.get(&tried).await.done();
    assert_eq!(
        (&tried["signed"]["threshold"], &tried["judged"], tried["fired"].as_array().unwrap().len()),
        (&json!(0.05), &json!(3), 1),
        "{tried}"
    );
    assert_eq!(stage.ended().await["state"], "succeeded");
    let events = stage.triggers().await["events"].clone();
    assert_eq!((&events[0]["reason"], stage.started().await), (&json!("estimated_loss"), 1), "{events}");

    // What they used of the processor is used up for thirty days.
    stage.app.try_sql("update step set cpu_s = cpu_s + 5 where subject_kind = 'run'").await.unwrap();
    more_things(&stage.app, &stage, 5_100).await;
    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let model = stage.stakeholder.get(&path).await.done();
    stage.stakeholder.decide(&path, "request_changes", model["digest"].as_str().unwrap()).await.done();
    stage.now += TimeDelta::hours(1);
    stage.look().await;
    assert_eq!(stage.started().await, 1);
    let standing = stage.standing().await;
    assert!(standing.contains("used up their 1 second of processor time"), "{standing}");
    stage.remove().await;
}

#[tokio::test]
async fn what_is_estimated_must_be_what_the_document_is_about_and_be_watched_where_it_is_a_reason() {
    let stage = Stage::set(json!({})).await;
    let refused = async |more: Value| {
        let mut document = crate::document(&more);
        document["slug"] = json!("other");
        let refused = stage.engineer.post("/api/v1/problems", document).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        refused.body["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    let watched = json!({ "estimated_loss": 0.05 });
    let by_loss = json!({ "monitoring": watched, "success": { "metric": "log_loss", "at_most": 0.5 } });
    assert_eq!(refused(by_loss).await, "/monitoring/estimated_loss");
    let unwatched = json!({ "retraining": { "on_estimated_loss": true } });
    assert_eq!(refused(unwatched).await, "/retraining/on_estimated_loss");
    stage.remove().await;
}

#[tokio::test]
async fn a_version_goes_as_far_as_the_document_lets_it_by_itself_and_no_further_until_it_is_approved() {
    let mut more = policy(json!({ "promote": "shadow" }));
    more["rollout"] = json!({
        "shadow": { "min_predictions": 20, "min_duration": "1s" },
        "canary": { "percent": 40.0, "min_predictions": 100_000, "min_duration": "1h" },
        "watched": ["quality"]
    });
    let mut stage = Stage::set(more).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    more_things(&stage.app, &stage, 5_000).await;
    stage.look().await;
    assert_eq!(stage.ended().await["state"], "succeeded");
    for _ in 0..3 {
        stage.look().await;
    }
    let asked =
        "select count(*) from mail where kind = 'model_review' and text_body like '%into the shadow by itself%'";
    assert_eq!(stage.app.count(asked).await, 2, "whoever may approve it is asked once, and told how far it goes");
    stage.clock.set(stage.now + TimeDelta::minutes(10));
    let deployment = format!("/api/v1/deployments/{SLUG}");
    let mut now = Value::Null;
    for round in 0..60 {
        let instances = (0..100).map(|number| crate::instance(round * 100 + number, 0.0));
        let instances = instances.map(|instance| instance.as_object().unwrap().clone()).collect();
        ask(&stage.serving, SLUG, instances, None).await;
        stage.serving.settle().await;
        stage.services.look_at_rollouts().await.unwrap();
        now = stage.engineer.get(&deployment).await.done();
        if !now["rollout"]["waits_for"].is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!((&now["stage"], &now["candidate"]), (&json!("shadow"), &json!(2)), "{now}");
    let held = now["rollout"]["waits_for"].as_str().unwrap_or_else(|| panic!("{now}"));
    assert!(held.contains("no further by itself") && held.contains("once it is approved"), "{held}");
    let on_call = "select count(distinct recipient) from mail where text_body like '%no further by itself%'";
    assert!(stage.app.count(on_call).await > 0, "on-call is told why it stands");
    // Nobody takes it further without the approval, by no door.
    let advance = json!({ "reason": "go on", "generation": now["generation"] });
    let refused = stage.engineer.post(&format!("{deployment}/advance"), advance).await;
    assert_eq!((refused.status, refused.code()), (409, "needs_approval"), "{}", refused.body);
    let arrive = "do $$ begin update model_version set stage = 'superseded' where number = 1;
        update model_version set stage = 'live' where number = 2; raise exception 'it may'; end $$";
    let refused = stage.app.try_sql(arrive).await.unwrap_err();
    assert!(refused.contains("goes live only with an approval"), "{refused}");

    let path = format!("/api/v1/models/{SLUG}/versions/2");
    let model = stage.stakeholder.get(&path).await.done();
    let (_, home) = stage.stakeholder.page("/").await;
    assert!(home.contains(&format!("/models/{SLUG}/v/2")), "it waits for the stakeholder: {home}");
    stage.stakeholder.decide(&path, "approve", model["digest"].as_str().unwrap()).await.done();
    stage.services.look_at_rollouts().await.unwrap();
    let now = stage.engineer.get(&deployment).await.done();
    assert_eq!((&now["stage"], &now["champion"]), (&json!("canary"), &json!(1)), "{now}");
    stage.remove().await;
}

#[tokio::test]
async fn a_server_whose_clock_is_off_watches_nothing_and_has_no_heart() {
    let stage = Stage::set(json!({})).await;
    let long_ago = "update heartbeat set beat_at = now() - interval '1 hour' where name = 'watch'";
    let at_work = "select count(*) from heartbeat where name = 'watch' and beat_at > now() - interval '1 minute'";
    let real = millrace_storage::now(stage.app.services.db().pool()).await.unwrap();
    for (ahead, beats) in [(TimeDelta::hours(1), 0), (TimeDelta::hours(-1), 0), (TimeDelta::zero(), 1)] {
        stage.app.sql(long_ago).await;
        stage.clock.set(real + ahead);
        let stop = tokio_util::sync::CancellationToken::new();
        let watch = tokio::spawn(millrace_jobs::Watch::new(stage.services.clone()).run(stop.clone()));
        let looks = if beats == 1 { 300 } else { 40 };
        let mut seen = 0;
        for _ in 0..looks {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            seen = stage.app.count(at_work).await;
            if seen == 1 {
                break;
            }
        }
        stop.cancel();
        watch.await.unwrap();
        assert_eq!(seen, beats, "{ahead}");
    }
    stage.remove().await;
}
