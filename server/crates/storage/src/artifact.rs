//! Artifacts: bytes named by their SHA-256, in a directory or in a bucket. A reader sees all of an artifact or nothing, and
//! every read checks the digest.

mod bucket;
mod directory;
mod draft;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;

use crate::database::Connection;
use crate::record::{self, values};
use crate::{Result, StorageError};

pub(crate) use bucket::Bucket;
use directory::Directory;
pub use draft::Draft;

/// Where artifacts are kept.
#[derive(Clone)]
pub enum ArtifactPlace {
    /// A directory.
    Directory(PathBuf),
    /// A bucket that speaks the S3 protocol.
    Bucket {
        /// `s3://bucket` or `s3://bucket/prefix`.
        url: String,
        /// Region, endpoint and credentials under the names of AWS' environment variables (`AWS_REGION`, …).
        settings: Vec<(String, String)>,
        /// Directory of this host for what is not in the bucket yet, or was read from it.
        drafts: PathBuf,
    },
}

impl std::fmt::Display for ArtifactPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket { url, .. } => f.write_str(url),
        }
    }
}

/// A store of artifacts. Cloning shares it.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    backend: Backend,
    /// Directory of this host for files that are not artifacts yet.
    drafts: PathBuf,
}

#[derive(Debug, Clone)]
enum Backend {
    Directory(Directory),
    Bucket(Bucket),
}

impl ArtifactStore {
    /// Opens the store. A directory is made; a bucket must exist.
    ///
    /// # Errors
    /// When the directory cannot be made, or the bucket's address or settings are not understood.
    pub async fn open(place: ArtifactPlace) -> Result<Self> {
        Ok(match place {
            // Beside the artifacts, so that a draft is renamed into its place.
            ArtifactPlace::Directory(root) => {
                Self { drafts: root.join("drafts"), backend: Backend::Directory(Directory::open(root).await?) }
            }
            ArtifactPlace::Bucket { url, settings, drafts } => {
                Self { drafts, backend: Backend::Bucket(Bucket::open(&url, &settings)?) }
            }
        })
    }

    /// An empty draft of an artifact.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn draft(&self) -> Result<Draft> {
        Ok(Draft::below(&self.drafts)?)
    }

    /// An empty file for what does not fit into memory; it goes away with its handle.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> io::Result<File> {
        draft::scratch(&self.drafts)
    }

    /// Removes drafts that nobody has written to since `before`, as a program that was killed leaves them; gives how many there were.
    ///
    /// # Errors
    /// When the directory fails.
    pub async fn sweep(&self, before: DateTime<Utc>) -> Result<usize> {
        let drafts = self.drafts.clone();
        let swept = tokio::task::spawn_blocking(move || draft::sweep(&drafts, before.into())).await;
        Ok(swept.map_err(io::Error::other)??)
    }

    /// Keeps a draft under its digest; gives that and how many bytes there are.
    ///
    /// # Errors
    /// [`StorageError::Full`] when there is no space; the store is then as it was.
    pub async fn keep(&self, draft: Draft) -> Result<(Digest, u64)> {
        let whole = tokio::task::spawn_blocking(move || draft.whole()).await.map_err(io::Error::other)??;
        let (digest, bytes) = (whole.digest, whole.bytes);
        if self.open_file(&digest).await.is_err() {
            match &self.backend {
                Backend::Directory(directory) => directory.adopt(&digest, whole.file).await?,
                Backend::Bucket(bucket) => bucket.write_file(&digest, whole.file.reopen()?).await?,
            }
        }
        Ok((digest, bytes))
    }

    /// Opens an artifact and checks it, without holding it in memory.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when it is missing or is not what its name says.
    pub async fn open_file(&self, digest: &Digest) -> Result<File> {
        let found = match &self.backend {
            Backend::Directory(directory) => directory.find(digest).await?,
            Backend::Bucket(bucket) => bucket.fetch(digest, || self.scratch()).await?,
        };
        let file = found.ok_or_else(|| corrupt(digest, "the file is missing"))?;
        let read = move || -> io::Result<(Digest, File)> {
            let found = Digest::of_reader(&file)?;
            io::Seek::rewind(&mut &file)?;
            Ok((found, file))
        };
        let (found, file) = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        if found != *digest {
            return Err(corrupt(digest, "its content does not have that digest"));
        }
        Ok(file)
    }

    /// Keeps `content` under its digest. Keeping the same bytes again is not an error.
    ///
    /// # Errors
    /// [`StorageError::Full`] when there is no space; the store is then as it was.
    pub async fn put(&self, content: Bytes) -> Result<Digest> {
        let digest = Digest::of(&content);
        if self.get(&digest).await.is_err() {
            match &self.backend {
                Backend::Directory(directory) => directory.write(&digest, &content).await?,
                Backend::Bucket(bucket) => bucket.write(&digest, content).await?,
            }
        }
        Ok(digest)
    }

    /// Reads an artifact and checks it.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when it is missing or is not what its name says.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes> {
        let found = match &self.backend {
            Backend::Directory(directory) => directory.read(digest).await?,
            Backend::Bucket(bucket) => bucket.read(digest).await?,
        };
        let content = found.ok_or_else(|| corrupt(digest, "the file is missing"))?;
        if Digest::of(&content) != *digest {
            return Err(corrupt(digest, "its content does not have that digest"));
        }
        Ok(content)
    }
}

fn corrupt(digest: &Digest, reason: &str) -> StorageError {
    StorageError::Corrupt { what: format!("artifact {digest}"), reason: reason.to_owned() }
}

/// The name of an artifact below the store's root: two levels, so that no directory grows without bound.
fn name(digest: &Digest) -> (String, String) {
    let mut name = digest.to_string();
    let rest = name.split_off(2);
    (name, rest)
}

/// Records an artifact, so that rows may point at it.
///
/// # Errors
/// When the database fails.
pub async fn register(
    db: &impl Connection,
    digest: &Digest,
    bytes: u64,
    media_type: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into artifact (digest, bytes, media_type, created_at) values ($1, $2, $3, $4)
        on conflict (digest) do nothing";
    let bytes_stored = i64::try_from(bytes).unwrap_or(i64::MAX);
    record::execute(db, SQL, values![record::bytes(digest), bytes_stored, media_type, at]).await.map(|_| ())
}

/// The digests of all recorded artifacts, in order.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Connection) -> Result<Vec<Digest>> {
    struct Found(Digest);
    impl record::Record for Found {
        fn read(row: &record::Row) -> Result<Self> {
            row.digest("digest").map(Self)
        }
    }
    let found: Vec<Found> = record::all(db, "select digest from artifact order by digest", values![]).await?;
    Ok(found.into_iter().map(|found| found.0).collect())
}
