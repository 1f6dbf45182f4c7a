//! The whole pipeline on real data sets, from a file to predictions that equal the batch's bit for bit.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Role, Scope};
use millrace_ml::Dataset;
use millrace_ml::model::{Model, Prediction};
use millrace_test_support::{Person, TestApp, testdata};
use serde_json::{Map, Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

struct Team {
    app: TestApp,
    engineer: Person,
    stakeholder: Person,
}

async fn team() -> Team {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    Team { app, engineer, stakeholder }
}

fn features(names: &[(&str, &str)]) -> Value {
    let each = names.iter().map(
        |(name, kind)| json!({ "name": name, "expression": format!("\"{name}\""), "type": kind, "nullable": true }),
    );
    Value::Array(each.collect())
}

fn problem(slug: &str, target: Value, data: Value, features: Value, success: Value) -> Value {
    json!({
        "slug": slug, "title": "A known result is reached", "decision": "whether to trust the pipeline",
        "target": target, "data": data, "features": features, "success": success,
        "serving": { "p99_ms": 1000, "throughput_rps": 1 },
    })
}

impl Team {
    /// Signs the problem off, brings the file in and runs the trainer; gives the metrics of the run.
    async fn run(&self, document: &Value, file: &str, trainer: Value) -> Option<Value> {
        let path = testdata(file)?;
        Some(self.run_on(document, file, std::fs::read(path).unwrap(), trainer).await)
    }

    /// The same on content at hand.
    async fn run_on(&self, document: &Value, file: &str, content: Vec<u8>, trainer: Value) -> Value {
        let slug = document["slug"].as_str().unwrap();
        self.app.sign_off(&self.engineer, &self.stakeholder, document).await;
        let version = self.app.load(&self.engineer, slug, file, content).await;
        assert_eq!(version["summary"]["state"], "valid", "{} {}", version["failure"], version["report"]);
        let run = self.app.run(&self.engineer, slug, trainer).await;
        assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
        run.body
    }

    /// Puts the model live and sends 200 rows through it: each answer must equal the batch prediction bit for bit. Gives the
    /// model.
    async fn served_like_the_batch(&self, slug: &str, run: &Value) -> Model {
        let model = self.stakeholder.get(&format!("/api/v1/models/{slug}/versions/1")).await.done();
        let digest = model["digest"].as_str().unwrap();
        self.stakeholder.decide(&format!("/api/v1/models/{slug}/versions/1"), "approve", digest).await.done();
        let rollout = json!({ "version": 1, "reason": "test" });
        self.engineer.post(&format!("/api/v1/deployments/{slug}/rollouts"), rollout).await.done();
        let artifacts = self.app.services.artifacts();
        let content = artifacts.get(&model["artifact"].as_str().unwrap().parse().unwrap()).await.unwrap();
        let model = Model::from_bytes(&content).unwrap();
        let rows = self.frame(run).await.take(&(0..200).collect::<Vec<u32>>());
        let batch = model.predict(&rows).unwrap();
        let instances: Vec<Value> = (0..rows.rows()).map(|row| instance(&model, &rows, row)).collect();
        let caller = self.app.token(&self.engineer, &[Scope::Predict]).await.unwrap();
        let mut answer = caller.post(&format!("/v1/models/{slug}:predict"), json!({ "instances": instances })).await;
        for _ in 0..600 {
            if answer.status != 404 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            answer = caller.post(&format!("/v1/models/{slug}:predict"), json!({ "instances": instances })).await;
        }
        let answer = answer.done();
        for (single, batch) in answer["predictions"].as_array().unwrap().iter().zip(&batch) {
            match batch {
                Prediction::Binary { score, .. } => {
                    assert_eq!(single["score"].as_f64().unwrap().to_bits(), score.to_bits())
                }
                Prediction::Regression { value } => {
                    assert_eq!(single["value"].as_f64().unwrap().to_bits(), value.to_bits())
                }
                Prediction::Multiclass { probabilities, .. } => {
                    for (class, probability) in model.classes().iter().zip(probabilities) {
                        let seen = single["probabilities"][class.as_ref()].as_f64().unwrap();
                        assert_eq!(seen.to_bits(), probability.to_bits());
                    }
                }
            }
        }
        assert_eq!(answer["predictions"].as_array().unwrap().len(), 200);
        model
    }

    async fn frame(&self, run: &Value) -> Dataset {
        let (id, number) = (run["dataset"]["id"].as_str().unwrap(), run["dataset"]["version"].as_i64().unwrap());
        let version = millrace_storage::dataset::find_numbered(
            self.app.services.db().pool(),
            id.parse().unwrap(),
            i32::try_from(number).unwrap(),
        );
        let frame = version.await.unwrap().unwrap().frame.unwrap();
        Dataset::from_parquet(&self.app.services.artifacts().get(&frame).await.unwrap()).unwrap()
    }
}

fn instance(model: &Model, rows: &Dataset, row: usize) -> Value {
    use millrace_domain::expr::Row;
    let pairs = model.inputs().iter().map(|input| {
        let slot = rows.slot(&input.column.name).unwrap();
        (input.column.name.clone(), input.to_json(&rows.row(row).cell(slot)))
    });
    Value::Object(pairs.collect::<Map<String, Value>>())
}

fn metric(run: &Value, name: &str) -> f64 {
    run["metrics"][name].as_f64().unwrap_or_else(|| panic!("{name} is not among {}", run["metrics"]))
}

fn taxi(slug: &str) -> Value {
    let numbers = [
        "pickup_community_area",
        "fare",
        "trip_start_month",
        "trip_start_hour",
        "trip_start_day",
        "trip_start_timestamp",
        "pickup_latitude",
        "pickup_longitude",
        "dropoff_latitude",
        "dropoff_longitude",
        "trip_miles",
        "dropoff_census_tract",
        "dropoff_community_area",
        "trip_seconds",
    ];
    let named: Vec<(&str, &str)> = numbers
        .into_iter()
        .map(|name| (name, "number"))
        .chain([("payment_type", "category"), ("company", "category")])
        .collect();
    let features =
        features(&named).to_string().replace("\"\\\"trip_start_timestamp\\\"\"", "\"epoch(trip_start_timestamp)\"");
    problem(
        slug,
        json!({ "name": "big_tip", "kind": "binary", "expression": "tips > fare * 0.2" }),
        json!({ "event_time": "trip_start_timestamp", "time_format": "unix_s",
            "split": { "kind": "time", "validation": 0.1, "test": 0.3333 } }),
        serde_json::from_str(&features).unwrap(),
        json!({ "metric": "roc_auc", "at_least": 0.9 }),
    )
}

/// scikit-learn 1.9.1's histogram boosting reaches 0.940 on the same split.
#[tokio::test]
async fn boosting_reaches_the_known_result_on_chicago_taxi_trips() {
    let team = team().await;
    let document = taxi("taxi-boosted");
    let request = json!({ "trainer": "gradient_boosting", "seed": 1 });
    if let Some(run) = team.run(&document, "tfx_chicago_taxi/data.csv", request).await {
        let auc = metric(&run, "test.roc_auc");
        assert!(auc >= 0.93, "{auc}");
        team.served_like_the_batch("taxi-boosted", &run).await;
    }
    team.app.remove().await;
}

/// scikit-learn 1.9.1's logistic regression reaches 0.926 on the same split.
#[tokio::test]
async fn logistic_regression_reaches_the_known_result_on_chicago_taxi_trips() {
    let team = team().await;
    let document = taxi("taxi-logistic");
    let request = json!({ "trainer": "logistic", "seed": 1 });
    if let Some(run) = team.run(&document, "tfx_chicago_taxi/data.csv", request).await {
        let auc = metric(&run, "test.roc_auc");
        assert!(auc >= 0.915, "{auc}");
        team.served_like_the_batch("taxi-logistic", &run).await;
    }
    team.app.remove().await;
}

/// scikit-learn 1.9.1's histogram boosting reaches an RMSE of 0.626.
#[tokio::test]
async fn boosting_reaches_the_known_result_on_white_wine() {
    let team = team().await;
    let columns = [
        "fixed acidity",
        "volatile acidity",
        "citric acid",
        "residual sugar",
        "chlorides",
        "free sulfur dioxide",
        "total sulfur dioxide",
        "density",
        "pH",
        "sulphates",
        "alcohol",
    ];
    let document = problem(
        "wine",
        json!({ "name": "quality", "kind": "regression", "column": "quality" }),
        json!({ "split": { "kind": "random", "validation": 0.1, "test": 0.25, "seed": 40 } }),
        features(&columns.map(|name| (name, "number"))),
        json!({ "metric": "rmse", "at_most": 0.66 }),
    );
    let request = json!({ "trainer": "gradient_boosting", "seed": 1 });
    if let Some(run) = team.run(&document, "mlflow_wine/wine-quality.csv", request).await {
        let rmse = metric(&run, "test.rmse");
        assert!(rmse <= 0.66, "{rmse}");
        team.served_like_the_batch("wine", &run).await;
    }
    team.app.remove().await;
}

/// scikit-learn 1.9.1's logistic regression reaches an accuracy of 0.982.
#[tokio::test]
async fn three_penguin_species_are_told_apart() {
    let team = team().await;
    let columns = ["culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g"];
    let document = problem(
        "penguins",
        json!({ "name": "species", "kind": "multiclass", "column": "species" }),
        json!({ "split": { "kind": "random", "validation": 0.1, "test": 0.3333, "seed": 3 } }),
        features(&columns.map(|name| (name, "number"))),
        json!({ "metric": "accuracy", "at_least": 0.93 }),
    );
    let file = "tfx_penguin/penguins_labelled.csv";
    if let Some(run) = team.run(&document, file, json!({ "trainer": "logistic" })).await {
        let accuracy = metric(&run, "test.accuracy");
        assert!(accuracy >= 0.93, "{accuracy}");
        team.served_like_the_batch("penguins", &run).await;
    }
    team.app.remove().await;
}

/// statsmodels' logit of `affairs > 0`, unregularised, on all 6,366 rows: every tenth comes again as the test part, so that the
/// training part is the published one.
#[tokio::test]
async fn the_served_model_of_fairs_affairs_has_the_exact_coefficients() {
    const EXACT: [(&str, f64); 8] = [
        ("occupation", 0.16023383),
        ("educ", -0.0392192),
        ("occupation_husb", 0.01240082),
        ("rate_marriage", -0.71610711),
        ("age", -0.06048768),
        ("yrs_married", 0.11001794),
        ("children", -0.00423323),
        ("religious", -0.37515765),
    ];
    let Some(path) = testdata("statsmodels/fair.csv") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let again: Vec<&str> = lines[1..].iter().step_by(10).copied().collect();
    let content = [&lines[..], &again[..]].concat().join("\n");
    let team = team().await;
    let document = problem(
        "affairs",
        json!({ "name": "unfaithful", "kind": "binary", "expression": "affairs > 0" }),
        json!({ "split": { "kind": "time", "validation": 0.0, "test": again.len() as f64 / (6_366.0 + again.len() as f64) } }),
        features(&EXACT.map(|(name, _)| (name, "number"))),
        json!({ "metric": "roc_auc", "at_least": 0.5 }),
    );
    let request = json!({ "trainer": "logistic", "parameters": { "alpha": 0, "tolerance": 1e-8 } });
    let run = team.run_on(&document, "fair.csv", content.into_bytes(), request).await;
    let model = team.served_like_the_batch("affairs", &run).await;
    let equation = &model.coefficients().unwrap()[0];
    assert!((equation.intercept - 3.72571987).abs() <= 1e-4, "{}", equation.intercept);
    for ((name, exact), (term, found)) in EXACT.iter().zip(&equation.terms) {
        assert!(name == term && (found - exact).abs() <= 1e-4, "{term}: {found}, exact {exact}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn churn_with_its_blank_charges_named_is_learned_and_served() {
    let team = team().await;
    let numbers = ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"];
    let categories =
        ["Contract", "InternetService", "OnlineSecurity", "TechSupport", "PaymentMethod", "PaperlessBilling"];
    let named: Vec<(&str, &str)> = numbers
        .into_iter()
        .map(|name| (name, "number"))
        .chain(categories.into_iter().map(|name| (name, "category")))
        .collect();
    let document = problem(
        "telco",
        json!({ "name": "churn", "kind": "binary", "column": "Churn" }),
        json!({ "split": { "kind": "random", "validation": 0.15, "test": 0.25, "seed": 5 } }),
        features(&named),
        json!({ "metric": "roc_auc", "at_least": 0.8 }),
    );
    let file = "telco_churn/Telco-Customer-Churn.csv";
    if let Some(run) = team.run(&document, file, json!({ "trainer": "gradient_boosting", "seed": 1 })).await {
        team.served_like_the_batch("telco", &run).await;
        let model = team.stakeholder.get("/api/v1/models/telco/versions/1").await.done();
        let warnings = model["warnings"].to_string();
        assert!(warnings.contains("TotalCharges") && warnings.contains("11"), "the warning travels along: {warnings}");
    }
    team.app.remove().await;
}
