//! The audit trail in the database.

use chrono::{DateTime, SubsecRound, Utc};
use millrace_domain::Digest;
use millrace_domain::audit::{BrokenChain, Entry, GENESIS, Outcome, Verifier};
use millrace_domain::policy::Origin;

use crate::database::{Connection, Transaction};
use crate::record::{self, Record, Row, values};
use crate::{Result, StorageError};

/// An act to be recorded.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// Who: a mail address, `host` or `system`.
    pub actor: &'a str,
    /// How they were recognised.
    pub via: &'a str,
    /// What, for example `problem.approve`.
    pub action: &'a str,
    /// On what.
    pub object: String,
    /// Digest of the object as seen.
    pub digest: Option<Digest>,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the request came from.
    pub origin: &'a Origin,
    /// What else is worth keeping.
    pub details: serde_json::Value,
}

/// A stored link of the chain.
#[derive(Debug, Clone)]
pub struct Link {
    /// The entry.
    pub entry: Entry,
    /// Its recorded hash.
    pub hash: Digest,
}

impl Record for Link {
    fn read(row: &Row) -> Result<Self> {
        let outcome: String = row.get("outcome")?;
        let entry = Entry {
            sequence: row.get("sequence")?,
            at: row.get("at")?,
            actor: row.get("actor")?,
            via: row.get("via")?,
            action: row.get("action")?,
            object: row.get("object")?,
            digest: row.get::<Option<String>>("digest")?.and_then(|text| text.parse().ok()),
            outcome: if outcome == Outcome::Done.as_str() { Outcome::Done } else { Outcome::Refused },
            address: row.get("address")?,
            request: row.get("request")?,
            details: row.get("details")?,
        };
        Ok(Self { entry, hash: row.digest("hash")? })
    }
}

/// Details of more bytes than this are left out, but for their size and digest.
const MOST_DETAILS: usize = 16 * 1024;
/// An object's name is kept up to so many characters.
const MOST_OBJECT: usize = 300;

/// Key of the advisory lock that serialises appends: "audit" in ASCII.
const LOCK: i64 = 0x61_75_64_69_74;

/// Appends an act in the act's own transaction. Appends are serialised until that transaction ends, so the chain never
/// forks.
///
/// # Errors
/// When the database fails; the act must then not be committed.
pub async fn append(tx: &Transaction, act: Act<'_>, now: DateTime<Utc>) -> Result<Entry> {
    record::execute(tx, "select pg_advisory_xact_lock($1)", values![LOCK]).await?;
    let last: Option<Link> =
        record::optional(tx, "select * from audit order by sequence desc limit 1", values![]).await?;
    let (sequence, previous) = last.map_or((1, GENESIS), |link| (link.entry.sequence + 1, link.hash));
    let entry = Entry {
        sequence,
        at: now.trunc_subsecs(6),
        actor: act.actor.to_owned(),
        via: act.via.to_owned(),
        action: act.action.to_owned(),
        object: act.object.chars().take(MOST_OBJECT).collect(),
        digest: act.digest,
        outcome: act.outcome,
        address: act.origin.address.clone(),
        request: act.origin.request.clone(),
        details: bounded(act.details),
    };
    const SQL: &str =
        "insert into audit (sequence, at, actor, via, action, object, digest, outcome, details, hash, address, request)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let hash = entry.hash(&previous);
    let stored = values![
        entry.sequence,
        entry.at,
        entry.actor.clone(),
        entry.via.clone(),
        entry.action.clone(),
        entry.object.clone(),
        entry.digest.map(|digest| digest.to_string()),
        entry.outcome.as_str(),
        entry.details.clone(),
        record::bytes(&hash),
        entry.address.clone(),
        entry.request.clone(),
    ];
    record::execute(tx, SQL, stored).await?;
    Ok(entry)
}

