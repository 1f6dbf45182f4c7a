//! Whole lines, a block of them at a time.

use crate::read::Limits;
use crate::read::csv::{Blocks, Open, block_bytes};
use crate::read::error::{MOST_PROBLEMS, Problem};

/// Pieces are about this large.
const PIECE: usize = 4 << 20;

/// Hands every line over, in pieces that can be read at the same time, a block of them at once, as long as `work` wants more. Empty
/// lines at the end are left out.
///
/// # Errors
/// When the text cannot be read.
pub(super) fn each_block(
    open: Open<'_>,
    limits: &Limits,
    mut work: impl FnMut(&[&str]) -> bool,
) -> Result<(), Problem> {
    let mut blocks = Blocks::begin(open()?, block_bytes(limits))?;
    // Empty lines after which nothing else came yet.
    let mut empty = 0;
    loop {
        let is_blank = blocks.text().trim_ascii().is_empty();
        if is_blank && !blocks.is_last() {
            let lines = memchr::memchr_iter(b'\n', blocks.text().as_bytes()).count() as u64;
            empty += lines;
            blocks.consume(blocks.text().len(), lines);
            blocks.more()?;
            continue;
        }
        let stands_between = "\n".repeat(empty.min(MOST_PROBLEMS as u64) as usize);
        if empty > 0 && !is_blank && !work(&[&stands_between]) {
            return Ok(());
        }
        empty = 0;
        let whole = whole_lines(blocks.text(), blocks.is_last(), limits.line_bytes);
        let pieces = pieces(whole);
        let lines = pieces.iter().map(|piece| piece.lines().count() as u64).sum();
        if !pieces.is_empty() && !work(&pieces) || blocks.is_last() {
            return Ok(());
        }
        blocks.consume(whole.len(), lines);
        blocks.more()?;
    }
}

/// The part of a text that ends with a whole line after which no empty one stands. Where there is none within the bytes that a line
/// may have, all of the text, so that whoever reads it says what is wrong.
fn whole_lines(text: &str, last: bool, line_bytes: usize) -> &str {
    if last {
        return text.trim_ascii_end();
    }
    let complete = text.rfind('\n').map_or(0, |at| at + 1);
    let filled = text[..complete].trim_ascii_end().len();
    let end = if filled == 0 { 0 } else { text[filled..complete].find('\n').map_or(0, |at| filled + at + 1) };
    if end == 0 && text.len() > line_bytes { text } else { &text[..end] }
}

/// A text cut behind line breaks.
fn pieces(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while text.len() > PIECE + PIECE / 2 {
        let Some(at) = memchr::memchr(b'\n', &text.as_bytes()[PIECE..]) else { break };
        let (piece, rest) = text.split_at(PIECE + at + 1);
        pieces.push(piece);
        text = rest;
    }
    if !text.is_empty() {
        pieces.push(text);
    }
    pieces
}

/// A piece cut into parts of so many lines.
pub(super) fn of_rows(piece: &str, rows: usize) -> impl Iterator<Item = &str> {
    let mut rest = piece;
    std::iter::from_fn(move || {
        let end = memchr::memchr_iter(b'\n', rest.as_bytes()).nth(rows - 1).map_or(rest.len(), |at| at + 1);
        let (part, later) = rest.split_at(end);
        rest = later;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_a_line_and_keeps_what_may_belong_to_the_next() {
        for (text, whole, at_the_end) in [
            ("{}\n{}\n{", "{}\n{}\n", "{}\n{}\n{"),
            ("{}\r\n{}\r\n", "{}\r\n{}\r\n", "{}\r\n{}"),
            ("{}\n\n \n", "{}\n", "{}"),
            ("{}", "", "{}"),
            ("\n\n", "", ""),
        ] {
            assert_eq!(whole_lines(text, false, 100), whole, "{text:?}");
            assert_eq!(whole_lines(text, true, 100), at_the_end, "{text:?}");
        }
        assert_eq!(whole_lines("a line without an end", false, 10), "a line without an end");
    }

    #[test]
    fn parts_have_as_many_lines_as_they_may() {
        assert_eq!(of_rows("a\nb\nc\nd\ne", 2).collect::<Vec<_>>(), ["a\nb\n", "c\nd\n", "e"]);
        assert_eq!(of_rows("a\n", 2).collect::<Vec<_>>(), ["a\n"]);
    }

    #[test]
    fn pieces_make_the_text_again_and_begin_at_lines() {
        let text = "{\"a\":\"a word\"}\n".repeat(700_000);
        let pieces = pieces(&text);
        assert!(pieces.len() > 2);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| piece.starts_with('{') && piece.ends_with('\n')));
    }
}
