//! Live events (SSE), resumable by `Last-Event-ID`: subscribe first, then catch up from the database, so nothing is missed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures::stream::{self, Stream};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{DatasetId, RehearsalId, RunId};
use millrace_domain::policy::{Action, Actor};
use millrace_services::Services;
use millrace_storage::{Database, event};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, OpenApi};

use crate::api::reply::Query;
use crate::web::AppState;
use crate::web::guard::{self, Recognised};
use crate::web::refusal::problem_json;

/// How long whoever was let in is not asked for again.
const ADMITTED: Duration = Duration::from_secs(1);

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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Follow {
    /// `run:17`, `rehearsal:3` or `dataset:5/2`; everything when absent.
    subject: Option<String>,
}

#[derive(OpenApi)]
#[openapi(paths(follow_events))]
struct Document;

/// What this address answers.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/v1/events", get(follow_events))
}

/// Live progress as server-sent events; a client that lost its stream goes on behind the event that it names.
#[utoipa::path(get, path = "/api/v1/events", params(Follow, ("Last-Event-ID" = Option<i64>, Header, description = "The last event that was seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400), (status = 401)))]
async fn follow_events(
    State(state): State<AppState>,
    Extension(recognised): Extension<Recognised>,
    Query(follow): Query<Follow>,
    request: Parts,
) -> Response {
    let subject = match subject(&state.services, recognised.0.as_deref(), &follow).await {
        Ok(subject) => subject,
        Err(fault) => return problem_json(&fault),
    };
    let told: Option<i64> = request.headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match told {
        Some(id) => id,
        None => event::newest(state.services.db().pool()).await.unwrap_or(0),
    };
    let announced = state.events.announced.clone();
    let (ready, admitted) = (VecDeque::new(), Some(Instant::now()));
    let following = Following { state, announced, request, follow, subject, after, ready, admitted };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    ([("x-accel-buffering", "no")], Sse::new(following.stream()).keep_alive(keep_alive)).into_response()
}

type Subject = Option<(&'static str, i64)>;

async fn subject(services: &Services, actor: Option<&Actor>, follow: &Follow) -> Result<Subject, Fault> {
    let actor = actor.ok_or_else(Fault::unauthenticated)?;
    let Some(text) = &follow.subject else {
        // Everything is for those who may read everything.
        return match actor.may_everywhere(Action::ReadWorkspace) {
            Ok(()) => Ok(None),
            Err(_) => Err(Fault::field("/subject", "is needed: your roles are on single problems")),
        };
    };
    let wrong = || Fault::field("/subject", "must be run:<id>, rehearsal:<id> or dataset:<id>/<version>");
    match text.split_once(':') {
        Some(("run", id)) => {
            let id: RunId = id.parse().map_err(|_| wrong())?;
            services.follow_run(actor, id).await?;
            Ok(Some(("run", id.0)))
        }
        Some(("dataset", path)) => {
            let (id, number) = path.split_once('/').ok_or_else(wrong)?;
            let id: DatasetId = id.parse().map_err(|_| wrong())?;
            let version = services.dataset_version_id(actor, id, number.parse().map_err(|_| wrong())?).await?;
            Ok(Some(("dataset", version)))
        }
        Some(("rehearsal", id)) => {
            let id: RehearsalId = id.parse().map_err(|_| wrong())?;
            services.follow_rehearsal(actor, id).await?;
            Ok(Some(("rehearsal", id.0)))
        }
        _ => Err(wrong()),
    }
}

struct Following {
    state: AppState,
    announced: watch::Receiver<u64>,
    request: Parts,
    follow: Follow,
    subject: Subject,
    after: i64,
    ready: VecDeque<event::Event>,
    /// When the caller was last let in; none while that is not known.
    admitted: Option<Instant>,
}

impl Following {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut following| async move {
            loop {
                if let Some(next) = following.ready.pop_front() {
                    following.after = next.id;
                    let data =
                        serde_json::json!({ "id": next.id, "kind": next.kind, "payload": next.payload, "at": next.at });
                    let message = Event::default().id(next.id.to_string()).data(data.to_string());
                    return Some((Ok(message), following));
                }
                if following.is_let_in().await? {
                    following.read().await;
                }
                if following.ready.is_empty() {
                    let shutdown = following.state.events.shutdown.clone();
                    tokio::select! {
                        changed = following.announced.changed() => changed.ok()?,
                        () = shutdown.cancelled() => return None,
                    }
                }
            }
        })
    }

    /// Whether the caller may still read this, asked at most once a second; none once they may not: signed out, a token
    /// revoked, a role taken away.
    async fn is_let_in(&mut self) -> Option<bool> {
        if self.admitted.is_some_and(|at| at.elapsed() < ADMITTED) {
            return Some(true);
        }
        let asked = async {
            let actor = guard::admit_again(&self.state, &mut self.request).await?;
            subject(&self.state.services, Some(&actor), &self.follow).await
        };
        match asked.await {
            Ok(_) => self.admitted = Some(Instant::now()),
            Err(fault) if fault.status >= 500 => self.admitted = None,
            Err(_) => return None,
        }
        Some(self.admitted.is_some())
    }

    async fn read(&mut self) {
        match event::after(self.state.services.db().pool(), self.after, self.subject).await {
            Ok(found) => self.ready.extend(found),
            Err(error) => tracing::debug!(%error, "events could not be read"),
        }
    }
}
