//! Columns by themselves: event time, entity, empty ones, and what the reader noticed.

use millrace_domain::problem::{ProblemDocument, Split, TimeFormat};
use millrace_domain::schema::{ColumnType, Finding, Profile};

use super::finding::{Check, Offenders};
use crate::dataset::{Cells, Dataset};
use crate::wording::{count, counted, list, share};

/// Microseconds.
const DAY: i64 = 86_400_000_000;

/// The event time is a time, and known in every row: without it a split by time cannot place a row.
pub(super) fn check_event_time(dataset: &Dataset, problem: &ProblemDocument) -> Vec<Finding> {
    let Some(name) = &problem.data.event_time else { return Vec::new() };
    let Some(slot) = dataset.slot(name) else { return Vec::new() };
    let cells = dataset.cells(slot);
    let typed = Check::critical("event_time").of(name);
    let expected = match problem.data.time_format {
        TimeFormat::Iso => "times written as ISO 8601",
        TimeFormat::UnixS => "seconds since 1970",
        TimeFormat::UnixMs => "milliseconds since 1970",
    };
    if cells.column_type() != ColumnType::Time {
        let observed = format!(
            "the column is read as {}; correct the cells that are no times, or the problem's time_format",
            cells.column_type()
        );
        return vec![typed.failed(expected, observed)];
    }
    let known = match problem.data.split {
        Split::Time { .. } => Check::critical("event_time_missing"),
        Split::Random { .. } => Check::warning("event_time_missing"),
    };
    vec![typed.passed(expected, "the column holds times"), complete(dataset, cells, known.of(name), "an event time")]
}

/// No event lies more than a day after the load: a clock or a time zone is wrong, and a split by time would test on it.
pub(super) fn check_future(dataset: &Dataset, problem: &ProblemDocument, loaded_at: Option<i64>) -> Option<Finding> {
    let name = problem.data.event_time.as_ref()?;
    let latest = loaded_at?.saturating_add(DAY);
    let Cells::Time(times) = dataset.cells(dataset.slot(name)?) else { return None };
    let cells = dataset.cells(dataset.slot(name)?);
    let mut ahead = Offenders::default();
    for row in (0..times.len()).filter(|row| times.values()[*row] > latest && !cells.is_missing(*row)) {
        ahead.add(row, || crate::wording::value(&cells.value(row)));
    }
    let observed = format!("{} of {} rows lie further ahead", count(ahead.rows()), count(dataset.rows() as u64));
    let check = Check::critical("event_time_future").of(name);
    Some(check.decided(ahead.rows() == 0, ahead, "no event later than a day after the load", observed))
}

