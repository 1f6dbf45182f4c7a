//! Time and randomness come from outside: nothing below `main` reads a clock or a global random generator.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A source of the present moment.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// The processor time that the calling thread has used so far.
    fn thread_time(&self) -> Duration;
}

/// A source of unpredictable bytes: secrets, session ids, salts.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The two things a process is given from outside.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The only clock.
    pub clock: Arc<dyn Clock>,
    /// The only source of secrets.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// The present moment.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
