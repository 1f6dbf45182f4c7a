//! Datasets and their immutable versions.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, DatasetId, DatasetVersionId, ProblemId, ProblemVersionId};
use millrace_domain::mute::Mute;
use millrace_domain::run::{DatasetRole, DatasetState};
use millrace_domain::schema::{Finding, Profile, ValidationReport};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};
use crate::run::Run;

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
    /// What its rows are to the problem.
    pub role: DatasetRole,
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
    /// The version whose rows come before those of this load.
    pub base: Option<DatasetVersionId>,
    /// Its number.
    pub base_number: Option<i32>,
    /// The version whose rows that were set aside this load brings back.
    pub corrects: Option<DatasetVersionId>,
    /// Its number.
    pub corrects_number: Option<i32>,
    /// Artifact of the rows that were set aside (CSV).
    pub aside: Option<Digest>,
    /// How many they are.
    pub aside_rows: i64,
    /// Number of the version that brought them back, or is about to.
    pub corrected_by: Option<i32>,
    /// What is muted of its dataset, or was until its day came.
    pub mutes: Vec<Mute>,
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
            role: row.word("role")?,
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
            base: row.get::<Option<i64>>("base_id")?.map(DatasetVersionId),
            base_number: row.get("base_number")?,
            corrects: row.get::<Option<i64>>("corrects_id")?.map(DatasetVersionId),
            corrects_number: row.get("corrects_number")?,
            aside: row.optional_digest("aside")?,
            aside_rows: row.get("aside_rows")?,
            corrected_by: row.get("corrected_by")?,
            mutes: row.json("mutes")?,
        })
    }
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!(
            "select v.*, d.name, p.slug, a.name as author_name, s.bytes as source_bytes,
                (select b.number from dataset_version b where b.id = v.base_id) as base_number,
                (select c.number from dataset_version c where c.id = v.corrects_id) as corrects_number,
                (select c.number from dataset_version c where c.corrects_id = v.id and c.state in ('loading', 'valid'))
                    as corrected_by,
                (select coalesce(jsonb_agg(jsonb_build_object('id', m.id::text, 'check', m.check_name,
                            'column', m.column_name, 'severity', m.severity, 'reason', m.reason, 'by', b.name, 'at', m.muted_at,
                            'until', m.until) order by m.id), '[]'::jsonb)
                    from check_mute m join account b on b.id = m.muted_by
                    where m.dataset_id = v.dataset_id and m.lifted_at is null) as mutes
             from dataset_version v
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
    /// What its rows are to the problem.
    pub role: DatasetRole,
    /// Name of the file as it was given.
    pub file_name: &'a str,
    /// Artifact of the source's bytes.
    pub source: Digest,
    /// Who brings it.
    pub author: AccountId,
    /// The version whose rows come before.
    pub base: Option<DatasetVersionId>,
    /// The version whose rows that were set aside are brought back.
    pub corrects: Option<DatasetVersionId>,
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
            (dataset_id, number, problem_version_id, state, file_name, source, author_id, created_at, base_id, corrects_id, role)
        values ($1, (select coalesce(max(number), 0) + 1 from dataset_version where dataset_id = $1),
                $2, 'loading', $3, $4, $5, $6, $7, $8, $9) returning id";
    let stored = values![
        version.dataset.0,
        version.problem_version.0,
        version.file_name,
        record::bytes(&version.source),
        version.author.0,
        now,
        version.base.map(|base| base.0),
        version.corrects.map(|corrects| corrects.0),
        version.role.as_str()
    ];
    record::one(db, SQL, stored).await.map(DatasetVersionId)
}

/// The newest version that is loading or valid, if it holds the same bytes after the same rows, checked against the same document.
///
/// # Errors
/// When the database fails.
pub async fn find_same(db: &impl Connection, version: &NewVersion<'_>) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.dataset_id = $1 and v.source = $2 and v.problem_version_id = $3 and v.base_id is not distinct from $4
           and v.state in ('loading', 'valid')
           and not exists (select from dataset_version w
               where w.dataset_id = v.dataset_id and w.number > v.number and w.state in ('loading', 'valid'))"
    );
    let base = version.base.map(|base| base.0);
    let wanted = values![version.dataset.0, record::bytes(&version.source), version.problem_version.0, base];
    record::optional(db, SQL, wanted).await
}

/// A version and those whose rows come before its own, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn lineage(db: &impl Connection, version: DatasetVersionId) -> Result<Vec<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.id in (with recursive before as (
                select id, base_id from dataset_version where id = $1
                union all select b.id, b.base_id from dataset_version b join before on b.id = before.base_id)
            select id from before) order by v.number desc"
    );
    record::all(db, SQL, values![version.0]).await
}

