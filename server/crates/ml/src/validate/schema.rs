//! Columns and expressions: whether what the problem reads is there, and what changed since the version before.

use std::collections::BTreeSet;

use millrace_domain::expr::{BindError, Expression};
use millrace_domain::problem::{Definition, Environment, Feature, FeatureType, ProblemDocument};
use millrace_domain::schema::{Column, Finding, Profile, Severity, ValueType};

use super::Known;
use super::finding::Check;
use crate::dataset::Dataset;
use crate::wording::{count, list};

/// The names of columns that the problem reads.
pub(super) fn used(problem: &ProblemDocument) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let target = problem.target.definition.expression();
    let expressions = std::iter::once(&target).chain(problem.features.iter().map(|feature| &feature.expression));
    names.extend(expressions.flat_map(|expression| expression.columns()).map(str::to_owned));
    names.extend(problem.data.entity.clone());
    names.extend(problem.data.event_time.clone());
    names.extend(problem.data.known_time.clone());
    names.extend(problem.join_columns().into_iter().map(str::to_owned));
    names.extend(problem.slices.iter().map(|slice| slice.by.clone()).filter(|by| !is_feature(problem, by)));
    names.retain(|name| !problem.is_joined(name));
    names
}

fn is_feature(problem: &ProblemDocument, name: &str) -> bool {
    problem.features.iter().any(|feature| feature.name == name)
}

/// Every column that the problem reads exists, and every expression fits the types of its columns.
pub(super) fn check_columns(dataset: &Dataset, problem: &ProblemDocument, known: Known<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let data = &problem.data;
    let plain = [
        ("the entity of the problem", data.entity.as_ref()),
        ("the event time of the problem", data.event_time.as_ref()),
        ("the known time of the problem", data.known_time.as_ref()),
    ];
    for (role, name) in plain {
        findings.extend(name.map(|name| exists_or_lacks(dataset, name, role, known)));
    }
    for slice in problem.slices.iter().filter(|slice| !is_feature(problem, &slice.by) && !problem.is_joined(&slice.by))
    {
        findings.push(exists_or_lacks(dataset, &slice.by, "a slice of the problem", known));
    }
    for name in problem.join_columns() {
        findings.push(exists_or_lacks(dataset, name, "read by joins", known));
    }
    if !known.is_unlabelled(problem) {
        findings.push(target(dataset, problem));
    }
    for feature in &problem.features {
        if problem.reads_joined(&feature.expression) {
            let expected = format!("{} can be computed", feature.expression.text());
            let check = Check::critical("expression").of(&feature.name);
            let when =
                if known.environment.is_some() { "a model is asked" } else { "a run begins, and is checked there" };
            findings.push(check.skipped(expected, format!("it reads what is joined when {when}")));
        } else {
            findings.push(fits(dataset, feature));
        }
    }
    findings
}

/// The feature's expression fits the columns and gives something of its type.
pub(super) fn fits(dataset: &Dataset, feature: &Feature) -> Finding {
    let wanted = match feature.feature_type {
        FeatureType::Number => "a number or a truth value",
        FeatureType::Category => "a text, a number or a truth value",
    };
    let fits = |found: ValueType| match feature.feature_type {
        FeatureType::Number => matches!(found, ValueType::Number | ValueType::Boolean),
        FeatureType::Category => found != ValueType::Time,
    };
    computes(dataset, &feature.name, &feature.expression, wanted, fits)
}

pub(super) fn exists(dataset: &Dataset, name: &str, role: &str) -> Finding {
    let check = Check::critical("column_present").of(name);
    let expected = format!("a column {name:?}, which is {role}");
    match Expression::column(name).bind(dataset.schema()) {
        Ok(_) => check.passed(expected, "it is there"),
        Err(error) => check.failed(expected, unbound(&error, dataset)),
    }
}

/// Likewise, unless the environment may do without it.
fn exists_or_lacks(dataset: &Dataset, name: &str, role: &str, known: Known<'_>) -> Finding {
    match known.environment.filter(|_| known.is_without(dataset, name)) {
        None => exists(dataset, name, role),
        Some(environment) => Check::critical("column_present")
            .of(name)
            .skipped(format!("a column {name:?}, which is {role}"), without(environment)),
    }
}

