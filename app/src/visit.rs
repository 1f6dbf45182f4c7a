//! What a page knows of its visitor from the first byte on, the same on the server and while the browser takes over.

use leptos::prelude::*;
use millrace_domain::view::Me;
use serde::{Deserialize, Serialize};

use crate::kept::Kept;
use crate::theme::Theme;

/// One load of a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Who is signed in.
    pub me: Option<Me>,
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
    let me = caller.as_ref().and_then(|caller| caller.actor.as_ref()).map(millrace_services::Services::me);
    Visit { me, theme: Theme::of_request(), kept: caller.and_then(|caller| caller.kept) }
}

#[cfg(not(feature = "ssr"))]
fn begin() -> Visit {
    Visit::default()
}
