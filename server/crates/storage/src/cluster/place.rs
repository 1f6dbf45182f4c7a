//! Where a cluster's files are and who owns them.
//!
//! ```text
//! <base>/data        the cluster itself, as `initdb` made it; `millrace.conf` in it holds our settings
//! <base>/password    of the role `millrace`, readable by the owner alone
//! <base>/port        the port of the last start
//! <base>/log         of the current server, `log.old` of the one before
//! <base>/turnstile   locked by whoever starts or stops the server
//! <base>/usage       locked, shared, by whoever uses it
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::ClusterOptions;
use super::account::{Account, running_as_root};
use super::error::{ClusterError, OnPath};

/// Where a root process keeps clusters whose homes the unprivileged account may not enter.
const FOR_CLOSED_HOMES: &str = "/var/lib/millrace";
/// 192 bits, as 48 characters that need no escaping in a URL.
const PASSWORD_BYTES: usize = 24;
/// Larger than any process number that a kernel gives.
const NOBODY: &str = "2147483647";
/// Appended once to the cluster's own configuration file.
const INCLUDE: &str = "\ninclude_if_exists = 'millrace.conf'\n";

#[derive(Debug)]
pub(super) struct Place {
    base: PathBuf,
    account: Option<Account>,
}

impl Place {
    /// Finds or makes the directory of `home`'s cluster.
    pub(super) fn prepare(home: &Path) -> Result<Self, ClusterError> {
        fs::create_dir_all(home).on_path("create", home)?;
        let home = home.canonicalize().on_path("resolve", home)?;
        let place = if running_as_root() {
            Self::for_root(&home)?
        } else {
            Self { base: home.join("postgres"), account: None }
        };
        match DirBuilder::new().mode(0o700).create(&place.base) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
        .on_path("create", &place.base)?;
        place.hand_over(&place.base)?;
        Ok(place)
    }

