//! What has to work while nobody looks: one letter for much that is wrong, others who are told when nobody answers,
//! data that gets old, models that nobody asks, mail servers that are away, and trainings that neither get lost nor
//! start twice.

use std::time::Duration;

use chrono::TimeDelta;
use millrace_domain::policy::Role;
use millrace_jobs::Watch;
use millrace_test_support::mailbox::{Delivered, Mailbox};
use millrace_test_support::things;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use crate::{SLUG, Stage};

/// Windows of an hour, with something that is watched besides.
fn watched(more: &Value) -> Value {
    let mut rule =
        json!({ "window": "1h", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 100 });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "monitoring": rule })
}

/// Models that are trained again for this reason alone.
fn trained_again(reason: &Value) -> Value {
    let mut policy = json!({ "cool_down": "1s", "promote": "approval" });
    policy.as_object_mut().unwrap().extend(reason.as_object().unwrap().clone());
    json!({ "retraining": policy })
}

/// Somebody is on the second list.
fn with_second_list() -> Value {
    let (on_call, escalation) = (["named@example.org"], ["second@example.org"]);
    json!({ "notify": { "on_call": on_call, "escalation": escalation, "escalate_after": "45m" } })
}

/// A look so many minutes after the end of the newest window.
async fn look_after(stage: &Stage, minutes: i64) {
    stage.clock.set(stage.now + TimeDelta::minutes(minutes));
    Watch::new(stage.services.clone()).look().await;
}

/// Subjects of the letters about alerts to somebody, the oldest first.
async fn told(stage: &Stage, whom: &str) -> Vec<String> {
    let letters = stage.letters().await.into_iter();
    letters.filter(|(to, _)| to == whom).map(|(_, subject)| subject).collect()
}

