//! `run`: bring data, launch, follow.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use millrace_domain::repository::MOST_DIFF;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::cli::client::{Client, Server};

/// Launches a run and follows it; exit 0 only if it was gated and registered.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    server: Server,
    /// Slug of the problem.
    #[arg(long)]
    problem: String,
    /// File to bring in first; without it the newest valid dataset is used.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Name of the dataset the file becomes a version of; the file's name when absent.
    #[arg(long)]
    dataset: Option<String>,
    /// gradient_boosting, random_forest, decision_tree, logistic or elastic_net; several with commas between them, or any: the
    /// search then chooses.
    #[arg(long)]
    trainer: Option<String>,
    /// Hyperparameters as JSON.
    #[arg(long, value_parser = as_json_text)]
    parameters: Option<Value>,
    /// Search space as JSON: {"eta": {"low": 0.01, "high": 0.3, "scale": "log"}, "max_depth": [4, 8]}. With "when": {"max_depth": [8]}
    /// beside a range, or beside "values": […], a hyperparameter is drawn only there.
    #[arg(long, value_parser = as_json_text)]
    search: Option<Value>,
    /// Trials of the search.
    #[arg(long)]
    budget: Option<u32>,
    /// How the validation part puts answers right: none, platt or isotonic of a binary model's scores, conformal of a quantile.
    #[arg(long)]
    calibration: Option<String>,
    /// How trials are drawn: tpe, sobol or random.
    #[arg(long)]
    sampler: Option<String>,
    /// Which trials are ended early: none, median, asha, halving or hyperband.
    #[arg(long)]
    pruner: Option<String>,
    /// Trials that may run at once.
    #[arg(long)]
    parallel: Option<u32>,
    /// Most seconds of processor time for all trials.
    #[arg(long)]
    cpu_seconds: Option<f64>,
    /// Most seconds from the first trial on.
    #[arg(long)]
    wall_seconds: Option<f64>,
    /// The search ends once what is left of it is expected to gain less than this, in units of its metric.
    #[arg(long)]
    least_gain: Option<f64>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn as_json_text(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// Follows one thing on the terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Says something beside the answer, which stays on the screen.
    fn tell(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }

    /// Takes it off the screen.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }

    /// Shows the step under way and its progress.
    fn show(&self, subject: &str, steps: &Value) {
        let under_way = steps.as_array().into_iter().flatten().find(|step| step["state"] == "running");
        let text = under_way.map_or_else(String::new, |step| {
            let kind = step["kind"].as_str().unwrap_or_default();
            let progress = step["progress"]["text"].as_str().unwrap_or_default();
            format!("{kind} {progress}")
        });
        self.0.set_message(format!("{subject}: {text}"));
    }
}

/// Runs the pipeline.
pub async fn run(args: RunArgs, as_json: bool) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let bar = Bar::new();
    let dataset = match &args.data {
        None => None,
        Some(_) => Some(upload(&client, &args, &bar).await?),
    };
    let mut body = json!({
        "seed": args.seed, "trainer": args.trainer, "budget": args.budget, "sampler": args.sampler, "pruner": args.pruner,
        "calibration": args.calibration, "parallel": args.parallel, "cpu_seconds": args.cpu_seconds, "wall_seconds": args.wall_seconds, "least_gain": args.least_gain,
        "parameters": args.parameters, "search": args.search,
        "provenance": repository(),
    });
    if let Some((dataset, version)) = dataset {
        body["dataset"] = dataset;
        body["version"] = version;
    }
    let launched = client.post(&format!("/api/v1/problems/{}/runs", args.problem), &body).await?;
    let id = launched["run"].as_str().context("the server named no run")?.to_owned();
    bar.tell(&format!("run {id}: {}", client.address(&format!("/runs/{id}"))));
    let run = follow(&client, &id, &bar).await?;
    bar.clear();
    report(&run, as_json)
}