    fn for_root(home: &Path) -> Result<Self, ClusterError> {
        let accounts = Account::unprivileged()?;
        let inside = home.join("postgres");
        let outside = Path::new(FOR_CLOSED_HOMES).join(short_digest(home));
        for base in [&inside, &outside] {
            let owner = fs::metadata(base.join("data")).map(|data| data.uid());
            if let Some(account) = accounts.iter().find(|account| owner.as_ref().is_ok_and(|uid| *uid == account.uid)) {
                return Ok(Self { base: base.clone(), account: Some(account.clone()) });
            }
        }
        let account = accounts.into_iter().next().ok_or(ClusterError::NoAccount)?;
        if account.may_enter(home) {
            return Ok(Self { base: inside, account: Some(account) });
        }
        tracing::info!(
            account = account.name,
            home = %home.display(),
            directory = %outside.display(),
            "the account that runs Postgres may not enter the home: its files go elsewhere"
        );
        let usable = fs::create_dir_all(FOR_CLOSED_HOMES)
            .and_then(|()| fs::set_permissions(FOR_CLOSED_HOMES, fs::Permissions::from_mode(0o755)));
        match usable {
            Ok(()) => Ok(Self { base: outside, account: Some(account) }),
            Err(source) => Err(ClusterError::NoPlace {
                account: account.name,
                home: home.to_path_buf(),
                fallback: FOR_CLOSED_HOMES.into(),
                source,
            }),
        }
    }

    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    pub(super) fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.base.join("log")
    }

    pub(super) fn is_initialised(&self) -> bool {
        self.data().join("PG_VERSION").exists()
    }

    /// The major version of Postgres that made the data, if there is any.
    pub(super) fn data_version(&self) -> Result<Option<u32>, ClusterError> {
        let path = self.data().join("PG_VERSION");
        Ok(read_if_there(&path).on_path("read", path)?.and_then(|text| text.trim().parse().ok()))
    }

    /// A command that runs as the cluster's owner, in its directory, undisturbed by the environment's Postgres settings.
    /// Paths are given to it relative to that directory: `pg_ctl` hands them to a shell without escaping them.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.base).env("LC_ALL", "C");
        for variable in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGPASSWORD"] {
            command.env_remove(variable);
        }
        if let Some(account) = &self.account {
            account.take_over(&mut command);
        }
        command
    }

    /// Held while the server is started or stopped, by one process at a time.
    pub(super) fn turnstile(&self) -> Result<File, ClusterError> {
        let path = self.base.join("turnstile");
        let file = lock_file(&path).on_path("open", &path)?;
        file.lock().on_path("lock", path)?;
        Ok(file)
    }

    /// Held while the server is used.
    pub(super) fn usage(&self) -> Result<File, ClusterError> {
        let path = self.base.join("usage");
        let file = lock_file(&path).on_path("open", &path)?;
        file.lock_shared().on_path("lock", path)?;
        Ok(file)
    }

    pub(super) fn is_in_use(&self) -> Result<bool, ClusterError> {
        let path = self.base.join("usage");
        match lock_file(&path).on_path("open", &path)?.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(source).on_path("lock", path),
        }
    }

    pub(super) fn password(&self) -> Result<String, ClusterError> {
        let file = self.base.join("password");
        read_if_there(&file).on_path("read", &file)?.ok_or(ClusterError::PasswordLost { file })
    }

    /// Draws a new password for a cluster about to be made.
    pub(super) fn draw_password(&self) -> Result<(), ClusterError> {
        let mut random = [0; PASSWORD_BYTES];
        File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut random))
            .on_path("read", "/dev/urandom")?;
        self.write("password", &hex::encode(random))
    }

    pub(super) fn remembered_port(&self) -> Result<Option<u16>, ClusterError> {
        let path = self.base.join("port");
        Ok(read_if_there(&path).on_path("read", path)?.and_then(|text| text.trim().parse().ok()))
    }

    pub(super) fn remember_port(&self, port: u16) -> Result<(), ClusterError> {
        self.write("port", &format!("{port}\n"))
    }

    /// Makes the cluster read `millrace.conf` beside its own configuration.
    pub(super) fn include_settings(&self, data: &str) -> Result<(), ClusterError> {
        let path = self.base.join(data).join("postgresql.conf");
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(INCLUDE.as_bytes()))
            .on_path("write", path)
    }

    /// Writes the settings of the next start.
    pub(super) fn configure(&self, port: u16, options: ClusterOptions) -> Result<(), ClusterError> {
        let mut settings = format!(
            "# Written at each start.\n\
             listen_addresses = '127.0.0.1'\n\
             port = {port}\n\
             unix_socket_directories = ''\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n"
        );
        if options.tests {
            settings.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 300\n");
        }
        self.write("data/millrace.conf", &settings)
    }

    /// Keeps the log of one earlier server.
    pub(super) fn turn_log(&self) -> Result<(), ClusterError> {
        match fs::rename(self.log(), self.base.join("log.old")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).on_path("rename", self.log()),
            _ => Ok(()),
        }
    }

    /// Makes the pid file name a process that can't exist. Unlike removing the file, this leaves Postgres what it needs to
    /// check by itself that nothing of the old server lives, and to free the shared memory that server left behind.
    pub(super) fn disown_postmaster(&self, impostor: u32) -> Result<(), ClusterError> {
        let path = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&path).on_path("read", path)?;
        self.write("data/postmaster.pid", &text.replacen(&impostor.to_string(), NOBODY, 1))
    }

    /// Writes a file that only the owner may read, whole or not at all.
    fn write(&self, name: &str, content: &str) -> Result<(), ClusterError> {
        let (path, draft) = (self.base.join(name), self.base.join(format!("{name}.new")));
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .on_path("write", &draft)?;
        self.hand_over(&draft)?;
        fs::rename(&draft, &path).on_path("write", path)
    }

    fn hand_over(&self, path: &Path) -> Result<(), ClusterError> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        account.give(path).on_path("change the owner of", path)
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells homes apart in one flat directory: 64 bits of the path's digest.
fn short_digest(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}
