//! From settings to running parts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_domain::Digest;
use millrace_executor::{Failpoints, Timing, Worker};
use millrace_jobs::Subjects;
use millrace_services::{Build, Services};
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::cluster::{Cluster, ClusterOptions};
use millrace_storage::{Database, StorageError};
use sea_orm_migration::MigratorTrait;
use tokio_util::sync::CancellationToken;

use crate::config::Storage;
use crate::outside;

/// Digest of the lock file: names every library this program was built with.
const LOCK_FILE: &[u8] = include_bytes!("../../Cargo.lock");
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Connections of one process.
const CONNECTIONS: u32 = 16;
/// How long to wait for a database that does not answer at start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The parts that every command needs.
pub struct Parts {
    /// The use cases.
    pub services: Services,
    /// The private cluster, if there is one; stopped when dropped.
    pub cluster: Option<Cluster>,
}

/// Opens database and artifacts, making what is missing.
///
/// # Errors
/// With the thing and the way out.
pub async fn open(storage: &Storage) -> anyhow::Result<Parts> {
    std::fs::create_dir_all(&storage.home)
        .with_context(|| format!("MILLRACE_HOME {} cannot be made", storage.home.display()))?;
    let (url, cluster) = match &storage.database_url {
        Some(url) => (url.clone(), None),
        None => {
            let home = storage.home.clone();
            let cluster =
                tokio::task::spawn_blocking(move || Cluster::start(&home, ClusterOptions::default())).await??;
            (private_database(&cluster, "millrace").await?, Some(cluster))
        }
    };
    let db = connect(&url).await?;
    if storage.no_migrate {
        tracing::info!("the schema is left as it is");
    } else {
        migrate(&db).await?;
    }
    Ok(Parts { services: services(db, storage).await?, cluster })
}

/// Opens the private cluster with an empty database of that name.
///
/// # Errors
/// With the thing and the way out.
pub async fn open_fresh(storage: &Storage, name: &str) -> anyhow::Result<Parts> {
    let home = storage.home.clone();
    std::fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&home, ClusterOptions::default())).await??;
    let admin = Database::connect(&cluster.url("postgres"), 1).await?;
    admin.drop_database(name).await?;
    let db = connect(&private_database(&cluster, name).await?).await?;
    migrate(&db).await?;
    Ok(Parts { services: services(db, storage).await?, cluster: Some(cluster) })
}

/// The address of a database of the private cluster, made if it is missing.
async fn private_database(cluster: &Cluster, name: &str) -> anyhow::Result<String> {
    let admin = connect(&cluster.url("postgres")).await?;
    admin.ensure_database(name).await?;
    admin.close().await?;
    Ok(cluster.url(name))
}

async fn services(db: Database, storage: &Storage) -> anyhow::Result<Services> {
    let artifacts = ArtifactStore::open(storage.artifacts())
        .await
        .with_context(|| format!("MILLRACE_ARTIFACTS {} cannot be used", storage.artifacts().display()))?;
    let build = Build { version: VERSION.to_owned(), lock_digest: Digest::of(LOCK_FILE) };
    Ok(Services::new(db, artifacts, outside::surroundings(), build))
}

/// Connects, waiting for a database that is not there yet.
async fn connect(url: &str) -> anyhow::Result<Database> {
    let begun = tokio::time::Instant::now();
    loop {
        match Database::connect(url, CONNECTIONS).await {
            Ok(db) => return Ok(db),
            Err(error @ StorageError::Unavailable(_)) if begun.elapsed() < PATIENCE => {
                let left = PATIENCE.saturating_sub(begun.elapsed()).as_secs();
                tracing::warn!(%error, "waiting for Postgres, {left} s more; is DATABASE_URL right and the server up?");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            Err(error) => {
                return Err(error)
                    .context("Postgres cannot be reached; check DATABASE_URL, or unset it for a private cluster");
            }
        }
    }
}

/// Brings the schema up to date.
///
/// # Errors
/// When a migration fails; the ones before it stay.
pub async fn migrate(db: &Database) -> anyhow::Result<()> {
    millrace_migrations::Migrator::up(db.pool(), None).await.context("the database could not be brought up to date")
}

/// A worker over the same parts.
pub fn worker(services: &Services, name: &str, timing: Timing) -> Worker {
    let code_version = format!("{VERSION}-{}", Digest::of(LOCK_FILE).short());
    Worker::new(
        name,
        services.db().clone(),
        services.artifacts().clone(),
        millrace_jobs::handlers(),
        Arc::new(Subjects::new(outside::surroundings())),
        &code_version,
    )
    .with_timing(timing)
    .with_failpoints(Failpoints::armed(outside::failpoint()))
}

/// Ends on Ctrl-C or SIGTERM.
///
/// # Errors
/// When signals cannot be listened for.
pub fn shutdown_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let told = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
        told.cancel();
    });
    Ok(shutdown)
}
