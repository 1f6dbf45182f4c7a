//! What one cell of text could be.
//!
//! A cell is read strictly: what a person could take for two different numbers or dates is neither. `007` and `+7` are
//! texts (identifiers, telephone numbers), `1,234` and `01/02/03` are texts (grouping or decimals? day or month first?).

use super::super::time;

/// What a cell is, taken by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reading {
    /// Nothing between two delimiters, or a declared mark of missing values.
    Missing,
    /// `""`: an empty text among texts, else missing.
    EmptyText,
    /// Only blanks: missing unless among texts.
    Blank,
    /// A customary mark (`NA`, `NaN`, `null` …): missing unless among texts.
    Mark,
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Decimal(f64),
    /// A whole number beyond 64 bits, and the nearest double.
    BigInteger(f64),
    /// A number beyond the range of doubles.
    OutOfRange,
    /// `inf`, `-Infinity`.
    Infinite,
    /// `true` or `false` in any case.
    Boolean(bool),
    /// ISO 8601 without a zone.
    LocalTime(i64),
    /// ISO 8601 with a zone.
    ZonedTime(i64),
    /// A number with leading zeros.
    LeadingZero,
    /// A number with a plus sign.
    PlusSign,
    /// A number with commas or repeated points.
    Grouped,
    /// A date that is not ISO 8601.
    OtherDate,
    /// Anything else.
    Text,
}

/// How many kinds of [`Reading`] there are.
pub(crate) const KINDS: usize = 17;

impl Reading {
    /// Its position among the kinds, for counting.
    pub(crate) const fn kind(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::EmptyText => 1,
            Self::Blank => 2,
            Self::Mark => 3,
            Self::Integer(_) => 4,
            Self::Decimal(_) => 5,
            Self::BigInteger(_) => 6,
            Self::OutOfRange => 7,
            Self::Infinite => 8,
            Self::Boolean(_) => 9,
            Self::LocalTime(_) => 10,
            Self::ZonedTime(_) => 11,
            Self::LeadingZero => 12,
            Self::PlusSign => 13,
            Self::Grouped => 14,
            Self::OtherDate => 15,
            Self::Text => 16,
        }
    }
}

/// Reads one cell. `quoted` matters only for the empty one.
#[inline]
pub(crate) fn classify(text: &str, quoted: bool) -> Reading {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return if quoted { Reading::EmptyText } else { Reading::Missing };
    };
    if is_blank(*first) || is_blank(*last) {
        let inner = text.trim_matches([' ', '\t']);
        return if inner.is_empty() { Reading::Blank } else { classify(inner, quoted) };
    }
    match first {
        b'0'..=b'9' | b'-' | b'.' => {
            number(text).or_else(|| moment(text)).or_else(|| ambiguous(text)).unwrap_or_else(|| word(text))
        }
        b'+' if number(&text[1..]).is_some() => Reading::PlusSign,
        b't' | b'T' | b'f' | b'F' | b'n' | b'N' | b'i' | b'I' | b'+' => word(text),
        _ => Reading::Text,
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `-? digits [. digits] [e [+-] digits]`, with at least one digit before the exponent.
fn number(text: &str) -> Option<Reading> {
    let bytes = text.as_bytes();
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut at = start;
    let mut mantissa = 0u64;
    let mut digits = |at: &mut usize| {
        while let Some(digit) = bytes.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
    };
    digits(&mut at);
    let whole = at - start;
    let leading_zero = whole > 1 && bytes[start] == b'0';
    if at == bytes.len() && whole > 0 {
        return Some(if leading_zero { Reading::LeadingZero } else { integer(text, negative, mantissa, whole) });
    }
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let before = at;
        digits(&mut at);
        fraction = at - before;
    }
    if whole + fraction == 0 {
        return None;
    }
    let mut exponent = 0i64;
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        (exponent, at) = self::exponent(bytes, at + 1)?;
    }
    if at != bytes.len() {
        return None;
    }
    if leading_zero {
        return Some(Reading::LeadingZero);
    }
    Some(decimal(text, negative, mantissa, whole + fraction, exponent - fraction as i64))
}

/// A whole number of `digits` digits; up to 18 of them always fit.
fn integer(text: &str, negative: bool, magnitude: u64, digits: usize) -> Reading {
    if negative && magnitude == 0 && digits == 1 {
        return Reading::Decimal(-0.0);
    }
    if digits <= 18 {
        let magnitude = magnitude as i64;
        return Reading::Integer(if negative { -magnitude } else { magnitude });
    }
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(integer), _) => Reading::Integer(integer),
        (Err(_), Ok(double)) if double.is_finite() => Reading::BigInteger(double),
        _ => Reading::OutOfRange,
    }
}

/// Powers of ten that doubles hold exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// `mantissa × 10^scale`, rounded once. With a mantissa up to 2^53 and a power that is exact, one multiplication or division
/// rounds correctly (W. D. Clinger, 1990); everything else goes to the standard library.
fn decimal(text: &str, negative: bool, mantissa: u64, digits: usize, scale: i64) -> Reading {
    let exact = digits <= 19 && mantissa <= 1 << 53 && scale.unsigned_abs() < EXACT_POWERS.len() as u64;
    if exact {
        let power = EXACT_POWERS[scale.unsigned_abs() as usize];
        let magnitude = if scale < 0 { mantissa as f64 / power } else { mantissa as f64 * power };
        return Reading::Decimal(if negative { -magnitude } else { magnitude });
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && (number != 0.0 || is_zero(text)) => Reading::Decimal(number),
        _ => Reading::OutOfRange,
    }
}

