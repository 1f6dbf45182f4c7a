//! The text of a file a block at a time, each beginning at a record.

use std::io::Read;

use super::scan::breaks;
use crate::read::error::{Place, Problem, Rule};

/// A text that is read from its beginning to its end; what was worked on is given up with [`Self::consume`].
pub(crate) struct Blocks<'s> {
    from: Box<dyn Read + Send + 's>,
    /// How much is read at a time.
    block: usize,
    buffer: Vec<u8>,
    ended: bool,
    bytes: u64,
    lines: u64,
}

impl<'s> Blocks<'s> {
    pub(crate) fn new(from: Box<dyn Read + Send + 's>, block: usize) -> Self {
        Self { from, block, buffer: Vec::new(), ended: false, bytes: 0, lines: 0 }
    }

    /// The text that comes next, a block or more of it, and whether it is the last.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8, or holds a NUL byte.
    pub(crate) fn text(&mut self) -> Result<(&str, bool), Problem> {
        if !self.ended {
            let before = self.buffer.len();
            let got = (&mut self.from).take(self.block as u64).read_to_end(&mut self.buffer)?;
            self.ended = got < self.block;
            if let Some(at) = memchr::memchr(0, &self.buffer[before..]) {
                let valid = std::str::from_utf8(&self.buffer[..before + at]);
                return Err(match valid {
                    Ok(_) => Rule::Nul.at(self.place(before + at)),
                    Err(error) => Rule::NotUtf8.at(self.place(error.valid_up_to())),
                });
            }
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok((text, self.ended)),
            Err(error) if error.error_len().is_none() && !self.ended => {
                let valid = &self.buffer[..error.valid_up_to()];
                Ok((std::str::from_utf8(valid).unwrap_or_default(), false))
            }
            Err(error) => Err(Rule::NotUtf8.at(self.place(error.valid_up_to()))),
        }
    }

    /// Gives up the first `bytes` of the text.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.lines += breaks(&self.buffer[..bytes]);
        self.bytes += bytes as u64;
        self.buffer.drain(..bytes);
    }

    fn place(&self, at: usize) -> Place {
        Place::default().on_line(self.lines + breaks(&self.buffer[..at]) + 1).at_byte(self.bytes + at as u64)
    }
}
