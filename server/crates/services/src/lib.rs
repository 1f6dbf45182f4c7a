//! Use cases, one function each: authorise, then one transaction with the change, its audit row and the steps it enqueues.
//! Page, REST handler and command are doors to the same function, so a rule cannot be met at one door and missed at another.

mod access;
mod alert_figure;
mod alias;
mod archive;
mod audit;
mod backfill;
mod backtest;
mod card;
mod case;
mod compare_models;
pub mod credentials;
mod dataset;
mod deployment;
mod elsewhere;
mod evidence;
mod failpoint;
mod feature;
mod find;
mod heartbeat;
mod history;
mod home;
mod incident;
mod kept;
mod kept_whole;
mod lineage;
mod look;
mod mail;
mod model;
mod monitor;
mod monitor_view;
mod mute;
mod override_gates;
mod parity;
mod password;
mod people;
mod present;
mod problem;
mod promotion;
mod quarantine;
mod receipt;
mod rehearsal;
mod reproduce;
mod retraining;
mod review;
mod rollout;
mod rollout_view;
mod run;
mod runs;
pub mod seal;
mod search_step;
mod searched;
mod second_factor;
pub mod sessions;
mod sign_in;
mod switch;
mod test_letter;
mod timeline;
mod token;
mod tracking;
mod webhook;
mod window;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::clock::Surroundings;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Role;
use millrace_domain::trainer::Programs;
use millrace_domain::webhook::Webhooks;
use millrace_storage::artifact::{ArtifactStore, Draft};
use millrace_storage::{Database, StorageError, Transaction};

use crate::credentials::Hasher;
use crate::failpoint::Failpoint;

pub use audit::{moment, stretch};
pub use elsewhere::{Elsewhere, RoleRule, Vouched};
pub use incident::Handling;
pub use mail::Outgoing;
pub use millrace_storage::credential::LinkPurpose;
pub use monitor::{BusinessTaken, BusinessValue};
pub use monitor_view::{MOST_WINDOWS, MonitorQuery};
pub use override_gates::GATES_NOT_PASSED;
pub use people::SetUpCode;
pub use sign_in::{Presented, SignedIn};
pub use tracking::{Begun, Changed};
pub use window::{Deployed, Watching};

/// Results of use cases.
pub type Result<T> = std::result::Result<T, Fault>;

/// Most entries of a page of a list.
const MOST_OF_A_PAGE: u32 = 200;

/// How many entries a page has, where the caller may say.
fn page_size(asked: Option<u32>, usual: u32) -> Result<u32> {
    let size = asked.unwrap_or(usual);
    match (1..=MOST_OF_A_PAGE).contains(&size) {
        true => Ok(size),
        false => Err(Fault::field("/page_size", format!("must be from 1 to {MOST_OF_A_PAGE}, got {size}"))),
    }
}

/// What the use cases are given at start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Version of this program.
    pub version: String,
    /// Digest of the lock file it was built with.
    pub lock_digest: Digest,
    /// Address of the pages, without a slash at its end: what links in letters begin with.
    pub base_url: String,
    /// What secrets that must be read back are sealed under.
    pub key: seal::Key,
    /// Roles that take a second factor.
    pub second_factor_for: Vec<Role>,
    /// Whether whoever made an author's account, and everybody else whom the same people made, does not approve either.
    pub approvers_apart: bool,
    /// Where else people may sign in.
    pub elsewhere: Option<Elsewhere>,
    /// Programs that runs may have train.
    pub trainers: ExternalTrainers,
    /// Addresses that are told of alerts.
    pub webhooks: Webhooks,
}

/// The external trainers of a server.
#[derive(Debug, Clone, Default)]
pub struct ExternalTrainers {
    /// As whoever runs the server declared them.
    pub programs: Arc<Programs>,
    /// Where each has a directory of its own while it runs.
    pub scratch: std::path::PathBuf,
}

/// All use cases. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Services {
    db: Database,
    artifacts: ArtifactStore,
    surroundings: Surroundings,
    hasher: Hasher,
    settings: Arc<Settings>,
    points: tracking::PointLog,
    refusals: access::Refusals,
    failpoint: Failpoint,
}

