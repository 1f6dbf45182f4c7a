//! Addresses of pages: the query that carries their state, and the parts that name things.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::return_path::with_query;

/// A page's address with its state; what is empty is left out, so that equal views have equal addresses.
pub fn address<'a>(path: &str, state: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let kept: Vec<_> = state.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    with_query(path, &[], &kept)
}

/// A part of the page's path, for example `slug`; empty where the route has no such part.
pub fn path_text(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name)).unwrap_or_default())
}

/// A number in the page's path; what is not one becomes 0, which numbers nothing and is answered "not found".
pub fn path_number(name: &'static str) -> Memo<i32> {
    let text = path_text(name);
    Memo::new(move |_| text.with(|text| text.parse().unwrap_or(0)))
}

/// A parameter of the page's query; empty when it is absent.
pub fn query_text(name: &'static str) -> Memo<String> {
    let query = use_query_map();
    Memo::new(move |_| query.with(|query| query.get(name)).unwrap_or_default())
}

/// The id that a path names.
///
/// # Errors
/// Not found, when it is no id of that kind.
#[cfg(feature = "ssr")]
pub fn id<T: std::str::FromStr>(text: &str, thing: &str) -> Result<T, millrace_domain::fault::Fault> {
    text.parse().map_err(|_| millrace_domain::fault::Fault::not_found(thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_state_leaves_no_trace() {
        assert_eq!(address("/runs", [("problem", ""), ("state", "")]), "/runs");
    }

    #[test]
    fn what_would_break_an_address_is_escaped() {
        assert_eq!(
            address("/runs", [("problem", "a&b c"), ("state", "failed")]),
            "/runs?problem=a%26b%20c&state=failed"
        );
    }
}
