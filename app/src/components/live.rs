//! Live pages: what is shown is fetched anew when the server tells of a change, and a lost connection is said.
//!
//! Without WASM the page loads itself anew every three seconds while something is under way.

use leptos::prelude::*;

/// How the page hears of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LiveState {
    /// Not connected yet, or nothing is under way.
    #[default]
    Waiting,
    /// Changes arrive.
    Connected,
    /// The connection broke; the browser tries again by itself.
    Lost,
}

/// Fetches a resource anew while something is under way: on every event of the subject, and on every new connection, so that
/// nothing that happened in between is missed. Call it in the page's component; give the result to [`LiveLine`].
pub fn follow(
    subject: impl Fn() -> String + Send + Sync + 'static,
    is_under_way: impl Fn() -> bool + Send + Sync + 'static,
    refresh: impl Fn() + Clone + Send + Sync + 'static,
) -> RwSignal<LiveState> {
    let state = RwSignal::new(LiveState::default());
    #[cfg(feature = "hydrate")]
    browser::follow(subject, is_under_way, refresh, state);
    #[cfg(not(feature = "hydrate"))]
    drop((subject, is_under_way, refresh));
    state
}

/// Fetches something anew every three seconds while it is under way, for what changes too often to be told of; gives it to `seen`.
/// Says whether the last look succeeded.
pub fn look_again<T, F>(
    is_under_way: impl Fn() -> bool + Send + Sync + 'static,
    fetch: impl Fn() -> F + Clone + Send + Sync + 'static,
    seen: impl Fn(T) + Clone + Send + Sync + 'static,
) -> RwSignal<LiveState>
where
    F: Future<Output = Option<T>> + 'static,
    T: 'static,
{
    let state = RwSignal::new(LiveState::default());
    #[cfg(feature = "hydrate")]
    browser::look_again(is_under_way, fetch, seen, state);
    #[cfg(not(feature = "hydrate"))]
    drop((is_under_way, fetch, seen));
    state
}

/// Says whether the page follows along.
#[component]
pub fn LiveLine(
    /// From [`follow`] or [`look_again`].
    state: RwSignal<LiveState>,
    /// Whether the page has forms for what is urgent: without WASM it then does not load itself anew, which would empty them.
    #[prop(optional)]
    has_forms: bool,
) -> impl IntoView {
    let word = move || match state.get() {
        LiveState::Waiting | LiveState::Connected => "live",
        LiveState::Lost => "lost",
    };
    let text = move || match state.get() {
        LiveState::Waiting => "Under way; this page follows along.",
        LiveState::Connected => "Live: changes appear as they happen.",
        LiveState::Lost => "Connection lost, retrying.",
    };
    view! {
        {if has_forms {
            view! { <noscript inner_html="<p>Load the page again for what is new.</p>"></noscript> }
        } else {
            view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"3\">"></noscript> }
        }}
        <p class="live" role="status" data-state=word>{text}</p>
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::{Event, EventSource, MessageEvent};

    use super::LiveState;
    use crate::return_path::encoded;

    /// Events come in bursts (a step ends, the next begins); one fetch serves a burst.
    const BURST: Duration = Duration::from_millis(300);

    pub(super) fn follow(
        subject: impl Fn() -> String + 'static,
        is_under_way: impl Fn() -> bool + 'static,
        refresh: impl Fn() + Clone + 'static,
        state: RwSignal<LiveState>,
    ) {
        Effect::new(move |open: Option<Option<Connection>>| {
            let subject = subject();
            if !is_under_way() {
                return None;
            }
            open.flatten()
                .filter(|open| open.subject == subject)
                .or_else(|| Connection::open(subject, refresh.clone(), state))
        });
    }

    /// Time between two looks.
    const LOOK: Duration = Duration::from_secs(3);

    pub(super) fn look_again<T: 'static, F: Future<Output = Option<T>> + 'static>(
        is_under_way: impl Fn() -> bool + 'static,
        fetch: impl Fn() -> F + Clone + 'static,
        seen: impl Fn(T) + Clone + 'static,
        state: RwSignal<LiveState>,
    ) {
        Effect::new(move |open: Option<Option<Timer>>| {
            if !is_under_way() {
                return None;
            }
            let (fetch, seen) = (fetch.clone(), seen.clone());
            open.flatten().or_else(|| {
                let look = move || {
                    let (fetched, seen) = (fetch(), seen.clone());
                    leptos::task::spawn_local(async move {
                        let fetched = fetched.await;
                        state.set(if fetched.is_some() { LiveState::Connected } else { LiveState::Lost });
                        if let Some(found) = fetched {
                            seen(found);
                        }
                    });
                };
                set_interval_with_handle(look, LOOK).ok().map(Timer)
            })
        });
    }

    /// A timer that is stopped when dropped.
    struct Timer(IntervalHandle);

    impl Drop for Timer {
        fn drop(&mut self) {
            self.0.clear();
        }
    }

    /// An open stream of events; closed when dropped.
    struct Connection {
        subject: String,
        source: EventSource,
        _on_message: Closure<dyn FnMut(MessageEvent)>,
        _on_open: Closure<dyn FnMut(Event)>,
        _on_error: Closure<dyn FnMut(Event)>,
    }

    impl Connection {
        fn open(subject: String, refresh: impl Fn() + Clone + 'static, state: RwSignal<LiveState>) -> Option<Self> {
            let source = EventSource::new(&format!("/api/v1/events?subject={}", encoded(&subject))).ok()?;
            // The first event of a burst sets the time, and no later one puts it off: events that never pause starve nobody.
            let is_due = Rc::new(Cell::new(false));
            let refreshed = refresh.clone();
            let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |_| {
                if !is_due.replace(true) {
                    let (is_due, refresh) = (Rc::clone(&is_due), refreshed.clone());
                    set_timeout(
                        move || {
                            is_due.set(false);
                            refresh();
                        },
                        BURST,
                    );
                }
            });
            let on_open = Closure::<dyn FnMut(Event)>::new(move |_| {
                state.set(LiveState::Connected);
                refresh();
            });
            let on_error = Closure::<dyn FnMut(Event)>::new(move |_| state.set(LiveState::Lost));
            source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
            source.set_onopen(Some(on_open.as_ref().unchecked_ref()));
            source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
            Some(Self { subject, source, _on_message: on_message, _on_open: on_open, _on_error: on_error })
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            self.source.close();
        }
    }
}
