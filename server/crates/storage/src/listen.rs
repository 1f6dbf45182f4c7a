//! NOTIFY, to be quick; whoever listens also polls, to be sure.

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{DbErr, RuntimeErr};

use crate::{Database, Result, StorageError};

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The channel: `millrace_step`, `millrace_event`, `millrace_routing`.
    pub channel: String,
    /// What the trigger wrote.
    pub payload: String,
}

/// A connection that listens.
#[derive(Debug)]
pub struct Notifications(PgListener);

impl Database {
    /// Listens on the channels.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn listen(&self, channels: &[&str]) -> Result<Notifications> {
        let mut listener =
            PgListener::connect_with(self.pool().get_postgres_connection_pool()).await.map_err(unavailable)?;
        listener.listen_all(channels.iter().copied()).await.map_err(unavailable)?;
        Ok(Notifications(listener))
    }
}

impl Notifications {
    /// The next notification; none when the connection was lost and made anew, so something may have been missed.
    ///
    /// # Errors
    /// When the connection cannot be made anew.
    pub async fn next(&mut self) -> Result<Option<Notification>> {
        match self.0.try_recv().await {
            Ok(found) => Ok(found.map(|notification| Notification {
                channel: notification.channel().to_owned(),
                payload: notification.payload().to_owned(),
            })),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: sea_orm::sqlx::Error) -> StorageError {
    StorageError::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}
