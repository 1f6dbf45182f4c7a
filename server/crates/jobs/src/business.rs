//! Reading business metrics whose documents name a query: the values of windows that are over, from where they are kept.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::TimeDelta;
use futures::{FutureExt, StreamExt};
use millrace_domain::Digest;
use millrace_domain::ids::ProblemVersionId;
use millrace_services::Services;
use millrace_storage::business::{self, Terms};
use millrace_storage::monitor::{self, Which};
use millrace_storage::problem;
use millrace_storage::source::{Places, SourceError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How often it is seen what is due.
const LOOK: Duration = Duration::from_secs(2);
/// Values are read so often in the time of a window, but neither all the time nor less than every quarter of an hour.
const IN_A_WINDOW: u64 = 4;
const MOST_SECONDS: u64 = 900;
/// Values of so many windows are read each time: they may come late, or be put right.
const LATE_WINDOWS: u32 = 20;
/// After a long time without an answer, of so many.
const MOST_WINDOWS: u32 = 500;
/// Metrics that are read at once.
const AT_ONCE: usize = 8;
/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds that values are waited for at most: ten years.
const LONGEST: u64 = 3_660 * 86_400;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Whoever reads business metrics.
pub struct BusinessReader {
    services: Services,
    places: Places,
}

impl BusinessReader {
    /// Reads from `places`.
    pub const fn new(services: Services, places: Places) -> Self {
        Self { services, places }
    }

    /// Reads until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            // What goes wrong in one look must not end the reader.
            match AssertUnwindSafe(self.look()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "business metrics could not be looked up"),
                Err(_) => tracing::error!("reading business metrics panicked; it goes on with the next look"),
            }
        }
    }

    /// Reads every metric that is due.
    ///
    /// # Errors
    /// When it cannot be told what is due.
    pub async fn look(&self) -> Result<(), Failure> {
        let now = self.services.surroundings().now();
        let due = problem::with_business_due(self.services.db().pool(), now).await?;
        // A database that is slow keeps few others from being read.
        let read = async |version: ProblemVersionId| {
            if let Err(error) = self.read(version).await {
                tracing::warn!(%version, %error, "a business metric could not be read");
            }
        };
        futures::stream::iter(due).for_each_concurrent(AT_ONCE, read).await;
        Ok(())
    }

    async fn read(&self, version: ProblemVersionId) -> Result<(), Failure> {
        let (pool, now) = (self.services.db().pool(), self.services.surroundings().now());
        let Some(version) = &problem::find_version(pool, version).await? else { return Ok(()) };
        let document = &version.document;
        let Some(asked) = document.business.as_ref().and_then(|business| business.read.as_ref()) else { return Ok(()) };
        let pause = (document.monitoring.window.seconds() / IN_A_WINDOW).clamp(1, MOST_SECONDS);
        let digest = Digest::of_canonical(&json!(asked));
        let terms = Terms { problem: version.problem, digest: &digest, signed_at: version.approved_at };
        let claimed = business::claim(pool, terms, now, now + TimeDelta::seconds(pause as i64)).await?;
        let Some((since, until)) = claimed else { return Ok(()) };
        let delay = TimeDelta::seconds(asked.delay.seconds().min(LONGEST) as i64);
        // What was over before this was signed is not read.
        let newest =
            |limit| Which { problem: version.problem, after: since, until: now - delay, only_busy: false, limit };
        let mut windows = monitor::windows(pool, newest(LATE_WINDOWS)).await?;
        if windows.last().zip(until).is_some_and(|(oldest, until)| until < oldest.begins) {
            // Nothing could be read for long.
            windows = monitor::windows(pool, newest(MOST_WINDOWS)).await?;
        }
        windows.reverse();
        let spans: Vec<_> = windows.iter().map(|window| (window.begins, window.ends)).collect();
        // The database ends a query that takes too long by itself; one that says nothing at all is not waited for.
        let means = self.places.means(asked, &spans, PATIENCE);
        match tokio::time::timeout(PATIENCE * 2, means).await.unwrap_or_else(|_| Err(SourceError::late(PATIENCE * 2))) {
            Ok(means) => {
                let values: Vec<_> = windows.iter().zip(means).collect();
                self.services.record_business(version, &values).await.map_err(|fault| fault.detail.into())
            }
            Err(error) => {
                tracing::warn!(problem = version.slug, %error, "a business metric could not be read");
                business::failed(pool, version.problem, now, &error.to_string()).await?;
                Ok(())
            }
        }
    }
}
