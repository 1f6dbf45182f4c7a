//! Registered model versions.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::gate::Gate;
use millrace_domain::ids::{AccountId, DatasetId, ModelVersionId, ProblemId, ProblemVersionId, RunId};
use millrace_domain::run::ModelStage;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// One registered version.
#[derive(Debug, Clone)]
pub struct ModelVersion {
    /// Its id.
    pub id: ModelVersionId,
    /// The problem.
    pub problem: ProblemId,
    /// The problem's slug, which is the model's name as well.
    pub slug: String,
    /// Counts from 1 in the problem.
    pub number: i32,
    /// The run that made it.
    pub run: RunId,
    /// The dataset version that it was trained on: the dataset's id and name, and the version's number.
    pub data: (DatasetId, String, i32),
    /// Who launched that run.
    pub author: AccountId,
    /// Their name.
    pub author_name: String,
    /// What people approve: artifact, gates and lineage.
    pub digest: Digest,
    /// The model's bytes.
    pub artifact: Digest,
    /// What it proved.
    pub gates: Vec<Gate>,
    /// Where it stands.
    pub stage: ModelStage,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was put away.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was last asked for a prediction, as far as that is written.
    pub asked_at: Option<DateTime<Utc>>,
}

impl Record for ModelVersion {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: ModelVersionId(row.get("id")?),
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            number: row.get("number")?,
            run: RunId(row.get("run_id")?),
            data: (DatasetId(row.get("dataset_id")?), row.get("dataset_name")?, row.get("dataset_number")?),
            author: AccountId(row.get("author_id")?),
            author_name: row.get("author_name")?,
            digest: row.digest("digest")?,
            artifact: row.digest("artifact")?,
            gates: row.json("gates")?,
            stage: row.word("stage")?,
            created_at: row.get("created_at")?,
            archived_at: row.get("archived_at")?,
            asked_at: row.get("asked_at")?,
        })
    }
}

macro_rules! select_model {
    ($rest:literal) => {
        concat!(
            "select m.*, p.slug, r.author_id, a.name as author_name, e.dataset_id, d.name as dataset_name,
                e.number as dataset_number,
                (select max(c.last_at) from version_caller c where c.model_version_id = m.id) as asked_at
             from model_version m join problem p on p.id = m.problem_id join run r on r.id = m.run_id
                join account a on a.id = r.author_id join dataset_version e on e.id = r.dataset_version_id
                join dataset d on d.id = e.dataset_id ",
            $rest
        )
    };
}

/// Registers a version. The caller holds the problem's lock.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when the run has registered one already.
pub async fn insert(
    db: &impl Connection,
    problem: ProblemId,
    run: RunId,
    digest: &Digest,
    artifact: &Digest,
    gates: &[Gate],
) -> Result<i32> {
    const SQL: &str =
        "insert into model_version (problem_id, number, run_id, digest, artifact, gates, stage, created_at)
        values ($1, (select coalesce(max(number), 0) + 1 from model_version where problem_id = $1),
                $2, $3, $4, $5, 'registered', now()) returning number::bigint";
    let stored = values![problem.0, run.0, record::bytes(digest), record::bytes(artifact), serde_json::json!(gates)];
    let number: i64 = record::one(db, SQL, stored).await?;
    Ok(i32::try_from(number).unwrap_or(i32::MAX))
}

/// A version by id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: ModelVersionId) -> Result<Option<ModelVersion>> {
    record::optional(db, select_model!("where m.id = $1"), values![id.0]).await
}

/// Versions by their ids.
///
/// # Errors
/// When the database fails.
pub async fn find_all(db: &impl Connection, ids: &[ModelVersionId]) -> Result<Vec<ModelVersion>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let bound = values![serde_json::json!(ids)];
    record::all(db, select_model!("where m.id in (select e::bigint from jsonb_array_elements_text($1) e)"), bound).await
}

/// A version by slug and number.
///
/// # Errors
/// When the database fails.
pub async fn find_numbered(db: &impl Connection, slug: &str, number: i32) -> Result<Option<ModelVersion>> {
    record::optional(db, select_model!("where p.slug = $1 and m.number = $2"), values![slug, number]).await
}

/// The newest 200 versions of a model, and those older ones that are live, on their way or have an alias; newest first.
///
/// # Errors
/// When the database fails.
pub async fn versions(db: &impl Connection, slug: &str) -> Result<Vec<ModelVersion>> {
    const SQL: &str = select_model!(
        "where p.slug = $1 and (m.stage = 'live'
            or m.number > (select max(n.number) from model_version n where n.problem_id = p.id) - 200
            or m.id in (select r.candidate_id from rollout r where r.problem_id = p.id and r.ended_at is null)
            or m.id in (select a.model_version_id from model_alias_move a where a.problem_id = p.id and not exists (
                select from model_alias_move b where b.problem_id = a.problem_id and b.name = a.name and b.id > a.id)))
         order by m.number desc"
    );
    record::all(db, SQL, values![slug]).await
}