async fn upload(client: &Client, args: &RunArgs, bar: &Bar) -> anyhow::Result<(Value, Value)> {
    let file = args.data.as_ref().context("checked by the caller")?;
    let file_name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let content = tokio::fs::read(file).await.with_context(|| format!("{} cannot be read", file.display()))?;
    bar.0.set_message(format!("sending {} bytes of {file_name}", content.len()));
    let name = args.dataset.clone().unwrap_or_else(|| file_name.clone());
    let form = Form::new()
        .text("problem", args.problem.clone())
        .text("name", name)
        .part("file", Part::bytes(content).file_name(file_name.clone()));
    let taken = client.answer(client.request(Method::POST, "/api/v1/datasets").multipart(form)).await?;
    let (dataset, version) = (taken["dataset"].clone(), taken["version"].clone());
    let path = format!("/api/v1/datasets/{}/versions/{version}", dataset.as_str().unwrap_or_default());
    loop {
        let seen = client.get_patiently(&path).await?;
        bar.show(&file_name, &seen["steps"]);
        match seen["summary"]["state"].as_str() {
            Some("valid") => return Ok((dataset, version)),
            Some("rejected") => {
                bar.clear();
                bail!("{file_name} was rejected: {}", why_rejected(&seen));
            }
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// The failure, or the critical findings.
fn why_rejected(version: &Value) -> String {
    if let Some(message) = version["failure"]["message"].as_str() {
        return message.to_owned();
    }
    let findings = version["report"]["findings"].as_array().into_iter().flatten();
    let critical: Vec<String> = findings
        .filter(|finding| finding["severity"] == "critical" && finding["outcome"] != "passed")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            format!(
                "\n  {} {}: expected {}, found {}",
                text("column"),
                text("check"),
                text("expected"),
                text("observed")
            )
        })
        .collect();
    format!("{} critical findings{}", critical.len(), critical.concat())
}

pub(super) async fn follow(client: &Client, id: &str, bar: &Bar) -> anyhow::Result<Value> {
    loop {
        let run = client.get_patiently(&format!("/api/v1/runs/{id}")).await?;
        bar.show(&format!("run {id}"), &run["steps"]);
        match run["state"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(Duration::from_millis(250)).await,
            _ => return Ok(run),
        }
    }
}

fn report(run: &Value, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{run}");
    } else {
        for gate in run["gates"].as_array().into_iter().flatten() {
            let text = |key: &str| gate[key].as_str().unwrap_or_default().to_owned();
            let observed = gate["observed"].as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            println!("{:<13} {:<28} {observed:>10}  {}", text("verdict"), text("name"), text("rule"));
        }
    }
    let state = run["state"].as_str().unwrap_or_default();
    if state != "succeeded" {
        let reason = run["failure"]["message"].as_str().unwrap_or("no reason was given");
        bail!("run {} {state}: {reason}", run["id"].as_str().unwrap_or_default());
    }
    if !as_json {
        let model = &run["model"];
        println!("registered {} version {}", model["slug"].as_str().unwrap_or_default(), model["version"]);
    }
    Ok(())
}

/// The state of the repository the command runs in, if it is one.
fn repository() -> Value {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let word = |arguments: &[&str]| git(arguments).map(|text| text.trim().to_owned());
    match word(&["rev-parse", "HEAD"]) {
        None => Value::Null,
        Some(sha) => {
            // As it is written, or it does not apply: its last line may be an empty one. A diff too large to be sent is what `dirty` alone tells.
            let diff = git(&["diff", "HEAD", "--no-color"]).filter(|diff| !diff.is_empty() && diff.len() < MOST_DIFF);
            json!({
                "git_sha": sha,
                "branch": word(&["rev-parse", "--abbrev-ref", "HEAD"]),
                "dirty": git(&["status", "--porcelain"]).is_some_and(|text| !text.is_empty()),
                "diff": diff,
            })
        }
    }
}