/// Nobody fills the trail with what they send.
fn bounded(details: serde_json::Value) -> serde_json::Value {
    let text = details.to_string();
    if text.len() <= MOST_DETAILS {
        return details;
    }
    serde_json::json!({ "left_out_bytes": text.len(), "left_out_digest": Digest::of(text), "account": details["account"] })
}

/// A slice of the trail, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this actor.
    pub actor: Option<String>,
    /// Only actions that begin so.
    pub action: Option<String>,
    /// Only objects that begin so.
    pub object: Option<String>,
    /// Only from this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Only before this moment.
    pub to: Option<DateTime<Utc>>,
    /// Only entries before this sequence number.
    pub before: Option<i64>,
}

/// At most `limit` entries that pass the filter, newest first. Index: primary key.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, filter: &Filter, limit: u32) -> Result<Vec<Link>> {
    const SQL: &str = "select * from audit
        where ($1::text is null or actor = $1)
          and ($2::text is null or starts_with(action, $2))
          and ($3::text is null or starts_with(object, $3))
          and ($4::bigint is null or sequence < $4)
          and ($5::timestamptz is null or at >= $5)
          and ($6::timestamptz is null or at < $6)
        order by sequence desc limit $7";
    let filter = values![
        filter.actor.clone(),
        filter.action.clone(),
        filter.object.clone(),
        filter.before,
        filter.from,
        filter.to,
        i64::from(limit)
    ];
    record::all(db, SQL, filter).await
}

/// An entry with the hash of the one before it.
#[derive(Debug)]
pub struct Placed {
    /// The entry and its hash.
    pub link: Link,
    /// The hash before.
    pub previous: Digest,
}

impl Record for Placed {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { link: Link::read(row)?, previous: row.optional_digest("previous")?.unwrap_or(GENESIS) })
    }
}

/// The entries on these objects, in their order, up to 1,000.
///
/// # Errors
/// When the database fails.
pub async fn on(db: &impl Connection, objects: &[String]) -> Result<Vec<Placed>> {
    const SQL: &str = "select a.*, b.hash as previous from audit a left join audit b on b.sequence = a.sequence - 1
        where a.object in (select jsonb_array_elements_text($1)) order by a.sequence limit 1000";
    record::all(db, SQL, values![serde_json::json!(objects)]).await
}

/// Follows the whole chain.
///
/// # Errors
/// When the database fails.
pub async fn verify(db: &impl Connection) -> Result<std::result::Result<Verifier, BrokenChain>> {
    const PAGE: i64 = 1_000;
    let mut verifier = Verifier::default();
    loop {
        const SQL: &str = "select * from audit where sequence > $1 order by sequence limit $2";
        let page: Vec<Link> = record::all(db, SQL, values![verifier.length(), PAGE]).await?;
        for link in &page {
            if let Err(broken) = verifier.accept(&link.entry, &link.hash) {
                return Ok(Err(broken));
            }
        }
        if (page.len() as i64) < PAGE {
            return Ok(Ok(verifier));
        }
    }
}

/// Position and hash of the newest entry.
///
/// # Errors
/// When the database fails.
pub async fn head(db: &impl Connection) -> Result<Option<(i64, Digest)>> {
    let last: Option<Link> =
        record::optional(db, "select * from audit order by sequence desc limit 1", values![]).await?;
    Ok(last.map(|link| (link.entry.sequence, link.hash)))
}

impl From<BrokenChain> for StorageError {
    fn from(broken: BrokenChain) -> Self {
        Self::Corrupt { what: "audit trail".to_owned(), reason: broken.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_that_are_too_large_leave_their_size_and_digest() {
        let small = json!({ "account": 7, "reason": "because" });
        assert_eq!(bounded(small.clone()), small);
        let kept = bounded(json!({ "account": 7, "reason": "x".repeat(200_000) }));
        assert_eq!((&kept["account"], kept.to_string().len() < 200), (&json!(7), true));
        assert_eq!(kept["left_out_bytes"], 200_000 + json!({ "account": 7, "reason": "" }).to_string().len());
    }
}
