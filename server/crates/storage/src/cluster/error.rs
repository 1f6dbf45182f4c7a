use std::io;
use std::path::PathBuf;

/// Why a private cluster can't be had, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no Postgres programs (initdb, pg_ctl) on PATH, under /usr/lib/postgresql or by pg_config: {install}, or set \
         DATABASE_URL to a database you already have"
    )]
    NoPrograms { install: &'static str },

    #[error(
        "the cluster in {directory} was made by Postgres {made_by} and this machine has {available:?}: install Postgres \
         {made_by}, or move the directory away to start with an empty database"
    )]
    OtherVersion { directory: PathBuf, made_by: u32, available: Vec<u32> },

    #[error(
        "Postgres refuses to run as root, and there is no account `postgres` or `nobody` to run it: create one with \
         `useradd --system postgres`, or run Millrace as an ordinary user"
    )]
    NoAccount,

    #[error(
        "account {account} may not enter {home}, and {fallback} can't be used instead: set MILLRACE_HOME to a directory \
         that every account may enter"
    )]
    NoPlace {
        account: String,
        home: PathBuf,
        fallback: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error(
        "the cluster's password file {file} is missing: restore it, or move the directory it belongs in away to start with \
         an empty database"
    )]
    PasswordLost { file: PathBuf },

    #[error("no free TCP port on 127.0.0.1: end a program that listens there")]
    NoPort(#[source] io::Error),

    #[error("could not {action}: {output}")]
    Program { action: &'static str, output: String },

    #[error("another start or stop of this cluster didn't finish within a minute: see {log}")]
    NotReady { log: PathBuf },

    #[error("could not {action} {path}: make it accessible to this account, or set MILLRACE_HOME to another directory")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Names the file in an error about it.
pub(super) trait OnPath<T> {
    fn on_path(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, ClusterError>;
}

impl<T> OnPath<T> for io::Result<T> {
    fn on_path(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::File { action, path: path.into(), source })
    }
}
