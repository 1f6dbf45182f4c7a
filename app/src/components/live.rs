//! Live pages: what is shown is fetched anew when the server tells of a change, and a lost connection is said.
//!
//! Without WASM the page loads itself anew every three seconds while something is under way.

use leptos::prelude::*;

/// How the page hears of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "only a browser hears of changes"))]
enum LiveState {
    /// Not connected yet, or nothing is under way.
    #[default]
    Waiting,
    /// Changes arrive.
    Connected,
    /// The connection broke; the browser tries again by itself.
    Lost,
}

/// How a page follows along: made by [`follow`] or [`look_again`], shown by [`LiveLine`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Live {
    state: RwSignal<LiveState>,
    /// Whether the reader wants to look at what is shown, undisturbed.
    is_paused: RwSignal<bool>,
    /// When something new was shown last, and now, by the browser's clock in milliseconds; none without scripts.
    shown_at: RwSignal<Option<f64>>,
    now: RwSignal<f64>,
}

/// Fetches a resource anew while something is under way: on every event of the subject, and on every new connection, so that
/// nothing that happened in between is missed. Call it in the page's component; give the result to [`LiveLine`].
pub fn follow(
    subject: impl Fn() -> String + Send + Sync + 'static,
    is_under_way: impl Fn() -> bool + Send + Sync + 'static,
    refresh: impl Fn() + Clone + Send + Sync + 'static,
) -> Live {
    let live = Live::default();
    #[cfg(feature = "hydrate")]
    browser::follow(subject, is_under_way, refresh, live);
    #[cfg(not(feature = "hydrate"))]
    drop((subject, is_under_way, refresh));
    live
}

/// Fetches something anew every three seconds while it is under way, for what changes too often to be told of; gives it to `seen`.
pub fn look_again<T, F>(
    is_under_way: impl Fn() -> bool + Send + Sync + 'static,
    fetch: impl Fn() -> F + Clone + Send + Sync + 'static,
    seen: impl Fn(T) + Clone + Send + Sync + 'static,
) -> Live
where
    F: Future<Output = Option<T>> + 'static,
    T: 'static,
{
    let live = Live::default();
    #[cfg(feature = "hydrate")]
    browser::look_again(is_under_way, fetch, seen, live);
    #[cfg(not(feature = "hydrate"))]
    drop((is_under_way, fetch, seen));
    live
}

/// Says whether the page follows along and how old what it shows is, and lets the reader have it stand still.
#[component]
pub fn LiveLine(
    /// From [`follow`] or [`look_again`].
    live: Live,
    /// Whether the page has forms for what is urgent: without WASM it then does not load itself anew, which would empty them.
    #[prop(optional)]
    has_forms: bool,
) -> impl IntoView {
    let Live { state, is_paused, shown_at, now } = live;
    let age = move || shown_at.get().map(|at| ((now.get() - at).max(0.0) / 1e3) as u32);
    let word = move || match (is_paused.get(), state.get()) {
        (true, _) => "paused",
        (false, LiveState::Waiting | LiveState::Connected) => "live",
        (false, LiveState::Lost) => "lost",
    };
    let text = move || match (is_paused.get(), state.get()) {
        (true, _) => "Paused: what is shown stands still.",
        // Without scripts a page with forms does not.
        (false, LiveState::Waiting) if has_forms => "Under way.",
        (false, LiveState::Waiting) => "Under way; this page follows along.",
        (false, LiveState::Connected) => "Live: changes appear as they happen.",
        (false, LiveState::Lost) => "Connection lost, retrying.",
    };
    let is_without_scripts = move || shown_at.with(Option::is_none);
    view! {
        {if has_forms {
            view! { <noscript inner_html="<p>Load the page again for what is new.</p>"></noscript> }
        } else {
            view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"3\">"></noscript> }
        }}
        <div class="cluster">
            <p class="live" role="status" data-state=word>{text}</p>
            // Not in the status: a screen reader would be told of every second.
            <span class="muted" hidden=is_without_scripts>{move || age().map(age_in_words)}</span>
            <button
                class="button button-quiet button-small"
                type="button"
                hidden=is_without_scripts
                on:click=move |_| is_paused.update(|paused| *paused = !*paused)
            >
                {move || if is_paused.get() { "Go on" } else { "Pause" }}
            </button>
        </div>
    }
}

