//! Tables that rows are joined to: whether their rows can be found, and which one counts.

use millrace_domain::problem::{ProblemDocument, SourceTable};
use millrace_domain::schema::{CheckOutcome, ColumnType, Finding, Profile, ValidationReport};

use super::finding::{Check, Offenders};
use super::{Known, LIVE, columns, rows, schema, sort};
use crate::dataset::Dataset;
use crate::drift::compare;
use crate::wording::{count, list, share};

/// Checks `dataset`, of that profile, as the source table of `problem`.
pub fn validate_table(
    dataset: &Dataset,
    profile: &Profile,
    problem: &ProblemDocument,
    table: &SourceTable,
    known: Known<'_>,
) -> ValidationReport {
    let before = known.previous.map(|previous| previous.profile);
    let used = problem.columns_of_table(table);
    let mut findings = rows::check_change_of_count(dataset, before, 1);
    findings.extend(used.iter().map(|name| schema::exists(dataset, name, "read by joins")));
    if let Some((live, read)) = known.live.and_then(|live| Some((live, live.table(&table.name)?))) {
        let more = live.columns_of_table(read).into_iter().filter(|name| !used.contains(name));
        findings.extend(more.map(|name| schema::exists(dataset, &name, LIVE)));
    }
    if let Some(before) = before {
        findings.extend(schema::check_change(dataset, &used, before));
    }
    let drift = known.previous.map(|previous| compare(previous.dataset, dataset, previous.version));
    findings.extend(drift.iter().flat_map(|table| super::drift::check(table, problem, &used)));
    for name in &table.key {
        findings.extend(complete_key(&dataset.fresh(), name));
    }
    for (role, name) in [("event_time", &table.event_time), ("known_time", &table.known_time)] {
        findings.extend(name.as_deref().and_then(|name| is_time(&dataset.fresh(), role, name)));
    }
    findings.extend(unique(&dataset.fresh(), table));
    if table.event_time.is_some() && table.known_time.is_none() {
        findings.push(Check::info("looser_join").failed(
            "a column known_time says when a row became known",
            "there is none: a row counts from the time it holds, and a later correction changes what earlier rows see",
        ));
    }
    findings.extend(columns::check_empty(profile));
    findings.extend(columns::repeat_notes(profile));
    sort(&mut findings);
    ValidationReport { findings, drift }
}

fn complete_key(dataset: &Dataset, name: &str) -> Option<Finding> {
    let cells = dataset.cells(dataset.slot(name)?);
    Some(columns::complete(dataset, cells, Check::warning("key_missing").of(name), "a key by which it is found"))
}

fn is_time(dataset: &Dataset, role: &'static str, name: &str) -> Option<Finding> {
    let cells = dataset.cells(dataset.slot(name)?);
    let check = Check::critical(role).of(name);
    if cells.column_type() == ColumnType::Time {
        let complete = columns::complete(dataset, cells, Check::warning(role).of(name), "a time");
        return Some(match complete.outcome {
            CheckOutcome::Passed => check.passed("times", "the column holds times"),
            _ => complete,
        });
    }
    let observed = format!("the column is read as {}; correct it, or the table's time_format", cells.column_type());
    Some(check.failed("times", observed))
}

/// Which row of several counts must be clear: without a time, there is one of each key.
fn unique(dataset: &Dataset, table: &SourceTable) -> Option<Finding> {
    let names: Vec<&String> = table.key.iter().chain(&table.event_time).chain(&table.known_time).collect();
    let slots: Vec<usize> = names.iter().map(|name| dataset.slot(name)).collect::<Option<_>>()?;
    let all: Vec<u32> = (0..dataset.rows() as u32).collect();
    let mut repeated = Offenders::default();
    for (row, first) in rows::repeats(dataset, &slots, &all) {
        repeated.add(row as usize, || format!("repeats row {}", first + 1));
    }
    let expected = format!("one row of each {}", list(names.iter().map(|name| name.as_str())));
    let (found, rows) = (repeated.rows(), dataset.rows() as u64);
    let check = if table.event_time.is_none() { Check::critical("key_unique") } else { Check::warning("key_unique") };
    let observed = match found {
        0 => "each comes once".to_owned(),
        _ => format!(
            "{} of {} rows ({}) repeat an earlier one{}",
            count(found),
            count(rows),
            share(found, rows),
            if table.event_time.is_none() { ", and neither is the newer" } else { "; the last of them counts" }
        ),
    };
    Some(check.decided(found == 0, repeated, expected, observed))
}
