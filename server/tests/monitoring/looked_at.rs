//! How what is watched is looked at: by other rows than those of training, in pages and files; and whether letters arrive.

use super::*;

/// What is found of the newest window.
fn verdict(seen: &Value) -> &str {
    seen["windows"].as_array().unwrap().last().unwrap()["finding"]["verdict"].as_str().unwrap()
}

#[tokio::test]
async fn windows_are_held_against_the_thirty_days_before_for_who_asks_and_alerts_are_decided_as_ever() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..3 {
        stage.hour(300, 60.0).await;
    }
    let path = format!("/api/v1/deployments/{SLUG}/monitor?to=2100-01-01T00:00:00Z&baseline=month");
    let seen = stage.engineer.get(&path).await.done();
    assert_eq!(seen["baseline"]["n"], 600, "{}", seen["baseline"]);
    assert_eq!((&seen["baseline"]["is_used"], verdict(&seen)), (&json!(true), "stable"));
    let reference: u64 = seen["bins"]["reference"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(reference, 600, "the bins beside the window's are of the same rows");
    let second = seen["windows"].as_array().unwrap().iter().rev().nth(1).unwrap();
    assert_eq!(second["finding"]["verdict"], "stable", "held against the other one of them, not against itself");
    let usual = stage.monitor().await;
    assert_eq!((&usual["baseline"], verdict(&usual)), (&Value::Null, "drifted"));
    assert_eq!(stage.alerts().await[0]["state"], "firing");

    // What is as it was in training is new against what was asked lately.
    stage.hour(300, 0.0).await;
    let seen = stage.engineer.get(&path).await.done();
    assert_eq!((&seen["baseline"]["n"], verdict(&seen)), (&json!(900), "drifted"));
    let usual = stage.monitor().await;
    assert_eq!(verdict(&usual), "stable");

    let file = format!("/api/v1/deployments/{SLUG}/monitor/export.csv?to=2100-01-01T00:00:00Z&baseline=month");
    let (status, table) = stage.engineer.page(&file).await;
    assert_eq!(status, 200);
    let rows: Vec<&str> = table.lines().collect();
    // The hour before the first one has no answers, and columns of none.
    let judged = rows.iter().filter(|row| row.contains("\"stable\"") || row.contains("\"drifted\"")).count();
    assert_eq!(judged, 4 * 3, "two features and the answer in four windows: {table}");
    assert!(rows[0].starts_with("\"begins\",\"ends\",\"version\",\"answers\""), "{}", rows[0]);
    assert!(rows[rows.len() - 3..].iter().any(|row| row.contains("\"x\",\"drifted\"")), "{table}");
    assert!(rows[1..].iter().all(|row| row.ends_with("\"month\"")), "{table}");
    stage.remove().await;
}

#[tokio::test]
async fn too_few_answers_before_a_window_are_nothing_to_hold_it_against() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(300, 60.0).await;
    let path = format!("/api/v1/deployments/{SLUG}/monitor?to=2100-01-01T00:00:00Z&baseline=month");
    let seen = stage.engineer.get(&path).await.done();
    assert_eq!((&seen["baseline"]["n"], &seen["baseline"]["is_used"]), (&json!(0), &json!(false)));
    assert_eq!(verdict(&seen), "drifted", "against the training data, as ever");
    let (_, page) = stage.engineer.page(&format!("/deployments/{SLUG}/monitor?baseline=month&to=2100-01-01")).await;
    assert!(page.contains("too few to hold anything against"), "{page}");
    let other = stage.engineer.get(&path.replace("month", "yesterday")).await;
    assert_eq!(other.status, 400);
    stage.remove().await;
}

