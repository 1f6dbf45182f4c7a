//! Places where tests make a process die. In release builds there are none.

/// A place in the life of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The step is claimed, nothing is computed.
    Claimed,
    /// The computation is under way.
    Mid,
    /// All is computed and written to files; the transaction has not committed.
    BeforeCommit,
    /// The transaction has committed.
    AfterCommit,
}

impl Point {
    const fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Mid => "mid",
            Self::BeforeCommit => "before_commit",
            Self::AfterCommit => "after_commit",
        }
    }
}

/// Which step dies where, for example `train:before_commit`.
#[derive(Debug, Clone, Default)]
pub struct Failpoints {
    armed: Option<String>,
}

impl Failpoints {
    /// Arms one point, written `<kind>:<point>`; ignored in release builds.
    pub fn armed(point: Option<String>) -> Self {
        Self { armed: point.filter(|_| cfg!(debug_assertions)) }
    }

    /// Dies as by `kill -9` when this point is armed.
    pub(crate) fn reach(&self, kind: &str, point: Point) {
        let here = || format!("{kind}:{}", point.name());
        if self.armed.as_ref().is_some_and(|armed| *armed == here()) {
            let own = std::process::id().to_string();
            tracing::warn!(point = here(), "failpoint reached");
            // SIGKILL cannot be caught and runs no destructor: exactly what a lost machine looks like.
            let _ = std::process::Command::new("kill").args(["-9", &own]).status();
            std::process::abort();
        }
    }
}
