//! What is read: bytes in memory, or an open file that is never wholly in it.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Bytes in memory or an open file, which is read from its beginning whatever was read of it before.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Input<'a> {
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// An open file.
    File(&'a File),
}

/// A reader that can go back.
pub(crate) trait Reader: Read + Seek + Send {}
impl<T: Read + Seek + Send> Reader for T {}

impl<'a> Input<'a> {
    /// How many bytes there are.
    pub(crate) fn size(self) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => Ok(file.metadata()?.len()),
        }
    }

    /// A reader at the beginning.
    pub(crate) fn reader(self) -> io::Result<Box<dyn Reader + 'a>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(Cursor::new(bytes)),
            Self::File(file) => Box::new(FromStart { file, at: 0, size: self.size()? }),
        })
    }

    /// `size` bytes from `start` on.
    pub(crate) fn range(self, start: u64, size: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => {
                let from = usize::try_from(start).unwrap_or(usize::MAX);
                let end = from.checked_add(size).ok_or(io::ErrorKind::UnexpectedEof)?;
                Ok(bytes.get(from..end).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
            }
            Self::File(file) => {
                let mut bytes = vec![0; size];
                file.read_exact_at(&mut bytes, start)?;
                Ok(bytes)
            }
        }
    }
}

/// Reads a file from its beginning and leaves its own position alone.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
    size: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(to, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for FromStart<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
