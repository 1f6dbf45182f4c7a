//! Following what feeds datasets: looks at the sources of signed-off documents when they are due, and loads what has changed.

use std::time::Duration;

use chrono::TimeDelta;
use millrace_domain::Digest;
use millrace_domain::ids::DatasetVersionId;
use millrace_domain::problem::Source;
use millrace_domain::run::DatasetState;
use millrace_services::Services;
use millrace_storage::artifact::Draft;
use millrace_storage::dataset;
use millrace_storage::problem::{self, ProblemVersion};
use millrace_storage::source::{self, Found, Places, Wanted};
use tokio_util::sync::CancellationToken;

/// How often it is seen what is due.
const LOOK: Duration = Duration::from_secs(2);

/// Whoever follows sources.
pub struct Sources {
    services: Services,
    places: Places,
}

impl Sources {
    /// Follows the sources that read from `places`.
    pub const fn new(services: Services, places: Places) -> Self {
        Self { services, places }
    }

    /// Follows until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            let now = self.services.surroundings().now();
            let versions = match problem::with_sources(self.services.db().pool(), now).await {
                Ok(versions) => versions,
                Err(error) => {
                    tracing::warn!(%error, "sources could not be looked up");
                    continue;
                }
            };
            for version in &versions {
                for from in &version.document.sources {
                    if let Err(error) = self.look(version, from).await {
                        tracing::warn!(problem = version.slug, dataset = from.dataset, %error, "a source could not be followed");
                    }
                }
            }
        }
    }

    /// Looks at a source if it is due, and loads what is new.
    async fn look(
        &self,
        version: &ProblemVersion,
        from: &Source,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let pool = self.services.db().pool();
        let now = self.services.surroundings().now();
        let every = TimeDelta::seconds(i64::try_from(from.every.seconds()).unwrap_or(i64::MAX / 2_000));
        // A new document may check the same rows otherwise: they are taken in anew. Appended ones are there already.
        let checked_by = (!from.append).then_some(version.digest);
        let terms = Digest::of_canonical(&serde_json::json!([from, checked_by]));
        let claimed = source::claim(pool, version.problem, &from.dataset, &terms, now, now + every).await?;
        let Some(due) = claimed else { return Ok(()) };
        let last = match due.loaded.filter(|_| from.append) {
            Some(last) => dataset::find_version(pool, DatasetVersionId(last)).await?,
            None => None,
        };
        let wanted = match (last.as_ref().map(|last| last.state), due.fingerprint.as_deref()) {
            _ if !from.append => Wanted::Newest { known: due.fingerprint.as_deref() },
            // The next file waits for the rows of this one.
            (Some(DatasetState::Loading), _) => return self.look_again(version, from).await,
            // Put right, it is taken in, and no later file goes past it.
            (Some(DatasetState::Rejected), Some(name)) => Wanted::From(name),
            (_, last) => Wanted::After(last),
        };
        let refused = last.filter(|last| last.state == DatasetState::Rejected);
        let ended = match self.places.look(from, wanted, now, self.services.artifacts()).await {
            Ok(Found::Nothing) => Ok(None),
            Ok(Found::Content { file_name, content, fingerprint }) => match refused {
                Some(refused) if refused.source == content.digest() => Err(format!(
                    "{file_name} was refused as version {}; put it right in its place, and the files after it go on",
                    refused.number
                )),
                _ => return self.load(version, from, &file_name, content, &fingerprint).await,
            },
            Err(error) => {
                tracing::warn!(problem = version.slug, dataset = from.dataset, %error, "a source could not be read");
                Err(error.to_string())
            }
        };
        let now = self.services.surroundings().now();
        source::looked(pool, version.problem, &from.dataset, now, ended.as_ref().copied().map_err(String::as_str))
            .await?;
        Ok(())
    }

    /// Loads what a source gave.
    async fn load(
        &self,
        version: &ProblemVersion,
        from: &Source,
        file_name: &str,
        content: Draft,
        fingerprint: &str,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let loaded = self.services.load_from_source(version, from, file_name, content, fingerprint).await;
        if from.append {
            // The next file may be there.
            self.look_again(version, from).await?;
        }
        let loaded = match loaded {
            Err(fault) if from.append && fault.code == "version_loading" => return Ok(()),
            loaded => loaded?,
        };
        tracing::info!(problem = version.slug, dataset = from.dataset, version = loaded.number, "loaded from a source");
        Ok(())
    }

    /// Has the source looked at again in a moment.
    async fn look_again(
        &self,
        version: &ProblemVersion,
        from: &Source,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let soon = self.services.surroundings().now() + TimeDelta::seconds(2);
        source::look_again(self.services.db().pool(), version.problem, &from.dataset, soon).await?;
        Ok(())
    }
}
