//! Ingest: the source's bytes become typed columns with an identity over every cell.

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::run::StepKind;
use millrace_domain::schema::Profile;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::profile::profile;
use millrace_ml::read::{ReadOptions, read};
use millrace_storage::{artifact, dataset};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::Load;
use crate::stage::Stage;

pub(crate) struct Ingest;

#[derive(Serialize, Deserialize)]
pub(crate) struct Ingested {
    digest: Digest,
    frame: Digest,
    frame_bytes: u64,
    format: String,
    rows: u64,
    profile: Profile,
}

#[async_trait]
impl Stage for Ingest {
    type Input = Load;
    type Output = Ingested;
    const KIND: StepKind = StepKind::Ingest;

    async fn load(&self, context: &Context) -> Result<Load, StepError> {
        Load::of(context).await
    }

    fn digest(&self, input: &Load) -> Digest {
        Digest::of_canonical(&json!({
            "source": input.version.source,
            "file_name": input.version.file_name,
            "event_time": input.document.data.event_time,
            "time_format": input.document.data.time_format,
            "csv": input.document.data.csv,
            "table": input.table(),
        }))
    }

    async fn compute(&self, context: &Context, input: Load) -> Result<Ingested, StepError> {
        let source = context.artifacts().get(&input.version.source).await?;
        let file_name = input.version.file_name.clone();
        let options = match input.table() {
            Some(table) => ReadOptions::of_table(table),
            None => ReadOptions::of(&input.document.data),
        };
        let (mut ingested, frame) = context
            .compute(move |reporter| {
                reporter.report(json!({ "text": format!("reading {} bytes", source.len()) }));
                let loaded = read(&source, &file_name, &options)
                    .map_err(|error| StepError::refused("unreadable_source", error.to_string()))?;
                reporter.report(json!({ "text": format!("profiling {} rows", loaded.dataset.rows()) }));
                let frame = loaded
                    .dataset
                    .to_parquet()
                    .map_err(|error| StepError::refused("internal", format!("the frame cannot be written: {error}")))?;
                let ingested = Ingested {
                    digest: loaded.dataset.digest(),
                    frame: Digest::of(&frame),
                    frame_bytes: frame.len() as u64,
                    format: loaded.format.to_string(),
                    rows: loaded.dataset.rows() as u64,
                    profile: profile(&loaded.dataset, &loaded.notes),
                };
                Ok((ingested, frame))
            })
            .await?;
        ingested.frame = context.artifacts().put(Bytes::from(frame)).await?;
        Ok(ingested)
    }

    fn commit(&self, context: &Context, output: Ingested) -> Commit {
        let id = millrace_domain::ids::DatasetVersionId(context.step().subject.id());
        commit(move |tx| {
            Box::pin(async move {
                let now = millrace_storage::now(tx).await?;
                artifact::register(tx, &output.frame, output.frame_bytes, "application/vnd.apache.parquet", now)
                    .await?;
                let rows = i64::try_from(output.rows).unwrap_or(i64::MAX);
                dataset::set_ingested(tx, id, &output.digest, &output.frame, &output.format, rows, &output.profile)
                    .await
            })
        })
    }
}