/// Why something is not looked at in an environment.
pub(super) fn without(environment: &Environment) -> String {
    format!("{} come without it", environment.name)
}

fn target(dataset: &Dataset, problem: &ProblemDocument) -> Finding {
    let expression = problem.target.definition.expression();
    let name = match &problem.target.definition {
        Definition::Column(name) => name,
        Definition::Expression(_) => &problem.target.name,
    };
    computes(dataset, name, &expression, "a label", |_| true)
}

/// Whether the expression fits the columns and gives something of a fitting type.
fn computes(
    dataset: &Dataset,
    name: &str,
    expression: &Expression,
    wanted: &str,
    fits: impl Fn(ValueType) -> bool,
) -> Finding {
    let check = Check::critical("expression").of(name);
    let expected = format!("{} gives {wanted}", expression.text());
    match expression.bind(dataset.schema()) {
        Ok(bound) if fits(bound.value_type()) => check.passed(expected, format!("it gives a {}", bound.value_type())),
        Ok(bound) => match empty_column(dataset, expression) {
            Some(empty) => check.failed(expected, format!("the column {empty:?} has no value in any row")),
            None => check.failed(expected, format!("it gives a {}{}", bound.value_type(), advice(bound.value_type()))),
        },
        Err(error) => check.failed(expected, unbound(&error, dataset)),
    }
}

/// A column that the expression reads and that holds nothing: its type is a guess, and a wrong type not the trouble.
fn empty_column(dataset: &Dataset, expression: &Expression) -> Option<String> {
    let is_empty = |name: &String| {
        dataset.slot(name).is_some_and(|slot| dataset.cells(slot).missing() == dataset.rows() && dataset.rows() > 0)
    };
    expression.columns().into_iter().map(|name| name.to_string()).find(is_empty)
}

/// How to make a number of it.
fn advice(found: ValueType) -> &'static str {
    match found {
        ValueType::Text => "; make the feature a category, or write CAST(… AS double precision)",
        ValueType::Time => "; take a number from it, as in hour(…), day_of_week(…) or epoch(…)",
        ValueType::Number | ValueType::Boolean => "",
    }
}

fn unbound(error: &BindError, dataset: &Dataset) -> String {
    match error {
        BindError::UnknownColumn { similar: None, .. } => {
            let names = dataset.schema().iter().map(|column| column.name.as_str());
            format!("{error}; the dataset has {}", list(names))
        }
        _ => error.to_string(),
    }
}

/// What is different from the version before: a removed or retyped column stops the pipeline if the problem reads it.
pub(super) fn check_change(dataset: &Dataset, used: &BTreeSet<String>, previous: &Profile) -> Vec<Finding> {
    let severity = |name: &str| if used.contains(name) { Severity::Critical } else { Severity::Warning };
    let mut findings = Vec::new();
    for before in previous.columns.iter().map(|column| &column.column) {
        let now = dataset.slot(&before.name).map(|slot| &dataset.schema()[slot]);
        let of = |name| Check { name, column: Some(&before.name), severity: severity(&before.name) };
        match now {
            None => findings
                .push(of("column_removed").failed("every column of the previous version", removed(before, used))),
            Some(now) if now.column_type != before.column_type => findings.push(of("column_type_changed").failed(
                format!("type {}, as in the previous version", before.column_type),
                format!("type {}", now.column_type),
            )),
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = previous.columns.iter().map(|column| column.column.name.as_str()).collect();
    for new in dataset.schema().iter().filter(|column| !known.contains(column.name.as_str())) {
        findings.push(
            Check::info("column_new")
                .of(&new.name)
                .failed("the columns of the previous version", format!("a new column of type {}", new.column_type)),
        );
    }
    if findings.is_empty() {
        let columns = count(dataset.schema().len() as u64);
        findings.push(
            Check::critical("schema_unchanged")
                .passed("the columns and types of the previous version", format!("the same {columns} columns")),
        );
    }
    findings
}

fn removed(before: &Column, used: &BTreeSet<String>) -> String {
    let role = if used.contains(&before.name) { "the problem reads it" } else { "the problem does not read it" };
    format!("the column of type {} is gone; {role}", before.column_type)
}
