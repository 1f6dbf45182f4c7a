//! Who asked which model version for predictions.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{ModelVersionId, ProblemId};
use serde::Serialize;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// When a version was asked with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The version that answered.
    pub version: ModelVersionId,
    /// The token that was shown.
    pub token: i64,
    /// The first time.
    pub first_at: DateTime<Utc>,
    /// The last time.
    pub last_at: DateTime<Utc>,
}

/// Writes down who asked. Writing the same again changes nothing, and several servers widen each other's times.
///
/// # Errors
/// When the database fails.
pub async fn note(db: &impl Connection, calls: &[Call]) -> Result<()> {
    // In one order, so that two servers never wait for each other's rows crosswise.
    const SQL: &str = "insert into version_caller (model_version_id, token_id, first_at, last_at)
        select (c ->> 'version')::bigint, (c ->> 'token')::bigint,
            (c ->> 'first_at')::timestamptz, (c ->> 'last_at')::timestamptz
        from jsonb_array_elements($1) c order by 1, 2
        on conflict (model_version_id, token_id) do update
        set first_at = least(version_caller.first_at, excluded.first_at),
            last_at = greatest(version_caller.last_at, excluded.last_at)";
    record::execute(db, SQL, values![serde_json::json!(calls)]).await.map(|_| ())
}

/// Somebody who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Their name.
    pub name: String,
    /// The name of the token they showed.
    pub token: String,
    /// The first time.
    pub first_at: DateTime<Utc>,
    /// The last time.
    pub last_at: DateTime<Utc>,
}

impl Record for Caller {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            token: row.get("token")?,
            first_at: row.get("first_at")?,
            last_at: row.get("last_at")?,
        })
    }
}

/// Who asked a version, those that asked last first.
///
/// # Errors
/// When the database fails.
pub async fn of_version(db: &impl Connection, version: ModelVersionId, most: i64) -> Result<Vec<Caller>> {
    const SQL: &str = "select a.name, t.name as token, c.first_at, c.last_at
        from version_caller c join api_token t on t.id = c.token_id join account a on a.id = t.account_id
        where c.model_version_id = $1 order by c.last_at desc, a.name, c.token_id limit $2";
    record::all(db, SQL, values![version.0, most]).await
}

/// When any version of each model was last asked.
///
/// # Errors
/// When the database fails.
pub async fn last_of_problems(db: &impl Connection) -> Result<Vec<(ProblemId, DateTime<Utc>)>> {
    struct Last((ProblemId, DateTime<Utc>));
    impl Record for Last {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self((ProblemId(row.get("problem_id")?), row.get("last_at")?)))
        }
    }
    const SQL: &str = "select m.problem_id, max(c.last_at) as last_at
        from version_caller c join model_version m on m.id = c.model_version_id group by m.problem_id";
    Ok(record::all::<Last>(db, SQL, values![]).await?.into_iter().map(|last| last.0).collect())
}
