//! The connection pool.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use crate::{Result, StorageError, record};

/// Anything statements can run on: the pool or a transaction.
pub use sea_orm::ConnectionTrait as Connection;

/// An open transaction; dropping it rolls back.
pub type Transaction = DatabaseTransaction;

/// The pool of connections to one database. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Database {
    pool: DatabaseConnection,
}

impl Database {
    /// Connects to `url` with at most `connections` connections.
    ///
    /// # Errors
    /// When the database does not answer within five seconds.
    pub async fn connect(url: &str, connections: u32) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .min_connections(1)
            .connect_timeout(Duration::from_secs(5))
            .acquire_timeout(Duration::from_secs(5))
            .sqlx_logging(false)
            // One in use is known to answer; each question whether it does costs a round trip.
            .test_before_acquire_if_idle_for(Duration::from_secs(1))
            // Statements here are short: compiling one takes a second and saves milliseconds. What they read is in memory, or on a disk that
            // seeks as fast as it reads.
            .map_sqlx_postgres_opts(|options| options.options([("jit", "off"), ("random_page_cost", "1.1")]));
        Ok(Self { pool: sea_orm::Database::connect(options).await? })
    }

    /// The pool itself, for single statements.
    pub const fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Transaction> {
        Ok(self.pool.begin().await?)
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        Ok(self.pool.ping().await?)
    }

    /// Whether the role the application works under exists here, and this connection's role may take it on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_application_role(&self) -> Result<bool> {
        const SQL: &str = "select count(*) from pg_roles where rolname = 'millrace_app'
            and pg_has_role(current_user, oid, 'member')";
        Ok(record::one::<i64>(&self.pool, SQL, Vec::new()).await? > 0)
    }

    /// The same address, its connections working under the application's role.
    pub fn url_as_application(url: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        format!("{url}{mark}options[role]=millrace_app")
    }

    /// Whether this connection could change what must not change: the audit trail, or the schema.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_change_history(&self) -> Result<bool> {
        const SQL: &str = "select count(*) from pg_roles where rolname = current_user and (rolsuper
            or has_table_privilege('audit', 'update, delete, truncate')
            or has_schema_privilege('public', 'create'))";
        Ok(record::one::<i64>(&self.pool, SQL, Vec::new()).await? > 0)
    }

    /// Makes a database of the same server, if it is missing.
    ///
    /// # Errors
    /// When the role may not.
    pub async fn ensure_database(&self, name: &str) -> Result<()> {
        let exists = "select count(*) from pg_database where datname = $1";
        if record::one::<i64>(&self.pool, exists, vec![name.into()]).await? == 0 {
            self.on_database("create database", name, "").await?;
        }
        Ok(())
    }

    /// Makes a database as a copy of another one, which nobody may be connected to.
    ///
    /// # Errors
    /// When the role may not, or somebody is connected to the template.
    pub async fn copy_database(&self, template: &str, name: &str) -> Result<()> {
        self.on_database("create database", name, &format!(" template {}", quoted(template)?)).await
    }

    /// Removes a database of the same server with all its connections, if it exists.
    ///
    /// # Errors
    /// When the role may not.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.on_database("drop database if exists", name, " with (force)").await
    }

    /// Names of databases cannot be bound as values; they are checked to be plain words instead.
    async fn on_database(&self, act: &'static str, name: &str, rest: &str) -> Result<()> {
        let statement = format!("{act} {}{rest}", quoted(name)?);
        Ok(self.pool.execute_unprepared(&statement).await.map(|_| ())?)
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// When the driver fails to.
    pub async fn close(self) -> Result<()> {
        Ok(self.pool.close().await?)
    }
}

/// The database's present moment: the only clock of leases, and of what workers on several hosts commit.
///
/// # Errors
/// When the database fails.
pub async fn now(db: &impl Connection) -> Result<DateTime<Utc>> {
    struct Moment(DateTime<Utc>);
    impl record::Record for Moment {
        fn read(row: &record::Row) -> Result<Self> {
            row.get("now").map(Self)
        }
    }
    record::one::<Moment>(db, "select now() as now", Vec::new()).await.map(|moment| moment.0)
}

fn quoted(name: &str) -> Result<String> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { Ok(format!("\"{name}\"")) } else { Err(StorageError::Refused(format!("{name:?} is no database name"))) }
}
