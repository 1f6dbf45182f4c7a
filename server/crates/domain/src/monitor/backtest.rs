//! Back-test: what another rule about drift would have done in the windows that were recorded.

use chrono::{DateTime, Utc};

use super::incident::{InARow, Incident, Seen, State};
use super::{Finding, LUCK};
use crate::drift::discoveries;
use crate::problem::{Drift, DriftMetric};

/// What one recorded window comes to by some distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Height {
    /// The end of the window.
    pub at: DateTime<Utc>,
    /// The greatest distance of a column that luck does not explain, 0 without one; none of a window with too few rows. The window
    /// drifted by every threshold below it.
    pub distance: Option<f64>,
}

impl Height {
    /// That of a window, which gives no verdict with fewer than so many rows.
    pub fn of(at: DateTime<Utc>, finding: &Finding, metric: DriftMetric, min_rows: u64) -> Self {
        let chances: Vec<f64> = finding.columns.iter().map(|column| column.chance).collect();
        let columns = finding.columns.iter().zip(discoveries(&chances, LUCK));
        let distances = columns.filter(|(_, is_no_luck)| *is_no_luck).map(|(column, _)| column.distance_by(metric));
        let greatest = distances.fold(0.0, f64::max);
        Self { at, distance: (finding.n > 0 && finding.n >= min_rows).then_some(greatest) }
    }
}

/// When an alert would have fired, oldest first. Windows are in the order of time.
pub fn firings(heights: &[Height], threshold: f64, in_a_row: InARow) -> Vec<DateTime<Utc>> {
    let mut incident: Option<Incident> = None;
    let mut fired = Vec::new();
    for Height { at, distance } in heights {
        let seen = match distance {
            None => Seen::Unknown,
            Some(distance) if *distance > threshold => Seen::Breach,
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

/// The least threshold, of two significant digits, down to which at most so many alerts would have fired, and at most half of the windows
/// would have been above it: an alert that never ends is one alert. None without a window that gives a verdict.
pub fn suggested(heights: &[Height], in_a_row: InARow, most: usize) -> Option<f64> {
    let judged: Vec<f64> = heights.iter().filter_map(|height| height.distance).collect();
    let mut reached: Vec<f64> = judged.iter().copied().filter(|distance| *distance > 0.0).collect();
    reached.sort_by(|a, b| b.total_cmp(a));
    reached.dedup();
    if judged.is_empty() {
        return None;
    }
    let mut least = reached.first().map_or(0.01, |greatest| rounded_up(*greatest));
    let above = |threshold: f64| judged.iter().filter(|distance| **distance > threshold).count();
    // Between two distances that were reached nothing changes.
    for distance in reached.into_iter().map(rounded_up) {
        if firings(heights, distance, in_a_row).len() > most || above(distance) * 2 > judged.len() {
            break;
        }
        least = least.min(distance);
    }
    Some(least)
}

/// The next number of two significant digits.
fn rounded_up(distance: f64) -> f64 {
    let distance = distance.clamp(1e-6, 1e6);
    let unit = 10f64.powi(distance.log10().floor() as i32 - 1);
    // What is one of them already stays, whatever the last bit says.
    let rounded = (distance / unit - 1e-9).ceil() * unit;
    format!("{rounded:.12}").parse().unwrap_or(rounded)
}

/// A recorded history by a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct BackTest {
    /// Every window, oldest first.
    pub heights: Vec<Height>,
    /// When an alert would have fired.
    pub fired: Vec<DateTime<Utc>>,
    /// The least threshold by which at most so many would have.
    pub suggested: Option<f64>,
}

impl BackTest {
    /// Runs windows, which are in the order of time, through a rule; `most` alerts are wanted of a better one.
    pub fn of(windows: &[(DateTime<Utc>, &Finding)], rule: &Drift, min_rows: u64, most: usize) -> Self {
        let heights: Vec<Height> =
            windows.iter().map(|(at, finding)| Height::of(*at, finding, rule.metric, min_rows)).collect();
        let fired = firings(&heights, rule.threshold, rule.in_a_row());
        let suggested = suggested(&heights, rule.in_a_row(), most);
        Self { heights, fired, suggested }
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
        distances.iter().enumerate().map(|(place, distance)| Height { at: at(place), distance: *distance }).collect()
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
        assert_eq!(suggested(&seen, InARow::ONE, 0), Some(0.25));
        assert_eq!(suggested(&seen, InARow::ONE, 1), Some(0.12));
        assert_eq!(suggested(&seen, InARow::ONE, 2), Some(0.08));
        assert_eq!(suggested(&seen, InARow::ONE, 3), Some(0.02));
        assert_eq!(suggested(&hours(&[None]), InARow::ONE, 0), None);
        for most in 0..4 {
            let least = suggested(&seen, InARow::ONE, most).expect("a threshold");
            assert!(firings(&seen, least, InARow::ONE).len() <= most);
        }
    }
}
