//! The text of a file a block at a time, each beginning at a record.

use std::io::Read;

use super::scan::breaks;
use crate::read::error::{Place, Problem, Rule};

/// A text that is read from its beginning to its end: [`Self::more`] adds a block to it, and what was worked on is given up with
/// [`Self::consume`].
pub(crate) struct Blocks<'s> {
    from: Box<dyn Read + Send + 's>,
    /// How much is read at a time.
    block: usize,
    text: String,
    /// The beginning of a character that two blocks share.
    cut: Vec<u8>,
    ended: bool,
    /// Bytes and lines that were given up.
    bytes: u64,
    lines: u64,
}

impl<'s> Blocks<'s> {
    /// The text with its first block.
    ///
    /// # Errors
    /// As [`Self::more`].
    pub(crate) fn begin(from: Box<dyn Read + Send + 's>, block: usize) -> Result<Self, Problem> {
        let (text, cut) = (String::new(), Vec::new());
        let mut blocks = Self { from, block, text, cut, ended: false, bytes: 0, lines: 0 };
        blocks.more()?;
        Ok(blocks)
    }

    /// What was read and not given up.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing comes after it.
    pub(crate) const fn is_last(&self) -> bool {
        self.ended
    }

    /// Reads a block more.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8, or holds a NUL byte.
    pub(crate) fn more(&mut self) -> Result<(), Problem> {
        // The same memory again: what is left over stands at its beginning.
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.append(&mut self.cut);
        self.ended = (&mut self.from).take(self.block as u64).read_to_end(&mut bytes)? < self.block;
        self.text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let (valid, incomplete) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_none());
                let mut bytes = error.into_bytes();
                if self.ended || !incomplete {
                    return Err(Rule::NotUtf8.at(self.place(&bytes[..valid])));
                }
                self.cut = bytes.split_off(valid);
                String::from_utf8(bytes).unwrap_or_default()
            }
        };
        match memchr::memchr(0, self.text.as_bytes()) {
            Some(at) => Err(Rule::Nul.at(self.place(&self.text.as_bytes()[..at]))),
            None => Ok(()),
        }
    }

    /// Gives up the first `bytes` of the text, which hold that many lines.
    pub(crate) fn consume(&mut self, bytes: usize, lines: u64) {
        self.lines += lines;
        self.bytes += bytes as u64;
        self.text.drain(..bytes);
    }

    /// The place that comes after what was given up and then `before`.
    fn place(&self, before: &[u8]) -> Place {
        Place::default().on_line(self.lines + breaks(before) + 1).at_byte(self.bytes + before.len() as u64)
    }
}
