//! What is watched on real data: a city's taxis through the spring of 2020, and streams whose concept does or does not change.

use std::io::Read;

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use millrace_domain::policy::{Role, Scope};
use millrace_jobs::Watch;
use millrace_services::Services;
use millrace_serving::Serving;
use millrace_test_support::{MovableClock, Person, TestApp, testdata};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::{BINARY, ask, next_hour, report};

/// A file of data as it stands: names, and rows of cells.
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(file: &str) -> Option<Self> {
        let content = std::fs::read(testdata(file)?).unwrap();
        let mut text = String::new();
        match file.ends_with(".gz") {
            true => drop(GzDecoder::new(&content[..]).read_to_string(&mut text).unwrap()),
            false => text = String::from_utf8(content).unwrap(),
        }
        let split = |line: &str| line.split(',').map(|cell| cell.trim().to_owned()).collect::<Vec<String>>();
        let mut lines = text.lines();
        let names = split(lines.next().unwrap());
        Some(Self { names, rows: lines.map(split).collect() })
    }

    fn csv<'r>(&self, rows: impl IntoIterator<Item = &'r Vec<String>>) -> Vec<u8> {
        let rows: Vec<String> = rows.into_iter().map(|row| row.join(",")).collect();
        format!("{}\n{}\n", self.names.join(","), rows.join("\n")).into_bytes()
    }

    /// A row as a caller sends it: these columns, numbers as such but for those that are texts.
    fn instance(&self, row: &[String], columns: &[&str], texts: &[&str]) -> Map<String, Value> {
        let cells = self.names.iter().zip(row).filter(|(name, _)| columns.contains(&name.as_str()));
        let value = |name: &str, cell: &str| match cell.parse::<f64>() {
            _ if cell.is_empty() => Value::Null,
            Ok(number) if !texts.contains(&name) => json!(number),
            _ => json!(cell),
        };
        cells.map(|(name, cell)| (name.clone(), value(name, cell))).collect()
    }

    fn cell<'r>(&self, row: &'r [String], name: &str) -> &'r str {
        &row[self.names.iter().position(|column| column == name).unwrap()]
    }
}

/// A live version, watched by a clock of its own in windows of thirty days.
struct Stream {
    app: TestApp,
    slug: &'static str,
    engineer: Person,
    stakeholder: Person,
    clock: MovableClock,
    services: Services,
    serving: Serving,
    stop: CancellationToken,
    now: DateTime<Utc>,
}

impl Stream {
    async fn begin(document: &Value, csv: Vec<u8>, trainer: Value) -> Self {
        let slug: &'static str = document["slug"].as_str().unwrap().to_owned().leak();
        let app = TestApp::start_with(BINARY, &[], &["--no-watch"]).await.unwrap();
        let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
        let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
        app.token(&engineer, &[Scope::Predict]).await.unwrap();
        app.sign_off(&engineer, &stakeholder, document).await;
        let data = app.load(&engineer, slug, "data.csv", csv).await;
        assert_eq!(data["summary"]["state"], "valid", "{} {}", data["failure"], data["report"]["findings"]);
        let run = app.run(&engineer, slug, trainer).await.body;
        assert_eq!(run["state"], "succeeded", "{} {}", run["failure"], run["metrics"]);
        let hour = next_hour(&app).await;
        let clock = MovableClock::at(hour);
        let services = app.services_at(&clock).await.unwrap();
        let stop = CancellationToken::new();
        let (db, artifacts) = (services.db().clone(), services.artifacts().clone());
        let surroundings = services.surroundings().clone();
        let serving = Serving::start(db, artifacts, surroundings, "test", 64, None, stop.clone()).await;
        // The first whole window after now.
        let length = 30 * 86_400;
        let now = DateTime::from_timestamp((hour.timestamp() / length + 1) * length, 0).unwrap();
        let stream = Self { app, slug, engineer, stakeholder, clock, services, serving, stop, now };
        stream.put_live(1).await;
        stream
    }

