//! How a check ended in the versions before: a mark each.

use leptos::prelude::*;
use millrace_domain::view::CheckHistory;

/// A mark a version, oldest first.
#[component]
pub fn HistoryStrip(
    /// How the check ended.
    history: CheckHistory,
    /// The versions, oldest first.
    versions: Vec<i32>,
) -> impl IntoView {
    let ended = history.marks.chars().zip(&versions).map(|(mark, version)| (state(mark), *version)).collect::<Vec<_>>();
    let broken: Vec<String> = ended
        .iter()
        .filter(|((state, _), _)| matches!(*state, "fail" | "warning" | "error"))
        .map(|(_, version)| format!("v{version}"))
        .collect();
    let words = match broken.as_slice() {
        [] => format!("held in the last {} versions", versions.len()),
        broken => format!("in the last {} versions not held in {}", versions.len(), broken.join(", ")),
    };
    let marks = ended
        .into_iter()
        .map(|((state, words), version)| view! { <i data-state=state title=format!("v{version}: {words}")></i> })
        .collect_view();
    view! { <span class="strip" role="img" aria-label=words>{marks}</span> }
}

/// The state and the words of a mark.
const fn state(mark: char) -> (&'static str, &'static str) {
    match mark {
        'p' => ("pass", "passed"),
        'f' => ("fail", "failed, critical"),
        'w' => ("warning", "failed, warning"),
        'i' => ("noted", "noted"),
        'e' => ("error", "could not be checked"),
        's' => ("skipped", "nothing to check"),
        _ => ("absent", "not checked"),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::pages::samples::rendered;

    #[test]
    fn a_strip_names_the_versions_in_which_the_check_was_broken() {
        let history = CheckHistory { check: "null_share".to_owned(), column: None, marks: "pf-e".to_owned() };
        let html = rendered("/", || view! { <HistoryStrip history versions=vec![2, 3, 4, 6]/> });
        assert!(html.contains("in the last 4 versions not held in v3, v6"), "{html}");
        assert_eq!(html.matches("<i ").count(), 4);
    }
}
