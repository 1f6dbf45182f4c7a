//! Models.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use millrace_domain::policy::Action;
use millrace_domain::view::{AliasView, DecisionRequest, ModelComparison, ModelVersionLine, ModelVersionView};
use millrace_services::Services;
use millrace_serving::Serving;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::api::export::csv;
use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Items, PageSize, Path, Query, Reply};

/// Which versions to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListVersions {
    /// Where the last page ended.
    page_token: Option<String>,
}

/// The versions of a model, newest first, with their gates and the digest that people approve; 200 a page when nobody says how many.
#[utoipa::path(get, path = "/api/v1/models/{slug}", params(ListVersions, PageSize),
    responses((status = 200, body = Items<ModelVersionLine>), (status = 400), (status = 404)))]
pub async fn show_model(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(list): Query<ListVersions>,
    Query(PageSize { page_size: size }): Query<PageSize>,
) -> Reply<Json<Items<ModelVersionLine>>> {
    let (items, next_page_token) = services.model_versions(&actor, &slug, list.page_token.as_deref(), size).await?;
    Ok(Json(Items { items, next_page_token }))
}

/// What the model's page shows as a CSV file: the newest 200 versions, and older ones that are live, on their way, or that an alias points
/// at.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions.csv",
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404)))]
pub async fn export_versions(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Response> {
    const NAMES: [&str; 13] = [
        "model",
        "version",
        "stage",
        "archived",
        "gates_overridden",
        "metric",
        "value",
        "low",
        "high",
        "trainer",
        "dataset",
        "run",
        "author",
    ];
    let versions = services.model(&actor, &slug).await?;
    let guardrails: BTreeSet<String> =
        versions.iter().flat_map(|version| version.guardrails.iter().map(|(name, _)| name.clone())).collect();
    let written = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows = versions.iter().map(|version| {
        let own = [
            version.slug.clone(),
            version.version.to_string(),
            version.stage.clone(),
            version.archived.to_string(),
            version.overridden.to_string(),
            version.metric.clone(),
            written(version.value),
            written(version.interval.map(|interval| interval.0)),
            written(version.interval.map(|interval| interval.1)),
            version.trainer.clone(),
            version.data.clone(),
            version.run.clone(),
            version.author.clone(),
        ];
        let of = |name: &String| version.guardrails.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        own.into_iter()
            .chain([version.created_at.to_rfc3339()])
            .chain(guardrails.iter().map(|name| written(of(name))))
            .collect::<Vec<_>>()
    });
    let columns = NAMES.into_iter().chain(["registered_at"]).chain(guardrails.iter().map(String::as_str));
    Ok(csv(&format!("{slug}-versions.csv"), columns, rows))
}

/// One version with its gates and lineage.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions/{number}",
    responses((status = 200, body = ModelVersionView), (status = 404)))]
pub async fn show_model_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<Json<ModelVersionView>> {
    Ok(Json(services.model_version(&actor, &slug, number).await?))
}

/// Decides on a registered version.
#[utoipa::path(post, path = "/api/v1/models/{slug}/versions/{number}/decisions", request_body = DecisionRequest,
    responses((status = 201, body = Staged), (status = 403), (status = 409)))]
pub async fn decide_model_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
    headers: HeaderMap,
    Body(request): Body<DecisionRequest>,
) -> Reply<Response> {
    let kept = json!({ "model": slug, "version": number, "request": request });
    let act = async {
        let stage = services.decide_model(&actor, &slug, number, &request).await?.to_string();
        Ok(Staged { slug: slug.clone(), version: number, stage })
    };
    once(&services, &actor, &headers, &kept, StatusCode::CREATED, act).await
}

/// What a decision came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Staged {
    /// The model.
    slug: String,
    /// Its version.
    version: i32,
    /// Its stage now.
    stage: String,
}

/// Why a version is put away, or brought back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveRequest {
    /// Whether it is put away; it is brought back otherwise.
    archived: bool,
    /// Why.
    reason: String,
}

