//! Business metrics that are read by a query, from a real database.

use chrono::TimeDelta;
use millrace_jobs::BusinessReader;
use millrace_storage::source::Places;
use serde_json::{Value, json};

use crate::{SLUG, Stage};

fn metric() -> Value {
    json!({ "business": {
        "name": "shelf metres", "unit": "m", "direction": "up", "limit": 5.0,
        "connection": "shop", "query": "select sold_at as at, metres as value from sales", "delay": "30m"
    } })
}

impl Stage {
    /// Two servers look at the same time, so long after the end of the newest window.
    async fn read_after(&self, minutes: i64) {
        self.clock.set(self.now + TimeDelta::minutes(minutes));
        let place = format!("shop={}", self.app.database_url());
        let places = Places::read(&[place], &[]).unwrap();
        let readers = [0, 1].map(|_| BusinessReader::new(self.services.clone(), places.clone()));
        let (first, second) = tokio::join!(readers[0].look(), readers[1].look());
        assert!(first.is_ok() && second.is_ok());
    }

    /// Something is sold so many minutes into the hour that comes.
    async fn sell(&self, minutes: i64, metres: f64) {
        let at = self.now + TimeDelta::minutes(minutes);
        self.app.sql(&format!("insert into sales values ('{at}', {metres})")).await;
    }

    async fn business(&self) -> Vec<Value> {
        let view = self.monitor().await;
        view["windows"].as_array().unwrap().iter().map(|window| window["business"].clone()).collect()
    }

    async fn business_alert(&self) -> Option<String> {
        let alerts = self.alerts().await;
        let alert = alerts.iter().find(|alert| alert["cause"] == "business");
        alert.map(|alert| alert["state"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_metric_that_is_read_by_a_query_is_held_against_its_limit_once_and_corrections_are_taken_in() {
    let mut stage = Stage::set(metric()).await;
    stage.app.sql("create table sales (sold_at timestamptz, metres numeric)").await;
    stage.hour(100, 0.0).await;
    stage.sell(0, 3.0).await;
    stage.sell(59, 4.0).await;
    // It is of the hour after.
    stage.sell(60, 3.0).await;
    stage.hour(100, 0.0).await;
    stage.read_after(29).await;
    assert_eq!(stage.business().await.last(), Some(&Value::Null), "values are there half an hour after the end");
    stage.read_after(50).await;
    assert_eq!(stage.business().await.last(), Some(&json!([3.5, 2])));
    assert_eq!(stage.business_alert().await.as_deref(), Some("pending"), "one window was looked at twice");
    // Read again in the same hour, it is no second window.
    stage.read_after(66).await;
    assert_eq!(stage.business_alert().await.as_deref(), Some("pending"));
    stage.hour(100, 0.0).await;
    stage.read_after(31).await;
    assert_eq!(stage.business_alert().await.as_deref(), Some("firing"));

    stage.app.sql("update sales set metres = 9 where metres = 4").await;
    stage.hour(100, 0.0).await;
    stage.read_after(31).await;
    let business = stage.business().await;
    assert_eq!(business[business.len() - 3..], [json!([6.0, 2]), json!([3.0, 1]), Value::Null]);
    // The newest window has no value, so that nothing says whether it still fires.
    let alert = stage.business_alert().await;
    assert_eq!(alert.as_deref(), Some("no_data"), "a correction of an older window ends nothing");
    stage.remove().await;
}

#[tokio::test]
async fn a_query_that_fails_is_shown_and_ends_no_alert_and_nobody_reports_what_is_read() {
    let mut stage = Stage::set(metric()).await;
    let path = format!("/api/v1/deployments/{SLUG}/business");
    let reported = stage.engineer.post(&path, json!({ "values": [{ "value": 7 }] })).await;
    assert_eq!((reported.status, reported.code()), (409, "business_is_read"), "{}", reported.body);
    stage.app.sql("create table sales (sold_at timestamptz, metres numeric)").await;
    for _ in 0..2 {
        stage.sell(5, 3.0).await;
        stage.hour(100, 0.0).await;
        stage.read_after(31).await;
    }
    assert_eq!(stage.business_alert().await.as_deref(), Some("firing"));
    stage.app.sql("alter table sales rename to sold").await;
    stage.hour(100, 0.0).await;
    stage.read_after(31).await;
    let read = stage.monitor().await["business_read"].clone();
    assert!(read["error"].as_str().unwrap().contains("does not exist"), "{read}");
    let (_, page) = stage.engineer.page(&format!("/deployments/{SLUG}/monitor")).await;
    assert!(page.contains("The business metric could not be read") && page.contains("does not exist"));
    assert_eq!(stage.business_alert().await.as_deref(), Some("firing"));
    // What is no number is refused and nothing of it is taken.
    stage.app.sql("alter table sold rename to sales").await;
    stage.app.sql("update sales set metres = 'NaN'").await;
    stage.read_after(47).await;
    let read = stage.monitor().await["business_read"].clone();
    assert!(read["error"].as_str().unwrap().contains("no number"), "{read}");
    stage.app.sql("update sales set metres = 8").await;
    stage.sell(-5, 8.0).await;
    for _ in 0..2 {
        stage.sell(5, 8.0).await;
        stage.hour(100, 0.0).await;
        stage.read_after(31).await;
    }
    assert_eq!(stage.monitor().await["business_read"]["error"], Value::Null);
    assert_eq!(stage.business_alert().await.as_deref(), Some("resolved"));
    stage.remove().await;
}
