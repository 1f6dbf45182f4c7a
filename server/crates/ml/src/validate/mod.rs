//! Validation: whether a dataset may be trained on for a problem.
//!
//! Every check looks at all rows and says what was asked and what was seen, in words with numbers; checks that hold are
//! listed too, so that a report shows what was looked at. *Critical* failures stop the pipeline: a column that is not there,
//! a missing or impossible value, labels that cannot be learned from. *Warnings* travel along with the model: duplicates,
//! constant inputs, an input that gives the answer away. A dataset without rows is never valid.

mod columns;
mod drift;
#[cfg(test)]
mod environment_tests;
mod features;
mod finding;
mod labels;
mod leak;
mod overlap;
mod rows;
mod rules;
mod scan;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use millrace_domain::problem::{Environment, ProblemDocument};
use millrace_domain::schema::{CheckOutcome, Finding, Profile, Severity, ValidationReport};

use crate::dataset::Dataset;
use crate::drift::compare;
use finding::Offenders;
use millrace_domain::drift::DriftTable;
pub use overlap::check_overlap;
pub use rules::check_rules;
pub use table::validate_table;

/// Who reads a column that the problem itself does not.
const LIVE: &str = "read by the live model";

/// What is known besides the rows themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The valid version before this one.
    pub previous: Option<Previous<'a>>,
    /// The environment that the rows are of; none for what is trained on.
    pub environment: Option<&'a Environment>,
    /// What the rows of an environment are compared with in place of the version before.
    pub reference: Option<Reference<'a>>,
    /// What the live model was trained for: columns that it is joined to must stay.
    pub live: Option<&'a ProblemDocument>,
    /// When the rows came in, in microseconds since 1970-01-01 UTC.
    pub loaded_at: Option<i64>,
}

/// The version before.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// Its number.
    pub version: i32,
    /// Its profile.
    pub profile: &'a Profile,
    /// Its rows.
    pub dataset: &'a Dataset,
}

/// A version of another dataset.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The dataset.
    pub name: &'a str,
    /// Its number.
    pub version: i32,
    /// Its rows.
    pub dataset: &'a Dataset,
}

impl Known<'_> {
    /// Whether a column need not be there, and is not.
    fn is_without(&self, dataset: &Dataset, column: &str) -> bool {
        self.environment.is_some_and(|environment| environment.lacks(column)) && dataset.slot(column).is_none()
    }

    /// Whether the rows need no label: then it is not asked for, nor looked at where it is there.
    fn is_unlabelled(&self, problem: &ProblemDocument) -> bool {
        self.environment.is_some_and(|environment| environment.lacks_label(problem))
    }

    /// Every column against the reference.
    fn drift(&self, dataset: &Dataset) -> Option<DriftTable> {
        if let Some(reference) = self.reference {
            let table = compare(reference.dataset, dataset, reference.version);
            return Some(DriftTable { reference_dataset: Some(reference.name.to_owned()), ..table });
        }
        // A distance to something else than what was asked for would be taken for it.
        let asked = self.environment.and_then(|environment| environment.compared_to.as_ref());
        let previous = self.previous.filter(|_| asked.is_none())?;
        Some(compare(previous.dataset, dataset, previous.version))
    }
}

/// Checks `dataset`, of that profile, for `problem`.
pub fn validate(dataset: &Dataset, profile: &Profile, problem: &ProblemDocument, known: Known<'_>) -> ValidationReport {
    let before = known.previous.map(|previous| previous.profile);
    let mut used = schema::used(problem);
    used.retain(|column| known.environment.is_none_or(|environment| !environment.lacks(column)));
    // Each check reads the columns it needs and gives them back.
    let rows = || dataset.fresh();
    let mut findings = match known.environment {
        None => rows::check_count(dataset, before),
        Some(_) => rows::check_change_of_count(dataset, before, 1),
    };
    findings.extend(schema::check_columns(&rows(), problem, known));
    if let Some(live) = known.live.filter(|_| known.environment.is_none()) {
        let read = live.columns_of_past().into_iter().filter(|name| !used.contains(name));
        findings.extend(read.map(|name| schema::exists(dataset, &name, LIVE)));
    }
    if let Some(before) = before {
        findings.extend(schema::check_change(dataset, &used, before));
    }
    let drift = known.drift(dataset);
    findings.extend(drift.iter().flat_map(|table| drift::check(table, problem, &used)));
    if let (None, Some(asked)) = (&drift, known.environment.and_then(|one| one.compared_to.as_deref())) {
        findings.push(drift::without_reference(asked));
    }
    findings.extend(rules::check(dataset, profile, &problem.checks, known));
    let labels = if known.is_unlabelled(problem) {
        None
    } else {
        let (labels, found) = labels::check(&rows(), problem);
        findings.extend(found);
        labels
    };
    let own = problem.features.iter().filter(|feature| !problem.reads_joined(&feature.expression));
    findings.extend(features::check(dataset, own, labels.as_ref()));
    drop(labels);
    findings.extend(columns::check_event_time(&rows(), problem));
    findings.extend(columns::check_future(&rows(), problem, known.loaded_at));
    findings.extend(columns::check_known(&rows(), problem));
    findings.extend(columns::check_freshness(&rows(), problem, known.loaded_at));
    findings.extend(columns::check_entity(&rows(), problem));
    if known.environment.is_none() {
        findings.extend(columns::check_entity_split(profile, problem));
    }
    findings.extend(columns::check_empty(profile));
    findings.extend(columns::repeat_notes(profile));
    findings.push(rows::check_duplicates(dataset));
    sort(&mut findings);
    ValidationReport { findings, drift }
}

/// Checks the features that read what was joined, on the rows with what was joined to them.
pub fn validate_joined(dataset: &Dataset, problem: &ProblemDocument) -> Vec<Finding> {
    let joined = || problem.features.iter().filter(|feature| problem.reads_joined(&feature.expression));
    let (labels, _) = labels::check(dataset, problem);
    let mut findings: Vec<Finding> = joined().map(|feature| schema::fits(dataset, feature)).collect();
    findings.extend(features::check(dataset, joined(), labels.as_ref()));
    sort(&mut findings);
    findings
}

/// The features, alone or two together, that are the target told in other words, and that nobody has signed as known before it.
pub fn copies_of_target(dataset: &Dataset, problem: &ProblemDocument) -> Vec<Finding> {
    let (labels, _) = labels::check(dataset, problem);
    let mut found = features::check(dataset, problem.features.iter(), labels.as_ref());
    found.retain(|finding| finding.check == features::COPY && finding.outcome == CheckOutcome::Failed);
    found
}

/// Failures first. Within a rank, findings stay in the order of the checks and of the document.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(rank);
}

/// Failures first, the gravest of them on top; then what could not be checked; then what holds.
fn rank(finding: &Finding) -> u8 {
    match (finding.outcome, finding.severity) {
        (CheckOutcome::Failed, Severity::Critical) => 0,
        (CheckOutcome::Errored, Severity::Critical) => 1,
        (CheckOutcome::Failed | CheckOutcome::Errored, Severity::Warning) => 2,
        (CheckOutcome::Failed | CheckOutcome::Errored, Severity::Info) => 3,
        (CheckOutcome::Skipped, _) => 4,
        (CheckOutcome::Passed, _) => 5,
    }
}
