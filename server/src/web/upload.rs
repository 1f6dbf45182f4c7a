//! Uploading a dataset from a page: a plain multipart form, so it works without WASM and streams past no limit.

use axum::Extension;
use axum::Router;
use axum::extract::{Multipart, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use millrace_app::kept::{KEPT, Kept, Outcome};
use millrace_domain::fault::Fault;

use crate::api::multipart;
use crate::web::guard::Recognised;
use crate::web::refusal::{self, Door, form_urlencode};
use crate::web::{AppState, caller};

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/fn/upload_dataset", post(upload_dataset))
}

async fn upload_dataset(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    request: Parts,
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
        Err(fault) => back(&state, &request, fault, typed)
            .await
            .unwrap_or_else(|fault| refusal::answer(&Door::Page, &fault, &request.uri, &request.headers)),
    }
}

/// Leads back to the form, which shows why the file was not taken.
async fn back(state: &AppState, request: &Parts, fault: Fault, typed: (String, String)) -> Result<Response, Fault> {
    let (caller, jar) = caller::of(state, request).await?;
    let kept = Kept::new(request.uri.path().to_owned(), Outcome::Refused(fault), &[]);
    let (problem, name) = (form_urlencode(&typed.0), form_urlencode(&typed.1));
    let page = format!("/datasets/new?problem={problem}&name={name}&{KEPT}={}", kept.id);
    caller.sessions.keep(kept).await?;
    let mut response = Redirect::to(&page).into_response();
    caller::set_cookies(&jar, response.headers_mut());
    Ok(response)
}