/// A page of a model's versions, newest first: those with lower numbers than `before`, at most so many.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Connection, slug: &str, before: Option<i32>, most: u32) -> Result<Vec<ModelVersion>> {
    const SQL: &str =
        select_model!("where p.slug = $1 and ($2::int is null or m.number < $2) order by m.number desc limit $3");
    record::all(db, SQL, values![slug, before, i64::from(most)]).await
}

/// The newest version of every model, by slug.
///
/// # Errors
/// When the database fails.
pub async fn list_newest(db: &impl Connection) -> Result<Vec<ModelVersion>> {
    const SQL: &str = select_model!(
        "where m.number = (select max(n.number) from model_version n where n.problem_id = m.problem_id)
         order by p.slug limit 1000"
    );
    record::all(db, SQL, values![]).await
}

/// All versions that wait for approval, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list_waiting(db: &impl Connection) -> Result<Vec<ModelVersion>> {
    record::all(
        db,
        select_model!(
            "where m.archived_at is null and (m.stage = 'registered' or m.stage = 'approved' and exists (
                select 1 from policy_promotion g join problem_version v on v.id = g.problem_version_id
                where g.model_version_id = m.id and v.state = 'approved'
                    and v.document -> 'retraining' ->> 'promote' in ('shadow', 'canary')))
             order by m.id limit 200"
        ),
        values![],
    )
    .await
}

/// Moves a version from one stage to the next.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it no longer stands at `from`.
pub async fn set_stage(db: &impl Connection, id: ModelVersionId, from: ModelStage, to: ModelStage) -> Result<()> {
    const SQL: &str = "update model_version set stage = $3 where id = $1 and stage = $2";
    record::guarded(db, "the model version", SQL, values![id.0, from.as_str(), to.as_str()]).await
}

/// Puts a version away, or brings it back when there is no reason.
///
/// # Errors
/// When the database fails or its schema refuses it.
pub async fn set_archived(
    db: &impl Connection,
    id: ModelVersionId,
    reason: Option<(AccountId, &str)>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "update model_version set archived_at = $2, archived_by = $3, archived_for = $4 where id = $1";
    let (by, why) = reason.map(|(by, why)| (by.0, why.to_owned())).unzip();
    record::execute(db, SQL, values![id.0, reason.map(|_| now), by, why]).await.map(|_| ())
}

/// Writes down that the bytes of a version are damaged; false when that is known.
///
/// # Errors
/// When the database fails.
pub async fn raise_alarm(db: &impl Connection, id: ModelVersionId, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "insert into artifact_alarm (model_version_id, raised_at) values ($1, $2) on conflict do nothing";
    Ok(record::execute(db, SQL, values![id.0, now]).await? > 0)
}

/// Versions whose bytes are told to be damaged.
///
/// # Errors
/// When the database fails.
pub async fn alarmed(db: &impl Connection) -> Result<Vec<i64>> {
    record::all(db, "select model_version_id from artifact_alarm", values![]).await
}

/// Forgets that the bytes of a version were damaged.
///
/// # Errors
/// When the database fails.
pub async fn clear_alarm(db: &impl Connection, id: ModelVersionId) -> Result<()> {
    record::execute(db, "delete from artifact_alarm where model_version_id = $1", values![id.0]).await.map(|_| ())
}

/// Notes that a version goes on by what the signed document says, without a person.
///
/// # Errors
/// [`crate::StorageError::Refused`] when it does not say so of this version.
pub async fn promote(
    db: &impl Connection,
    id: ModelVersionId,
    signed: ProblemVersionId,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str =
        "insert into policy_promotion (model_version_id, problem_version_id, promoted_at) values ($1, $2, $3)";
    record::execute(db, SQL, values![id.0, signed.0, now]).await.map(|_| ())
}

/// The document by which a version went on without a person, if it did.
///
/// # Errors
/// When the database fails.
pub async fn promoted_by(db: &impl Connection, id: ModelVersionId) -> Result<Option<ProblemVersionId>> {
    const SQL: &str = "select problem_version_id from policy_promotion where model_version_id = $1";
    Ok(record::optional::<i64>(db, SQL, values![id.0]).await?.map(ProblemVersionId))
}
