//! `reproduce`: compute a run once more, follow, compare.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Client, Server};
use crate::cli::run::{Bar, follow};

/// Computes a run once more from its recorded inputs; exit 0 only if every step made the same.
#[derive(Debug, Args)]
pub struct ReproduceArgs {
    #[command(flatten)]
    server: Server,
    /// Id of the run.
    run: String,
}

/// Repeats the run.
pub async fn reproduce(args: &ReproduceArgs, as_json: bool) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let launched = client.post(&format!("/api/v1/runs/{}/reproduce", args.run), &json!({})).await?;
    let id = launched["run"].as_str().context("the server named no run")?;
    let bar = Bar::new();
    let run = follow(&client, id, &bar).await?;
    bar.clear();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if as_json {
        println!(
            "{}",
            json!({ "run": id, "reproduces": args.run, "state": run["state"], "compared": run["compared"] })
        );
    } else {
        for compared in run["compared"].as_array().into_iter().flatten() {
            let (first, again) = (text(&compared["first"]), text(&compared["again"]));
            let verdict = if first == again { "equal" } else { "differs" };
            println!("{verdict:<8} {:<10} {first} {again}", text(&compared["step"]));
        }
    }
    if run["state"] != "succeeded" {
        let reason = run["failure"]["message"].as_str().unwrap_or("no reason was given");
        bail!("run {} was not reproduced by run {id}: {reason}", args.run);
    }
    Ok(())
}
