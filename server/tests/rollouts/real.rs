//! A rollout on real data, whose answers shift when another kind of model gives them: who pays a credit card back (UCI, 30,000 customers in Taiwan, 2005).

use std::io::Read;

use flate2::read::GzDecoder;
use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp, testdata};
use serde_json::{Map, Value, json};

use super::BINARY;

const LABEL: &str = "default.payment.next.month";
/// The first of the customers are trained on; the others come as callers, and what became of them is known at once.
const TRAINED_ON: usize = 15_000;

struct Customers {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
    next: usize,
}

impl Customers {
    /// The customers, if they are there, as they stand in the file.
    fn read() -> Option<Self> {
        let mut text = String::new();
        let file = std::fs::File::open(testdata("credit_default/UCI_Credit_Card.csv.gz")?).unwrap();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut lines = text.lines();
        let split = |line: &str| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect::<Vec<_>>();
        let names = split(lines.next().unwrap());
        let rows = lines.map(|line| split(line).iter().map(|cell| cell.parse().unwrap()).collect()).collect();
        Some(Self { names, rows, next: TRAINED_ON })
    }

    fn csv(&self) -> Vec<u8> {
        let line = |row: &Vec<f64>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let rows: Vec<String> = self.rows[..TRAINED_ON].iter().map(line).collect();
        format!("{}\n{}\n", self.names.join(","), rows.join("\n")).into_bytes()
    }

    fn features(&self) -> Vec<&String> {
        self.names.iter().filter(|name| *name != "ID" && *name != LABEL).collect()
    }

    /// The next callers, and what becomes of each.
    fn next(&mut self, count: usize) -> (Vec<Value>, Vec<bool>) {
        let mut instances = Vec::with_capacity(count);
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            let row = &self.rows[self.next];
            self.next = if self.next + 1 == self.rows.len() { TRAINED_ON } else { self.next + 1 };
            let cells = self.names.iter().zip(row).filter(|(name, _)| *name != LABEL && *name != "ID");
            let mut instance: Map<String, Value> = cells.map(|(name, cell)| (name.clone(), json!(cell))).collect();
            instance.insert("entity".to_owned(), json!(row[0].to_string()));
            instances.push(Value::Object(instance));
            labels.push(row[self.names.len() - 1] > 0.0);
        }
        (instances, labels)
    }
}

fn document(customers: &Customers) -> Value {
    let features: Vec<Value> =
        customers.features().iter().map(|name| json!({ "name": name, "type": "number", "nullable": true })).collect();
    json!({
        "slug": "credit", "title": "Who does not pay back", "decision": "who is called first",
        "target": { "name": "default", "kind": "binary", "column": LABEL },
        "data": { "split": { "kind": "random", "validation": 0.15, "test": 0.2, "seed": 1 } },
        "features": features,
        "success": { "metric": "roc_auc", "at_least": 0.65 },
        "serving": { "p99_ms": 250.0, "throughput_rps": 50.0 },
        "rollout": {
            "shadow": { "min_predictions": 500, "min_duration": "1s" },
            "canary": { "percent": 50.0, "min_predictions": 500, "min_duration": "1s" },
            "watch": { "min_predictions": 200, "min_duration": "1s" },
            "watched": ["slow", "shift"]
        }
    })
}

/// Lets callers come until the rollout has ended; gives how many came.
async fn until_it_has_ended(customers: &mut Customers, caller: &Person, reader: &Person) -> (usize, Value) {
    let mut asked = 0;
    while asked < 60_000 {
        let (instances, labels) = customers.next(100);
        let answer = caller.post("/v1/models/credit:predict", json!({ "instances": instances })).await.done();
        let predictions = answer["predictions"].as_array().unwrap();
        let outcomes: Vec<Value> = predictions
            .iter()
            .zip(labels)
            .map(|(prediction, label)| json!({ "id": prediction["id"], "label": label }))
            .collect();
        caller.post("/v1/models/credit:outcome", json!({ "outcomes": outcomes })).await.done();
        asked += 100;
        if asked % 500 == 0 {
            let now = reader.get("/api/v1/deployments/credit").await.done();
            if now["rollout"].is_null() {
                return (asked, now);
            }
        }
    }
    panic!("the rollout did not end: {}", reader.get("/api/v1/deployments/credit").await.done()["analysis"]);
}

#[tokio::test]
async fn a_better_model_arrives_and_a_worse_one_that_somebody_let_pass_its_gates_is_taken_back() {
    let Some(mut customers) = Customers::read() else { return };
    let app = TestApp::start_with(BINARY, &[("MILLRACE_TOKEN_RATE", "100000")], &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let second = app.person("second", &[Role::Stakeholder]).await.unwrap();
    let caller = app.token(&engineer, &[Scope::Predict]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document(&customers)).await;
    let data = app.load(&engineer, "credit", "customers.csv", customers.csv()).await;
    assert_eq!(data["summary"]["state"], "valid", "{} {}", data["failure"], data["report"]["findings"]);
    let roll_out = async |number: i32| {
        let path = format!("/api/v1/models/credit/versions/{number}");
        let model = second.get(&path).await.done();
        second.decide(&path, "approve", model["digest"].as_str().unwrap()).await.done();
        let out = json!({ "version": number, "reason": "test" });
        engineer.post("/api/v1/deployments/credit/rollouts", out).await.done();
    };
    let auc = |run: &Value| run["metrics"]["test.roc_auc"].as_f64().unwrap();

    let linear = app.run(&engineer, "credit", json!({ "trainer": "logistic" })).await.body;
    assert_eq!(linear["state"], "succeeded", "{}", linear["failure"]);
    roll_out(1).await;
    let boosted = app.run(&engineer, "credit", json!({ "trainer": "gradient_boosting" })).await.body;
    assert_eq!(boosted["state"], "succeeded", "{}", boosted["failure"]);
    assert!(auc(&boosted) > auc(&linear) + 0.02, "{} {}", auc(&boosted), auc(&linear));
    roll_out(2).await;
    let (asked, now) = until_it_has_ended(&mut customers, &caller, &engineer).await;
    println!("boosting beside logistic: arrived after {asked} predictions");
    assert_eq!((&now["champion"], &now["history"][0]["kind"]), (&json!(2), &json!("settled")), "{now}");

    // The model that was good enough before is worse than what is live now: its gate says so, and so do callers.
    let again = app.run(&engineer, "credit", json!({ "trainer": "logistic", "seed": 2 })).await.body;
    assert_eq!(again["state"], "rejected", "{}", again["gates"]);
    let open: Vec<&Value> = again["gates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gate| gate["verdict"] != "pass")
        .map(|gate| &gate["name"])
        .collect();
    assert_eq!(open, [&json!("champion")]);
    let body = json!({ "gates": open, "reason": "it is simpler to explain", "days": 3 });
    let path = format!("/api/v1/runs/{}/override", again["id"].as_str().unwrap());
    assert_eq!(stakeholder.post(&path, body).await.done()["version"], 3);
    roll_out(3).await;
    let (asked, now) = until_it_has_ended(&mut customers, &caller, &engineer).await;
    println!("logistic beside boosting: taken back after {asked} predictions");
    let newest = &now["history"][0];
    assert_eq!(
        (&now["champion"], &newest["kind"], &newest["by"]),
        (&json!(2), &json!("rollback"), &Value::Null),
        "{now}"
    );
    assert!(newest["reason"].as_str().unwrap().contains("quality"), "{newest}");
    app.remove().await;
}
