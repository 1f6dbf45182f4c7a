//! What is watched of deployments, alerts, and trainings that start by themselves.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use millrace_domain::monitor::{Baseline, ColumnFinding};
use millrace_domain::view::{
    BackTestQuery, BackTestView, BackfillView, IncidentLine, IncidentView, MonitorView, TriggersView, WindowView,
};
use millrace_services::{BusinessValue, Handling, MOST_WINDOWS, MonitorQuery, Services};
use millrace_serving::Serving;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::api::export::{csv, json_file};
use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Items, PageSize, Path, Query, Reply};

/// Which windows to show.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ShowMonitor {
    /// Windows that ended after that moment.
    from: Option<DateTime<Utc>>,
    /// Windows that ended by that moment.
    to: Option<DateTime<Utc>>,
    /// Where no `from` is given: windows of so many days before that moment, or before now.
    days: Option<u32>,
    /// At most so many, the newest; 48 when absent, 500 at most.
    page_size: Option<u32>,
    /// The column whose bins are shown.
    column: Option<String>,
    /// What windows are held against: `training`, by which alerts are decided, `month`, what the same version was asked in the thirty days
    /// before its newest window that holds anything, or `previous`, what the version was trained on that was live when this one was judged.
    #[serde(default)]
    baseline: Baseline,
}

impl ShowMonitor {
    fn query(self) -> MonitorQuery {
        let Self { from, to, days, page_size, column, baseline } = self;
        MonitorQuery { from, to, days, limit: page_size, column, baseline, ..MonitorQuery::default() }
    }
}

/// What was counted of a deployment, window by window, oldest first: drift, quality, business metric, freshness.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}/monitor", params(ShowMonitor),
    responses((status = 200, body = MonitorView), (status = 404)))]
pub async fn show_monitor(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(show): Query<ShowMonitor>,
) -> Reply<Json<MonitorView>> {
    Ok(Json(services.monitor(&actor, &slug, &show.query()).await?))
}

/// What another rule would have done in the recorded windows: when it would have fired, and the tightest limit that would have fired
/// seldom enough.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}/monitor/backtest", params(BackTestQuery),
    responses((status = 200, body = BackTestView), (status = 400), (status = 404)))]
pub async fn back_test(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(rule): Query<BackTestQuery>,
) -> Reply<Json<BackTestView>> {
    Ok(Json(services.back_test(&actor, &slug, &rule).await?))
}

/// The same with every bin and count, and what they are held against, so that each number can be computed again elsewhere.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}/monitor/export.json", params(ShowMonitor),
    responses((status = 200, body = String, content_type = "application/json"), (status = 404)))]
pub async fn export_monitor(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(show): Query<ShowMonitor>,
) -> Reply<Response> {
    let export = services.export_monitor(&actor, &slug, &show.query()).await?;
    json_file(&format!("{slug}-monitor.json"), &export)
}

/// The same as a CSV file: a row for each column of each window, and one without a column for a window that was not watched, or cannot be held against
/// that baseline.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}/monitor/export.csv", params(ShowMonitor),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404)))]
pub async fn export_monitor_csv(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(show): Query<ShowMonitor>,
) -> Reply<Response> {
    let limit = show.page_size.unwrap_or(MOST_WINDOWS);
    let query = MonitorQuery { limit: Some(limit), ..show.query() };
    let monitor = services.monitor(&actor, &slug, &query).await?;
    const NAMES: [&str; 24] = [
        "begins",
        "ends",
        "version",
        "answers",
        "without_an_answer",
        "p50_ms",
        "p99_ms",
        "quality_metric",
        "quality",
        "outcomes",
        "business",
        "column",
        "verdict",
        "distance",
        "kl",
        "js",
        "psi",
        "ks",
        "p",
        "importance",
        "missing",
        "unseen",
        "moved_bin",
        "baseline",
    ];
    let of = |window: &WindowView| match &monitor.baseline {
        Some(baseline) if baseline.is_used && baseline.version == window.version => baseline.kind,
        _ => Baseline::Training,
    };
    let rows: Vec<_> = monitor.windows.iter().flat_map(|window| window_rows(window, of(window))).collect();
    Ok(csv(&format!("{slug}-monitor.csv"), NAMES, rows))
}

