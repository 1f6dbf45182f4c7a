//! What two versions answered to the same requests, in all and slice by slice: how often something else, how far their answers
//! lie apart on average, and, of requests whose outcome is known, what they said and what it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::{class_of, same};

/// Values of one column that are told apart, those with the most requests.
const MOST_VALUES: usize = 12;

/// A request that both versions answered.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedBoth {
    /// What the champion answered.
    pub champion: Value,
    /// What the candidate answered.
    pub candidate: Value,
    /// What became of it, if that is known.
    pub label: Option<Value>,
    /// The value of each column or feature that makes slices in the request, in their order; none of what it did not say.
    pub values: Vec<Option<String>>,
}

/// Both versions beside each other in one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SliceCompared {
    /// The column and its value; none for all requests.
    pub slice: Option<(String, String)>,
    /// Requests that both answered.
    pub n: u64,
    /// Of these, to which they gave another answer: another class, or numbers more than 1 % apart.
    pub differed: u64,
    /// Means of what the champion and the candidate answered: probabilities of the positive class, or values; none where there are
    /// several classes.
    pub means: Option<(f64, f64)>,
    /// Requests whose outcome is known.
    pub labelled: u64,
    /// The same means over these, and what it was: the share of the positive class, or the mean value.
    pub outcome: Option<(f64, f64, f64)>,
}

#[derive(Default)]
struct Sums {
    n: u64,
    differed: u64,
    numbers: u64,
    means: (f64, f64),
    labelled: u64,
    outcome: (f64, f64, f64),
}

impl Sums {
    fn add(&mut self, asked: &AskedBoth, classes: &[&str]) {
        self.n += 1;
        self.differed += u64::from(!same(&asked.champion, &asked.candidate));
        let Some((champion, candidate)) = number(&asked.champion).zip(number(&asked.candidate)) else { return };
        self.numbers += 1;
        self.means.0 += champion;
        self.means.1 += candidate;
        let observed = asked.label.as_ref().and_then(|label| match asked.champion["score"].is_number() {
            true => (classes.len() == 2).then(|| class_of(label, classes)).flatten().map(|class| class as f64),
            false => label.as_f64(),
        });
        if let Some(observed) = observed {
            self.labelled += 1;
            self.outcome.0 += champion;
            self.outcome.1 += candidate;
            self.outcome.2 += observed;
        }
    }

    fn told(self, slice: Option<(String, String)>) -> SliceCompared {
        let (n, labelled) = (self.numbers as f64, self.labelled as f64);
        let (means, (champion, candidate, observed)) = (self.means, self.outcome);
        SliceCompared {
            slice,
            n: self.n,
            differed: self.differed,
            means: (self.numbers > 0).then(|| (means.0 / n, means.1 / n)),
            labelled: self.labelled,
            outcome: (self.labelled > 0).then(|| (champion / labelled, candidate / labelled, observed / labelled)),
        }
    }
}

fn number(answer: &Value) -> Option<f64> {
    answer["score"].as_f64().or_else(|| answer["value"].as_f64())
}

/// All requests first, then those of each value of each column, those with the most requests first. `classes` are the models', the
/// positive one last of two. Nothing without requests.
pub fn compare_slices(asked: &[AskedBoth], by: &[String], classes: &[&str]) -> Vec<SliceCompared> {
    let mut all = Sums::default();
    let mut of_columns: Vec<BTreeMap<&str, Sums>> = by.iter().map(|_| BTreeMap::new()).collect();
    for one in asked {
        all.add(one, classes);
        for (values, value) in of_columns.iter_mut().zip(&one.values) {
            let Some(value) = value else { continue };
            values.entry(value).or_default().add(one, classes);
        }
    }
    if all.n == 0 {
        return Vec::new();
    }
    let mut told = vec![all.told(None)];
    for (column, values) in by.iter().zip(of_columns) {
        let mut values: Vec<(&str, Sums)> = values.into_iter().collect();
        values.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.n));
        let largest = values.into_iter().take(MOST_VALUES);
        told.extend(largest.map(|(value, sums)| sums.told(Some((column.clone(), value.to_owned())))));
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(champion: Value, candidate: Value, label: Option<Value>, value: Option<&str>) -> AskedBoth {
        AskedBoth { champion, candidate, label, values: vec![value.map(str::to_owned)] }
    }

    #[test]
    fn each_slice_has_its_own_shift_and_what_came_of_it() {
        let said = |score: f64| json!({ "score": score, "label": if score > 0.5 { "yes" } else { "no" } });
        let rows = [
            asked(said(0.2), said(0.4), Some(json!("no")), Some("a")),
            asked(said(0.4), said(0.8), Some(json!(true)), Some("a")),
            asked(said(0.9), said(0.9), None, Some("b")),
            asked(said(0.5), said(0.5), Some(json!("perhaps")), None),
        ];
        let told = compare_slices(&rows, &["where".to_owned()], &["no", "yes"]);
        let slices: Vec<_> =
            told.iter().map(|one| (one.slice.as_ref().map(|(_, value)| value.as_str()), one.n)).collect();
        assert_eq!(slices, [(None, 4), (Some("a"), 2), (Some("b"), 1)]);
        let a = &told[1];
        assert_eq!((a.differed, a.labelled), (1, 2));
        let near = |(one, other): (f64, f64), (a, b): (f64, f64)| (one - a).abs() < 1e-12 && (other - b).abs() < 1e-12;
        assert!(near(a.means.unwrap(), (0.3, 0.6)), "{a:?}");
        let (champion, candidate, observed) = a.outcome.unwrap();
        assert!(near((champion, candidate), (0.3, 0.6)) && (observed - 0.5).abs() < 1e-12, "{a:?}");
        assert_eq!((told[2].labelled, told[2].outcome), (0, None));
        assert_eq!(told[0].labelled, 2);
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_several_classes_by_what_they_are() {
        let value = |value: f64| json!({ "value": value });
        let told =
            compare_slices(&[asked(value(10.0), value(12.0), Some(json!(11)), None)], &["where".to_owned()], &[]);
        assert_eq!(
            (told[0].differed, told[0].means, told[0].outcome),
            (1, Some((10.0, 12.0)), Some((10.0, 12.0, 11.0)))
        );
        let class = |label: &str| json!({ "label": label, "probabilities": {} });
        let told = compare_slices(
            &[asked(class("x"), class("y"), Some(json!("x")), Some("a"))],
            &["where".to_owned()],
            &["x", "y", "z"],
        );
        assert_eq!((told.len(), told[1].differed, told[1].means), (2, 1, None));
        assert_eq!(compare_slices(&[], &[], &[]), []);
    }

    #[test]
    fn of_many_values_those_with_the_most_requests_are_told() {
        let one = |n: usize| {
            asked(json!({ "value": 1.0 }), json!({ "value": 1.0 }), None, Some(["rare", "common"][n.min(1)]))
        };
        let mut rows: Vec<AskedBoth> = (0..3).map(one).collect();
        rows.extend((0..40).map(|n| AskedBoth { values: vec![Some(format!("v{n}"))], ..one(0) }));
        let told = compare_slices(&rows, &["where".to_owned()], &[]);
        assert_eq!(told.len(), 1 + MOST_VALUES);
        assert_eq!(told[1].slice, Some(("where".to_owned(), "common".to_owned())));
    }
}
