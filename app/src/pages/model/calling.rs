//! How to ask a model for predictions: what must be sent, and a call to copy.

use leptos::prelude::*;
use serde_json::{Map, Value, json};

use crate::components::{CopyButton, TableRegion};

/// The inputs and an example call.
#[component]
pub fn Calling(
    /// Model name.
    slug: String,
    /// What a prediction must be sent: name and type.
    inputs: Vec<(String, String)>,
) -> impl IntoView {
    let call = curl(&slug, &inputs);
    let rows = inputs
        .into_iter()
        .map(|(name, kind)| {
            view! {
                <tr>
                    <th scope="row" data-label="Input"><code>{name}</code></th>
                    <td data-label="Type"><span class="tag">{kind}</span></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="calling">
            <div class="section-header"><h2 id="calling">"Asking for predictions"</h2></div>
            <p class="muted">
                "Answers come from the version that is live. Every input must be sent; null where a value is missing."
            </p>
            <TableRegion label="Inputs">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Inputs of a prediction"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Input"</th>
                            <th scope="col">"Type"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            <div class="stack stack-tight">
                <pre class="code" tabindex="0"><code>{call.clone()}</code></pre>
                <div class="cluster">
                    <CopyButton text=call label="Copy the call"/>
                    <span class="muted">"The token needs the scope predict; make one on your account page."</span>
                </div>
            </div>
        </section>
    }
}

/// A call with one instance, ready for a shell.
fn curl(slug: &str, inputs: &[(String, String)]) -> String {
    let instance: Map<String, Value> = inputs.iter().map(|(name, kind)| (name.clone(), example(kind))).collect();
    let body = json!({"instances": [instance]}).to_string().replace('\'', "\\u0027");
    format!(
        "curl -X POST \"$MILLRACE_BASE_URL/v1/models/{slug}:predict\" \\\n  -H \"Authorization: Bearer $MILLRACE_TOKEN\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{body}'"
    )
}

fn example(kind: &str) -> Value {
    match kind {
        "number" => json!(1.5),
        "integer" => json!(1),
        "boolean" => json!(true),
        "time" => json!("2026-01-31T12:00:00Z"),
        _ => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
    }

    #[test]
    fn the_call_sends_every_input_by_its_type() {
        let call = curl("taxi-tips", &inputs(&[("company", "text"), ("fare", "number")]));
        assert!(call.contains("/v1/models/taxi-tips:predict"), "{call}");
        assert!(call.ends_with(r#"-d '{"instances":[{"company":"text","fare":1.5}]}'"#), "{call}");
    }

    #[test]
    fn a_quote_in_a_name_cannot_end_the_shell_s_quotes() {
        let call = curl("taxi-tips", &inputs(&[("driver's fare", "number")]));
        assert_eq!(call.matches('\'').count(), 2, "{call}");
    }
}
