//! The accept loop. `axum::serve` gives hyper no timer, so slow headers would hold connections for ever; this one does,
//! caps connections, and lets requests in flight finish when the server stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Headers must have come within this time.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Requests in flight may take this long after the stop.
const LAST_REQUESTS: Duration = Duration::from_secs(30);
/// What a caller who has just connected sends arrives within this time.
const FIRST_BYTES: Duration = Duration::from_millis(250);
/// Connections held at a time.
const MOST_CONNECTIONS: usize = 1_024;

/// Serves `router` until `shutdown`; whoever has connected by then is answered.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let waiting = tokio::select! {
            biased;
            accepted = listener.accept() => Some(accepted),
            () = shutdown.cancelled() => None,
        };
        // The system connects callers before they are accepted here; those are not sent away.
        let Some(accepted) = waiting.or_else(|| listener.accept().now_or_never()) else { break };
        if accepted.is_err() && shutdown.is_cancelled() {
            break;
        }
        let place = tokio::select! {
            biased;
            place = Arc::clone(&places).acquire_owned() => place,
            () = shutdown.cancelled() => break,
        };
        let (Ok((stream, peer)), Ok(place)) = (accepted, place) else {
            // The system is out of files or the peer is gone already: give others a moment to close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let router = router.clone();
        let service =
            hyper::service::service_fn(move |request: hyper::Request<Incoming>| answer(router.clone(), request, peer));
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_headers(100)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    // hyper closes a connection at once on which nothing has come yet; what was sent over it is on its way.
    tokio::time::sleep(FIRST_BYTES).await;
    if tokio::time::timeout(LAST_REQUESTS, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> Result<axum::response::Response, Infallible> {
    let mut request: Request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}
