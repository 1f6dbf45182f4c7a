//! Answers that are files: what a list shows, whole.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use millrace_domain::fault::Fault;
use serde::Serialize;

use crate::api::reply::Reply;

/// Rows as a CSV file (RFC 4180).
pub fn csv<'a>(
    name: &str,
    columns: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> Response {
    let mut text = columns.into_iter().map(quoted).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    for row in rows {
        text.push_str(&row.into_iter().map(|cell| quoted(&cell)).collect::<Vec<_>>().join(","));
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

/// A cell in quotes. One that a spreadsheet would take for a formula begins with an apostrophe; a negative number is none.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_formula_is_exported_as_text() {
        assert_eq!(quoted("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(quoted("-1+cmd"), "\"'-1+cmd\"");
        assert_eq!(quoted("-0.25"), "\"-0.25\"");
        assert_eq!(quoted("say \"hi\""), "\"say \"\"hi\"\"\"");
    }
}
