//! Problems and their immutable versions.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, ProblemId, ProblemVersionId};
use millrace_domain::problem::{ProblemDocument, ProblemState};

use crate::database::Connection;
use crate::record::{self, Record, Row, values};
use crate::{Result, StorageError};

/// One version.
#[derive(Debug, Clone)]
pub struct ProblemVersion {
    /// Its id.
    pub id: ProblemVersionId,
    /// The problem.
    pub problem: ProblemId,
    /// The problem's slug.
    pub slug: String,
    /// Counts from 1 in the problem.
    pub number: i32,
    /// The document.
    pub document: ProblemDocument,
    /// Its digest.
    pub digest: Digest,
    /// Where it stands.
    pub state: ProblemState,
    /// Who wrote it.
    pub author: AccountId,
    /// The author's name.
    pub author_name: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it went to review.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it was signed off.
    pub approved_at: Option<DateTime<Utc>>,
    /// When the sign-off runs out.
    pub sign_off_ends_at: Option<DateTime<Utc>>,
}

impl Record for ProblemVersion {
    fn read(row: &Row) -> Result<Self> {
        let stored: serde_json::Value = row.get("document")?;
        let document = ProblemDocument::from_json(&stored).map_err(|mistakes| StorageError::Corrupt {
            what: "problem document".to_owned(),
            reason: mistakes.first().map(|m| format!("{} {}", m.pointer, m.message)).unwrap_or_default(),
        })?;
        Ok(Self {
            id: ProblemVersionId(row.get("id")?),
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            number: row.get("number")?,
            document,
            digest: row.digest("digest")?,
            state: row.word("state")?,
            author: AccountId(row.get("author_id")?),
            author_name: row.get("author_name")?,
            created_at: row.get("created_at")?,
            submitted_at: row.get("submitted_at")?,
            approved_at: row.get("approved_at")?,
            sign_off_ends_at: row.get("sign_off_ends_at")?,
        })
    }
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "select v.*, p.slug, a.name as author_name from problem_version v
                join problem p on p.id = v.problem_id join account a on a.id = v.author_id ",
            $rest
        )
    };
}

/// The id of the problem with that slug.
///
/// # Errors
/// When the database fails.
pub async fn find_id(db: &impl Connection, slug: &str) -> Result<Option<ProblemId>> {
    let id: Option<i64> = record::optional(db, "select id from problem where slug = $1", values![slug]).await?;
    Ok(id.map(ProblemId))
}

/// The signed-off versions whose sign-off has not run out and that name sources.
///
/// # Errors
/// When the database fails.
pub async fn with_sources(db: &impl Connection, now: DateTime<Utc>) -> Result<Vec<ProblemVersion>> {
    const SQL: &str = select_version!(
        "where v.state = 'approved' and v.document ? 'sources'
           and (v.sign_off_ends_at is null or v.sign_off_ends_at > $1) order by p.slug"
    );
    record::all(db, SQL, values![now]).await
}

/// The signed-off versions whose business metric is due to be read by a query.
///
/// # Errors
/// When the database fails.
pub async fn with_business_due(db: &impl Connection, now: DateTime<Utc>) -> Result<Vec<ProblemVersionId>> {
    const SQL: &str = "select v.id from problem_version v left join business_look b on b.problem_id = v.problem_id
        where v.state = 'approved' and v.document -> 'business' ? 'query'
            and (b.problem_id is null or b.next_at <= $1 or b.looked_at < v.approved_at) order by v.id";
    let due: Vec<i64> = record::all(db, SQL, values![now]).await?;
    Ok(due.into_iter().map(ProblemVersionId).collect())
}

/// The problems that had a live model, if not now, whose signed document says when a new one is trained, by slug.
///
/// # Errors
/// When the database fails.
pub async fn retrained(db: &impl Connection) -> Result<Vec<String>> {
    const SQL: &str = "select p.slug from problem p join problem_version v on v.problem_id = p.id
            join deployment d on d.problem_id = p.id
        where v.state = 'approved' and v.document ? 'retraining' order by p.slug";
    record::all(db, SQL, values![]).await
}

/// Locks a problem until the transaction ends: versions and decisions of one problem are made one after the other.
///
/// # Errors
/// When the database fails.
pub async fn lock(db: &impl Connection, problem: ProblemId) -> Result<()> {
    record::execute(db, "select 1 from problem where id = $1 for update", values![problem.0]).await.map(|_| ())
}

/// Locks several problems, in an order that all who lock several keep. Rows that refer to them may be written meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn lock_all(db: &impl Connection, problems: &[ProblemId]) -> Result<()> {
    const SQL: &str = "select 1 from problem where id in (select e::bigint from jsonb_array_elements_text($1) e)
        order by id for no key update";
    let problems: Vec<i64> = problems.iter().map(|problem| problem.0).collect();
    record::execute(db, SQL, values![serde_json::json!(problems)]).await.map(|_| ())
}

/// Makes a problem.
///
/// # Errors
/// [`StorageError::Duplicate`] when the slug is taken.
pub async fn insert(db: &impl Connection, slug: &str, now: DateTime<Utc>) -> Result<ProblemId> {
    const SQL: &str = "insert into problem (slug, created_at) values ($1, $2) returning id";
    record::one(db, SQL, values![slug, now]).await.map(ProblemId)
}

