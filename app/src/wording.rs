//! Stored words as people read them.

use millrace_domain::policy::Grant;

/// `in_review` as `In review`.
pub fn state_words(word: &str) -> String {
    capitalised(&word.replace('_', " "))
}

/// A fault's or rule's words as a sentence.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    // A file or column that begins a sentence keeps its own spelling.
    let first = text.split(' ').next().unwrap_or_default();
    let text = if first.trim_end_matches('.').contains(['.', '_', '/']) { text.to_owned() } else { capitalised(text) };
    if text.is_empty() || text.ends_with(['.', '?', ':']) { text } else { format!("{text}.") }
}

/// `1 run`, `2 runs`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", millrace_charts::count(count), if count == 1 { one } else { many })
}

/// Stored role words as people read them: `ML engineer, stakeholder on taxi-tips`.
pub fn role_titles(words: &[String]) -> String {
    let title = |word: &String| word.parse::<Grant>().map_or_else(|_| word.clone(), |grant| grant.in_words());
    words.iter().map(title).collect::<Vec<_>>().join(", ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_a_sentence() {
        assert_eq!(sentence("say what should change"), "Say what should change.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence("rows.csv is empty"), "rows.csv is empty.");
    }

    #[test]
    fn a_role_on_one_problem_says_so() {
        let words = ["ml_engineer".to_owned(), "stakeholder:taxi-tips".to_owned()];
        assert_eq!(role_titles(&words), "ML engineer, stakeholder on taxi-tips");
    }

    #[test]
    fn a_state_becomes_words() {
        assert_eq!(state_words("changes_requested"), "Changes requested");
    }
}
