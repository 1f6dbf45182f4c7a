//! What steps read before they compute.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use millrace_domain::Digest;
use millrace_domain::ids::{DatasetVersionId, ProblemVersionId, RunId};
use millrace_domain::problem::{Environment, Mistake, ProblemDocument, SourceTable};
use millrace_domain::trainer::FitPlan;
use millrace_executor::{Context, StepError};
use millrace_ml::Dataset;
use millrace_ml::features::{FeaturePlan, FeatureTable, Labels};
use millrace_ml::join::{History, JoinError, Sources};
use millrace_ml::split::Split;
use millrace_ml::tune::Shared;
use millrace_storage::dataset::{self, DatasetVersion};
use millrace_storage::problem::{self, ProblemVersion};
use millrace_storage::run::{self, Run, RunTable};
use millrace_storage::step::Subject;
use serde_json::Value;

/// The dataset version a step belongs to, and the document it is read by.
pub(crate) struct Load {
    pub version: DatasetVersion,
    pub document: ProblemDocument,
    pub document_digest: Digest,
}

impl Load {
    pub(crate) async fn of(context: &Context) -> Result<Self, StepError> {
        let Subject::Dataset(id) = context.step().subject else { return Err(misplaced()) };
        let version = dataset_version(context, DatasetVersionId(id)).await?;
        let problem = problem_version(context, version.problem_version).await?;
        Ok(Self { version, document: problem.document, document_digest: problem.digest })
    }
}

impl Load {
    /// The source table that the dataset is, if it is one.
    pub(crate) fn table(&self) -> Option<&SourceTable> {
        self.document.table(&self.version.name)
    }

    /// The environment that its rows are of, if they are.
    pub(crate) fn environment(&self) -> Option<&Environment> {
        self.document.environment(&self.version.name)
    }
}

/// The run a step belongs to, with its data and document.
#[derive(Clone)]
pub(crate) struct Launched {
    pub run: Run,
    pub problem: ProblemVersion,
    pub dataset: DatasetVersion,
    /// The tables that rows are joined to.
    pub tables: Vec<RunTable>,
    frame: Digest,
}

/// The stored frames of a run: its data and its tables.
pub(crate) struct Frames {
    data: File,
    tables: Vec<(String, File)>,
}

impl Launched {
    pub(crate) async fn of(context: &Context) -> Result<Self, StepError> {
        Self::of_run(context, RunId(context.run_id().ok_or_else(misplaced)?)).await
    }

    /// Another run.
    pub(crate) async fn of_run(context: &Context, id: RunId) -> Result<Self, StepError> {
        let run = run::find(context.db().pool(), id).await?.ok_or_else(misplaced)?;
        let problem = problem_version(context, run.problem_version).await?;
        let dataset = dataset_version(context, run.dataset_version.ok_or_else(misplaced)?).await?;
        let frame = dataset.frame.ok_or_else(misplaced)?;
        let tables = run::tables(context.db().pool(), run.id).await?;
        Ok(Self { run, problem, dataset, tables, frame })
    }

    /// Digest of what every step of a run depends on.
    pub(crate) fn digest(&self, kind: &str, more: &Value) -> Digest {
        Digest::of_canonical(&serde_json::json!({
            "kind": kind,
            "dataset": self.data_digest(),
            "problem": self.problem.digest,
            "seed": self.run.seed,
            "request": self.run.request,
            "more": more,
        }))
    }

    /// Digests of the data and, where there are any, of the tables.
    pub(crate) fn data_digest(&self) -> Value {
        if self.tables.is_empty() {
            return serde_json::json!(self.dataset.digest);
        }
        serde_json::json!([self.dataset.digest, self.table_digests()])
    }

    /// The digests of the tables by name.
    pub(crate) fn table_digests(&self) -> BTreeMap<String, Digest> {
        self.tables.iter().map(|table| (table.name.clone(), table.digest)).collect()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.run.seed.unsigned_abs()
    }

