//! Ingest: the source's bytes become typed columns with an identity over every cell.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::run::StepKind;
use millrace_domain::schema::{ColumnType, Profile};
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::Dataset;
use millrace_ml::profile::profile;
use millrace_ml::quarantine::corrections;
use millrace_ml::read::{Loaded, ReadError, ReadOptions, Scratch, read_file};
use millrace_storage::artifact::Draft;
use millrace_storage::step::Failure;
use millrace_storage::{artifact, dataset};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::Load;
use crate::stage::Stage;

pub(crate) struct Ingest;

pub(crate) struct Input {
    load: Load,
    base: Option<Base>,
}

/// The version whose rows come before.
struct Base {
    digest: Digest,
    frame: Digest,
    profile: Profile,
    /// What was set aside, where the load brings it back.
    aside: Option<Digest>,
}

/// The stored rows that come before, and what was set aside of them where the load brings that back.
struct Before {
    frame: File,
    profile: Profile,
    aside: Option<Bytes>,
}

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
    type Input = Input;
    type Output = Ingested;
    const KIND: StepKind = StepKind::Ingest;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let load = Load::of(context).await?;
        let pool = context.db().pool();
        let missing = || StepError::refused("internal", "the version that is added to is missing");
        let base = match load.version.base {
            None => None,
            Some(base) => {
                let base = dataset::find_version(pool, base).await?.ok_or_else(missing)?;
                let aside = match load.version.corrects {
                    None => None,
                    Some(corrects) => {
                        let corrected = dataset::find_version(pool, corrects).await?.ok_or_else(missing)?;
                        Some(corrected.aside.ok_or_else(missing)?)
                    }
                };
                Some(Base {
                    digest: base.digest.ok_or_else(missing)?,
                    frame: base.frame.ok_or_else(missing)?,
                    profile: base.profile.ok_or_else(missing)?,
                    aside,
                })
            }
        };
        Ok(Input { load, base })
    }

    fn digest(&self, input: &Input) -> Digest {
        let load = &input.load;
        let mut inputs = json!({
            "source": load.version.source,
            "file_name": load.version.file_name,
            "event_time": load.document.data.event_time,
            "time_format": load.document.data.time_format,
            "csv": load.document.data.csv,
            "table": load.table(),
        });
        if let Some(known) = &load.document.data.known_time {
            inputs["known_time"] = json!(known);
        }
        if let Some(base) = &input.base {
            inputs["base"] = json!([base.digest, base.aside]);
        }
        Digest::of_canonical(&inputs)
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Ingested, StepError> {
        let Input { load, base } = input;
        let source = context.artifacts().open_file(&load.version.source).await?;
        let file_name = load.version.file_name.clone();
        let options = match load.table() {
            Some(table) => ReadOptions::of_table(table),
            None => ReadOptions::of(&load.document.data),
        };
        let before = match base {
            None => None,
            Some(base) => {
                let frame = context.artifacts().open_file(&base.frame).await?;
                let aside = match &base.aside {
                    Some(aside) => Some(context.artifacts().get(aside).await?),
                    None => None,
                };
                Some(Before { frame, profile: base.profile, aside })
            }
        };
        let artifacts = context.artifacts().clone();
        let (ingested, frame) = context
            .compute(move |reporter| {
                let bytes = source.metadata().map_or(0, |about| about.len());
                reporter.report(json!({ "text": format!("reading {bytes} bytes") }));
                let scratch = || artifacts.scratch();
                let loaded = load_after(before, &source, &file_name, options, &scratch)?;
                reporter.report(json!({ "text": format!("profiling {} rows", loaded.dataset.rows()) }));
                let frame = written(&loaded.dataset, artifacts.draft()?)?;
                let ingested = Ingested {
                    digest: loaded.dataset.digest(),
                    frame: frame.digest(),
                    frame_bytes: frame.bytes(),
                    format: loaded.format,
                    rows: loaded.dataset.rows() as u64,
                    profile: profile(&loaded.dataset, &loaded.notes),
                };
                Ok((ingested, frame))
            })
            .await?;
        context.artifacts().keep(frame).await?;
        Ok(ingested)
    }

    fn commit(&self, context: &Context, output: Ingested) -> Commit {
        let id = millrace_domain::ids::DatasetVersionId(context.step().subject.id());
        commit(output, move |tx, output| {
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

/// All rows of a version.
struct Whole {
    dataset: Dataset,
    format: String,
    notes: BTreeMap<String, Vec<String>>,
}

/// Reads a file after the rows that come before, if there are any.
fn load_after(
    before: Option<Before>,
    source: &File,
    name: &str,
    mut options: ReadOptions,
    scratch: Scratch<'_>,
) -> Result<Whole, StepError> {
    let unreadable = |error: &dyn std::fmt::Display| StepError::refused("unreadable_source", error.to_string());
    let unread = |error: ReadError| if error.is_of_the_disk() { passing(&error) } else { unreadable(&error) };
    let Some(Before { frame, profile, aside }) = before else {
        let Loaded { dataset, format, notes, .. } = read_file(source, name, &options, scratch).map_err(unread)?;
        return Ok(Whole { dataset, format: format.to_string(), notes });
    };
    let rows = Dataset::open(frame)
        .map_err(|error| StepError::refused("corrupt_input", format!("the earlier rows cannot be read: {error}")))?;
    let mut notes: BTreeMap<String, Vec<String>> =
        profile.columns.into_iter().map(|column| (column.column.name, column.notes)).collect();
    if let Some(aside) = aside {
        let mut corrected = Vec::new();
        std::io::Read::read_to_end(&mut &*source, &mut corrected).map_err(|error| passing(&error))?;
        let dataset = corrections(&aside, &corrected, name, &rows).map_err(|error| unreadable(&error))?;
        return Ok(Whole { dataset, format: "CSV, corrected rows".to_owned(), notes });
    }
    let texts = rows.schema().iter().filter(|column| column.column_type == ColumnType::Text);
    options.text_columns = texts.map(|column| column.name.clone()).collect();
    let loaded = read_file(source, name, &options, scratch).map_err(unread)?;
    let dataset = rows.append(&loaded.dataset).map_err(|error| unreadable(&format!("{name} was refused: {error}")))?;
    for (column, more) in loaded.notes {
        notes.entry(column).or_default().extend(more);
    }
    Ok(Whole { dataset, format: format!("{}, appended", loaded.format), notes })
}

/// Writes a frame into a draft.
pub(crate) fn written(dataset: &Dataset, draft: Draft) -> Result<Draft, StepError> {
    const PIECE: usize = 1 << 20;
    let mut writer = BufWriter::with_capacity(PIECE, draft);
    dataset.write_parquet(&mut writer).map_err(|error| passing(&error))?;
    writer.flush().map_err(|error| passing(&error))?;
    writer.into_inner().map_err(|error| passing(error.error()))
}

/// What may pass when it is tried again.
fn passing(error: &dyn std::fmt::Display) -> StepError {
    let message = format!("{error}; free space or move MILLRACE_ARTIFACTS");
    StepError::Passing(Failure { code: "storage".to_owned(), message })
}
