//! Where mail programs post by themselves: one click takes the reader of a letter off the alerts that it is about (RFC 8058). There is no
//! session: the link names the reader, and is good for what the letter's other link is good for.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use millrace_domain::fault::Fault;
use millrace_services::Services;
use serde::Deserialize;

use crate::web::AppState;
use crate::web::refusal::{self, Door};

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/alerts/{id}/by-mail", post(leave))
}

#[derive(Deserialize)]
struct Linked {
    #[serde(default)]
    key: String,
}

async fn leave(
    State(services): State<Services>,
    Path(id): Path<String>,
    Query(Linked { key }): Query<Linked>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let left = match is_one_click(&body) {
        true => services.leave_alert_by_mail(&id, &key).await,
        false => Err(Fault::field("/List-Unsubscribe", "must be One-Click; open the link to do anything else")),
    };
    match left {
        Ok(()) => (StatusCode::OK, "You get no more letters about what this one told.\n").into_response(),
        Err(fault) => refusal::answer(&Door::of(&uri), &fault, &uri, &headers),
    }
}

/// Whether the field that mail programs send is in a form, of either kind.
fn is_one_click(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text == "List-Unsubscribe=One-Click"
        || text.contains("name=\"List-Unsubscribe\"") && text.lines().any(|line| line.trim() == "One-Click")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_known_in_both_kinds_of_forms_and_nothing_else_is() {
        let parts = b"--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        assert!(is_one_click(b"List-Unsubscribe=One-Click") && is_one_click(parts));
        for other in [&b""[..], b"List-Unsubscribe=Two", b"key=1", b"One-Click"] {
            assert!(!is_one_click(other));
        }
    }
}
