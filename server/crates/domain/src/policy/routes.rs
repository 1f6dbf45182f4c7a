//! Every address the server answers, and what it takes to be answered.

use super::Action;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: health, sign-in, set-up, static files.
    Public,
    /// Anybody who is recognised, whatever the role: signing out, the own account.
    Recognised,
    /// Somebody who may do the action.
    May(Action),
}

/// A method and a path as the router spells it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST`, `PUT` or `DELETE`; HEAD counts as GET.
    pub method: &'static str,
    /// The router's pattern, for example `/runs/{id}`.
    pub path: &'static str,
    /// What it asks of its caller.
    pub access: Access,
}

const fn get(path: &'static str, access: Access) -> Route {
    Route { method: "GET", path, access }
}

const fn post(path: &'static str, access: Access) -> Route {
    Route { method: "POST", path, access }
}

const READ: Access = Access::May(Action::ReadWorkspace);

/// The table. What is not in it is answered 404.
pub const ROUTES: &[Route] = &[
    // Health and static files
    get("/healthz", Access::Public),
    get("/readyz", Access::Public),
    get("/metrics", Access::May(Action::ReadMetrics)),
    get("/pkg/{*file}", Access::Public),
    get("/favicon.svg", Access::Public),
    // Predictions
    post("/v1/models/{call}", Access::May(Action::Predict)),
    get("/v1/models/{call}", Access::May(Action::Predict)),
    get("/v2/models/{slug}", Access::May(Action::Predict)),
    get("/v2/models/{slug}/ready", Access::May(Action::Predict)),
    // MLflow's clients
    post("/api/2.0/mlflow/experiments/create", Access::May(Action::WriteProblem)),
    get("/api/2.0/mlflow/experiments/get", READ),
    get("/api/2.0/mlflow/experiments/get-by-name", READ),
    get("/api/2.0/mlflow/experiments/search", READ),
    post("/api/2.0/mlflow/experiments/search", READ),
    post("/api/2.0/mlflow/runs/create", Access::May(Action::LaunchRun)),
    get("/api/2.0/mlflow/runs/get", READ),
    post("/api/2.0/mlflow/runs/update", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/search", READ),
    post("/api/2.0/mlflow/runs/log-metric", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/log-parameter", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/set-tag", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/delete-tag", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/log-batch", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/runs/log-inputs", Access::May(Action::LaunchRun)),
    post("/api/2.0/mlflow/logged-models/search", READ),
    get("/api/2.0/mlflow/metrics/get-history", READ),
    get("/api/2.0/mlflow-artifacts/artifacts", READ),
    get("/api/2.0/mlflow-artifacts/artifacts/{*path}", READ),
    Route {
        method: "PUT",
        path: "/api/2.0/mlflow-artifacts/artifacts/{*path}",
        access: Access::May(Action::LaunchRun),
    },
    // REST
    get("/api/openapi.json", Access::Public),
    post("/api/v1/session", Access::Public),
    Route { method: "DELETE", path: "/api/v1/session", access: Access::Recognised },
    get("/api/v1/problems", READ),
    post("/api/v1/problems", Access::May(Action::WriteProblem)),
    get("/api/v1/problems/{slug}", READ),
    get("/api/v1/problems/{slug}/versions/{number}", READ),
    post("/api/v1/problems/{slug}/versions", Access::May(Action::WriteProblem)),
    post("/api/v1/problems/{slug}/versions/{number}/submit", Access::May(Action::WriteProblem)),
    post("/api/v1/problems/{slug}/versions/{number}/decisions", Access::May(Action::ReviewProblem)),
    post("/api/v1/problems/{slug}/runs", Access::May(Action::LaunchRun)),
    get("/api/v1/problems/{slug}/cases", READ),
    post("/api/v1/problems/{slug}/cases", Access::May(Action::KeepCase)),
    Route { method: "DELETE", path: "/api/v1/problems/{slug}/cases/{case}", access: Access::May(Action::RetireCase) },
    post("/api/v1/datasets", Access::May(Action::UploadData)),
    get("/api/v1/sources", READ),
    get("/api/v1/features", READ),
    get("/api/v1/features/{slug}", READ),
    get("/api/v1/datasets/{id}/versions/{number}", READ),
    get("/api/v1/datasets/{id}/versions/{number}/report", READ),
    get("/api/v1/datasets/{id}/versions/{number}/quarantine.csv", READ),
    get("/api/v1/datasets/{id}/versions/{number}/checks.toml", READ),
    post("/api/v1/datasets/{id}/versions/{number}/corrections", Access::May(Action::UploadData)),
    post("/api/v1/datasets/{id}/versions/{number}/mutes", Access::May(Action::MuteCheck)),
    Route {
        method: "DELETE",
        path: "/api/v1/datasets/{id}/versions/{number}/mutes/{mute}",
        access: Access::May(Action::MuteCheck),
    },
    get("/api/v1/runs", READ),
    get("/api/v1/runs/export.csv", READ),
    get("/api/v1/runs/export.json", READ),
    get("/api/v1/runs/compare", READ),
    get("/api/v1/runs/compare.csv", READ),
    get("/api/v1/runs/{id}", READ),
    get("/api/v1/runs/{id}/metrics/{name}", READ),
    get("/api/v1/runs/{id}/log", READ),
    get("/api/v1/runs/{id}/artifacts", READ),
    get("/api/v1/runs/{id}/artifacts/{name}", READ),
    post("/api/v1/runs/{id}/cancel", Access::May(Action::CancelRun)),
    post("/api/v1/runs/{id}/reproduce", Access::May(Action::LaunchRun)),
    post("/api/v1/runs/{id}/override", Access::May(Action::OverrideGate)),
    get("/api/v1/models/{slug}", READ),
    get("/api/v1/models/{slug}/versions/{number}", READ),
    post("/api/v1/models/{slug}/versions/{number}/decisions", Access::May(Action::ReviewModel)),
    post("/api/v1/models/{slug}/versions/{number}/archive", Access::May(Action::ArchiveModel)),
    get("/api/v1/models/{slug}/versions/{number}/card.md", READ),
    get("/api/v1/models/{slug}/versions/{number}/evidence.tar", READ),
    get("/api/v1/models/{slug}/compare", READ),
    get("/api/v1/models/{slug}/aliases", READ),
    Route { method: "PUT", path: "/api/v1/models/{slug}/aliases/{name}", access: Access::May(Action::MoveAlias) },
    Route { method: "DELETE", path: "/api/v1/models/{slug}/aliases/{name}", access: Access::May(Action::MoveAlias) },
    get("/api/v1/deployments/{slug}", READ),
    get("/api/v1/deployments/{slug}/changes/{generation}", READ),
    get("/api/v1/predictions/{id}", READ),
    get("/api/v1/predictions/{id}/replay", READ),
    post("/api/v1/predictions/{id}/case", Access::May(Action::KeepCase)),
    post("/api/v1/deployments/{slug}/rollouts", Access::May(Action::Deploy)),
    post("/api/v1/deployments/{slug}/advance", Access::May(Action::Deploy)),
    post("/api/v1/deployments/{slug}/pause", Access::May(Action::Deploy)),
    post("/api/v1/deployments/{slug}/resume", Access::May(Action::Deploy)),
    post("/api/v1/deployments/{slug}/rollback", Access::May(Action::RollBack)),
    post("/api/v1/deployments/{slug}/fallback", Access::May(Action::SwitchModel)),
    post("/api/v1/deployments/{slug}/drill", Access::May(Action::RollBack)),
    get("/api/v1/deployments/{slug}/monitor", READ),
    get("/api/v1/deployments/{slug}/monitor/export.json", READ),
    get("/api/v1/deployments/{slug}/monitor/backtest", READ),
    post("/api/v1/deployments/{slug}/business", Access::May(Action::ReportOutcome)),
    get("/api/v1/alerts", READ),
    get("/api/v1/alerts/{id}", READ),
    post("/api/v1/alerts/{id}/acknowledge", Access::May(Action::HandleIncident)),
    post("/api/v1/alerts/{id}/silence", Access::May(Action::HandleIncident)),
    get("/api/v1/problems/{slug}/triggers", READ),
    Route { method: "PUT", path: "/api/v1/problems/{slug}/triggers", access: Access::May(Action::SteerRetraining) },
    post("/api/v1/problems/{slug}/triggers/run", Access::May(Action::SteerRetraining)),
    get("/api/v1/audit", Access::May(Action::ReadAudit)),
    get("/api/v1/audit/export.csv", Access::May(Action::ReadAudit)),
    get("/api/v1/audit/export.json", Access::May(Action::ReadAudit)),
    get("/api/v1/events", READ),
    // Pages
    get("/", READ),
    get("/sign-in", Access::Public),
    get("/sign-in/code", Access::Public),
    get("/sign-in/elsewhere", Access::Public),
    get("/sign-in/elsewhere/back", Access::Public),
    get("/forgot", Access::Public),
    get("/invite", Access::Public),
    get("/reset", Access::Public),
    get("/set-up", Access::Public),
    get("/confirm", Access::Recognised),
    get("/problems", READ),
    get("/problems/new", READ),
    get("/problems/{slug}", READ),
    get("/problems/{slug}/v/{number}", READ),
    get("/problems/{slug}/cases", READ),
    get("/features", READ),
    get("/features/{slug}", READ),
    get("/datasets", READ),
    get("/datasets/new", READ),
    get("/datasets/{id}", READ),
    get("/datasets/{id}/v/{number}", READ),
    get("/runs", READ),
    get("/runs/new", READ),
    get("/runs/compare", READ),
    get("/runs/{id}", READ),
    get("/models", READ),
    get("/models/{slug}", READ),
    get("/models/{slug}/v/{number}", READ),
    get("/models/{slug}/v/{number}/card", READ),
    get("/models/{slug}/compare", READ),
    get("/deployments", READ),
    get("/deployments/{slug}", READ),
    get("/deployments/{slug}/changes/{generation}", READ),
    get("/deployments/{slug}/monitor", READ),
    get("/deployments/{slug}/rule", READ),
    get("/alerts", READ),
    get("/alerts/{id}", READ),
    get("/alerts/{id}/by-mail", Access::Public),
    get("/problems/{slug}/retraining", READ),
    get("/predictions", READ),
    get("/people", READ),
    get("/audit", Access::May(Action::ReadAudit)),
    get("/mail", Access::May(Action::ReadMail)),
    get("/mail/{number}", Access::May(Action::ReadMail)),
    get("/account", Access::Recognised),
    // Server functions and forms
    post("/fn/sign_in", Access::Public),
    post("/fn/ways_in", Access::Public),
    post("/fn/second_factor", Access::Public),
    post("/fn/forgot_password", Access::Public),
    post("/fn/look_at_link", Access::Public),
    post("/fn/set_password", Access::Public),
    post("/fn/renew_link", Access::Public),
    post("/fn/set_up", Access::Public),
    post("/fn/confirm", Access::Recognised),
    post("/fn/sign_out", Access::Recognised),
    post("/fn/set_theme", Access::Public),
    post("/fn/home", READ),
    post("/fn/list_problems", READ),
    post("/fn/problem_version", READ),
    post("/fn/save_problem", Access::May(Action::WriteProblem)),
    post("/fn/submit_problem", Access::May(Action::WriteProblem)),
    post("/fn/decide_problem", Access::May(Action::ReviewProblem)),
    post("/fn/list_feature_sets", READ),
    post("/fn/feature_set", READ),
    post("/fn/list_datasets", READ),
    post("/fn/list_sources", READ),
    post("/fn/dataset", READ),
    post("/fn/dataset_version", READ),
    post("/fn/upload_dataset", Access::May(Action::UploadData)),
    post("/fn/correct_dataset", Access::May(Action::UploadData)),
    post("/fn/mute_check", Access::May(Action::MuteCheck)),
    post("/fn/lift_mute", Access::May(Action::MuteCheck)),
    post("/fn/list_runs", READ),
    post("/fn/compare_runs", READ),
    post("/fn/run", READ),
    post("/fn/launch_options", READ),
    post("/fn/launch_run", Access::May(Action::LaunchRun)),
    post("/fn/cancel_run", Access::May(Action::CancelRun)),
    post("/fn/retry_run", Access::May(Action::LaunchRun)),
    post("/fn/reproduce_run", Access::May(Action::LaunchRun)),
    post("/fn/override_gates", Access::May(Action::OverrideGate)),
    post("/fn/cases", READ),
    post("/fn/keep_case", Access::May(Action::KeepCase)),
    post("/fn/retire_case", Access::May(Action::RetireCase)),
    post("/fn/prediction", READ),
    post("/fn/keep_prediction", Access::May(Action::KeepCase)),
    post("/fn/list_models", READ),
    post("/fn/model", READ),
    post("/fn/model_version", READ),
    post("/fn/decide_model", Access::May(Action::ReviewModel)),
    post("/fn/model_card", READ),
    post("/fn/compare_versions", READ),
    post("/fn/move_alias", Access::May(Action::MoveAlias)),
    post("/fn/archive_model", Access::May(Action::ArchiveModel)),
    post("/fn/list_deployments", READ),
    post("/fn/deployment", READ),
    post("/fn/deployment_change", READ),
    post("/fn/start_rollout", Access::May(Action::Deploy)),
    post("/fn/advance_rollout", Access::May(Action::Deploy)),
    post("/fn/pause_rollout", Access::May(Action::Deploy)),
    post("/fn/roll_back", Access::May(Action::RollBack)),
    post("/fn/switch_model", Access::May(Action::SwitchModel)),
    post("/fn/drill", Access::May(Action::RollBack)),
    post("/fn/monitor", READ),
    post("/fn/list_alerts", READ),
    post("/fn/alert", READ),
    post("/fn/handle_alert", Access::May(Action::HandleIncident)),
    post("/fn/alert_by_mail", Access::Public),
    post("/fn/handle_alert_by_mail", Access::Public),
    post("/fn/retraining", READ),
    post("/fn/back_test", READ),
    post("/fn/run_log", READ),
    post("/fn/steer_retraining", Access::May(Action::SteerRetraining)),
    post("/fn/list_people", READ),
    post("/fn/invite_person", Access::May(Action::ManagePeople)),
    post("/fn/set_roles", Access::May(Action::ManagePeople)),
    post("/fn/act_on_person", Access::May(Action::ManagePeople)),
    post("/fn/audit", Access::May(Action::ReadAudit)),
    post("/fn/list_mail", Access::May(Action::ReadMail)),
    post("/fn/one_mail", Access::May(Action::ReadMail)),
    post("/fn/retry_mail", Access::May(Action::ReadMail)),
    post("/fn/account", Access::Recognised),
    post("/fn/change_identity", Access::Recognised),
    post("/fn/change_password", Access::Recognised),
    post("/fn/begin_second_factor", Access::Recognised),
    post("/fn/second_factor_drawn", Access::Recognised),
    post("/fn/finish_second_factor", Access::Recognised),
    post("/fn/remove_second_factor", Access::Recognised),
    post("/fn/end_session", Access::Recognised),
    post("/fn/end_all_sessions", Access::Recognised),
    post("/fn/create_token", Access::May(Action::ManageOwnTokens)),
    post("/fn/revoke_token", Access::May(Action::ManageOwnTokens)),
];

/// What the route asks, or none when it is not in the table.
pub fn access_of(method: &str, path: &str) -> Option<Access> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES.iter().find(|route| route.method == method && route.path == path).map(|route| route.access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        assert!(ROUTES.iter().all(|route| seen.insert((route.method, route.path))));
    }

    #[test]
    fn what_is_not_listed_has_no_access() {
        assert_eq!(access_of("POST", "/api/v1/people"), None);
    }
}