/// The rows of one window.
fn window_rows(window: &WindowView, baseline: Baseline) -> Vec<Vec<String>> {
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let time = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let finding = window.finding.as_ref();
    let latency = finding.and_then(|finding| finding.latency);
    let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let quality = window.quality.as_ref();
    let own = vec![
        time(&window.begins),
        time(&window.ends),
        window.version.to_string(),
        count(finding.map(|finding| finding.n)),
        count(finding.map(|finding| finding.failed)),
        text(latency.map(|latency| latency.p50)),
        text(latency.map(|latency| latency.p99)),
        quality.map(|quality| quality.metric.clone()).unwrap_or_default(),
        text(quality.map(|quality| quality.value)),
        count(quality.map(|quality| quality.labelled)),
        text(window.business.map(|(mean, _)| mean)),
    ];
    let columns = finding.map(|finding| finding.columns.as_slice()).unwrap_or_default();
    if columns.is_empty() {
        let empty = std::iter::repeat_with(String::new).take(12);
        return vec![own.into_iter().chain(empty).chain([baseline.as_str().to_owned()]).collect()];
    }
    let row = |column: &ColumnFinding| {
        let of_column = [
            column.name.clone(),
            column.verdict.as_str().to_owned(),
            column.distance.to_string(),
            column.distances.kl.to_string(),
            column.distances.js.to_string(),
            column.distances.psi.to_string(),
            column.ks.to_string(),
            column.chance.to_string(),
            column.importance.to_string(),
            column.missing.to_string(),
            text(column.unseen),
            column.moved.as_ref().map(|(bin, ..)| bin.clone()).unwrap_or_default(),
            baseline.as_str().to_owned(),
        ];
        own.iter().cloned().chain(of_column).collect()
    };
    columns.iter().map(row).collect()
}

/// Sends the caller a letter about nothing, the way that letters about alerts go.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/test-letter", responses((status = 202), (status = 409)))]
pub async fn send_test_letter(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<StatusCode> {
    services.send_test_letter(&actor, &slug).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Values of the business metric.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessReport {
    /// The values: `{"value": …, "at"?: …, "prediction"?: …}`.
    #[schema(value_type = Vec<Object>)]
    values: Vec<BusinessValue>,
}

/// Takes in values of the business metric that the document names.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/business", request_body = BusinessReport,
    responses((status = 200), (status = 400), (status = 409)))]
pub async fn report_business(
    State(services): State<Services>,
    State(serving): State<Serving>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(report): Body<BusinessReport>,
) -> Reply<Response> {
    if report.values.iter().any(|value| value.prediction.is_some()) {
        serving.log_written().await;
    }
    let kept = json!({ "business": slug, "values": report.values });
    let act = services.report_business(&actor, &slug, &report.values);
    once(&services, &actor, &headers, &kept, StatusCode::OK, act).await
}

/// Which alerts to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListAlerts {
    /// Only of this problem.
    problem: Option<String>,
    /// Only those that are open.
    #[serde(default)]
    open: bool,
    /// Where the last page ended.
    page_token: Option<String>,
}

/// Alerts, open ones first, a hundred a page when nobody says how many.
#[utoipa::path(get, path = "/api/v1/alerts", params(ListAlerts, PageSize), responses((status = 200, body = Items<IncidentLine>)))]
pub async fn list_alerts(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAlerts>,
    Query(PageSize { page_size: size }): Query<PageSize>,
) -> Reply<Json<Items<IncidentLine>>> {
    let (problem, after) = (list.problem.as_deref(), list.page_token.as_deref());
    let found = services.list_alerts(&actor, problem, list.open, after, size).await?;
    Ok(Json(Items { items: found.items, next_page_token: found.next }))
}

/// The same alerts whole, as a CSV file: at most 10,000 rows, open ones first.
#[utoipa::path(get, path = "/api/v1/alerts/export.csv", params(ListAlerts),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_alerts_csv(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAlerts>,
) -> Reply<Response> {
    let alerts = services.export_alerts(&actor, list.problem.as_deref(), list.open).await?;
    const NAMES: [&str; 11] = [
        "id",
        "problem",
        "cause",
        "title",
        "state",
        "version",
        "opened_at",
        "fired_at",
        "resolved_at",
        "acknowledged_by",
        "silenced_until",
    ];
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let rows = alerts.into_iter().map(|alert| {
        [
            alert.id,
            alert.slug,
            alert.cause,
            alert.title,
            alert.state,
            alert.version.map(|version| version.to_string()).unwrap_or_default(),
            time(alert.opened_at),
            alert.fired_at.map(time).unwrap_or_default(),
            alert.resolved_at.map(time).unwrap_or_default(),
            alert.acknowledged_by.unwrap_or_default(),
            alert.silenced_until.map(time).unwrap_or_default(),
        ]
    });
    Ok(csv("alerts.csv", NAMES, rows))
}

