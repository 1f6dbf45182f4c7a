//! `replay`: a file as prediction traffic.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use millrace_domain::expr::Row;
use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::Value as Cell;
use millrace_ml::features::Input;
use millrace_ml::read::{ReadOptions, read};
use serde_json::{Map, Value, json};

use crate::cli::client::{Client, Server};

/// Sends a file as prediction traffic, and its labels as outcomes.
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
    /// Rows a second; as fast as answers come when absent.
    #[arg(long)]
    rate: Option<f64>,
    /// Rows at most.
    #[arg(long, default_value_t = 10_000)]
    rows: usize,
    /// Rows in one request.
    #[arg(long, default_value_t = 20)]
    batch: usize,
}

/// Replays the file.
pub async fn replay(args: ReplayArgs, as_json: bool) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let problem = client.get(&format!("/api/v1/problems/{}", args.problem)).await?;
    let document = ProblemDocument::from_json(&problem["document"])
        .map_err(|_| anyhow::anyhow!("the server's document cannot be read; is it newer than this program?"))?;
    let content =
        tokio::fs::read(&args.data).await.with_context(|| format!("{} cannot be read", args.data.display()))?;
    let options = ReadOptions::of(&document.data);
    let name = args.data.display().to_string();
    let loaded = tokio::task::spawn_blocking(move || read(&content, &name, &options)).await??;
    let dataset = loaded.dataset;
    let label = document.target.definition.expression().bind(dataset.schema())?;
    let inputs = inputs(&document, dataset.schema());
    let mut sent = (0, 0);
    let rows = dataset.rows().min(args.rows);
    for first in (0..rows).step_by(args.batch.max(1)) {
        let last = (first + args.batch.max(1)).min(rows);
        let instances: Vec<Value> = (first..last)
            .map(|row| {
                let cells = dataset.row(row);
                let pairs = inputs.iter().filter_map(|input| {
                    let slot = dataset.slot(&input.column.name)?;
                    Some((input.column.name.clone(), input.to_json(&cells.cell(slot))))
                });
                Value::Object(pairs.collect::<Map<String, Value>>())
            })
            .collect();
        let answer =
            client.post(&format!("/v1/models/{}:predict", args.problem), &json!({ "instances": instances })).await?;
        let Some(predictions) = answer["predictions"].as_array() else { bail!("the server answered no predictions") };
        let outcomes: Vec<Value> = predictions
            .iter()
            .zip(first..last)
            .filter_map(|(prediction, row)| {
                let truth = match label.evaluate(&dataset.row(row)) {
                    Cell::Null | Cell::Time(_) => return None,
                    Cell::Number(number) => json!(number),
                    Cell::Boolean(truth) => json!(truth),
                    Cell::Text(text) => json!(text),
                };
                Some(json!({ "id": prediction["id"], "label": truth }))
            })
            .collect();
        if !outcomes.is_empty() {
            let report =
                client.post(&format!("/v1/models/{}:outcome", args.problem), &json!({ "outcomes": outcomes })).await?;
            sent.1 += report["accepted"].as_u64().unwrap_or(0);
        }
        sent.0 += predictions.len();
        if let Some(rate) = args.rate.filter(|rate| *rate > 0.0) {
            tokio::time::sleep(Duration::from_secs_f64((last - first) as f64 / rate)).await;
        }
    }
    if as_json {
        println!("{}", json!({ "predictions": sent.0, "outcomes": sent.1 }));
    } else {
        println!("{} predictions, {} outcomes", sent.0, sent.1);
    }
    Ok(())
}

/// The columns that the document's features read: what the model is asked with.
fn inputs(document: &ProblemDocument, columns: &[millrace_domain::schema::Column]) -> Vec<Input> {
    millrace_ml::features::FeaturePlan::compile(document, columns, &millrace_ml::join::TableColumns::new())
        .map(|plan| plan.inputs().to_vec())
        .unwrap_or_default()
}
