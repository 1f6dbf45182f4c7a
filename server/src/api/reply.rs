//! What handlers take and give: a recognised caller, a JSON body whose mistakes become problem documents, and faults.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Actor, Origin};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::guard::{self, Recognised};
use crate::web::refusal::problem_json;

/// A fault that answers as `application/problem+json`.
#[derive(Debug)]
pub struct Problem(pub Fault);

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        problem_json(&self.0)
    }
}

/// What handlers give.
pub type Reply<T> = Result<T, Problem>;

/// The caller, recognised by the guard.
pub struct By(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let recognised = parts.extensions.get::<Recognised>().and_then(|recognised| recognised.0.as_deref().cloned());
        Ok(Self(recognised.ok_or_else(Fault::unauthenticated)?))
    }
}

/// Where the request came from.
pub struct CameFrom(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for CameFrom {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(guard::origin(parts)))
    }
}

/// Parts of the path. One that can be of nothing is answered as one that is of nothing.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Fault::not_found("page").into())
    }
}

/// Parts of the query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| {
            Fault::invalid(format!("the query does not fit: {}", error.body_text()), Vec::new()).into()
        })
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Fault::invalid(format!("the body does not fit: {}", error.body_text()), Vec::new()).into())
            }
            Err(rejection) => {
                let status = rejection.status().as_u16();
                Err(Fault { status, ..Fault::invalid(rejection.body_text(), Vec::new()) }.into())
            }
        }
    }
}

/// How long a page of a list may be.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PageSize {
    /// Entries of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub page_size: Option<u32>,
}

/// A list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Send it as `page_token` for what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

impl<T> Items<T> {
    /// A list that is complete.
    pub const fn all(items: Vec<T>) -> Self {
        Self { items, next_page_token: None }
    }
}