/// Puts a version away, so that it is neither approved nor sent out, or brings it back. Nothing is deleted.
#[utoipa::path(post, path = "/api/v1/models/{slug}/versions/{number}/archive", request_body = ArchiveRequest,
    responses((status = 204), (status = 409)))]
pub async fn archive_model_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
    Body(request): Body<ArchiveRequest>,
) -> Reply<StatusCode> {
    services.archive_model(&actor, &slug, number, request.archived, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The model card, as Markdown.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions/{number}/card.md",
    responses((status = 200, content_type = "text/markdown"), (status = 404)))]
pub async fn download_card(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<impl IntoResponse> {
    let card = services.model_card(&actor, &slug, number).await?.markdown();
    Ok((file("text/markdown; charset=utf-8", &format!("{slug}-v{number}-card.md")), card))
}

/// Everything that the version rests on, as an archive that `millrace verify-pack` checks without this server.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions/{number}/evidence.tar",
    responses((status = 200, content_type = "application/x-tar"), (status = 404), (status = 409)))]
pub async fn download_evidence(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<impl IntoResponse> {
    let pack = services.evidence(&actor, &slug, number).await?;
    Ok((file("application/x-tar", &format!("{slug}-v{number}-evidence.tar")), pack))
}

/// The model as an ONNX file, which other programs run: its inputs are the features by name, as they are after their expressions. What stands
/// for a missing value is told in its metadata.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions/{number}/model.onnx",
    responses((status = 200, content_type = "application/octet-stream"), (status = 404), (status = 409)))]
pub async fn download_onnx(
    State(services): State<Services>,
    State(serving): State<Serving>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<impl IntoResponse> {
    services.authorise_on(&actor, Action::ReadWorkspace, &slug, &format!("model/{slug}/v/{number}")).await?;
    let model = serving.onnx(&slug, number).await?;
    Ok((file("application/octet-stream", &format!("{slug}-v{number}.onnx")), model))
}

fn file(kind: &str, name: &str) -> [(header::HeaderName, String); 2] {
    let disposition = format!("attachment; filename=\"{name}\"");
    [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)]
}

/// Which versions are compared.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CompareVersions {
    /// One.
    a: i32,
    /// The other.
    b: i32,
}

/// Two versions side by side: metrics, gates, inputs, parameters, data and code, where they differ.
#[utoipa::path(get, path = "/api/v1/models/{slug}/compare", params(CompareVersions),
    responses((status = 200, body = ModelComparison), (status = 404)))]
pub async fn compare_model_versions(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Query(asked): Query<CompareVersions>,
) -> Reply<Json<ModelComparison>> {
    Ok(Json(services.compare_versions(&actor, &slug, asked.a, asked.b).await?))
}

/// The aliases of a model, with every move; `champion` and `candidate` follow the deployment.
#[utoipa::path(get, path = "/api/v1/models/{slug}/aliases", responses((status = 200, body = Items<AliasView>), (status = 404)))]
pub async fn list_aliases(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<Items<AliasView>>> {
    Ok(Json(Items::all(services.registered(&actor, &slug).await?.aliases)))
}

/// Where an alias is moved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    /// The version.
    version: i32,
    /// Why.
    reason: String,
}

/// Lets an alias point at a version. Nothing that is live follows it.
#[utoipa::path(put, path = "/api/v1/models/{slug}/aliases/{name}", request_body = AliasRequest,
    responses((status = 204), (status = 404), (status = 409)))]
pub async fn move_alias(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, name)): Path<(String, String)>,
    Body(request): Body<AliasRequest>,
) -> Reply<StatusCode> {
    services.move_alias(&actor, &slug, &name, Some(request.version), &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why an alias is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeAlias {
    /// Why.
    reason: String,
}

/// Lets an alias point at no version; its moves stay.
#[utoipa::path(delete, path = "/api/v1/models/{slug}/aliases/{name}", request_body = TakeAlias,
    responses((status = 204), (status = 404), (status = 409)))]
pub async fn take_alias(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, name)): Path<(String, String)>,
    Body(request): Body<TakeAlias>,
) -> Reply<StatusCode> {
    services.move_alias(&actor, &slug, &name, None, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}
