//! Declared encodings other than UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding};

use super::error::Rule;

/// Bytes that are decoded at a time.
const BLOCK: usize = 64 * 1024;

/// Reads text of a declared encoding as UTF-8, without its byte-order mark. The reader fails with a problem where the bytes are not
/// what the label says.
///
/// # Errors
/// When the label is none that is known.
pub(super) fn decoding<'s>(from: impl Read + Send + 's, label: &str) -> Result<Box<dyn Read + Send + 's>, Rule> {
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| Rule::NotEncoded(label.to_owned()))?;
    Ok(Box::new(Decoding {
        from,
        label: label.to_owned(),
        decoder: encoding.new_decoder_with_bom_removal(),
        coded: Vec::new(),
        text: Vec::new(),
        given: 0,
        ended: false,
    }))
}

struct Decoding<R> {
    from: R,
    label: String,
    decoder: Decoder,
    /// Bytes that were read and not decoded yet.
    coded: Vec<u8>,
    /// Text that was decoded, and how much of it was given away.
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Decoding<R> {
    /// Decodes the next block.
    fn refill(&mut self) -> io::Result<()> {
        let got = (&mut self.from).take(BLOCK as u64).read_to_end(&mut self.coded)?;
        self.ended = got < BLOCK;
        let room = self.decoder.max_utf8_buffer_length_without_replacement(self.coded.len());
        self.text.resize(room.unwrap_or(self.coded.len() * 4 + 16), 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.coded, &mut self.text, self.ended);
        self.text.truncate(written);
        self.given = 0;
        self.coded.drain(..read);
        match result {
            DecoderResult::InputEmpty => Ok(()),
            DecoderResult::OutputFull | DecoderResult::Malformed(..) => {
                Err(Rule::NotEncoded(self.label.clone()).anywhere().into())
            }
        }
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.refill()?;
        }
        let count = to.len().min(self.text.len() - self.given);
        to[..count].copy_from_slice(&self.text[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8], label: &str) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        let mut reader = decoding(bytes, label).map_err(|rule| rule.to_string())?;
        reader.read_to_end(&mut text).map(|_| text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_declared_encoding_is_read() {
        assert_eq!(decode(b"caf\xE9", "latin1").unwrap(), "caf\u{e9}".as_bytes());
        assert_eq!(decode(b"\xFF\xFEa\0", "utf-16").unwrap(), b"a");
    }

    #[test]
    fn a_character_that_two_blocks_share_is_read() {
        let text = "\u{e9}".repeat(BLOCK);
        let coded: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&coded, "utf-16le").unwrap(), text.as_bytes());
        assert_eq!(decode(format!("x{text}").as_bytes(), "utf-8").unwrap(), format!("x{text}").as_bytes());
    }

    #[test]
    fn bytes_of_another_encoding_are_refused() {
        for (bytes, label) in [(b"caf\xE9", "utf-8"), (b"a\0\0\0", "utf-17")] {
            assert!(decode(bytes, label).unwrap_err().contains("which the problem declares"));
        }
    }
}
