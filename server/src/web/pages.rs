//! Leptos' pages and server functions, each given the caller as context.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use leptos::nonce::Nonce;
use leptos::prelude::provide_context;
use leptos_axum::{LeptosRoutes, generate_route_list};
use millrace_app::{App, shell};

use crate::web::caller::Jar;
use crate::web::headers::ScriptNonce;
use crate::web::refusal::{self, Door};
use crate::web::{AppState, caller};

pub(super) fn router() -> Router<AppState> {
    let routes = generate_route_list(App);
    let functions = leptos::server_fn::axum::server_fn_paths();
    let mut router = Router::new().leptos_routes_with_handler(routes, axum::routing::get(render));
    for (path, method) in functions {
        if let Ok(filter) = axum::routing::MethodFilter::try_from(method) {
            router = router.route(path, axum::routing::on(filter, call));
        }
    }
    router
}

async fn render(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (context, jar) = match context(&state, &parts).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let options = state.leptos.clone();
    // Whole pages, not streamed parts: parts are put in place by scripts, and pages must be complete without them.
    let handler = leptos_axum::render_app_async_with_context(context, move || shell(options.clone()));
    let mut response = handler(Request::from_parts(parts, body)).await.into_response();
    caller::set_cookies(&jar, response.headers_mut());
    response
}

async fn call(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (context, jar) = match context(&state, &parts).await {
        Ok(found) => found,
        Err(refused) => return refused,
    };
    let mut response =
        leptos_axum::handle_server_fns_with_context(context, Request::from_parts(parts, body)).await.into_response();
    caller::set_cookies(&jar, response.headers_mut());
    response
}

/// What pages and server functions find as context: who calls, and the nonce of this answer.
async fn context(
    state: &AppState,
    request: &Parts,
) -> Result<(impl Fn() + Clone + Send + Sync + 'static, Jar), Response> {
    let nonce = request.extensions.get::<ScriptNonce>().map(|nonce| nonce.0.clone()).unwrap_or_default();
    let (caller, jar) = caller::of(state, request)
        .await
        .map_err(|fault| refusal::answer(&Door::of(&request.uri), &fault, &request.uri, &request.headers))?;
    let context = move || {
        provide_context(caller.clone());
        provide_context(Nonce::from_value(nonce.as_str()));
    };
    Ok((context, jar))
}
