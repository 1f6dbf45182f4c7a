//! `rehearse`: what a document's policy would have done over a file of the past. Needs no server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use millrace_domain::metric::Metric;
use millrace_domain::problem::{Mistake, ProblemDocument, Span};
use millrace_domain::rehearsal::RehearsalPlan;
use millrace_domain::view::{CourseTold, DrillRequest, RehearsalRequest, Rehearsed};
use millrace_jobs::rehearsal::{Onlooker, Rehearsal};
use millrace_ml::Dataset;
use millrace_ml::read::{ReadOptions, read};
use serde_json::Value;

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
    /// Mondays at three when absent.
    #[arg(long)]
    schedule: Option<String>,
    /// The trainer.
    #[arg(long, default_value = "gradient_boosting")]
    trainer: String,
    /// Its hyperparameters, as JSON.
    #[arg(long, default_value = "{}")]
    parameters: String,
    /// How the validation part puts answers right: none, platt or isotonic, of a quantile conformal.
    #[arg(long, default_value = "none")]
    calibration: String,
    /// A trained model goes out step by step, as the document's rollout says, each row being a request; else it answers from the next window
    /// on.
    #[arg(long)]
    staged: bool,
    /// A fire drill: a column breaks from a time on, as COLUMN:HOW@TIME; HOW is missing, stuck, shuffled or drifting (drifting=2: by two
    /// standard deviations until the end).
    #[arg(long, value_name = "COLUMN:HOW@TIME")]
    drill: Option<String>,
    /// The drill's data stays whole, and a model that was fitted on such data goes out at its time. The column may be the label's.
    #[arg(long, requires = "drill")]
    drill_model: bool,
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
    let request = RehearsalRequest {
        trainer: Some(args.trainer),
        parameters: Some(parameters),
        calibration: Some(args.calibration),
        from: args.from,
        trained_on: args.trained_on.map(|span| span.to_string()),
        schedule: args.schedule,
        seed: Some(args.seed),
        staged: args.staged,
        drill: args.drill.as_deref().map(|text| drill(text, args.drill_model)).transpose()?,
        ..RehearsalRequest::default()
    };
    let plan = RehearsalPlan::read(&document, &request).map_err(|mistakes| told("what is asked for", &mistakes))?;
    let rows = Arc::new(history(&args.data, &ReadOptions::of(&document.data))?);
    let mut tables = BTreeMap::new();
    for given in &args.table {
        let (name, file) = given.split_once('=').with_context(|| format!("--table {given:?} is not like NAME=FILE"))?;
        let table = document.table(name).with_context(|| format!("the document has no table {name:?}"))?;
        tables.insert(name.to_owned(), Arc::new(dataset(Path::new(file), &ReadOptions::of_table(table))?));
    }
    let rehearsal = Rehearsal { plan, rows, tables };
    let rehearsed = rehearsal.run(&Logged::default())?;
    if as_json {
        println!("{}", serde_json::to_string(&rehearsed)?);
    } else {
        print!("{}", shown(&rehearsed));
    }
    Ok(())
}

/// The log looks on: windows pass by the thousand, so a line is told when something else is done.
#[derive(Default)]
struct Logged(Mutex<String>);

impl Onlooker for Logged {
    fn sees(&self, _: u64, _: u64, doing: &str) {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != doing {
            tracing::info!("{doing}");
            doing.clone_into(&mut before);
        }
    }
}

/// What breaks, from `COLUMN:HOW@TIME`.
fn drill(text: &str, model: bool) -> anyhow::Result<DrillRequest> {
    let read = || {
        let (what, from) = text.rsplit_once('@')?;
        let (column, how) = what.rsplit_once(':')?;
        let (how, by) = match how.split_once('=') {
            Some((how, by)) => (how, Some(by.parse().ok()?)),
            None => (how, None),
        };
        let (column, how) = (column.to_owned(), how.to_owned());
        Some(DrillRequest { column, how, by, from: from.parse().ok()?, until: None, model })
    };
    read().with_context(|| format!("--drill {text:?} is not like temperature:stuck@2026-03-01T00:00:00Z"))
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
    let metric =
        rehearsed.metric.parse::<Metric>().map_or_else(|()| rehearsed.metric.clone(), |own| own.title().to_owned());
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
    if let Some(drill) = &rehearsed.drill {
        let after = |at: DateTime<Utc>| Span::of_seconds((at - drill.from).num_seconds().unsigned_abs()).in_words();
        lines.push(match drill.is_model {
            true => format!("\ndrill: {}, goes out at {}", drill.title, day(drill.from)),
            false => format!("\ndrill: {} from {} on", drill.title, day(drill.from)),
        });
        lines.push(match &drill.seen {
            Some((at, why)) if drill.rolled_back.as_ref().is_some_and(|(_, own)| own == why) => {
                format!("  seen after {}: {why}", after(*at))
            }
            Some((at, name)) => format!("  seen after {}: {name} had drifted", after(*at)),
            None => "  nothing drifted that would not have otherwise".to_owned(),
        });
        lines.push(match &drill.alert {
            Some((at, said)) => format!("  told after {}: {said}", after(*at)),
            None => "  no alert that would not have been told otherwise".to_owned(),
        });
        lines.extend(drill.is_model.then(|| match (&drill.rolled_back, drill.stays) {
            (Some((at, why)), _) => format!("  rolled back after {}: {why}", after(*at)),
            (None, Some(at)) => format!("  it went through all steps of its rollout in {}, and stays", after(at)),
            (None, None) => "  it was still on its way at the end".to_owned(),
        }));
        lines.push(match drill.model {
            Some(at) => format!("  a model that would not have otherwise went live after {}", after(at)),
            None => "  no model went live that would not have otherwise".to_owned(),
        });
        lines.push(match drill.outside_until {
            None if drill.judged == 0 => {
                "  too few labels to tell whether answers were what the document asks for".to_owned()
            }
            None => "  answers never left what the document asks for".to_owned(),
            Some(_) if drill.is_still_outside => {
                "  answers were outside of what the document asks for to the end".to_owned()
            }
            Some(at) => format!("  answers were back in what the document asks for after {}", after(at)),
        });
        lines.push(format!("  {metric} {} against {} otherwise", number(drill.mean), number(drill.mean_otherwise)));
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
