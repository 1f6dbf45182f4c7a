//! Artifacts: bytes named by their SHA-256, in a directory or in a bucket. A reader sees all of an artifact or nothing, and
//! every read checks the digest.

mod bucket;
mod directory;

use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;

use crate::database::Connection;
use crate::record::{self, values};
use crate::{Result, StorageError};

pub(crate) use bucket::Bucket;
use directory::Directory;

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
pub struct ArtifactStore(Backend);

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
        Ok(Self(match place {
            ArtifactPlace::Directory(root) => Backend::Directory(Directory::open(root).await?),
            ArtifactPlace::Bucket { url, settings } => Backend::Bucket(Bucket::open(&url, &settings)?),
        }))
    }

    /// Keeps `content` under its digest. Keeping the same bytes again is not an error.
    ///
    /// # Errors
    /// [`StorageError::Full`] when there is no space; the store is then as it was.
    pub async fn put(&self, content: Bytes) -> Result<Digest> {
        let digest = Digest::of(&content);
        if self.get(&digest).await.is_err() {
            match &self.0 {
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
        let corrupt =
            |reason: &str| StorageError::Corrupt { what: format!("artifact {digest}"), reason: reason.to_owned() };
        let found = match &self.0 {
            Backend::Directory(directory) => directory.read(digest).await?,
            Backend::Bucket(bucket) => bucket.read(digest).await?,
        };
        let content = found.ok_or_else(|| corrupt("the file is missing"))?;
        if Digest::of(&content) != *digest {
            return Err(corrupt("its content does not have that digest"));
        }
        Ok(content)
    }
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