/// The newest version of a dataset that is loading or valid.
///
/// # Errors
/// When the database fails.
pub async fn find_newest(db: &impl Connection, dataset: DatasetId) -> Result<Option<DatasetVersion>> {
    const SQL: &str =
        select_version!("where v.dataset_id = $1 and v.state in ('loading', 'valid') order by v.number desc limit 1");
    record::optional(db, SQL, values![dataset.0]).await
}

/// A version by id.
///
/// # Errors
/// When the database fails.
pub async fn find_version(db: &impl Connection, id: DatasetVersionId) -> Result<Option<DatasetVersion>> {
    record::optional(db, select_version!("where v.id = $1"), values![id.0]).await
}

/// The version that a run ran on; none for a tracked run.
///
/// # Errors
/// When the database fails.
pub async fn of_run(db: &impl Connection, run: &Run) -> Result<Option<DatasetVersion>> {
    match run.dataset_version {
        Some(id) => find_version(db, id).await,
        None => Ok(None),
    }
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

/// What was found in a version.
#[derive(Debug)]
pub struct Found {
    /// The version's number.
    pub number: i32,
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Record for Found {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { number: row.get("number")?, findings: row.json("findings")? })
    }
}

/// What was found in a version and in those before it, newest first.
///
/// # Errors
/// When the database fails.
pub async fn findings_until(db: &impl Connection, version: &DatasetVersion, limit: u32) -> Result<Vec<Found>> {
    const SQL: &str = "select number, report -> 'findings' as findings from dataset_version
        where dataset_id = $1 and number <= $2 and report is not null order by number desc limit $3";
    record::all(db, SQL, values![version.dataset.0, version.number, i64::from(limit)]).await
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

/// The valid versions of a problem's datasets whose rows are that, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list_valid(db: &impl Connection, problem: &str, role: DatasetRole) -> Result<Vec<DatasetVersion>> {
    const SQL: &str =
        select_version!("where p.slug = $1 and v.state = 'valid' and v.role = $2 order by v.id desc limit 200");
    record::all(db, SQL, values![problem, role.as_str()]).await
}

/// The newest valid version of a problem's dataset of that name that was checked by a moment.
///
/// # Errors
/// When the database fails.
pub async fn newest_by(
    db: &impl Connection,
    (problem, name, role): (&str, &str, DatasetRole),
    at: DateTime<Utc>,
) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where p.slug = $1 and d.name = $2 and v.state = 'valid' and v.role = $3 and coalesce(v.finished_at, v.created_at) <= $4
         order by v.number desc limit 1"
    );
    record::optional(db, SQL, values![problem, name, role.as_str(), at]).await
}

/// The newest valid version of a problem's dataset of that name that is trained on.
///
/// # Errors
/// When the database fails.
pub async fn find_newest_examples(db: &impl Connection, problem: &str, name: &str) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where p.slug = $1 and d.name = $2 and v.state = 'valid' and v.role = 'examples'
         order by v.number desc limit 1"
    );
    record::optional(db, SQL, values![problem, name]).await
}

/// The newest valid version of the same dataset before this one, whose rows are the same to the problem.
///
/// # Errors
/// When the database fails.
pub async fn find_previous_valid(db: &impl Connection, version: &DatasetVersion) -> Result<Option<DatasetVersion>> {
    const SQL: &str = select_version!(
        "where v.dataset_id = $1 and v.number < $2 and v.state = 'valid' and v.role = $3 order by v.number desc limit 1"
    );
    record::optional(db, SQL, values![version.dataset.0, version.number, version.role.as_str()]).await
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

/// Rows that were set aside while a version was checked, and what it is without them.
#[derive(Debug)]
pub struct SetAside<'a> {
    /// Digest over every cell that was kept.
    pub digest: &'a Digest,
    /// Artifact of the kept rows.
    pub frame: &'a Digest,
    /// How many they are.
    pub rows: i64,
    /// What is known of their columns.
    pub profile: &'a Profile,
    /// Artifact of the rows that were set aside.
    pub aside: &'a Digest,
    /// How many they are.
    pub aside_rows: i64,
}

/// Records what was set aside.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the version is no longer loading.
pub async fn set_aside(db: &impl Connection, id: DatasetVersionId, aside: &SetAside<'_>) -> Result<()> {
    const SQL: &str = "update dataset_version
        set digest = $2, frame = $3, rows = $4, profile = $5, aside = $6, aside_rows = $7
        where id = $1 and state = 'loading'";
    let stored = values![
        id.0,
        record::bytes(aside.digest),
        record::bytes(aside.frame),
        aside.rows,
        serde_json::json!(aside.profile),
        record::bytes(aside.aside),
        aside.aside_rows
    ];
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
