//! A database for one test, cloned from a template that this process migrated once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;
use millrace_storage::Database;
use millrace_storage::cluster::{Cluster, ClusterOptions};
use sea_orm_migration::MigratorTrait;
use tokio::sync::OnceCell;

struct Template {
    cluster: Cluster,
    name: String,
}

static TEMPLATE: OnceCell<Template> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// One test's own database.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address.
    pub url: String,
    /// Its name.
    pub name: String,
}

impl TestDatabase {
    /// Clones the template.
    ///
    /// # Errors
    /// When Postgres cannot be started.
    pub async fn new() -> anyhow::Result<Self> {
        let template = TEMPLATE.get_or_try_init(make_template).await?;
        let name = format!("{}_{}", template.name, NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = Database::connect(&template.cluster.url("postgres"), 1).await?;
        admin.drop_database(&name).await?;
        admin.copy_database(&template.name, &name).await?;
        admin.close().await?;
        Ok(Self { url: template.cluster.url(&name), name })
    }

    /// Removes it.
    pub async fn remove(&self) {
        let Some(template) = TEMPLATE.get() else { return };
        if let Ok(admin) = Database::connect(&template.cluster.url("postgres"), 1).await {
            // A database that stays behind is overwritten by the next process of the same number.
            let _ = admin.drop_database(&self.name).await;
        }
    }
}

async fn make_template() -> anyhow::Result<Template> {
    let home = home()?;
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&home, ClusterOptions { tests: true }))
        .await?
        .context("the tests' Postgres could not be started")?;
    let name = format!("t{}", std::process::id());
    let admin = Database::connect(&cluster.url("postgres"), 1).await?;
    admin.drop_database(&name).await?;
    admin.ensure_database(&name).await?;
    let db = Database::connect(&cluster.url(&name), 1).await?;
    millrace_migrations::Migrator::up(db.pool(), None).await?;
    db.close().await?;
    admin.close().await?;
    Ok(Template { cluster, name })
}

/// One cluster for all test processes of this machine; the last one to leave stops it.
fn home() -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let home = std::env::temp_dir().join("millrace-tests");
    std::fs::create_dir_all(&home)?;
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755))?;
    Ok(home)
}
