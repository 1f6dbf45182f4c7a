//! Alerts: told once, taken on, silenced, resolved.

use chrono::TimeDelta;
use serde_json::json;

use crate::{SLUG, Stage};

fn to<'l>(letters: &'l [(String, String)], whom: &str) -> Vec<&'l str> {
    letters.iter().filter(|(to, _)| to == whom).map(|(_, subject)| subject.as_str()).collect()
}

#[tokio::test]
async fn drift_in_two_windows_in_a_row_is_one_letter_to_each_and_one_more_when_it_is_over() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(300, 0.0).await;
    stage.hour(300, 60.0).await;
    assert_eq!(stage.alerts().await[0]["state"], "pending");
    assert!(stage.letters().await.is_empty());
    stage.hour(300, 60.0).await;
    let alerts = stage.alerts().await;
    assert_eq!(
        (alerts.len(), &alerts[0]["state"], &alerts[0]["cause"]),
        (1, &json!("firing"), &json!("drift")),
        "{alerts:?}"
    );
    let title = alerts[0]["title"].as_str().unwrap();
    assert!(title.starts_with(&format!("Drift: {SLUG} / ")) && title.contains("PSI"), "{title}");
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let letters = stage.letters().await;
    // Who has the role, and who is named in the document and has an account.
    assert_eq!(to(&letters, &stage.on_call.email).len(), 1, "{letters:?}");
    assert_eq!(to(&letters, "named@example.org"), to(&letters, &stage.on_call.email));
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters[0].1.ends_with("(firing)"), "{letters:?}");
    let view = stage.monitor().await;
    assert_eq!(view["unreachable"], json!(["nobody@example.org"]));

    stage.hour(300, 0.0).await;
    assert_eq!(stage.letters().await.len(), 2, "one fine window is not enough");
    stage.hour(300, 0.0).await;
    let letters = stage.letters().await;
    assert!(letters.len() == 4 && letters[3].1.ends_with("(resolved)"), "{letters:?}");
    let alert = stage.on_call.get(&format!("/api/v1/alerts/{}", alerts[0]["id"].as_str().unwrap())).await.done();
    assert_eq!(alert["line"]["state"], "resolved");
    let kinds: Vec<&str> =
        alert["events"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["opened", "fired", "told", "resolved", "told"]);
    // All letters about it to one reader stand under each other.
    let threads =
        "select count(distinct thread) from mail where kind = 'incident' and recipient = 'oncall@example.org'";
    assert_eq!(stage.app.count(threads).await, 1);
    stage.remove().await;
}

#[tokio::test]
async fn a_rule_is_tried_on_the_recorded_windows_before_it_is_signed() {
    let mut stage = Stage::set(json!({})).await;
    for shift in [0.0, 60.0, 60.0, 0.0, 0.0, 60.0, 0.0] {
        stage.hour(300, shift).await;
    }
    stage.hour(20, 60.0).await;
    let address = format!("/api/v1/deployments/{SLUG}/monitor/backtest");
    let signed = stage.engineer.get(&address).await.done();
    assert_eq!(signed["tried"], signed["signed"]);
    // The hour before, in which the version went live, may be one more.
    assert!(signed["judged"] == 7 && signed["windows"].as_array().unwrap().len() >= 8, "{signed}");
    // The rule in force tells what has happened.
    let alert = stage
        .alerts()
        .await
        .into_iter()
        .find(|alert| alert["cause"] == "drift" && !alert["fired_at"].is_null())
        .unwrap();
    let fired = signed["fired"].as_array().unwrap();
    assert_eq!(fired.len(), 1, "{signed}");
    let at = |value: &serde_json::Value| value.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    // A window is judged a little after its end.
    assert!((at(&alert["fired_at"]) - at(&fired[0])).num_minutes() < 60, "{alert} {signed}");
    let eager = stage.engineer.get(&format!("{address}?windows=1&min_rows=10&alarms=1000")).await.done();
    assert_eq!((eager["fired"].as_array().unwrap().len(), &eager["judged"]), (3, &json!(8)), "{eager}");
    let quiet = stage.engineer.get(&format!("{address}?windows=1&alarms=0")).await.done();
    let limit = quiet["suggested"].as_f64().unwrap();
    let tried = stage.engineer.get(&format!("{address}?windows=1&alarms=0&threshold={limit}")).await.done();
    assert_eq!(tried["fired"], json!([]), "{tried}");
    let strange = stage.engineer.get(&format!("{address}?metric=cosine&threshold=0")).await;
    assert_eq!(strange.status, 400);
    assert_eq!(strange.body["errors"].as_array().unwrap().len(), 2, "{}", strange.body);
    stage.remove().await;
}

