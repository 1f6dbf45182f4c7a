//! Artifacts that are written a piece at a time: a file of this host, named when it is whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::digest::Digesting;
use tempfile::NamedTempFile;

use crate::Result;

/// How names of drafts begin.
const PREFIX: &str = "draft-";

/// A file that becomes an artifact (`ArtifactStore::keep`), or goes away with its handle.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    digesting: Digesting,
    bytes: u64,
}

/// A draft that is whole: on disk, and known by what it holds.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: NamedTempFile,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl Draft {
    pub(super) fn below(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory)?;
        Ok(Self { file, digesting: Digesting::default(), bytes: 0 })
    }

    /// Takes the next piece, off the async threads.
    ///
    /// # Errors
    /// [`crate::StorageError::Full`] when there is no space.
    pub async fn take(mut self, piece: Bytes) -> Result<Self> {
        let written = tokio::task::spawn_blocking(move || self.write_all(&piece).map(|()| self)).await;
        Ok(written.map_err(io::Error::other)??)
    }

    /// How many bytes it holds.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of what it holds.
    pub fn digest(&self) -> Digest {
        self.digesting.clone().finish()
    }

    pub(super) fn whole(self) -> io::Result<Whole> {
        self.file.as_file().sync_all()?;
        Ok(Whole { digest: self.digesting.finish(), bytes: self.bytes, file: self.file })
    }
}

impl Write for Draft {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let count = self.file.write(piece)?;
        self.digesting.take(&piece[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Removes the drafts that nobody has written to since `before`; gives how many there were.
pub(super) fn sweep(directory: &Path, before: SystemTime) -> io::Result<usize> {
    let mut swept = 0;
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let is_old = || Ok(entry.metadata()?.modified()? < before);
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        match is_old().and_then(|old| if old { std::fs::remove_file(entry.path()).map(|()| 1) } else { Ok(0) }) {
            Ok(removed) => swept += removed,
            // It has just been ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(swept)
}

/// A file without a name, which goes away with its handle.
pub(super) fn scratch(directory: &Path) -> io::Result<File> {
    std::fs::create_dir_all(directory)?;
    tempfile::tempfile_in(directory)
}
