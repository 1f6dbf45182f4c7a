//! What must be answered, as a form asks for it.

use leptos::prelude::*;
#[cfg(feature = "ssr")]
use millrace_domain::case::Expected;
#[cfg(feature = "ssr")]
use millrace_domain::fault::Fault;
use millrace_domain::metric::TargetKind;

use crate::components::Field;

/// The fields that fit the kind of target: a label for classes, bounds for scores and numbers.
#[component]
pub fn ExpectedFields(
    /// Kind of target.
    kind: TargetKind,
    /// What the label begins with.
    label: String,
    /// What the lower bound begins with.
    at_least: String,
    /// What the upper bound begins with.
    at_most: String,
) -> impl IntoView {
    let number = if kind == TargetKind::Regression { "Value" } else { "Score" };
    let has_label = kind != TargetKind::Regression;
    let has_bounds = kind != TargetKind::Multiclass;
    view! {
        {has_label
            .then(|| {
                view! {
                    <Field name="label" label="Label" value=label optional=has_bounds hint="The class that must be answered."/>
                }
            })}
        {has_bounds
            .then(|| {
                view! {
                    <Field name="at_least" label=format!("{number} at least") kind="number" value=at_least optional=true/>
                    <Field name="at_most" label=format!("{number} at most") kind="number" value=at_most optional=true/>
                }
            })}
    }
}

/// What was typed into [`ExpectedFields`].
///
/// # Errors
/// When a bound is no number.
#[cfg(feature = "ssr")]
pub fn expected(label: &str, at_least: &str, at_most: &str) -> Result<Expected, Fault> {
    let number = |name: &str, text: &str| match text.trim() {
        "" => Ok(None),
        text => {
            text.parse().map(Some).map_err(|_| Fault::field(&format!("/{name}"), format!("{text:?} is not a number")))
        }
    };
    let label = Some(label.trim()).filter(|label| !label.is_empty()).map(str::to_owned);
    Ok(Expected { label, at_least: number("at_least", at_least)?, at_most: number("at_most", at_most)? })
}
