//! Back-test: what another rule would have done in the windows that were recorded.

use chrono::{DateTime, Utc};

use super::incident::{InARow, Incident, Seen, State};
use super::{Finding, LUCK};
use crate::drift::discoveries;
use crate::metric::Direction;
use crate::problem::DriftMetric;

/// What one recorded window comes to, as it is held against a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Height {
    /// The end of the window.
    pub at: DateTime<Utc>,
    /// None of a window that gives no verdict.
    pub value: Option<f64>,
}

impl Height {
    /// The greatest distance of a column that luck does not explain, 0 without one; none of a window with fewer than so many rows. The
    /// window drifted by every limit below it.
    pub fn of_drift(at: DateTime<Utc>, finding: &Finding, metric: DriftMetric, min_rows: u64) -> Self {
        let chances: Vec<f64> = finding.columns.iter().map(|column| column.chance).collect();
        let columns = finding.columns.iter().zip(discoveries(&chances, LUCK));
        let distances = columns.filter(|(_, is_no_luck)| *is_no_luck).map(|(column, _)| column.distance_by(metric));
        let greatest = distances.fold(0.0, f64::max);
        Self { at, value: (finding.n > 0 && finding.n >= min_rows).then_some(greatest) }
    }
}

/// When an alert would have fired, oldest first, where a value above the limit is a breach. Windows are in the order of time.
fn firings(heights: &[Height], limit: f64, in_a_row: InARow) -> Vec<DateTime<Utc>> {
    let mut incident: Option<Incident> = None;
    let mut fired = Vec::new();
    for Height { at, value } in heights {
        let seen = match value {
            None => Seen::Unknown,
            Some(value) if *value > limit => Seen::Breach,
            Some(_) => Seen::Fine,
        };
        let known = incident.filter(|incident| incident.takes_up(*at));
        let after = match known {
            None if seen != Seen::Breach => continue,
            None => Incident::begin(in_a_row.fires, *at),
            Some(known) => known.after_look(seen, in_a_row, *at),
        };
        if after.state == State::Firing && known.is_none_or(|known| known.state != State::Firing) {
            fired.push(*at);
        }
        incident = Some(after);
    }
    fired
}

/// The least limit, of so many significant digits, down to which at most so many alerts would have fired, and at most half of the windows
/// would have been above it: an alert that never ends is one alert. None without a window that gives a verdict.
fn suggested(heights: &[Height], in_a_row: InARow, most: usize, digits: i32) -> Option<f64> {
    let judged: Vec<f64> = heights.iter().filter_map(|height| height.value).collect();
    // Nothing at all is no limit where nothing is less.
    let is_least = judged.iter().all(|value| *value >= 0.0);
    let mut reached: Vec<f64> = judged.iter().copied().filter(|value| *value != 0.0 || !is_least).collect();
    reached.sort_by(|a, b| b.total_cmp(a));
    reached.dedup();
    if judged.is_empty() {
        return None;
    }
    let mut least = reached.first().map_or(0.01, |greatest| rounded_up(*greatest, digits));
    let above = |limit: f64| judged.iter().filter(|value| **value > limit).count();
    // Between two values that were reached nothing changes.
    for limit in reached.into_iter().map(|value| rounded_up(value, digits)) {
        if firings(heights, limit, in_a_row).len() > most || above(limit) * 2 > judged.len() {
            break;
        }
        least = least.min(limit);
    }
    Some(least)
}

/// The next number of so many significant digits.
fn rounded_up(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(value.abs().clamp(1e-6, 1e12).log10().floor() as i32 + 1 - digits);
    // What is one of them already stays, whatever the last bit says.
    let rounded = (value / unit - 1e-9).ceil() * unit;
    format!("{rounded:.12}").parse().unwrap_or(rounded)
}

/// What is tried of a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Where a value is worse: above the limit, or, of what is better the greater it is, below it.
    pub better: Direction,
    /// Windows in a row that begin and end an alert.
    pub in_a_row: InARow,
    /// Alerts that are wanted of a better limit, at most.
    pub most: usize,
    /// Significant digits of a better limit.
    pub digits: i32,
    /// The least limit and the greatest that are suggested.
    pub range: (f64, f64),
}

/// A recorded history by a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct BackTest {
    /// Every window, oldest first.
    pub heights: Vec<Height>,
    /// The limit.
    pub limit: f64,
    /// When an alert would have fired.
    pub fired: Vec<DateTime<Utc>>,
    /// The tightest limit by which at most so many would have; none without a window that gives a verdict.
    pub suggested: Option<f64>,
}

