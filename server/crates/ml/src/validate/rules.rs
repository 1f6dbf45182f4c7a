//! The rules that a document declares for its data.

use millrace_domain::expr::Expression;
use millrace_domain::partition::{Partition, Parts};
use millrace_domain::problem::{DataCheck, Rule, Statistic};
use millrace_domain::schema::{ColumnType, Finding, Profile, Value, ValueType};
use rayon::prelude::*;

use super::features::as_category;
use super::finding::{Check, Offenders};
use super::rows::repeats;
use super::{Known, scan, schema};
use crate::dataset::{Cells, Dataset};
use crate::order::key_of;
use crate::wording::{self, count, counted, list, share};

/// Checks the rules alone, in their order.
pub fn check_rules(dataset: &Dataset, profile: &Profile, checks: &[DataCheck]) -> Vec<Finding> {
    check(dataset, profile, checks, Known::default())
}

pub(super) fn check(dataset: &Dataset, profile: &Profile, checks: &[DataCheck], known: Known<'_>) -> Vec<Finding> {
    let check_one = |check: &DataCheck| {
        let absent = check.rule.columns().into_iter().find(|column| known.is_without(dataset, column));
        match absent.zip(known.environment) {
            None => check_one(&dataset.fresh(), profile, check),
            Some((column, environment)) => {
                let made = Check { name: &check.name, column: Some(column), severity: check.severity };
                made.skipped(format!("a column {column:?} to look at"), schema::without(environment))
            }
        }
    };
    checks.par_iter().map(check_one).collect()
}

fn check_one(dataset: &Dataset, profile: &Profile, declared: &DataCheck) -> Finding {
    let check = Check { name: &declared.name, column: None, severity: declared.severity };
    match &declared.rule {
        Rule::Rows { expression, at_least } => rows(dataset, check, expression, *at_least),
        Rule::Unique { unique } => self::unique(dataset, check, unique),
        Rule::Increasing { increasing } => self::increasing(dataset, check.of(increasing)),
        Rule::Distribution { distribution: name, partition, at_most } => {
            distribution(dataset, check.of(name), partition, *at_most)
        }
        Rule::Statistic { statistic, of, min, max } => {
            let check = Check { column: of.as_deref(), ..check };
            let title = statistic.as_str().replace('_', " ");
            match self::statistic(profile, *statistic, of.as_deref().unwrap_or_default()) {
                Ok(found) => bounded(check, &title, found, *min, *max),
                Err(reason) => check.errored(format!("a {title} to look at"), reason),
            }
        }
    }
}

/// Rows in which an expression is not true.
fn rows(dataset: &Dataset, check: Check<'_>, expression: &Expression, at_least: f64) -> Finding {
    let columns = expression.columns();
    let check = if let [column] = columns.as_slice() { check.of(column) } else { check };
    let expected = match at_least {
        1.0 => format!("{} in every row", expression.text()),
        share => format!("{} in at least {} % of the rows", expression.text(), share * 100.0),
    };
    let bound = match expression.bind(dataset.schema()) {
        Ok(bound) if bound.value_type() == ValueType::Boolean => bound,
        Ok(bound) => {
            return check.errored(expected, format!("it gives a {} and not a truth value", bound.value_type()));
        }
        Err(error) => return check.errored(expected, error.to_string()),
    };
    let show = |row: usize| shown(dataset, row, &columns);
    let (judged, broken) = scan::simple(dataset, &bound, show).unwrap_or_else(|| {
        let (mut judged, mut broken) = (0, Offenders::default());
        for row in 0..dataset.rows() {
            match bound.evaluate(&dataset.row(row)) {
                Value::Boolean(true) => judged += 1,
                Value::Boolean(false) => {
                    judged += 1;
                    broken.add(row, || show(row));
                }
                _ => {}
            }
        }
        (judged, broken)
    });
    if judged == 0 {
        return check.skipped(expected, "no row has what it reads");
    }
    let observed = format!(
        "broken in {} of {} judged rows ({})",
        count(broken.rows()),
        count(judged),
        share(broken.rows(), judged)
    );
    let holds = (judged - broken.rows()) as f64 >= at_least * judged as f64;
    check.decided(holds, broken, expected, observed)
}

/// `fare: 3, tips: 4`; the value alone of a single column.
fn shown(dataset: &Dataset, row: usize, columns: &[&str]) -> String {
    let value = |name: &str| {
        dataset.slot(name).map_or_else(String::new, |slot| wording::value(&dataset.cells(slot).value(row)))
    };
    match columns {
        [column] => value(column),
        columns => columns.iter().map(|column| format!("{column}: {}", value(column))).collect::<Vec<_>>().join(", "),
    }
}

fn unique(dataset: &Dataset, check: Check<'_>, names: &[String]) -> Finding {
    let check = if let [column] = names { check.of(column) } else { check };
    let expected = format!("no two rows with the same {}", list(names.iter().map(String::as_str)));
    let slots: Option<Vec<usize>> = names.iter().map(|name| dataset.slot(name)).collect();
    let Some(slots) = slots else { return check.errored(expected, absent(dataset, names)) };
    let complete = slots.iter().all(|slot| dataset.cells(*slot).missing() == 0);
    if complete && dataset.rows() > 0 && slots.iter().any(|slot| scan::rises(dataset.cells(*slot))) {
        return check.passed(expected, format!("all {} differ", count(dataset.rows() as u64)));
    }
    let judged: Vec<u32> = (0..dataset.rows() as u32)
        .filter(|row| slots.iter().all(|slot| !dataset.cells(*slot).is_missing(*row as usize)))
        .collect();
    if judged.is_empty() {
        return check.skipped(expected, "no row has a value in each of them");
    }
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut broken = Offenders::default();
    for (row, first) in repeats(dataset, &slots, &judged) {
        broken.add(row as usize, || {
            format!("{} as in row {}", shown(dataset, row as usize, &columns), dataset.number(first as usize))
        });
    }
    let rows = judged.len() as u64;
    let observed = match broken.rows() {
        0 => format!("all {} differ", count(rows)),
        repeated => {
            format!("{} of {} rows ({}) repeat an earlier one", count(repeated), count(rows), share(repeated, rows))
        }
    };
    check.decided(broken.rows() == 0, broken, expected, observed)
}

