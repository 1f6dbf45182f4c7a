//! Features: computed on every row by the same evaluator that training and serving use, and held against the document.

use std::collections::HashMap;

use foldhash::quality::FixedState;
use millrace_domain::expr::Bound;
use millrace_domain::problem::{Feature, FeatureType};
use millrace_domain::schema::{Finding, Value, ValueType};
use rayon::prelude::*;

use super::finding::{Check, Offenders};
use super::labels::Labels;
use super::leak::{self, Leak};
use crate::dataset::Dataset;
use crate::order::{key_of, number_of};
use crate::wording::{self, count, counted, list, share};

/// The check of inputs that are the target itself, told in other words: no model with one passes its gates.
pub(super) const COPY: &str = "target_copy";
/// Further distinct values of a category are not told apart.
const MOST_LEVELS: usize = 100_000;
/// A value in more than this share of the rows leaves next to nothing to learn from.
const NEARLY_CONSTANT: f64 = 0.999;
/// Sums of two are looked for among so many features.
const MOST_SUMMED: usize = 200;
/// A category of so many rows or more, all different, is an identifier.
const FEWEST_UNIQUE: u64 = 30;

pub(super) fn check<'p>(
    dataset: &Dataset,
    features: impl Iterator<Item = &'p Feature>,
    labels: Option<&Labels>,
) -> Vec<Finding> {
    let features: Vec<&Feature> = features.collect();
    let checked: Vec<(Vec<Finding>, Option<FirstValues<'_>>)> =
        features.par_iter().filter_map(|feature| check_feature(dataset, feature, labels)).collect();
    let (mut findings, first): (Vec<Vec<Finding>>, Vec<Option<FirstValues<'_>>>) = checked.into_iter().unzip();
    let asserted = |name: &str| features.iter().any(|feature| feature.known_before_label && feature.name == name);
    let numbers: Vec<FirstValues<'_>> =
        first.into_iter().flatten().filter(|(name, _)| !asserted(name)).take(MOST_SUMMED).collect();
    if let Some(labels) = labels.filter(|labels| labels.ordered) {
        findings.push(leak::sums(&numbers, labels).into_iter().map(summed).collect());
    }
    findings.into_iter().flatten().collect()
}

/// A feature that is a number, and its first values.
type FirstValues<'p> = (&'p str, Vec<Option<f64>>);

fn summed((first, way, second): (&str, &str, &str)) -> Finding {
    let observed = match way {
        "from" => format!("{second} minus {first} is the target; are both known before it is?"),
        way => format!("{first} {way} {second} is the target; are both known before it is?"),
    };
    Check::warning(COPY).of(first).failed("no two inputs give the target away together", observed)
}

/// None when the expression does not fit the columns, which the check of expressions reports.
fn check_feature<'p>(
    dataset: &Dataset,
    feature: &'p Feature,
    labels: Option<&Labels>,
) -> Option<(Vec<Finding>, Option<FirstValues<'p>>)> {
    let dataset = &dataset.fresh();
    let bound = feature.expression.bind(dataset.schema()).ok()?;
    let scan = match (feature.feature_type, bound.value_type()) {
        (_, ValueType::Time) | (FeatureType::Number, ValueType::Text) => return None,
        (FeatureType::Number, _) => Scan::numbers(dataset, feature, &bound),
        (FeatureType::Category, _) => Scan::categories(dataset, feature, &bound),
    };
    let leak =
        labels.filter(|_| !feature.known_before_label).map(|labels| leak::find(&scan.keys, scan.ordered, labels));
    let first = scan.ordered.then(|| {
        let values = scan.keys.iter().take(leak::SUMMED).map(|key| key.map(number_of)).collect();
        (feature.name.as_str(), values)
    });
    Some((scan.findings(feature, dataset.rows() as u64, leak), first))
}

/// What one pass over all rows gives.
#[derive(Default)]
struct Scan {
    missing: Offenders,
    below: Offenders,
    above: Offenders,
    unknown: Offenders,
    least: Option<f64>,
    greatest: Option<f64>,
    /// Values that the document does not allow, in order of appearance.
    strangers: Vec<String>,
    /// Rows of the most frequent value, that value, and how many values there are; none when there were too many to count.
    frequent: Option<(u64, String, u64)>,
    /// Equal keys are equal values.
    keys: Vec<Option<i64>>,
    ordered: bool,
}

