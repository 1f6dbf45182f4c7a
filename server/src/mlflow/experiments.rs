//! Experiments, which are problems.

use axum::Json;
use axum::extract::State;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_domain::view::ProblemSummary;
use millrace_services::Services;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{Asked, InQuery, Reply};
use crate::api::reply::By;

#[derive(Deserialize)]
pub struct Named {
    name: String,
}

/// An experiment is not made here: a problem has a document, which somebody writes.
pub async fn create(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Named>) -> Reply<Value> {
    let name = asked.name;
    let exists = find(&services, &actor, &name).await.is_ok();
    Err(match exists {
        true => Fault::conflict("experiment_exists", format!("experiment {name:?} exists already; it is the problem of that name")),
        false => Fault::invalid(
            format!(
                "an experiment is a problem here, and there is none named {name:?}: write it first, with `millrace apply -f problem.toml` \
                 or at {}/problems/new (a draft is enough to log runs to), and use its slug as the experiment's name",
                services.settings().base_url
            ),
            Vec::new(),
        ),
    }
    .into())
}

#[derive(Deserialize)]
pub struct ById {
    experiment_id: String,
}

pub async fn show(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<ById>) -> Reply<Value> {
    let problem = find(&services, &actor, &asked.experiment_id).await?;
    Ok(Json(json!({ "experiment": experiment(&problem) })))
}

#[derive(Deserialize)]
pub struct ByName {
    experiment_name: String,
}

pub async fn show_by_name(
    State(services): State<Services>,
    By(actor): By,
    InQuery(asked): InQuery<ByName>,
) -> Reply<Value> {
    let problem = find(&services, &actor, &asked.experiment_name).await?;
    Ok(Json(json!({ "experiment": experiment(&problem) })))
}

/// All of them, whatever is asked: there are not many problems.
pub async fn list(State(services): State<Services>, By(actor): By) -> Reply<Value> {
    let problems = services.list_problems(&actor).await?;
    Ok(Json(json!({ "experiments": problems.iter().map(experiment).collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
pub struct Search {
    filter: Option<String>,
}

/// All, or the one of a name: `name = 'SLUG'`.
pub async fn search(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Search>) -> Reply<Value> {
    let filter = asked.filter.unwrap_or_default();
    if filter.trim().is_empty() {
        return list(State(services), By(actor)).await;
    }
    let named = filter.split_once('=').filter(|(field, _)| field.trim().trim_start_matches("attribute.") == "name");
    let name = named.map(|(_, name)| name.trim().trim_matches(['\'', '"'])).filter(|name| !name.contains(['\'', '"']));
    let name = name.ok_or_else(|| Fault::field("/filter", format!("must be name = 'SLUG', got {filter}")))?;
    let problems = services.list_problems(&actor).await?;
    let found: Vec<Value> = problems.iter().filter(|problem| problem.slug == name).map(experiment).collect();
    Ok(Json(json!({ "experiments": found })))
}

async fn find(services: &Services, actor: &Actor, name: &str) -> Result<ProblemSummary, Fault> {
    let problems = services.list_problems(actor).await?;
    problems.into_iter().find(|problem| problem.slug == name).ok_or_else(|| {
        let hint = "an experiment is a problem here, by its slug; `mlflow.set_experiment(\"SLUG\")` chooses one";
        let missing = Fault::not_found(&format!("experiment {name:?}"));
        Fault { detail: format!("{}; {hint}", missing.detail), ..missing }
    })
}

fn experiment(problem: &ProblemSummary) -> Value {
    json!({
        "experiment_id": problem.slug,
        "name": problem.slug,
        "artifact_location": format!("mlflow-artifacts:/{}", problem.slug),
        "lifecycle_stage": "active",
        "tags": [{ "key": "mlflow.note.content", "value": problem.title }],
    })
}
