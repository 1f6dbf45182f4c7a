//! Which rows train, which choose, and which judge.
//!
//! A *part* is a set of rows: a model is fitted on the training part, its hyperparameters and its stopping point are chosen
//! on the validation part, and its quality is measured on the test part. A row without a label is in no part, and neither
//! is, in a split by time, a row without an event time.

use std::collections::HashMap;
use std::fmt;

use millrace_domain::expr::Row;
use millrace_domain::problem;
use millrace_domain::schema::{Column, Value};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Dataset;
use crate::features::Labels;

/// What a set of rows is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Models are fitted on it.
    Train,
    /// Hyperparameters and the stopping point are chosen on it.
    Validation,
    /// Quality is measured on it.
    Test,
}

impl Part {
    /// The word shown to people, also the prefix of a run's metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why rows could not be split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Too few rows for the shares asked for.
    #[error("{rows} rows with a label leave the {part} part empty; bring more rows or change the shares of the split")]
    TooFewRows {
        /// Rows that could be placed.
        rows: usize,
        /// The part that would be empty.
        part: Part,
    },
    /// The entity is no column.
    #[error("the entity {0:?} of the split is not a column of the dataset")]
    UnknownEntity(String),
    /// The event time is no column.
    #[error("the event time {0:?} is not a column of the dataset")]
    UnknownEventTime(String),
    /// The event time has no order in time.
    #[error("the event time {name:?} is a {found} column; it must hold times or numbers", name = .0.name, found = .0.column_type)]
    NotATime(Column),
}

/// The rows of each part, by index from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    train: Vec<u32>,
    validation: Vec<u32>,
    test: Vec<u32>,
}

impl Split {
    /// Splits the rows that have a label as `rule` says.
    ///
    /// By time, rows are ordered by `event_time` (equal times keep the source's order; without an event time the source's
    /// order is the order); the earliest train and the latest test. At random, each class is shuffled by the rule's seed
    /// and dealt out so that every part has its share of every class to within one row; where the rule names an entity, it is
    /// entities that are shuffled, and all rows of one are in one part.
    ///
    /// # Errors
    /// When the training or the test part would be empty, or `event_time` is no column of times or numbers.
    pub fn new(
        rule: &problem::Split,
        dataset: &Dataset,
        event_time: Option<&str>,
        labels: &Labels,
    ) -> Result<Self, SplitError> {
        let labelled = (0..labels.len() as u32).filter(|row| labels.is_known(*row as usize));
        if let problem::Split::Random { seed, entity: Some(entity), .. } = rule {
            let groups = shuffled_entities(labelled, dataset, entity, *seed)?;
            return deal_whole(groups, rule.validation(), rule.test());
        }
        let (strata, shuffled) = match rule {
            problem::Split::Time { .. } => (vec![in_time_order(labelled, dataset, event_time)?], false),
            problem::Split::Random { seed, .. } => (shuffled_classes(labelled, labels, *seed), true),
        };
        let mut split = deal(&strata, rule.validation(), rule.test());
        if shuffled {
            for part in [&mut split.train, &mut split.validation, &mut split.test] {
                part.sort_unstable();
            }
        }
        match [Part::Train, Part::Test].into_iter().find(|part| split.rows(*part).is_empty()) {
            Some(part) => Err(SplitError::TooFewRows { rows: strata.iter().map(Vec::len).sum(), part }),
            None => Ok(split),
        }
    }

    /// The same but for the validation part, which is these rows.
    #[must_use]
    pub fn with_validation(&self, validation: Vec<u32>) -> Self {
        Self { validation, ..self.clone() }
    }

    /// The rows of a part: in time order in a split by time, else in the source's order.
    pub fn rows(&self, part: Part) -> &[u32] {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
        }
    }

    /// The same with a draw of so large a share of the training rows, in their order: of each class its share, at least one row, and
    /// those of a smaller share are among those of a larger.
    #[must_use]
    pub fn with_training_share(&self, share: f64, labels: &Labels, seed: u64) -> Self {
        if share >= 1.0 {
            return self.clone();
        }
        let mut strata = vec![Vec::new(); labels.classes().map_or(1, <[String]>::len)];
        for (place, row) in self.train.iter().enumerate() {
            strata[labels.class(*row as usize).unwrap_or(0) as usize].push(place);
        }
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut places = Vec::new();
        for mut stratum in strata {
            let kept = (stratum.len() as f64 * share).ceil() as usize;
            stratum.shuffle(&mut generator);
            places.extend(stratum.into_iter().take(kept));
        }
        places.sort_unstable();
        let train = places.into_iter().map(|place| self.train[place]).collect();
        Self { train, validation: self.validation.clone(), test: self.test.clone() }
    }
}

