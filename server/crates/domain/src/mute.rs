//! Muted checks: somebody looked into a warning and wants quiet about it until a day.
//!
//! A mute changes what is pointed at and nothing else: the finding stays in the report and travels with the model. What stops the
//! pipeline cannot be muted; whether it should stop it is for those who sign the document.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::schema::{CheckOutcome, Finding, Severity, ValidationReport};

/// The check that tells of rows that were set aside.
pub const SET_ASIDE: &str = "quarantine";
/// A check is muted for so many days at most.
pub const LONGEST: i64 = 90;

/// A check of a dataset that is muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mute {
    /// Its id.
    pub id: String,
    /// The check.
    pub check: String,
    /// The column or feature that it is about; none for the whole dataset.
    pub column: Option<String>,
    /// How grave it was: if it becomes graver, it is pointed at again.
    pub severity: Severity,
    /// Why.
    pub reason: String,
    /// Who muted it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// From then on it is pointed at again.
    pub until: DateTime<Utc>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MuteRequest {
    /// The check, as the report has it.
    pub check: String,
    /// The column or feature that it is about; none for the whole dataset.
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// For so many days, at most 90.
    pub days: i64,
}

impl Mute {
    /// Whether it holds for a finding.
    pub fn covers(&self, finding: &Finding, now: DateTime<Utc>) -> bool {
        self.until > now
            && can_be_muted(finding)
            && finding.severity <= self.severity
            && finding.check == self.check
            && finding.column == self.column
    }
}

/// Whether a finding points at something, and stops nothing. Rows that were set aside are told of anew each time.
pub fn can_be_muted(finding: &Finding) -> bool {
    finding.severity != Severity::Critical
        && finding.check != SET_ASIDE
        && matches!(finding.outcome, CheckOutcome::Failed | CheckOutcome::Errored)
}

impl ValidationReport {
    /// The warnings that nobody muted.
    pub fn open_warnings<'r>(&'r self, mutes: &'r [Mute], now: DateTime<Utc>) -> impl Iterator<Item = &'r Finding> {
        self.warnings().filter(move |finding| !mutes.iter().any(|mute| mute.covers(finding, now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, outcome: CheckOutcome) -> Finding {
        Finding {
            check: "drift".to_owned(),
            column: Some("fare".to_owned()),
            severity,
            outcome,
            expected: String::new(),
            observed: String::new(),
            unexpected_rows: 0,
            examples: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn mute(column: Option<&str>) -> Mute {
        let at = DateTime::from_timestamp(1_000_000, 0).expect("a moment");
        let until = DateTime::from_timestamp(2_000_000, 0).expect("a moment");
        let column = column.map(str::to_owned);
        let (id, check, reason, by) = ("1".to_owned(), "drift".to_owned(), "known".to_owned(), "Ada".to_owned());
        Mute { id, check, column, severity: Severity::Warning, reason, by, at, until }
    }

    fn moment(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a moment")
    }

    #[test]
    fn a_mute_holds_for_its_check_and_column_until_its_day() {
        let warned = finding(Severity::Warning, CheckOutcome::Failed);
        assert!(mute(Some("fare")).covers(&warned, moment(1_500_000)));
        assert!(!mute(Some("fare")).covers(&warned, moment(2_000_000)));
        assert!(!mute(Some("tips")).covers(&warned, moment(1_500_000)));
        assert!(!mute(None).covers(&warned, moment(1_500_000)));
    }

    #[test]
    fn what_became_graver_is_pointed_at_again() {
        let noted = Mute { severity: Severity::Info, ..mute(Some("fare")) };
        assert!(noted.covers(&finding(Severity::Info, CheckOutcome::Failed), moment(1_500_000)));
        assert!(!noted.covers(&finding(Severity::Warning, CheckOutcome::Failed), moment(1_500_000)));
    }

    #[test]
    fn what_stops_the_pipeline_is_never_covered() {
        for outcome in [CheckOutcome::Failed, CheckOutcome::Errored] {
            let report = ValidationReport { findings: vec![finding(Severity::Critical, outcome)], drift: None };
            assert!(!mute(Some("fare")).covers(&report.findings[0], moment(1_500_000)));
            assert!(!report.allows_training());
        }
    }

    #[test]
    fn a_muted_warning_is_still_a_warning_that_travels() {
        let report = ValidationReport { findings: vec![finding(Severity::Warning, CheckOutcome::Failed)], drift: None };
        let mutes = [mute(Some("fare"))];
        assert_eq!(report.open_warnings(&mutes, moment(1_500_000)).count(), 0);
        assert_eq!(report.warnings().count(), 1);
    }
}
