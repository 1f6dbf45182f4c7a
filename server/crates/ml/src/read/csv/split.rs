//! Cutting a text into pieces that begin at records, so that they can be scanned at the same time.

use memchr::{memchr_iter, memchr3_iter};

use super::scan::{Shape, after_break};

/// Pieces are about this large: small enough to share work evenly, large enough to be cheap to join.
const PIECE: usize = 4 << 20;

/// Cuts `text` after line breaks that lie outside quotes.
///
/// Whether a place lies outside quotes follows from the number of quotes before it, which is even there in well-formed
/// text. In text that is not well-formed a cut may be wrong, but only after the first mistake, which the scan of an earlier
/// piece reports.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut cuts = vec![0];
    let mut start = 0;
    while bytes.len() - start > PIECE + PIECE / 2 {
        let target = start + PIECE;
        let mut outside = memchr_iter(b'"', &bytes[start..target]).count().is_multiple_of(2);
        let mut cut = None;
        for offset in memchr3_iter(b'"', b'\n', b'\r', &bytes[target..]) {
            let at = target + offset;
            if bytes[at] == b'"' {
                outside = !outside;
            } else if outside {
                cut = Some(after_break(bytes, at));
                break;
            }
        }
        match cut {
            Some(cut) if cut < bytes.len() => {
                cuts.push(cut);
                start = cut;
            }
            _ => break,
        }
    }
    cuts.push(bytes.len());
    cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect()
}

/// The pieces of the whole records that `text` holds. Unless it is the `last` of a file, what follows the last record, empty lines
/// too, is left for later; after the last record of a file of several columns, line breaks say nothing.
///
/// Where no record ends within the bytes that one may have, all of the text is given, so that the scan says what is wrong.
pub(crate) fn records(text: &str, last: bool, shape: Shape) -> Vec<&str> {
    if last {
        let end = if shape.width > 1 { text.trim_end_matches(['\n', '\r']).len() } else { text.len() };
        return pieces(&text[..end]);
    }
    let mut pieces = pieces(text);
    let Some(rest) = pieces.pop() else { return pieces };
    match whole_records(rest) {
        0 if pieces.is_empty() && rest.len() > shape.line_bytes => pieces.push(rest),
        0 => {}
        whole => pieces.push(&rest[..whole]),
    }
    pieces
}

/// The length of the part of `text` that ends with a whole record, after which no empty line stands.
fn whole_records(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut outside, mut line, mut whole) = (true, 0, 0);
    for at in memchr3_iter(b'"', b'\n', b'\r', bytes) {
        if bytes[at] == b'"' {
            outside = !outside;
        } else if outside && at >= line {
            // What comes next may belong to a return at the very end.
            if bytes[at] == b'\r' && at + 1 == bytes.len() {
                break;
            }
            let next = after_break(bytes, at);
            if at > line {
                whole = next;
            }
            line = next;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_a_record_and_keeps_what_may_belong_to_the_next() {
        let shape = |line_bytes| Shape { delimiter: b',', width: 2, line_bytes };
        for (text, whole, at_the_end) in [
            ("1,a\n2,b\n3,", "1,a\n2,b\n", "1,a\n2,b\n3,"),
            ("1,a\n\"2\n", "1,a\n", "1,a\n\"2"),
            ("1,a\n\n\n", "1,a\n", "1,a"),
            ("1,a\r\n2,b\r", "1,a\r\n", "1,a\r\n2,b"),
            ("1,a", "", "1,a"),
        ] {
            assert_eq!(records(text, false, shape(100)).concat(), whole, "{text:?}");
            assert_eq!(records(text, true, shape(100)).concat(), at_the_end, "{text:?}");
        }
        assert_eq!(records("a line without an end", false, shape(10)), ["a line without an end"]);
    }

    #[test]
    fn pieces_make_the_text_again_and_begin_at_records() {
        let text = "1,\"a \"\"quoted\"\"\nfield\"\r\n2,b\n".repeat(700_000);
        let pieces = pieces(&text);
        assert!(pieces.len() > 2);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| piece.starts_with("1,") || piece.starts_with("2,")));
    }

    #[test]
    fn a_break_of_two_bytes_stays_together() {
        let text = format!("{}\r\n", "x".repeat(1_000)).repeat(12_000);
        assert!(pieces(&text).iter().all(|piece| piece.starts_with('x') && piece.ends_with("\r\n")));
    }
}
