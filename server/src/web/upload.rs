//! Files that come from pages: plain multipart forms, so they work without WASM and stream past no limit.

use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use millrace_app::kept::{KEPT, Kept, Outcome};
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_domain::view::DatasetSummary;

use crate::api::multipart::{self, Upload};
use crate::web::guard::Recognised;
use crate::web::refusal::{self, Door, form_urlencode};
use crate::web::{AppState, caller};

/// The forms that hold files.
pub(super) const TAKES_FILES: [&str; 2] = ["/fn/upload_dataset", "/fn/correct_dataset"];

pub(super) fn router() -> Router<AppState> {
    let [upload, correct] = TAKES_FILES;
    Router::new().route(upload, post(upload_dataset)).route(correct, post(correct_dataset))
}

async fn upload_dataset(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    request: Parts,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let mut form_page = "/datasets/new?".to_owned();
    let outcome = async {
        let (actor, upload) = taken(&state, recognised, form).await?;
        let (problem, name) = (upload.field("problem")?.to_owned(), upload.field("name")?.to_owned());
        form_page = format!("/datasets/new?problem={}&name={}&", form_urlencode(&problem), form_urlencode(&name));
        let (file_name, append) = (&upload.file_name, upload.appends()?);
        state.services.upload_dataset(&actor, &problem, &name, file_name, upload.content, append).await
    };
    let outcome = outcome.await;
    lead_on(&state, &request, outcome, &form_page).await
}

async fn correct_dataset(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    request: Parts,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let mut form_page = "/datasets?".to_owned();
    let outcome = async {
        let (actor, upload) = taken(&state, recognised, form).await?;
        let unknown = || Fault::not_found("dataset version");
        let id = upload.field("dataset")?.parse().map_err(|_| unknown())?;
        let number: i32 = upload.field("version")?.parse().map_err(|_| unknown())?;
        form_page = format!("/datasets/{id}/v/{number}?");
        state.services.correct_dataset(&actor, id, number, &upload.file_name, upload.content).await
    };
    let outcome = outcome.await;
    lead_on(&state, &request, outcome, &form_page).await
}

async fn taken(
    state: &AppState,
    recognised: Recognised,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(Arc<Actor>, Upload), Fault> {
    let actor = recognised.0.ok_or_else(Fault::unauthenticated)?;
    let form = form.map_err(|_| Fault::field("/file", "is missing: choose a file"))?;
    Ok((actor, multipart::read(form, &state.services).await?))
}

/// Leads to the new version, or back to the form, which shows why the file was not taken.
async fn lead_on(
    state: &AppState,
    request: &Parts,
    outcome: Result<DatasetSummary, Fault>,
    form_page: &str,
) -> Response {
    match outcome {
        Ok(version) => Redirect::to(&format!("/datasets/{}/v/{}", version.dataset, version.version)).into_response(),
        Err(fault) => back(state, request, fault, form_page)
            .await
            .unwrap_or_else(|fault| refusal::answer(&Door::Page, &fault, &request.uri, &request.headers)),
    }
}

async fn back(state: &AppState, request: &Parts, fault: Fault, form_page: &str) -> Result<Response, Fault> {
    let (caller, jar) = caller::of(state, request).await?;
    let kept = Kept::new(request.uri.path().to_owned(), Outcome::Refused(fault), &[]);
    let page = format!("{form_page}{KEPT}={}", kept.id);
    caller.sessions.keep(kept).await?;
    let mut response = Redirect::to(&page).into_response();
    caller::set_cookies(&jar, response.headers_mut());
    Ok(response)
}