impl Scan {
    fn numbers(dataset: &Dataset, feature: &Feature, bound: &Bound) -> Self {
        let mut scan = Self { ordered: true, keys: Vec::with_capacity(dataset.rows()), ..Self::default() };
        for row in 0..dataset.rows() {
            let number = match bound.evaluate(&dataset.row(row)) {
                Value::Number(number) => number,
                Value::Boolean(truth) => f64::from(u8::from(truth)),
                Value::Null | Value::Text(_) | Value::Time(_) => {
                    scan.missing.add(row, || "missing".to_owned());
                    scan.keys.push(None);
                    continue;
                }
            };
            scan.keys.push(Some(key_of(number)));
            if feature.min.is_some_and(|min| number < min) {
                scan.below.add(row, || number.to_string());
            }
            if feature.max.is_some_and(|max| number > max) {
                scan.above.add(row, || number.to_string());
            }
            scan.least = Some(scan.least.map_or(number, |least| least.min(number)));
            scan.greatest = Some(scan.greatest.map_or(number, |greatest| greatest.max(number)));
        }
        if let (Some(least), true) = (scan.least, scan.least == scan.greatest) {
            let present = dataset.rows() as u64 - scan.missing.rows();
            scan.frequent = Some((present, least.to_string(), 1));
        }
        scan
    }

    fn categories(dataset: &Dataset, feature: &Feature, bound: &Bound) -> Self {
        let mut scan = Self { keys: Vec::with_capacity(dataset.rows()), ..Self::default() };
        let mut levels = Levels { allowed: feature.values.as_deref(), ..Levels::default() };
        for row in 0..dataset.rows() {
            let cells = dataset.row(row);
            let value = bound.evaluate(&cells);
            let Some(level) = levels.of(&value) else {
                scan.missing.add(row, || "missing".to_owned());
                scan.keys.push(None);
                continue;
            };
            scan.keys.push(level.key);
            if !level.is_allowed {
                if scan.strangers.len() <= 5 && level.is_new {
                    scan.strangers.push(wording::value(&value));
                }
                scan.unknown.add(row, || wording::value(&value));
            }
        }
        scan.frequent = levels.most_frequent();
        scan
    }

    fn findings(self, feature: &Feature, rows: u64, leak: Option<Option<Leak>>) -> Vec<Finding> {
        let name = feature.name.as_str();
        let present = rows - self.missing.rows();
        let mut findings = Vec::with_capacity(5);
        if present > 0 {
            findings.extend(self.constant(name, present));
        } else {
            let observed = format!("missing in all {}", counted(rows, "row"));
            findings.push(Check::warning("constant_feature").of(name).failed("values that differ", observed));
        }
        if let Some(leak) = leak {
            findings.push(explained(leak, name));
        }
        let Self { missing, below, above, unknown, least, greatest, strangers, .. } = self;
        findings.push(nulls(feature, missing, rows));
        let range = least.zip(greatest);
        findings
            .extend(feature.min.map(|min| bounded("min_value", format!("at least {min}"), name, below, range, rows)));
        findings
            .extend(feature.max.map(|max| bounded("max_value", format!("at most {max}"), name, above, range, rows)));
        findings.extend(feature.values.as_ref().map(|values| members(values, name, unknown, &strangers, rows)));
        findings
    }

    /// One value everywhere, nearly everywhere, or a new one in every row.
    fn constant(&self, name: &str, present: u64) -> Vec<Finding> {
        let expected = "values that differ";
        let Some((rows, value, distinct)) = &self.frequent else {
            return vec![Check::warning("constant_feature").of(name).passed(expected, "they differ")];
        };
        let constant = Check::warning("constant_feature").of(name);
        if *distinct == 1 {
            return vec![
                constant.failed(expected, format!("{value:?} in all {} with a value", counted(present, "row"))),
            ];
        }
        let mut findings = vec![constant.passed(expected, format!("{} values", count(*distinct)))];
        if *rows as f64 > NEARLY_CONSTANT * present as f64 {
            let observed =
                format!("{value:?} in {} of {} rows ({})", count(*rows), count(present), share(*rows, present));
            let expected = "no value in more than 99.9 % of the rows";
            findings.push(Check::warning("nearly_constant_feature").of(name).failed(expected, observed));
        }
        if *rows == 1 && present >= FEWEST_UNIQUE && !self.ordered {
            findings.push(unique(name, present));
        }
        findings
    }
}

fn unique(name: &str, present: u64) -> Finding {
    let observed =
        format!("a new value in each of {} rows: an identifier teaches nothing about others", count(present));
    Check::warning("unique_category").of(name).failed("values that come more than once", observed)
}

fn explained(leak: Option<Leak>, name: &str) -> Finding {
    let check = Check::warning("target_leak").of(name);
    let copied = Check::warning(COPY).of(name);
    let expected = "does not give the target away by itself";
    let question = "explains the target alone; is it known before the label is?";
    match leak {
        None => check.passed(expected, "it does not"),
        Some(Leak::Value { values }) => copied.failed(
            expected,
            format!("each of its {} stands for one label: it {question}", counted(values as u64, "value")),
        ),
        Some(Leak::Rank { auc }) => check.failed(
            expected,
            format!(
                "alone it tells the two classes apart with a ROC AUC of {auc:.3}: is it known before the label is?"
            ),
        ),
        Some(Leak::Order) => copied.failed(expected, format!("its order is that of the labels: it {question}")),
    }
}