/// Whether all digits before the exponent are zero, so that a result of zero lost nothing.
fn is_zero(text: &str) -> bool {
    text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| matches!(byte, b'0' | b'-' | b'.'))
}

/// The exponent from `at` on, saturated, and where it ends; none without a digit.
fn exponent(bytes: &[u8], mut at: usize) -> Option<(i64, usize)> {
    let negative = bytes.get(at) == Some(&b'-');
    if matches!(bytes.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let start = at;
    let mut exponent = 0i64;
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000);
        at += 1;
    }
    (at > start).then_some((if negative { -exponent } else { exponent }, at))
}

fn moment(text: &str) -> Option<Reading> {
    let parsed = time::parse_iso(text)?;
    Some(if parsed.zoned { Reading::ZonedTime(parsed.micros) } else { Reading::LocalTime(parsed.micros) })
}

/// Numbers and dates that can be read in more than one way.
fn ambiguous(text: &str) -> Option<Reading> {
    let date = text.split([' ', 'T']).next().unwrap_or(text);
    let parts: Vec<&str> = date.split(['/', '.', '-']).collect();
    let numeric = |part: &&str| matches!(part.len(), 1 | 2 | 4) && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() == 3 && parts.iter().all(numeric) {
        return Some(Reading::OtherDate);
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let grouped = unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.'))
        && unsigned.ends_with(|c: char| c.is_ascii_digit())
        && (unsigned.contains(',') || unsigned.split('.').skip(1).all(|group| group.len() == 3));
    grouped.then_some(Reading::Grouped)
}

/// Words with a meaning: truth values, infinities and marks of missing values.
fn word(text: &str) -> Reading {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match text.len() {
        2 if is("na") => Reading::Mark,
        3 if is("nan") || is("n/a") => Reading::Mark,
        4 if is("true") => Reading::Boolean(true),
        4 if is("null") || is("none") || is("-nan") => Reading::Mark,
        5 if is("false") => Reading::Boolean(false),
        3..=9 if is_infinity(text) => Reading::Infinite,
        _ => Reading::Text,
    }
}

fn is_infinity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cells: &[&str], expected: impl Fn(Reading) -> bool) {
        for cell in cells {
            let reading = classify(cell, false);
            assert!(expected(reading), "{cell:?} is {reading:?}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_to_the_last_of_64_bits() {
        assert_eq!(classify("9223372036854775807", false), Reading::Integer(i64::MAX));
        assert_eq!(classify("-9223372036854775808", false), Reading::Integer(i64::MIN));
        assert_eq!(classify("9223372036854775808", false), Reading::BigInteger(9_223_372_036_854_775_808.0));
    }

    #[test]
    fn decimals_equal_the_standard_library_bit_for_bit() {
        for text in [
            "0.1",
            "-0.0",
            "-0",
            "1e22",
            "1e23",
            "5.",
            ".5",
            "-.5e-3",
            "123456789012345678.25",
            "9007199254740993.0",
            "2.2250738585072014e-308",
            "5e-324",
            "1.7976931348623157e308",
            "8.41",
            "1E+5",
            "0e-999",
        ] {
            let Reading::Decimal(number) = classify(text, false) else { panic!("{text}") };
            assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
    }

    #[test]
    fn what_doubles_cannot_hold_is_out_of_range() {
        check(&["1e400", "-1e400", "1e-400", &"9".repeat(400)], |reading| reading == Reading::OutOfRange);
    }

    #[test]
    fn blanks_around_a_value_do_not_hide_it() {
        assert_eq!(classify(" 12\t", false), Reading::Integer(12));
        check(&[" ", "\t ", "   "], |reading| reading == Reading::Blank);
    }

    #[test]
    fn empty_cells_tell_quoted_from_unquoted() {
        assert_eq!((classify("", true), classify("", false)), (Reading::EmptyText, Reading::Missing));
    }

    #[test]
    fn identifiers_that_look_like_numbers_are_not() {
        check(&["007", "-01", "00.5", "0800"], |reading| reading == Reading::LeadingZero);
        check(&["+7", "+491701234567"], |reading| reading == Reading::PlusSign);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_neither() {
        check(&["1,234", "1.234,5", "-1.234.567", "1,5"], |reading| reading == Reading::Grouped);
        check(&["01/02/03", "1.2.2003", "2013/01/31 10:00", "2013-02-30", "1-2-2003"], |reading| {
            reading == Reading::OtherDate
        });
    }

    #[test]
    fn words_have_their_meaning_in_any_case() {
        check(&["NA", "n/a", "NaN", "NULL", "None"], |reading| reading == Reading::Mark);
        check(&["inf", "-Infinity", "INF", "+inf"], |reading| reading == Reading::Infinite);
        check(&["True", "TRUE", "true"], |reading| reading == Reading::Boolean(true));
        check(&["false", "False"], |reading| reading == Reading::Boolean(false));
    }

    #[test]
    fn everything_else_is_text() {
        check(
            &[
                "-",
                ".",
                "e5",
                "1e",
                "1e+",
                "0x1F",
                "12a",
                "1.2.3.4",
                "192.168.0.1",
                "t",
                "yes",
                "é",
                "−5",
                "--5",
                "1_000",
            ],
            |reading| reading == Reading::Text,
        );
    }
}
