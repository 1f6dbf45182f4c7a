//! `rehearse`: what a document's policy would have done over a file of the past. Needs no server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use millrace_domain::problem::{Mistake, ProblemDocument, Span};
use millrace_domain::trainer::FitPlan;
use millrace_jobs::rehearsal::{CourseTold, Rehearsal, Rehearsed};
use millrace_ml::Dataset;
use millrace_ml::read::{ReadOptions, read};
use serde_json::{Value, json};

/// Goes through a file of the past as the document's policy would have: what would have drifted, whom it would have told, what it would
/// have trained and put live, and how good answers would have been, beside never training again and training on a schedule.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The document, TOML or JSON.
    #[arg(short, long)]
    file: PathBuf,
    /// The past: rows with their event times and labels. Named several times, the rows of each file come after those of the one before,
    /// and the first file says of which type a column is.
    #[arg(long, required = true)]
    data: Vec<PathBuf>,
    /// A table that rows are joined to, as NAME=FILE.
    #[arg(long, value_name = "NAME=FILE")]
    table: Vec<String>,
    /// When the first model is trained, on what was known then; after the first third of the rows when absent.
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Trainings see rows of so long before them, for example 16w; all when absent.
    #[arg(long, value_name = "SPAN")]
    trained_on: Option<Span>,
    /// Five-field cron (UTC) of the schedule beside which the policy is shown.
    #[arg(long, default_value = "0 3 * * 1")]
    schedule: String,
    /// The trainer.
    #[arg(long, default_value = "gradient_boosting")]
    trainer: String,
    /// Its hyperparameters, as JSON.
    #[arg(long, default_value = "{}")]
    parameters: String,
    /// How the validation part puts answers right: none, platt or isotonic, of a quantile conformal.
    #[arg(long, default_value = "none")]
    calibration: String,
    /// Seed of every training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Rehearses and prints what would have happened.
pub fn rehearse(args: RehearseArgs, as_json: bool) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let document = ProblemDocument::parse(&text).map_err(|mistakes| told("the document", &mistakes))?;
    let parameters: Value = serde_json::from_str(&args.parameters).context("--parameters is no JSON")?;
    let asked = json!({ "trainer": args.trainer, "parameters": parameters, "calibration": args.calibration });
    let plan = FitPlan::read(&FitPlan::filled_in(asked), &document.target);
    let plan = plan.map_err(|mistakes| told("what is trained", &mistakes))?;
    let Some(branch) = plan.space.branches().first().filter(|_| plan.space.branches().len() == 1) else {
        bail!("a rehearsal trains one trainer with fixed hyperparameters");
    };
    let rows = Arc::new(history(&args.data, &ReadOptions::of(&document.data))?);
    let mut tables = BTreeMap::new();
    for given in &args.table {
        let (name, file) = given.split_once('=').with_context(|| format!("--table {given:?} is not like NAME=FILE"))?;
        let table = document.table(name).with_context(|| format!("the document has no table {name:?}"))?;
        tables.insert(name.to_owned(), Arc::new(dataset(Path::new(file), &ReadOptions::of_table(table))?));
    }
    let rehearsal = Rehearsal {
        config: branch.base().clone(),
        calibration: plan.calibration,
        document,
        rows,
        tables,
        seed: args.seed,
        begins: args.from,
        trained_on: args.trained_on,
        schedule: args.schedule,
    };
    let rehearsed = rehearsal.run(&|doing| tracing::info!("{doing}"))?;
    if as_json {
        println!("{}", serde_json::to_string(&rehearsed)?);
    } else {
        print!("{}", shown(&rehearsed));
    }
    Ok(())
}

/// The rows of several files, one after the other.
fn history(paths: &[PathBuf], options: &ReadOptions) -> anyhow::Result<Dataset> {
    let mut files = paths.iter().map(|path| Ok((path, dataset(path, options)?)));
    let (_, first) = files.next().context("--data names no file")??;
    files.try_fold(first, |before, file: anyhow::Result<_>| {
        let (path, more) = file?;
        before.append(&more).with_context(|| format!("{} does not go on with the rows before it", path.display()))
    })
}

fn dataset(path: &Path, options: &ReadOptions) -> anyhow::Result<Dataset> {
    let content = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(read(&content, &path.display().to_string(), options)?.dataset)
}

fn told(what: &str, mistakes: &[Mistake]) -> anyhow::Error {
    let lines: Vec<String> =
        mistakes.iter().map(|mistake| format!("\n  {} {}", mistake.pointer, mistake.message)).collect();
    anyhow::anyhow!("{what} cannot be used:{}", lines.concat())
}

/// The courses side by side, and what happened in each.
fn shown(rehearsed: &Rehearsed) -> String {
    let metric = rehearsed.metric.title();
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let windows = rehearsed.courses.first().map_or(0, |course| course.windows.len());
    let mut lines = vec![
        format!(
            "{windows} windows from {} on; {metric} is their mean by rows, {} is better",
            day(rehearsed.begins),
            rehearsed.better
        ),
        String::new(),
        format!("{:<12} {:>10} {:>10} {:>13} {:>7}", "policy", metric, "trainings", "rows fitted", "alerts"),
    ];
    lines.extend(rehearsed.courses.iter().map(|course| {
        let alerts: u64 = course.alerts.values().sum();
        let CourseTold { policy, mean, trainings, rows_fitted, .. } = course;
        format!("{policy:<12} {:>10} {trainings:>10} {rows_fitted:>13} {alerts:>7}", number(*mean))
    }));
    if rehearsed.repeat_last.is_some() {
        lines.push(format!("{:<12} {:>10}", "repeat last", number(rehearsed.repeat_last)));
    }
    for course in &rehearsed.courses {
        lines.push(format!("\n{} ({})", course.policy, course.title));
        lines.extend(
            course.events.iter().map(|event| format!("  {}  {:<10} {}", day(event.at), event.what, event.text)),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}