fn in_time_order(
    rows: impl Iterator<Item = u32>,
    dataset: &Dataset,
    event_time: Option<&str>,
) -> Result<Vec<u32>, SplitError> {
    let Some(name) = event_time else {
        return Ok(rows.collect());
    };
    let slot = dataset.slot(name).ok_or_else(|| SplitError::UnknownEventTime(name.to_owned()))?;
    let mut timed = Vec::new();
    for row in rows {
        match dataset.row(row as usize).cell(slot) {
            Value::Time(micros) => timed.push((micros as f64, row)),
            Value::Number(number) => timed.push((number, row)),
            Value::Null => {}
            Value::Text(_) | Value::Boolean(_) => {
                return Err(SplitError::NotATime(dataset.schema()[slot].clone()));
            }
        }
    }
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(timed.into_iter().map(|(_, row)| row).collect())
}

/// At most so many of these rows, drawn at random, in their order.
pub fn some_of(rows: &[u32], most: usize, seed: u64) -> Vec<u32> {
    let mut drawn = rows.to_vec();
    if drawn.len() > most {
        drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        drawn.truncate(most);
        drawn.sort_unstable();
    }
    drawn
}

/// The rows of each class, shuffled; numbers are one class.
fn shuffled_classes(rows: impl Iterator<Item = u32>, labels: &Labels, seed: u64) -> Vec<Vec<u32>> {
    let mut strata = vec![Vec::new(); labels.classes().map_or(1, <[String]>::len)];
    for row in rows {
        strata[labels.class(row as usize).unwrap_or(0) as usize].push(row);
    }
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    for stratum in &mut strata {
        stratum.shuffle(&mut generator);
    }
    strata
}

