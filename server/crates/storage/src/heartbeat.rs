//! When what must never stand still was last seen at work, by the database's clock.

use millrace_domain::heartbeat::{Heart, Heartbeat};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

impl Record for Heartbeat {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { heart: row.word("name")?, beat_at: row.get("beat_at")?, told_at: row.get("told_at")? })
    }
}

/// It is at work.
///
/// # Errors
/// When the database fails.
pub async fn beat(db: &impl Connection, heart: Heart) -> Result<()> {
    const SQL: &str = "insert into heartbeat (name, beat_at) values ($1, now())
        on conflict (name) do update set beat_at = excluded.beat_at";
    record::execute(db, SQL, values![heart.as_str()]).await.map(|_| ())
}

/// All of them.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection) -> Result<Vec<Heartbeat>> {
    record::all(db, "select * from heartbeat order by name", Vec::new()).await
}

/// All of them, held until the transaction ends, so that one server alone tells of what stands still.
///
/// # Errors
/// When the database fails.
pub async fn hold(db: &impl Connection) -> Result<Vec<Heartbeat>> {
    record::all(db, "select * from heartbeat order by name for update", Vec::new()).await
}

/// Notes that it has been told that one stands still, or that it is at work again.
///
/// # Errors
/// When the database fails.
pub async fn told(db: &impl Connection, heart: Heart, stands_still: bool) -> Result<()> {
    const SQL: &str = "update heartbeat set told_at = case when $2 then now() end where name = $1";
    record::execute(db, SQL, values![heart.as_str(), stands_still]).await.map(|_| ())
}
