//! Datasets.

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use millrace_domain::fault::Fault;
use millrace_domain::ids::DatasetId;
use millrace_domain::mute::MuteRequest;
use millrace_domain::view::{DatasetVersionView, SourceView};
use millrace_services::Services;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::api::idempotent::once;
use crate::api::multipart;
use crate::api::reply::{Body, By, Path, Query, Reply};

/// Brings a file in as a new version (multipart: problem, name, file, and mode: `replace`, or `append` for rows after those of the
/// newest version). It is read and checked in the background.
#[utoipa::path(post, path = "/api/v1/datasets", responses((status = 202), (status = 400), (status = 413)))]
pub async fn upload_dataset(
    State(services): State<Services>,
    By(actor): By,
    form: Result<Multipart, MultipartRejection>,
) -> Reply<(StatusCode, Json<Value>)> {
    let form = form.map_err(|_| Fault::invalid("send multipart/form-data with problem, name and file", Vec::new()))?;
    let upload = multipart::read(form, &services).await?;
    let (problem, name, append) = (upload.field("problem")?, upload.field("name")?, upload.appends()?);
    let (problem, name) = (problem.to_owned(), name.to_owned());
    let version = services.upload_dataset(&actor, &problem, &name, &upload.file_name, upload.content, append).await?;
    let body = json!({ "dataset": version.dataset, "version": version.version, "state": version.state });
    Ok((StatusCode::ACCEPTED, Json(body)))
}

fn dataset_id(id: &str) -> Reply<DatasetId> {
    Ok(id.parse().map_err(|_| Fault::not_found("dataset"))?)
}

/// One version with its profile and report.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/versions/{number}",
    responses((status = 200, body = DatasetVersionView), (status = 404)))]
pub async fn show_dataset_version(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
) -> Reply<Json<DatasetVersionView>> {
    Ok(Json(services.dataset_version(&actor, dataset_id(&id)?, number).await?))
}

/// What validation found.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/versions/{number}/report", responses((status = 200), (status = 404)))]
pub async fn show_dataset_report(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
) -> Reply<Json<Value>> {
    let version = services.dataset_version(&actor, dataset_id(&id)?, number).await?;
    Ok(Json(json!({ "state": version.summary.state, "failure": version.failure, "report": version.report })))
}

/// The rows of a version that were set aside, with their numbers and the checks they break.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/versions/{number}/quarantine.csv",
    responses((status = 200), (status = 404)))]
pub async fn download_quarantine(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
) -> Reply<impl IntoResponse> {
    let content = services.quarantined(&actor, dataset_id(&id)?, number).await?;
    let disposition = format!("attachment; filename=\"dataset-{id}-v{number}-quarantine.csv\"");
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, content))
}

/// Checks that hold for a version, as `[[checks]]` of a document: a first schema to be edited and signed.
#[utoipa::path(get, path = "/api/v1/datasets/{id}/versions/{number}/checks.toml",
    responses((status = 200), (status = 404)))]
pub async fn suggest_checks(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
) -> Reply<impl IntoResponse> {
    let text = services.suggested_checks(&actor, dataset_id(&id)?, number).await?;
    let disposition = format!("attachment; filename=\"dataset-{id}-v{number}-checks.toml\"");
    let headers = [
        (header::CONTENT_TYPE, "application/toml; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, text))
}

/// Brings rows that were set aside back, corrected (multipart: file), after the rows of the newest version.
#[utoipa::path(post, path = "/api/v1/datasets/{id}/versions/{number}/corrections",
    responses((status = 202), (status = 400), (status = 404), (status = 409), (status = 413)))]
pub async fn correct_dataset(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
    form: Result<Multipart, MultipartRejection>,
) -> Reply<(StatusCode, Json<Value>)> {
    let form = form.map_err(|_| Fault::invalid("send multipart/form-data with file", Vec::new()))?;
    let upload = multipart::read(form, &services).await?;
    let version = services.correct_dataset(&actor, dataset_id(&id)?, number, &upload.file_name, upload.content).await?;
    let body = json!({ "dataset": version.dataset, "version": version.version, "state": version.state });
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// Mutes a check that the version breaks, in all versions of its dataset, for some days. What stops the pipeline cannot be muted.
#[utoipa::path(post, path = "/api/v1/datasets/{id}/versions/{number}/mutes", request_body = MuteRequest,
    responses((status = 201), (status = 400), (status = 404), (status = 409)))]
pub async fn mute_check(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number)): Path<(String, i32)>,
    headers: HeaderMap,
    Body(request): Body<MuteRequest>,
) -> Reply<Response> {
    let dataset = dataset_id(&id)?;
    let asked = json!([id, number, request]);
    let act =
        async { services.mute_check(&actor, dataset, number, &request).await.map(|mute| json!({ "mute": mute })) };
    once(&services, &actor, &headers, &asked, StatusCode::CREATED, act).await
}

/// Ends a mute before its day.
#[utoipa::path(delete, path = "/api/v1/datasets/{id}/versions/{number}/mutes/{mute}",
    responses((status = 204), (status = 404)))]
pub async fn lift_mute(
    State(services): State<Services>,
    By(actor): By,
    Path((id, number, mute)): Path<(String, i32, String)>,
) -> Reply<StatusCode> {
    services.lift_mute(&actor, dataset_id(&id)?, number, &mute).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which sources to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListSources {
    /// Only those of this problem.
    problem: Option<String>,
}

/// What feeds datasets by itself, as signed-off documents say, and how the last look ended.
#[utoipa::path(get, path = "/api/v1/sources", params(ListSources), responses((status = 200, body = Vec<SourceView>)))]
pub async fn list_sources(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListSources>,
) -> Reply<Json<Value>> {
    let items = services.list_sources(&actor, list.problem.as_deref()).await?;
    Ok(Json(json!({ "items": items, "next_page_token": null })))
}
