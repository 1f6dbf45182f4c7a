//! Rehearsals: what was asked for, and how far its step is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, DatasetVersionId, ProblemVersionId, RehearsalId};
use serde_json::{Value, json};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A rehearsal.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Its id.
    pub id: RehearsalId,
    /// The version whose policy it is.
    pub problem_version: ProblemVersionId,
    /// Its problem.
    pub problem: String,
    /// Its number.
    pub number: i32,
    /// Title of the problem.
    pub title: String,
    /// The past.
    pub dataset_version: DatasetVersionId,
    /// Its dataset.
    pub dataset: i64,
    /// Name of that.
    pub data: String,
    /// Number of its version.
    pub dataset_number: i32,
    /// The versions of the tables that rows are joined to, by name.
    pub tables: BTreeMap<String, i64>,
    /// What was asked for.
    pub request: Value,
    /// Who asked.
    pub author: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// The state of its step.
    pub state: String,
    /// What its step left.
    pub output: Option<Value>,
}

impl Record for Rehearsal {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: RehearsalId(row.get("id")?),
            problem_version: ProblemVersionId(row.get("problem_version_id")?),
            problem: row.get("slug")?,
            number: row.get("version")?,
            title: row.get("title")?,
            dataset_version: DatasetVersionId(row.get("dataset_version_id")?),
            dataset: row.get("dataset_id")?,
            data: row.get("data")?,
            dataset_number: row.get("dataset_number")?,
            tables: row.json("tables")?,
            request: row.get("request")?,
            author: row.get("author")?,
            requested_at: row.get("requested_at")?,
            state: row.get("state")?,
            output: row.get("output")?,
        })
    }
}

macro_rules! select_rehearsal {
    ($rest:literal) => {
        concat!(
            "select r.*, p.slug, v.number as version, v.document ->> 'title' as title, d.id as dataset_id, d.name as data,
                dv.number as dataset_number, a.name as author, s.state, s.output
             from rehearsal r
                join problem_version v on v.id = r.problem_version_id join problem p on p.id = v.problem_id
                join dataset_version dv on dv.id = r.dataset_version_id join dataset d on d.id = dv.dataset_id
                join account a on a.id = r.account_id
                join step s on s.subject_kind = 'rehearsal' and s.subject_id = r.id ",
            $rest
        )
    };
}

/// A rehearsal that is to be written.
#[derive(Debug)]
pub struct NewRehearsal<'a> {
    /// The version whose policy it is.
    pub problem_version: ProblemVersionId,
    /// The past.
    pub dataset_version: DatasetVersionId,
    /// The versions of the tables that rows are joined to, by name.
    pub tables: &'a BTreeMap<String, i64>,
    /// What was asked for.
    pub request: Value,
    /// Who asked.
    pub author: AccountId,
}

/// Writes a rehearsal. Its step is the caller's to add.
///
/// # Errors
/// When the database fails or the data is not valid.
pub async fn insert(db: &impl Connection, new: &NewRehearsal<'_>, now: DateTime<Utc>) -> Result<RehearsalId> {
    const SQL: &str = "insert into rehearsal
            (problem_version_id, dataset_version_id, tables, request, account_id, requested_at)
        values ($1, $2, $3, $4, $5, $6) returning id";
    let NewRehearsal { problem_version, dataset_version, tables, request, author } = new;
    let stored = values![problem_version.0, dataset_version.0, json!(tables), request.clone(), author.0, now];
    record::one(db, SQL, stored).await.map(RehearsalId)
}

/// One rehearsal.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: RehearsalId) -> Result<Option<Rehearsal>> {
    record::optional(db, select_rehearsal!("where r.id = $1"), values![id.0]).await
}

/// The rehearsals of a problem, newest first, at most so many.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, slug: &str, most: u32) -> Result<Vec<Rehearsal>> {
    let sql = select_rehearsal!("where p.slug = $1 order by r.id desc limit $2");
    record::all(db, sql, values![slug, i64::from(most)]).await
}
