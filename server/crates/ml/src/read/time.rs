//! Moments as text and as counts, in microseconds since 1970-01-01 UTC.

/// A moment read from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Microseconds since 1970-01-01 UTC; finer fractions are cut.
    pub(crate) micros: i64,
    /// Whether the text names a zone; without one it is taken as UTC.
    pub(crate) zoned: bool,
}

const DAY: i64 = 86_400 * 1_000_000;

/// ISO 8601 in its extended form: `2014-01-31`, or with `T` or a blank and `13:20`, `13:20:05` or `13:20:05.123456`, and then
/// nothing, `Z`, ` UTC`, `+01`, `+0100` or `+01:00`. Days that no calendar has are refused.
pub(crate) fn parse_iso(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let date = days_since_1970(year, month, day) * DAY;
    match bytes.get(10) {
        None => Some(Moment { micros: date, zoned: false }),
        Some(b'T' | b't' | b' ') => {
            let (clock, rest) = time_of_day(&bytes[11..])?;
            let (offset, zoned) = zone(rest)?;
            Some(Moment { micros: date + clock - offset, zoned })
        }
        Some(_) => None,
    }
}

/// `13:20`, `13:20:05` or `13:20:05.123`, and what follows it.
fn time_of_day(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if bytes.len() < 5 || bytes[2] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&bytes[..2])?, digits(&bytes[3..5])?);
    if hour > 23 || minute > 59 {
        return None;
    }
    let mut micros = (hour * 3_600 + minute * 60) * 1_000_000;
    let mut rest = &bytes[5..];
    if rest.first() == Some(&b':') {
        let second = digits(rest.get(1..3)?)?;
        if second > 59 {
            return None;
        }
        micros += second * 1_000_000;
        rest = &rest[3..];
        if rest.first() == Some(&b'.') {
            let length = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&length) {
                return None;
            }
            let kept = length.min(6);
            micros += digits(&rest[1..=kept])? * 10i64.pow(6 - kept as u32);
            rest = &rest[length + 1..];
        }
    }
    Some((micros, rest))
}

/// The zone's distance from UTC in microseconds, and whether one is named.
fn zone(bytes: &[u8]) -> Option<(i64, bool)> {
    let (sign, rest) = match bytes {
        [] => return Some((0, false)),
        b"Z" | b"z" | b" UTC" => return Some((0, true)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (digits(rest)?, 0),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?),
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some((sign * (hours * 60 + minutes) * 60 * 1_000_000, true))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The earliest and latest moment that calendars of this program reach: years 1 to 9999.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// `count × micros_per_unit`, if that is within the years 1 to 9999.
pub(crate) fn from_count(count: i64, micros_per_unit: i64) -> Option<i64> {
    count.checked_mul(micros_per_unit).filter(|micros| RANGE.contains(micros))
}

/// The same for a count with a fraction, to the nearest microsecond.
pub(crate) fn from_fraction(count: f64, micros_per_unit: i64) -> Option<i64> {
    let micros = (count * micros_per_unit as f64).round();
    // The bounds are exact as doubles to within a thousandth of a second, far inside what i64 holds.
    (*RANGE.start() as f64..=*RANGE.end() as f64).contains(&micros).then_some(micros as i64)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, NaiveDate};

    use super::*;

    #[track_caller]
    fn check(text: &str, rfc3339: &str, zoned: bool) {
        let micros = DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_micros();
        assert_eq!(parse_iso(text), Some(Moment { micros, zoned }), "{text}");
    }

    #[test]
    fn forms_of_iso_8601_are_read() {
        check("2014-01-31", "2014-01-31T00:00:00Z", false);
        check("2014-01-31 13:20", "2014-01-31T13:20:00Z", false);
        check("2014-01-31T13:20:05.5", "2014-01-31T13:20:05.5Z", false);
        check("2014-01-31T13:20:05Z", "2014-01-31T13:20:05Z", true);
        check("2014-01-31 13:20:05+00:00", "2014-01-31T13:20:05Z", true);
        check("2014-01-31T13:20:05.123456789-0530", "2014-01-31T13:20:05.123456-05:30", true);
        check("1969-12-31T23:59:59.999999+01", "1969-12-31T23:59:59.999999+01:00", true);
    }

    #[test]
    fn every_day_agrees_with_the_calendar_of_chrono() {
        let mut day = NaiveDate::from_ymd_opt(1890, 1, 1).unwrap();
        while day.year() < 2110 {
            let micros = day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_micros();
            assert_eq!(parse_iso(&day.to_string()).map(|moment| moment.micros), Some(micros), "{day}");
            day = day.succ_opt().unwrap();
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "2013-02-29",
            "2013-13-01",
            "2013-00-01",
            "0000-01-01",
            "2013-1-1",
            "2013-01-01T24:00",
            "2013-01-01T23:60",
            "2013-01-01T23:59:60",
            "2013-01-01T",
            "2013-01-01 10",
            "2013-01-01T10:00:00.",
            "2013-01-01T10:00+1",
            "2013-01-01X10:00",
            "20130101",
            "10:00",
            "2013-01-01T10:00:00.1234567890",
            "２013-01-01",
        ] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }

    #[test]
    fn counts_outside_the_calendar_are_refused() {
        assert_eq!(from_count(1_388_582_400, 1_000_000), Some(1_388_582_400_000_000));
        assert_eq!(from_count(1_388_582_400_000, 1_000_000), None);
        assert_eq!(from_fraction(1_388_582_400.25, 1_000_000), Some(1_388_582_400_250_000));
        assert_eq!(from_fraction(1e300, 1_000), None);
    }
}
