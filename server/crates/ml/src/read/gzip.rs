//! Unpacking gzip, with an eye on bombs.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::error::{Place, Problem, Rule};
use super::{Limits, archive};

/// A packed file may unpack to so many times its size; real tables stay below thirty.
const RATIO: u64 = 100;
/// Below this many bytes the ratio says nothing: a few equal rows pack very well.
const HARMLESS: u64 = 1 << 20;
const BLOCK: usize = 64 * 1024;

/// Whether the bytes begin as gzip does.
pub(crate) fn is_gzip(source: &[u8]) -> bool {
    source.starts_with(&[0x1F, 0x8B])
}

/// Unpacks, and stops as soon as a cap is passed: total size, ratio, or a line that is too long to be a row.
///
/// # Errors
/// When the data is damaged, a cap is passed, or an archive lies inside.
pub(crate) fn unpack(source: &[u8], limits: &Limits) -> Result<Vec<u8>, Problem> {
    let mut decoder = MultiGzDecoder::new(source);
    let mut unpacked = Vec::new();
    let mut block = vec![0; BLOCK];
    let mut line_start = 0;
    loop {
        let count = decoder.read(&mut block).map_err(|error| Rule::BadGzip(error.to_string()).anywhere())?;
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
