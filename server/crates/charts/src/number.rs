//! Numbers as people read them, the same on every machine: no locale is asked.

/// A narrow space that does not break the line, between groups of three digits.
const GROUP_SEPARATOR: char = '\u{202f}';

/// Beyond this, sums and differences of plotted values could overflow; such values are treated like infinite ones.
const PLOTTABLE_LIMIT: f64 = 1e300;

/// Whether a value has a place on an axis.
pub(crate) fn is_plottable(value: f64) -> bool {
    value.abs() < PLOTTABLE_LIMIT
}

/// A value with four significant digits, thousands grouped; words where there is no number.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "infinite" } else { "minus infinite" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        return minus_sign(&format!("{value:.3e}"));
    }
    if size >= 1000.0 {
        return grouped(&format!("{value:.0}"));
    }
    let magnitude = size.log10().floor();
    let decimals = if magnitude >= 3.0 { 0.0 } else { 3.0 - magnitude };
    minus_sign(&trimmed(&format!("{value:.*}", decimals as usize)))
}

/// A whole number, thousands grouped.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A share of 1 in percent: `12.3 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return number(share);
    }
    let text = minus_sign(&format!("{:.1}", share * 100.0));
    format!("{text}\u{202f}%")
}

/// A signed value, for coefficients and deltas: `+0.012`, `−0.3`.
pub fn signed(value: f64) -> String {
    if value > 0.0 && value.is_finite() { format!("+{}", number(value)) } else { number(value) }
}

/// A span of seconds in the two units that matter: `340 ms`, `14.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return number(seconds);
    }
    let size = seconds.max(0.0);
    if size < 0.9995 {
        return format!("{:.0} ms", size * 1000.0);
    }
    if size < 59.95 {
        return format!("{} s", trimmed(&format!("{size:.1}")));
    }
    let whole = size.round();
    let (big, small, names) = if whole < 3600.0 {
        ((whole / 60.0).floor(), whole % 60.0, ("min", "s"))
    } else if whole < 86_400.0 {
        ((whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor(), ("h", "min"))
    } else {
        ((whole / 86_400.0).floor(), (whole % 86_400.0 / 3600.0).floor(), ("d", "h"))
    };
    if small == 0.0 { format!("{big:.0} {}", names.0) } else { format!("{big:.0} {} {small:.0} {}", names.0, names.1) }
}

/// `3 values`, `1 value`.
pub(crate) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { one } else { many })
}

/// A sentence about values that could not be drawn; empty when there are none. Starts with a space, to follow a caption.
pub(crate) fn left_out(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => " 1 value was not a finite number and is left out.".to_owned(),
        n => format!(" {} values were not finite numbers and are left out.", count(n as u64)),
    }
}

/// A decimal text with its thousands grouped and a true minus sign.
pub(crate) fn grouped(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("−", rest),
        None => ("", text),
    };
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(GROUP_SEPARATOR);
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn trimmed(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

fn minus_sign(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits_and_lose_empty_ones() {
        let cases = [
            (0.0, "0"),
            (0.871, "0.871"),
            (0.12345678, "0.1235"),
            (-0.5, "−0.5"),
            (12.5, "12.5"),
            (999.96, "1000"),
            (1234.5, "1\u{202f}234"),
            (1_234_567.0, "1\u{202f}234\u{202f}567"),
            (1.5e-7, "1.500e-7"),
            (2e20, "2.000e20"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_number_becomes_words() {
        assert_eq!(number(f64::NAN), "not a number");
        assert_eq!(number(f64::NEG_INFINITY), "minus infinite");
        assert_eq!(percent(f64::NAN), "not a number");
        assert_eq!(signed(f64::INFINITY), "infinite");
        assert_eq!(duration(f64::NAN), "not a number");
    }

    #[test]
    fn durations_use_two_units_at_most() {
        let cases = [
            (0.34, "340 ms"),
            (0.9999, "1 s"),
            (14.25, "14.2 s"),
            (59.99, "1 min"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (-3.0, "0 ms"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
