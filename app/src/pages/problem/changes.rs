use leptos::prelude::*;
use millrace_domain::view::FieldChange;

use crate::components::TableRegion;
use serde_json::Value;

/// What differs from the version before, field by field.
#[component]
pub fn Changes(
    /// The fields that differ.
    changes: Vec<FieldChange>,
    /// The version's number.
    number: i32,
    /// Number of the version it is compared with.
    since: Option<i32>,
) -> impl IntoView {
    let Some(since) = since.filter(|_| !changes.is_empty()) else {
        let text = match since {
            None => "This is the first version: there is nothing to compare it with.".to_owned(),
            Some(since) => format!("Version {number} says the same as version {since}."),
        };
        return view! { <p class="muted">{text}</p> }.into_any();
    };
    let label = format!("Changes from version {since} to {number}");
    let caption = label.clone();
    view! {
        <TableRegion label=label>
            <table class="table diff" data-stack>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Field"</th>
                        <th scope="col">{format!("Version {since}")}</th>
                        <th scope="col">{format!("Version {number}")}</th>
                    </tr>
                </thead>
                <tbody>
                    {changes.into_iter().map(|change| view! { <ChangeRow change/> }).collect_view()}
                </tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

#[component]
fn ChangeRow(change: FieldChange) -> impl IntoView {
    let kind = match (&change.before, &change.after) {
        (None, Some(_)) => "added",
        (Some(_), None) => "removed",
        _ => "changed",
    };
    view! {
        <tr data-change=kind>
            <th scope="row" data-label="Field">{field_name(&change.pointer)}</th>
            <td class="diff-old" data-label="Before">{change.before.as_ref().map(written)}</td>
            <td class="diff-new" data-label="Now">{change.after.as_ref().map(written)}</td>
        </tr>
    }
}

/// `/success/at_least` as `success.at_least`.
fn field_name(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::field_name;

    #[test]
    fn a_pointer_reads_as_a_path() {
        assert_eq!(field_name("/features/2/a~1b"), "features.2.a/b");
    }
}
