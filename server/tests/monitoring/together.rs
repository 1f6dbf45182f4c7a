//! Alerts of one model that are due to be told at one look: one letter to each reader, with one link and in one thread.

use chrono::TimeDelta;
use millrace_services::Handling;
use millrace_storage::mail::Mail;
use millrace_test_support::things;
use serde_json::json;

use crate::{SLUG, Stage};

/// Answers may not drift in two windows in a row, and data may not be older than a day.
async fn set() -> Stage {
    with_interval("5m").await
}

/// The same, and letters about it may follow each other after so long.
async fn with_interval(interval: &str) -> Stage {
    let drift = json!({ "metric": "psi", "threshold": 0.2, "windows": 2 });
    let rule = json!({ "window": "1h", "drift": drift, "min_rows": 100, "freshness": "1d" });
    let notify = json!({ "on_call": ["named@example.org"], "group_interval": interval });
    Stage::set(json!({ "monitoring": rule, "notify": notify })).await
}

async fn let_data_get_old(stage: &Stage) {
    stage.app.sql("update dataset_version set created_at = created_at - interval '2 days'").await;
}

/// Drift is confirmed by the same window that finds the data too old.
async fn let_both_fire(stage: &mut Stage) {
    stage.hour(300, 60.0).await;
    let_data_get_old(stage).await;
    stage.hour(300, 60.0).await;
}

/// Letters about alerts to somebody, the oldest first.
async fn letters_to(stage: &Stage, whom: &str) -> Vec<Mail> {
    let mail = millrace_storage::mail::list(stage.app.services.db().pool(), None, 100).await.unwrap();
    mail.into_iter().rev().filter(|letter| letter.kind == "incident" && letter.recipient == whom).collect()
}

/// The alert in the path of a letter's link, and its key.
fn link(stage: &Stage, letter: &Mail) -> (String, String) {
    let text = stage.app.services.letter_to_send(letter).unwrap().text;
    let (id, rest) = text.split("/alerts/").find_map(|part| part.split_once("/by-mail?key=")).unwrap();
    (id.to_owned(), rest.split_whitespace().next().unwrap().to_owned())
}