impl Services {
    /// Use cases over a database and an artifact store.
    pub fn new(db: Database, artifacts: ArtifactStore, surroundings: Surroundings, settings: Settings) -> Self {
        let hasher = Hasher::new(surroundings.entropy.clone());
        Self {
            db,
            artifacts,
            surroundings,
            hasher,
            settings: Arc::new(settings),
            points: tracking::PointLog::default(),
            refusals: access::Refusals::default(),
            failpoint: Failpoint::default(),
        }
    }

    /// With a place armed where tests make the process die, for example `retraining:before_commit`.
    #[must_use]
    pub fn with_failpoint(mut self, place: Option<String>) -> Self {
        self.failpoint = Failpoint::armed(place);
        self
    }

    /// What was given at start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database, for what the wiring needs besides use cases.
    pub const fn db(&self) -> &Database {
        &self.db
    }

    /// The artifact store.
    pub const fn artifacts(&self) -> &ArtifactStore {
        &self.artifacts
    }

    /// The clock and the randomness in use.
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// An empty file for what somebody sends.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn draft(&self) -> Result<Draft> {
        self.artifacts.draft().map_err(fault)
    }

    /// Adds a piece to a file that somebody sends.
    ///
    /// # Errors
    /// 507 when there is no space.
    pub async fn add_to_draft(&self, draft: Draft, piece: Bytes) -> Result<Draft> {
        draft.take(piece).await.map_err(fault)
    }

    /// Clears away what is over: failed sign-ins that count no more, answers that nobody asks for again, and drafts that nobody will end.
    ///
    /// # Errors
    /// When the database or the disk fails.
    pub async fn tidy(&self) -> Result<()> {
        self.forget_failures().await?;
        self.forget_answers().await?;
        let swept = self.artifacts.sweep(self.now() - chrono::Duration::days(1)).await.map_err(fault)?;
        if swept > 0 {
            tracing::info!(swept, "drafts of a program that was killed are removed");
        }
        let yesterday = self.now() - chrono::Duration::days(1);
        millrace_storage::rollout::clear_units(self.db.pool(), yesterday).await.map_err(fault)?;
        let long_judged = self.now() - chrono::Duration::days(7);
        millrace_storage::monitor::forget_counts(self.db.pool(), long_judged).await.map_err(fault)?;
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.surroundings.now()
    }

    async fn begin(&self) -> Result<Transaction> {
        self.db.begin().await.map_err(fault)
    }
}

/// Code of the fault that leaves open whether an act was done.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

async fn commit(tx: Transaction) -> Result<()> {
    tx.commit().await.map_err(|error| match fault(StorageError::from(error)) {
        // It may have been written down before the connection broke off.
        lost if lost.status == 503 => Fault::new(
            503,
            OUTCOME_UNKNOWN,
            "Look before doing it again",
            "the database broke off while this was written down: it may have been done, look before doing it again",
        ),
        refused => refused,
    })
}

/// Chooses what a caller is told of a storage error; the full chain goes to the log.
pub(crate) fn fault(error: StorageError) -> Fault {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    match &error {
        StorageError::Unavailable(_) => {
            tracing::warn!(%error, source, "database unavailable");
            Fault::new(
                503,
                "database_unavailable",
                "Try again",
                "the database does not answer just now; try again in a few seconds",
            )
        }
        StorageError::Conflict(what) => Fault::conflict(
            "changed_meanwhile",
            format!("{what} was changed by somebody else; look again and decide on that"),
        ),
        StorageError::Duplicate { constraint } => {
            Fault::conflict("already_exists", format!("that exists already ({constraint})"))
        }
        StorageError::Refused(rule) => {
            Fault::conflict("refused", format!("the rules of the database forbid it: {rule}"))
        }
        StorageError::Unstorable(reason) => Fault::invalid(
            format!(
                "a value of the request cannot be kept: {reason}; take out NUL characters and what no calendar knows"
            ),
            Vec::new(),
        ),
        StorageError::Full(_) => {
            tracing::error!(%error, source, "storage full");
            Fault::new(
                507,
                "storage_full",
                "No space",
                "artifact storage is full; nothing was changed; free space and try again",
            )
        }
        _ => {
            tracing::error!(%error, source, "storage failed");
            Fault::new(
                500,
                "internal",
                "Internal error",
                "something failed on our side and was logged; nothing was changed",
            )
        }
    }
}
