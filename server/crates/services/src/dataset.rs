//! Bringing data: the bytes are kept by digest, then two steps read and check them.

use millrace_domain::Digest;
use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, DatasetId, DatasetVersionId};
use millrace_domain::policy::{Action, Actor, Origin};
use millrace_domain::problem::{ProblemDocument, Source, checks_that_hold};
use millrace_domain::run::{DatasetRole, DatasetState, StepKind};
use millrace_domain::view::{DatasetSummary, DatasetVersionView, FailureView, Permission, SourceView};
use millrace_storage::artifact::Draft;
use millrace_storage::audit::{self, Act};
use millrace_storage::dataset::{self, DatasetVersion, NewVersion};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::step::{self, Stage, Subject};
use millrace_storage::{Connection, Transaction};
use millrace_storage::{artifact, problem, source};

use crate::access::Note;
use crate::people::checked_name;
use crate::{Result, Services, commit, fault, history, present};

impl Services {
    /// Takes a file in as a new version of a dataset, and readies its steps: its rows alone, or (`append`) after those of the
    /// newest version. The same bytes checked against the same document are the same version.
    ///
    /// # Errors
    /// 404 without such a problem, 409 while it has no version or the one to append to is still loading, 400 for an empty file.
    pub async fn upload_dataset(
        &self,
        actor: &Actor,
        problem_slug: &str,
        name: &str,
        file_name: &str,
        content: Draft,
        append: bool,
    ) -> Result<DatasetSummary> {
        let object_name = format!("problem/{problem_slug}");
        self.authorise_on(actor, Action::UploadData, problem_slug, &object_name).await?;
        let name = &checked_name(name)?;
        if content.bytes() == 0 {
            return Err(Fault::field("/file", "is empty: 0 bytes, no rows"));
        }
        let file_name = display_name(file_name);
        let (source, bytes) = self.artifacts.keep(content).await.map_err(fault)?;
        let tx = self.begin_as(actor, Action::UploadData, Some(problem_slug), &object_name).await?;
        let id =
            problem::find_id(&tx, problem_slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("problem"))?;
        problem::lock(&tx, id).await.map_err(fault)?;
        let version = checking_version(&tx, problem_slug).await?;
        let mode = if append { Mode::Append } else { Mode::Replace };
        let load = Load { version: &version, name, file_name: &file_name, source, bytes, mode };
        let (stored, is_new) = self.take_in(&tx, &load, actor.account).await?;
        if is_new {
            let details = serde_json::json!({
                "file": file_name, "bytes": bytes, "problem": problem_slug, "after": stored.base_number,
            });
            let note = Note::new("dataset.upload", object(&stored)).digest(source).details(details);
            self.note(&tx, actor, note).await?;
            commit(tx).await?;
        }
        Ok(present::dataset(&stored, self.now()))
    }

    /// Takes in what a source of a signed-off version gave; the version that it is.
    ///
    /// # Errors
    /// When the database or the artifacts fail.
    pub async fn load_from_source(
        &self,
        version: &ProblemVersion,
        from: &Source,
        file_name: &str,
        content: Draft,
        fingerprint: &str,
    ) -> Result<DatasetVersion> {
        let file_name = display_name(file_name);
        let (source, bytes) = self.artifacts.keep(content).await.map_err(fault)?;
        let tx = self.begin().await?;
        problem::lock(&tx, version.problem).await.map_err(fault)?;
        let load = Load {
            version,
            name: &from.dataset,
            file_name: &file_name,
            source,
            bytes,
            mode: if from.append { Mode::Append } else { Mode::Replace },
        };
        let (stored, is_new) = self.take_in(&tx, &load, version.author).await?;
        if is_new {
            let act = Act {
                actor: "source",
                via: "none",
                action: "dataset.load",
                object: object(&stored),
                digest: Some(source),
                outcome: Outcome::Done,
                origin: &Origin::default(),
                details: serde_json::json!({
                    "problem": version.slug, "connection": from.connection, "file": file_name, "bytes": bytes,
                }),
            };
            audit::append(&tx, act, self.now()).await.map_err(fault)?;
        }
        let loaded = Ok(Some((fingerprint, stored.id)));
        source::looked(&tx, version.problem, &from.dataset, self.now(), loaded).await.map_err(fault)?;
        commit(tx).await?;
        Ok(stored)
    }