fn nulls(feature: &Feature, missing: Offenders, rows: u64) -> Finding {
    let allowed = if feature.nullable { feature.max_null_share.unwrap_or(1.0) } else { 0.0 };
    let expected = match (feature.nullable, feature.max_null_share) {
        (false, _) => "no missing values".to_owned(),
        (true, Some(limit)) => format!("at most {} % missing values", limit * 100.0),
        (true, None) => "missing values are allowed".to_owned(),
    };
    let observed =
        format!("missing in {} of {} rows ({})", count(missing.rows()), count(rows), share(missing.rows(), rows));
    let check = Check::critical("null_share").of(&feature.name);
    if rows == 0 {
        return check.skipped(expected, "there are no rows");
    }
    check.decided(missing.rows() as f64 <= allowed * rows as f64, missing, expected, observed)
}

fn bounded(
    check: &'static str,
    expected: String,
    name: &str,
    outside: Offenders,
    range: Option<(f64, f64)>,
    rows: u64,
) -> Finding {
    let check = Check::critical(check).of(name);
    let Some((least, greatest)) = range else { return check.skipped(expected, "there are no values") };
    let seen = format!("values from {least} to {greatest}");
    if outside.rows() == 0 {
        return check.passed(expected, seen);
    }
    let observed = format!(
        "{seen}; outside in {} of {} rows ({})",
        count(outside.rows()),
        count(rows),
        share(outside.rows(), rows)
    );
    check.broken_by(outside, expected, observed)
}

fn members(values: &[String], name: &str, unknown: Offenders, strangers: &[String], rows: u64) -> Finding {
    let check = Check::critical("allowed_values").of(name);
    let expected = format!("one of {}", list(values.iter().map(String::as_str)));
    if unknown.rows() == 0 {
        return check.passed(expected, "nothing else");
    }
    let observed = format!(
        "{} in {} of {} rows ({})",
        list(strangers.iter().map(String::as_str)),
        count(unknown.rows()),
        count(rows),
        share(unknown.rows(), rows)
    );
    check.broken_by(unknown, expected, observed)
}

/// The values of a category as they are met.
#[derive(Default)]
struct Levels<'a> {
    allowed: Option<&'a [String]>,
    texts: HashMap<Box<str>, usize, FixedState>,
    numbers: HashMap<i64, usize, FixedState>,
    truths: [Option<usize>; 2],
    met: Vec<Met>,
    untracked: bool,
}

struct Met {
    text: String,
    rows: u64,
    is_allowed: bool,
}

struct Level {
    /// None for values beyond those that are told apart.
    key: Option<i64>,
    is_allowed: bool,
    is_new: bool,
}

impl Levels<'_> {
    /// The level of a value; none for a missing one.
    fn of(&mut self, value: &Value<'_>) -> Option<Level> {
        let next = self.met.len();
        let room = next < MOST_LEVELS;
        let known = match value {
            Value::Null => return None,
            Value::Number(number) => self.numbers.get(&key_of(*number)),
            Value::Time(micros) => self.numbers.get(micros),
            Value::Boolean(truth) => self.truths[usize::from(*truth)].as_ref(),
            Value::Text(text) => self.texts.get(text.as_ref()),
        };
        if let Some(position) = known.copied() {
            let met = &mut self.met[position];
            met.rows += 1;
            return Some(Level { key: Some(position as i64), is_allowed: met.is_allowed, is_new: false });
        }
        let text = as_category(value);
        let is_allowed = self.allowed.is_none_or(|allowed| allowed.contains(&text));
        if !room {
            self.untracked = true;
            return Some(Level { key: None, is_allowed, is_new: true });
        }
        match value {
            Value::Null => return None,
            Value::Number(number) => {
                self.numbers.insert(key_of(*number), next);
            }
            Value::Time(micros) => {
                self.numbers.insert(*micros, next);
            }
            Value::Boolean(truth) => self.truths[usize::from(*truth)] = Some(next),
            Value::Text(text) => {
                self.texts.insert(text.as_ref().into(), next);
            }
        }
        self.met.push(Met { text, rows: 1, is_allowed });
        Some(Level { key: Some(next as i64), is_allowed, is_new: true })
    }

    /// Rows and text of the most frequent value, and how many values there are.
    fn most_frequent(self) -> Option<(u64, String, u64)> {
        let distinct = self.met.len() as u64 + u64::from(self.untracked);
        let top = self.met.into_iter().max_by_key(|met| met.rows)?;
        Some((top.rows, wording::cut(&top.text), distinct))
    }
}

/// The text that names a category's value, as features have it: a whole number without a fraction, −0 as 0.
pub(super) fn as_category(value: &Value<'_>) -> String {
    match value {
        Value::Number(number) => (number + 0.0).to_string(),
        Value::Text(text) => text.as_ref().to_owned(),
        other => wording::value(other),
    }
}
