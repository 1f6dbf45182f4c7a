//! Unpacking gzip and zstd, with an eye on bombs.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::error::{Place, Problem, Rule};
use super::{Limits, archive};

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

    fn open(self, source: &[u8]) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(source)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(LARGEST_WINDOW)?;
                Box::new(decoder)
            }
        })
    }
}

/// Unpacks, and stops as soon as a cap is passed: total size, ratio, or a line that is too long to be a row.
///
/// # Errors
/// When the data is damaged, a cap is passed, or an archive lies inside.
pub(crate) fn unpack(packing: Packing, source: &[u8], limits: &Limits) -> Result<Vec<u8>, Problem> {
    let damaged = |error: std::io::Error| Rule::BadPacking(packing.as_str(), error.to_string()).anywhere();
    let mut decoder = packing.open(source).map_err(damaged)?;
    let mut unpacked = Vec::new();
    let mut block = vec![0; BLOCK];
    let mut line_start = 0;
    loop {
        let count = decoder.read(&mut block).map_err(damaged)?;
        if count == 0 {
            return Ok(unpacked);
        }
        let first = unpacked.is_empty();
        unpacked.extend_from_slice(&block[..count]);
        if first && let Some(kind) = archive::name(&unpacked) {
            return Err(Rule::Nested(kind).anywhere());
        }
        check_size(unpacked.len() as u64, source.len() as u64, limits)?;
        if !unpacked.starts_with(super::parquet::MAGIC) {
            if let Some(last) = memchr::memrchr2(b'\n', b'\r', &block[..count]) {
                line_start = unpacked.len() - count + last + 1;
            }
            if unpacked.len() - line_start > limits.line_bytes + BLOCK {
                let place = Place::default().at_byte(line_start);
                return Err(Rule::LineTooLong { limit: limits.line_bytes }.at(place));
            }
        }
    }
}

fn check_size(unpacked: u64, packed: u64, limits: &Limits) -> Result<(), Problem> {
    if unpacked > limits.total_bytes {
        return Err(Rule::TooLarge { limit: limits.total_bytes }.anywhere());
    }
    if unpacked > HARMLESS && unpacked > packed.saturating_mul(RATIO) {
        return Err(Rule::Ratio { limit: RATIO }.anywhere());
    }
    Ok(())
}
