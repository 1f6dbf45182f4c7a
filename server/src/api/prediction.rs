//! What is kept of a prediction.

use axum::Json;
use axum::extract::State;
use millrace_domain::fault::Fault;
use millrace_domain::view::{PredictionView, ReplayView};
use millrace_jobs::ParityAuditor;
use millrace_services::Services;
use millrace_storage::Uuid;

use crate::api::reply::{By, Path, Reply};

/// A prediction: the version that answered, what it was sent, joined to and answered, and what became of it.
#[utoipa::path(get, path = "/api/v1/predictions/{id}", responses((status = 200, body = PredictionView), (status = 404)))]
pub async fn show_prediction(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<PredictionView>> {
    Ok(Json(services.prediction(&actor, known(&id)?).await?))
}

/// Computes a prediction again from what is kept, as training computes, and compares every bit. Nothing is changed.
#[utoipa::path(get, path = "/api/v1/predictions/{id}/replay",
    responses((status = 200, body = ReplayView), (status = 404), (status = 409)))]
pub async fn replay_prediction(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<ReplayView>> {
    let id = known(&id)?;
    let receipt = services.receipt(&actor, id).await?;
    let found = ParityAuditor::replay(&services, receipt).await.map_err(|error| {
        Fault::conflict("cannot_be_replayed", format!("the prediction cannot be computed again: {error}"))
    })?;
    Ok(Json(services.replayed(id, found.as_ref())))
}

/// What is no id is the id of none.
fn known(id: &str) -> Result<Uuid, Fault> {
    id.parse().map_err(|_| Fault::not_found("prediction"))
}
