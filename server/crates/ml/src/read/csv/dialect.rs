//! The delimiter and the header.

use super::scan::{End, Shape, field};
use crate::read::error::{Place, Problem, Rule};

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records that are looked at to find the delimiter.
const SAMPLE: usize = 50;

/// The delimiter under which the first records have the same number of fields as the header, and more than one; with
/// several, the one that most records agree with, then the one that gives most fields. A comma when there is none.
pub(crate) fn detect(text: &str, line_bytes: usize) -> u8 {
    let score = |delimiter: u8| {
        let widths = widths(text, delimiter, line_bytes);
        let header = widths.first().copied().unwrap_or(0);
        let agreeing = widths.iter().filter(|width| **width == header).count();
        (header > 1).then_some((agreeing, header))
    };
    CANDIDATES
        .into_iter()
        .rev()
        .filter_map(|delimiter| score(delimiter).map(|score| (score, delimiter)))
        .max_by_key(|(score, _)| *score)
        .map_or(b',', |(_, delimiter)| delimiter)
}

/// Fields of each of the first records, as far as they are well-formed.
fn widths(text: &str, delimiter: u8, line_bytes: usize) -> Vec<usize> {
    let shape = Shape { delimiter, width: 0, line_bytes };
    let mut widths = Vec::with_capacity(SAMPLE);
    let mut at = 0;
    while at < text.len() && widths.len() < SAMPLE {
        match fields(text, at, shape, usize::MAX) {
            Ok((fields, next)) => {
                widths.push(fields.len());
                at = next;
            }
            Err(_) => break,
        }
    }
    widths
}

/// The header's names as written, and where the first data row begins.
///
/// # Errors
/// When the header is not well-formed, too long or has too many columns.
pub(crate) fn header(
    text: &str,
    delimiter: u8,
    line_bytes: usize,
    columns: usize,
) -> Result<(Vec<String>, usize), Problem> {
    let shape = Shape { delimiter, width: 0, line_bytes };
    let (names, next) = fields(text, 0, shape, columns)?;
    if names.len() > columns {
        return Err(Rule::TooManyColumns { limit: columns }.at(Place::default().on_line(1)));
    }
    Ok((names, next))
}

/// The fields of the record at `start`, at most one more than `most`, and where the next record begins.
fn fields(text: &str, start: usize, shape: Shape, most: usize) -> Result<(Vec<String>, usize), Problem> {
    let limit = text.len().min(start.saturating_add(shape.line_bytes));
    let mut fields = Vec::new();
    let mut at = start;
    loop {
        let (field, end, next) = field(text, at, limit, shape)
            .map_err(|(rule, byte)| rule.at(Place::default().on_line(1).at_byte(byte as u64)))?;
        fields.push(field.text().into_owned());
        at = next;
        if end != End::Delimiter || fields.len() > most {
            return Ok((fields, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_that_divides_evenly_wins() {
        for (text, delimiter) in [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1,5;2,5;3,5\n", b';'),
            ("a\tb\n\"x,y\"\t2\n", b'\t'),
            ("a|b\n1|2\n", b'|'),
            ("name,genres\nx,a|b|c\ny,a|b\n", b','),
            ("a;b,c;d\n1;2;3\n4;5;6\n", b';'),
            ("only\n1,2\n", b','),
            ("\"a;b\",c\n\"1;2\",3\n", b','),
        ] {
            assert_eq!(detect(text, 1 << 20), delimiter, "{text:?}");
        }
    }

    #[test]
    fn the_header_is_unquoted() {
        let (names, next) = header("\"a \"\"b\"\"\",c\r\n1,2", b',', 100, 10).unwrap();
        assert_eq!((names, next), (vec!["a \"b\"".to_owned(), "c".to_owned()], 13));
    }

    #[test]
    fn a_million_commas_are_refused_without_counting_on() {
        let problem = header(&",".repeat(1_000_000), b',', 1 << 20, 2_000).unwrap_err();
        assert_eq!(problem.rule, Rule::TooManyColumns { limit: 2_000 });
    }
}