    /// The version that holds these bytes, checked against that document, and whether it is new.
    pub(crate) async fn take_in(
        &self,
        tx: &Transaction,
        load: &Load<'_>,
        author: AccountId,
    ) -> Result<(DatasetVersion, bool)> {
        let kind = "application/octet-stream";
        artifact::register(tx, &load.source, load.bytes, kind, self.now()).await.map_err(fault)?;
        let dataset = dataset::ensure(tx, load.version.problem, load.name, self.now()).await.map_err(fault)?;
        let (problem_version, file_name, source) = (load.version.id, load.file_name, load.source);
        let role = load.version.document.role_of(load.name);
        let earlier = earlier(tx, dataset, role, load.mode).await?;
        // What is in already is not put in once more.
        if load.mode == Mode::Append
            && let Some(newest) = earlier.first()
            && earlier.iter().any(|version| version.source == source)
        {
            return Ok((newest.clone(), false));
        }
        let corrects = if let Mode::Correct(corrected) = load.mode { Some(corrected) } else { None };
        let base = earlier.first().map(|newest| newest.id);
        let new = NewVersion { dataset, problem_version, role, file_name, source, author, base, corrects };
        if let Some(same) = dataset::find_same(tx, &new).await.map_err(fault)? {
            return Ok((same, false));
        }
        let loaded = dataset::insert_version(tx, &new, self.now()).await.map_err(fault)?;
        let stages = StepKind::OF_DATASET.map(|kind| Stage::one(kind.as_str()));
        step::insert_stages(tx, Subject::Dataset(loaded.0), &stages).await.map_err(fault)?;
        let stored = dataset::find_version(tx, loaded).await.map_err(fault)?.ok_or_else(missing)?;
        Ok((stored, true))
    }

