//! Forms that work with and without WASM.
//!
//! A page makes one [`PageForm`] per form, for example `let form = PageForm::<LaunchRun>::new()`, and puts the fields into
//! `<ActionForm action=form.action>`. Its server function runs the act inside [`submitted`](crate::caller::submitted).
//! `form.fault()` is then the refusal to show (in a [`FaultNotice`](crate::components::FaultNotice)) and `form.typed("name")`
//! the value that a field begins with after a refusal; both come from the action with WASM and from what the server kept without.

use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use millrace_domain::fault::Fault;

use crate::components::Toasts;
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
    query: Memo<ParamsMap>,
    done: Memo<usize>,
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
        let action = ServerAction::<S>::new();
        let done = Memo::new(move |before: Option<&usize>| {
            let answers = action.version().get();
            let succeeded = action.value().with(|answer| matches!(answer, Some(Ok(_))));
            if succeeded { answers } else { before.copied().unwrap_or_default() }
        });
        Self { action, kept: StoredValue::new(kept), query: use_query_map(), done }
    }

    /// The same form, whose act is told of once it is done. Without WASM the page that then loads says it by itself.
    #[must_use]
    pub fn telling(self, words: &'static str) -> Self {
        if let Some(toasts) = use_context::<Toasts>() {
            Effect::new(move |before: Option<usize>| {
                let done = self.done.get();
                if before.is_some_and(|before| before != done) {
                    toasts.tell(words);
                }
                done
            });
        }
        self
    }

    /// Changes whenever the act was done, for resources that show its effect. It stays when the act is refused: loading
    /// anew would empty the fields of a form that stands among the loaded data.
    pub fn done(&self) -> usize {
        self.done.get()
    }

    /// Why the last attempt was refused.
    pub fn fault(&self) -> Option<Fault> {
        match self.action.value().get() {
            Some(Err(PageFault(fault))) => Some(fault),
            Some(Ok(_)) => None,
            None => self.kept()?.refusal(),
        }
    }

    /// What is wrong with one field, by its JSON pointer.
    pub fn error_at(&self, pointer: &str) -> Option<String> {
        self.fault()?.errors.into_iter().find(|mistake| mistake.pointer == pointer).map(|mistake| mistake.message)
    }

    /// What a field held when the form was refused without WASM.
    pub fn typed(&self, name: &str) -> Option<String> {
        self.kept()?.typed(name).map(str::to_owned)
    }

    /// What is shown once after the form was posted without WASM.
    pub fn shown_once(&self) -> Option<String> {
        match self.kept()?.outcome {
            Outcome::Done(text) => Some(text),
            Outcome::Refused(_) => None,
        }
    }

    /// What was kept, as long as the address asks for it: going on to another address leaves it behind.
    fn kept(&self) -> Option<Kept> {
        self.kept.get_value().filter(|kept| is_asked_for(kept, &self.query.read()))
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

/// What was kept for a form, if the address asks for it.
pub fn kept_for(form: &str) -> Option<Kept> {
    let kept = visit().kept.filter(|kept| kept.form == form);
    if let Some(kept) = kept.filter(|kept| is_asked_for(kept, &use_query_map().read_untracked())) {
        return Some(kept);
    }
    // Leptos puts a fault into the address when the arguments of a form could not be read.
    let unread = use_context::<ServerActionError>().is_some_and(|error| error.path() == form);
    unread.then(|| Kept::unasked(form, PageFault::not_understood().0))
}

fn is_asked_for(kept: &Kept, query: &ParamsMap) -> bool {
    query.get_str(KEPT).map_or(kept.id.is_empty(), |id| id == kept.id)
}
