//! The demo's watch: the world changes, an alert goes out by mail, a training starts by itself, and its version arrives.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cli::client::Client;

use super::person::Session;
use super::rollout::{Traffic, follow};
use super::{ROWS, SLUG, Stages, ads, approve, bring, text, wait_for};

/// How long traffic goes on at most until something is seen.
const PATIENCE: Duration = Duration::from_secs(90);

/// Lets the world change and everything follow from it.
pub(super) async fn drift(
    program: &Client,
    signer: &Session,
    traffic: &mut Traffic,
    stages: &mut Stages,
    letters: &Path,
) -> anyhow::Result<()> {
    *traffic = tokio::task::spawn_blocking(Traffic::drifted).await??;
    let alert = until_alert(program, traffic, "firing").await?;
    stages.reached("drift", text(&alert, "title"));
    let letter = letter(letters, "(firing)").await?;
    stages.reached("mail", &format!("on-call was written to: {letter}"));

    let csv = tokio::task::spawn_blocking(|| ads::generate_drifted(20_260_107, ROWS)).await?;
    bring(program, "ad impressions", "ads.csv", csv).await?;
    stages.reached("data", &format!("{ROWS} rows of the changed world"));
    let triggers = format!("/api/v1/problems/{SLUG}/triggers");
    let started = wait_for(program, &triggers, |seen| seen["events"][0]["run"].is_string()).await?;
    let event = &started["events"][0];
    stages
        .reached("retraining", &format!("run {} was started by itself: {}", text(event, "run"), text(event, "detail")));
    let path = format!("/api/v1/runs/{}", text(event, "run"));
    let run = wait_for(program, &path, |seen| !matches!(seen["state"].as_str(), Some("queued" | "running"))).await?;
    if run["state"] != "succeeded" {
        bail!("the training that was started by itself {}: {}", text(&run, "state"), run["failure"]["message"]);
    }
    let number = run["model"]["version"].clone();
    let auc = run["metrics"]["test.roc_auc"].as_f64().unwrap_or(f64::NAN);
    stages.reached("retrained", &format!("version {number}, test ROC AUC {auc:.3}, all gates passed"));
    approve(program, signer, &number).await?;
    let last = follow(program, traffic, stages, &number, "retrained on the changed world").await?;
    if last["kind"] != "settled" {
        bail!("a version that was trained on the changed world was taken back: {}", last["reason"]);
    }
    until_alert(program, traffic, "resolved").await?;
    stages.reached("resolved", "what is asked is what the live version was trained on; on-call was told");
    Ok(())
}

/// Keeps traffic coming until the newest alert about drift stands so.
async fn until_alert(program: &Client, traffic: &mut Traffic, state: &str) -> anyhow::Result<Value> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        traffic.send(program).await?;
        let alerts = program.get(&format!("/api/v1/alerts?problem={SLUG}")).await?;
        let drift = alerts["items"].as_array().and_then(|all| all.iter().find(|alert| alert["cause"] == "drift"));
        if let Some(alert) = drift.filter(|alert| alert["state"] == state) {
            return Ok(alert.clone());
        }
    }
    let monitor = program.get(&format!("/api/v1/deployments/{SLUG}/monitor?page_size=2")).await?;
    bail!("no alert about drift is {state} after {} s of traffic: {}", PATIENCE.as_secs(), monitor["windows"])
}

/// The file of a letter about an alert.
async fn letter(directory: &Path, state: &str) -> anyhow::Result<String> {
    for _ in 0..100 {
        let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for file in files.filter(|file| file.file_name().to_string_lossy().ends_with("-incident.eml")) {
            if std::fs::read_to_string(file.path()).context("a letter can be read")?.contains(state) {
                return Ok(file.path().display().to_string());
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bail!("no letter about the alert came to {}", directory.display())
}