impl BackTest {
    /// Runs windows, which are in the order of time, through a rule; without a limit, by the one that is suggested.
    pub fn of(heights: Vec<Height>, limit: Option<f64>, rule: Tried) -> Self {
        // What is worse the smaller it is, is held against its limit the other way round.
        let sign = if rule.better == Direction::Up { -1.0 } else { 1.0 };
        let turned: Vec<Height> =
            heights.iter().map(|height| Height { value: height.value.map(|value| sign * value), ..*height }).collect();
        // Nothing has no sign, also when it is turned.
        let suggested = suggested(&turned, rule.in_a_row, rule.most, rule.digits)
            .map(|limit| (sign * limit).clamp(rule.range.0, rule.range.1) + 0.0);
        let limit = limit.or(suggested).unwrap_or_default();
        let fired = firings(&turned, sign * limit, rule.in_a_row);
        Self { heights, limit, fired, suggested }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// Windows of an hour each; `None` has too few rows.
    fn hours(distances: &[Option<f64>]) -> Vec<Height> {
        let begin = DateTime::UNIX_EPOCH;
        let at = |place: usize| begin + TimeDelta::hours(place as i64 + 1);
        distances.iter().enumerate().map(|(place, value)| Height { at: at(place), value: *value }).collect()
    }

    fn fired(distances: &[Option<f64>], threshold: f64, windows: u32) -> Vec<i64> {
        let fired = firings(&hours(distances), threshold, InARow { fires: windows, ends: windows });
        fired.into_iter().map(|at| (at - DateTime::UNIX_EPOCH).num_hours()).collect()
    }

    #[test]
    fn an_alert_fires_once_for_windows_in_a_row_and_again_when_it_was_over() {
        let (low, high) = (Some(0.05), Some(0.3));
        let seen = [low, high, low, high, high, high, low, low, low, high, high];
        assert_eq!(fired(&seen, 0.1, 2), [5, 11]);
        assert_eq!(fired(&seen, 0.1, 1), [2, 4, 10]);
        assert!(fired(&seen, 0.3, 1).is_empty(), "what reaches the threshold is not above it");
    }

    #[test]
    fn windows_without_a_verdict_neither_begin_nor_end_anything() {
        let high = Some(0.3);
        assert_eq!(fired(&[high, None, None, high], 0.1, 2), [4]);
        assert!(fired(&[None, None], 0.1, 1).is_empty());
    }

    #[test]
    fn the_suggested_threshold_is_the_least_that_fires_seldom_enough() {
        let seen = hours(&[0.02, 0.113, 0.02, 0.02, 0.25, 0.02, 0.02, 0.08, 0.02].map(Some));
        let suggested = |heights: &[Height], most| suggested(heights, InARow::ONE, most, 2);
        assert_eq!(suggested(&seen, 0), Some(0.25));
        assert_eq!(suggested(&seen, 1), Some(0.12));
        assert_eq!(suggested(&seen, 2), Some(0.08));
        assert_eq!(suggested(&seen, 3), Some(0.02));
        assert_eq!(suggested(&hours(&[None]), 0), None);
        for most in 0..4 {
            let least = suggested(&seen, most).expect("a threshold");
            assert!(firings(&seen, least, InARow::ONE).len() <= most);
        }
    }

    #[test]
    fn what_is_worse_the_smaller_it_is_fires_below_its_limit() {
        let seen = hours(&[1_204.0, 1_198.2, 1_101.7, 1_203.0, 1_150.9, 1_200.0].map(Some));
        let tried = |limit, most| {
            let rule =
                Tried { better: Direction::Up, in_a_row: InARow::ONE, most, digits: 4, range: (f64::MIN, f64::MAX) };
            let tested = BackTest::of(seen.clone(), limit, rule);
            (tested.limit, tested.fired.len(), tested.suggested)
        };
        assert_eq!(tried(Some(1_199.0), 0), (1_199.0, 2, Some(1_101.0)));
        assert_eq!(tried(None, 1), (1_150.0, 1, Some(1_150.0)));
    }

    #[test]
    fn nothing_is_a_value_too_where_it_is_the_worst() {
        let rule =
            Tried { better: Direction::Up, in_a_row: InARow::ONE, most: 0, digits: 4, range: (f64::MIN, f64::MAX) };
        let tested = BackTest::of(hours(&[10.0, 0.0, 0.0, 10.0, 10.0, 10.0].map(Some)), None, rule);
        assert_eq!((tested.suggested, tested.fired.len()), (Some(0.0), 0));
        assert!(tested.limit.is_sign_positive(), "it is written into a document");
    }
}
