//! Cutting a text into pieces that begin at records, so that they can be scanned at the same time.

use memchr::{memchr_iter, memchr3_iter};

use super::scan::after_break;

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

/// The length of the part of `text` that ends with a whole record, after which no empty line stands; all of it where no record
/// ends within `line_bytes`, so that the scan says what is wrong.
pub(crate) fn whole_records(text: &str, line_bytes: usize) -> usize {
    let bytes = text.as_bytes();
    let base = text.len() - pieces(text).last().map_or(0, |last| last.len());
    let (mut outside, mut line, mut whole) = (true, base, base);
    for offset in memchr3_iter(b'"', b'\n', b'\r', &bytes[base..]) {
        let at = base + offset;
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
    if whole == 0 && text.len() > line_bytes { text.len() } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_with_a_record_and_keeps_what_may_belong_to_the_next() {
        for (text, whole) in [
            ("1,a\n2,b\n3,", "1,a\n2,b\n"),
            ("1,a\n\"2\n", "1,a\n"),
            ("1,a\n\n\n", "1,a\n"),
            ("1,a\r\n2,b\r", "1,a\r\n"),
            ("1,a", ""),
        ] {
            assert_eq!(&text[..whole_records(text, 100)], whole, "{text:?}");
        }
        assert_eq!(whole_records("a line without an end", 10), 21);
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
