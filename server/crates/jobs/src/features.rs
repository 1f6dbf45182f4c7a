//! Features: the document's expressions over every row, the labels, and which rows train, choose and test.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::run::StepKind;
use millrace_domain::schema::ValidationReport;
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::split::Part;
use millrace_ml::validate::validate_joined;
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
    /// What was found about the features that read what was joined.
    joined: ValidationReport,
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
                let joined = validate_joined(&prepared.dataset, document);
                let rows = |part: Part| prepared.split.rows(part);
                let parts = json!([rows(Part::Train), rows(Part::Validation), rows(Part::Test)]);
                Ok(Computed {
                    feature_digest: document.feature_digest(),
                    split_digest: Digest::of_canonical(&parts),
                    features: document.features.len(),
                    train_rows: rows(Part::Train).len(),
                    validation_rows: rows(Part::Validation).len(),
                    test_rows: rows(Part::Test).len(),
                    unlabelled_rows: prepared.labels.missing(),
                    joined: ValidationReport { findings: joined, drift: None },
                })
            })
            .await
    }

    fn verdict(&self, output: &Computed) -> Verdict {
        if output.joined.blocking().next().is_some() { stopped(&output.joined) } else { Verdict::GoOn }
    }

    fn commit(&self, _context: &Context, _output: Computed) -> Commit {
        commit(|_| Box::pin(async { Ok(()) }))
    }
}