#[tokio::test]
async fn who_acknowledges_is_not_reminded_and_a_silence_holds_letters_back_until_its_end() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    // Nobody has taken it on: four hours later everybody is reminded.
    for _ in 0..4 {
        stage.hour(300, 60.0).await;
    }
    assert_eq!(stage.letters().await.len(), 4);
    let path = format!("/api/v1/alerts/{id}");
    assert_eq!(stage.stakeholder.post(&format!("{path}/acknowledge"), json!({})).await.status, 403);
    assert_eq!(stage.on_call.post(&format!("{path}/acknowledge"), json!({})).await.status, 204);
    assert_eq!(stage.on_call.post(&format!("{path}/acknowledge"), json!({})).await.status, 409);
    stage.now += TimeDelta::hours(12);
    stage.hour(300, 60.0).await;
    assert_eq!(stage.letters().await.len(), 4, "no reminders once somebody has it");
    for bad in [
        json!({ "hours": 721, "reason": "x" }),
        json!({ "hours": 1, "reason": " " }),
        json!({ "hours": 1, "reason": "a\nb" }),
    ] {
        assert_eq!(stage.on_call.post(&format!("{path}/silence"), bad).await.status, 400);
    }
    let shown = stage.on_call.get(&path).await.done();
    assert_eq!(shown["line"]["acknowledged_by"], "oncall", "{shown}");
    stage.remove().await;
}

#[tokio::test]
async fn the_link_of_a_letter_shows_the_alert_and_lets_its_reader_act_and_nobody_else() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    let mail = millrace_storage::mail::list(stage.app.services.db().pool(), None, 100).await.unwrap();
    let letter = mail.iter().find(|one| one.kind == "incident" && one.recipient == stage.on_call.email).unwrap();
    assert!(!letter.text_body.contains("key="), "what admins can read holds no link to act with");
    let text = stage.app.services.letter_to_send(letter).unwrap().text;
    let key = text.split("key=").nth(1).unwrap().split_whitespace().next().unwrap();
    let anybody = stage.app.anybody();
    let (status, page) = anybody.page(&format!("/alerts/{id}/by-mail?key={key}")).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("Acknowledge") && page.contains("PSI"), "{page}");
    let services = &stage.app.services;
    let acknowledge = millrace_services::Handling::Acknowledge;
    for (id, key) in [("999", key), (id.as_str(), "00"), (id.as_str(), &key[..key.len() - 2])] {
        assert_eq!(services.handle_alert_by_mail(id, key, &acknowledge).await.unwrap_err().status, 404);
    }
    // Somebody who is not told of alerts any more has a link that does nothing any more.
    let named = mail.iter().find(|one| one.kind == "incident" && one.recipient == "named@example.org").unwrap();
    let theirs = services.letter_to_send(named).unwrap().text;
    let their_key = theirs.split("key=").nth(1).unwrap().split_whitespace().next().unwrap();
    stage.app.sql("update account set email = 'other@example.org' where email = 'named@example.org'").await;
    assert_eq!(services.handle_alert_by_mail(&id, their_key, &acknowledge).await.unwrap_err().status, 404);
    assert_eq!(
        anybody.page(&format!("/alerts/{id}/by-mail?key={their_key}")).await.0,
        404,
        "nor does it show any more"
    );
    // A browser without scripts posts the form of the page that the link leads to.
    let fields = [("id", id.as_str()), ("key", key), ("act", "acknowledge")];
    let landed = anybody.submit(&format!("/alerts/{id}/by-mail?key={key}"), "/fn/handle_alert_by_mail", &fields).await;
    assert!(landed.status < 400, "{}", landed.status);
    let shown = stage.on_call.get(&format!("/api/v1/alerts/{id}")).await.done();
    assert_eq!(shown["line"]["acknowledged_by"], "oncall");
    let by_letter = "select count(*) from audit where action = 'alert.acknowledge' and via = 'letter'";
    assert_eq!(stage.app.count(by_letter).await, 1);
    stage.remove().await;
}

