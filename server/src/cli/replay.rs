//! `replay`: a file as prediction traffic.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use millrace_domain::expr::{Bound, Row};
use millrace_domain::problem::{ProblemDocument, TimeFormat};
use millrace_domain::schema::Value as Cell;
use millrace_ml::dataset::Dataset;
use millrace_ml::features::Input;
use millrace_ml::read::{ReadOptions, read};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::cli::client::{Client, Server};

/// Sends a file as prediction traffic to what is live, and its labels as outcomes.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    server: Server,
    /// Slug of the problem.
    #[arg(long)]
    problem: String,
    /// The file.
    #[arg(long)]
    data: PathBuf,
    /// Rows a second, each label before the next rows; as fast as answers come when absent.
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// Lets time pass so many times as fast: each row is sent at its event time, and its label when the target's delay is over.
    #[arg(long, value_parser = positive, conflicts_with = "rate")]
    speed: Option<f64>,
    /// Rows at most; all of them when absent.
    #[arg(long)]
    rows: Option<usize>,
    /// Rows in one request.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
        .ok_or("must be a number above 0".into())
}

/// Replays the file.
pub async fn replay(args: ReplayArgs, as_json: bool) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let (document, inputs) = live(&client, &args.problem).await?;
    let content =
        tokio::fs::read(&args.data).await.with_context(|| format!("{} cannot be read", args.data.display()))?;
    let options = ReadOptions::of(&document.data);
    let name = args.data.display().to_string();
    let loaded = tokio::task::spawn_blocking(move || read(&content, &name, &options)).await??;
    let traffic = Traffic::of(&document, &inputs, loaded.dataset)?;
    let mut rows = traffic.in_time(args.speed.is_some())?;
    rows.truncate(args.rows.unwrap_or(usize::MAX));
    let pace = Pace { rate: args.rate, speed: args.speed, began: Instant::now() };
    let delay = args.speed.map_or(Duration::ZERO, |speed| wait(document.target.delay.seconds() as f64 / speed));

    let (predict, outcome) = (path(&args.problem, "predict"), path(&args.problem, "outcome"));
    let (mut predictions, mut outcomes) = (0, 0);
    // Labels by when they are known, which is in the order of their rows.
    let mut unknown: VecDeque<(Instant, Vec<Value>)> = VecDeque::new();
    let first = rows.first().map_or(0, |(_, time)| *time);
    for (place, batch) in rows.chunks(usize::from(args.batch)).enumerate() {
        let due = pace.due(place * usize::from(args.batch), batch, first);
        // Those too that were to be sent while the answers before took longer than the pace.
        let until = due.unwrap_or_else(Instant::now).max(Instant::now());
        while let Some((at, labels)) = unknown.pop_front_if(|(at, _)| *at <= until) {
            sleep_until(at).await;
            outcomes += send(&client, &outcome, labels).await?;
        }
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let instances: Vec<Value> = batch.iter().map(|(row, _)| traffic.instance(*row)).collect();
        let answer = client.post(&predict, &json!({ "instances": instances })).await?;
        let Some(answers) = answer["predictions"].as_array() else { bail!("the server answered no predictions") };
        predictions += answers.len();
        let labelled = answers
            .iter()
            .zip(batch)
            .filter_map(|(answer, (row, _))| Some(json!({ "id": answer["id"], "label": traffic.label(*row)? })));
        unknown.push_back((Instant::now() + delay, labelled.collect()));
    }
    for (at, labels) in unknown {
        sleep_until(at).await;
        outcomes += send(&client, &outcome, labels).await?;
    }
    if as_json {
        println!("{}", json!({ "predictions": predictions, "outcomes": outcomes }));
    } else {
        println!("{predictions} predictions, {outcomes} outcomes");
    }
    Ok(())
}

fn path(problem: &str, act: &str) -> String {
    format!("/v1/models/{problem}:{act}")
}

