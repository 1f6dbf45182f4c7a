//! The policy: which role may do what, and which action stands behind every route.
//!
//! Deny by default: an action that [`Action::roles`] does not grant is refused, and a route that [`ROUTES`] does not name
//! answers as if it did not exist. What depends on the state of an object (who wrote it, which digest is current) is
//! decided by [`crate::review`] and the state machines; this table comes first.

mod actor;
mod print;
mod routes;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use actor::{Actor, Grant, Origin, Pass, Refused, Via};
pub use print::as_markdown;
pub use routes::{Access, ROUTES, Route, access_of};

/// What a person is in the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads problems and signs them and promotions off.
    Stakeholder,
    /// Defines problems, brings data, launches runs.
    MlEngineer,
    /// Watches production and rolls back.
    OnCall,
    /// Manages people.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Stakeholder, Self::MlEngineer, Self::OnCall, Self::Admin];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stakeholder => "stakeholder",
            Self::MlEngineer => "ml_engineer",
            Self::OnCall => "on_call",
            Self::Admin => "admin",
        }
    }

    /// The word shown to people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Stakeholder => "stakeholder",
            Self::MlEngineer => "ML engineer",
            Self::OnCall => "on-call",
            Self::Admin => "admin",
        }
    }

    /// The word in a sentence about one person.
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Stakeholder => "a stakeholder",
            Self::MlEngineer => "an ML engineer",
            Self::OnCall => "somebody on call",
            Self::Admin => "an admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a role; roles are stakeholder, ml_engineer, on_call, admin"))
    }
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "`title` says what each is")]
pub enum Action {
    ReadWorkspace,
    WriteProblem,
    ReviewProblem,
    UploadData,
    MuteCheck,
    LaunchRun,
    CancelRun,
    ReviewModel,
    OverrideGate,
    KeepCase,
    RetireCase,
    MoveAlias,
    ArchiveModel,
    Deploy,
    RollBack,
    SwitchModel,
    HandleIncident,
    SteerRetraining,
    Predict,
    ReportOutcome,
    ManageOwnTokens,
    ManagePeople,
    ReadAudit,
    ReadMail,
    ReadMetrics,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 25] = [
        Self::ReadWorkspace,
        Self::WriteProblem,
        Self::ReviewProblem,
        Self::UploadData,
        Self::MuteCheck,
        Self::LaunchRun,
        Self::CancelRun,
        Self::ReviewModel,
        Self::OverrideGate,
        Self::KeepCase,
        Self::RetireCase,
        Self::MoveAlias,
        Self::ArchiveModel,
        Self::Deploy,
        Self::RollBack,
        Self::SwitchModel,
        Self::HandleIncident,
        Self::SteerRetraining,
        Self::Predict,
        Self::ReportOutcome,
        Self::ManageOwnTokens,
        Self::ManagePeople,
        Self::ReadAudit,
        Self::ReadMail,
        Self::ReadMetrics,
    ];

    /// What it is called in messages and in the audit trail.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ReadWorkspace => "read problems, data, runs and models",
            Self::WriteProblem => "write problem documents",
            Self::ReviewProblem => "review problem documents",
            Self::UploadData => "upload data",
            Self::MuteCheck => "mute checks of data",
            Self::LaunchRun => "launch runs",
            Self::CancelRun => "cancel runs",
            Self::ReviewModel => "review model versions",
            Self::OverrideGate => "override gates",
            Self::KeepCase => "keep regression cases",
            Self::RetireCase => "retire regression cases",
            Self::MoveAlias => "move aliases of models",
            Self::ArchiveModel => "archive model versions",
            Self::Deploy => "put approved models live",
            Self::RollBack => "roll back",
            Self::SwitchModel => "switch models off and on",
            Self::HandleIncident => "acknowledge and silence alerts",
            Self::SteerRetraining => "pause, resume and ask for retraining",
            Self::Predict => "ask for predictions",
            Self::ReportOutcome => "report outcomes",
            Self::ManageOwnTokens => "manage own tokens",
            Self::ManagePeople => "manage people and roles",
            Self::ReadAudit => "read the audit trail",
            Self::ReadMail => "read outgoing mail",
            Self::ReadMetrics => "read operating metrics",
        }
    }

    /// The roles that may do it.
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Admin, MlEngineer, OnCall, Stakeholder};
        match self {
            Self::ReadWorkspace | Self::ManageOwnTokens => &[Stakeholder, MlEngineer, OnCall, Admin],
            Self::WriteProblem | Self::UploadData | Self::MuteCheck | Self::LaunchRun | Self::CancelRun => {
                &[MlEngineer]
            }
            Self::ReviewProblem | Self::ReviewModel => &[Stakeholder, MlEngineer],
            // What loosens a rule is for those who answer for the decision.
            Self::OverrideGate | Self::RetireCase => &[Stakeholder],
            Self::KeepCase => &[Stakeholder, MlEngineer, OnCall],
            Self::Deploy | Self::MoveAlias | Self::ArchiveModel => &[MlEngineer],
            Self::RollBack | Self::SwitchModel | Self::HandleIncident | Self::SteerRetraining => &[MlEngineer, OnCall],
            Self::Predict | Self::ReportOutcome => &[MlEngineer, OnCall],
            Self::ManagePeople | Self::ReadMail => &[Admin],
            Self::ReadAudit => &[Admin, OnCall, Stakeholder, MlEngineer],
            Self::ReadMetrics => &[Admin, OnCall],
        }
    }

    /// The token scope that covers it; none for what only a person in a session may do.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::ReadWorkspace => Some(Scope::Read),
            Self::ReadMetrics => Some(Scope::Metrics),
            Self::Predict | Self::ReportOutcome => Some(Scope::Predict),
            Self::WriteProblem
            | Self::UploadData
            | Self::MuteCheck
            | Self::LaunchRun
            | Self::CancelRun
            | Self::KeepCase => Some(Scope::Launch),
            Self::Deploy
            | Self::MoveAlias
            | Self::ArchiveModel
            | Self::RollBack
            | Self::SwitchModel
            | Self::HandleIncident
            | Self::SteerRetraining => Some(Scope::Deploy),
            Self::ReviewProblem
            | Self::ReviewModel
            | Self::OverrideGate
            | Self::RetireCase
            | Self::ManageOwnTokens
            | Self::ManagePeople
            | Self::ReadAudit
            | Self::ReadMail => None,
        }
    }

    /// Whether a role on one problem alone is enough, for that problem and what belongs to it, or for the own tokens, which
    /// reach no further than their owner. Everything else needs the role everywhere.
    pub const fn is_of_a_problem(self) -> bool {
        match self {
            Self::ReadWorkspace
            | Self::WriteProblem
            | Self::ReviewProblem
            | Self::UploadData
            | Self::MuteCheck
            | Self::LaunchRun
            | Self::CancelRun
            | Self::ReviewModel
            | Self::OverrideGate
            | Self::KeepCase
            | Self::RetireCase
            | Self::MoveAlias
            | Self::ArchiveModel
            | Self::Deploy
            | Self::RollBack
            | Self::SwitchModel
            | Self::HandleIncident
            | Self::SteerRetraining
            | Self::Predict
            | Self::ReportOutcome
            | Self::ManageOwnTokens => true,
            Self::ManagePeople | Self::ReadAudit | Self::ReadMail | Self::ReadMetrics => false,
        }
    }

    /// In which state of its object it is possible, and who is left out by what they did before. [`crate::review`] and the
    /// state machines decide it; this says it in words.
    pub const fn when(self) -> &'static str {
        match self {
            Self::ReadWorkspace => "always",
            Self::WriteProblem => "always: a new version is a draft and takes the place of an open one",
            Self::ReviewProblem => {
                "the version is in review, or approved with its sign-off run out; never by who wrote it or an open version before it"
            }
            Self::UploadData => "the problem has a version",
            Self::MuteCheck => "a version breaks the check, and the check does not stop the pipeline",
            Self::LaunchRun => "a version is signed off, its sign-off has not run out, and a dataset version is valid",
            Self::CancelRun => "the run has not ended",
            Self::ReviewModel => "the version is registered and every gate passed; never by who launched its run",
            Self::OverrideGate => {
                "gates stopped the run, and every open one is named; never by who launched it or started it anew, and who did it does not approve"
            }
            Self::KeepCase => "the problem has a version",
            Self::RetireCase => "the case is not retired yet",
            Self::MoveAlias => "the version is not archived; what is live follows no alias",
            Self::ArchiveModel => "the version is neither live nor on its way",
            Self::Deploy => "the version is approved and every gate passed or was overridden, until its day",
            Self::RollBack => "a version is live",
            Self::SwitchModel => "off: the document names a fallback; on: it is off",
            Self::HandleIncident => "the alert is open",
            Self::SteerRetraining => "the document that was signed last has a retraining policy",
            Self::Predict => "a version is live",
            Self::ReportOutcome => "the prediction is known",
            Self::ManageOwnTokens => "to make one: confirmed with the password within ten minutes",
            Self::ManagePeople => "confirmed with the password within ten minutes; never the last admin's own rights",
            Self::ReadAudit | Self::ReadMail | Self::ReadMetrics => "always",
        }
    }
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Ask for predictions and report outcomes.
    Predict,
    /// Read everything a page shows.
    Read,
    /// Write problems, upload data, launch and cancel runs.
    Launch,
    /// Put approved models live and roll back.
    Deploy,
    /// Read operating metrics.
    Metrics,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [Self::Predict, Self::Read, Self::Launch, Self::Deploy, Self::Metrics];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Read => "read",
            Self::Launch => "launch",
            Self::Deploy => "deploy",
            Self::Metrics => "metrics",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a scope; scopes are predict, read, launch, deploy, metrics"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(roles: &[Role], via: Via) -> Actor {
        let grants = roles.iter().copied().map(Grant::everywhere).collect();
        Actor { grants, via, ..Actor::host() }
    }

    #[test]
    fn on_call_rolls_back_but_does_not_deploy() {
        let on_call = actor(&[Role::OnCall], Via::Session);
        assert_eq!(on_call.may(Action::RollBack), Ok(()));
        assert_eq!(on_call.may(Action::Deploy), Err(Refused::Role(Action::Deploy)));
    }

    #[test]
    fn a_token_never_reviews_manages_people_or_makes_tokens() {
        let everything = actor(&Role::ALL, Via::Token(Scope::ALL.to_vec()));
        for action in [Action::ReviewProblem, Action::ReviewModel, Action::ManagePeople, Action::ManageOwnTokens] {
            assert_eq!(everything.may(action), Err(Refused::PersonOnly(action)));
        }
    }

    #[test]
    fn a_token_is_never_above_its_owner() {
        let token = actor(&[Role::Stakeholder], Via::Token(Scope::ALL.to_vec()));
        assert_eq!(token.may(Action::LaunchRun), Err(Refused::Role(Action::LaunchRun)));
    }

    #[test]
    fn a_token_stays_inside_its_scopes() {
        let token = actor(&[Role::MlEngineer], Via::Token(vec![Scope::Predict]));
        assert_eq!(token.may(Action::Predict), Ok(()));
        let refused = Refused::Scope { action: Action::LaunchRun, scope: Scope::Launch };
        assert_eq!(token.may(Action::LaunchRun), Err(refused));
    }

    #[test]
    fn a_role_on_one_problem_holds_there_alone_and_never_for_the_workspace() {
        let grants =
            vec![Grant { role: Role::Admin, problem: Some("taxi".into()) }, Grant::on(Role::MlEngineer, "taxi")];
        let person = Actor { grants, via: Via::Session, ..Actor::host() };
        assert_eq!(person.may_on(Action::LaunchRun, "taxi"), Ok(()));
        assert_eq!(person.may_on(Action::LaunchRun, "wine"), Err(Refused::Role(Action::LaunchRun)));
        assert_eq!(person.may(Action::ManagePeople), Err(Refused::Role(Action::ManagePeople)));
        assert!(person.sees("taxi") && !person.sees("wine"));
    }

    #[test]
    fn a_grant_is_read_back_from_its_word() {
        for grant in [Grant::everywhere(Role::OnCall), Grant::on(Role::Stakeholder, "taxi-tips")] {
            assert_eq!(grant.to_string().parse(), Ok(grant));
        }
        assert!("stakeholder:".parse::<Grant>().is_err() && "king".parse::<Grant>().is_err());
    }

    #[test]
    fn an_account_without_a_role_may_do_nothing() {
        let nobody = actor(&[], Via::Session);
        assert!(Action::ALL.into_iter().all(|action| nobody.may(action).is_err()));
    }

    #[test]
    fn an_admin_alone_neither_approves_nor_deploys() {
        let admin = actor(&[Role::Admin], Via::Session);
        assert!(admin.may(Action::ReviewProblem).is_err() && admin.may(Action::Deploy).is_err());
    }
}
