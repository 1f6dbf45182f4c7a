//! Parity: answers computed again. What differs is told to whoever is on call, and the version is not put live again.

use millrace_domain::fault::Fault;
use millrace_domain::ids::ModelVersionId;
use millrace_domain::policy::Role;
use millrace_domain::view::{JoinedLoad, ParityDifference, ParityView};
use millrace_storage::parity::{self, ParityAudit};
use millrace_storage::{Connection, account, audit, event, model, prediction};
use serde_json::{Value, json};

use crate::mail::{Act, Letter};
use crate::{Result, Services, commit, fault};

impl Services {
    /// Records a look at answers of a live version. The first that differs is told by mail and written into the audit trail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_parity(&self, slug: &str, version: ModelVersionId, found: &ParityAudit) -> Result<()> {
        let tx = self.begin().await?;
        let is_first = found.differing > 0 && parity::last_broken(&tx, version).await.map_err(fault)?.is_none();
        parity::insert(&tx, version, found).await.map_err(fault)?;
        if is_first {
            let number = model::find(&tx, version).await.map_err(fault)?.map_or(0, |version| version.number);
            let object = format!("model/{slug}/v/{number}");
            let details = json!({ "compared": found.compared, "differing": found.differing });
            let act = audit::Act {
                actor: "parity auditor",
                via: "none",
                action: "model.parity_broken",
                object,
                digest: None,
                outcome: millrace_domain::audit::Outcome::Done,
                origin: &millrace_domain::policy::Origin::default(),
                details: details.clone(),
            };
            audit::append(&tx, act, self.now()).await.map_err(fault)?;
            if let Some(problem) = millrace_storage::problem::find_id(&tx, slug).await.map_err(fault)? {
                event::insert(&tx, "deployment", problem.0, "parity", details).await.map_err(fault)?;
            }
            let subject = format!("{slug}: version {number} answers otherwise than it was trained");
            let paragraphs = vec![
                format!(
                    "{} of {} answers of the live version, computed again as training computes, differ from what was \
                     answered. Either the serving path or what it was joined to is wrong.",
                    found.differing, found.compared
                ),
                "The version stays live until somebody takes it back; it cannot be put live again.".to_owned(),
            ];
            let facts =
                vec![("Version".to_owned(), number.to_string()), ("Compared".to_owned(), found.compared.to_string())];
            self.tell_on_call(&tx, slug, "parity_broken", subject, paragraphs, facts).await?;
        }
        commit(tx).await
    }

    /// Writes to everybody who is on call for a problem.
    pub(crate) async fn tell_on_call(
        &self,
        tx: &impl Connection,
        slug: &str,
        kind: &'static str,
        subject: String,
        paragraphs: Vec<String>,
        facts: Vec<(String, String)>,
    ) -> Result<()> {
        let people = account::list(tx).await.map_err(fault)?;
        let on_call = people.iter().filter(|person| {
            person.disabled_at.is_none()
                && person.grants.iter().any(|grant| {
                    grant.role == Role::OnCall && grant.problem.as_deref().is_none_or(|problem| problem == slug)
                })
        });
        for person in on_call {
            let letter = Letter {
                kind,
                subject: subject.clone(),
                paragraphs: paragraphs.clone(),
                act: Some(Act { label: "Open the deployment", link: self.link(&format!("/deployments/{slug}")) }),
                secret: false,
                facts: facts.clone(),
                why: "You get this because you are on call.",
                thread: None,

                chart: None,
            };
            self.write_to(tx, person, letter).await?;
        }
        Ok(())
    }

    /// Refuses a version of which an answer differed.
    pub(crate) async fn parity_holds(&self, tx: &impl Connection, version: ModelVersionId) -> Result<()> {
        match parity::last_broken(tx, version).await.map_err(fault)? {
            None => Ok(()),
            Some(broken) => Err(Fault::conflict(
                "parity_broken",
                format!(
                    "{} of {} of its answers, computed again on {}, differed from what was answered; train a new version \
                     once the cause is found",
                    broken.differing,
                    broken.compared,
                    broken.checked_at.format("%Y-%m-%d")
                ),
            )),
        }
    }

    /// Answers of a version computed again, and what the newest was joined to.
    pub(crate) async fn parity_of(&self, live: Option<ModelVersionId>) -> Result<(ParityView, Vec<JoinedLoad>)> {
        let Some(live) = live else {
            return Ok((ParityView { compared: 0, differing: 0, checked_at: None, examples: Vec::new() }, Vec::new()));
        };
        let pool = self.db.pool();
        let (compared, differing) = parity::totals(pool, live).await.map_err(fault)?;
        let last = parity::last(pool, live).await.map_err(fault)?;
        let broken = parity::last_broken(pool, live).await.map_err(fault)?;
        let joined = prediction::last_joined(pool, live).await.map_err(fault)?;
        let view = ParityView {
            compared,
            differing,
            checked_at: last.map(|last| last.checked_at),
            examples: broken.map(|broken| differences(&broken.examples)).unwrap_or_default(),
        };
        Ok((view, joined.map(|joined| loads(&joined["loads"])).unwrap_or_default()))
    }
}

pub(crate) fn differences(examples: &Value) -> Vec<ParityDifference> {
    let of_one = |example: &Value| {
        let prediction = example["prediction"].as_str().unwrap_or_default().to_owned();
        let found = example["differences"].as_array().cloned().unwrap_or_default();
        found.into_iter().map(move |difference| ParityDifference {
            prediction: prediction.clone(),
            what: difference["what"].as_str().unwrap_or_default().to_owned(),
            served: difference["served"].to_string(),
            recomputed: difference["recomputed"].to_string(),
        })
    };
    examples.as_array().into_iter().flatten().flat_map(of_one).collect()
}

fn loads(loads: &Value) -> Vec<JoinedLoad> {
    let load = |table: Option<&String>, load: &Value| {
        Some(JoinedLoad {
            table: table.cloned(),
            version: i32::try_from(load["number"].as_i64()?).ok()?,
            loaded_at: load["created_at"].as_str()?.parse().ok()?,
        })
    };
    let tables = loads["tables"].as_object().into_iter().flatten().filter_map(|(name, found)| load(Some(name), found));
    load(None, &loads["own"]).into_iter().chain(tables).collect()
}
