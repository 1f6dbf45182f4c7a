//! Axes: a range, round ticks in it, and their texts.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::number::{grouped, is_plottable, number};
use crate::{text, utc};

/// Seconds on either side of a moment that stands alone.
const HALF_AN_HOUR: f64 = 1_800.0;

/// A range with its ticks. Built so that `low < high`, both finite, whatever values came in.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub title: String,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    pub grid: bool,
}

impl Axis {
    /// From 0 to 1, for shares, rates and probabilities.
    pub fn unit(title: &str) -> Self {
        Self { title: title.to_owned(), low: 0.0, high: 1.0, ticks: round_ticks(0.0, 1.0, 5), grid: true }
    }

    /// Around the values, widened to round ticks.
    pub fn around(title: &str, values: impl IntoIterator<Item = f64>, target_ticks: usize) -> Self {
        let (low, high) = spread(values);
        let step = round_step((high - low) / target_ticks.max(1) as f64);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { ticks: round_ticks(low, high, target_ticks), title: title.to_owned(), low, high, grid: true }
    }

    /// Around the values, with a little air but no widening to ticks: for scatter plots and steps.
    pub fn tight(title: &str, values: impl IntoIterator<Item = f64>, target_ticks: usize, air: f64) -> Self {
        let (low, high) = spread(values);
        let air = (high - low) * air;
        let (low, high) = (low - air, high + air);
        Self { ticks: round_ticks(low, high, target_ticks), title: title.to_owned(), low, high, grid: true }
    }

    /// Around the decimal logarithms of values, with ticks that name the values.
    pub fn logarithmic(title: &str, logarithms: impl IntoIterator<Item = f64>, air: f64) -> Self {
        let (low, high) = spread(logarithms);
        Self { ticks: log_ticks(low, high), ..Self::tight(title, [low, high], 5, air) }
    }

    /// Unix seconds, read in UTC.
    pub fn time(title: &str, values: impl IntoIterator<Item = f64>, target_ticks: usize) -> Self {
        let moments: Vec<f64> = values.into_iter().filter(|moment| is_plottable(*moment)).collect();
        let first = moments.iter().copied().fold(f64::INFINITY, f64::min);
        let last = moments.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A moment alone stands in the middle of an hour, and not of the years that a tenth of its seconds since 1970 are.
        let (low, high) = match last - first {
            span if (0.0..2.0).contains(&span) => (first - HALF_AN_HOUR, last + HALF_AN_HOUR),
            _ => spread(moments),
        };
        Self { ticks: utc::ticks(low, high, target_ticks), title: title.to_owned(), low, high, grid: false }
    }

    /// One place per name, at 0, 1, 2, …; drawn from -0.5 to n - 0.5.
    pub fn names(title: &str, names: impl IntoIterator<Item = String>) -> Self {
        let ticks: Vec<_> = names.into_iter().enumerate().map(|(i, name)| (i as f64, name)).collect();
        Self { title: title.to_owned(), low: -0.5, high: (ticks.len().max(1)) as f64 - 0.5, ticks, grid: false }
    }

    /// The same axis read from top to bottom, so that the first name is on top.
    pub fn reversed(self) -> Self {
        Self { low: self.high, high: self.low, ..self }
    }

    /// The same axis without what lies beyond the greatest value that there can be.
    pub fn up_to(mut self, most: Option<f64>) -> Self {
        if let Some(most) = most.filter(|most| (self.low..self.high).contains(most) && *most > self.low) {
            self.high = most;
            self.ticks.retain(|(at, _)| *at <= most * (1.0 + 1e-9));
        }
        self
    }

    pub fn without_grid(self) -> Self {
        Self { grid: false, ..self }
    }

    /// Only the ticks at whole numbers: for counts, where half a step means nothing.
    pub fn whole_ticks(mut self) -> Self {
        self.ticks.retain(|(at, _)| at.fract() == 0.0);
        self.ticks.iter_mut().for_each(|(at, words)| *words = number(*at));
        self
    }

    pub fn contains(&self, value: f64) -> bool {
        (self.low.min(self.high)..=self.low.max(self.high)).contains(&value)
    }

    /// The same axis with tick texts cut to `room` user units.
    pub fn fitted(mut self, size: f64, room: f64) -> Self {
        for (_, words) in &mut self.ticks {
            *words = text::fitted(words, size, room);
        }
        self
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    /// Values far outside end up a little outside: plotters adds pixels without looking for overflow.
    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(-1.0, 2.0);
        first + (f64::from(last - first) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|(at, _)| at == value).map(|(_, words)| words.clone()).unwrap_or_default()
    }
}