/// One alert with what happened to it.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", responses((status = 200, body = IncidentView), (status = 404)))]
pub async fn show_alert(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<IncidentView>> {
    Ok(Json(services.alert(&actor, &id).await?))
}

/// Takes an alert on: nobody is reminded of it any more.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", responses((status = 204), (status = 409)))]
pub async fn acknowledge_alert(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<StatusCode> {
    services.handle_alert(&actor, &id, &Handling::Acknowledge).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For how long nobody is written to, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// Hours, at most 720; 0 ends a silence.
    hours: u32,
    /// Why.
    #[serde(default)]
    reason: String,
}

/// Lets nobody be written to about an alert for a while.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/silence", request_body = SilenceRequest,
    responses((status = 204), (status = 400), (status = 409)))]
pub async fn silence_alert(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
    Body(SilenceRequest { hours, reason }): Body<SilenceRequest>,
) -> Reply<StatusCode> {
    services.handle_alert(&actor, &id, &Handling::Silence { hours, reason }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// When models of a problem are trained by themselves: the policy, the next times, and what came up.
#[utoipa::path(get, path = "/api/v1/problems/{slug}/triggers", responses((status = 200, body = TriggersView), (status = 404)))]
pub async fn show_triggers(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<TriggersView>> {
    Ok(Json(services.triggers(&actor, &slug).await?))
}

/// Whether trainings may start by themselves, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SteerRequest {
    /// Whether none is started. What is reason to start one stands in the signed document.
    paused: bool,
    /// Why.
    reason: String,
}

/// Stops trainings from starting by themselves, or lets them start again.
#[utoipa::path(put, path = "/api/v1/problems/{slug}/triggers", request_body = SteerRequest,
    responses((status = 200, body = TriggersView), (status = 409)))]
pub async fn steer_triggers(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<SteerRequest>,
) -> Reply<Json<TriggersView>> {
    services.pause_retraining(&actor, &slug, request.paused, &request.reason).await?;
    Ok(Json(services.triggers(&actor, &slug).await?))
}

/// Why a training is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// Why.
    reason: String,
}

/// Asks for a training now, with the live version's settings on the newest data.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/triggers/run", request_body = AskRequest,
    responses((status = 202, body = TriggersView), (status = 409)))]
pub async fn ask_for_training(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<AskRequest>,
) -> Reply<Response> {
    let kept = json!({ "trains": slug, "reason": request.reason });
    let act = async {
        services.ask_for_training(&actor, &slug, &request.reason).await?;
        services.triggers(&actor, &slug).await
    };
    once(&services, &actor, &headers, &kept, StatusCode::ACCEPTED, act).await
}

/// Times of the schedule that have passed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlanBackfill {
    /// The first moment: a day, or RFC 3339.
    from: String,
    /// The last one.
    to: String,
}

/// What a backfill of these times would train on; nothing is started.
#[utoipa::path(get, path = "/api/v1/problems/{slug}/triggers/backfill", params(PlanBackfill),
    responses((status = 200, body = BackfillView), (status = 400), (status = 404), (status = 409)))]
pub async fn plan_backfill(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(PlanBackfill { from, to }): Query<PlanBackfill>,
) -> Reply<Json<BackfillView>> {
    let (from, to) = millrace_services::stretch(&from, &to)?;
    Ok(Json(services.plan_backfill(&actor, &slug, from, to).await?))
}

/// Which times are trained for, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// The first moment: a day, or RFC 3339.
    from: String,
    /// The last one.
    to: String,
    /// The digest of the plan as it was shown, which is carried out.
    plan: String,
    /// Why.
    reason: String,
}

/// Trains for times of the schedule that have passed, with the live version's settings, each on the data that was the newest then.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/triggers/backfill", request_body = BackfillRequest,
    responses((status = 202, body = BackfillView), (status = 400), (status = 404), (status = 409)))]
pub async fn backfill(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(BackfillRequest { from, to, plan, reason }): Body<BackfillRequest>,
) -> Reply<(StatusCode, Json<BackfillView>)> {
    let stretch = millrace_services::stretch(&from, &to)?;
    Ok((StatusCode::ACCEPTED, Json(services.backfill(&actor, &slug, stretch, &plan, &reason).await?)))
}
