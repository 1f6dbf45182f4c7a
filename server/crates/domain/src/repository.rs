//! The repository that a run was launched from, as its launcher tells it.

use serde::{Deserialize, Serialize};

/// Most bytes of a diff.
pub const MOST_DIFF: usize = 1_048_576;
/// Most characters of a branch's name.
const MOST_BRANCH: usize = 250;

/// The state of the code that somebody works with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repository {
    /// Commit.
    pub git_sha: Option<String>,
    /// Branch.
    pub branch: Option<String>,
    /// Whether anything is not committed.
    pub dirty: Option<bool>,
    /// What is not committed, as a diff.
    pub diff: Option<String>,
}

impl Repository {
    /// Reads what a launcher tells; members that are not known are left out.
    ///
    /// # Errors
    /// What does not fit, as a phrase after the name.
    pub fn read(told: &serde_json::Value) -> Result<Self, String> {
        if told.is_null() {
            return Ok(Self::default());
        }
        let read: Self = serde_json::from_value(told.clone()).map_err(|error| format!("does not fit: {error}"))?;
        let is_commit =
            |sha: &String| (7..=64).contains(&sha.len()) && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        if read.git_sha.as_ref().is_some_and(|sha| !is_commit(sha)) {
            return Err("has a git_sha that is no commit: 7 to 64 hexadecimal digits".to_owned());
        }
        let is_odd = |branch: &String| branch.chars().count() > MOST_BRANCH || branch.contains('\0');
        if read.branch.as_ref().is_some_and(is_odd) {
            return Err(format!("has a branch of more than {MOST_BRANCH} characters, or with NUL in it"));
        }
        if read.diff.as_ref().is_some_and(|diff| diff.len() > MOST_DIFF) {
            return Err(format!(
                "has a diff of more than {MOST_DIFF} bytes; commit what is large, or leave the diff out"
            ));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_git_tells_is_read() {
        let told = json!({"git_sha": "c6e67871", "branch": "main", "dirty": true, "diff": "+ 1", "more": 1});
        let read = Repository::read(&told).unwrap();
        assert_eq!(
            (read.git_sha.as_deref(), read.dirty, read.diff.as_deref()),
            (Some("c6e67871"), Some(true), Some("+ 1"))
        );
        assert_eq!(Repository::read(&Value::Null), Ok(Repository::default()));
    }

    #[test]
    fn what_is_no_commit_and_what_is_too_large_is_refused() {
        for wrong in [
            json!({"git_sha": "no commit"}),
            json!({"git_sha": 7}),
            json!({"branch": "x".repeat(251)}),
            json!({"diff": "x".repeat(MOST_DIFF + 1)}),
            json!("main"),
        ] {
            assert!(Repository::read(&wrong).is_err(), "{wrong}");
        }
    }
}
