//! The rows of a query, in a read-only transaction of another Postgres.

use futures::TryStreamExt;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{ConnectOptions, Connection as _};

use super::files::Wanted;
use super::place::{Found, SourceError, by_digest, too_large, unkept, wrong};
use crate::artifact::ArtifactStore;

pub(super) async fn run(
    url: &str,
    query: &str,
    wanted: Wanted<'_>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    let failed = |error: sea_orm::sqlx::Error| match error {
        sea_orm::sqlx::Error::Database(error) => wrong(format!("the database says: {}", error.message())),
        _ => wrong("the database cannot be reached"),
    };
    let options: PgConnectOptions = url.parse().map_err(|_| wrong("the connection's address is not understood"))?;
    let options = options
        .options([("default_transaction_read_only", "on"), ("statement_timeout", "300000")])
        .disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let statement = format!("copy ({query}) to stdout with (format csv, header)");
    let mut content = artifacts.draft().map_err(unkept)?;
    {
        let mut rows = connection.copy_out_raw(&statement).await.map_err(failed)?;
        while let Some(piece) = rows.try_next().await.map_err(failed)? {
            too_large(content.bytes() + piece.len() as u64)?;
            content = content.take(piece).await.map_err(unkept)?;
        }
    }
    // The rows are here; how the connection ends no longer matters.
    let _ = connection.close().await;
    Ok(by_digest("query.csv".to_owned(), content, None, wanted))
}