/// The document that the live version was trained by, and the names of what that version is asked.
async fn live(client: &Client, problem: &str) -> anyhow::Result<(ProblemDocument, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let asked = client.get(&format!("/v2/models/{problem}")).await?;
    let version = text(&asked["versions"][0]);
    let model = client.get(&format!("/api/v1/models/{problem}/versions/{version}")).await?;
    let run = client.get(&format!("/api/v1/runs/{}", text(&model["summary"]["run"]))).await?;
    let version = &run["problem_version"];
    let signed = client.get(&format!("/api/v1/problems/{problem}/versions/{version}")).await?;
    let document = ProblemDocument::from_json(&signed["document"])
        .map_err(|_| anyhow::anyhow!("the server's document cannot be read; is it newer than this program?"))?;
    let inputs = asked["inputs"].as_array().into_iter().flatten().map(|input| text(&input["name"])).collect();
    Ok((document, inputs))
}

async fn send(client: &Client, path: &str, outcomes: Vec<Value>) -> anyhow::Result<u64> {
    if outcomes.is_empty() {
        return Ok(0);
    }
    let report = client.post(path, &json!({ "outcomes": outcomes })).await?;
    Ok(report["accepted"].as_u64().unwrap_or(0))
}

/// When rows are sent.
struct Pace {
    rate: Option<f64>,
    speed: Option<f64>,
    began: Instant,
}

impl Pace {
    /// When a request is sent whose first row is the one of that number; at once if nothing says.
    fn due(&self, number: usize, rows: &[(usize, i64)], first: i64) -> Option<Instant> {
        let seconds = match (self.rate, self.speed, rows.last()) {
            (Some(rate), ..) => number as f64 / rate,
            (None, Some(speed), Some((_, time))) => (time - first) as f64 / 1e6 / speed,
            _ => return None,
        };
        Some(self.began + wait(seconds))
    }
}

/// That many seconds, a thousand years at most.
fn wait(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.min(3.2e10))
}

/// A file as a model is asked about it.
struct Traffic {
    dataset: Dataset,
    sent: Vec<(usize, Input)>,
    label: Bound,
    event_time: Option<usize>,
}

impl Traffic {
    /// What the version reads is sent, and whom and when a row is about.
    fn of(document: &ProblemDocument, inputs: &[String], dataset: Dataset) -> anyhow::Result<Self> {
        let label = document.target.definition.expression().bind(dataset.schema())?;
        let (entity, event_time) = (document.data.entity.as_ref(), document.data.event_time.as_ref());
        let is_sent = |name: &String| inputs.contains(name) || [entity, event_time].contains(&Some(name));
        let sent = dataset.schema().iter().filter(|column| is_sent(&column.name)).filter_map(|column| {
            let time_format =
                if Some(&column.name) == event_time { document.data.time_format } else { TimeFormat::Iso };
            let input = Input { column: column.clone(), time_format, optional: false };
            Some((dataset.slot(&column.name)?, input))
        });
        let sent = sent.collect();
        let event_time = event_time.and_then(|name| dataset.slot(name));
        Ok(Self { sent, label, event_time, dataset })
    }

    /// The rows and their event times, in microseconds: as they stand in the file, or in order of time.
    fn in_time(&self, is_ordered: bool) -> anyhow::Result<Vec<(usize, i64)>> {
        let time = |row: usize| match self.dataset.row(row).cell(self.event_time?) {
            Cell::Time(micros) => Some(micros),
            _ => None,
        };
        if !is_ordered {
            return Ok((0..self.dataset.rows()).map(|row| (row, time(row).unwrap_or(0))).collect());
        }
        let timed = (0..self.dataset.rows()).map(|row| Some((row, time(row)?)));
        let timed: Option<Vec<(usize, i64)>> = timed.collect();
        let mut timed = timed.context("--speed needs an event time in each row: data.event_time of the document")?;
        timed.sort_by_key(|(_, time)| *time);
        Ok(timed)
    }

    fn instance(&self, row: usize) -> Value {
        let cells = self.dataset.row(row);
        let pair = |(slot, input): &(usize, Input)| (input.column.name.clone(), input.to_json(&cells.cell(*slot)));
        Value::Object(self.sent.iter().map(pair).collect::<Map<String, Value>>())
    }

    fn label(&self, row: usize) -> Option<Value> {
        match self.label.evaluate(&self.dataset.row(row)) {
            Cell::Null | Cell::Time(_) => None,
            Cell::Number(number) => Some(json!(number)),
            Cell::Boolean(truth) => Some(json!(truth)),
            Cell::Text(text) => Some(json!(text)),
        }
    }
}
