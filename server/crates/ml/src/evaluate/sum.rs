//! Sums whose error does not grow with the number of terms.

/// Neumaier's compensated sum (Zeitschrift für Angewandte Mathematik und Mechanik 54, 1974): the lost low-order bits of
/// every addition are kept beside the total.
pub(super) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for term in terms {
        let next = total + term;
        lost += if total.abs() >= term.abs() { (total - next) + term } else { (term - next) + total };
        total = next;
    }
    total + lost
}

/// `numerator / denominator`, none when nothing was counted.
pub(super) fn share(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_between_large_ones_are_not_lost() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(share(0.0, 0.0), None);
    }
}