#[tokio::test]
async fn windows_are_held_against_what_the_version_before_was_trained_on_in_the_bins_of_the_live_one() {
    let mut stage = Stage::set(json!({})).await;
    stage.hour(300, 0.0).await;
    let path = format!("/api/v1/deployments/{SLUG}/monitor?to=2100-01-01T00:00:00Z&baseline=previous");
    let seen = stage.engineer.get(&path).await.done();
    let baseline = &seen["baseline"];
    assert_eq!((&baseline["previous"], &baseline["is_used"]), (&Value::Null, &json!(false)), "{baseline}");
    let page = format!("/deployments/{SLUG}/monitor?baseline=previous&to=2100-01-01");
    let (_, shown) = stage.engineer.page(&page).await;
    assert!(shown.contains("No version was live when this one was judged"), "{shown}");

    // The second version is trained on things that are longer.
    let mut longer = "thing,x,y,big\n".to_owned();
    for number in 0..4_000 {
        let (x, y, big) = thing(number);
        longer.push_str(&format!("t{number},{},{y},{}\n", x + 60.0, u32::from(big)));
    }
    stage.app.load(&stage.engineer, SLUG, "longer.csv", longer.into_bytes()).await;
    let run = stage.app.run(&stage.engineer, SLUG, json!({ "trainer": "logistic" })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    // Nothing else is live when it is put there, so that it is live at once.
    let rollback = format!("/api/v1/deployments/{SLUG}/rollback");
    stage.engineer.post(&rollback, json!({ "reason": "replaced" })).await.done();
    put_live(&stage.app, &stage.engineer, &stage.stakeholder, 2).await;
    for _ in 0..200 {
        if stage.serving.metadata(SLUG).is_some_and(|model| model.versions == ["2"]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.hour(300, 0.0).await;
    stage.hour(300, 0.0).await;
    let usual = stage.monitor().await;
    let live = usual["windows"].as_array().unwrap().last().unwrap();
    assert_eq!((&live["version"], verdict(&usual)), (&json!(2), "drifted"), "{live}");
    let seen = stage.engineer.get(&path).await.done();
    let baseline = &seen["baseline"];
    assert_eq!((&baseline["previous"], &baseline["is_used"]), (&json!(1), &json!(true)), "{baseline}");
    assert_eq!(baseline["n"], 800, "answers to the fifth that is held out");
    let columns = seen["windows"].as_array().unwrap().last().unwrap()["finding"]["columns"].as_array().unwrap().clone();
    let x = columns.iter().find(|column| column["name"] == "x").unwrap();
    assert_eq!(x["verdict"], "stable", "things are as long as those that version 1 was trained on: {x}");
    let (_, shown) = stage.engineer.page(&page).await;
    for part in ["Held against the previous version's data", "Version 1 was live when this one was judged"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    stage.remove().await;
}

#[tokio::test]
async fn the_age_of_data_is_told_as_it_was_at_the_end_of_each_window() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(120, 0.0).await;
    }
    let loaded: i64 = stage.app.count("select extract(epoch from min(created_at))::bigint from dataset_version").await;
    stage.app.load(&stage.engineer, SLUG, "things.csv", things(4_001)).await;
    let third = (stage.now + TimeDelta::minutes(30)).to_rfc3339();
    stage.app.sql(&format!("update dataset_version set created_at = '{third}' where number = 2")).await;
    stage.hour(120, 0.0).await;
    let seen = stage.monitor().await;
    let ages: Vec<i64> =
        seen["ages"][0]["seconds"].as_array().unwrap().iter().map(|age| age.as_i64().unwrap()).collect();
    let first = (stage.now - TimeDelta::hours(2)).timestamp() - loaded;
    let ages = &ages[ages.len() - 3..];
    assert!((ages[0] - first).abs() <= 1 && ages[1] - ages[0] == 3_600 && ages[2] == 1_800, "{ages:?}, first {first}");
    stage.remove().await;
}

#[tokio::test]
async fn rules_about_the_business_metric_and_the_age_of_data_are_tried_on_what_was_recorded_of_them() {
    let mut stage = Stage::set(json!({})).await;
    for metres in [7.0, 6.0, 4.0, 4.5, 6.5, 5.5] {
        let at = stage.now + TimeDelta::minutes(5);
        let told = format!(
            "insert into business_value (problem_id, at, value, account_id, received_at)
             select p.id, '{at}', {metres}, a.id, now() from problem p, account a
             where p.slug = '{SLUG}' and a.email = 'engineer@example.org'"
        );
        stage.app.sql(&told).await;
        stage.hour(20, 0.0).await;
    }
    let address = format!("/api/v1/deployments/{SLUG}/monitor/backtest");
    let tried = async |query: &str| stage.engineer.get(&format!("{address}?{query}")).await.done();
    let fired = |view: &Value| view["fired"].as_array().unwrap().len();
    let signed = tried("about=business").await;
    assert_eq!((&signed["tried"]["threshold"], &signed["unit"]), (&json!(5.0), &json!("m")), "{signed}");
    assert_eq!(
        (&signed["judged"], fired(&signed), &signed["is_worse_below"]),
        (&json!(6), 1, &json!(true)),
        "{signed}"
    );
    let loose = tried("about=business&threshold=4.2").await;
    assert_eq!((fired(&loose), loose["fired_as_signed"].as_array().unwrap().len()), (0, 1), "one window is no alert");
    assert_eq!(loose["suggested"], 4.5, "at most no alert in six hours: two in a row below it are one");
    let age = tried("about=freshness").await;
    assert_eq!((&age["signed"], &age["unit"]), (&Value::Null, &json!("h")), "the document says nothing of it: {age}");
    assert_eq!((fired(&age), &age["tried"]["threshold"]), (0, &age["suggested"]), "{age}");
    let oldest = age["windows"].as_array().unwrap().last().unwrap()[1].as_f64().unwrap();
    assert!((6.0..7.1).contains(&oldest), "{age}");
    assert_eq!(fired(&tried("about=freshness&threshold=3").await), 1);
    let other = stage.engineer.get(&format!("{address}?about=weather")).await;
    assert!(other.status == 400 && other.body["detail"].as_str().unwrap().contains("freshness"), "{}", other.body);
    for (about, said) in [
        ("business", "Mean shelf metres"),
        ("freshness", "Age of the newest row"),
        ("estimate", "that quality can be estimated of"),
    ] {
        let (status, page) = stage.engineer.page(&format!("/deployments/{SLUG}/rule?about={about}")).await;
        assert!(status == 200 && page.contains(said), "{about}: {page}");
    }
    let (status, page) = stage.engineer.page(&format!("/deployments/{SLUG}/rule?threshold=much")).await;
    assert!(status == 400 && page.contains("Threshold cannot be"), "{page}");
    let (_, page) = stage.engineer.page(&format!("/deployments/{SLUG}/rule?about=freshness&threshold=3")).await;
    assert!(page.contains("freshness = \"3h\""), "{page}");
    stage.remove().await;
}

#[tokio::test]
async fn alerts_are_told_in_pages_that_miss_none_and_in_a_file() {
    let mut stage = Stage::set(json!({})).await;
    for _ in 0..2 {
        stage.hour(300, 60.0).await;
    }
    let old = "insert into incident (problem_id, cause, state, in_a_row, title, facts, opened_at, fired_at, resolved_at, told, told_at)
        select p.id, 'business', 'resolved', 1, 'Business: ' || n, '[]', now() - interval '9 days', now() - interval '9 days',
            now() - interval '8 days', 'resolved', now() from problem p, generate_series(1, 130) n";
    stage.app.sql(old).await;
    let mut ids: Vec<String> = Vec::new();
    let mut sizes = Vec::new();
    let mut token = String::new();
    loop {
        let page = stage.on_call.get(&format!("/api/v1/alerts?page_token={token}")).await.done();
        let items = page["items"].as_array().unwrap();
        if ids.is_empty() {
            assert_eq!(items[0]["state"], "firing", "what is open comes first");
        }
        sizes.push(items.len());
        ids.extend(items.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()));
        match page["next_page_token"].as_str() {
            Some(next) if sizes.len() < 5 => next.clone_into(&mut token),
            _ => break,
        }
    }
    let all = stage.app.count("select count(*) from incident where state <> 'over'").await;
    assert_eq!(sizes.iter().sum::<usize>(), usize::try_from(all).unwrap());
    assert_eq!((sizes.len(), sizes[0]), (2, 100));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), usize::try_from(all).unwrap(), "none twice");
    stage.app.sign_off(&stage.engineer, &stage.stakeholder, &document(&json!({ "slug": "other" }))).await;
    let grant = millrace_domain::policy::Grant::on(Role::OnCall, "other");
    let elsewhere = stage.app.person_with("elsewhere", &[grant]).await.unwrap();
    for place in ["", "&page_token=2-9999"] {
        let page = elsewhere.get(&format!("/api/v1/alerts?problem={SLUG}{place}")).await.done();
        assert_eq!(page, json!({ "items": [] }), "not even that there are some");
    }
    let (_, table) = stage.on_call.page("/api/v1/alerts/export.csv").await;
    assert_eq!(table.lines().count(), 1 + ids.len());
    let (_, page) = stage.on_call.page("/alerts").await;
    assert!(page.contains("Older") && page.contains("export.csv"), "{page}");
    assert_eq!(stage.on_call.get("/api/v1/alerts?page_token=somewhere").await.status, 400);
    stage.remove().await;
}

