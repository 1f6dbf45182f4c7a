//! From settings to running parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_domain::Digest;
use millrace_domain::policy::Role;
use millrace_executor::{Failpoints, Timing, Worker};
use millrace_jobs::Subjects;
use millrace_migrations::Migrator;
use millrace_services::seal::Key;
use millrace_services::{Elsewhere, Services, Settings};
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::cluster::{Cluster, ClusterOptions};
use millrace_storage::{Connection, Database, StorageError};
use sea_orm_migration::MigratorTrait;
use tokio_util::sync::CancellationToken;

use crate::config::{People, Storage, Web};
use crate::outside;

/// Digest of the lock file: names every library this program was built with.
const LOCK_FILE: &[u8] = include_bytes!("../../Cargo.lock");
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Connections of one process.
const CONNECTIONS: u32 = 16;
/// Key of the lock that whoever migrates holds.
const MIGRATING: i64 = 0x6d69_6c6c_7261_6365;
/// How long to wait for a database that does not answer at start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The parts that every command needs.
pub struct Parts {
    /// The use cases.
    pub services: Services,
    /// The private cluster, if there is one; stopped when dropped.
    pub cluster: Option<Cluster>,
}

/// What the use cases are told besides where data is.
#[derive(Default)]
pub struct Told {
    /// Address that people see.
    pub base_url: String,
    /// File of the key.
    pub key_file: Option<PathBuf>,
    /// Roles that take a second factor.
    pub second_factor_for: Vec<Role>,
    /// Whether approvers are kept apart from who made an author.
    pub approvers_apart: bool,
    /// Where else people may sign in.
    pub elsewhere: Option<Elsewhere>,
}

impl From<&People> for Told {
    fn from(people: &People) -> Self {
        let base_url = people.base_url.as_deref().unwrap_or("http://127.0.0.1:8080");
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            key_file: people.key_file.clone(),
            second_factor_for: people.second_factor.clone(),
            approvers_apart: people.approvers_apart,
            elsewhere: None,
        }
    }
}

impl Told {
    /// What a server's settings say.
    ///
    /// # Errors
    /// When a rule for roles is not understood.
    pub fn by(web: &Web) -> anyhow::Result<Self> {
        Ok(Self { base_url: web.base_url(), elsewhere: web.elsewhere.elsewhere()?, ..Self::from(&web.people) })
    }
}

/// Opens database and artifacts, making what is missing.
///
/// # Errors
/// With the thing and the way out.
pub async fn open(storage: &Storage, told: Told) -> anyhow::Result<Parts> {
    storage.check()?;
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
        refuse_newer(&db).await?;
    } else {
        migrate(&db).await?;
    }
    let db = as_application(db, &url).await?;
    Ok(Parts { services: services(db, storage, told).await?, cluster })
}

/// Opens the private cluster with an empty database of that name.
///
/// # Errors
/// With the thing and the way out.
pub async fn open_fresh(storage: &Storage, name: &str, told: Told) -> anyhow::Result<Parts> {
    let home = storage.home.clone();
    std::fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&home, ClusterOptions::default())).await??;
    let admin = Database::connect(&cluster.url("postgres"), 1).await?;
    admin.drop_database(name).await?;
    let url = private_database(&cluster, name).await?;
    let db = connect(&url).await?;
    migrate(&db).await?;
    let db = as_application(db, &url).await?;
    Ok(Parts { services: services(db, storage, told).await?, cluster: Some(cluster) })
}

/// Goes on under the application's role, which can change neither the schema nor the audit trail. Where the database has no
/// such role, or another one was given to connect with, that one is used, and it is said what it could do.
async fn as_application(db: Database, url: &str) -> anyhow::Result<Database> {
    let db = if db.has_application_role().await? {
        db.close().await?;
        connect(&Database::url_as_application(url)).await?
    } else {
        db
    };
    if db.may_change_history().await? {
        tracing::warn!(
            "this database role can change the audit trail and the schema: make the role millrace_app, or connect with one that cannot \
             (README, Run it for yourself)"
        );
    }
    Ok(db)
}

/// The address of a database of the private cluster, made if it is missing.
async fn private_database(cluster: &Cluster, name: &str) -> anyhow::Result<String> {
    let admin = connect(&cluster.url("postgres")).await?;
    admin.ensure_database(name).await?;
    admin.close().await?;
    Ok(cluster.url(name))
}

