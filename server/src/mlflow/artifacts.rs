//! Files that clients keep with a run: `{experiment}/{run}/{name}`, at most as large as any other body.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_services::Services;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{InQuery, Refusal, Reply};
use super::wire::run_id;
use crate::api::reply::By;

/// The run and the name within it.
fn parts(path: &str) -> Result<(RunId, &str), Fault> {
    let within = path.split_once('/').map_or("", |(_, within)| within);
    let (run, name) = within.split_once('/').unwrap_or((within, ""));
    Ok((run_id(Some(run.to_owned()), None)?, name))
}

pub async fn keep(
    State(services): State<Services>,
    By(actor): By,
    Path(path): Path<String>,
    content: Bytes,
) -> Reply<Value> {
    let (run, name) = parts(&path)?;
    services.keep_run_artifact(&actor, run, name, content).await?;
    Ok(Json(json!({})))
}

pub async fn give(
    State(services): State<Services>,
    By(actor): By,
    Path(path): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    let (run, name) = parts(&path)?;
    let (_, content) = services.run_artifact(&actor, run, name).await?;
    let kind = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, "attachment")];
    Ok((kind, content))
}

#[derive(Deserialize)]
pub struct Within {
    #[serde(default)]
    path: String,
}

/// What lies directly within a folder, which is a part of names up to a slash.
pub async fn list(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<Within>) -> Reply<Value> {
    let (run, folder) = parts(asked.path.trim_end_matches('/'))?;
    let kept = services.run_artifacts(&actor, run).await?;
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut within: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for artifact in kept {
        let Some(name) = artifact.name.strip_prefix(&prefix) else { continue };
        match name.split_once('/') {
            Some((folder, _)) => within.insert(folder.to_owned(), None),
            None => within.insert(name.to_owned(), Some(artifact.bytes)),
        };
    }
    let file = |(path, bytes): (&String, &Option<i64>)| match bytes {
        Some(bytes) => json!({ "path": path, "is_dir": false, "file_size": bytes }),
        None => json!({ "path": path, "is_dir": true }),
    };
    Ok(Json(json!({ "files": within.iter().map(file).collect::<Vec<_>>() })))
}
