//! Forms that work with and without WASM.
//!
//! A page makes one [`PageForm`] per form, for example `let form = PageForm::<LaunchRun>::new()`, and puts the fields into
//! `<ActionForm action=form.action>`. Its server function runs the act inside [`submitted`](crate::caller::submitted).
//! `form.fault()` is then the refusal to show (in a [`FaultNotice`](crate::components::FaultNotice)) and `form.typed("name")`
//! the value that a field begins with after a refusal; both come from the action with WASM and from the session without.

use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;
use millrace_domain::fault::Fault;

use crate::fault::PageFault;
use crate::kept::{KEPT, Kept, Outcome};
use crate::visit::visit;

/// A form and the answer to it.
pub struct PageForm<S: ServerFn<Error = PageFault> + 'static>
where
    S::Output: 'static,
{
    /// Does the act with WASM.
    pub action: ServerAction<S>,
    kept: StoredValue<Option<Kept>>,
}

impl<S: ServerFn<Error = PageFault> + 'static> Clone for PageForm<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ServerFn<Error = PageFault> + 'static> Copy for PageForm<S> {}

impl<S> PageForm<S>
where
    S: ServerFn<Error = PageFault> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    /// A form on this page. Make it in the page's component, not inside what a resource re-renders, or the answer is lost.
    pub fn new() -> Self {
        let kept = kept_for(S::PATH);
        // Leptos reads a fault from the address, where anybody can write one. It is replaced by nothing, so that the action
        // begins without a value; that there was one is shown in our own words.
        provide_context(ServerActionError::new("", ""));
        Self { action: ServerAction::new(), kept: StoredValue::new(kept) }
    }

    /// Why the last attempt was refused.
    pub fn fault(&self) -> Option<Fault> {
        match self.action.value().get() {
            Some(Err(PageFault(fault))) => Some(fault),
            Some(Ok(_)) => None,
            None => self.kept.with_value(|kept| match kept.as_ref()?.outcome.clone() {
                Outcome::Refused(fault) => Some(fault),
                Outcome::Done(_) => None,
            }),
        }
    }

    /// What is wrong with one field, by its JSON pointer.
    pub fn error_at(&self, pointer: &str) -> Option<String> {
        self.fault()?.errors.into_iter().find(|mistake| mistake.pointer == pointer).map(|mistake| mistake.message)
    }

    /// What a field held when the form was refused without WASM.
    pub fn typed(&self, name: &str) -> Option<String> {
        self.kept.with_value(|kept| kept.as_ref()?.typed(name).map(str::to_owned))
    }

    /// What is shown once after the form was posted without WASM.
    pub fn shown_once(&self) -> Option<String> {
        self.kept.with_value(|kept| match &kept.as_ref()?.outcome {
            Outcome::Done(text) => Some(text.clone()),
            Outcome::Refused(_) => None,
        })
    }
}

impl<S> Default for PageForm<S>
where
    S: ServerFn<Error = PageFault> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

/// What was kept for a form on the page of this address.
pub fn kept_for(form: &str) -> Option<Kept> {
    let asked = use_query_map().with_untracked(|query| query.get(KEPT));
    let kept = visit().kept.filter(|kept| kept.form == form && asked.as_deref() == Some(kept.id.as_str()));
    kept.or_else(|| {
        use_context::<ServerActionError>().filter(|error| error.path() == form).map(|_| {
            Kept::new(form.to_owned(), Outcome::Refused(PageFault::not_understood().0), &[])
        })
    })
}
