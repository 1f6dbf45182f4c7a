//! A private Postgres cluster, so that Millrace starts on a machine where nobody has set up a database.
//!
//! The cluster lives under `<home>/postgres` and belongs to that home: it is made with the machine's own `initdb`, listens
//! on loopback TCP only, keeps its port and its random password between starts, and asks everybody for that password. There
//! is no Unix socket: a socket's path is limited to about 100 bytes and a home may be anywhere.
//!
//! Several processes may use one home (`serve` and `user add`, say). Each holds a shared lock for as long as it uses the
//! cluster; the last one to let go stops the server. A process that is killed lets go of its lock too, so the next one finds
//! the server running, joins it, and stops it in the end.
//!
//! Postgres refuses to run as root. A root process therefore runs it as `postgres` or, failing that, `nobody`. If
//! that account may not enter the home (root's own, say), the cluster lives under `/var/lib/millrace` instead, in a directory
//! named by a digest of the home's path.
//!
//! Everything here blocks: call it outside the async runtime's threads.

mod account;
mod error;
mod place;
mod postmaster;
mod programs;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

pub use error::ClusterError;
use place::Place;
use postmaster::Postmaster;
use programs::Programs;

/// The cluster's only role: it owns every database in it.
const SUPERUSER: &str = "millrace";
/// How often another process's start or stop is looked at, and how many times before giving up: a minute in all.
const SETTLING_PAUSE: Duration = Duration::from_millis(50);
const SETTLING_LOOKS: usize = 1200;
/// The same for the last processes of a server that died while it was told to stop: five seconds in all.
const ENDING_LOOKS: usize = 100;
/// A free port can be taken by somebody else between our looking and Postgres' binding.
const PORT_ATTEMPTS: usize = 5;

/// How a cluster is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterOptions {
    /// Gives up durability for speed and allows more connections: for data that nobody will miss.
    pub tests: bool,
}

/// A running private cluster, used by this process until it is stopped or dropped.
pub struct Cluster {
    place: Place,
    programs: Programs,
    password: String,
    port: u16,
    /// The shared lock that says "in use"; `None` once let go.
    usage: Option<File>,
}

impl Cluster {
    /// Starts the cluster of `home`, creating it at first, or joins it if it is running, and returns when it takes connections.
    /// `options` apply to a server started here; a running one stays as it is.
    ///
    /// # Errors
    /// No Postgres programs on the machine, no account or place to run them, data of another Postgres version, a lost
    /// password, or a server that doesn't come up. Each says what can be done about it.
    pub fn start(home: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let place = Place::prepare(home)?;
        let _turnstile = place.turnstile()?;
        let programs = Programs::find(place.data_version()?, &place)?;
        if !place.is_initialised() {
            tracing::info!(directory = %place.base().display(), "creating the private Postgres cluster");
            programs.initialise(&place, options)?;
        }
        let password = place.password()?;
        let port = join_or_launch(&place, &programs, options)?;
        let usage = Some(place.usage()?);
        Ok(Self { place, programs, password, port, usage })
    }

    /// The connection URL of `database`, password included. A new cluster has only the database `postgres`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let (password, port) = (&self.password, self.port);
        format!("postgres://{SUPERUSER}:{password}@{}:{port}/{}", Ipv4Addr::LOCALHOST, percent_encoded(database))
    }

    /// Where the cluster's files are: under its home, or, for root, where the unprivileged account could enter.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.place.base()
    }

    /// Lets go of the cluster and, if nobody else uses it, stops the server and waits until it has ended.
    ///
    /// # Errors
    /// When the server doesn't end within a minute, or its files can't be reached.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.let_go()
    }

    fn let_go(&mut self) -> Result<(), ClusterError> {
        let Some(usage) = self.usage.take() else {
            return Ok(());
        };
        let _turnstile = self.place.turnstile()?;
        drop(usage);
        if self.place.is_in_use()? {
            return Ok(());
        }
        // Asked first, because `pg_ctl stop` signals whatever process a stale pid file names.
        if Postmaster::observe(&self.place)?.is_gone() {
            return Ok(());
        }
        match self.programs.stop(&self.place) {
            // A server that was killed leaves its pid file behind, which `pg_ctl` takes for one that doesn't stop. What counts
            // is that none of its processes is left.
            Err(_) if self.is_gone_after_all()? => Ok(()),
            stopped => stopped,
        }
    }

    fn is_gone_after_all(&self) -> Result<bool, ClusterError> {
        for _ in 0..ENDING_LOOKS {
            if Postmaster::observe(&self.place)?.is_gone() {
                return Ok(true);
            }
            thread::sleep(SETTLING_PAUSE);
        }
        Ok(false)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.let_go() {
            tracing::warn!(%error, "the private Postgres cluster was left running");
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("directory", &self.place.base())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The port of the cluster's server: of the one that runs, or of one started now.
fn join_or_launch(place: &Place, programs: &Programs, options: ClusterOptions) -> Result<u16, ClusterError> {
    for _ in 0..SETTLING_LOOKS {
        match Postmaster::observe(place)? {
            Postmaster::Ready { port } => return Ok(port),
            Postmaster::Settling => thread::sleep(SETTLING_PAUSE),
            Postmaster::Absent => return launch(place, programs, options),
            Postmaster::Impostor { pid } => {
                tracing::warn!(pid, "postmaster.pid is stale: the process it names isn't the server");
                place.disown_postmaster(pid)?;
            }
        }
    }
    Err(ClusterError::NotReady { log: place.log() })
}

fn launch(place: &Place, programs: &Programs, options: ClusterOptions) -> Result<u16, ClusterError> {
    let mut preferred = place.remembered_port()?;
    for attempt in 1.. {
        let port = free_port(preferred.take()).map_err(ClusterError::NoPort)?;
        place.configure(port, options)?;
        match programs.start(place) {
            Ok(()) => {
                place.remember_port(port)?;
                return Ok(port);
            }
            Err(_) if attempt < PORT_ATTEMPTS && !is_free(port) => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last attempt returns")
}

/// `preferred` if nobody listens on it, else one that the kernel chooses.
fn free_port(preferred: Option<u16>) -> std::io::Result<u16> {
    match preferred {
        Some(port) if is_free(port) => Ok(port),
        _ => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()),
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn percent_encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
