//! Floors: what anybody can answer without a model.

use std::collections::HashMap;

use millrace_domain::problem::Data;
use millrace_domain::problem::Span;
use millrace_domain::problem::Split as Rule;
use millrace_domain::schema::Value;

use crate::Dataset;
use crate::evaluate::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, OutcomeError, Outcomes, quantile};
use crate::features::Labels;
use crate::split::{Part, Split};

/// What the model must beat: the class shares of the training part, or its mean (or quantile, where that is asked for), as the answer for every row of `part`.
///
/// # Errors
/// When the part has no rows.
pub fn baseline(labels: &Labels, split: &Split, part: Part) -> Result<Outcomes, OutcomeError> {
    let (train, rows) = (split.rows(Part::Train), split.rows(part));
    match labels {
        Labels::Numbers { rows: numbers, quantile } => {
            let answer = constant(numbers, *quantile, train);
            let known = rows.iter().filter_map(|row| numbers[*row as usize]);
            let outcomes = NumberOutcomes::new(known.map(|actual| (answer, actual)))?;
            Ok(Outcomes::Regression(outcomes.with_quantile(*quantile)))
        }
        Labels::Classes { names, .. } => {
            let counts = labels.counts(train);
            let total: u64 = counts.iter().sum();
            let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / total.max(1) as f64).collect();
            let classes = rows.iter().filter_map(|row| labels.class(*row as usize));
            if names.len() == 2 {
                let outcomes = BinaryOutcomes::new(classes.map(|class| (shares[1], class == 1)))?;
                Ok(Outcomes::Binary(outcomes.with_costs(labels.costs())))
            } else {
                ClassOutcomes::new(names.len(), classes.map(|class| (&shares, class))).map(Outcomes::Multiclass)
            }
        }
    }
}

/// The mean of some rows, or their quantile.
fn constant(numbers: &[Option<f64>], of: Option<f64>, rows: &[u32]) -> f64 {
    let mut known: Vec<f64> = rows.iter().filter_map(|row| numbers[*row as usize]).collect();
    let Some(of) = of else {
        let count = known.len() as f64;
        return known.iter().map(|number| number / count).sum();
    };
    known.sort_by(f64::total_cmp);
    if known.is_empty() { 0.0 } else { quantile(&known, of) }
}

/// The last label of the row's entity that was known at the row's time, as the answer for every row of `part`: the last one at all
/// where the data names no entity, and the class shares or the mean of the training part where nothing was known yet.
///
/// A label is known when the target's `delay` has passed. Without event times the rows of a split by time are in order already; a
/// split at random has no order then, and this floor is none.
///
/// # Errors
/// When the part has no rows.
pub fn repeat_last(
    dataset: &Dataset,
    data: &Data,
    delay: Span,
    labels: &Labels,
    split: &Split,
    part: Part,
) -> Option<Result<Outcomes, OutcomeError>> {
    repeat_last_of(dataset, data, delay, labels, split.rows(Part::Train), split.rows(part))
}

/// The same for any rows; where nothing was known yet, the class shares or the mean of `train`.
///
/// # Errors
/// When there are no rows.
pub fn repeat_last_of(
    dataset: &Dataset,
    data: &Data,
    delay: Span,
    labels: &Labels,
    train: &[u32],
    rows: &[u32],
) -> Option<Result<Outcomes, OutcomeError>> {
    let last = last_labels(dataset, data, delay, labels)?;
    let answer = |row: &u32| last[*row as usize].map(|last| last as usize);
    Some(match labels {
        Labels::Numbers { rows: numbers, quantile } => {
            let constant = constant(numbers, *quantile, train);
            let pair = |row: &u32| {
                let predicted = answer(row).and_then(|last| numbers[last]).unwrap_or(constant);
                Some((predicted, numbers[*row as usize]?))
            };
            let outcomes = NumberOutcomes::new(rows.iter().filter_map(pair));
            outcomes.map(|outcomes| Outcomes::Regression(outcomes.with_quantile(*quantile)))
        }
        Labels::Classes { names, .. } => {
            let counts = labels.counts(train);
            let total: u64 = counts.iter().sum();
            let shares: Vec<f64> = counts.iter().map(|count| *count as f64 / total.max(1) as f64).collect();
            let predicted = |row: &u32| match answer(row).and_then(|last| labels.class(last)) {
                Some(last) => (0..names.len()).map(|class| if class == last as usize { 1.0 } else { 0.0 }).collect(),
                None => shares.clone(),
            };
            let pair = |row: &u32| Some((predicted(row), labels.class(*row as usize)?));
            let pairs = rows.iter().filter_map(pair);
            if names.len() == 2 {
                BinaryOutcomes::new(pairs.map(|(shares, class): (Vec<f64>, u32)| (shares[1], class == 1)))
                    .map(|outcomes| Outcomes::Binary(outcomes.with_costs(labels.costs())))
            } else {
                ClassOutcomes::new(names.len(), pairs).map(Outcomes::Multiclass)
            }
        }
    })
}

