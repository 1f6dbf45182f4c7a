//! The router and its layers, outermost first: panics, request id, limits, security headers, cross-site check, session,
//! policy, then pages, API and predictions.

pub mod caller;
mod client;
pub mod cookie;
mod elsewhere;
mod events;
mod files;
pub mod guard;
mod headers;
mod health;
mod letters;
mod pages;
pub mod refusal;
pub mod session;
mod tokens;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::{HeaderName, StatusCode};
use axum::middleware;
use leptos::config::LeptosOptions;
use millrace_services::Services;
use millrace_serving::Serving;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::api;
use crate::config::Web;
use crate::{mlflow, predict};

pub use elsewhere::{Known, Provider};
pub use events::EventHub;
pub use health::record_metrics;
pub use tokens::Tokens;

/// What health, metrics and live events answer.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = health::document();
    document.merge(events::document());
    document
}

/// Largest body of anything but an upload.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// Largest upload.
pub const UPLOAD_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// So long an upload may pause.
pub const UPLOAD_PAUSE: Duration = Duration::from_secs(30);
/// A handler that takes longer is cut off; live events are not handlers in this sense, they answer at once and stream.
const HANDLER_TIME: Duration = Duration::from_secs(60);

/// What handlers are given. Every layer and handler takes one, so that cloning shares it.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

impl AppState {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of a server.
pub struct Parts {
    /// The use cases.
    pub services: Services,
    /// The models.
    pub serving: Serving,
    /// Live events.
    pub events: EventHub,
    /// Leptos' settings.
    pub leptos: LeptosOptions,
    /// Where the browser bundle is.
    pub site: SitePath,
    /// Whether cookies are kept to https.
    pub cookies: cookie::Cookies,
    /// Tokens that called.
    pub tokens: Arc<Tokens>,
    /// Turns to compute a prediction again.
    pub replays: tokio::sync::Semaphore,
    /// The other sign-in, if there is one.
    pub provider: Option<Arc<Provider>>,
}

/// Directory of the browser bundle.
#[derive(Debug, Clone)]
pub struct SitePath(pub PathBuf);

/// Handlers take the part of the state that they need.
macro_rules! part {
    ($field:ident: $kind:ty) => {
        impl FromRef<AppState> for $kind {
            fn from_ref(state: &AppState) -> Self {
                state.$field.clone()
            }
        }
    };
}
part!(services: Services);
part!(serving: Serving);
part!(leptos: LeptosOptions);
part!(site: SitePath);

/// Everything the server answers. Layers that follow each other are added together: the router keeps what is added at once as one service, and
/// copies every service that it keeps for every request.
///
/// # Errors
/// When the base URL is no origin.
pub fn router(state: AppState, web: &Web) -> anyhow::Result<Router> {
    let request_id = HeaderName::from_static("x-request-id");
    let csrf = CsrfLayer::new().add_trusted_origin(web.base_url())?;
    let small = Router::new()
        .merge(pages::router())
        .merge(api::router())
        .merge(mlflow::router())
        .merge(health::router())
        .merge(events::router())
        .merge(elsewhere::router())
        .merge(files::router())
        .merge(letters::router())
        .layer(
            ServiceBuilder::new()
                .layer(RequestBodyLimitLayer::new(BODY_BYTES))
                .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, HANDLER_TIME))
                .layer(DefaultBodyLimit::max(BODY_BYTES)),
        );
    let large = Router::new().merge(upload::router()).merge(api::upload_router()).layer(
        ServiceBuilder::new()
            .layer(RequestBodyTimeoutLayer::new(UPLOAD_PAUSE))
            .layer(RequestBodyLimitLayer::new(UPLOAD_BYTES))
            .layer(DefaultBodyLimit::max(UPLOAD_BYTES)),
    );
    // Predictions are asked for by programs with tokens: no session, no form of another site, and nothing that is worth compressing
    // while somebody waits.
    let predictions = predict::router().layer(
        ServiceBuilder::new()
            .layer(middleware::from_fn_with_state(state.clone(), headers::add_to_data))
            .layer(middleware::from_fn_with_state(state.clone(), guard::guard))
            .layer(RequestBodyLimitLayer::new(BODY_BYTES))
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, HANDLER_TIME))
            .layer(DefaultBodyLimit::max(BODY_BYTES)),
    );
    let router = small
        .merge(large)
        .layer(
            ServiceBuilder::new()
                .layer(session::layer(state.services.clone(), web))
                .layer(middleware::from_fn_with_state(state.clone(), guard::guard)),
        )
        .fallback(refusal::no_such_page)
        .layer(
            ServiceBuilder::new()
                .layer(CompressionLayer::new())
                .layer(middleware::from_fn_with_state(state.clone(), headers::add))
                .layer(csrf),
        )
        .merge(predictions)
        .layer(
            ServiceBuilder::new()
                .layer(CatchPanicLayer::custom(refusal::panicked))
                .layer(middleware::from_fn_with_state(client::Proxies::new(&web.trusted_proxies), client::find))
                .layer(SetRequestIdLayer::new(request_id.clone(), MakeRequestUuid))
                .layer(PropagateRequestIdLayer::new(request_id)),
        )
        .with_state(state);
    Ok(router)
}
