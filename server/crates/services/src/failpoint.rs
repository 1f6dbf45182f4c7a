//! Places where tests make a server die that is about to start a training. In release builds there are none.

use std::sync::Arc;

/// Which place, for example `retraining:before_commit`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failpoint {
    armed: Option<Arc<str>>,
}

impl Failpoint {
    /// Arms one place; ignored in release builds.
    pub(crate) fn armed(place: Option<String>) -> Self {
        Self { armed: place.filter(|_| cfg!(debug_assertions)).map(Arc::from) }
    }

    /// Dies as by `kill -9` when this place is armed.
    pub(crate) fn reach(&self, place: &str) {
        if self.armed.as_deref() == Some(place) {
            let own = std::process::id().to_string();
            tracing::warn!(place, "failpoint reached");
            // SIGKILL cannot be caught and runs no destructor: exactly what a lost machine looks like.
            let _ = std::process::Command::new("kill").args(["-9", &own]).status();
            std::process::abort();
        }
    }
}