/// A row that became known only after its label was is no use: whatever is in it could not have been asked with.
pub(super) fn check_known(dataset: &Dataset, problem: &ProblemDocument) -> Option<Finding> {
    let name = problem.data.known_time.as_ref()?;
    let Cells::Time(known) = dataset.cells(dataset.slot(name)?) else {
        let found = dataset.cells(dataset.slot(name)?).column_type();
        return Some(Check::critical("known_time").of(name).failed("times", format!("the column is read as {found}")));
    };
    let Cells::Time(events) = dataset.cells(dataset.slot(problem.data.event_time.as_ref()?)?) else { return None };
    let delay = i64::try_from(problem.target.delay.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let is_known = |row: usize| known.validity().is_none_or(|present| present.get_bit(row));
    let happened = |row: usize| events.validity().is_none_or(|present| present.get_bit(row));
    let mut late = Offenders::default();
    for row in (0..known.len()).filter(|row| is_known(*row) && happened(*row)) {
        if known.values()[row] > events.values()[row].saturating_add(delay) {
            let at = millrace_domain::schema::Value::Time(known.values()[row]);
            late.add(row, || crate::wording::value(&at));
        }
    }
    let rows = dataset.rows() as u64;
    let expected =
        format!("every row is known before its label is, {} after the event", problem.target.delay.in_words());
    let observed =
        format!("{} of {} rows ({}) became known later", count(late.rows()), count(rows), share(late.rows(), rows));
    Some(Check::warning("known_after_label").of(name).decided(late.rows() == 0, late, expected, observed))
}

/// The newest event is not older than the document allows at the time the rows came in.
pub(super) fn check_freshness(dataset: &Dataset, problem: &ProblemDocument, loaded_at: Option<i64>) -> Option<Finding> {
    let (freshness, loaded_at) = (problem.monitoring.freshness?, loaded_at?);
    let name = problem.data.event_time.as_ref()?;
    let Cells::Time(times) = dataset.cells(dataset.slot(name)?) else { return None };
    let check = Check::warning("freshness").of(name);
    let expected = format!("an event within {} before the load", freshness.in_words());
    let Some(newest) = times.non_null_values_iter().max() else {
        return Some(check.skipped(expected, "there are no events"));
    };
    let age = loaded_at.saturating_sub(newest).div_euclid(1_000_000);
    let shown = crate::wording::value(&millrace_domain::schema::Value::Time(newest));
    let observed = match u64::try_from(age) {
        Ok(age) => format!("the newest event is of {shown}, {} h before", count(age / 3_600)),
        Err(_) => format!("the newest event is of {shown}, after the load"),
    };
    let holds = age <= i64::try_from(freshness.seconds()).unwrap_or(i64::MAX);
    Some(check.decided(holds, Offenders::default(), expected, observed))
}

/// The entity is known in every row.
pub(super) fn check_entity(dataset: &Dataset, problem: &ProblemDocument) -> Option<Finding> {
    let name = problem.data.entity.as_ref()?;
    let cells = dataset.cells(dataset.slot(name)?);
    Some(complete(dataset, cells, Check::warning("entity_missing").of(name), "an entity"))
}

/// Rows of one entity do not stand in the training and in the test part alike, where it is known.
pub(super) fn check_entity_split(profile: &Profile, problem: &ProblemDocument) -> Option<Finding> {
    let name = problem.data.entity.as_ref()?;
    let Split::Random { entity, .. } = &problem.data.split else { return None };
    let column = profile.columns.iter().find(|column| column.column.name == *name)?;
    let check = Check::warning("entity_split").of(name);
    let expected = "all rows of an entity are in one part";
    let observed = format!("{} entities have {} rows", count(column.distinct), count(column.present));
    if column.distinct >= column.present {
        return Some(check.passed(expected, observed));
    }
    match entity {
        Some(entity) => Some(check.passed(expected, format!("{observed}; the split deals out whole {entity}s"))),
        None => Some(check.failed(
            expected,
            format!("{observed}, and a random split puts them into several parts: split by time, or name the entity in the split"),
        )),
    }
}

pub(super) fn complete(dataset: &Dataset, cells: &Cells, check: Check<'_>, what: &str) -> Finding {
    let mut missing = Offenders::default();
    if cells.missing() > 0 {
        for row in (0..cells.len()).filter(|row| cells.is_missing(*row)) {
            missing.add(row, || "missing".to_owned());
        }
    }
    let rows = dataset.rows() as u64;
    let observed =
        format!("missing in {} of {} rows ({})", count(missing.rows()), count(rows), share(missing.rows(), rows));
    check.decided(missing.rows() == 0, missing, format!("every row has {what}"), observed)
}

/// Columns without a single value.
pub(super) fn check_empty(profile: &Profile) -> Vec<Finding> {
    let expected = "every column has values";
    let mut findings: Vec<Finding> = profile
        .columns
        .iter()
        .filter(|column| column.present == 0)
        .map(|column| {
            let observed = format!("missing in all {}", counted(profile.rows, "row"));
            Check::warning("empty_column").of(&column.column.name).failed(expected, observed)
        })
        .collect();
    if findings.is_empty() {
        let names = profile.columns.iter().map(|column| column.column.name.as_str());
        findings.push(Check::warning("empty_column").passed(expected, format!("all have: {}", list(names))));
    }
    findings
}

/// What was noticed while reading travels along as warnings.
pub(super) fn repeat_notes(profile: &Profile) -> Vec<Finding> {
    let expected = "every cell is read as it is written";
    let notes = profile.columns.iter().flat_map(|column| column.notes.iter().map(|note| (&column.column.name, note)));
    let findings: Vec<Finding> =
        notes.map(|(name, note)| Check::warning("reading").of(name).failed(expected, note.as_str())).collect();
    if findings.is_empty() {
        return vec![Check::warning("reading").passed(expected, "nothing was set aside")];
    }
    findings
}