/// Ticks of a logarithmic axis from 10^low to 10^high: powers of ten, and 2 and 5 times those where there are few.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let decades = (low - 0.1).ceil() as i32..=(high + 0.1).floor() as i32;
    let powers = decades.clone().count();
    if powers >= 3 {
        let every = powers.div_ceil(6);
        return decades.step_by(every).map(|power| (f64::from(power), number(10_f64.powi(power)))).collect();
    }
    let around = low.floor() as i32..=high.ceil() as i32;
    let steps = around.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
    let within = steps.filter(|value| (low - 0.02..=high + 0.02).contains(&value.log10()));
    let ticks: Vec<_> = within.map(|value| (value.log10(), number(value))).collect();
    if ticks.len() > 1 {
        return ticks;
    }
    [low, high].map(|end| (end, number(10_f64.powf(end)))).to_vec()
}

/// Least and greatest plottable value, made apart where they would coincide.
pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .into_iter()
        .filter(|v| is_plottable(*v))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let size = low.abs().max(high.abs());
    // Below the limits the ticks would not be told apart, or their step would underflow.
    if high - low <= (size * 1e-9).max(1e-290) {
        let margin = if size < 1e-290 { 1.0 } else { size * 0.1 };
        (low - margin, high + margin)
    } else {
        (low, high)
    }
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is at least `wanted`.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= wanted * (1.0 - 1e-9))
        .unwrap_or(wanted)
}

fn round_ticks(low: f64, high: f64, target: usize) -> Vec<(f64, String)> {
    let step = round_step((high - low) / target.max(1) as f64);
    if step <= 0.0 || !step.is_finite() {
        return Vec::new();
    }
    let first = (low / step - 1e-9).ceil();
    let steps = ((high / step + 1e-9).floor() - first).clamp(0.0, 100.0) as u32;
    let places: Vec<f64> = (0..=steps).map(|i| (first + f64::from(i)) * step).collect();
    let size = low.abs().max(high.abs());
    places.into_iter().map(|at| (at, tick_text(at, step, size))).collect()
}

/// A tick's text with the decimals its step needs; large ones in thousands, millions, billions.
fn tick_text(at: f64, step: f64, size: f64) -> String {
    if !(1e-6..1e15).contains(&step) || size >= 1e15 {
        return format!("{at:.2e}").replace('-', "−");
    }
    let (unit, suffix) = if size >= 1e9 && step >= 1e7 {
        (1e9, " bn")
    } else if size >= 1e6 && step >= 1e4 {
        (1e6, " M")
    } else if size >= 1e4 && step >= 1e2 {
        (1e3, " k")
    } else {
        (1.0, "")
    };
    let scaled_step = step / unit;
    let decimals = (0..=8)
        .find(|d| {
            let shifted = scaled_step * 10_f64.powi(*d);
            (shifted - shifted.round()).abs() < 1e-6
        })
        .unwrap_or(8);
    let text = format!("{:.*}", decimals as usize, at / unit);
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.' | '-'));
    if is_zero { "0".to_owned() } else { format!("{}{suffix}", grouped(&text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten_or_steps_between() {
        let words = |low: f64, high: f64| log_ticks(low, high).into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(words(-3.0, 0.0), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(words(0.0, 1.0), ["1", "2", "5", "10"]);
        assert_eq!(words(0.025_f64.log10(), 0.045_f64.log10()), ["0.025", "0.045"]);
    }

    #[test]
    fn ticks_are_round_and_show_the_decimals_of_their_step() {
        assert_eq!(texts(&Axis::unit("")), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&Axis::around("", [0.0, 43_000.0], 5)), ["0", "10 k", "20 k", "30 k", "40 k", "50 k"]);
        assert_eq!(texts(&Axis::around("", [-0.3, 0.3], 4)), ["−0.4", "−0.2", "0", "0.2", "0.4"]);
    }

    #[test]
    fn a_moment_alone_stands_in_the_middle_of_an_hour() {
        let at = 1_780_000_000.0;
        for moments in [vec![at], vec![at, at + 1.0]] {
            let axis = Axis::time("", moments, 5);
            assert!((3_600.0..3_602.0).contains(&(axis.high - axis.low)) && axis.ticks.len() > 2, "{axis:?}");
        }
        let two = Axis::time("", [at, at + 40.0], 5);
        assert_eq!(two.high - two.low, 40.0, "two moments are told apart");
        assert_eq!(Axis::time("", [], 5).low, 0.0);
    }

    #[test]
    fn any_values_make_an_axis_of_positive_length() {
        let cases: [&[f64]; 9] = [
            &[],
            &[f64::NAN],
            &[5.0],
            &[0.0, 0.0],
            &[f64::INFINITY, 1.0],
            &[1.0, 1.0 + f64::EPSILON],
            &[-1e299, 1e299],
            &[f64::MAX, f64::MIN],
            &[5e-324, 0.0],
        ];
        for values in cases {
            for axis in [Axis::around("", values.iter().copied(), 5), Axis::tight("", values.iter().copied(), 5, 0.05)]
            {
                assert!(axis.low < axis.high && (axis.high - axis.low).is_finite(), "{values:?} {axis:?}");
                assert!(axis.ticks.len() <= 101);
            }
        }
    }
}
