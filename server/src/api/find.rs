//! Things found by a piece of their name.

use axum::Json;
use axum::extract::State;
use millrace_domain::view::Found;
use millrace_services::Services;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::reply::{By, Items, Query, Reply};

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Find {
    /// A piece of a name or title, a run's number, the beginning of a digest (six hexadecimal digits at least), or a prediction's id.
    #[serde(default)]
    q: String,
}

/// Problems, deployments, model versions, datasets and runs that the caller may see: at most six of each kind, those whose names begin
/// with the text first, then the newest.
#[utoipa::path(get, path = "/api/v1/find", params(Find), responses((status = 200, body = Items<Found>)))]
pub async fn find(
    State(services): State<Services>,
    By(actor): By,
    Query(Find { q }): Query<Find>,
) -> Reply<Json<Items<Found>>> {
    Ok(Json(Items { items: services.find(&actor, &q).await?, next_page_token: None }))
}