    /// The frames of the data and of the tables.
    pub(crate) async fn frames(&self, context: &Context) -> Result<Frames, StepError> {
        let data = context.artifacts().open_file(&self.frame).await?;
        let mut tables = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            tables.push((table.name.clone(), context.artifacts().open_file(&table.frame).await?));
        }
        Ok(Frames { data, tables })
    }

    /// How the model is fitted.
    pub(crate) fn plan(&self) -> Result<FitPlan, StepError> {
        FitPlan::read(&self.run.request, &self.problem.document.target)
            .map_err(|mistakes| mistaken("invalid_request", "trainer, parameters and search", &mistakes))
    }

    /// Rows of the dataset version.
    pub(crate) fn rows(&self) -> u64 {
        self.dataset.rows.map_or(0, i64::unsigned_abs)
    }
}

/// Features, labels and parts of a dataset version.
pub(crate) struct Prepared {
    /// The rows with what was joined to them.
    pub dataset: Dataset,
    /// What they were joined to.
    pub history: Arc<History>,
    pub plan: FeaturePlan,
    pub table: FeatureTable,
    pub labels: Labels,
    pub split: Split,
    /// What trials on these rows encode once.
    pub shared: Shared,
}

/// Computes features, labels and parts: the same bytes give the same rows in every step that asks.
pub(crate) fn prepare(frames: &Frames, document: &ProblemDocument) -> Result<Prepared, StepError> {
    let unread = |error: &dyn std::fmt::Display| {
        StepError::refused("corrupt_input", format!("the stored frame cannot be read: {error}"))
    };
    let read = |frame: &File| {
        let frame = frame.try_clone().map_err(|error| unread(&error))?;
        Dataset::open(frame).map(Arc::new).map_err(|error| unread(&error))
    };
    let tables = frames.tables.iter().map(|(name, frame)| Ok((name.clone(), read(frame)?)));
    let tables = tables.collect::<Result<_, StepError>>()?;
    prepared(read(&frames.data)?, tables, document)
}

/// The same of rows, and of the tables that they are joined to.
pub(crate) fn prepared(
    rows: Arc<Dataset>,
    tables: BTreeMap<String, Arc<Dataset>>,
    document: &ProblemDocument,
) -> Result<Prepared, StepError> {
    let sources = Sources { own: Some(Arc::clone(&rows)), tables };
    let plan = FeaturePlan::compile(document, rows.schema(), &sources.table_columns())
        .map_err(|mistakes| mistaken("invalid_features", "features", &mistakes))?;
    let unjoined = |error: JoinError| StepError::refused("invalid_joins", error.to_string());
    let history = History::new(plan.joins(), &sources).map_err(unjoined)?;
    let dataset = if plan.joins().is_empty() {
        Arc::unwrap_or_clone({
            drop(sources);
            rows
        })
    } else {
        history.join(&rows).map_err(unjoined)?
    };
    let table = plan.table(&dataset).map_err(|error| StepError::refused("invalid_features", error.to_string()))?;
    let labels = plan.labels(&dataset).map_err(|error| StepError::refused("invalid_labels", error.to_string()))?;
    let split = Split::new(&document.data.split, &dataset, document.data.event_time.as_deref(), &labels)
        .map_err(|error| StepError::refused("invalid_split", error.to_string()))?;
    Ok(Prepared { dataset, history: Arc::new(history), plan, table, labels, split, shared: Shared::default() })
}

pub(crate) async fn dataset_version(context: &Context, id: DatasetVersionId) -> Result<DatasetVersion, StepError> {
    dataset::find_version(context.db().pool(), id).await?.ok_or_else(misplaced)
}

pub(crate) async fn problem_version(context: &Context, id: ProblemVersionId) -> Result<ProblemVersion, StepError> {
    problem::find_version(context.db().pool(), id).await?.ok_or_else(misplaced)
}

/// Every mistake in one message.
pub(crate) fn mistaken(code: &str, what: &str, mistakes: &[Mistake]) -> StepError {
    let listed: Vec<String> =
        mistakes.iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.message)).collect();
    StepError::refused(code, format!("the {what} do not fit: {}", listed.join("; ")))
}

pub(crate) fn misplaced() -> StepError {
    StepError::refused("internal", "the step does not belong to what it was queued for; please report it")
}
