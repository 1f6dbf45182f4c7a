//! Datasets.

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use millrace_domain::fault::Fault;
use millrace_domain::ids::DatasetId;
use millrace_domain::view::{DatasetVersionView, SourceView};
use millrace_services::Services;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::api::multipart;
use crate::api::reply::{By, Path, Query, Reply};

/// Brings a file in as a new version (multipart: problem, name, file). It is read and checked in the background.
#[utoipa::path(post, path = "/api/v1/datasets", responses((status = 202), (status = 400), (status = 413)))]
pub async fn upload_dataset(
    State(services): State<Services>,
    By(actor): By,
    form: Result<Multipart, MultipartRejection>,
) -> Reply<(StatusCode, Json<Value>)> {
    let form = form.map_err(|_| Fault::invalid("send multipart/form-data with problem, name and file", Vec::new()))?;
    let upload = multipart::read(form).await?;
    let version =
        services.upload_dataset(&actor, &upload.problem, &upload.name, &upload.file_name, upload.content).await?;
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
