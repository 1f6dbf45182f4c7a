//! Regular expressions inside expressions: `column ~ '^[A-Z]'`, as Postgres writes it.
//!
//! The syntax is that of the `regex` crate: no look-around and no back-references, in return the time is linear in the text.

/// A regular expression; equal when its text is.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    #[cfg(feature = "parse")]
    regex: regex::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(feature = "parse")]
impl Pattern {
    /// Largest compiled form, in bytes.
    const LARGEST: usize = 1 << 20;

    /// Reads a pattern; the error says where it is wrong.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let built = regex::RegexBuilder::new(text).size_limit(Self::LARGEST).build();
        let regex = built.map_err(|error| format!("{text:?} is not a regular expression: {error}"))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Whether it matches somewhere in `text`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

#[cfg(not(feature = "parse"))]
impl Pattern {
    /// Never asked where nothing is read from text.
    pub(super) fn is_in(&self, _text: &str) -> bool {
        unreachable!("expressions are evaluated only where they are read")
    }
}