#[tokio::test]
async fn an_alert_whose_rule_is_gone_ends_and_nobody_is_told_that_all_is_well() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(300, 0.0).await;
    for _ in 0..2 {
        stage
            .app
            .sql(&format!(
                "insert into business_value (problem_id, at, value, account_id, received_at)
                 select p.id, '{}', 3.0, a.id, now() from problem p, account a
                 where p.slug = '{SLUG}' and a.email = 'engineer@example.org'",
                stage.now + TimeDelta::minutes(5)
            ))
            .await;
        stage.hour(300, 0.0).await;
    }
    assert!(stage.alerts().await.iter().any(|alert| alert["cause"] == "business" && alert["state"] == "firing"));
    let mut document = crate::document(&json!({}));
    document["business"].as_object_mut().unwrap().remove("limit");
    let saved = stage.engineer.post(&format!("/api/v1/problems/{SLUG}/versions"), document).await.done();
    let version = format!("/api/v1/problems/{SLUG}/versions/{}", saved["version"]);
    stage.engineer.post(&format!("{version}/submit"), json!({})).await.done();
    stage.stakeholder.decide(&version, "approve", saved["digest"].as_str().unwrap()).await.done();
    stage.hour(300, 0.0).await;
    let ended = stage.alerts().await;
    let ended = ended.iter().find(|alert| alert["cause"] == "business").unwrap();
    assert_eq!(ended["state"], "resolved", "{ended}");
    let letter = "select text_body from mail where subject like '%(resolved)' order by id desc limit 1";
    let letter = stage.app.text(letter).await;
    assert!(letter.contains("it is not watched any more") && !letter.contains("as it should be"), "{letter}");
    stage.remove().await;
}

