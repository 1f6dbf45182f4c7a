//! Features: the document's expressions over every row, the labels, and which rows train, choose and test.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::run::StepKind;
use millrace_domain::schema::{Profile, ValidationReport};
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::split::Part;
use millrace_ml::validate::{check_overlap, validate_joined};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::{Frames, Launched, prepare};
use crate::stage::Stage;
use crate::validate::stopped;

pub(crate) struct Features;

#[derive(Serialize, Deserialize)]
pub(crate) struct Computed {
    feature_digest: Digest,
    split_digest: Digest,
    features: usize,
    train_rows: usize,
    validation_rows: usize,
    test_rows: usize,
    unlabelled_rows: usize,
    /// What is known of each feature's values.
    statistics: Profile,
    /// What was found about what only a run knows: what was joined, and which rows test.
    report: ValidationReport,
}

#[async_trait]
impl Stage for Features {
    type Input = (Launched, Frames);
    type Output = Computed;
    const KIND: StepKind = StepKind::Features;

    async fn load(&self, context: &Context) -> Result<Self::Input, StepError> {
        let launched = Launched::of(context).await?;
        let frames = launched.frames(context).await?;
        Ok((launched, frames))
    }

    fn digest(&self, (launched, _): &Self::Input) -> Digest {
        Digest::of_canonical(&json!({ "dataset": launched.data_digest(), "problem": launched.problem.digest }))
    }

    async fn compute(&self, context: &Context, (launched, frames): Self::Input) -> Result<Computed, StepError> {
        context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "computing features" }));
                let document = &launched.problem.document;
                let prepared = prepare(&frames, document)?;
                let mut findings = validate_joined(&prepared.dataset, document);
                findings.push(check_overlap(&prepared.dataset, &prepared.split));
                let rows = |part: Part| prepared.split.rows(part);
                let parts = json!([rows(Part::Train), rows(Part::Validation), rows(Part::Test)]);
                Ok(Computed {
                    feature_digest: document.feature_digest(),
                    split_digest: Digest::of_canonical(&parts),
                    features: document.features.len(),
                    statistics: prepared.table.profile(document.features.iter().map(|feature| feature.name.as_str())),
                    train_rows: rows(Part::Train).len(),
                    validation_rows: rows(Part::Validation).len(),
                    test_rows: rows(Part::Test).len(),
                    unlabelled_rows: prepared.labels.missing(),
                    report: ValidationReport { findings, drift: None },
                })
            })
            .await
    }

    fn told(&self, output: &Computed) -> Vec<String> {
        let Computed { features, train_rows, validation_rows, test_rows, unlabelled_rows, .. } = output;
        vec![format!(
            "{features} features; rows: {train_rows} to train on, {validation_rows} to validate, {test_rows} to test, {unlabelled_rows} \
             without a label"
        )]
    }

    fn verdict(&self, output: &Computed) -> Verdict {
        if output.report.blocking().next().is_some() { stopped(&output.report) } else { Verdict::GoOn }
    }

    fn commit(&self, _context: &Context, _output: Computed) -> Commit {
        commit((), |_, _| Box::pin(async { Ok(()) }))
    }
}
