//! A JSON document as people read it: a row a field, digests shortened, and the document itself to copy.

use leptos::prelude::*;
use millrace_charts::number;
use serde_json::Value;

use crate::components::{CopyButton, ShortDigest};

/// The fields of a JSON object; nested ones by their path.
#[component]
pub fn JsonFacts(
    /// The document.
    document: Value,
    /// What it is, for people who don't see it.
    label: &'static str,
    /// For narrow columns: each value below its name.
    #[prop(optional)]
    stacked: bool,
) -> impl IntoView {
    let facts = facts(&document);
    if facts.is_empty() {
        return view! { <p class="muted">"None."</p> }.into_any();
    }
    let rows: Vec<_> = facts
        .into_iter()
        .map(|(name, fact)| {
            let value = match fact {
                Fact::Digest(digest) => view! { <ShortDigest digest=digest /> }.into_any(),
                Fact::Text(text) => view! { <span>{text}</span> }.into_any(),
            };
            view! { <div><dt>{name}</dt><dd>{value}</dd></div> }
        })
        .collect();
    let json = serde_json::to_string_pretty(&document).unwrap_or_default();
    view! {
        <div class="stack stack-tight">
            <dl class=if stacked { "kv kv-stacked" } else { "kv" } aria-label=label>{rows}</dl>
            <details>
                <summary>"As JSON"</summary>
                <div class="stack stack-tight">
                    <pre class="code" tabindex="0"><code>{json.clone()}</code></pre>
                    <div><CopyButton text=json label="Copy as JSON"/></div>
                </div>
            </details>
        </div>
    }
    .into_any()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fact {
    Digest(String),
    Text(String),
}

/// Paths and values in the document's order; null is left out.
fn facts(document: &Value) -> Vec<(String, Fact)> {
    let mut out = Vec::new();
    collect("", document, &mut out);
    out
}

fn collect(path: &str, value: &Value, out: &mut Vec<(String, Fact)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, field, out);
            }
        }
        leaf => out.push((path.replace('_', " "), fact(leaf))),
    }
}

fn fact(value: &Value) -> Fact {
    match value {
        Value::String(text) if is_digest(text) => Fact::Digest(text.clone()),
        Value::String(text) => Fact::Text(text.clone()),
        Value::Bool(flag) => Fact::Text(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(n) if n.is_f64() => Fact::Text(n.as_f64().map_or_else(|| n.to_string(), number)),
        other => Fact::Text(other.to_string()),
    }
}

/// Whether a text is a SHA-256 or git digest.
fn is_digest(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(text: &str) -> Fact {
        Fact::Text(text.to_owned())
    }

    #[test]
    fn nested_fields_are_told_by_their_path() {
        let facts = facts(&json!({"early_stop": {"rounds": 10}, "trees": 200}));
        assert_eq!(facts, [("early stop.rounds".to_owned(), text("10")), ("trees".to_owned(), text("200"))]);
    }

    #[test]
    fn digests_are_told_apart_from_words() {
        let digest = "ab".repeat(32);
        let facts = facts(&json!({"data": digest, "seed": 7, "dirty": true, "code": null}));
        let expected = [
            ("data".to_owned(), Fact::Digest(digest)),
            ("dirty".to_owned(), text("yes")),
            ("seed".to_owned(), text("7")),
        ];
        assert_eq!(facts, expected);
    }
}