#[tokio::test]
async fn an_alert_ends_when_the_only_version_is_taken_back_and_the_pause_is_not_judged() {
    let mut stage = Stage::set(json!({ "monitoring": {
        "window": "1h", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 100, "no_data": "mail",
    } }))
    .await;
    stage.hour(300, 0.0).await;
    stage.hour(300, 60.0).await;
    stage.hour(300, 60.0).await;
    let drift = async |stage: &Stage| stage.alerts().await.into_iter().find(|alert| alert["cause"] == "drift").unwrap();
    assert_eq!(drift(&stage).await["state"], "firing");
    let rollback = json!({ "reason": "answers are wrong" });
    stage.on_call.post(&format!("/api/v1/deployments/{SLUG}/rollback"), rollback).await.done();
    // Nothing is live: no window is over any more, and so nothing was left to end it.
    stage.now += TimeDelta::hours(30);
    stage.look().await;
    let ended = drift(&stage).await;
    assert_eq!(ended["state"], "resolved", "{ended}");
    let windows = stage.app.count("select count(*) from monitor_window").await;

    // As if it had gone live again at the end of the pause.
    let again = json!({ "version": 1, "reason": "the data was wrong, and not the model" });
    stage.engineer.post(&format!("/api/v1/deployments/{SLUG}/rollouts"), again).await.done();
    let since = stage.now;
    stage
        .app
        .sql(&format!(
            "update deployment_change set changed_at = '{since}' where generation = (select max(generation) from deployment_change)"
        ))
        .await;
    for _ in 0..200 {
        if stage.serving.metadata(SLUG).is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    stage.hour(300, 0.0).await;
    assert_eq!(stage.app.count("select count(*) from monitor_window").await, windows + 1, "the hours between are none");
    assert!(!stage.alerts().await.iter().any(|alert| alert["cause"] == "no_data"), "nobody could have asked");
    stage.remove().await;
}

#[tokio::test]
async fn outcomes_that_come_late_for_an_older_window_neither_end_nor_begin_an_alert() {
    let mut stage = Stage::set(json!({})).await;
    let numbers: Vec<u32> = (0..300).collect();
    let instances = numbers.iter().map(|number| crate::instance(*number, 0.0).as_object().unwrap().clone()).collect();
    stage.clock.set(stage.now);
    let request = millrace_serving::PredictRequest { instances, explain: 0 };
    let answered = stage.serving.predict(SLUG, request, millrace_serving::Asking::default()).await.unwrap();
    let outcome = |place: usize| {
        let label = millrace_test_support::thing(numbers[place]).2;
        json!({ "id": answered.predictions[place]["id"], "label": label })
    };
    let outcomes = |places: std::ops::Range<usize>| {
        serde_json::from_value(json!({ "outcomes": places.map(outcome).collect::<Vec<_>>() })).unwrap()
    };
    stage.serving.report_outcomes(SLUG, outcomes(0..200)).await.unwrap();
    stage.serving.settle().await;
    stage.now += TimeDelta::hours(1);
    stage.look().await;
    // The next hour's answers are all wrong.
    stage.hour_with(300, 0.0, |number| !millrace_test_support::thing(number).2).await;
    let fires = async |stage: &Stage| {
        let alerts = stage.alerts().await;
        alerts.iter().any(|alert| alert["cause"] == "quality" && alert["state"] == "firing")
    };
    assert!(fires(&stage).await, "{:?}", stage.alerts().await);
    stage.serving.report_outcomes(SLUG, outcomes(200..300)).await.unwrap();
    stage.serving.settle().await;
    for _ in 0..2 {
        stage.look().await;
    }
    let view = stage.monitor().await;
    let windows = view["windows"].as_array().unwrap();
    let older = &windows[windows.len() - 2];
    assert_eq!((&older["quality"]["labelled"], &older["quality"]["verdict"]), (&json!(300), &json!("pass")), "{older}");
    assert!(fires(&stage).await, "{:?}", stage.alerts().await);
    stage.remove().await;
}

#[tokio::test]
async fn values_that_are_told_after_their_windows_were_judged_are_held_against_the_limit_with_the_next() {
    let mut stage = Stage::set(json!({})).await;
    let first = stage.now;
    for _ in 0..2 {
        stage.hour(300, 0.0).await;
    }
    let is_told = async |stage: &Stage| stage.alerts().await.iter().any(|alert| alert["cause"] == "business");
    stage
        .app
        .sql(&format!(
            "insert into business_value (problem_id, at, value, account_id, received_at)
             select p.id, timestamptz '{first}' + make_interval(hours => h, mins => 5), 3.5, a.id, now()
             from problem p, generate_series(0, 1) h, account a
             where p.slug = '{SLUG}' and a.email = 'engineer@example.org'"
        ))
        .await;
    let pool = stage.app.services.db().pool();
    let problem = millrace_storage::problem::find_id(pool, SLUG).await.unwrap().unwrap();
    millrace_storage::monitor::take_in_business(pool, problem, first).await.unwrap();
    assert!(!is_told(&stage).await);
    stage.hour(300, 0.0).await;
    assert!(is_told(&stage).await, "{:?}", stage.alerts().await);
    stage.hour(300, 0.0).await;
    let late = stage.app.count("select count(*) from monitor_window where business_late").await;
    assert_eq!(late, 0, "each is looked at once");
    stage.remove().await;
}

#[tokio::test]
async fn outcomes_of_a_version_that_was_replaced_are_told_and_call_nobody() {
    let mut stage = Stage::set(json!({})).await;
    let other = stage.app.run(&stage.engineer, SLUG, json!({ "trainer": "logistic", "seed": 2 })).await;
    assert_eq!(other.body["state"], "succeeded", "{}", other.body["failure"]);
    let numbers: Vec<u32> = (0..300).collect();
    let instances = numbers.iter().map(|number| crate::instance(*number, 0.0).as_object().unwrap().clone()).collect();
    stage.clock.set(stage.now);
    let ids = crate::ask(&stage.serving, SLUG, instances, None).await;
    let live = async |stage: &Stage, number: i32| {
        let of =
            format!("(select m.id from model_version m where m.problem_id = d.problem_id and m.number = {number})");
        stage.app.sql(&format!("update deployment d set champion_id = {of}")).await;
    };
    live(&stage, 2).await;
    let wrong: Vec<_> = numbers.iter().map(|number| json!(!millrace_test_support::thing(*number).2)).collect();
    crate::report(&stage.serving, SLUG, &ids, &wrong).await;
    stage.now += TimeDelta::hours(1);
    for _ in 0..2 {
        stage.look().await;
    }
    let view = stage.monitor().await;
    let window = view["windows"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(window["quality"]["verdict"], "fail", "{window}");
    let alerts = stage.alerts().await;
    assert!(!alerts.iter().any(|alert| alert["cause"] == "quality"), "{alerts:?}");
    live(&stage, 1).await;
    stage.remove().await;
}

#[tokio::test]
async fn a_business_metric_beyond_its_limit_and_answers_that_got_worse_are_alerts_of_their_own() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(300, 0.0).await;
    for _ in 0..2 {
        let at = stage.now + TimeDelta::minutes(5);
        // The program's own clock is behind: what is of the future is refused there, so it is written as the simulated hour would.
        stage
            .app
            .sql(&format!(
                "insert into business_value (problem_id, at, value, account_id, received_at)
             select p.id, '{at}', v, a.id, now() from problem p, (values (3.0), (4.0)) t (v), account a
             where p.slug = '{SLUG}' and a.email = 'engineer@example.org'"
            ))
            .await;
        // Labels that say the opposite: the scores order them the wrong way round.
        stage.hour_with(300, 0.0, |number| !millrace_test_support::thing(number).2).await;
    }
    let causes: Vec<String> =
        stage.alerts().await.iter().map(|alert| alert["cause"].as_str().unwrap().to_owned()).collect();
    assert!(causes.contains(&"business".to_owned()) && causes.contains(&"quality".to_owned()), "{causes:?}");
    let view = stage.monitor().await;
    let last = view["windows"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["business"], &last["quality"]["verdict"]), (&json!([3.5, 2]), &json!("fail")), "{last}");

    let path = format!("/api/v1/deployments/{SLUG}/business");
    let report = |body| stage.engineer.post(&path, body);
    assert_eq!(report(json!({ "values": [{ "value": 7.5 }] })).await.done()["accepted"], 1);
    assert_eq!(report(json!({ "values": [] })).await.status, 400);
    // Sums of what is taken stay numbers.
    assert_eq!(report(json!({ "values": [{ "value": 1e200 }] })).await.status, 400);
    assert_eq!(report(json!({ "values": [{ "value": 1e15 }, { "value": -1e15 }, { "value": 0 }] })).await.status, 200);
    // What is told after its window was judged is taken into it.
    stage.app.sql("update business_value set at = at - interval '30 days'").await;
    let begins = "select (begins + interval '1 minute')::text from monitor_window order by begins limit 1";
    let at = stage.app.text(begins).await.replace(' ', "T") + ":00";
    let services = stage.services.clone();
    let actor = services.recognise_host(&stage.engineer.email).await.unwrap();
    let late = serde_json::from_value(json!([{ "value": 8.0, "at": at }])).unwrap();
    let late: Vec<millrace_services::BusinessValue> = late;
    services.report_business(&actor, SLUG, &late).await.unwrap();
    let view = stage.monitor().await;
    assert_eq!(view["windows"][0]["business"], json!([8.0, 1]), "{}", view["windows"][0]);
    assert_eq!(report(json!({ "values": [{ "value": 1, "at": "2099-01-01T00:00:00Z" }] })).await.status, 400);
    stage.remove().await;
}

