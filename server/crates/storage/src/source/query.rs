//! The rows of a query, in a read-only transaction of another Postgres.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection as _};

use super::files::Wanted;
use super::place::{Found, SourceError, by_digest, too_large, unkept, wrong};
use crate::artifact::ArtifactStore;

/// How long it may take to read all rows.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a database may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(30);
/// No mean is larger: sums of values stay numbers.
const MOST_SIZE: f64 = 1e15;

/// A connection on which nothing can be written, and no statement takes longer than that.
async fn connect(url: &str, longest: Duration) -> Result<PgConnection, SourceError> {
    let options: PgConnectOptions = url.parse().map_err(|_| wrong("the connection's address is not understood"))?;
    let longest = longest.as_millis().to_string();
    let options = options
        .options([
            ("default_transaction_read_only", "on"),
            ("statement_timeout", longest.as_str()),
            ("timezone", "UTC"),
        ])
        .disable_statement_logging();
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(SourceError::late(PATIENCE)),
    }
}

fn failed(error: sea_orm::sqlx::Error) -> SourceError {
    match error {
        sea_orm::sqlx::Error::Database(error) => wrong(format!("the database says: {}", error.message())),
        _ => wrong("the database cannot be reached"),
    }
}

/// The means of a query's values in stretches of time, and of how many; none of stretches without any.
pub(super) async fn means(
    url: &str,
    query: &str,
    stretches: &[(DateTime<Utc>, DateTime<Utc>)],
    longest: Duration,
) -> Result<Vec<Option<(f64, u64)>>, SourceError> {
    let (Some(first), Some(last)) = (stretches.iter().map(|s| s.0).min(), stretches.iter().map(|s| s.1).max()) else {
        return Ok(Vec::new());
    };
    let moment = |at: DateTime<Utc>| format!("timestamptz '{}'", at.format("%Y-%m-%d %H:%M:%S%.6f+00"));
    let places = stretches.iter().enumerate();
    let places = places.map(|(place, (begins, ends))| format!("({place}, {}, {})", moment(*begins), moment(*ends)));
    let places = places.collect::<Vec<_>>().join(", ");
    let (first, last) = (moment(first), moment(last));
    // The query is one that the document's reader has parsed as one SELECT and written out again.
    let statement = format!(
        "select w.place::bigint, avg(q.value::numeric)::float8, count(q.value)
         from (values {places}) w (place, begins, ends) join ({query}) q on q.at >= w.begins and q.at < w.ends
         where q.at >= {first} and q.at < {last} group by w.place"
    );
    let mut connection = connect(url, longest).await?;
    let found = sea_orm::sqlx::query_as::<_, (i64, Option<f64>, i64)>(AssertSqlSafe(statement));
    let found = found.fetch_all(&mut connection).await.map_err(failed)?;
    // The means are here; how the connection ends no longer matters.
    let _ = connection.close().await;
    let mut means = vec![None; stretches.len()];
    for (place, mean, n) in found {
        let (Some(mean), Some(slot)) = (mean, usize::try_from(place).ok().and_then(|place| means.get_mut(place)))
        else {
            continue;
        };
        if !(-MOST_SIZE..=MOST_SIZE).contains(&mean) {
            return Err(wrong(format!("a value is no number from -{MOST_SIZE:e} to {MOST_SIZE:e}")));
        }
        *slot = Some((mean, n.unsigned_abs()));
    }
    Ok(means)
}

pub(super) async fn run(
    url: &str,
    query: &str,
    wanted: Wanted<'_>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    let mut connection = connect(url, LONGEST).await?;
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