/// What a mail server got for somebody about alerts, once it is so many letters. They are written by the moved clock,
/// and sent by the program's own.
async fn arrived(stage: &Stage, mailbox: &Mailbox, whom: &str, count: usize) -> Vec<Delivered> {
    stage.app.sql("update mail set next_at = now() where state = 'queued'").await;
    let about_alerts = || -> Vec<Delivered> {
        let delivered = mailbox.delivered().into_iter();
        delivered.filter(|one| one.to == whom && one.content.contains("References: <incident-")).collect()
    };
    for _ in 0..600 {
        if about_alerts().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    about_alerts()
}

/// Reasons in the ledger, and runs that they started.
async fn ledger(stage: &Stage) -> (i64, i64) {
    let reasons = stage.app.count("select count(*) from trigger_event").await;
    (reasons, stage.app.count("select count(distinct run_id) from trigger_event where run_id is not null").await)
}

/// Whether what is told of a reason that has not come up yet is this.
async fn is_near(stage: &Stage, what: &str, how_near: &str) -> bool {
    let actor = stage.services.recognise_host(&stage.engineer.email).await.unwrap();
    let view = stage.services.triggers(&actor, SLUG).await.unwrap();
    view.nearness.iter().any(|(of, near)| of == what && near == how_near)
}

/// So many looks, and the run that was started by itself last, once it has ended.
async fn looked_and_trained(stage: &mut Stage, looks: u32) -> Value {
    for _ in 0..looks {
        stage.look().await;
    }
    let run = stage.app.text("select max(run_id)::text from trigger_event").await;
    stage.app.ended(&stage.engineer, &run).await
}

async fn load(stage: &Stage, count: u32) {
    let loaded = stage.app.load(&stage.engineer, SLUG, "things.csv", things(count)).await;
    assert_eq!(loaded["summary"]["state"], "valid", "{loaded}");
}

#[tokio::test]
async fn fifty_features_that_drift_at_once_are_one_alert_and_one_letter_to_each_that_names_all_of_them() {
    let feature = |number: u32| json!({ "name": format!("f{number}"), "expression": format!("x + 0.{number:02} * y") });
    let features: Vec<Value> = (0..50).map(feature).collect();
    let mut stage = Stage::set(json!({ "features": features })).await;
    stage.hour(300, 0.0).await;
    for _ in 0..4 {
        stage.hour(300, 60.0).await;
    }
    let alerts = stage.alerts().await;
    let (cause, state) = (&alerts[0]["cause"], &alerts[0]["state"]);
    assert_eq!((alerts.len(), cause, state), (1, &json!("drift"), &json!("firing")), "{alerts:?}");
    let window = stage.monitor().await["windows"].as_array().unwrap().last().unwrap().clone();
    let columns = window["finding"]["columns"].as_array().unwrap();
    let drifted = columns.iter().filter(|column| column["verdict"] == "drifted").count();
    assert!(drifted >= 50, "{drifted} of {}", columns.len());
    let title = alerts[0]["title"].as_str().unwrap();
    assert!(title.ends_with(&format!(" and {} more", drifted - 1)), "{title}");

    let letters = stage.letters().await;
    let mut to: Vec<&str> = letters.iter().map(|(to, _)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["named@example.org", "oncall@example.org"], "{letters:?}");
    let text = "select text_body from mail where kind = 'incident' and recipient = 'oncall@example.org'";
    let text = stage.app.text(text).await;
    let unnamed: Vec<u32> = (0..50).filter(|number| !text.contains(&format!("f{number}: PSI "))).collect();
    assert!(unnamed.is_empty(), "{unnamed:?} are not named: {text}");
    stage.remove().await;
}

#[tokio::test]
async fn an_alert_that_nobody_acknowledges_is_told_to_the_second_list_once_after_the_time_and_when_it_is_over() {
    let mailbox = Mailbox::open().await.unwrap();
    let env = [("MILLRACE_SMTP_URL", mailbox.url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    let mut stage = Stage::with_env(with_second_list(), &env).await;
    let second = stage.app.person("second", &[Role::Stakeholder]).await.unwrap().email;
    // Whoever is on call is told a minute after the end of the second window.
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    assert_eq!(stage.letters().await.len(), 2);
    look_after(&stage, 45).await;
    assert_eq!(told(&stage, &second).await, Vec::<String>::new(), "it is 44 minutes");
    for minutes in [46, 47, 59] {
        look_after(&stage, minutes).await;
        assert_eq!(told(&stage, &second).await.len(), 1, "at {minutes} minutes");
    }
    stage.hour(300, 60.0).await;
    assert_eq!(stage.letters().await.len(), 3, "and nobody else is told once more");
    let letters = arrived(&stage, &mailbox, &second, 1).await;
    assert_eq!(letters.len(), 1);
    let content = letters[0].content.replace("=\r\n", "");
    assert!(content.contains("nobody on call has acknowledged it"), "{content}");
    let escalated = "select count(*) from incident_event where kind = 'escalated'";
    assert_eq!(stage.app.count(escalated).await, 1);

    for _ in 0..2 {
        stage.hour(300, 0.0).await;
    }
    let letters = stage.letters().await;
    assert_eq!(letters.iter().filter(|(_, subject)| subject.ends_with("(resolved)")).count(), 3, "{letters:?}");
    assert_eq!((told(&stage, &second).await.len(), letters.len()), (2, 6), "{letters:?}");
    stage.remove().await;
}

#[tokio::test]
async fn who_acknowledges_in_time_keeps_the_second_list_from_being_told() {
    let mut stage = Stage::set(with_second_list()).await;
    let second = stage.app.person("second", &[Role::Stakeholder]).await.unwrap().email;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    look_after(&stage, 45).await;
    assert_eq!(stage.on_call.post(&format!("/api/v1/alerts/{id}/acknowledge"), json!({})).await.status, 204);
    for minutes in [46, 59] {
        look_after(&stage, minutes).await;
    }
    for shift in [60.0, 0.0, 0.0] {
        stage.hour(300, shift).await;
    }
    assert_eq!(told(&stage, &second).await, Vec::<String>::new());
    let on_call = told(&stage, &stage.on_call.email).await;
    assert!(on_call.len() == 2 && on_call[1].ends_with("(resolved)"), "{on_call:?}");
    stage.remove().await;
}

#[tokio::test]
async fn data_that_is_older_than_the_document_allows_is_an_alert_that_names_it_until_newer_data_is_loaded() {
    let mut stage = Stage::set(watched(&json!({ "freshness": "1d" }))).await;
    stage.hour(120, 0.0).await;
    assert_eq!(stage.alerts().await, Vec::<Value>::new());
    stage.app.sql("update dataset_version set created_at = created_at - interval '2 days'").await;
    for _ in 0..2 {
        stage.hour(120, 0.0).await;
    }
    let alerts = stage.alerts().await;
    let (cause, state) = (&alerts[0]["cause"], &alerts[0]["state"]);
    assert_eq!((alerts.len(), cause, state), (1, &json!("freshness"), &json!("firing")), "{alerts:?}");
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 2, "one to each: {letters:?}");
    let subject = &letters[0].1;
    assert!(subject.starts_with("Stale data: the newest row of data is "), "{subject}");
    assert!(subject.ends_with(" old, more than 1 day (firing)"), "{subject}");
    let text = stage.app.text("select text_body from mail where kind = 'incident' order by id limit 1").await;
    assert!(text.contains("data: newest row of ") && text.contains("(version 1)"), "{text}");

    load(&stage, 4_100).await;
    stage.hour(120, 0.0).await;
    let alerts = stage.alerts().await;
    assert_eq!((alerts.len(), &alerts[0]["state"]), (1, &json!("resolved")), "{alerts:?}");
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 4, "{letters:?}");
    assert!(letters[2..].iter().all(|(_, subject)| subject.ends_with("(resolved)")), "{letters:?}");
    stage.remove().await;
}

#[tokio::test]
async fn where_the_document_says_so_a_live_model_that_nobody_asks_is_told_until_somebody_does() {
    let mut stage = Stage::set(watched(&json!({ "no_data": "mail" }))).await;
    stage.hour(120, 0.0).await;
    stage.now += TimeDelta::hours(1);
    stage.look().await;
    let alerts = stage.alerts().await;
    let (cause, state) = (&alerts[0]["cause"], &alerts[0]["state"]);
    assert_eq!((alerts.len(), cause, state), (1, &json!("no_data"), &json!("pending")), "{alerts:?}");
    assert!(stage.letters().await.is_empty(), "one window is not enough");
    for _ in 0..2 {
        stage.now += TimeDelta::hours(1);
        stage.look().await;
    }
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 2, "one to each: {letters:?}");
    let expected = "No traffic: nobody asked within 1 hour (firing)";
    assert!(letters.iter().all(|(_, subject)| subject == expected), "{letters:?}");
    for _ in 0..2 {
        stage.hour(120, 0.0).await;
    }
    let alerts = stage.alerts().await;
    assert_eq!((alerts.len(), &alerts[0]["state"]), (1, &json!("resolved")), "{alerts:?}");
    let letters = stage.letters().await;
    assert_eq!(letters.len(), 4, "{letters:?}");
    stage.remove().await;
}