#[tokio::test]
async fn a_letter_shows_the_course_and_one_click_of_a_mail_program_takes_its_reader_alone_off_the_alert() {
    let mailbox = millrace_test_support::mailbox::Mailbox::open().await.unwrap();
    let env = [("MILLRACE_SMTP_URL", mailbox.url.as_str()), ("MILLRACE_BASE_URL", "http://127.0.0.1:1")];
    let mut stage = Stage::with_env(json!({}), &env).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    let mut letter = None;
    // They are written by the moved clock, and sent by the program's own.
    stage.app.sql("update mail set next_at = now() where state = 'queued'").await;
    for _ in 0..600 {
        let delivered = mailbox.delivered();
        letter = delivered.into_iter().find(|one| one.to == stage.on_call.email && one.content.contains("List-Unsub"));
        if letter.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let content = letter.expect("the letter has the header").content.replace("\r\n ", " ");
    let plain = content.replace("=\r\n", "").replace("=3D", "=");
    for part in ["multipart/related", "cid:chart", "Content-Type: image/png", "Content-ID: <chart>", "PSI of big"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    assert!(content.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{content}");
    let from = content.find("List-Unsubscribe: ").unwrap();
    let link: String = content[from..].chars().skip_while(|c| *c != '<').skip(1).take_while(|c| *c != '>').collect();
    let path = link.strip_prefix(&stage.app.server.url).unwrap().to_owned();

    // Whatever opens links by itself leaves nothing, and nor does a form that says something else.
    let anybody = stage.app.anybody();
    assert_eq!(anybody.page(&path).await.0, 200);
    assert_eq!(anybody.form(&path, "List-Unsubscribe=No").await, 400);
    assert_eq!(stage.app.count("select count(*) from incident_left").await, 0);
    for _ in 0..2 {
        assert_eq!(anybody.form(&path, "List-Unsubscribe=One-Click").await, 200);
    }
    assert_eq!(anybody.form(&path[..path.len() - 2], "List-Unsubscribe=One-Click").await, 404);
    let audited = "select count(*) from audit where action = 'alert.leave' and via = 'letter'";
    assert_eq!(stage.app.count(audited).await, 1);
    // Four hours later the others are reminded.
    let before = stage.letters().await.len();
    stage.now += TimeDelta::hours(4);
    stage.look().await;
    let reminded: Vec<String> = stage.letters().await.into_iter().skip(before).map(|(to, _)| to).collect();
    assert_eq!(reminded, ["named@example.org"], "{id}");
    stage.remove().await;
}

#[tokio::test]
async fn a_silence_is_of_the_cause_and_what_fired_and_was_over_meanwhile_is_told_once_when_it_ends() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    assert_eq!(stage.letters().await.len(), 2);
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    let silence = json!({ "hours": 48, "reason": "the shelves are moved" });
    assert_eq!(stage.on_call.post(&format!("/api/v1/alerts/{id}/silence"), silence).await.status, 204);
    // It is over, and after more than an hour another one of the same cause comes and goes.
    for shift in [0.0, 0.0, 0.0, 60.0, 60.0, 0.0, 0.0] {
        stage.hour(300, shift).await;
    }
    let of_drift: Vec<_> = stage.alerts().await.into_iter().filter(|alert| alert["cause"] == "drift").collect();
    assert_eq!(of_drift.len(), 2, "{of_drift:?}");
    assert!(of_drift.iter().all(|alert| alert["state"] == "resolved" && alert["version"] == 1), "{of_drift:?}");
    assert_eq!(stage.letters().await.len(), 2, "nobody is written to in the silence");

    stage.now += TimeDelta::hours(48);
    for _ in 0..2 {
        stage.look().await;
        stage.now += TimeDelta::minutes(5);
    }
    let told: Vec<_> = stage.letters().await.into_iter().skip(2).collect();
    assert_eq!(told.len(), 4, "of each once, to either: {told:?}");
    assert!(told.iter().all(|(_, subject)| subject.contains("Drift") && subject.ends_with("(resolved)")), "{told:?}");
    let missed = "select count(*) from mail where text_body like '%and was over before it could be told%' \
                  and text_body like '%version 1 of watched%'";
    assert_eq!(stage.app.count(missed).await, 2);
    stage.remove().await;
}

/// An alert is silenced for half a day and over, and another one of its cause fires; gives what whoever is on call is told once that silence is no
/// more, which may be ended at the page of the new one.
async fn told_after_a_silence(is_ended: bool) -> Vec<String> {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let id = stage.alerts().await[0]["id"].as_str().unwrap().to_owned();
    let silence = json!({ "hours": 12, "reason": "the shelves are moved" });
    assert_eq!(stage.on_call.post(&format!("/api/v1/alerts/{id}/silence"), silence).await.status, 204);
    for shift in [0.0, 0.0, 0.0, 60.0, 60.0] {
        stage.hour(300, shift).await;
    }
    let on_call = stage.on_call.email.clone();
    let told = |letters: Vec<(String, String)>| -> Vec<String> {
        let mine = letters.into_iter().filter(|(to, _)| *to == on_call);
        mine.map(|(_, subject)| subject.rsplit_once(' ').unwrap().1.to_owned()).collect()
    };
    assert_eq!(told(stage.letters().await), ["(firing)"], "nobody is written to in the silence");

    if is_ended {
        let alerts = stage.alerts().await;
        let fires = alerts.iter().find(|alert| alert["state"] != "resolved").unwrap();
        let path = format!("/api/v1/alerts/{}/silence", fires["id"].as_str().unwrap());
        let none = json!({ "hours": 0, "reason": "" });
        assert_eq!(stage.on_call.post(&path, none).await.status, 204);
    } else {
        stage.now += TimeDelta::hours(12);
    }
    stage.look().await;
    let told = told(stage.letters().await);
    stage.remove().await;
    told
}

#[tokio::test]
async fn that_an_alert_is_over_is_told_before_the_next_one_of_its_cause_when_a_silence_is_over() {
    assert_eq!(told_after_a_silence(false).await, ["(firing)", "(resolved)", "(firing)"]);
}

#[tokio::test]
async fn a_silence_that_is_ended_ends_for_the_alert_before_too() {
    assert_eq!(told_after_a_silence(true).await, ["(firing)", "(resolved)", "(firing)"]);
}

#[tokio::test]
async fn the_link_of_a_letter_leads_to_its_window_however_many_came_after() {
    let mut stage = Stage::set(json!({})).await;
    for shift in [60.0, 60.0, 0.0, 0.0] {
        stage.hour(300, shift).await;
    }
    let windows = stage.monitor().await["windows"].as_array().unwrap().clone();
    let fired = windows[1]["ends"].as_str().unwrap();
    let end = fired.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let actor = stage.services.recognise_host(&stage.engineer.email).await.unwrap();
    let query = |window| millrace_services::MonitorQuery { window, limit: Some(2), ..Default::default() };
    let newest = stage.services.monitor(&actor, SLUG, &query(None)).await.unwrap();
    assert_eq!((newest.windows.len(), newest.shown_until), (2, None));
    let asked = stage.services.monitor(&actor, SLUG, &query(Some(end.timestamp()))).await.unwrap();
    assert_eq!((asked.chosen, asked.shown_until), (Some(end), Some(end)));
    assert_eq!(asked.windows.len(), 2);
    stage.remove().await;
}
