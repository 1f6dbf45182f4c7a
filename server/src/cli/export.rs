//! `export`: what live windows were judged by; `verify-export`: every number of it computed again, without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use millrace_domain::monitor::{Finding, Reference, judge};
use millrace_domain::problem::Monitoring;
use millrace_domain::view::WindowView;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::client::{Client, Server};

/// Windows of a live model with all bins and counts, and the references they are held against, as JSON; 500 at most, the newest.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    server: Server,
    /// Which deployment: the problem's name in addresses.
    #[arg(long)]
    problem: String,
    /// Windows that ended after that moment.
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Windows that ended by that moment.
    #[arg(long)]
    to: Option<DateTime<Utc>>,
    /// Where to; to standard output when absent.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// What is exported, as far as it is needed to compute everything again.
#[derive(Debug, Deserialize)]
struct Export {
    slug: String,
    references: BTreeMap<i32, Option<Reference>>,
    windows: Vec<Exported>,
}

#[derive(Debug, Deserialize)]
struct Exported {
    counts: Option<Vec<u64>>,
    rule: Monitoring,
    window: WindowView,
}

/// `export`.
pub async fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let path = format!("/api/v1/deployments/{}/monitor/export.json", args.problem);
    let moments = [("from", args.from), ("to", args.to)];
    let query: Vec<(&str, String)> =
        moments.iter().filter_map(|(name, moment)| Some((*name, (*moment)?.to_rfc3339()))).collect();
    let export = client.answer(client.request(Method::GET, &path).query(&query)).await?;
    let text = serde_json::to_string(&export)? + "\n";
    match &args.output {
        None => print!("{text}"),
        Some(file) => std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))?,
    }
    let windows = export["windows"].as_array().map_or(0, Vec::len);
    eprintln!("{windows} windows{}", oldest(&export["windows"][0]));
    Ok(())
}

fn oldest(window: &Value) -> String {
    let begins = window["window"]["begins"].as_str();
    begins.map(|begins| format!(" from {begins} on; what ended by then is given by --to {begins}")).unwrap_or_default()
}

/// `verify-export`.
pub fn verify_export(file: &Path, as_json: bool) -> anyhow::Result<()> {
    let text = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let export: Export =
        serde_json::from_slice(&text).with_context(|| format!("{} is no export of windows", file.display()))?;
    let (mut equal, mut unwatched, mut numbers) = (0, 0, 0);
    for exported in &export.windows {
        let window = &exported.window;
        let reference = export.references.get(&window.version).and_then(Option::as_ref);
        match (reference, &exported.counts, &window.finding) {
            (Some(reference), Some(counts), Some(finding)) => {
                let of_window = || format!("the window until {}", window.ends.to_rfc3339());
                let again = judge(reference, counts, &exported.rule)
                    .with_context(|| format!("{}: its counts do not fit version {}", of_window(), window.version))?;
                if again != *finding {
                    bail!("{}: {} does not follow from its counts", of_window(), different(finding, &again));
                }
                (equal, numbers) = (equal + 1, numbers + finding.columns.len());
            }
            (_, None, None) => unwatched += 1,
            _ => bail!("the window until {} has counts or a verdict without the other", window.ends.to_rfc3339()),
        }
    }
    if as_json {
        println!("{}", json!({ "equal": equal, "columns": numbers, "unwatched": unwatched }));
    } else {
        println!(
            "{}: {equal} windows with {numbers} distances computed again from their counts, all equal",
            export.slug
        );
        if unwatched > 0 {
            println!("{unwatched} windows are of versions without a reference and were not judged");
        }
    }
    Ok(())
}

/// What of a finding is not as it should be.
fn different(finding: &Finding, again: &Finding) -> String {
    let column = finding.columns.iter().zip(&again.columns).find(|(told, computed)| told != computed);
    match column {
        Some((column, _)) => format!("what is said of {:?}", column.name),
        None => "the verdict, the number of answers, or how long they took".to_owned(),
    }
}
