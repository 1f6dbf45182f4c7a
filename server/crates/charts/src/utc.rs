//! Unix seconds as UTC text and as round places on an axis. The proleptic Gregorian calendar by days, after Howard Hinnant's
//! `civil_from_days` (2013): no clock, no zone table, so it is the same on the server and in the browser.

const DAY: i64 = 86_400;

/// Round distances between time ticks, in seconds.
const STEPS: [i64; 20] = [
    1,
    5,
    15,
    30,
    60,
    300,
    900,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    90 * DAY,
    180 * DAY,
    365 * DAY,
];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Times outside the years 0 to 9999 have no place on a time axis.
pub(crate) fn is_representable(unix_seconds: f64) -> bool {
    (-62_167_219_200.0..=253_402_300_799.0).contains(&unix_seconds)
}

/// `2026-11-23 14:05:00 UTC`
pub(crate) fn full(unix_seconds: f64) -> String {
    let at = unix_seconds.floor() as i64;
    let (year, month, day) = civil(at.div_euclid(DAY));
    let (hour, minute, second) = clock(at);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Ticks at round times within the range, about `target` of them, each with a text no longer than the step needs.
pub(crate) fn ticks(low: f64, high: f64, target: usize) -> Vec<(f64, String)> {
    let span = high - low;
    let wanted = span / target.max(1) as f64;
    let longest = STEPS[STEPS.len() - 1];
    let step = STEPS
        .into_iter()
        .find(|step| *step as f64 >= wanted)
        .unwrap_or_else(|| (wanted / longest as f64).ceil() as i64 * longest);
    let first = (low / step as f64).ceil() as i64;
    let last = (high / step as f64).floor() as i64;
    (first..=last).map(|i| (i * step) as f64).map(|at| (at, short(at as i64, step))).collect()
}

fn short(at: i64, step: i64) -> String {
    let (year, month, day) = civil(at.div_euclid(DAY));
    let (hour, minute, second) = clock(at);
    let month_name = MONTHS[month as usize - 1];
    if step >= 180 * DAY {
        format!("{month_name} {year}")
    } else if step >= DAY || at.rem_euclid(DAY) == 0 {
        format!("{day} {month_name}")
    } else if step >= 60 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

fn clock(at: i64) -> (i64, i64, i64) {
    let of_day = at.rem_euclid(DAY);
    (of_day / 3600, of_day % 3600 / 60, of_day % 60)
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_read_right() {
        let cases = [
            (0.0, "1970-01-01 00:00:00 UTC"),
            (951_782_400.0, "2000-02-29 00:00:00 UTC"),
            (1_795_442_700.0, "2026-11-23 14:05:00 UTC"),
            (-1.0, "1969-12-31 23:59:59 UTC"),
            (253_402_300_799.0, "9999-12-31 23:59:59 UTC"),
        ];
        for (at, expected) in cases {
            assert_eq!(full(at), expected);
        }
    }

    #[test]
    fn ticks_fall_on_round_times_within_the_range() {
        let noon = 1_795_435_200.0;
        let ticks = ticks(noon - 500.0, noon + 7000.0, 5);
        assert_eq!(
            ticks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["12:00", "12:30", "13:00", "13:30"]
        );
    }
}
