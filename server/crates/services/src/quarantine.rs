//! Rows that were set aside: downloading them, and bringing them back once, corrected.

use bytes::Bytes;
use millrace_domain::fault::Fault;
use millrace_domain::ids::DatasetId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::DatasetState;
use millrace_domain::view::{DatasetSummary, Permission, QuarantineView};
use millrace_storage::artifact::Draft;
use millrace_storage::dataset::{self, DatasetVersion};
use millrace_storage::problem;

use crate::access::Note;
use crate::dataset::{Load, Mode, checking_version, display_name, missing, object};
use crate::{Result, Services, commit, fault, present};

impl Services {
    /// The rows of a version that were set aside, as CSV with their numbers and the checks they break.
    ///
    /// # Errors
    /// 404 when there is no such version, or nothing was set aside.
    pub async fn quarantined(&self, actor: &Actor, id: DatasetId, number: i32) -> Result<Bytes> {
        let version = self.seen_version(actor, id, number).await?;
        let aside = version.aside.ok_or_else(|| Fault::not_found("quarantine of this version"))?;
        self.artifacts.get(&aside).await.map_err(fault)
    }

    /// Brings corrected rows back as a new version: the newest one's rows, and after them these.
    ///
    /// # Errors
    /// 404 without such a version; 409 when nothing was set aside, when it was brought back already, or when the dataset has been
    /// loaded anew since; 400 for an empty file.
    pub async fn correct_dataset(
        &self,
        actor: &Actor,
        id: DatasetId,
        number: i32,
        file_name: &str,
        content: Draft,
    ) -> Result<DatasetSummary> {
        let version = self.version_for(actor, Action::UploadData, id, number).await?;
        let slug = &version.problem;
        if content.bytes() == 0 {
            return Err(Fault::field("/file", "is empty: 0 bytes, no rows"));
        }
        let file_name = display_name(file_name);
        let (source, bytes) = self.artifacts.keep(content).await.map_err(fault)?;
        let tx = self.begin_as(actor, Action::UploadData, Some(slug), &object(&version)).await?;
        let problem = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        let version = dataset::find_version(&tx, version.id).await.map_err(fault)?.ok_or_else(missing)?;
        correctable(&version).map_err(|reason| Fault::conflict("nothing_to_correct", reason))?;
        let checked_against = checking_version(&tx, slug).await?;
        let load = Load {
            version: &checked_against,
            name: &version.name,
            file_name: &file_name,
            source,
            bytes,
            mode: Mode::Correct(version.id),
        };
        let (stored, _) = self.take_in(&tx, &load, actor.account).await?;
        let details = serde_json::json!({
            "file": file_name, "bytes": bytes, "problem": slug, "corrects": version.number,
        });
        let note = Note::new("dataset.correct", object(&stored)).digest(source).details(details);
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(present::dataset(&stored, self.now()))
    }
}

/// What was set aside of a version, if anything.
pub(crate) fn view(actor: &Actor, version: &DatasetVersion) -> Option<QuarantineView> {
    let may_correct = match actor.may_on(Action::UploadData, &version.problem) {
        Err(refused) => Permission::refused(refused.to_string()),
        Ok(()) => correctable(version).map_or_else(Permission::refused, |()| Permission::granted()),
    };
    (version.aside_rows > 0).then_some(QuarantineView {
        rows: version.aside_rows,
        corrected_by: version.corrected_by,
        may_correct,
    })
}

/// Whether what was set aside can be brought back.
fn correctable(version: &DatasetVersion) -> std::result::Result<(), String> {
    match version.corrected_by {
        _ if version.state != DatasetState::Valid || version.aside_rows == 0 => {
            Err("no rows of this version were set aside".to_owned())
        }
        Some(by) => Err(format!("version {by} brought these rows back already; no row comes back twice")),
        None => Ok(()),
    }
}