/// "Updated just now", "Updated 12 s ago", "Updated 3 min ago".
fn age_in_words(seconds: u32) -> String {
    match seconds {
        0..3 => "Updated just now".to_owned(),
        3..60 => format!("Updated {seconds} s ago"),
        60..3_600 => format!("Updated {} min ago", seconds / 60),
        _ => format!("Updated {} h ago", seconds / 3_600),
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use leptos::prelude::*;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::js_sys::Date;
    use web_sys::{Event, EventSource, MessageEvent};

    use super::{Live, LiveState};
    use crate::return_path::encoded;

    /// Events come in bursts (a step ends, the next begins); one fetch serves a burst.
    const BURST: Duration = Duration::from_millis(300);

    pub(super) fn follow(
        subject: impl Fn() -> String + 'static,
        is_under_way: impl Fn() -> bool + Send + Sync + 'static,
        refresh: impl Fn() + Clone + 'static,
        live: Live,
    ) {
        let is_under_way = Arc::new(is_under_way);
        let asked = Arc::clone(&is_under_way);
        // What is under way follows from what is shown: it is asked anew when that has changed.
        Effect::new(move |_| {
            let _ = asked();
            live.shown_at.set(Some(Date::now()));
        });
        let is_followed = Memo::new(move |_| is_under_way() && !live.is_paused.get());
        grow_old(is_followed, live);
        Effect::new(move |open: Option<Option<Connection>>| {
            let subject = subject();
            if !is_followed.get() {
                return None;
            }
            open.flatten()
                .filter(|open| open.subject == subject)
                .or_else(|| Connection::open(subject, refresh.clone(), live))
        });
    }

    /// Counts the seconds since something new was shown, also while the page stands still.
    fn grow_old(is_followed: Memo<bool>, live: Live) {
        Effect::new(move |counting: Option<Option<Timer>>| {
            if !is_followed.get() && !live.is_paused.get() {
                return None;
            }
            // By the clock: a page in the background ticks seldom, and one that sleeps not at all.
            let tick = move || live.now.set(Date::now());
            counting.flatten().or_else(|| set_interval_with_handle(tick, Duration::from_secs(1)).ok().map(Timer))
        });
    }

    /// Time between two looks.
    const LOOK: Duration = Duration::from_secs(3);

    pub(super) fn look_again<T: 'static, F: Future<Output = Option<T>> + 'static>(
        is_under_way: impl Fn() -> bool + Send + Sync + 'static,
        fetch: impl Fn() -> F + Clone + 'static,
        seen: impl Fn(T) + Clone + 'static,
        live: Live,
    ) {
        let is_followed = Memo::new(move |_| is_under_way() && !live.is_paused.get());
        Effect::new(move |_| live.shown_at.set(Some(Date::now())));
        grow_old(is_followed, live);
        Effect::new(move |open: Option<Option<Timer>>| {
            if !is_followed.get() {
                return None;
            }
            let (fetch, seen) = (fetch.clone(), seen.clone());
            open.flatten().or_else(|| {
                let look = move || {
                    let (fetched, seen) = (fetch(), seen.clone());
                    leptos::task::spawn_local(async move {
                        let fetched = fetched.await;
                        // The reader may have paused meanwhile, or gone to another page.
                        if live.is_paused.try_get_untracked() != Some(false) {
                            return;
                        }
                        live.state.set(if fetched.is_some() { LiveState::Connected } else { LiveState::Lost });
                        if let Some(found) = fetched {
                            live.shown_at.set(Some(Date::now()));
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
        fn open(subject: String, refresh: impl Fn() + Clone + 'static, live: Live) -> Option<Self> {
            let Live { state, is_paused, .. } = live;
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
                            // The reader may have paused meanwhile, or gone to another page.
                            if is_paused.try_get_untracked() == Some(false) {
                                refresh();
                            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_whole_unit() {
        let words = [0, 3, 59, 60, 3_599, 7_200].map(age_in_words);
        assert_eq!(
            words,
            ["just now", "3 s ago", "59 s ago", "1 min ago", "59 min ago", "2 h ago"]
                .map(|age| format!("Updated {age}"))
        );
    }
}
