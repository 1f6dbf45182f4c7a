//! Muting a check of a dataset for a while, and lifting that.

use chrono::Duration;
use millrace_domain::fault::Fault;
use millrace_domain::ids::DatasetId;
use millrace_domain::mute::{LONGEST, MuteRequest, can_be_muted};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::schema::Finding;
use millrace_storage::mute::{self, NewMute};

use crate::access::Note;
use crate::{Result, Services, commit, fault};

impl Services {
    /// Mutes a check that a version breaks, for all versions of its dataset; gives the mute's id.
    ///
    /// # Errors
    /// 404 when there is no such version; 400 without a reason or for more days than allowed; 409 `nothing_to_mute` when the version
    /// does not break the check, `critical_check` when it stops the pipeline.
    pub async fn mute_check(&self, actor: &Actor, id: DatasetId, number: i32, request: &MuteRequest) -> Result<String> {
        let version = self.version_for(actor, Action::MuteCheck, id, number).await?;
        let object = format!("dataset/{id}");
        let reason = request.reason.trim();
        if !(3..=500).contains(&reason.chars().count()) || reason.contains(char::is_control) {
            return Err(Fault::field("/reason", "is needed: 3 to 500 characters on one line that say why"));
        }
        if !(1..=LONGEST).contains(&request.days) {
            return Err(Fault::field("/days", format!("must be 1 to {LONGEST}: nothing is muted for good")));
        }
        let column = request.column.as_deref().filter(|column| !column.is_empty());
        let report = version.report.as_ref();
        let asked = |one: &&Finding| one.check == request.check && one.column.as_deref() == column;
        if report.is_some_and(|report| report.blocking().any(|one| asked(&one))) {
            return Err(Fault::conflict(
                "critical_check",
                "this check stops the pipeline and cannot be muted; correct the data, or have a document signed in which it is a warning",
            ));
        }
        let findings = report.map(|report| report.findings.iter()).unwrap_or_default();
        let Some(finding) = findings.filter(asked).find(|finding| can_be_muted(finding)) else {
            let detail = format!("version {number} does not break such a check; only what is pointed at can be muted");
            return Err(Fault::conflict("nothing_to_mute", detail));
        };
        let until = self.now() + Duration::days(request.days);
        let (check, severity) = (request.check.as_str(), finding.severity);
        let new = NewMute { dataset: id, check, column, severity, reason, by: actor.account, until };
        let tx = self.begin_as(actor, Action::MuteCheck, Some(&version.problem), &object).await?;
        let muted = mute::insert(&tx, &new, self.now()).await.map_err(fault)?;
        let details = serde_json::json!({ "check": check, "column": column, "reason": reason, "until": until });
        self.note(&tx, actor, Note::new("check.mute", object).details(details)).await?;
        commit(tx).await?;
        Ok(muted.to_string())
    }

    /// Ends a mute before its day.
    ///
    /// # Errors
    /// 404 when there is no such version, or no such mute that is still open.
    pub async fn lift_mute(&self, actor: &Actor, id: DatasetId, number: i32, muted: &str) -> Result<()> {
        let version = self.version_for(actor, Action::MuteCheck, id, number).await?;
        let object = format!("dataset/{id}");
        let missing = || Fault::not_found("mute");
        let muted: i64 = muted.parse().map_err(|_| missing())?;
        let tx = self.begin_as(actor, Action::MuteCheck, Some(&version.problem), &object).await?;
        if !mute::lift(&tx, id, muted, actor.account, self.now()).await.map_err(fault)? {
            return Err(missing());
        }
        self.note(&tx, actor, Note::new("check.lift", object).details(serde_json::json!({ "mute": muted }))).await?;
        commit(tx).await
    }
}
