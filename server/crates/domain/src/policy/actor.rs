//! Who calls, and what the table says to that.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Action, Role, Scope};
use crate::ids::AccountId;

/// A role somebody was given: everywhere, or on one problem and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Slug of the problem it holds on; everywhere when absent.
    pub problem: Option<String>,
}

impl Grant {
    /// The role everywhere.
    pub const fn everywhere(role: Role) -> Self {
        Self { role, problem: None }
    }

    /// The role on one problem.
    pub fn on(role: Role, problem: impl Into<String>) -> Self {
        Self { role, problem: Some(problem.into()) }
    }

    /// Whether it holds on that problem.
    pub fn holds_on(&self, problem: &str) -> bool {
        self.problem.as_deref().is_none_or(|on| on == problem)
    }

    /// For people: `ML engineer`, or `stakeholder on taxi-tips`.
    pub fn in_words(&self) -> String {
        match &self.problem {
            None => self.role.title().to_owned(),
            Some(problem) => format!("{} on {problem}", self.role.title()),
        }
    }
}

/// The stored word: `stakeholder`, or `stakeholder:taxi-tips` on one problem.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => self.role.fmt(f),
            Some(problem) => write!(f, "{}:{problem}", self.role),
        }
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let (role, problem) = word.split_once(':').map_or((word, None), |(role, problem)| (role, Some(problem)));
        if problem == Some("") {
            return Err(format!("{word:?} names no problem after the colon"));
        }
        Ok(Self { role: role.parse()?, problem: problem.map(str::to_owned) })
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        word.parse()
    }
}

/// How the caller showed who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A person signed in, in a browser.
    Session,
    /// A script with a token of these scopes.
    Token(Vec<Scope>),
    /// The command line on the host itself.
    Host,
}

impl Via {
    /// The audit trail's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token(_) => "token",
            Self::Host => "host",
        }
    }
}

/// What somebody showed, by its number: it must still be good when what they ask for is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A session.
    Session(i64),
    /// A token.
    Token(i64),
}

/// Where a request came from, for the audit trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Network address of the caller.
    pub address: Option<String>,
    /// The request's id, which the caller got back in `X-Request-Id`.
    pub request: Option<String>,
}

/// Somebody who was recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Whose account.
    pub account: AccountId,
    /// Their name in records.
    pub name: String,
    /// Their mail address.
    pub email: String,
    /// What they are, and where.
    pub grants: Vec<Grant>,
    /// How they showed it.
    pub via: Via,
    /// What they showed; nothing on the host itself.
    #[serde(skip)]
    pub pass: Option<Pass>,
    /// Where from.
    pub origin: Origin,
    /// When they last showed the password in this session.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Whether one of their roles demands a second factor that they have not set up: until then they may do nothing else.
    pub owes_second_factor: bool,
}

/// Why something may not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The role is missing.
    #[error("you may not {}; it needs the role {}", .0.title(), role_list(.0.roles()))]
    Role(Action),
    /// The token's scopes do not cover it.
    #[error("this token may not {}; it needs the scope {}", .action.title(), .scope.as_str())]
    Scope {
        /// What was asked.
        action: Action,
        /// What it would need.
        scope: Scope,
    },
    /// Only a person may do it.
    #[error("a token may not {}; sign in and do it yourself", .0.title())]
    PersonOnly(Action),
    /// A role demands a second factor, and there is none yet.
    #[error("your role needs a second factor; set one up on your account page first")]
    SecondFactor,
}

fn role_list(roles: &[Role]) -> String {
    roles.iter().map(|role| role.title()).collect::<Vec<_>>().join(" or ")
}

impl Actor {
    /// The command line on the host: no account, no role.
    pub fn host() -> Self {
        Self {
            account: AccountId(0),
            name: "host".to_owned(),
            email: "host".to_owned(),
            grants: Vec::new(),
            via: Via::Host,
            pass: None,
            origin: Origin::default(),
            confirmed_at: None,
            owes_second_factor: false,
        }
    }

    /// Whether it is the command line on the host itself, and no account.
    pub fn is_host(&self) -> bool {
        self.via == Via::Host && self.account == AccountId(0)
    }

    /// The roles held everywhere.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.grants.iter().filter(|grant| grant.problem.is_none()).map(|grant| grant.role)
    }

    /// Whether the actor may do it at all: everywhere, or on some problem where that is enough. What a door asks before it
    /// knows the problem.
    ///
    /// # Errors
    /// The reason, in words for the person.
    pub fn may(&self, action: Action) -> Result<(), Refused> {
        self.judge(action, |grant| grant.problem.is_none() || action.is_of_a_problem())
    }

    /// Whether the actor may do it to this problem and what belongs to it.
    ///
    /// # Errors
    /// The reason, in words for the person.
    pub fn may_on(&self, action: Action, problem: &str) -> Result<(), Refused> {
        self.judge(action, |grant| grant.problem.is_none() || (action.is_of_a_problem() && grant.holds_on(problem)))
    }

    /// Whether the actor may do it to every problem.
    ///
    /// # Errors
    /// The reason, in words for the person.
    pub fn may_everywhere(&self, action: Action) -> Result<(), Refused> {
        self.judge(action, |grant| grant.problem.is_none())
    }

    /// Whether the problem exists for the actor: what they may not read is as good as not there.
    pub fn sees(&self, problem: &str) -> bool {
        self.may_on(Action::ReadWorkspace, problem).is_ok()
    }

    fn judge(&self, action: Action, holds: impl Fn(&Grant) -> bool) -> Result<(), Refused> {
        if self.owes_second_factor {
            return Err(Refused::SecondFactor);
        }
        if let Via::Token(scopes) = &self.via {
            match action.scope() {
                None => return Err(Refused::PersonOnly(action)),
                Some(scope) if !scopes.contains(&scope) => return Err(Refused::Scope { action, scope }),
                Some(_) => {}
            }
        }
        let may = self.grants.iter().any(|grant| action.roles().contains(&grant.role) && holds(grant));
        if may { Ok(()) } else { Err(Refused::Role(action)) }
    }
}
