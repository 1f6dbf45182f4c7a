//! Doubles as integers of the same order, which sort faster and can be keys.

/// An integer whose order is that of the numbers; −0 counts as 0.
pub(crate) const fn key_of(number: f64) -> i64 {
    let bits = (number + 0.0).to_bits() as i64;
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

/// The number of a key.
pub(crate) const fn number_of(key: i64) -> f64 {
    f64::from_bits((if key < 0 { key ^ i64::MAX } else { key }) as u64)
}

/// A quantile of values that are not empty, by their sorted keys: linear between the two nearest values, definition 7 of
/// Hyndman and Fan (1996), numpy's default.
pub(crate) fn quantile_by(sorted: &[i64], share: f64, number: impl Fn(i64) -> f64) -> f64 {
    quantile_at(sorted.len(), share, |rank| number(sorted[rank]))
}

/// The same of `count` values, by the value at each rank.
pub(crate) fn quantile_at(count: usize, share: f64, mut at: impl FnMut(usize) -> f64) -> f64 {
    let position = share * (count - 1) as f64;
    let (below, above) = (at(position.floor() as usize), at(position.ceil() as usize));
    let part = position - position.floor();
    // Not below + part × (above − below): the difference of two finite doubles may not be finite.
    // Held between them: rounding can lead an ulp beyond, even where both are equal.
    (below * (1.0 - part) + above * part).clamp(below, above)
}

/// The same of numbers.
pub(crate) fn quantile(sorted: &[i64], share: f64) -> f64 {
    quantile_by(sorted, share, number_of)
}