/// For each row, the row whose label is the last one known of its entity; none when rows have no order, or a column is missing.
fn last_labels(dataset: &Dataset, data: &Data, delay: Span, labels: &Labels) -> Option<Vec<Option<u32>>> {
    let slot = |name: &Option<String>| name.as_ref().map(|name| dataset.slot(name));
    let time = match slot(&data.event_time) {
        Some(slot) => Some(slot?),
        None if matches!(data.split, Rule::Time { .. }) => None,
        None => return None,
    };
    let entity = match slot(&data.entity) {
        Some(slot) => Some(slot?),
        None => None,
    };
    // Microseconds where times are times; a number has no delay, since its unit is not known.
    let times = time.map(|slot| dataset.cells(slot));
    let entities = entity.map(|slot| dataset.cells(slot));
    let (mut at, mut wait) = (Vec::with_capacity(dataset.rows()), 0.0);
    for row in 0..dataset.rows() {
        at.push(match times.map(|times| times.value(row)) {
            None => row as f64,
            Some(Value::Time(micros)) => {
                wait = delay.seconds() as f64 * 1e6;
                micros as f64
            }
            Some(Value::Number(number)) => number,
            Some(_) => f64::NAN,
        });
    }
    let mut order: Vec<u32> = (0..dataset.rows() as u32).filter(|row| !at[*row as usize].is_nan()).collect();
    order.sort_by(|a, b| at[*a as usize].total_cmp(&at[*b as usize]));
    // A row without an entity is about nobody else.
    let of = |row: u32| match entities.map(|entities| entities.value(row as usize)) {
        None => Some(String::new()),
        Some(Value::Null) => None,
        Some(entity) => Some(format!("{entity:?}")),
    };
    let (mut known, mut next) = (HashMap::<String, u32>::new(), 0);
    let mut last = vec![None; dataset.rows()];
    for row in &order {
        let now = at[*row as usize];
        while let Some(before) =
            order.get(next).filter(|before| at[**before as usize] < now && at[**before as usize] + wait <= now)
        {
            if let Some(entity) = of(*before).filter(|_| labels.is_known(*before as usize)) {
                known.insert(entity, *before);
            }
            next += 1;
        }
        last[*row as usize] = of(*row).and_then(|entity| known.get(&entity).copied());
    }
    Some(last)
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::Metric;
    use millrace_domain::problem::ProblemDocument;

    use super::*;
    use crate::ColumnData;

    const HOUR: i64 = 3_600_000_000;

    /// Two shops by the hour; the answer of each row is that of its shop before, but for the first.
    fn outcomes(data: &str, delay: &str) -> Option<Outcomes> {
        let dataset = Dataset::from_parts([
            (
                "shop",
                ColumnData::Text(["a", "b", "a", "b", "a", "b", "a", "b"].map(|shop| Some(shop.to_owned())).to_vec()),
            ),
            ("at", ColumnData::Time((0..8).map(|hour| Some(hour * HOUR)).collect())),
            ("sold", ColumnData::Boolean([true, false, true, false, true, false, true, false].map(Some).to_vec())),
        ])
        .unwrap();
        let text = format!(
            "slug = \"shops\"\ntitle = \"F\"\ndecision = \"None\"\n\
             target = {{ name = \"t\", kind = \"binary\", column = \"sold\", delay = \"{delay}\" }}\n\
             features = [{{ name = \"shop\", type = \"category\" }}]\nsuccess = {{ metric = \"accuracy\", at_least = 0.5 }}\n\
             data = {{ {data} }}"
        );
        let document = ProblemDocument::parse(&text).unwrap();
        let labels = Labels::of(document.target.kind, (0..8).map(|row| dataset.cells(2).value(row))).unwrap();
        let split = Split::new(&document.data.split, &dataset, document.data.event_time.as_deref(), &labels).unwrap();
        repeat_last(&dataset, &document.data, document.target.delay, &labels, &split, Part::Test).map(Result::unwrap)
    }

    const BY_TIME: &str = "split = { kind = \"time\", validation = 0.0, test = 0.5 }";

    #[test]
    fn an_entity_repeats_its_own_last_label_and_without_one_the_last_of_all() {
        let accuracy = |data: &str| outcomes(data, "0s").unwrap().metric(Metric::Accuracy);
        assert_eq!(accuracy(&format!("entity = \"shop\", event_time = \"at\", {BY_TIME}")), Some(1.0));
        assert_eq!(accuracy(&format!("event_time = \"at\", {BY_TIME}")), Some(0.0));
        assert_eq!(accuracy(BY_TIME), Some(0.0), "the order of the source is an order");
        assert!(outcomes("split = { kind = \"random\", validation = 0.0, test = 0.5, seed = 1 }", "0s").is_none());
    }

    #[test]
    fn rows_without_an_entity_do_not_stand_for_each_other() {
        let shops = vec![None, None, Some("a".to_owned()), Some("a".to_owned())];
        let dataset = Dataset::from_parts([("shop", ColumnData::Text(shops))]).unwrap();
        let text = "slug = \"shops\"\ntitle = \"F\"\ndecision = \"None\"\nfeatures = [{ name = \"shop\", type = \"category\" }]\n\
                    target = { name = \"t\", kind = \"binary\", column = \"sold\" }\ndata = { entity = \"shop\" }\n\
                    success = { metric = \"accuracy\", at_least = 0.5 }";
        let document = ProblemDocument::parse(text).unwrap();
        let labels =
            Labels::of_classes(vec!["no".to_owned(), "yes".to_owned()], vec![Some(0), Some(1), Some(0), Some(1)]);
        let last = last_labels(&dataset, &document.data, document.target.delay, &labels).unwrap();
        assert_eq!(last, [None, None, None, Some(2)]);
    }

    #[test]
    fn a_label_is_not_repeated_before_it_is_known() {
        let data = format!("event_time = \"at\", {BY_TIME}");
        assert_eq!(outcomes(&data, "2h").unwrap().metric(Metric::Accuracy), Some(1.0), "the last but one");
        let unknown = outcomes(&data, "9h").unwrap();
        assert_eq!(unknown.metric(Metric::RocAuc), Some(0.5), "nothing is known: the shares of the training part");
    }
}
