//! Artifacts: bytes named by their SHA-256. A file is written beside its place, synced, and renamed into it, so a reader
//! sees all of it or nothing; every read checks the digest.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use tokio::io::AsyncWriteExt;

use crate::database::Connection;
use crate::record::{self, values};
use crate::{Result, StorageError};

/// A directory of artifacts.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    root: PathBuf,
}

impl ArtifactStore {
    /// Opens the store, making its directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        tokio::fs::create_dir_all(&root).await?;
        Ok(Self { root })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(&name[2..])
    }

    /// Keeps `content` under its digest. Keeping the same bytes again is not an error.
    ///
    /// # Errors
    /// [`StorageError::Full`] when there is no space; the store is then as it was.
    pub async fn put(&self, content: Bytes) -> Result<Digest> {
        let digest = Digest::of(&content);
        let path = self.path(&digest);
        if tokio::fs::try_exists(&path).await? && self.get(&digest).await.is_ok() {
            return Ok(digest);
        }
        let directory = path.parent().unwrap_or(&self.root).to_owned();
        tokio::fs::create_dir_all(&directory).await?;
        let draft = directory.join(format!("{}.{}.draft", digest.short(), std::process::id()));
        let written = write_synced(&draft, &content).await;
        if let Err(error) = written {
            // The draft is worthless; failing to remove it as well leaves only a stray file that `verify` reports.
            let _ = tokio::fs::remove_file(&draft).await;
            return Err(error.into());
        }
        tokio::fs::rename(&draft, &path).await?;
        tokio::fs::File::open(&directory).await?.sync_all().await?;
        Ok(digest)
    }

    /// Reads an artifact and checks it.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when it is missing or is not what its name says.
    pub async fn get(&self, digest: &Digest) -> Result<Bytes> {
        let corrupt =
            |reason: &str| StorageError::Corrupt { what: format!("artifact {digest}"), reason: reason.to_owned() };
        let content = match tokio::fs::read(self.path(digest)).await {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(corrupt("the file is missing")),
            Err(error) => return Err(error.into()),
        };
        if Digest::of(&content) != *digest {
            return Err(corrupt("its content does not have that digest"));
        }
        Ok(content.into())
    }
}

async fn write_synced(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = tokio::fs::File::create(path).await?;
    file.write_all(content).await?;
    file.flush().await?;
    file.sync_all().await
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (tempfile::TempDir, ArtifactStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(directory.path().join("artifacts")).await.unwrap();
        (directory, store)
    }

    #[tokio::test]
    async fn what_was_put_is_read_back() {
        let (_directory, store) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        assert_eq!(store.get(&digest).await.unwrap(), Bytes::from_static(b"weights"));
    }

    #[tokio::test]
    async fn a_flipped_bit_is_refused() {
        let (_directory, store) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        std::fs::write(store.path(&digest), b"weightz").unwrap();
        assert!(matches!(store.get(&digest).await, Err(StorageError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn putting_again_mends_a_damaged_file() {
        let (_directory, store) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        std::fs::write(store.path(&digest), b"").unwrap();
        store.put(Bytes::from_static(b"weights")).await.unwrap();
        assert!(store.get(&digest).await.is_ok());
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let (_directory, store) = store().await;
        let error = store.get(&Digest::of("nothing")).await.unwrap_err();
        assert!(error.to_string().contains("the file is missing"));
    }

    #[tokio::test]
    async fn a_full_disk_leaves_nothing_behind() {
        // /dev/full answers every write as a full disk does.
        let error: StorageError = write_synced(Path::new("/dev/full"), b"weights").await.unwrap_err().into();
        assert!(matches!(error, StorageError::Full(_)));
    }
}
