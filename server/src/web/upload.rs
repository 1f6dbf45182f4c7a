//! Uploading a dataset from a page: a plain multipart form, so it works without WASM and streams past no limit.

use axum::Extension;
use axum::Router;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use millrace_domain::fault::Fault;

use crate::api::multipart;
use crate::web::AppState;
use crate::web::guard::Recognised;
use crate::web::refusal::form_urlencode;

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/fn/upload_dataset", post(upload_dataset))
}

async fn upload_dataset(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Response {
    let mut typed = (String::new(), String::new());
    let outcome = async {
        let actor = recognised.0.ok_or_else(Fault::unauthenticated)?;
        let form = form.map_err(|_| Fault::field("/file", "is missing: choose a file"))?;
        let upload = multipart::read(form).await?;
        typed = (upload.problem.clone(), upload.name.clone());
        let services = &state.services;
        services.upload_dataset(&actor, &upload.problem, &upload.name, &upload.file_name, upload.content).await
    };
    match outcome.await {
        Ok(version) => Redirect::to(&format!("/datasets/{}/v/{}", version.dataset, version.version)).into_response(),
        Err(fault) => {
            let (problem, name) = (form_urlencode(&typed.0), form_urlencode(&typed.1));
            let error = form_urlencode(&fault.detail);
            Redirect::to(&format!("/datasets/new?problem={problem}&name={name}&error={error}")).into_response()
        }
    }
}
