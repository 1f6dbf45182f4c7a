//! Datasets and their immutable versions.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, DatasetId, DatasetVersionId, ProblemId, ProblemVersionId};
use millrace_domain::run::DatasetState;
use millrace_domain::schema::{Profile, ValidationReport};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// One load of a dataset.
#[derive(Debug, Clone)]
pub struct DatasetVersion {
    /// Its id.
    pub id: DatasetVersionId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The dataset's name.
    pub name: String,
    /// Slug of the problem it belongs to.
    pub problem: String,
    /// Counts from 1 in the dataset.
    pub number: i32,
    /// The problem version it is checked against.
    pub problem_version: ProblemVersionId,
    /// Where it stands.
    pub state: DatasetState,
    /// Name of the file as it was given.
    pub file_name: String,
    /// Artifact of the source's bytes.
    pub source: Digest,
    /// Size of the source in bytes.
    pub source_bytes: i64,
    /// Digest over every cell.
    pub digest: Option<Digest>,
    /// Artifact of the typed frame (Parquet).
    pub frame: Option<Digest>,
    /// Format of the source.
    pub format: Option<String>,
    /// Data rows.
    pub rows: Option<i64>,
    /// What is known of its columns.
    pub profile: Option<Profile>,
    /// What validation found.
    pub report: Option<ValidationReport>,
    /// Why it could not be read.
    pub failure: Option<serde_json::Value>,
    /// Who brought it.
    pub author: AccountId,
    /// Their name.
    pub author_name: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was read and checked.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Record for DatasetVersion {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: DatasetVersionId(row.get("id")?),
            dataset: DatasetId(row.get("dataset_id")?),
            name: row.get("name")?,
            problem: row.get("slug")?,
            number: row.get("number")?,
            problem_version: ProblemVersionId(row.get("problem_version_id")?),
            state: row.word("state")?,
            file_name: row.get("file_name")?,
            source: row.digest("source")?,
            source_bytes: row.get("source_bytes")?,
            digest: row.optional_digest("digest")?,
            frame: row.optional_digest("frame")?,
            format: row.get("format")?,
            rows: row.get("rows")?,
            profile: row.optional_json("profile")?,
            report: row.optional_json("report")?,
            failure: row.get("failure")?,
            author: AccountId(row.get("author_id")?),
            author_name: row.get("author_name")?,
            created_at: row.get("created_at")?,
            finished_at: row.get("finished_at")?,
        })
    }
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "select v.*, d.name, p.slug, a.name as author_name, s.bytes as source_bytes from dataset_version v
                join dataset d on d.id = v.dataset_id join problem p on p.id = d.problem_id
                join account a on a.id = v.author_id join artifact s on s.digest = v.source ",
            $rest
        )
    };
}

/// The dataset of that name, made if it does not exist.
///
/// # Errors
/// When the database fails.
pub async fn ensure(db: &impl Connection, problem: ProblemId, name: &str, now: DateTime<Utc>) -> Result<DatasetId> {
    const SQL: &str = "insert into dataset (problem_id, name, created_at) values ($1, $2, $3)
        on conflict (problem_id, name) do update set name = excluded.name returning id";
    record::one(db, SQL, values![problem.0, name, now]).await.map(DatasetId)
}

/// A version to be loaded.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// The dataset.
    pub dataset: DatasetId,
    /// The problem version it is checked against.
    pub problem_version: ProblemVersionId,
    /// Name of the file as it was given.
    pub file_name: &'a str,
    /// Artifact of the source's bytes.
    pub source: Digest,
    /// Who brings it.
    pub author: AccountId,
}

/// Adds a version that is loading.
///
/// # Errors
/// When the database fails.
pub async fn insert_version(
    db: &impl Connection,
    version: &NewVersion<'_>,
    now: DateTime<Utc>,
) -> Result<DatasetVersionId> {
    const SQL: &str = "insert into dataset_version
            (dataset_id, number, problem_version_id, state, file_name, source, author_id, created_at)
        values ($1, (select coalesce(max(number), 0) + 1 from dataset_version where dataset_id = $1),
                $2, 'loading', $3, $4, $5, $6) returning id";
    let stored = values![
        version.dataset.0,
        version.problem_version.0,
        version.file_name,
        record::bytes(&version.source),
        version.author.0,
        now
    ];
    record::one(db, SQL, stored).await.map(DatasetVersionId)
}