#[tokio::test]
async fn a_live_model_that_nobody_asks_wakes_nobody_where_the_document_says_nothing_of_it() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(120, 0.0).await;
    for _ in 0..4 {
        stage.now += TimeDelta::hours(1);
        stage.look().await;
    }
    assert_eq!(stage.alerts().await, Vec::<Value>::new());
    assert!(stage.letters().await.is_empty());
    let silent = "select count(*) from monitor_window where finding ->> 'verdict' = 'no_data'";
    assert!(stage.app.count(silent).await >= 4, "it is shown");
    stage.remove().await;
}

#[tokio::test]
async fn as_many_new_rows_as_the_document_names_start_one_training_and_one_less_starts_none() {
    let mut stage = Stage::set(trained_again(&json!({ "new_rows": 500 }))).await;
    for (number, (one_less, enough)) in [(4_499, 4_500), (4_999, 5_000)].into_iter().enumerate() {
        let before = i64::try_from(number).unwrap();
        load(&stage, one_less).await;
        for _ in 0..3 {
            stage.look().await;
        }
        assert_eq!(ledger(&stage).await, (before, before), "with {one_less} rows");
        assert!(is_near(&stage, "New rows", "499 of 500").await);
        load(&stage, enough).await;
        let run = looked_and_trained(&mut stage, 3).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
        // What a training was started on is not new any more.
        stage.now += TimeDelta::hours(1);
        stage.look().await;
        assert_eq!(ledger(&stage).await, (before + 1, before + 1), "with {enough} rows");
    }
    let because = "select string_agg(reason || ': ' || detail, ', ' order by id) from trigger_event";
    let expected = "new_rows: 500 new rows in data version 3, new_rows: 500 new rows in data version 5";
    assert_eq!(stage.app.text(because).await, expected);
    assert_eq!(stage.app.count("select count(*) from run").await, 3, "that of the live version, and these");
    stage.remove().await;
}

