//! A problem document as the TOML that a person reads and revises.

use serde_json::{Map, Value};

/// Order of the keys, at every level; others follow by name.
const ORDER: [&str; 38] = [
    "slug",
    "title",
    "decision",
    "name",
    "kind",
    "metric",
    "by",
    "column",
    "expression",
    "type",
    "target",
    "delay",
    "data",
    "entity",
    "event_time",
    "time_format",
    "split",
    "features",
    "success",
    "at_least",
    "at_most",
    "guardrails",
    "slices",
    "min_rows",
    "serving",
    "p99_ms",
    "throughput_rps",
    "business",
    "unit",
    "direction",
    "rollout",
    "shadow",
    "canary",
    "monitoring",
    "window",
    "retraining",
    "approvals",
    "notify",
];

/// The document in TOML: plain values first, then a table per topic. Reading it back gives the same document.
pub fn document_text(document: &Value) -> String {
    let Value::Object(document) = document else {
        return value(document);
    };
    let (tables, plain): (Vec<_>, Vec<_>) = ordered(document).into_iter().partition(|(_, item)| is_table(item));
    let mut text: String = plain.into_iter().map(|(name, item)| line(name, item)).collect();
    for (name, item) in tables {
        match item {
            Value::Array(entries) => {
                entries.iter().for_each(|entry| table(&mut text, &format!("[[{}]]", key(name)), entry))
            }
            _ => table(&mut text, &format!("[{}]", key(name)), item),
        }
    }
    text
}

fn is_table(item: &Value) -> bool {
    match item {
        Value::Object(_) => true,
        Value::Array(entries) => !entries.is_empty() && entries.iter().all(Value::is_object),
        _ => false,
    }
}

fn table(text: &mut String, heading: &str, item: &Value) {
    text.push_str(&format!("\n{heading}\n"));
    if let Value::Object(fields) = item {
        text.extend(ordered(fields).into_iter().map(|(name, item)| line(name, item)));
    }
}

/// The fields in reading order. TOML has no null: an absent field says the same.
fn ordered(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().filter(|(_, item)| !item.is_null()).collect();
    fields.sort_by_key(|(name, _)| (ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()), *name));
    fields
}

fn line(name: &str, item: &Value) -> String {
    format!("{} = {}\n", key(name), value(item))
}

fn key(name: &str) -> String {
    let bare =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if bare { name.to_owned() } else { string(name) }
}

fn value(item: &Value) -> String {
    match item {
        Value::String(text) => string(text),
        Value::Array(entries) => format!("[{}]", entries.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields = ordered(fields).into_iter().map(|(name, item)| format!("{} = {}", key(name), value(item)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A basic string. JSON escapes what TOML wants escaped, all but the delete character.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use millrace_domain::problem::ProblemDocument;

    use super::*;
    use crate::pages::problem::write::TEMPLATE;

    #[test]
    fn a_document_survives_being_written_and_read_again() {
        let document = ProblemDocument::parse(TEMPLATE).expect("the template is valid");
        let text = document_text(&document.to_json());
        let again = ProblemDocument::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?} in\n{text}"));
        assert_eq!(again.digest(), document.digest(), "{text}");
    }

    #[test]
    fn awkward_texts_stay_what_they_are() {
        let text = document_text(&serde_json::json!({ "a b": "\"\u{7f}\n\\é", "list": [1, 2.5, true], "gone": null }));
        assert_eq!(text, "\"a b\" = \"\\\"\\u007f\\n\\\\é\"\nlist = [1, 2.5, true]\n");
    }
}
