//! Feature sets.

use axum::Json;
use axum::extract::State;
use millrace_domain::view::{FeatureSetSummary, FeatureSetView};
use millrace_services::Services;

use crate::api::reply::{By, Items, Path, Reply};

/// The feature set of every problem: of its signed-off version, else of its newest.
#[utoipa::path(get, path = "/api/v1/features", responses((status = 200, body = Items<FeatureSetSummary>)))]
pub async fn list_feature_sets(
    State(services): State<Services>,
    By(actor): By,
) -> Reply<Json<Items<FeatureSetSummary>>> {
    Ok(Json(Items::all(services.list_feature_sets(&actor).await?)))
}

/// The feature set of a problem with its statistics, versions, users and lineage.
#[utoipa::path(get, path = "/api/v1/features/{slug}",
    responses((status = 200, body = FeatureSetView), (status = 404)))]
pub async fn show_feature_set(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<FeatureSetView>> {
    Ok(Json(services.feature_set(&actor, &slug).await?))
}