    /// What feeds datasets by itself, of one problem if given, with how the last look ended.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_sources(&self, actor: &Actor, problem: Option<&str>) -> Result<Vec<SourceView>> {
        self.authorise(actor, Action::ReadWorkspace, "dataset").await?;
        let pool = self.db.pool();
        let mut views = Vec::new();
        for version in problem::with_sources(pool, self.now()).await.map_err(fault)? {
            if !actor.sees(&version.slug) || problem.is_some_and(|problem| problem != version.slug) {
                continue;
            }
            let looks = source::looks(pool, version.problem).await.map_err(fault)?;
            for from in &version.document.sources {
                let look = looks.iter().find(|look| look.dataset == from.dataset);
                let loaded = match look.and_then(|look| look.loaded) {
                    Some(id) => dataset::find_version(pool, DatasetVersionId(id)).await.map_err(fault)?,
                    None => None,
                };
                views.push(SourceView {
                    problem: version.slug.clone(),
                    dataset: from.dataset.clone(),
                    connection: from.connection.clone(),
                    reads: from.read.text().to_owned(),
                    append: from.append,
                    every: from.every.to_string(),
                    looked_at: look.and_then(|look| look.looked_at),
                    next_at: look.map(|look| look.next_at),
                    error: look.and_then(|look| look.error.clone()),
                    loaded: loaded.map(|loaded| (loaded.dataset.to_string(), loaded.number)),
                });
            }
        }
        Ok(views)
    }

    /// The newest version of every dataset, of one problem if given.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_datasets(&self, actor: &Actor, problem: Option<&str>) -> Result<Vec<DatasetSummary>> {
        self.authorise(actor, Action::ReadWorkspace, "dataset").await?;
        let newest = dataset::list_newest(self.db.pool(), problem).await.map_err(fault)?;
        Ok(newest
            .iter()
            .filter(|version| actor.sees(&version.problem))
            .map(|version| present::dataset(version, self.now()))
            .collect())
    }

    /// The versions of a dataset, newest first.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn dataset(&self, actor: &Actor, id: DatasetId) -> Result<Vec<DatasetSummary>> {
        self.authorise(actor, Action::ReadWorkspace, "dataset").await?;
        let versions = dataset::versions(self.db.pool(), id).await.map_err(fault)?;
        let Some(newest) = versions.first() else { return Err(Fault::not_found("dataset")) };
        self.authorise_on(actor, Action::ReadWorkspace, &newest.problem, &format!("dataset/{id}")).await?;
        Ok(versions.iter().map(|version| present::dataset(version, self.now())).collect())
    }

    /// One version with its profile and report.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn dataset_version(&self, actor: &Actor, id: DatasetId, number: i32) -> Result<DatasetVersionView> {
        let pool = self.db.pool();
        let version = self.seen_version(actor, id, number).await?;
        let steps = step::list(pool, Subject::Dataset(version.id.0)).await.map_err(fault)?;
        let versions = dataset::versions(pool, id).await.map_err(fault)?;
        let signed = problem::approved(pool, &version.problem).await.map_err(fault)?;
        let may_launch = match actor.may_on(Action::LaunchRun, &version.problem) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if version.role == DatasetRole::Table => {
                Permission::refused("this is a table that rows are joined to; runs are launched on the data")
            }
            Ok(()) if version.role == DatasetRole::Environment => Permission::refused(
                "these rows are of an environment and not trained on; runs are launched on the data",
            ),
            Ok(()) if version.state != DatasetState::Valid => {
                Permission::refused("runs need a valid version; this one is not")
            }
            Ok(()) => match &signed {
                None => Permission::refused(format!("the problem {} has no signed-off version yet", version.problem)),
                Some(signed) if signed.document.role_of(&version.name) != DatasetRole::Examples => {
                    Permission::refused("the document that is signed off since does not train on this dataset")
                }
                Some(_) => Permission::granted(),
            },
        };
        let quarantine = crate::quarantine::view(actor, &version);
        let found = dataset::findings_until(pool, &version, history::VERSIONS).await.map_err(fault)?;
        let found: Vec<_> = found.into_iter().rev().map(|found| (found.number, found.findings)).collect();
        let before = dataset::find_previous_valid(pool, &version).await.map_err(fault)?;
        let profiles = before.as_ref().and_then(|before| before.profile.as_ref()).zip(version.profile.as_ref());
        let schema_changes = profiles.map(|(before, after)| history::of_columns(before, after)).unwrap_or_default();
        Ok(DatasetVersionView {
            summary: present::dataset(&version, self.now()),
            digest: version.digest.map(|digest| digest.to_string()),
            source_digest: version.source.to_string(),
            format: version.format,
            profile: version.profile,
            report: version.report,
            failure: version.failure.and_then(|failure| serde_json::from_value::<FailureView>(failure).ok()),
            steps: steps.iter().map(present::step).collect(),
            versions: versions.iter().map(|version| present::dataset(version, self.now())).collect(),
            may_launch,
            appended_to: version.base_number,
            corrects: version.corrects_number,
            quarantine,
            history: history::of_checks(&found),
            history_of: found.into_iter().map(|(number, _)| number).collect(),
            schema_since: before.map(|before| before.number),
            schema_changes,
            mutes: version.mutes.into_iter().filter(|mute| mute.until > self.now()).collect(),
            may_mute: Permission::from_result(actor.may_on(Action::MuteCheck, &version.problem)),
        })
    }

    /// Checks that hold for a version, as they stand in a document: a first schema to be edited and signed.
    ///
    /// # Errors
    /// 404 when there is no such version, or it was not read.
    pub async fn suggested_checks(&self, actor: &Actor, id: DatasetId, number: i32) -> Result<String> {
        let version = self.seen_version(actor, id, number).await?;
        let profile = version.profile.ok_or_else(|| Fault::not_found("profile of this version"))?;
        Ok(checks_that_hold(&profile).to_toml())
    }

    /// Id of a dataset version, for following its events.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn dataset_version_id(&self, actor: &Actor, id: DatasetId, number: i32) -> Result<i64> {
        Ok(self.seen_version(actor, id, number).await?.id.0)
    }

    pub(crate) async fn seen_version(&self, actor: &Actor, id: DatasetId, number: i32) -> Result<DatasetVersion> {
        self.version_for(actor, Action::ReadWorkspace, id, number).await
    }

    /// The version that an act is about; it need not be one that the caller may read.
    pub(crate) async fn version_for(
        &self,
        actor: &Actor,
        action: Action,
        id: DatasetId,
        number: i32,
    ) -> Result<DatasetVersion> {
        self.authorise(actor, action, "dataset").await?;
        let version = dataset::find_numbered(self.db.pool(), id, number).await.map_err(fault)?.ok_or_else(missing)?;
        self.authorise_on(actor, action, &version.problem, &object(&version)).await?;
        Ok(version)
    }
}