async fn id_of(stage: &Stage, cause: &str) -> String {
    let alerts = stage.alerts().await;
    let alert = alerts.iter().find(|alert| alert["cause"] == cause).unwrap();
    alert["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_alerts_that_fire_at_one_look_are_one_letter_to_each_whose_link_acknowledges_both() {
    let mut stage = set().await;
    let_both_fire(&mut stage).await;
    let letters = stage.letters().await;
    let expected = format!("{SLUG}: 2 alerts (firing)");
    let mut to: Vec<&str> = letters.iter().map(|(to, _)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["named@example.org", "oncall@example.org"], "{letters:?}");
    assert!(letters.iter().all(|(_, subject)| *subject == expected), "{letters:?}");
    let (drift, data) = (id_of(&stage, "drift").await, id_of(&stage, "freshness").await);
    let letter = letters_to(&stage, &stage.on_call.email).await.remove(0);
    let pages = [&drift, &data].map(|id| format!("/alerts/{id}\n"));
    for part in ["Drift: watched / ", "Stale data: the newest row", "Also told: named\n", &pages[0], &pages[1]] {
        assert!(letter.text_body.contains(part), "{part}: {}", letter.text_body);
    }
    assert!(!letter.text_body.contains("key="), "what admins can read holds no link to act with");
    assert!(letter.chart.is_some(), "the course of what drifts is drawn");

    let (id, key) = link(&stage, &letter);
    assert_eq!(id, drift);
    let (services, anybody) = (&stage.app.services, stage.app.anybody());
    let page = format!("/alerts/{id}/by-mail?key={key}");
    let (status, shown) = anybody.page(&page).await;
    assert_eq!(status, 200, "{shown}");
    for part in ["2 alerts", "Drift: watched", "Stale data", "Acknowledge all"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // The key says what the link is about, and the path is the first of that.
    let elsewhere = services.handle_alert_by_mail(&data, &key, &Handling::Acknowledge).await;
    assert_eq!(elsewhere.unwrap_err().status, 404);
    let events = "select count(*) from incident_event where kind = 'acknowledged'";
    assert_eq!(stage.app.count(events).await, 0, "opening it does nothing");

    let fields = [("id", id.as_str()), ("key", key.as_str()), ("act", "acknowledge")];
    let landed = anybody.submit(&page, "/fn/handle_alert_by_mail", &fields).await;
    assert!(landed.status < 400, "{}", landed.status);
    let alerts = stage.alerts().await;
    assert!(alerts.len() == 2 && alerts.iter().all(|alert| alert["acknowledged_by"] == "oncall"), "{alerts:?}");
    let audited = "select count(distinct object) from audit where action = 'alert.acknowledge' and via = 'letter'";
    assert_eq!((stage.app.count(events).await, stage.app.count(audited).await), (2, 2));
    let again = services.handle_alert_by_mail(&id, &key, &Handling::Acknowledge).await;
    assert_eq!(again.unwrap_err().status, 409);
    stage.remove().await;
}

#[tokio::test]
async fn one_of_several_alerts_that_is_over_later_stands_in_the_thread_of_the_letter_that_told_them_all() {
    let mut stage = set().await;
    let_both_fire(&mut stage).await;
    let loaded = stage.app.load(&stage.engineer, SLUG, "things.csv", things(4_100)).await;
    assert_eq!(loaded["summary"]["state"], "valid", "{loaded}");
    stage.hour(300, 60.0).await;
    let letters = letters_to(&stage, &stage.on_call.email).await;
    let subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert!(subjects.len() == 2 && subjects[1].starts_with("Stale data: "), "{subjects:?}");
    assert!(subjects[1].ends_with("(resolved)"), "{subjects:?}");
    assert!(letters[0].thread.is_some() && letters[0].thread == letters[1].thread, "{letters:?}");
    // Those of somebody else stand in a thread of their own.
    let named = letters_to(&stage, "named@example.org").await;
    assert!(named[0].thread == named[1].thread && named[0].thread != letters[0].thread, "{named:?}");
    stage.remove().await;
}

#[tokio::test]
async fn what_comes_up_soon_after_a_letter_is_gathered_for_the_next_one() {
    let mut stage = with_interval("1h").await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    assert_eq!(letters_to(&stage, &stage.on_call.email).await.len(), 1, "of the first at once");
    let_data_get_old(&stage).await;
    stage.app.sql("update incident set told_at = told_at + interval '50 minutes'").await;
    // Ten minutes after that letter data is too old: nobody is written to yet.
    stage.hour(300, 60.0).await;
    assert_eq!(stage.alerts().await.iter().filter(|alert| alert["state"] == "firing").count(), 2);
    for minutes in [0, 45] {
        stage.now += TimeDelta::minutes(minutes);
        stage.look().await;
        assert_eq!(letters_to(&stage, &stage.on_call.email).await.len(), 1, "after {minutes} more minutes");
    }
    stage.now += TimeDelta::minutes(10);
    stage.look().await;
    let letters = letters_to(&stage, &stage.on_call.email).await;
    assert!(letters.len() == 2 && letters[1].subject.starts_with("Stale data: "), "{letters:?}");
    stage.remove().await;
}

#[tokio::test]
async fn who_takes_no_more_letters_about_one_alert_is_told_of_the_other_alone() {
    let mut stage = set().await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let letter = letters_to(&stage, &stage.on_call.email).await.remove(0);
    let (id, key) = link(&stage, &letter);
    stage.app.services.leave_alert_by_mail(&id, &key).await.unwrap();
    let_data_get_old(&stage).await;
    stage.hour(300, 60.0).await;
    assert_eq!(stage.letters().await.len(), 4, "of each when it fired, to either");

    // By now a reminder is due of both.
    stage.now += TimeDelta::hours(5);
    stage.look().await;
    let on_call = letters_to(&stage, &stage.on_call.email).await;
    let about_one = &on_call[2].subject;
    assert!(about_one.starts_with("Stale data: ") && about_one.ends_with("(firing)"), "{on_call:?}");
    let named = letters_to(&stage, "named@example.org").await;
    assert_eq!(named[2].subject, format!("{SLUG}: 2 alerts (firing)"));
    assert!(named[2].text_body.contains("Also told: oncall (1 of 2)"), "{}", named[2].text_body);
    assert_eq!(named[2].thread, named[0].thread, "it stands under the letter about the first");
    assert_eq!((on_call.len(), named.len()), (3, 3));
    stage.remove().await;
}

#[tokio::test]
async fn a_silence_of_all_alerts_of_a_letter_ends_none_of_them_sooner() {
    let mut stage = set().await;
    let_both_fire(&mut stage).await;
    let letter = letters_to(&stage, &stage.on_call.email).await.remove(0);
    let (id, key) = link(&stage, &letter);
    let longer = "silenced_until = opened_at + interval '30 days'";
    stage.app.sql(&format!("update incident set {longer} where id <> {id}")).await;
    let silence = Handling::Silence { hours: 8, reason: "the source is being moved".to_owned() };
    stage.app.services.handle_alert_by_mail(&id, &key, &silence).await.unwrap();
    let silenced = stage.app.count("select count(*) from incident where silenced_until is not null").await;
    let as_before = stage.app.count(&format!("select count(*) from incident where {longer}")).await;
    assert_eq!((silenced, as_before), (2, 1));
    stage.remove().await;
}

#[tokio::test]
async fn one_click_of_a_mail_program_takes_its_reader_off_all_alerts_of_the_letter() {
    let mut stage = set().await;
    let_both_fire(&mut stage).await;
    let letter = letters_to(&stage, &stage.on_call.email).await.remove(0);
    let (id, key) = link(&stage, &letter);
    let (path, anybody) = (format!("/alerts/{id}/by-mail?key={key}"), stage.app.anybody());
    for _ in 0..2 {
        assert_eq!(anybody.form(&path, "List-Unsubscribe=One-Click").await, 200);
    }
    let left = stage.app.count("select count(*) from incident_left").await;
    let audited = stage.app.count("select count(*) from audit where action = 'alert.leave' and via = 'letter'").await;
    assert_eq!((left, audited), (2, 2));
    let before = stage.letters().await.len();
    stage.now += TimeDelta::hours(4);
    stage.look().await;
    let reminded: Vec<_> = stage.letters().await.into_iter().skip(before).collect();
    assert_eq!(reminded, [("named@example.org".to_owned(), format!("{SLUG}: 2 alerts (firing)"))]);
    stage.remove().await;
}
