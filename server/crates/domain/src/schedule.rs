//! Times of a calendar: a five-field cron in a zone.
//!
//! A cron names times on the wall. Each of them comes once: one that the clocks skip in spring counts as the first instant after the
//! gap, and one that comes twice in autumn as the first of the two. Two that so fall on one instant are one.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Clocks are put back by less.
const LONGEST_STEP_BACK: TimeDelta = TimeDelta::hours(3);
/// Times that are counted one by one.
const MANY: u64 = 10_000;
/// A cron that comes that often comes within that time.
const FAR_ENOUGH: TimeDelta = TimeDelta::days(400);
/// Minutes of the longest gap: islands have skipped a day.
const LONGEST_GAP: i64 = 25 * 60;

/// A cron in a zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

impl Schedule {
    /// Reads both.
    ///
    /// # Errors
    /// The key that is wrong, `cron` or `timezone`, and why.
    pub fn read(cron: &str, zone: &str) -> Result<Self, (&'static str, String)> {
        let zone = Tz::from_str(zone)
            .map_err(|_| ("timezone", format!("{zone:?} is no zone as in \"UTC\" or \"Europe/Berlin\"")))?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let wrong = |reason: String| {
            (
                "cron",
                format!(
                    "{cron:?} is not minute, hour, day of month, month and day of week as in \"0 3 * * 1\": {reason}"
                ),
            )
        };
        let read = parser.parse(cron).map_err(|error| wrong(error.to_string()))?;
        // A day that no month has is read, but never comes.
        let from =
            NaiveDateTime::new(chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default(), chrono::NaiveTime::MIN);
        read.find_next_occurrence(&from, true).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { cron: read, zone })
    }

    /// The first time after that instant; none when there is none that a calendar knows.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wall = after.with_timezone(&self.zone).naive_local().checked_sub_signed(LONGEST_STEP_BACK)?;
        loop {
            wall = self.cron.find_next_occurrence(&wall, false).ok()?;
            let instant = self.instant(wall)?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// The last time up to that instant and after another one, and how many there were between the two; of very many, how many were counted.
    pub fn last_between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<(DateTime<Utc>, u64)> {
        let (mut last, mut count) = (None, 0);
        let mut next = self.next_after(after)?;
        while next <= until {
            (last, count) = (Some(next), count + 1);
            // Of a cron that comes that often, the last time is near the end.
            let from = if count == MANY { next.max(until - FAR_ENOUGH) } else { next };
            next = self.next_after(from)?;
        }
        last.map(|last| (last, count))
    }

    /// The times after an instant and up to another one, oldest first; none where they are more than so many.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Option<Vec<DateTime<Utc>>> {
        let mut times = Vec::new();
        let mut next = self.next_after(after);
        while let Some(at) = next.filter(|at| *at <= until) {
            if times.len() == most {
                return None;
            }
            times.push(at);
            next = self.next_after(at);
        }
        Some(times)
    }

    /// The minute of the day on the wall at that instant.
    pub fn minute_of_day(&self, at: DateTime<Utc>) -> u16 {
        let wall = at.with_timezone(&self.zone);
        u16::try_from(wall.hour() * 60 + wall.minute()).unwrap_or(0)
    }

    /// The time on the wall at that instant.
    pub fn on_the_wall(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%a %Y-%m-%d %H:%M %Z").to_string()
    }

    /// The cron in words.
    pub fn in_words(&self) -> String {
        self.cron.describe()
    }

    /// When a time on the wall is.
    fn instant(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        (0..LONGEST_GAP).find_map(|minutes| {
            match self.zone.from_local_datetime(&(wall + TimeDelta::minutes(minutes))) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
                LocalResult::None => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(cron: &str, zone: &str, after: &str) -> DateTime<Utc> {
        Schedule::read(cron, zone).unwrap().next_after(at(after)).unwrap()
    }

    #[test]
    fn a_time_that_the_clocks_skip_comes_right_after_the_gap() {
        // Berlin, 2026-03-29: 02:00 becomes 03:00.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), at("2026-03-29T01:00:00Z"));
        // Cairo, 2026-04-24: 00:00 becomes 01:00.
        assert_eq!(next("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z"), at("2026-04-23T22:00:00Z"));
    }

    #[test]
    fn a_time_that_comes_twice_counts_once() {
        // Berlin, 2026-10-25: 03:00 becomes 02:00, so 02:30 is at 00:30 and at 01:30 UTC.
        let first = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z");
        assert_eq!(first, at("2026-10-25T00:30:00Z"));
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn every_time_on_the_wall_comes_once_in_ten_years_of_five_zones() {
        for zone in ["America/New_York", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata"] {
            for cron in ["0 * * * *", "30 2 * * *", "0 0 * * *", "15 1 * * 0", "45 23 L * *"] {
                let schedule = Schedule::read(cron, zone).unwrap();
                let (begin, end) = (at("2020-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z"));
                let walls = schedule.cron.iter_after(begin.with_timezone(&schedule.zone).naive_local());
                let last = end.with_timezone(&schedule.zone).naive_local();
                let expected: BTreeSet<DateTime<Utc>> =
                    walls.take_while(|wall| *wall <= last).map(|wall| schedule.instant(wall).unwrap()).collect();
                let mut met = Vec::new();
                let mut now = begin;
                while let Some(next) = schedule.next_after(now).filter(|next| *next <= end) {
                    met.push(next);
                    now = next;
                }
                assert!(met.is_sorted_by(|a, b| a < b), "{cron} {zone}");
                assert_eq!(met, expected.into_iter().collect::<Vec<_>>(), "{cron} {zone}");
            }
        }
    }

    #[test]
    fn six_missed_hours_are_one_time_to_catch_up_with() {
        let hourly = Schedule::read("0 * * * *", "UTC").unwrap();
        let missed = hourly.last_between(at("2026-01-01T00:00:00Z"), at("2026-01-01T06:10:00Z"));
        assert_eq!(missed, Some((at("2026-01-01T06:00:00Z"), 6)));
        assert_eq!(hourly.last_between(at("2026-01-01T06:00:00Z"), at("2026-01-01T06:10:00Z")), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Schedule::read("0 3 * * 1", "Mars/Base").unwrap_err().0, "timezone");
        for cron in ["", "* * * *", "0 0 0 * * *", "61 * * * *", "0 0 30 2 *"] {
            assert_eq!(Schedule::read(cron, "UTC").unwrap_err().0, "cron", "{cron}");
        }
    }
}