async fn services(db: Database, storage: &Storage, told: Told) -> anyhow::Result<Services> {
    let artifacts = ArtifactStore::open(storage.artifacts())
        .await
        .with_context(|| format!("MILLRACE_ARTIFACTS {} cannot be used", storage.artifacts()))?;
    let Told { base_url, key_file, second_factor_for, approvers_apart, elsewhere } = told;
    let key = key(&key_file.unwrap_or_else(|| storage.home.join("key")))?;
    let settings = Settings {
        version: VERSION.to_owned(),
        lock_digest: Digest::of(LOCK_FILE),
        base_url,
        key,
        second_factor_for,
        approvers_apart,
        elsewhere,
        trainers: storage.external_trainers()?,
        webhooks: storage.webhooks()?,
    };
    Ok(Services::new(db, artifacts, outside::surroundings(), settings).with_failpoint(outside::failpoint()))
}

/// The server's key: read from its file, which nobody else may read, or made.
fn key(path: &Path) -> anyhow::Result<Key> {
    use std::os::unix::fs::PermissionsExt;
    let named = || format!("MILLRACE_KEY_FILE {}", path.display());
    if !path.try_exists().with_context(named)? {
        make_key(path).with_context(named)?;
    }
    let open_to_others = std::fs::metadata(path).with_context(named)?.permissions().mode() & 0o077 != 0;
    anyhow::ensure!(!open_to_others, "{} can be read by others: `chmod 600` it, or make a new one", named());
    let text = std::fs::read_to_string(path).with_context(named)?;
    let text = text.trim();
    let digits = (0..32).map(|place| u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok());
    let bytes: Option<Vec<u8>> = digits.collect();
    let bytes: Option<[u8; 32]> = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.with_context(|| format!("{} does not hold 64 hexadecimal digits", named()))?;
    anyhow::ensure!(bytes.iter().any(|byte| *byte != bytes[0]), "{} is a sample: make a real one", named());
    Ok(Key::new(&bytes))
}

/// Makes a key where there is none. It appears whole or not at all, and if another program makes one meanwhile, that one stays.
fn make_key(path: &Path) -> std::io::Result<()> {
    use std::io::{ErrorKind, Write};
    use std::os::unix::fs::OpenOptionsExt;
    let bytes: [u8; 32] = outside::surroundings().bytes();
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let name: [u8; 8] = outside::surroundings().bytes();
    let fresh = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(name)));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let made =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&fresh, path));
    std::fs::remove_file(&fresh)?;
    match made {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
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
/// When a newer program has migrated the database, or when a migration fails; the ones before it stay.
pub async fn migrate(db: &Database) -> anyhow::Result<()> {
    let failed = "the database could not be brought up to date";
    // Of programs that start at once, one migrates, and the others find it done.
    let turn = db.begin().await.context(failed)?;
    // It waits as long as that takes, and whoever has the lock is idle in between.
    let wait = format!(
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; select pg_advisory_xact_lock({MIGRATING})"
    );
    turn.execute_unprepared(&wait).await.context(failed)?;
    refuse_newer(db).await?;
    Migrator::up(db.pool(), None).await.context(failed)?;
    if let Err(error) = turn.commit().await {
        tracing::warn!(%error, "the schema is up to date; the turn to migrate was lost meanwhile");
    }
    Ok(())
}

/// Refuses a database that a newer program has migrated.
async fn refuse_newer(db: &Database) -> anyhow::Result<()> {
    let failed = "the database does not say which migrations it has seen";
    let done = Migrator::get_migration_models(db.pool()).await.context(failed)?;
    let known = Migrator::get_migration_files();
    let is_unknown = |version: &&str| known.iter().all(|migration| migration.name() != *version);
    let unknown: Vec<&str> = done.iter().map(|migration| migration.version.as_str()).filter(is_unknown).collect();
    anyhow::ensure!(
        unknown.is_empty(),
        "the database is newer than this program (millrace {VERSION}), which does not know {}: run the newer program, or restore the \
         backup that was made before it migrated",
        unknown.join(", ")
    );
    Ok(())
}

/// A worker over the same parts.
pub fn worker(services: &Services, name: &str, timing: Timing) -> Worker {
    let code_version = format!("{VERSION}-{}", Digest::of(LOCK_FILE).short());
    Worker::new(
        name,
        services.db().clone(),
        services.artifacts().clone(),
        millrace_jobs::handlers(&services.settings().trainers, outside::program()),
        Arc::new(Subjects::new(outside::surroundings())),
        &code_version,
        outside::surroundings().clock,
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
