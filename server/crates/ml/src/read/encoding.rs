//! Declared encodings other than UTF-8.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::error::Rule;

/// The bytes as UTF-8; a byte-order mark of that encoding is left out.
///
/// # Errors
/// When the label is none that is known, or the bytes are not what it says.
pub(super) fn decode<'b>(bytes: &'b [u8], label: &str) -> Result<Cow<'b, [u8]>, Rule> {
    let wrong = || Rule::NotEncoded(label.to_owned());
    let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(wrong)?;
    let (text, malformed) = encoding.decode_with_bom_removal(bytes);
    if malformed {
        return Err(wrong());
    }
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_encoding_is_read() {
        assert_eq!(decode(b"caf\xE9", "latin1").unwrap().as_ref(), "caf\u{e9}".as_bytes());
        assert_eq!(decode(b"\xFF\xFEa\0", "utf-16").unwrap().as_ref(), b"a");
    }

    #[test]
    fn bytes_of_another_encoding_are_refused() {
        assert_eq!(decode(b"caf\xE9", "utf-8"), Err(Rule::NotEncoded("utf-8".to_owned())));
        assert_eq!(decode(b"a", "utf-17"), Err(Rule::NotEncoded("utf-17".to_owned())));
    }
}