/// The rows of each entity, the entities shuffled; a row without one stands for itself.
fn shuffled_entities(
    rows: impl Iterator<Item = u32>,
    dataset: &Dataset,
    entity: &str,
    seed: u64,
) -> Result<Vec<Vec<u32>>, SplitError> {
    let slot = dataset.slot(entity).ok_or_else(|| SplitError::UnknownEntity(entity.to_owned()))?;
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for row in rows {
        let position = match dataset.cells(slot).value(row as usize) {
            Value::Null => groups.len(),
            value => *positions.entry(format!("{value:?}")).or_insert(groups.len()),
        };
        match groups.get_mut(position) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    Ok(groups)
}

/// Deals whole groups out, each to the first of test and validation part that has room for half of it, else to the training part.
fn deal_whole(groups: Vec<Vec<u32>>, validation: f64, test: f64) -> Result<Split, SplitError> {
    let rows: usize = groups.iter().map(Vec::len).sum();
    let room = |share: f64| (rows as f64 * share).round() as usize;
    let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    for group in groups {
        let fits = |part: &Vec<u32>, share: f64| part.len() + group.len().div_ceil(2) <= room(share);
        if fits(&split.test, test) {
            split.test.extend(group);
        } else if fits(&split.validation, validation) {
            split.validation.extend(group);
        } else {
            split.train.extend(group);
        }
    }
    for part in [&mut split.train, &mut split.validation, &mut split.test] {
        part.sort_unstable();
    }
    match [Part::Train, Part::Test].into_iter().find(|part| split.rows(*part).is_empty()) {
        Some(part) => Err(SplitError::TooFewRows { rows, part }),
        None => Ok(split),
    }
}

/// Deals each stratum out in order: its first rows train, its last ones test. Fractions of rows are carried from stratum to
/// stratum, so that the totals are the rounded shares of all rows.
fn deal(strata: &[Vec<u32>], validation: f64, test: f64) -> Split {
    let mut split = Split { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    let mut seen = 0;
    for stratum in strata {
        seen += stratum.len();
        let owed = |share: f64, given: usize| ((seen as f64 * share).round() as usize).saturating_sub(given);
        let for_test = owed(test, split.test.len()).min(stratum.len());
        let for_validation = owed(validation, split.validation.len()).min(stratum.len() - for_test);
        let (rest, last) = stratum.split_at(stratum.len() - for_test);
        let (first, middle) = rest.split_at(rest.len() - for_validation);
        split.train.extend_from_slice(first);
        split.validation.extend_from_slice(middle);
        split.test.extend_from_slice(last);
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnData;

    fn random(validation: f64, test: f64, seed: u64) -> problem::Split {
        problem::Split::Random { validation, test, seed, entity: None }
    }

    fn labelled(classes: &[Option<u32>]) -> (Dataset, Labels) {
        let times = (0..classes.len() as i64).rev().map(Some).collect();
        let dataset = Dataset::from_parts([("at", ColumnData::Time(times))]).unwrap();
        (dataset, Labels::of_classes(vec!["a".to_owned(), "b".to_owned()], classes.to_vec()))
    }

    #[test]
    fn a_share_of_the_training_rows_has_every_class_and_is_among_a_larger_one() {
        let classes: Vec<_> = (0..1_000).map(|row| Some(u32::from(row % 400 == 7))).collect();
        let (dataset, labels) = labelled(&classes);
        let split = Split::new(&random(0.1, 0.1, 1), &dataset, None, &labels).unwrap();
        let (few, more) = (split.with_training_share(0.0625, &labels, 3), split.with_training_share(0.25, &labels, 3));
        assert_eq!((few.rows(Part::Train).len(), few.rows(Part::Test)), (51, split.rows(Part::Test)));
        assert!(labels.counts(few.rows(Part::Train)).iter().all(|count| *count > 0));
        assert!(few.rows(Part::Train).iter().all(|row| more.rows(Part::Train).contains(row)));
        assert!(few.rows(Part::Train).is_sorted());
    }

    fn all(split: &Split) -> Vec<u32> {
        let mut rows: Vec<u32> =
            [Part::Train, Part::Validation, Part::Test].iter().flat_map(|part| split.rows(*part)).copied().collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn the_latest_rows_test_and_the_earliest_train() {
        let (dataset, labels) = labelled(&[Some(0); 10]);
        let split =
            Split::new(&problem::Split::Time { validation: 0.2, test: 0.3 }, &dataset, Some("at"), &labels).unwrap();
        assert_eq!(split.rows(Part::Train), [9, 8, 7, 6, 5]);
        assert_eq!(split.rows(Part::Validation), [4, 3]);
        assert_eq!(split.rows(Part::Test), [2, 1, 0]);
    }

    #[test]
    fn without_an_event_time_the_order_of_the_source_counts() {
        let (dataset, labels) = labelled(&[Some(0); 4]);
        let split = Split::new(&problem::Split::Time { validation: 0.0, test: 0.25 }, &dataset, None, &labels).unwrap();
        assert_eq!((split.rows(Part::Train), split.rows(Part::Test)), (&[0, 1, 2][..], &[3][..]));
    }

    #[test]
    fn a_row_without_a_label_is_in_no_part() {
        let (dataset, labels) = labelled(&[Some(0), None, Some(1), Some(0), Some(1)]);
        let split = Split::new(&random(0.0, 0.4, 1), &dataset, None, &labels).unwrap();
        assert_eq!(all(&split), [0, 2, 3, 4]);
    }

    #[test]
    fn every_part_has_its_share_of_every_class() {
        let classes: Vec<Option<u32>> = (0..1_000).map(|row| Some(u32::from(row % 10 == 0))).collect();
        let (dataset, labels) = labelled(&classes);
        let split = Split::new(&random(0.15, 0.25, 3), &dataset, None, &labels).unwrap();
        let positives = |part| split.rows(part).iter().filter(|row| *row % 10 == 0).count();
        assert_eq!((positives(Part::Train), positives(Part::Validation), positives(Part::Test)), (60, 15, 25));
        assert_eq!(all(&split), (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_alone_decides_the_shuffle() {
        let (dataset, labels) = labelled(&[Some(1); 100]);
        let split = |seed| Split::new(&random(0.2, 0.2, seed), &dataset, None, &labels).unwrap();
        assert_eq!(split(5), split(5));
        assert_ne!(split(5), split(6));
    }

    #[test]
    fn all_rows_of_an_entity_are_in_one_part() {
        let customers = (0..1_000).map(|row| (row % 7 != 0).then(|| format!("c{}", (row * row) % 97))).collect();
        let dataset = Dataset::from_parts([("customer", ColumnData::Text(customers))]).unwrap();
        let labels = Labels::of_classes(vec!["a".to_owned()], vec![Some(0); 1_000]);
        let rule = problem::Split::Random { validation: 0.2, test: 0.2, seed: 4, entity: Some("customer".to_owned()) };
        let split = Split::new(&rule, &dataset, None, &labels).unwrap();
        assert_eq!(all(&split), (0..1_000).collect::<Vec<_>>());
        let of = |part: Part| -> std::collections::BTreeSet<String> {
            let value = |row: &u32| format!("{:?}", dataset.cells(0).value(*row as usize));
            split.rows(part).iter().map(value).filter(|value| value != "Null").collect()
        };
        let (train, validation, test) = (of(Part::Train), of(Part::Validation), of(Part::Test));
        assert!(train.is_disjoint(&test) && train.is_disjoint(&validation) && validation.is_disjoint(&test));
        assert!((170..=230).contains(&split.rows(Part::Test).len()), "{}", split.rows(Part::Test).len());
    }

    #[test]
    fn an_empty_part_is_refused_by_name() {
        let (dataset, labels) = labelled(&[Some(0), Some(1)]);
        let refused = Split::new(&random(0.0, 0.1, 1), &dataset, None, &labels);
        assert_eq!(refused, Err(SplitError::TooFewRows { rows: 2, part: Part::Test }));
    }
}
