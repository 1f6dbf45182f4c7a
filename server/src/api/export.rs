//! Answers that are files: what a list shows, whole.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use millrace_domain::fault::Fault;
use millrace_domain::text::csv_cell;
use serde::Serialize;

use crate::api::reply::Reply;

/// Rows as a CSV file (RFC 4180).
pub fn csv<'a>(
    name: &str,
    columns: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> Response {
    let mut text = columns.into_iter().map(csv_cell).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    for row in rows {
        text.push_str(&row.into_iter().map(|cell| csv_cell(&cell)).collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    file(name, "text/csv; charset=utf-8", text)
}

/// A value as a JSON file.
pub fn json_file(name: &str, value: &impl Serialize) -> Reply<Response> {
    let text = serde_json::to_string(value)
        .map_err(|_| Fault::new(500, "internal", "Internal error", "the rows could not be written"))?;
    Ok(file(name, "application/json", text))
}

fn file(name: &str, kind: &'static str, content: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], content).into_response()
}
