//! Logs to stderr: text for people, JSON for collectors; `RUST_LOG` chooses what.

use tracing_subscriber::EnvFilter;

/// Starts logging.
pub fn start(json: bool) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm=warn,hyper=warn,tower_sessions=warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json { lines.json().try_init() } else { lines.with_target(false).try_init() };
    if let Err(error) = started {
        eprintln!("millrace: logging could not be started: {error}");
    }
}
