//! The only places that read the clock, the system's randomness and the environment.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::clock::{Clock, Entropy, Surroundings};
use rand::TryRngCore;
use rand::rngs::OsRng;

#[derive(Debug)]
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
    fn now(&self) -> DateTime<Utc> {
        std::time::SystemTime::now().into()
    }

    fn thread_time(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }
}

#[derive(Debug)]
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng.try_fill_bytes(bytes).expect("the operating system has randomness once it runs programs");
    }
}

/// The real clock and the system's randomness.
pub fn surroundings() -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

/// This program, to be started once more: on Linux also after its file was replaced by a newer one.
pub fn program() -> Arc<Path> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { own.into() } else { std::env::current_exe().unwrap_or_default().into() }
}

/// A setting that has no flag: `MILLRACE_FAILPOINT`, which tests use to make the process die at a given place.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and handed on")]
pub fn failpoint() -> Option<String> {
    std::env::var("MILLRACE_FAILPOINT").ok()
}

/// Another lease than the usual thirty seconds: `MILLRACE_LEASE_SECONDS`, which tests shorten. Heartbeat and give-up follow.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and handed on")]
pub fn timing() -> millrace_executor::Timing {
    let usual = millrace_executor::Timing::default();
    match std::env::var("MILLRACE_LEASE_SECONDS").ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(seconds) if seconds >= 1 => {
            let lease = std::time::Duration::from_secs(seconds);
            millrace_executor::Timing { lease, heartbeat: lease / 3, give_up: lease * 2 / 3, ..usual }
        }
        _ => usual,
    }
}

/// What the environment says about a bucket: the variables that other programs of S3 read, too.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and handed on")]
pub fn bucket_settings() -> Vec<(String, String)> {
    const NAMES: [&str; 8] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT",
        "AWS_ALLOW_HTTP",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    ];
    NAMES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}
