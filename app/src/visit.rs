//! What a page knows of its visitor from the first byte on, the same on the server and while the browser takes over.

use leptos::prelude::*;
use millrace_domain::view::{Me, Permission};
use serde::{Deserialize, Serialize};

use crate::kept::Kept;
use crate::theme::Theme;

/// What the visitor may begin at all; whether on a certain problem, its own page says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acts {
    /// Write a new problem.
    pub write: Permission,
    /// Bring data.
    pub upload: Permission,
    /// Launch a run.
    pub launch: Permission,
}

impl Default for Acts {
    fn default() -> Self {
        let unknown = || Permission::refused("sign in first");
        Self { write: unknown(), upload: unknown(), launch: unknown() }
    }
}

/// One load of a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Who is signed in.
    pub me: Option<Me>,
    /// What they may begin.
    pub acts: Acts,
    /// The chosen theme.
    pub theme: Theme,
    /// What an act left for this page to show.
    pub kept: Option<Kept>,
}

/// Makes the visit known to every component. Signing in and out load a page anew, so it never changes in between.
pub fn provide_visit() {
    provide_context(SharedValue::new(begin).into_inner());
}

/// The visit that this page belongs to.
pub fn visit() -> Visit {
    use_context::<Visit>().unwrap_or_default()
}

#[cfg(feature = "ssr")]
fn begin() -> Visit {
    let caller = use_context::<crate::caller::Caller>();
    let actor = caller.as_ref().and_then(|caller| caller.actor.as_ref());
    let (me, acts) = (actor.map(millrace_services::Services::me), actor.map(Acts::of).unwrap_or_default());
    Visit { me, acts, theme: Theme::of_request(), kept: caller.and_then(|caller| caller.kept) }
}

#[cfg(feature = "ssr")]
impl Acts {
    fn of(actor: &millrace_domain::policy::Actor) -> Self {
        use millrace_domain::policy::Action;
        Self {
            write: Permission::from_result(actor.may_everywhere(Action::WriteProblem)),
            upload: Permission::from_result(actor.may(Action::UploadData)),
            launch: Permission::from_result(actor.may(Action::LaunchRun)),
        }
    }
}

#[cfg(not(feature = "ssr"))]
fn begin() -> Visit {
    Visit::default()
}
