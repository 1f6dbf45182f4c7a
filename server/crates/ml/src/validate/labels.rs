//! Labels: whether there is something to learn.

use std::collections::HashMap;

use foldhash::quality::FixedState;
use millrace_domain::expr::Bound;
use millrace_domain::metric::TargetKind;
use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::{Finding, Value, ValueType};

use super::finding::{Check, Offenders};
use crate::dataset::Dataset;
use crate::features::MOST_CLASSES;
use crate::order::key_of;
use crate::wording::{self, count, counted, list, share};

/// The rarest class should not be rarer than one in so many rows.
const RAREST: u64 = 1_000;
/// A class with fewer rows cannot be in the training, validation and test part alike.
const FEWEST_OF_CLASS: u64 = 10;

/// One number a row that is equal for equal labels; none where the label is missing. For a regression it has the order of the
/// labels.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) keys: Vec<Option<i64>>,
    /// Whether the order of the keys means something.
    pub(super) ordered: bool,
}

/// Checks the labels; gives them back when every row's could be computed at all.
pub(super) fn check(dataset: &Dataset, problem: &ProblemDocument) -> (Option<Labels>, Vec<Finding>) {
    let expression = problem.target.definition.expression();
    // An expression that does not fit the columns is reported by the check of expressions.
    let Ok(bound) = expression.bind(dataset.schema()) else { return (None, Vec::new()) };
    let name = problem.target.name.as_str();
    let (labels, mut findings) = match problem.target.kind {
        TargetKind::Regression => regression(dataset, &bound, name),
        kind => classification(dataset, &bound, name, kind),
    };
    findings.insert(0, missing(dataset, &labels, name));
    (Some(labels), findings)
}

fn missing(dataset: &Dataset, labels: &Labels, name: &str) -> Finding {
    let mut offenders = Offenders::default();
    for (row, _) in labels.keys.iter().enumerate().filter(|(_, key)| key.is_none()) {
        offenders.add(row, || "missing".to_owned());
    }
    let rows = dataset.rows() as u64;
    let (missing, holds) = (offenders.rows(), offenders.rows() == 0 && rows > 0);
    let observed = format!("missing in {} of {} rows ({})", count(missing), count(rows), share(missing, rows));
    Check::critical("label_missing").of(name).decided(holds, offenders, "every row has a label", observed)
}

fn regression(dataset: &Dataset, bound: &Bound, name: &str) -> (Labels, Vec<Finding>) {
    let typed = Check::critical("label_type").of(name);
    let expected = "a regression's labels are numbers";
    if bound.value_type() != ValueType::Number {
        let keys = vec![None; dataset.rows()];
        let observed = format!("they are of type {}", bound.value_type());
        return (Labels { keys, ordered: true }, vec![typed.failed(expected, observed)]);
    }
    let keys = (0..dataset.rows()).map(|row| match bound.evaluate(&dataset.row(row)) {
        Value::Number(number) => Some(key_of(number)),
        _ => None,
    });
    let labels = Labels { keys: keys.collect(), ordered: true };
    let mut known = labels.keys.iter().flatten();
    let first = known.next();
    let varied = first.is_some_and(|first| known.any(|key| key != first));
    let observed = match (first, varied) {
        (None, _) => "there are no labels".to_owned(),
        (Some(_), true) => "they differ".to_owned(),
        (Some(_), false) => "all are equal: there is nothing to learn".to_owned(),
    };
    let constant = Check::critical("label_constant").of(name);
    let differ = constant.decided(varied, Offenders::default(), "labels differ between rows", observed);
    (labels, vec![typed.passed(expected, "they are numbers"), differ])
}

fn classification(dataset: &Dataset, bound: &Bound, name: &str, kind: TargetKind) -> (Labels, Vec<Finding>) {
    let mut classes = Classes::default();
    let keys = (0..dataset.rows()).map(|row| classes.key(&bound.evaluate(&dataset.row(row)))).collect();
    let labels = Labels { keys, ordered: false };
    let named = classes.by_size();
    let found = named.len() as u64;
    let (expected, fits) = match kind {
        TargetKind::Binary => ("two classes".to_owned(), found == 2),
        _ => (format!("3 to {MOST_CLASSES} classes"), (3..=MOST_CLASSES as u64).contains(&found)),
    };
    let number = Check::critical("label_classes").of(name);
    let mut findings = vec![number.decided(fits, Offenders::default(), expected, described(&named))];
    if found >= 2 {
        findings.extend(balance(&named, name));
    }
    (labels, findings)
}

/// `2 classes: "false" (12,030 rows), "true" (2,972 rows)`.
fn described(named: &[(String, u64)]) -> String {
    let one_only = if named.len() == 1 { "; there is nothing to tell apart" } else { "" };
    let shown: Vec<String> = named
        .iter()
        .take(5)
        .map(|(class, rows)| format!("{:?} ({})", wording::cut(class), counted(*rows, "row")))
        .collect();
    let more = if named.len() > shown.len() { " …" } else { "" };
    let colon = if named.is_empty() { "" } else { ": " };
    format!("{}{colon}{}{more}{one_only}", counted(named.len() as u64, "class"), shown.join(", "))
}

fn balance(named: &[(String, u64)], name: &str) -> Vec<Finding> {
    let rows: u64 = named.iter().map(|(_, rows)| rows).sum();
    let Some((rarest, fewest)) = named.last() else { return Vec::new() };
    let observed = format!(
        "the rarest, {:?}, is in {} of {} rows ({})",
        wording::cut(rarest),
        count(*fewest),
        count(rows),
        share(*fewest, rows)
    );
    let balanced = Check::warning("label_balance").of(name).decided(
        fewest.saturating_mul(RAREST) >= rows,
        Offenders::default(),
        format!("every class in at least 1 of {} rows", count(RAREST)),
        observed,
    );
    let scarce: Vec<&str> =
        named.iter().filter(|(_, rows)| *rows < FEWEST_OF_CLASS).map(|(class, _)| class.as_str()).collect();
    let sized = Check::warning("label_class_rows").of(name).decided(
        scarce.is_empty(),
        Offenders::default(),
        format!("every class in at least {FEWEST_OF_CLASS} rows"),
        if scarce.is_empty() { "every class has them".to_owned() } else { format!("fewer of {}", list(scarce)) },
    );
    vec![balanced, sized]
}

/// Classes as they are met.
#[derive(Debug, Default)]
struct Classes {
    texts: HashMap<Box<str>, usize, FixedState>,
    numbers: HashMap<i64, usize, FixedState>,
    truths: [Option<usize>; 2],
    met: Vec<(String, u64)>,
}

impl Classes {
    fn key(&mut self, value: &Value<'_>) -> Option<i64> {
        let next = self.met.len();
        let position = match value {
            Value::Null => return None,
            Value::Number(number) => *self.numbers.entry(key_of(*number)).or_insert(next),
            Value::Time(micros) => *self.numbers.entry(*micros).or_insert(next),
            Value::Boolean(truth) => *self.truths[usize::from(*truth)].get_or_insert(next),
            Value::Text(text) => match self.texts.get(text.as_ref()) {
                Some(position) => *position,
                None => *self.texts.entry(text.as_ref().into()).or_insert(next),
            },
        };
        if position == next {
            self.met.push((text_of(value), 0));
        }
        self.met[position].1 += 1;
        Some(position as i64)
    }

    /// The most frequent first.
    fn by_size(mut self) -> Vec<(String, u64)> {
        self.met.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.met
    }
}

fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.as_ref().to_owned(),
        other => wording::value(other),
    }
}
