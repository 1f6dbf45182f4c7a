//! The demo's rollouts: a second version arrives by itself, and a third one, whose training data knew too much, is taken back.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::cli::client::Client;

use super::{SLUG, Stages, ads, instance, text};

/// Rows of simulated traffic in one request.
const CHUNK: usize = 50;
/// How far apart rows are that follow each other; it has no divisor in common with their number.
const STRIDE: usize = 7_919;
/// Requests after which a rollout must have come to an end.
const MOST_REQUESTS: usize = 2_000;

/// Simulated people who are shown ads, and who click or not.
pub(super) struct Traffic {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    next: usize,
}

impl Traffic {
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::of(&ads::generate(99, 60_000))
    }

    /// The same people once the app is out.
    pub(super) fn drifted() -> anyhow::Result<Self> {
        Self::of(&ads::generate_drifted(98, 60_000))
    }

    fn of(csv: &str) -> anyhow::Result<Self> {
        let mut lines = csv.lines();
        let split = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
        let names = split(lines.next().context("the generator writes a header")?);
        Ok(Self { names, rows: lines.map(split).collect(), next: 0 })
    }

    /// Sends one request and what became of each of its rows; gives how many were answered, and how many outcomes were new.
    pub(super) async fn send(&mut self, program: &Client) -> anyhow::Result<(usize, u64)> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        // Drawn from all of the time there is, so that no hour and no day stands out.
        let chunk: Vec<&Vec<String>> =
            (self.next..self.next + CHUNK).map(|place| &self.rows[place * STRIDE % self.rows.len()]).collect();
        self.next += CHUNK;
        let row = |row: &&Vec<String>| instance(&names, &row.iter().map(String::as_str).collect::<Vec<&str>>());
        let instances: Vec<Value> = chunk.iter().map(row).collect();
        let answer = super::predict(program, &json!({ "instances": instances })).await?;
        let predictions = answer["predictions"].as_array().context("the answer has predictions")?;
        let outcomes: Vec<Value> = predictions
            .iter()
            .zip(&chunk)
            .map(|(prediction, row)| json!({ "id": prediction["id"], "label": row[row.len() - 1] == "1" }))
            .collect();
        let report = program.post(&format!("/v1/models/{SLUG}:outcome"), &json!({ "outcomes": outcomes })).await?;
        Ok((predictions.len(), report["accepted"].as_u64().unwrap_or(0)))
    }
}

/// Sends a version on its way and keeps traffic coming until it has arrived or was taken back; prints each step. Gives the last
/// change.
pub(super) async fn follow(
    program: &Client,
    traffic: &mut Traffic,
    stages: &mut Stages,
    version: &Value,
    reason: &str,
) -> anyhow::Result<Value> {
    let deployment = format!("/api/v1/deployments/{SLUG}");
    let start = json!({ "version": version, "reason": reason });
    let mut seen = program.post(&format!("{deployment}/rollouts"), &start).await?["generation"].clone();
    for _ in 0..MOST_REQUESTS {
        traffic.send(program).await?;
        let now = program.get(&deployment).await?;
        if now["generation"] == seen {
            continue;
        }
        seen = now["generation"].clone();
        let change = now["history"][0].clone();
        let kind = text(&change, "kind");
        let what = match kind {
            "rollback" => format!("version {version} was taken back by itself: {}", text(&change, "reason")),
            "canary" => format!("version {version} answers {} % of units", change["percent"]),
            "full" => format!("version {version} answers everybody, version {} is asked beside it", change["previous"]),
            _ => format!("version {version} has arrived"),
        };
        stages.reached(kind, &what);
        if now["rollout"].is_null() {
            return Ok(change);
        }
    }
    bail!("version {version} neither arrived nor was taken back: {}", program.get(&deployment).await?["analysis"])
}