/// Adds a draft, superseding an open version; the approved version stays until the draft is approved.
///
/// # Errors
/// When the database fails.
pub async fn insert_version(
    db: &impl Connection,
    problem: ProblemId,
    document: &ProblemDocument,
    author: AccountId,
    now: DateTime<Utc>,
) -> Result<ProblemVersionId> {
    const SUPERSEDE: &str = "update problem_version set state = 'superseded'
        where problem_id = $1 and state in ('draft', 'in_review')";
    record::execute(db, SUPERSEDE, values![problem.0]).await?;
    const SQL: &str = "insert into problem_version (problem_id, number, document, digest, state, author_id, created_at)
        values ($1, (select coalesce(max(number), 0) + 1 from problem_version where problem_id = $1),
                $2, $3, 'draft', $4, $5) returning id";
    let digest = record::bytes(&document.digest());
    let stored = values![problem.0, document.to_json(), digest, author.0, now];
    record::one(db, SQL, stored).await.map(ProblemVersionId)
}

/// A version by id.
///
/// # Errors
/// When the database fails.
pub async fn find_version(db: &impl Connection, id: ProblemVersionId) -> Result<Option<ProblemVersion>> {
    record::optional(db, select_version!("where v.id = $1"), values![id.0]).await
}

/// A version by slug and number.
///
/// # Errors
/// When the database fails.
pub async fn find_numbered(db: &impl Connection, slug: &str, number: i32) -> Result<Option<ProblemVersion>> {
    record::optional(db, select_version!("where p.slug = $1 and v.number = $2"), values![slug, number]).await
}

/// The versions of a problem, newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(db: &impl Connection, slug: &str) -> Result<Vec<ProblemVersion>> {
    record::all(db, select_version!("where p.slug = $1 order by v.number desc limit 200"), values![slug]).await
}

/// The newest version of a problem.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &impl Connection, slug: &str) -> Result<Option<ProblemVersion>> {
    record::optional(db, select_version!("where p.slug = $1 order by v.number desc limit 1"), values![slug]).await
}

/// The approved version of a problem.
///
/// # Errors
/// When the database fails.
pub async fn approved(db: &impl Connection, slug: &str) -> Result<Option<ProblemVersion>> {
    record::optional(db, select_version!("where p.slug = $1 and v.state = 'approved'"), values![slug]).await
}

/// The version that the live model of a problem was trained for.
///
/// # Errors
/// When the database fails.
pub async fn of_live_model(db: &impl Connection, slug: &str) -> Result<Option<ProblemVersion>> {
    const SQL: &str = select_version!(
        "join run r on r.problem_version_id = v.id join model_version m on m.run_id = r.id
         join deployment d on d.champion_id = m.id where p.slug = $1"
    );
    record::optional(db, SQL, values![slug]).await
}

/// The newest version of every problem, by slug.
///
/// # Errors
/// When the database fails.
pub async fn list_newest(db: &impl Connection) -> Result<Vec<ProblemVersion>> {
    const SQL: &str = select_version!(
        "where v.number = (select max(n.number) from problem_version n where n.problem_id = v.problem_id)
         order by p.slug limit 1000"
    );
    record::all(db, SQL, values![]).await
}

/// All versions in review, and signed-off ones whose sign-off has run out, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list_in_review(db: &impl Connection, now: DateTime<Utc>) -> Result<Vec<ProblemVersion>> {
    const SQL: &str = select_version!(
        "where v.state = 'in_review' or (v.state = 'approved' and v.sign_off_ends_at <= $1)
         order by v.submitted_at limit 200"
    );
    record::all(db, SQL, values![now]).await
}

/// Notes when the sign-off of an approved version runs out; never when that is none.
///
/// # Errors
/// [`StorageError::Conflict`] when it is not approved.
pub async fn set_sign_off_end(
    db: &impl Connection,
    version: ProblemVersionId,
    ends_at: Option<DateTime<Utc>>,
) -> Result<()> {
    const SQL: &str = "update problem_version set sign_off_ends_at = $2 where id = $1 and state = 'approved'";
    record::guarded(db, "the problem version", SQL, values![version.0, ends_at]).await
}

/// Moves a version from one state to the next.
///
/// # Errors
/// [`StorageError::Conflict`] when it no longer stands at `from`.
pub async fn set_state(
    db: &impl Connection,
    version: ProblemVersionId,
    from: ProblemState,
    to: ProblemState,
    now: DateTime<Utc>,
) -> Result<()> {
    if to == ProblemState::Approved {
        const SUPERSEDE: &str = "update problem_version set state = 'superseded'
            where state = 'approved' and problem_id = (select problem_id from problem_version where id = $1)";
        record::execute(db, SUPERSEDE, values![version.0]).await?;
    }
    const SQL: &str = "update problem_version set state = $3,
            submitted_at = case when $3 = 'in_review' then $4 else submitted_at end,
            approved_at = case when $3 = 'approved' then $4 else approved_at end
        where id = $1 and state = $2";
    record::guarded(db, "the problem version", SQL, values![version.0, from.as_str(), to.as_str(), now]).await
}