fn increasing(dataset: &Dataset, check: Check<'_>) -> Finding {
    let name = check.column.unwrap_or_default();
    let expected = "it never falls from one row to the next";
    let Some(slot) = dataset.slot(name) else {
        return check.errored(expected, absent(dataset, &[name.to_owned()]));
    };
    let cells = dataset.cells(slot);
    let key: Box<dyn Fn(usize) -> i64> = match cells {
        Cells::Integer(array) | Cells::Time(array) => Box::new(|row| array.values()[row]),
        Cells::Number(array) => Box::new(|row| key_of(array.values()[row])),
        Cells::Boolean(_) | Cells::Text(_) => {
            return check.errored(expected, format!("it is of type {}, which has no order here", cells.column_type()));
        }
    };
    let (mut judged, mut before, mut broken) = (0u64, None, Offenders::default());
    let rows = if scan::rises(cells) { 0..dataset.rows().min(1) } else { 0..dataset.rows() };
    for row in rows.filter(|row| !cells.is_missing(*row)) {
        let now = key(row);
        if before.is_some_and(|before| now < before) {
            broken.add(row, || wording::value(&cells.value(row)));
        }
        judged += 1;
        before = Some(now);
    }
    if judged == 0 {
        return check.skipped(expected, "there are no values");
    }
    let observed = format!("it falls in {}", counted(broken.rows(), "row"));
    check.decided(broken.rows() == 0, broken, expected, observed)
}

/// How far a column is from a distribution that was written down.
fn distribution(dataset: &Dataset, check: Check<'_>, partition: &Partition, at_most: f64) -> Finding {
    let expected =
        format!("a Kullback\u{2013}Leibler divergence of at most {at_most} from the distribution written down");
    let name = check.column.unwrap_or_default();
    let Some(slot) = dataset.slot(name) else { return check.errored(expected, absent(dataset, &[name.to_owned()])) };
    let cells = dataset.cells(slot);
    let values = (0..cells.len()).map(|row| cells.value(row));
    let compared = match (&partition.parts, cells.column_type()) {
        (Parts::Values { .. }, _) => {
            let texts: Vec<String> = values.filter(|value| !value.is_null()).map(|value| as_category(&value)).collect();
            partition.compare_values(texts.iter().map(String::as_str))
        }
        (Parts::Bins { .. }, ColumnType::Integer | ColumnType::Number) => {
            let number = |value| if let Value::Number(number) = value { Some(number) } else { None };
            partition.compare_numbers(values.filter_map(number))
        }
        (Parts::Bins { .. }, found) => {
            return check.errored(expected, format!("bins are of numbers, and the column is of type {found}"));
        }
    };
    match compared.map(|compared| compared.divergence) {
        None => check.skipped(expected, "there are no values"),
        Some(None) => check.failed(expected, "it is infinite: there are values where the distribution has none"),
        Some(Some(found)) => check.decided(found <= at_most, Offenders::default(), expected, format!("{found:.4}")),
    }
}

/// The statistic; none when there is nothing to take it of.
fn statistic(profile: &Profile, statistic: Statistic, name: &str) -> Result<Option<f64>, String> {
    if statistic == Statistic::Rows {
        return Ok(Some(profile.rows as f64));
    }
    let column = profile.columns.iter().find(|column| column.column.name == name);
    let column = column.ok_or_else(|| format!("there is no column {name:?}"))?;
    let numeric = matches!(column.column.column_type, ColumnType::Integer | ColumnType::Number);
    let cells = column.present + column.missing;
    Ok(match statistic {
        Statistic::Distinct => Some(column.distinct as f64),
        Statistic::MissingShare => (cells > 0).then(|| column.missing as f64 / cells as f64),
        _ if !numeric && column.present > 0 => {
            return Err(format!("the column is of type {} and not a number", column.column.column_type));
        }
        Statistic::Rows => None,
        Statistic::Mean => column.mean,
        Statistic::StandardDeviation => column.standard_deviation,
        Statistic::Minimum => column.quantiles.map(|quantiles| quantiles[0]),
        Statistic::Median => column.quantiles.map(|quantiles| quantiles[3]),
        Statistic::Maximum => column.quantiles.map(|quantiles| quantiles[6]),
    })
}

fn bounded(check: Check<'_>, name: &str, found: Option<f64>, min: Option<f64>, max: Option<f64>) -> Finding {
    let expected = match (min, max) {
        (Some(min), Some(max)) => format!("{name} between {min} and {max}"),
        (Some(min), None) => format!("{name} at least {min}"),
        (None, Some(max)) => format!("{name} at most {max}"),
        (None, None) => name.to_owned(),
    };
    let Some(found) = found else { return check.skipped(expected, "there are no values") };
    let holds = min.is_none_or(|min| found >= min) && max.is_none_or(|max| found <= max);
    check.decided(holds, Offenders::default(), expected, found.to_string())
}

fn absent(dataset: &Dataset, names: &[String]) -> String {
    let missing = names.iter().filter(|name| dataset.slot(name).is_none()).map(String::as_str);
    let known = dataset.schema().iter().map(|column| column.name.as_str());
    format!("there is no column {}; the dataset has {}", list(missing), list(known))
}
