//! Checks that hold for a version of a dataset: a first schema, to be edited and signed with the problem.
//!
//! Everything suggested is a warning, so that a person decides what is critical. As TensorFlow Data Validation infers a schema: presence
//! and share of missing cells, the values of small sets, keys; and beside these signs and magnitudes of numbers.

use super::import::{free_name, quoted};
use super::rule::MOST_CHECKS;
use super::{DataCheck, Imported, Rule, Statistic};
use crate::expr::Expression;
use crate::schema::{ColumnProfile, ColumnType, Profile, Severity};

/// A share of missing cells may grow by so much of itself, and by [`SLACK`].
const GROWTH: f64 = 1.5;
/// Cells that may be missing although few are.
const SLACK: f64 = 0.01;
/// A text column is a set of values if they are all among the frequent ones, and each comes so often on average.
const REPEATED: u64 = 10;

/// The checks that hold for a profile.
pub fn checks_that_hold(profile: &Profile) -> Imported {
    let mut checks = vec![check(
        "as many rows as now",
        Rule::Statistic {
            statistic: Statistic::Rows,
            of: None,
            min: Some((profile.rows / 2) as f64),
            max: Some((profile.rows * 2) as f64),
        },
    )];
    for suggested in profile.columns.iter().flat_map(|column| of_column(column, profile.rows)).take(MOST_CHECKS - 1) {
        let name = free_name(&checks, &suggested.name);
        checks.push(DataCheck { name, ..suggested });
    }
    Imported { checks, ..Imported::default() }
}

fn check(name: impl Into<String>, rule: Rule) -> DataCheck {
    DataCheck { name: name.into(), rule, severity: Severity::Warning }
}

fn of_column(column: &ColumnProfile, rows: u64) -> Vec<DataCheck> {
    let name = &column.column.name;
    let cell = Expression::column(name).text().to_owned();
    let mut checks = vec![presence(column, rows, &cell)];
    let is_key = column.missing == 0 && column.distinct == rows && rows > 1;
    let in_rows =
        |text: String| Expression::parse(&text).ok().map(|expression| Rule::Rows { expression, at_least: 1.0 });
    match column.column.column_type {
        ColumnType::Integer | ColumnType::Text if is_key => {
            checks.push(check(format!("{name} is a key"), Rule::Unique { unique: vec![name.clone()] }));
        }
        ColumnType::Integer | ColumnType::Number => {
            let least = column.quantiles.map(|quantiles| quantiles[0]);
            if least.is_some_and(|least| least >= 0.0) {
                let sign = if least.is_some_and(|least| least > 0.0) { ">" } else { ">=" };
                let rule = in_rows(format!("{cell} {sign} 0"));
                checks.extend(rule.map(|rule| check(format!("{name} {sign} 0"), rule)));
            }
            if let (Some(mean), Some(spread)) = (column.mean, column.standard_deviation) {
                let rule = Rule::Statistic {
                    statistic: Statistic::Mean,
                    of: Some(name.clone()),
                    min: Some(mean - spread),
                    max: Some(mean + spread),
                };
                checks.push(check(format!("mean of {name}"), rule));
            }
        }
        ColumnType::Text => {
            let is_set = column.distinct as usize == column.top.len() && column.present >= column.distinct * REPEATED;
            if is_set && column.distinct > 0 {
                let values: Vec<String> = column.top.iter().map(|(value, _)| quoted(value)).collect();
                let rule = in_rows(format!("{cell} IN ({})", values.join(", ")));
                checks.extend(rule.map(|rule| check(format!("values of {name}"), rule)));
            }
        }
        ColumnType::Boolean | ColumnType::Time => {}
    }
    checks
}

/// How many cells may be missing; none where none are.
fn presence(column: &ColumnProfile, rows: u64, cell: &str) -> DataCheck {
    let name = &column.column.name;
    let never = (column.missing == 0)
        .then(|| Expression::parse(&format!("{cell} IS NOT NULL")).ok())
        .flatten()
        .map(|expression| Rule::Rows { expression, at_least: 1.0 });
    let share = if rows == 0 { 0.0 } else { column.missing as f64 / rows as f64 };
    let allowed = ((share * GROWTH + SLACK) * 1_000.0).ceil() / 1_000.0;
    let seldom = Rule::Statistic {
        statistic: Statistic::MissingShare,
        of: Some(name.clone()),
        min: None,
        max: Some(allowed.min(1.0)),
    };
    match never {
        Some(never) => check(format!("{name} is there"), never),
        None => check(format!("missing share of {name}"), seldom),
    }
}
