//! The REST API: one resource a file, wire types from `domain::view`, the OpenAPI document generated from the handlers.
//!
//! Conventions: errors are `application/problem+json`; lists are `{items, next_page_token}`; POSTs that create take
//! `Idempotency-Key`; times are RFC 3339 UTC; ids are opaque strings.

mod audit;
mod case;
mod dataset;
mod deployment;
mod export;
mod feature;
mod find;
mod idempotent;
mod model;
mod monitor;
pub mod multipart;
mod prediction;
mod problem;
mod rehearsal;
pub mod reply;
mod run;
mod session;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::web::AppState;

#[derive(OpenApi)]
#[openapi(
    info(title = "Millrace", description = "From a signed-off problem to a served, watched model."),
    modifiers(&Bearer),
    security(("token" = []))
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("mr_…").build();
        let components = document.components.get_or_insert_default();
        components.security_schemes.insert("token".to_owned(), SecurityScheme::Http(scheme).into());
    }
}

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(session::open_session, session::close_session))
        .routes(routes!(problem::list_problems, problem::create_problem))
        .routes(routes!(problem::show_problem))
        .routes(routes!(problem::show_problem_version))
        .routes(routes!(problem::create_problem_version))
        .routes(routes!(problem::submit_problem_version))
        .routes(routes!(problem::decide_problem_version))
        .routes(routes!(case::list_cases, case::keep_cases))
        .routes(routes!(case::retire_case))
        .routes(routes!(run::launch_run))
        .routes(routes!(dataset::show_dataset_version))
        .routes(routes!(dataset::show_dataset_report))
        .routes(routes!(dataset::download_quarantine))
        .routes(routes!(dataset::suggest_checks))
        .routes(routes!(dataset::mute_check))
        .routes(routes!(dataset::lift_mute))
        .routes(routes!(dataset::list_sources))
        .routes(routes!(feature::list_feature_sets))
        .routes(routes!(feature::show_feature_set))
        .routes(routes!(run::list_runs))
        .routes(routes!(run::export_runs_csv))
        .routes(routes!(run::export_runs_json))
        .routes(routes!(run::compare_runs))
        .routes(routes!(run::export_comparison))
        .routes(routes!(run::show_run))
        .routes(routes!(run::show_run_metric))
        .routes(routes!(run::show_run_log))
        .routes(routes!(run::export_trials))
        .routes(routes!(run::list_run_artifacts))
        .routes(routes!(run::download_run_artifact))
        .routes(routes!(run::cancel_run))
        .routes(routes!(run::reproduce_run))
        .routes(routes!(run::override_gates))
        .routes(routes!(model::show_model))
        .routes(routes!(model::export_versions))
        .routes(routes!(model::show_model_version))
        .routes(routes!(model::decide_model_version))
        .routes(routes!(model::archive_model_version))
        .routes(routes!(model::download_card))
        .routes(routes!(model::download_evidence))
        .routes(routes!(model::download_onnx))
        .routes(routes!(model::compare_model_versions))
        .routes(routes!(model::list_aliases))
        .routes(routes!(model::move_alias, model::take_alias))
        .routes(routes!(deployment::show_deployment))
        .routes(routes!(deployment::show_change))
        .routes(routes!(prediction::show_prediction))
        .routes(routes!(prediction::replay_prediction))
        .routes(routes!(case::keep_prediction))
        .routes(routes!(deployment::start_rollout))
        .routes(routes!(deployment::advance_rollout))
        .routes(routes!(deployment::pause_rollout))
        .routes(routes!(deployment::resume_rollout))
        .routes(routes!(deployment::roll_back))
        .routes(routes!(deployment::switch_model))
        .routes(routes!(deployment::drill))
        .routes(routes!(monitor::show_monitor))
        .routes(routes!(monitor::export_monitor))
        .routes(routes!(monitor::export_monitor_csv))
        .routes(routes!(monitor::send_test_letter))
        .routes(routes!(monitor::back_test))
        .routes(routes!(monitor::report_business))
        .routes(routes!(find::find))
        .routes(routes!(monitor::list_alerts))
        .routes(routes!(monitor::export_alerts_csv))
        .routes(routes!(monitor::show_alert))
        .routes(routes!(monitor::acknowledge_alert))
        .routes(routes!(monitor::silence_alert))
        .routes(routes!(monitor::show_triggers, monitor::steer_triggers))
        .routes(routes!(monitor::plan_backfill, monitor::backfill))
        .routes(routes!(monitor::ask_for_training))
        .routes(routes!(rehearsal::list_rehearsals, rehearsal::ask_for_rehearsal))
        .routes(routes!(rehearsal::show_rehearsal))
        .routes(routes!(rehearsal::cancel_rehearsal))
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::export_audit_csv))
        .routes(routes!(audit::export_audit_json))
}