#[tokio::test]
async fn a_test_letter_goes_to_who_asks_alone_and_says_who_is_told_of_alerts() {
    let stage =
        Stage::set(json!({ "notify": { "on_call": ["named@example.org"], "escalation": ["engineer@example.org"] } }))
            .await;
    let path = format!("/api/v1/deployments/{SLUG}/test-letter");
    assert_eq!(stage.engineer.post(&path, json!({})).await.status, 202);
    let again = stage.engineer.post(&path, json!({})).await;
    assert_eq!((again.status, again.body["code"].as_str()), (409, Some("too_soon")), "{}", again.body);
    assert_eq!(stage.stakeholder.post(&path, json!({})).await.status, 403);
    let page = format!("/deployments/{SLUG}/rule");
    stage.on_call.submit(&page, "/fn/send_test_letter", &[("slug", SLUG)]).await;
    let letters = millrace_storage::mail::list(stage.app.services.db().pool(), None, 100).await.unwrap();
    let tests: Vec<_> = letters.iter().filter(|letter| letter.kind == "test").collect();
    let mut to: Vec<_> = tests.iter().map(|letter| letter.recipient.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["engineer@example.org", "oncall@example.org"]);
    let text = &tests[0].text_body;
    assert!(text.contains("Nothing is wrong") && text.contains("named@example.org"), "{text}");
    assert!(text.contains("30 min") && text.contains("engineer@example.org"), "{text}");
    assert!(stage.letters().await.is_empty(), "it is no letter about an alert");
    stage.remove().await;
}
