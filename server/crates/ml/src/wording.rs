//! Numbers and values as people read them, in findings and notes.

use chrono::{DateTime, SecondsFormat};
use millrace_domain::schema::Value;

/// Longer texts are cut when a value is shown.
const LONGEST: usize = 60;

/// A count with its thousands apart: `7,043`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 row`, `7,043 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = match (number, noun.strip_suffix("ss")) {
        (1, _) => "",
        (_, Some(_)) => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", count(number))
}

/// `part` of `whole` in percent, with two decimals below ten: `15.8 %`, `0.16 %`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    if part == 0 || part == whole {
        format!("{percent:.0} %")
    } else if percent < 10.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// A value as text, cut if it is long.
pub(crate) fn value(value: &Value<'_>) -> String {
    match value {
        Value::Null => "missing".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Time(micros) => moment(*micros),
        Value::Text(text) => cut(text),
    }
}

/// A moment as RFC 3339 in UTC.
pub(crate) fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The beginning of a text.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Up to five names, quoted, and how many more there are.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(5).map(|name| format!("{:?}", cut(name))).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_in_threes() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!((counted(1, "row"), counted(2, "class")), ("1 row".to_owned(), "2 classes".to_owned()));
    }

    #[test]
    fn shares_keep_two_decimals_when_small() {
        assert_eq!(
            [share(1_579, 10_000), share(11, 7_043), share(0, 5), share(5, 5)],
            ["15.8 %", "0.16 %", "0 %", "100 %"]
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
