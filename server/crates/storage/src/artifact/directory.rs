//! Artifacts in a directory: a file is written beside its place, synced, and renamed into it.

use std::fs::Permissions;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use millrace_domain::Digest;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

/// Drafts that this process has begun, which makes their names differ.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) async fn open(root: PathBuf) -> Result<Self> {
        tokio::fs::create_dir_all(&root).await?;
        Ok(Self { root })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let (first, rest) = super::name(digest);
        self.root.join(first).join(rest)
    }

    pub(super) async fn write(&self, digest: &Digest, content: &Bytes) -> Result<()> {
        let path = self.path(digest);
        let directory = path.parent().unwrap_or(&self.root).to_owned();
        tokio::fs::create_dir_all(&directory).await?;
        // The same content may come twice at a time, and neither may write into the other's draft.
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let draft = directory.join(format!("{}.{}.{number}.draft", digest.short(), std::process::id()));
        if let Err(error) = write_synced(&draft, content).await {
            // The draft is worthless; failing to remove it as well leaves only a stray file that `verify` reports.
            let _ = tokio::fs::remove_file(&draft).await;
            return Err(error);
        }
        tokio::fs::rename(&draft, &path).await?;
        tokio::fs::File::open(&directory).await?.sync_all().await
    }

    /// Renames a file, which is on disk, into its place.
    pub(super) async fn adopt(&self, digest: &Digest, file: NamedTempFile) -> Result<()> {
        let path = self.path(digest);
        let directory = path.parent().unwrap_or(&self.root).to_owned();
        tokio::fs::create_dir_all(&directory).await?;
        let placed = move || -> Result<()> {
            // Readable as every artifact is.
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.persist(&path)?;
            Ok(())
        };
        tokio::task::spawn_blocking(placed).await.map_err(Error::other)??;
        tokio::fs::File::open(&directory).await?.sync_all().await
    }

    pub(super) async fn find(&self, digest: &Digest) -> Result<Option<std::fs::File>> {
        match tokio::fs::File::open(self.path(digest)).await {
            Ok(file) => Ok(Some(file.into_std().await)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(&self, digest: &Digest) -> Result<Option<Bytes>> {
        match tokio::fs::read(self.path(digest)).await {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = tokio::fs::File::create(path).await?;
    file.write_all(content).await?;
    file.flush().await?;
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StorageError;
    use crate::artifact::{ArtifactPlace, ArtifactStore};

    async fn store() -> (tempfile::TempDir, ArtifactStore, Directory) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("artifacts");
        let store = ArtifactStore::open(ArtifactPlace::Directory(root.clone())).await.unwrap();
        (directory, store, Directory { root })
    }

    #[tokio::test]
    async fn what_was_put_is_read_back() {
        let (_directory, store, _) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        assert_eq!(store.get(&digest).await.unwrap(), Bytes::from_static(b"weights"));
    }

    #[tokio::test]
    async fn a_flipped_bit_is_refused() {
        let (_directory, store, files) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        std::fs::write(files.path(&digest), b"weightz").unwrap();
        assert!(matches!(store.get(&digest).await, Err(StorageError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn putting_again_mends_a_damaged_file() {
        let (_directory, store, files) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        std::fs::write(files.path(&digest), b"").unwrap();
        store.put(Bytes::from_static(b"weights")).await.unwrap();
        assert!(store.get(&digest).await.is_ok());
    }

    #[tokio::test]
    async fn a_draft_becomes_an_artifact_or_goes_away() {
        let (directory, store, _) = store().await;
        let draft = store.draft().unwrap().take(Bytes::from_static(b"wei")).await.unwrap();
        let draft = draft.take(Bytes::from_static(b"ghts")).await.unwrap();
        let (digest, bytes) = store.keep(draft).await.unwrap();
        assert_eq!((digest, bytes), (Digest::of("weights"), 7));
        assert_eq!(store.get(&digest).await.unwrap(), Bytes::from_static(b"weights"));
        let mut read = String::new();
        std::io::Read::read_to_string(&mut store.open_file(&digest).await.unwrap(), &mut read).unwrap();
        assert_eq!(read, "weights");
        drop(store.draft().unwrap());
        let left = std::fs::read_dir(directory.path().join("artifacts/drafts")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn what_a_killed_program_left_is_swept_and_what_is_written_is_not() {
        let (directory, store, _) = store().await;
        let written = store.draft().unwrap();
        let left = directory.path().join("artifacts/drafts/draft-of-somebody-gone");
        std::fs::write(&left, b"half").unwrap();
        let written_at = std::fs::metadata(&left).unwrap().modified().unwrap();
        let second = std::time::Duration::from_secs(1);
        std::fs::File::options().write(true).open(&left).unwrap().set_modified(written_at - 100 * second).unwrap();
        assert_eq!(store.sweep((written_at - 60 * second).into()).await.unwrap(), 1);
        assert!(!left.exists() && store.keep(written).await.is_ok());
    }

    #[tokio::test]
    async fn a_damaged_file_is_not_opened_and_a_draft_mends_it() {
        let (_directory, store, files) = store().await;
        let digest = store.put(Bytes::from_static(b"weights")).await.unwrap();
        std::fs::write(files.path(&digest), b"weightz").unwrap();
        assert!(matches!(store.open_file(&digest).await, Err(StorageError::Corrupt { .. })));
        let draft = store.draft().unwrap().take(Bytes::from_static(b"weights")).await.unwrap();
        store.keep(draft).await.unwrap();
        assert!(store.open_file(&digest).await.is_ok());
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let (_directory, store, _) = store().await;
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
