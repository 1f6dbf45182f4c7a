//! Reading business metrics whose documents name a query: the values of windows that are over, from where they are kept.

use std::time::Duration;

use chrono::TimeDelta;
use millrace_services::Services;
use millrace_storage::monitor::{self, Which};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::source::{Places, SourceError};
use millrace_storage::{business, problem};
use tokio_util::sync::CancellationToken;

/// How often it is seen what is due.
const LOOK: Duration = Duration::from_secs(2);
/// Values are read so often in the time of a window, but neither all the time nor less than every quarter of an hour.
const IN_A_WINDOW: u64 = 4;
const MOST_SECONDS: u64 = 900;
/// Values of so many windows are read each time: they may come late, or be put right.
const LATE_WINDOWS: u32 = 20;
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
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "business metrics could not be looked up");
            }
        }
    }

    /// Reads every metric that is due.
    ///
    /// # Errors
    /// When it cannot be told what is due.
    pub async fn look(&self) -> Result<(), Failure> {
        let now = self.services.surroundings().now();
        for version in problem::with_business_query(self.services.db().pool(), now).await? {
            if let Err(error) = self.read(&version).await {
                tracing::warn!(problem = version.slug, %error, "a business metric could not be read");
            }
        }
        Ok(())
    }

    async fn read(&self, version: &ProblemVersion) -> Result<(), Failure> {
        let (pool, now) = (self.services.db().pool(), self.services.surroundings().now());
        let document = &version.document;
        let Some(asked) = document.business.as_ref().and_then(|business| business.read.as_ref()) else { return Ok(()) };
        let pause = (document.monitoring.window.seconds() / IN_A_WINDOW).clamp(1, MOST_SECONDS);
        if !business::claim(pool, version.problem, now, now + TimeDelta::seconds(pause as i64)).await? {
            return Ok(());
        }
        let delay = TimeDelta::seconds(asked.delay.seconds().min(LONGEST) as i64);
        // What was over before the document was signed is not read by its query.
        let which = Which {
            problem: version.problem,
            after: version.approved_at,
            until: now - delay,
            only_busy: false,
            limit: LATE_WINDOWS,
        };
        let mut windows = monitor::windows(pool, which).await?;
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
