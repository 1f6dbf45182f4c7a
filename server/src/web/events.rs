//! Live events (SSE), resumable by `Last-Event-ID`: subscribe first, then catch up from the database, so nothing is missed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures::stream::{self, Stream};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{DatasetId, RunId};
use millrace_domain::policy::Action;
use millrace_services::Services;
use millrace_storage::{Database, event};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::web::AppState;
use crate::web::guard::Recognised;
use crate::web::refusal::problem_json;

/// Wakes streams when events were announced.
#[derive(Debug, Clone)]
pub struct EventHub {
    announced: watch::Receiver<u64>,
    shutdown: CancellationToken,
}

impl EventHub {
    /// Listens for announcements until `shutdown`; polls each second as well, in case one was lost.
    pub fn start(db: Database, shutdown: CancellationToken) -> Self {
        let (announce, announced) = watch::channel(0);
        let until = shutdown.clone();
        tokio::spawn(async move {
            while !until.is_cancelled() {
                let Ok(mut announcements) = db.listen(&["millrace_event"]).await else {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    announce.send_modify(|count| *count += 1);
                    continue;
                };
                loop {
                    let heard = tokio::select! {
                        heard = announcements.next() => heard.is_ok(),
                        () = tokio::time::sleep(Duration::from_secs(5)) => true,
                        () = until.cancelled() => return,
                    };
                    announce.send_modify(|count| *count += 1);
                    if !heard {
                        break;
                    }
                }
            }
        });
        Self { announced, shutdown }
    }
}

#[derive(Debug, Deserialize)]
struct Follow {
    /// `run:17` or `dataset:5/2`; everything when absent.
    subject: Option<String>,
}

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/v1/events", get(follow_events))
}

async fn follow_events(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    Query(follow): Query<Follow>,
    headers: HeaderMap,
) -> Response {
    let subject = match subject(&state.services, recognised, follow.subject.as_deref()).await {
        Ok(subject) => subject,
        Err(fault) => return problem_json(&fault),
    };
    let told: Option<i64> = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match told {
        Some(id) => id,
        None => event::newest(state.services.db().pool()).await.unwrap_or(0),
    };
    let events = stream(state.services.db().clone(), state.events, subject, after);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    ([("x-accel-buffering", "no")], Sse::new(events).keep_alive(keep_alive)).into_response()
}

type Subject = Option<(&'static str, i64)>;

async fn subject(services: &Services, recognised: Recognised, text: Option<&str>) -> Result<Subject, Fault> {
    let actor = recognised.0.ok_or_else(Fault::unauthenticated)?;
    let Some(text) = text else {
        // Everything is for those who may read everything.
        return match actor.may_everywhere(Action::ReadWorkspace) {
            Ok(()) => Ok(None),
            Err(_) => Err(Fault::field("/subject", "is needed: your roles are on single problems")),
        };
    };
    let wrong = || Fault::field("/subject", "must be run:<id> or dataset:<id>/<version>");
    match text.split_once(':') {
        Some(("run", id)) => {
            let id: RunId = id.parse().map_err(|_| wrong())?;
            services.follow_run(&actor, id).await?;
            Ok(Some(("run", id.0)))
        }
        Some(("dataset", path)) => {
            let (id, number) = path.split_once('/').ok_or_else(wrong)?;
            let id: DatasetId = id.parse().map_err(|_| wrong())?;
            let version = services.dataset_version_id(&actor, id, number.parse().map_err(|_| wrong())?).await?;
            Ok(Some(("dataset", version)))
        }
        _ => Err(wrong()),
    }
}

struct Following {
    db: Database,
    hub: EventHub,
    subject: Subject,
    after: i64,
    ready: std::collections::VecDeque<event::Event>,
    begun: bool,
}

fn stream(db: Database, hub: EventHub, subject: Subject, after: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    let following = Following { db, hub, subject, after, ready: std::collections::VecDeque::new(), begun: false };
    stream::unfold(following, |mut following| async move {
        loop {
            if let Some(next) = following.ready.pop_front() {
                following.after = next.id;
                let data =
                    serde_json::json!({ "id": next.id, "kind": next.kind, "payload": next.payload, "at": next.at });
                let message = Event::default().id(next.id.to_string()).data(data.to_string());
                return Some((Ok(message), following));
            }
            if following.begun {
                let shutdown = following.hub.shutdown.clone();
                tokio::select! {
                    changed = following.hub.announced.changed() => changed.ok()?,
                    () = shutdown.cancelled() => return None,
                }
            }
            following.begun = true;
            let found = event::after(following.db.pool(), following.after, following.subject).await;
            match found {
                Ok(found) => following.ready.extend(found),
                Err(error) => tracing::debug!(%error, "events could not be read"),
            }
        }
    })
}
