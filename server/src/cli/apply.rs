//! `apply`: a problem from a file. `import-checks`: its checks from somebody else's.

use std::path::Path;

use anyhow::Context;
use millrace_domain::problem::{ProblemDocument, data_validation_schema, expectation_suite};
use serde_json::json;

use crate::cli::client::{Client, Server};

/// Creates or revises the problem that the file describes.
pub async fn apply(server: &Server, file: &Path, submit: bool, as_json: bool) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let document = ProblemDocument::parse(&text).map_err(|mistakes| {
        let listed: Vec<String> =
            mistakes.iter().map(|mistake| format!("\n  {}: {}", mistake.pointer, mistake.message)).collect();
        anyhow::anyhow!("{} has {} mistakes:{}", file.display(), mistakes.len(), listed.concat())
    })?;
    let client = Client::new(server)?;
    let slug = &document.slug;
    let body = document.to_json();
    let exists = client.get("/api/v1/problems").await?["items"]
        .as_array()
        .is_some_and(|problems| problems.iter().any(|problem| problem["slug"] == slug.as_str()));
    let path = if exists { format!("/api/v1/problems/{slug}/versions") } else { "/api/v1/problems".to_owned() };
    let mut saved = client.post(&path, &body).await?;
    let version = saved["version"].clone();
    if submit && saved["state"] == "draft" {
        client.post(&format!("/api/v1/problems/{slug}/versions/{version}/submit"), &json!({})).await?;
        saved["state"] = json!("in_review");
    }
    if as_json {
        println!("{saved}");
    } else {
        println!(
            "{slug} v{version} is {}, digest {}",
            saved["state"].as_str().unwrap_or_default(),
            saved["digest"].as_str().unwrap_or_default()
        );
    }
    Ok(())
}

/// Prints the checks that a suite becomes, and on stderr what was left out.
pub fn import_checks(file: &Path, as_json: bool) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let read = if text.trim_start().starts_with(['{', '[']) { expectation_suite } else { data_validation_schema };
    let imported = read(&text).map_err(|reason| anyhow::anyhow!("{} {reason}", file.display()))?;
    if as_json {
        println!(
            "{}",
            json!({ "checks": imported.checks, "environments": imported.environments, "left_out": imported.left_out })
        );
    } else {
        print!("{}", imported.to_toml());
    }
    for (kind, reason) in &imported.left_out {
        eprintln!("not imported: {kind}: {reason}");
    }
    eprintln!("{} imported, {} not", imported.checks.len(), imported.left_out.len());
    Ok(())
}
