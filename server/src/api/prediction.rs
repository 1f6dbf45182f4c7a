//! What is kept of a prediction.

use axum::Json;
use axum::extract::State;
use millrace_domain::fault::Fault;
use millrace_domain::view::{PredictionView, ReplayView};
use millrace_jobs::ParityAuditor;
use millrace_services::Services;
use millrace_storage::{StorageError, Uuid};

use crate::api::reply::{By, Path, Reply};
use crate::web::AppState;

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
    responses((status = 200, body = ReplayView), (status = 404), (status = 409), (status = 429)))]
pub async fn replay_prediction(
    State(state): State<AppState>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<ReplayView>> {
    let id = known(&id)?;
    let receipt = state.services.receipt(&actor, id).await?;
    // It reads whole loads: one at a time.
    let _turn = state.replays.try_acquire().map_err(|_| {
        let detail = "another prediction is being computed again; try again in a moment";
        Fault::new(429, "too_many_replays", "Too many at once", detail)
    })?;
    let again = ParityAuditor::replay(&state.services, receipt).await.map_err(|error| {
        if error.downcast_ref::<StorageError>().is_some_and(StorageError::is_transient) {
            let detail = "the database does not answer just now; try again in a few seconds";
            return Fault::new(503, "database_unavailable", "Try again", detail);
        }
        Fault::conflict("cannot_be_replayed", format!("the prediction cannot be computed again: {error}"))
    })?;
    Ok(Json(Services::replayed(id, again.features, again.difference.as_ref())))
}

/// What is no id is the id of none.
pub(super) fn known(id: &str) -> Result<Uuid, Fault> {
    id.parse().map_err(|_| Fault::not_found("prediction"))
}