fn uploads() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(dataset::upload_dataset)).routes(routes!(dataset::correct_dataset))
}

/// All routes but uploads.
pub fn router() -> Router<AppState> {
    let (router, _) = routes().split_for_parts();
    router.route("/api/openapi.json", get(show_document)).layer(from_fn(idempotent::to_the_end))
}

/// Routes that take large bodies.
pub fn upload_router() -> Router<AppState> {
    uploads().split_for_parts().0
}

/// The API document, with the doors beside the REST API: predictions, health, metrics and live events.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = routes().merge(uploads()).into_openapi();
    document.merge(crate::predict::document());
    document.merge(crate::web::document());
    document
}

async fn show_document() -> impl IntoResponse {
    axum::Json(document())
}

#[cfg(test)]
mod tests {
    use millrace_domain::policy::ROUTES;

    use super::*;

    #[test]
    fn the_document_tells_every_address_of_the_outer_contract() {
        let document = document();
        let is_told = |method: &str, path: &str| {
            document.paths.paths.get(path).is_some_and(|item| match method {
                "GET" => item.get.is_some(),
                "POST" => item.post.is_some(),
                "PUT" => item.put.is_some(),
                _ => item.delete.is_some(),
            })
        };
        // The router tells calls of a model apart by what comes behind the colon.
        let told_as = |method: &str, path: &str| match (method, path) {
            ("POST", "/v1/models/{call}") => {
                ["predict", "features", "outcome"].map(|call| format!("/v1/models/{{slug}}:{call}")).to_vec()
            }
            ("GET", "/v1/models/{call}") => vec!["/v1/models/{slug}".to_owned()],
            _ => vec![path.to_owned()],
        };
        let is_contract = |path: &str| {
            ["/api/v1/", "/v1/", "/v2/"].iter().any(|start| path.starts_with(start))
                || ["/healthz", "/readyz", "/metrics", "/deadman"].contains(&path)
        };
        let asked = ROUTES.iter().filter(|route| is_contract(route.path));
        let missing: Vec<String> = asked
            .flat_map(|route| told_as(route.method, route.path).into_iter().map(|path| (route.method, path)))
            .filter(|(method, path)| !is_told(method, path))
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn what_creates_runs_and_rollouts_and_what_predicts_tells_its_answer() {
        let document = document();
        let answers = |path: &str, status: &str| {
            let item = document.paths.paths.get(path);
            let operation = item.and_then(|item| item.post.as_ref().or(item.get.as_ref()));
            let told = operation.and_then(|operation| operation.responses.responses.get(status));
            serde_json::json!(told)["content"]["application/json"]["schema"].is_object()
        };
        for (path, status) in [
            ("/api/v1/problems/{slug}/runs", "202"),
            ("/api/v1/runs/{id}", "200"),
            ("/api/v1/deployments/{slug}/rollouts", "202"),
            ("/api/v1/models/{slug}/versions/{number}/decisions", "201"),
            ("/v1/models/{slug}:predict", "200"),
            ("/v1/models/{slug}:outcome", "200"),
        ] {
            assert!(answers(path, status), "{path} {status}");
        }
    }
}