#[tokio::test]
async fn as_many_new_outcomes_as_the_document_names_start_one_training_and_one_less_starts_none() {
    let mut stage = Stage::set(trained_again(&json!({ "new_labels": 300 }))).await;
    for (number, rows) in [4_500, 4_600].into_iter().enumerate() {
        let before = i64::try_from(number).unwrap();
        // There is newer data to train on, which is no reason by itself.
        load(&stage, rows).await;
        stage.hour(299, 0.0).await;
        stage.look().await;
        assert_eq!(ledger(&stage).await, (before, before));
        assert!(is_near(&stage, "New outcomes", "299 of 300").await);
        stage.hour(1, 0.0).await;
        let run = looked_and_trained(&mut stage, 2).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
        // Outcomes from before a training are not new any more.
        stage.now += TimeDelta::hours(1);
        stage.look().await;
        assert_eq!(ledger(&stage).await, (before + 1, before + 1));
    }
    let of_labels =
        "select count(*) from trigger_event where reason = 'new_labels' and detail like '300 outcomes since %'";
    assert_eq!(stage.app.count(of_labels).await, 2);
    assert_eq!(stage.app.count("select count(*) from run").await, 3, "that of the live version, and these");
    stage.remove().await;
}

/// The programs themselves watch, by the real clock.
#[tokio::test]
async fn twenty_servers_that_are_killed_between_a_reason_and_its_run_leave_twenty_runs_for_twenty_reasons() {
    let mut stage = Stage::set(trained_again(&json!({ "new_rows": 100, "give_up_after": 1_000 }))).await;
    let points = ["retraining:written", "retraining:before_commit", "retraining:after_commit"];
    for (round, point) in (0..20u32).zip(points.into_iter().cycle()) {
        let before = i64::from(round);
        // A short lease, so that what it may have begun is soon taken up.
        let env = [("MILLRACE_FAILPOINT", point), ("MILLRACE_LEASE_SECONDS", "4")];
        stage.app.restart(&env).await.unwrap();
        let engineer = stage.engineer.at(&stage.app.server);
        let upload = engineer.upload_request(SLUG, "data", "things.csv", things(4_100 + 100 * round));
        engineer.send_before_it_ends(upload).await;
        let has_died = stage.app.server.ended_within(Duration::from_secs(60)).await.unwrap();
        assert!(has_died, "{point} was not reached: {}", stage.app.said());
        let has_started = i64::from(point == "retraining:after_commit");
        assert_eq!(ledger(&stage).await, (before + 1, before + has_started), "killed at {point}");
        let runs = stage.app.count("select count(*) from run").await;
        assert_eq!(runs, 1 + before + has_started, "no run is without its reason: killed at {point}");

        stage.app.restart(&[]).await.unwrap();
        for _ in 0..300 {
            if ledger(&stage).await.1 == before + 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(ledger(&stage).await, (before + 1, before + 1), "after {point}: {}", stage.app.said());
        let run = stage.app.text("select max(run_id)::text from trigger_event").await;
        let run = stage.app.ended(&stage.engineer.at(&stage.app.server), &run).await;
        assert_ne!(run["state"], "failed", "after {point}: {}", run["failure"]);
    }
    assert_eq!(ledger(&stage).await, (20, 20));
    assert_eq!(stage.app.count("select count(*) from run").await, 21, "that of the live version, and these");
    let audited = "select count(*) from audit where actor = 'retraining' and action = 'run.launch'";
    assert_eq!(stage.app.count(audited).await, 20);
    stage.remove().await;
}

#[tokio::test]
async fn the_letter_that_an_alert_is_over_stands_under_the_one_that_it_fires_in_the_readers_mail_program() {
    let mailbox = Mailbox::open().await.unwrap();
    let env = [("MILLRACE_SMTP_URL", mailbox.url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    let mut stage = Stage::with_env(json!({}), &env).await;
    let reader = stage.on_call.email.clone();
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let fires = arrived(&stage, &mailbox, &reader, 1).await;
    assert!(fires.len() == 1 && fires[0].content.contains("(firing)"), "{fires:?}");
    for _ in 0..2 {
        stage.hour(300, 0.0).await;
    }
    let both = arrived(&stage, &mailbox, &reader, 2).await;
    assert!(both.len() == 2 && both[1].content.contains("(resolved)"), "{both:?}");
    assert!(both.iter().all(|one| one.content.contains("List-Unsubscribe: <")), "{both:?}");
    let header = |place: usize, name: &str| both[place].header(name).unwrap().to_owned();
    let root = header(0, "References");
    assert!(root.starts_with("<incident-") && root.ends_with("@127.0.0.1>"), "{root}");
    for place in [0, 1] {
        assert_eq!((header(place, "References"), header(place, "In-Reply-To")), (root.clone(), root.clone()));
    }
    assert_ne!(header(0, "Message-ID"), header(1, "Message-ID"));
    // Those of somebody else stand under each other, and not under these.
    let named = arrived(&stage, &mailbox, "named@example.org", 2).await;
    let roots: Vec<&str> = named.iter().filter_map(|letter| letter.header("References")).collect();
    assert!(roots.len() == 2 && roots[0] == roots[1] && roots[0] != root, "{root} {roots:?}");
    stage.remove().await;
}

/// What the program says it has counted of letters that could not be sent.
async fn failures(stage: &Stage) -> u64 {
    let (status, metrics) = stage.app.anybody().page("/metrics").await;
    assert_eq!(status, 200);
    let counted = metrics.lines().find(|line| line.starts_with("millrace_mail_failures_total"));
    counted.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Waits until as many letters about alerts are like this.
async fn letters_come_to(stage: &Stage, wanted: &str, count: i64) {
    let query = format!("select count(*) from mail where kind = 'incident' and {wanted}");
    for _ in 0..600 {
        if stage.app.count(&query).await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let letters = "select string_agg(state || ' ' || attempt || ' ' || coalesce(last_error, ''), ', ') from mail";
    panic!("not {count} letters came to {wanted}: {}", stage.app.text(letters).await);
}

#[tokio::test]
async fn letters_that_a_mail_server_refuses_to_connect_for_are_counted_kept_and_go_out_once_when_it_is_back() {
    // Whoever connects to what is bound and not listened on is refused, and nobody else gets the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("smtp://{}", socket.local_addr().unwrap());
    let env = [("MILLRACE_SMTP_URL", url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    let mut stage = Stage::with_env(json!({}), &env).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let before = failures(&stage).await;
    stage.app.sql("update mail set next_at = now() where kind = 'incident'").await;
    letters_come_to(&stage, "state = 'queued' and attempt >= 1 and last_error ilike '%refused%'", 2).await;
    let after = failures(&stage).await;
    assert!(after >= before + 2, "{before} and then {after}");
    let alerts = stage.alerts().await;
    assert_eq!(alerts[0]["state"], "firing", "{alerts:?}");

    let mailbox = Mailbox::open().await.unwrap();
    let behind = mailbox.url.trim_start_matches("smtp://").to_owned();
    let listener = socket.listen(64).unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(&behind).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    for whom in [stage.on_call.email.as_str(), "named@example.org"] {
        assert_eq!(arrived(&stage, &mailbox, whom, 1).await.len(), 1, "to {whom}");
    }
    letters_come_to(&stage, "state = 'sent' and last_error is null", 2).await;
    for whom in [stage.on_call.email.as_str(), "named@example.org"] {
        assert_eq!(arrived(&stage, &mailbox, whom, 1).await.len(), 1, "none is doubled to {whom}");
    }
    stage.remove().await;
}

#[tokio::test]
async fn times_of_the_schedule_that_have_passed_are_trained_for_on_the_data_that_was_the_newest_then_as_shown_before() {
    let schedule = json!({ "cron": "0 3 * * 1", "timezone": "Europe/Berlin" });
    let stage = Stage::set(trained_again(&schedule)).await;
    load(&stage, 4_500).await;
    let checked =
        "update dataset_version set finished_at = now() - interval '1 day' * case number when 1 then 16 else 8 end";
    stage.app.sql(checked).await;
    let now = millrace_storage::now(stage.services.db().pool()).await.unwrap();
    let moment = |days: i64| (now - TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let path = format!("/api/v1/problems/{SLUG}/triggers/backfill");
    let shown = stage.engineer.get(&format!("{path}?from={}&to={}", moment(30), moment(0))).await.done();
    let times = shown["times"].as_array().unwrap().clone();
    assert!((4..=5).contains(&times.len()) && shown["due"] == 1, "{shown}");
    let place = |version: i64| times.iter().position(|time| time["data"][1] == version).unwrap();
    assert!(place(1) > 0 && times[..place(1)].iter().all(|time| time["data"].is_null()), "{shown}");
    assert_eq!(times[place(1)]["run"], "1", "the live version was trained on that");
    assert_eq!((&times[place(2)]["run"], &times[place(2)]["is_due"]), (&Value::Null, &json!(true)));
    assert!(
        times[0]["wall"].as_str().unwrap().starts_with("Mon ")
            && times[0]["wall"].as_str().unwrap().contains(" 03:00 CE")
    );
    assert_eq!(stage.app.count("select count(*) from run").await, 1, "what shows it starts nothing");

    let request = |from: i64, to: i64| json!({ "from": moment(from), "to": moment(to), "plan": shown["plan"], "reason": "compare with last week" });
    for (wrong, status) in [(request(0, 30), 400), (request(30, -1), 400), (request(30, 16), 409)] {
        assert_eq!(stage.engineer.post(&path, wrong.clone()).await.status, status, "{wrong}");
    }
    let long_ago = stage.engineer.get(&format!("{path}?from=-262143-01-01&to={}", moment(0))).await;
    assert_eq!(long_ago.status, 400, "{}", long_ago.body);
    assert_eq!(stage.stakeholder.post(&path, request(30, 0)).await.status, 403);
    let started = stage.engineer.post(&path, request(30, 0)).await.done();
    assert_eq!((&started["times"][place(2)]["run"], &started["due"]), (&json!("2"), &json!(0)), "{started}");
    let again = stage.engineer.post(&path, request(30, 0)).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!("plan_changed")));
    let mut nothing = request(30, 0);
    nothing["plan"] = started["plan"].clone();
    let again = stage.engineer.post(&path, nothing).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!("plan_changed")), "that was the plan before");
    let run = stage.app.ended(&stage.engineer, "2").await;
    assert_eq!((&run["state"], &run["dataset"]["version"]), (&json!("succeeded"), &json!(2)), "{run}");
    let audited = "select count(*) from audit where outcome = 'done'
        and (action = 'retraining.backfill' or action = 'run.launch' and object = 'run/2')";
    assert_eq!(stage.app.count(audited).await, 2);
    let (_, page) =
        stage.engineer.page(&format!("/problems/{SLUG}/backfill?from={}&to={}", moment(30), moment(0))).await;
    assert!(page.contains("/runs/2") && page.contains("Nothing is to be trained"), "{page}");
    stage.remove().await;
}
