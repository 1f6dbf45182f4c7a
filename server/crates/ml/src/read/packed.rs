//! Unpacking gzip and zstd, with an eye on bombs.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::Limits;
use super::error::{Problem, Rule};

/// A packed file may unpack to so many times its size; real tables stay below thirty.
const RATIO: u64 = 100;
/// Below this many bytes the ratio says nothing: a few equal rows pack very well.
const HARMLESS: u64 = 1 << 20;
const BLOCK: usize = 64 * 1024;

/// Larger windows of zstd (2^27 bytes) are refused: the file asks for that memory before a byte of it is seen.
const LARGEST_WINDOW: u32 = 27;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// How the bytes are packed, if they are.
    pub(crate) fn of(source: &[u8]) -> Option<Self> {
        match source {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The word shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn open<'s>(self, packed: impl Read + Send + 's) -> io::Result<Box<dyn Read + Send + 's>> {
        let packed = BufReader::with_capacity(BLOCK, packed);
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(LARGEST_WINDOW)?;
                Box::new(decoder)
            }
        })
    }
}

/// Unpacks while it is read. The reader fails with a [`Problem`] as soon as the data is damaged or a cap is passed.
///
/// # Errors
/// When the data does not begin as it should.
pub(crate) fn unpacking<'s>(
    packing: Packing,
    packed: impl Read + Send + 's,
    packed_bytes: u64,
    limits: &Limits,
) -> Result<Box<dyn Read + Send + 's>, Problem> {
    let decoder = packing.open(packed).map_err(|error| damaged(packing, &error))?;
    Ok(Box::new(Unpacking { packing, decoder, packed: packed_bytes, unpacked: 0, limit: limits.total_bytes }))
}

struct Unpacking<'s> {
    packing: Packing,
    decoder: Box<dyn Read + Send + 's>,
    packed: u64,
    unpacked: u64,
    limit: u64,
}

impl Read for Unpacking<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(to).map_err(|error| damaged(self.packing, &error))?;
        self.unpacked += count as u64;
        if self.unpacked > self.limit {
            return Err(Rule::TooLarge { limit: self.limit }.anywhere().into());
        }
        if self.unpacked > HARMLESS && self.unpacked > self.packed.saturating_mul(RATIO) {
            return Err(Rule::Ratio { limit: RATIO }.anywhere().into());
        }
        Ok(count)
    }
}

fn damaged(packing: Packing, error: &io::Error) -> Problem {
    Rule::BadPacking(packing.as_str(), error.to_string()).anywhere()
}