/// The versions whose rows come before those of a load, the newest first.
async fn earlier(tx: &Transaction, dataset: DatasetId, role: DatasetRole, mode: Mode) -> Result<Vec<DatasetVersion>> {
    if mode == Mode::Replace {
        return Ok(Vec::new());
    }
    let Some(newest) = dataset::find_newest(tx, dataset).await.map_err(fault)? else { return Ok(Vec::new()) };
    if newest.state != DatasetState::Valid {
        let detail = format!("version {} is still loading; put rows after it once it is read", newest.number);
        return Err(Fault::conflict("version_loading", detail));
    }
    if newest.role != role {
        let detail = format!(
            "version {} was checked as rows of another kind ({}); load all rows anew in place of appending",
            newest.number, newest.role
        );
        return Err(Fault::conflict("another_role", detail));
    }
    let earlier = dataset::lineage(tx, newest.id).await.map_err(fault)?;
    if let Mode::Correct(corrected) = mode
        && !earlier.iter().any(|version| version.id == corrected)
    {
        let detail = format!(
            "version {} was loaded anew since and does not hold the rows that were kept; append the corrected rows to it instead",
            newest.number
        );
        return Err(Fault::conflict("loaded_anew", detail));
    }
    Ok(earlier)
}

/// The valid versions that are examples, as they were checked and as the document says now, newest first.
pub(crate) async fn examples(
    db: &impl Connection,
    problem: &str,
    document: &ProblemDocument,
) -> Result<Vec<DatasetVersion>> {
    let mut valid = dataset::list_valid(db, problem, DatasetRole::Examples).await.map_err(fault)?;
    valid.retain(|version| document.role_of(&version.name) == DatasetRole::Examples);
    Ok(valid)
}

/// The problem version that new data is checked against: the signed-off one, else the newest.
pub(crate) async fn checking_version(tx: &Transaction, slug: &str) -> Result<ProblemVersion> {
    if let Some(approved) = problem::approved(tx, slug).await.map_err(fault)? {
        return Ok(approved);
    }
    let newest = problem::versions(tx, slug).await.map_err(fault)?.into_iter().next();
    newest.ok_or_else(|| Fault::not_found("problem version"))
}

/// Bytes that come in for a dataset.
pub(crate) struct Load<'a> {
    pub(crate) version: &'a ProblemVersion,
    pub(crate) name: &'a str,
    pub(crate) file_name: &'a str,
    pub(crate) source: Digest,
    pub(crate) bytes: u64,
    pub(crate) mode: Mode,
}

/// What the rows of a load come after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: they are all there is.
    Replace,
    /// The rows of the newest version, if there is one.
    Append,
    /// Likewise; they are rows of that version that were set aside.
    Correct(DatasetVersionId),
}

/// A file name for showing: the last part of a path, without control characters, at most 200 characters. Nothing is ever
/// opened by it.
pub(crate) fn display_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    if clean.trim().is_empty() { "upload".to_owned() } else { clean }
}

pub(crate) fn object(version: &DatasetVersion) -> String {
    format!("dataset/{}/v/{}", version.dataset, version.number)
}

pub(crate) fn missing() -> Fault {
    Fault::not_found("dataset version")
}
