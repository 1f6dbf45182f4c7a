//! Evidence packs: everything that a version rests on, in one archive.

use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::evidence::{
    ACTS, ActFile, DATASET, DECISIONS, DecisionFile, FORMAT, MANIFEST, MODEL, Manifest, PROBLEM, ProblemFile, RUN,
    RunFile, VERSION, VersionFile,
};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::in_words;
use millrace_storage::decision::{self, Subject};
use millrace_storage::{audit, dataset, model, run};
use serde::Serialize;
use serde_json::json;

use crate::model::{Lineage, missing};
use crate::{Result, Services, fault};

impl Services {
    /// A version with the document that was signed, the run, the decisions of people, the gates, the data's profile and report, and
    /// the acts of the audit trail, as a tar archive that `millrace verify-pack` checks without this server. The acts are in it
    /// for those who may read the trail.
    ///
    /// # Errors
    /// 404 when there is no such version; 409 `artifact_corrupt`.
    pub async fn evidence(&self, actor: &Actor, slug: &str, number: i32) -> Result<Bytes> {
        let card = self.model_card(actor, slug, number).await?;
        let pool = self.db.pool();
        let version = model::find_numbered(pool, slug, number).await.map_err(fault)?.ok_or_else(missing)?;
        self.is_whole(&version).await?;
        let Lineage { version, run, problem } = self.lineage(self.db.pool(), version).await?;
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let model = self.artifacts.get(&version.artifact).await.map_err(fault)?;
        files.insert(MODEL.to_owned(), model.to_vec());
        files.insert("card.md".to_owned(), card.markdown().into_bytes());
        let content = VersionFile {
            artifact: version.artifact,
            gates: version.gates.clone(),
            provenance: run.provenance.clone(),
            run: run.id,
        };
        put(&mut files, VERSION, &content)?;
        let document = json!(problem.document);
        put(&mut files, PROBLEM, &ProblemFile { version: problem.number, author: problem.author, document })?;
        let metrics = run::metrics(pool, run.id).await.map_err(fault)?;
        let finals = metrics.iter().filter(|metric| metric.step == 0);
        let told = RunFile {
            id: run.id,
            author: run.author,
            retried_by: run.retried_by.clone(),
            request: run.request.clone(),
            parameters: run.parameters.clone(),
            metrics: finals.map(|metric| (metric.name.clone(), in_words(metric.value))).collect(),
        };
        put(&mut files, RUN, &told)?;
        let mut decisions = Vec::new();
        for subject in [Subject::Problem(problem.id.0), Subject::Model(version.id.0)] {
            decisions.extend(decision::list(pool, subject).await.map_err(fault)?.into_iter().map(|given| {
                DecisionFile {
                    digest: given.digest,
                    account: given.account,
                    name: given.account_name,
                    decision: given.decision,
                    comment: given.comment,
                    at: given.decided_at,
                }
            }));
        }
        put(&mut files, DECISIONS, &decisions)?;
        if let Some(data) = dataset::of_run(pool, &run).await.map_err(fault)? {
            let told = json!({ "name": data.name, "version": data.number, "digest": data.digest, "source": data.source,
                "rows": data.rows, "profile": data.profile, "report": data.report });
            put(&mut files, DATASET, &told)?;
        }
        let kept = run::artifacts(pool, run.id).await.map_err(fault)?;
        if let Some(evaluation) = kept.into_iter().find(|kept| kept.name == "evaluation") {
            let content = self.artifacts.get(&evaluation.digest).await.map_err(fault)?;
            files.insert("evaluation.json".to_owned(), content.to_vec());
        }
        if actor.may(Action::ReadAudit).is_ok() {
            let objects = [
                format!("problem/{slug}/v/{}", problem.number),
                format!("run/{}", run.id),
                format!("model/{slug}/v/{number}"),
            ];
            let acts = audit::on(pool, &objects).await.map_err(fault)?.into_iter();
            let acts: Vec<ActFile> = acts
                .map(|act| ActFile { entry: act.link.entry, previous: act.previous, hash: act.link.hash })
                .collect();
            put(&mut files, ACTS, &acts)?;
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            model: slug.to_owned(),
            version: number,
            digest: version.digest,
            files: files.iter().map(|(name, content)| (name.clone(), Digest::of(content))).collect(),
        };
        put(&mut files, MANIFEST, &manifest)?;
        let made_at = version.created_at.timestamp().unsigned_abs();
        archive(&files, &format!("{slug}-v{number}"), made_at).map(Bytes::from).map_err(|error| unwritten(&error))
    }
}

fn put(files: &mut BTreeMap<String, Vec<u8>>, name: &str, content: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(content).map_err(|error| unwritten(&error))?;
    files.insert(name.to_owned(), text);
    Ok(())
}

/// The files below one directory; equal files make equal bytes.
fn archive(files: &BTreeMap<String, Vec<u8>>, below: &str, made_at: u64) -> std::io::Result<Vec<u8>> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(made_at);
        out.append_data(&mut header, format!("{below}/{name}"), content.as_slice())?;
    }
    out.into_inner()
}

fn unwritten(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(500, "internal", "Internal error", format!("the evidence cannot be written: {error}"))
}