/// The version that holds the same bytes, checked against the same document, if one is loading or valid.
///
/// # Errors
/// When the database fails.
pub async fn find_same(db: &impl Connection, version: &NewVersion<'_>) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.dataset_id = $1 and v.source = $2 and v.problem_version_id = $3 and v.state in ('loading', 'valid')"
    );
    let wanted = values![version.dataset.0, record::bytes(&version.source), version.problem_version.0];
    record::optional(db, SQL, wanted).await
}

/// A version by id.
///
/// # Errors
/// When the database fails.
pub async fn find_version(db: &impl Connection, id: DatasetVersionId) -> Result<Option<DatasetVersion>> {
    record::optional(db, select_version!("where v.id = $1"), values![id.0]).await
}

/// A version by dataset and number.
///
/// # Errors
/// When the database fails.
pub async fn find_numbered(db: &impl Connection, dataset: DatasetId, number: i32) -> Result<Option<DatasetVersion>> {
    record::optional(db, select_version!("where d.id = $1 and v.number = $2"), values![dataset.0, number]).await
}

/// The versions of a dataset, newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(db: &impl Connection, dataset: DatasetId) -> Result<Vec<DatasetVersion>> {
    record::all(db, select_version!("where d.id = $1 order by v.number desc limit 200"), values![dataset.0]).await
}

/// The newest version of every dataset, newest first; of one problem if a slug is given.
///
/// # Errors
/// When the database fails.
pub async fn list_newest(db: &impl Connection, problem: Option<&str>) -> Result<Vec<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.number = (select max(n.number) from dataset_version n where n.dataset_id = v.dataset_id)
           and ($1::text is null or p.slug = $1)
         order by v.id desc limit 200"
    );
    record::all(db, SQL, values![problem.map(str::to_owned)]).await
}

/// The valid versions of a problem's datasets, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_valid(db: &impl Connection, problem: &str) -> Result<Vec<DatasetVersion>> {
    const SQL: &str = select_version!("where p.slug = $1 and v.state = 'valid' order by v.id desc limit 200");
    record::all(db, SQL, values![problem]).await
}

/// The newest valid version of the same dataset before this one.
///
/// # Errors
/// When the database fails.
pub async fn find_previous_valid(db: &impl Connection, version: &DatasetVersion) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.dataset_id = $1 and v.number < $2 and v.state = 'valid' order by v.number desc limit 1"
    );
    record::optional(db, SQL, values![version.dataset.0, version.number]).await
}

/// Records what ingestion read.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the version is no longer loading.
pub async fn set_ingested(
    db: &impl Connection,
    id: DatasetVersionId,
    digest: &Digest,
    frame: &Digest,
    format: &str,
    rows: i64,
    profile: &Profile,
) -> Result<()> {
    const SQL: &str = "update dataset_version set digest = $2, frame = $3, format = $4, rows = $5, profile = $6
        where id = $1 and state = 'loading'";
    let stored = values![id.0, record::bytes(digest), record::bytes(frame), format, rows, serde_json::json!(profile)];
    record::guarded(db, "the dataset version", SQL, stored).await
}

/// Ends loading with what validation found.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the version is no longer loading.
pub async fn set_validated(
    db: &impl Connection,
    id: DatasetVersionId,
    state: DatasetState,
    report: &ValidationReport,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "update dataset_version set state = $2, report = $3, finished_at = $4
        where id = $1 and state = 'loading'";
    record::guarded(db, "the dataset version", SQL, values![id.0, state.as_str(), serde_json::json!(report), now]).await
}

/// Ends loading because the source could not be read.
///
/// # Errors
/// When the database fails.
pub async fn set_failed(
    db: &impl Connection,
    id: DatasetVersionId,
    failure: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "update dataset_version set state = 'rejected', failure = $2, finished_at = $3
        where id = $1 and state = 'loading'";
    record::execute(db, SQL, values![id.0, failure.clone(), now]).await.map(|_| ())
}
