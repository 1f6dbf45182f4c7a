//! Fewer points, same picture.

/// Fewer points tell little of a line.
const FEW: usize = 12;

/// Largest-triangle-three-buckets (Steinarsson 2013): keeps the first and the last point, and from each of the `limit - 2` equal
/// buckets between them the point that spans the largest triangle with the point kept before and the mean of the next bucket.
/// Corners survive, which plain striding loses.
pub(crate) fn curve(points: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    let n = points.len();
    if n <= limit || limit < 3 {
        return points.to_vec();
    }
    let bucket = |i: usize| 1 + i * (n - 2) / (limit - 2);
    let mut kept = Vec::with_capacity(limit);
    let mut previous = points[0];
    kept.push(previous);
    for i in 0..limit - 2 {
        let (start, end) = (bucket(i), bucket(i + 1));
        let following = &points[end..bucket(i + 2).clamp(end + 1, n)];
        let next = mean(following);
        let area = |p: &(f64, f64)| {
            ((previous.0 - next.0) * (p.1 - previous.1) - (previous.0 - p.0) * (next.1 - previous.1)).abs()
        };
        let mut best = points[start];
        for candidate in &points[start..end] {
            if area(candidate) > area(&best) {
                best = *candidate;
            }
        }
        kept.push(best);
        previous = best;
    }
    kept.push(points[n - 1]);
    kept
}

/// At most `limit` items, taken at equal steps from the first to the last.
pub(crate) fn evenly<T: Clone>(items: &[T], limit: usize) -> Vec<T> {
    if items.len() <= limit || limit == 0 {
        return items.to_vec();
    }
    (0..limit).map(|i| items[i * (items.len() - 1) / (limit - 1).max(1)].clone()).collect()
}

/// How many of `limit` points each of so many lines gets, and a few at least.
pub(crate) fn share_of(limit: usize, lines: usize) -> usize {
    (limit / lines.max(1)).max(FEW)
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
    (x / n, y / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_its_corner() {
        let steep = (0..5000).map(|i| (0.0, f64::from(i) / 5000.0));
        let flat = (0..=5000).map(|i| (f64::from(i) / 5000.0, 1.0));
        let points: Vec<_> = steep.chain(flat).collect();
        let thinned = curve(&points, 400);
        assert_eq!(thinned.len(), 400);
        assert_eq!(thinned.first(), Some(&(0.0, 0.0)));
        assert_eq!(thinned.last(), Some(&(1.0, 1.0)));
        let to_corner = thinned.iter().map(|(x, y)| x.hypot(y - 1.0)).fold(f64::INFINITY, f64::min);
        assert!(to_corner < 0.005, "{to_corner}");
    }

    #[test]
    fn short_curves_are_untouched() {
        let points = [(0.0, 0.0), (1.0, 1.0)];
        assert_eq!(curve(&points, 400), points);
        assert_eq!(curve(&[], 400), []);
    }

    #[test]
    fn any_length_around_the_limit_thins_to_the_limit() {
        for n in 4..60_u32 {
            let points: Vec<_> = (0..n).map(|i| (f64::from(i), f64::from(i % 7))).collect();
            for limit in 3..20 {
                assert_eq!(curve(&points, limit).len(), limit.min(points.len()), "{n} {limit}");
            }
        }
    }

    #[test]
    fn even_thinning_spans_the_whole_length() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(evenly(&items, 4), [0, 333, 666, 999]);
        assert_eq!(evenly(&items, 1), [0]);
    }
}
