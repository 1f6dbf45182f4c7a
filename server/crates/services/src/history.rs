//! A dataset over its versions: how each check ended, and how the columns changed.

use std::collections::BTreeMap;

use millrace_domain::schema::{CheckOutcome, Finding, Profile, Severity};
use millrace_domain::view::{CheckHistory, SchemaChange};

/// So many versions are looked back on.
pub(crate) const VERSIONS: u32 = 30;

/// How the checks of versions ended, oldest first, a letter a version; those that always held are left out.
pub(crate) fn of_checks(versions: &[(i32, Vec<Finding>)]) -> Vec<CheckHistory> {
    let mut marks: BTreeMap<(String, Option<String>), Vec<char>> = BTreeMap::new();
    for (position, (_, findings)) in versions.iter().enumerate() {
        for finding in findings {
            let of = marks.entry((finding.check.clone(), finding.column.clone())).or_default();
            // Made more than once for a column, a check counts as it ended first: reports begin with what failed.
            if of.len() <= position {
                of.resize(position, '-');
                of.push(mark(finding));
            }
        }
    }
    let ever_broken = |marks: &Vec<char>| marks.iter().any(|mark| !matches!(mark, 'p' | '-'));
    marks
        .into_iter()
        .filter(|(_, marks)| ever_broken(marks))
        .map(|((check, column), mut marks)| {
            marks.resize(versions.len(), '-');
            CheckHistory { check, column, marks: marks.into_iter().collect() }
        })
        .collect()
}

/// The letter of a finding.
const fn mark(finding: &Finding) -> char {
    match (finding.outcome, finding.severity) {
        (CheckOutcome::Passed, _) => 'p',
        (CheckOutcome::Skipped, _) => 's',
        (CheckOutcome::Errored, _) => 'e',
        (CheckOutcome::Failed, Severity::Critical) => 'f',
        (CheckOutcome::Failed, Severity::Warning) => 'w',
        (CheckOutcome::Failed, Severity::Info) => 'i',
    }
}

/// What changed in names and types of columns: those of now in their order, then those that are gone.
pub(crate) fn of_columns(before: &Profile, after: &Profile) -> Vec<SchemaChange> {
    fn types(profile: &Profile) -> BTreeMap<&str, &'static str> {
        profile.columns.iter().map(|of| (of.column.name.as_str(), of.column.column_type.as_str())).collect()
    }
    let (old, new) = (types(before), types(after));
    let names = |profile: &'_ Profile| profile.columns.iter().map(|of| of.column.name.clone()).collect::<Vec<_>>();
    let gone = names(before).into_iter().filter(|name| !new.contains_key(name.as_str()));
    let type_in = |types: &BTreeMap<&str, &'static str>, name: &str| types.get(name).map(|found| (*found).to_owned());
    names(after)
        .into_iter()
        .chain(gone)
        .map(|name| SchemaChange { before: type_in(&old, &name), after: type_in(&new, &name), column: name })
        .filter(|change| change.before != change.after)
        .collect()
}

#[cfg(test)]
mod tests {
    use millrace_domain::schema::{Column, ColumnProfile, ColumnType};

    use super::*;

    fn finding(check: &str, outcome: CheckOutcome) -> Finding {
        Finding {
            check: check.to_owned(),
            column: None,
            severity: Severity::Critical,
            outcome,
            expected: String::new(),
            observed: String::new(),
            unexpected_rows: 0,
            examples: Vec::new(),
            rows: Vec::new(),
        }
    }

    #[test]
    fn what_was_ever_broken_has_a_mark_a_version() {
        let versions = [
            (1, vec![finding("a", CheckOutcome::Passed), finding("b", CheckOutcome::Passed)]),
            (2, vec![finding("b", CheckOutcome::Failed), finding("b", CheckOutcome::Passed)]),
            (4, vec![finding("b", CheckOutcome::Passed)]),
        ];
        let found = of_checks(&versions);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].check.as_str(), found[0].marks.as_str()), ("b", "pfp"));
    }

    #[test]
    fn columns_that_came_went_or_changed_their_type_are_listed() {
        let profile = |columns: &[(&str, ColumnType)]| Profile {
            rows: 1,
            columns: columns
                .iter()
                .map(|(name, column_type)| ColumnProfile {
                    column: Column { name: (*name).to_owned(), column_type: *column_type },
                    present: 1,
                    missing: 0,
                    distinct: 1,
                    quantiles: None,
                    mean: None,
                    standard_deviation: None,
                    top: Vec::new(),
                    histogram: Vec::new(),
                    notes: Vec::new(),
                })
                .collect(),
        };
        let before = profile(&[("a", ColumnType::Integer), ("b", ColumnType::Text), ("c", ColumnType::Text)]);
        let after = profile(&[("b", ColumnType::Text), ("a", ColumnType::Number), ("d", ColumnType::Time)]);
        let found: Vec<_> = of_columns(&before, &after)
            .into_iter()
            .map(|change| (change.column, change.before.unwrap_or_default(), change.after.unwrap_or_default()))
            .collect();
        let expected = [("a", "integer", "number"), ("d", "", "time"), ("c", "text", "")];
        assert_eq!(found, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    }
}
