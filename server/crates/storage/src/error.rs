//! What can go wrong below, sorted by what a caller could do about it.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};

/// An error of the database or the artifact store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database cannot be reached or is shutting down; the same call may go through later.
    #[error("the database does not answer")]
    Unavailable(#[source] DbErr),
    /// A row with that key exists already.
    #[error("{constraint} holds each value once")]
    Duplicate {
        /// The unique constraint or index.
        constraint: String,
    },
    /// A rule of the schema refused the write.
    #[error("the database refused: {0}")]
    Refused(String),
    /// A value that no column can hold, such as a text with a NUL character.
    #[error("a value cannot be stored: {0}")]
    Unstorable(String),
    /// A guarded write touched no row: somebody else was first, or the lease was lost.
    #[error("{0} was changed by somebody else in the meantime")]
    Conflict(&'static str),
    /// Stored data does not read back.
    #[error("stored {what} cannot be read: {reason}")]
    Corrupt {
        /// The thing.
        what: String,
        /// Why.
        reason: String,
    },
    /// The disk or bucket is full.
    #[error("artifact storage is full: {0}")]
    Full(#[source] std::io::Error),
    /// The disk or bucket failed otherwise.
    #[error("artifact storage failed: {0}")]
    Artifact(#[source] std::io::Error),
    /// Anything else the driver says.
    #[error("the database failed")]
    Database(#[source] DbErr),
}

impl StorageError {
    /// What is said of a call that was given up after a while.
    pub fn given_up(after: Duration) -> Self {
        Self::Unavailable(DbErr::Custom(format!("it was given up after {} s", after.as_secs_f64())))
    }

    /// Whether the unique constraint of that name was hit.
    pub fn is_duplicate(&self, name: &str) -> bool {
        matches!(self, Self::Duplicate { constraint } if constraint == name)
    }

    /// Whether the same call may go through later without any change.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Of Postgres: a feature that it does not have, namely of a prepared statement to give other columns than it was prepared for.
const OUTDATED: &str = "0A000";

/// Whether a statement was prepared for a schema that has changed since.
pub(crate) fn is_outdated(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver))) = error else {
        return false;
    };
    driver.as_database_error().is_some_and(|error| error.code().as_deref() == Some(OUTDATED))
}

impl From<DbErr> for StorageError {
    fn from(error: DbErr) -> Self {
        let driver = match &error {
            DbErr::ConnectionAcquire(_) => return Self::Unavailable(error),
            DbErr::Conn(RuntimeErr::SqlxError(driver))
            | DbErr::Exec(RuntimeErr::SqlxError(driver))
            | DbErr::Query(RuntimeErr::SqlxError(driver)) => driver.clone(),
            DbErr::Conn(_) => return Self::Unavailable(error),
            _ => return Self::Database(error),
        };
        match driver.as_ref() {
            sea_orm::sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("23505") => {
                    Self::Duplicate { constraint: database.constraint().unwrap_or("the database").to_owned() }
                }
                // A NUL in a text or in JSON; a moment or number out of range.
                Some("22021" | "22P05" | "22008" | "22003") => Self::Unstorable(database.message().to_owned()),
                Some("23001" | "23503" | "23514") => Self::Refused(database.message().to_owned()),
                // Two transactions wait for each other, or read what the other wrote: one is ended, and may go through again. As may a
                // statement that was prepared for another schema.
                Some("40P01" | "40001" | OUTDATED) => Self::Unavailable(error),
                // Class 08: connection; 57P01–57P03: shutdown, crash, start-up; 53300: too many connections.
                Some(code) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                    Self::Unavailable(error)
                }
                _ => Self::Database(error),
            },
            // A connection that ends in the middle of an exchange is told as a broken protocol, or as a transaction that did not begin.
            sea_orm::sqlx::Error::Io(_)
            | sea_orm::sqlx::Error::Protocol(_)
            | sea_orm::sqlx::Error::BeginFailed
            | sea_orm::sqlx::Error::WorkerCrashed
            | sea_orm::sqlx::Error::Tls(_)
            | sea_orm::sqlx::Error::PoolTimedOut
            | sea_orm::sqlx::Error::PoolClosed => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full(error),
            _ => Self::Artifact(error),
        }
    }
}