    /// Puts a version live at once: nothing else is when it is asked for.
    async fn put_live(&self, number: i32) {
        let path = format!("/api/v1/models/{}/versions/{number}", self.slug);
        let model = self.stakeholder.get(&path).await.done();
        self.stakeholder.decide(&path, "approve", model["digest"].as_str().unwrap()).await.done();
        let deployment = format!("/api/v1/deployments/{}", self.slug);
        if number > 1 {
            self.engineer.post(&format!("{deployment}/rollback"), json!({ "reason": "replaced" })).await.done();
        }
        let rollout = json!({ "version": number, "reason": "test" });
        self.engineer.post(&format!("{deployment}/rollouts"), rollout).await.done();
        for _ in 0..200 {
            if self.serving.metadata(self.slug).is_some_and(|model| model.versions == [number.to_string()]) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("version {number} does not answer");
    }

    /// A window of answers, and a look after it; labels are reported where there are any. Gives the ids of the answers.
    async fn window(&mut self, instances: Vec<Map<String, Value>>, labels: Option<&[Value]>) -> Vec<Value> {
        self.clock.set(self.now + TimeDelta::days(1));
        let mut ids = Vec::new();
        for (place, chunk) in instances.chunks(1_000).enumerate() {
            let labels = labels.map(|labels| &labels[place * 1_000..place * 1_000 + chunk.len()]);
            ids.extend(ask(&self.serving, self.slug, chunk.to_vec(), labels).await);
        }
        self.serving.settle().await;
        self.now += TimeDelta::days(30);
        self.look().await;
        ids
    }

    /// What monitoring tells of each window with answers, the oldest first.
    async fn windows(&self) -> Vec<Value> {
        let path = format!("/api/v1/deployments/{}/monitor?to=2100-01-01T00:00:00Z", self.slug);
        let view = self.engineer.get(&path).await.done();
        let windows = view["windows"].as_array().unwrap().iter();
        windows.filter(|window| window["finding"]["n"].as_u64() > Some(0)).cloned().collect()
    }

    async fn look(&self) {
        self.clock.set(self.now + TimeDelta::minutes(1));
        Watch::new(self.services.clone()).look().await;
    }

    /// Alerts by cause, with whether each fires.
    async fn alerts(&self) -> Vec<(String, bool, String)> {
        let found = self.engineer.get("/api/v1/alerts").await.done();
        let read = |alert: &Value| {
            let text = |key: &str| alert[key].as_str().unwrap().to_owned();
            (text("cause"), text("state") == "firing", text("title"))
        };
        found["items"].as_array().unwrap().iter().map(read).collect()
    }

    async fn fires(&self, cause: &str) -> bool {
        self.alerts().await.iter().any(|(of, fires, _)| of == cause && *fires)
    }

    /// The run that was started by itself, once it has ended.
    async fn retrained(&self) -> Value {
        let triggers = self.engineer.get(&format!("/api/v1/problems/{}/triggers", self.slug)).await.done();
        let run = triggers["events"][0]["run"].as_str().unwrap_or_else(|| panic!("no run was started: {triggers}"));
        let run = self.app.ended(&self.engineer, run).await;
        assert_eq!(run["state"], "succeeded", "{} {}", run["failure"], run["gates"]);
        run
    }

    async fn remove(self) {
        self.stop.cancel();
        self.app.remove().await;
    }
}

fn document(slug: &str, target: Value, data: Value, features: &[Value], success: Value, more: Value) -> Value {
    let mut document = json!({
        "slug": slug, "title": "A stream", "decision": "none", "target": target, "data": data, "features": features,
        "success": success,
        "monitoring": { "window": "30d", "drift": { "metric": "psi", "threshold": 0.25, "windows": 1 }, "min_rows": 200 }
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

/// The area under the ROC curve, by comparing every pair.
fn auc(scores: &[(f64, bool)]) -> f64 {
    let (mut won, mut pairs) = (0.0, 0.0);
    for (score, _) in scores.iter().filter(|(_, label)| *label) {
        for (other, _) in scores.iter().filter(|(_, label)| !*label) {
            pairs += 1.0;
            won += if score > other { 1.0 } else { f64::from(u8::from(score == other)) / 2.0 };
        }
    }
    won / pairs
}

#[tokio::test]
async fn the_taxis_of_new_york_raise_no_alarm_until_april_2020_and_a_training_then_helps() {
    const COLUMNS: [&str; 7] = [
        "pickup_datetime",
        "passenger_count",
        "trip_distance",
        "rate_code_id",
        "pickup_location_id",
        "dropoff_location_id",
        "fare_amount",
    ];
    let month = |name: &str| Table::read(&format!("gx_nyc_taxi/yellow_tripdata_sample_{name}.csv.gz"));
    let Some(first) = month("2019-01") else { return };
    let many = |names: &[&str]| {
        let tables: Vec<Table> = names.iter().map(|name| month(name).unwrap()).collect();
        let rows: Vec<Vec<String>> = tables.into_iter().flat_map(|table| table.rows).collect();
        first.csv(rows.iter().filter(|row| {
            let fare: f64 = first.cell(row, "fare_amount").parse().unwrap();
            !first.cell(row, "payment_type").is_empty() && fare > 0.0 && fare < 500.0
        }))
    };
    let category = |name: &str| json!({ "name": name, "type": "category", "nullable": true });
    let features = [
        json!({ "name": "hour", "expression": "hour(pickup_datetime)" }),
        json!({ "name": "passenger_count", "nullable": true }),
        json!({ "name": "trip_distance", "nullable": true }),
        json!({ "name": "fare_amount", "nullable": true }),
        category("rate_code_id"),
        category("pickup_location_id"),
        category("dropoff_location_id"),
    ];
    let document = document(
        "taxis",
        json!({ "name": "card", "kind": "binary", "expression": "payment_type = 1" }),
        json!({ "event_time": "pickup_datetime", "split": { "kind": "time", "validation": 0.15, "test": 0.15 } }),
        &features,
        json!({ "metric": "roc_auc", "at_least": 0.52 }),
        json!({ "retraining": { "on_drift": true, "cool_down": "1h" } }),
    );
    let train = many(&["2019-01", "2019-02", "2019-03", "2019-04", "2019-05", "2019-06"]);
    let trainer = json!({ "trainer": "gradient_boosting", "seed": 1 });
    let mut stream = Stream::begin(&document, train, trainer).await;
    let instances = |table: &Table| {
        let rows = table.rows.iter();
        rows.map(|row| table.instance(row, &COLUMNS, &["pickup_datetime"])).collect::<Vec<_>>()
    };
    for name in ["2019-07", "2019-08", "2019-09", "2019-10", "2019-11", "2019-12", "2020-01", "2020-02"] {
        stream.window(instances(&month(name).unwrap()), None).await;
        assert!(!stream.fires("drift").await, "{name}: {:?}", stream.alerts().await);
    }
    stream.window(instances(&month("2020-04").unwrap()), None).await;
    let alerts = stream.alerts().await;
    assert!(stream.fires("drift").await, "{alerts:?}");
    let found = stream.engineer.get("/api/v1/alerts").await.done();
    let id = found["items"][0]["id"].as_str().unwrap();
    let facts = stream.engineer.get(&format!("/api/v1/alerts/{id}")).await.done()["facts"].clone();
    assert!(facts.to_string().contains("pickup_location_id"), "{facts}");
    println!("April 2020: {facts}");

    // The next load is what the alert waits for.
    stream.app.load(&stream.engineer, "taxis", "data.csv", many(&["2020-03", "2020-04"])).await;
    stream.look().await;
    stream.retrained().await;
    let may = month("2020-05").unwrap();
    let mut scores = Vec::new();
    for version in [1, 2] {
        let mut pairs = Vec::new();
        for rows in may.rows.chunks(1_000) {
            let asked: Vec<&Vec<String>> =
                rows.iter().filter(|row| !may.cell(row, "payment_type").is_empty()).collect();
            let instances = asked.iter().map(|row| may.instance(row, &COLUMNS, &["pickup_datetime"])).collect();
            let request = millrace_serving::PredictRequest { instances, explain: 0 };
            let asking = millrace_serving::Asking { version: Some(version), ..Default::default() };
            let answer = stream.serving.predict("taxis", request, asking).await.unwrap();
            let label = |row: &&Vec<String>| may.cell(row, "payment_type").parse() == Ok(1.0);
            let pair = answer.predictions.iter().zip(&asked);
            pairs.extend(pair.map(|(given, row)| (given["score"].as_f64().unwrap(), label(row))));
        }
        scores.push(auc(&pairs));
    }
    println!("May 2020, AUC of card payments: stale {:.4}, retrained {:.4}", scores[0], scores[1]);
    assert!(scores[1] > scores[0] + 0.005, "{scores:?}");
    stream.remove().await;
}

#[tokio::test]
async fn a_concept_that_changes_raises_an_alarm_of_quality_within_a_thousand_labels_and_none_of_drift() {
    let Some(sea) = Table::read("sea/sea.csv.gz") else { return };
    let target = sea.names.last().unwrap().clone();
    let inputs: Vec<&str> = sea.names[..sea.names.len() - 1].iter().map(String::as_str).collect();
    let features: Vec<Value> = inputs.iter().map(|name| json!({ "name": name })).collect();
    let document = document(
        "sea",
        json!({ "name": "class", "kind": "binary", "column": target }),
        json!({ "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } }),
        &features,
        json!({ "metric": "accuracy", "at_least": 0.87 }),
        json!({ "retraining": { "on_quality": true, "cool_down": "1h" } }),
    );
    let rows = |from: usize, to: usize| sea.csv(&sea.rows[from..to]);
    let mut stream = Stream::begin(&document, rows(0, 8_000), json!({ "trainer": "logistic" })).await;
    let window = |from: usize| -> (Vec<Map<String, Value>>, Vec<Value>) {
        let rows = sea.rows[from..from + 500].iter();
        rows.map(|row| (sea.instance(row, &inputs, &[]), json!(sea.cell(row, &target) == "1"))).unzip()
    };
    for (place, change) in [12_500, 25_000, 37_500].into_iter().enumerate() {
        for from in [change - 1_000, change - 500] {
            let (instances, labels) = window(from);
            stream.window(instances, Some(&labels)).await;
        }
        assert!(!stream.fires("quality").await, "before row {change}: {:?}", stream.alerts().await);
        let mut labels_needed = 0;
        for from in [change, change + 500] {
            let (instances, labels) = window(from);
            stream.window(instances, Some(&labels)).await;
            labels_needed += 500;
            if stream.fires("quality").await {
                break;
            }
        }
        assert!(stream.fires("quality").await, "after row {change}: {:?}", stream.alerts().await);
        println!("row {change}: an alarm after {labels_needed} labels");
        if change == 37_500 {
            break;
        }
        stream.app.load(&stream.engineer, "sea", "data.csv", rows(change, change + 8_000)).await;
        stream.look().await;
        stream.retrained().await;
        stream.put_live(i32::try_from(place).unwrap() + 2).await;
    }
    let causes: Vec<String> = stream.alerts().await.into_iter().map(|(cause, ..)| cause).collect();
    assert!(!causes.contains(&"drift".to_owned()), "{causes:?}");
    stream.remove().await;
}

#[tokio::test]
async fn fifty_years_of_weather_that_comes_back_raise_no_alarm_of_quality() {
    let Some(weather) = Table::read("ne_weather/weather.csv") else { return };
    let target = weather.names.last().unwrap().clone();
    let inputs: Vec<&str> = weather.names[..weather.names.len() - 1].iter().map(String::as_str).collect();
    let features: Vec<Value> = inputs.iter().map(|name| json!({ "name": name })).collect();
    let document = document(
        "weather",
        json!({ "name": "rain", "kind": "binary", "column": target }),
        json!({ "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } }),
        &features,
        json!({ "metric": "roc_auc", "at_least": 0.8 }),
        json!({}),
    );
    let train = weather.csv(&weather.rows[..6_053]);
    let mut stream = Stream::begin(&document, train, json!({ "trainer": "logistic" })).await;
    for rows in weather.rows[6_053..].chunks(1_700) {
        let pair = |row: &Vec<String>| {
            let label = json!(weather.cell(row, &target).parse() == Ok(1.0));
            (weather.instance(row, &inputs, &[]), label)
        };
        let (instances, labels): (Vec<_>, Vec<_>) = rows.iter().map(pair).unzip();
        stream.window(instances, Some(&labels)).await;
    }
    let quality: Vec<_> = stream.alerts().await.into_iter().filter(|(cause, ..)| cause == "quality").collect();
    assert!(quality.is_empty(), "{quality:?}");
    let view = stream.engineer.get("/api/v1/deployments/weather/monitor?to=2100-01-01T00:00:00Z").await.done();
    let measured: Vec<&Value> =
        view["windows"].as_array().unwrap().iter().map(|window| &window["quality"]["value"]).collect();
    println!("AUC by window: {measured:?}");
    stream.remove().await;
}

#[tokio::test]
async fn houses_of_california_have_the_quality_that_is_known_once_their_labels_come_late_window_by_window() {
    let Some(reference) = Table::read("nannyml_california_housing/reference.csv") else { return };
    let analysis = Table::read("nannyml_california_housing/analysis.csv").unwrap();
    let labels = Table::read("nannyml_california_housing/analysis_gt.csv").unwrap();
    let label_of: std::collections::HashMap<&str, Value> =
        labels.rows.iter().map(|row| (row[0].as_str(), json!(row[1] == "1"))).collect();
    // The answers that came with the data are the one input, and a curve that never falls keeps their order.
    let document = document(
        "houses",
        json!({ "name": "clf_target", "kind": "binary", "column": "clf_target" }),
        json!({ "split": { "kind": "random", "validation": 0.1, "test": 0.3, "seed": 1 } }),
        &[json!({ "name": "shipped", "expression": "y_pred_proba" })],
        json!({ "metric": "roc_auc", "at_least": 0.85 }),
        json!({}),
    );
    let train = reference.csv(&reference.rows);
    let mut stream = Stream::begin(&document, train, json!({ "trainer": "logistic" })).await;
    let chunks: Vec<&[Vec<String>]> = analysis.rows.chunks(1_500).collect();
    let mut answered = Vec::new();
    for rows in &chunks {
        let instances = rows.iter().map(|row| analysis.instance(row, &["y_pred_proba"], &[])).collect();
        answered.push(stream.window(instances, None).await);
    }
    assert!(stream.windows().await.iter().all(|window| window["quality"].is_null()), "nothing is known yet");

    let known = |rows: &[Vec<String>]| -> Vec<Value> {
        rows.iter().map(|row| label_of[analysis.cell(row, "id")].clone()).collect()
    };
    // Of the first window two in three are known, then all of all.
    report(&stream.serving, stream.slug, &answered[0][..1_000], &known(chunks[0])[..1_000]).await;
    stream.serving.settle().await;
    stream.look().await;
    let first = stream.windows().await[0]["quality"].clone();
    assert_eq!((&first["labelled"], &first["answered"]), (&json!(1_000), &json!(1_500)), "{first}");
    for (rows, ids) in chunks.iter().zip(&answered) {
        report(&stream.serving, stream.slug, ids, &known(rows)).await;
    }
    stream.serving.settle().await;
    stream.look().await;
    let qualities: Vec<Value> = stream.windows().await.iter().map(|window| window["quality"].clone()).collect();
    let areas: Vec<f64> = qualities.iter().map(|quality| quality["value"].as_f64().unwrap()).collect();
    for (area, expected) in areas.iter().zip([0.823, 0.692, 0.826, 0.921, 0.845, 0.963]) {
        assert!((area - expected).abs() < 0.005, "{areas:?}");
    }
    assert_eq!((areas.len(), &qualities[5]["labelled"]), (6, &json!(732)), "{qualities:?}");
    stream.remove().await;
}

#[tokio::test]
async fn rented_bikes_are_told_to_be_foreseen_worse_week_by_week_once_it_gets_warm() {
    let Some(bikes) = Table::read("evidently_bike_sharing/hour.csv") else { return };
    const COLUMNS: [&str; 9] =
        ["temp", "atemp", "hum", "windspeed", "hr", "weekday", "season", "holiday", "workingday"];
    let document = document(
        "bikes",
        json!({ "name": "cnt", "kind": "regression", "column": "cnt" }),
        json!({ "split": { "kind": "random", "validation": 0.05, "test": 0.2, "seed": 1 } }),
        &COLUMNS.map(|name| json!({ "name": name })),
        json!({ "metric": "mae", "at_most": 16.0 }),
        json!({ "monitoring":
            { "window": "30d", "drift": { "metric": "psi", "threshold": 0.25, "windows": 1 }, "min_rows": 100 } }),
    );
    let between = |first: &str, last: &str| -> Vec<&Vec<String>> {
        bikes.rows.iter().filter(|row| (first..=last).contains(&bikes.cell(row, "dteday"))).collect()
    };
    let train = bikes.csv(between("2011-01-01", "2011-01-28"));
    let forest = json!({ "trainer": "random_forest",
        "parameters": { "trees": 50, "min_leaf_rows": 1, "max_features": 1.0, "max_depth": 64 } });
    let mut stream = Stream::begin(&document, train, forest).await;
    for (first, last) in [("2011-01-29", "2011-02-07"), ("2011-02-07", "2011-02-14"), ("2011-02-15", "2011-02-21")] {
        let pair = |row: &Vec<String>| {
            let label = json!(bikes.cell(row, "cnt").parse::<f64>().unwrap());
            (bikes.instance(row, &COLUMNS, &[]), label)
        };
        let (instances, labels): (Vec<_>, Vec<_>) = between(first, last).into_iter().map(pair).unzip();
        stream.window(instances, Some(&labels)).await;
    }
    let windows = stream.windows().await;
    let errors: Vec<f64> = windows.iter().map(|window| window["quality"]["value"].as_f64().unwrap()).collect();
    assert!(errors.len() == 3 && errors.is_sorted() && errors[2] > 1.4 * errors[0], "{errors:?}");
    let last = windows[2]["finding"]["columns"].as_array().unwrap();
    let temperature = last.iter().find(|column| column["name"] == "temp").unwrap();
    assert_eq!(temperature["verdict"], "drifted", "{temperature}");
    assert!(temperature["distances"]["psi"].as_f64().unwrap() > 1.0, "{temperature}");
    assert!(stream.fires("drift").await && stream.fires("quality").await, "{:?}", stream.alerts().await);
    stream.remove().await;
}
