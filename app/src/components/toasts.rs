//! What was just done, told at the edge of the page and gone after a while. The page itself shows the effect; this says that it is one.

use std::time::Duration;

use leptos::prelude::*;

/// How long it is read.
const SHOWN: Duration = Duration::from_secs(6);

/// What is told now: numbered, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Toasts {
    told: RwSignal<Vec<(u32, String)>>,
    count: StoredValue<u32>,
}

impl Toasts {
    /// None yet; pages below find it as their context.
    pub fn provide() -> Self {
        let toasts = Self { told: RwSignal::default(), count: StoredValue::new(0) };
        provide_context(toasts);
        toasts
    }

    /// Tells something. In the browser alone.
    pub fn tell(self, words: &str) {
        let number = self.count.get_value();
        self.count.set_value(number.wrapping_add(1));
        self.told.update(|told| told.push((number, words.to_owned())));
        set_timeout(move || self.take_away(number), SHOWN);
    }

    fn take_away(self, number: u32) {
        // The page may have gone meanwhile.
        let _ = self.told.try_update(|told| told.retain(|(other, _)| *other != number));
    }
}

/// Where it is told.
#[component]
pub fn ToastRegion(
    /// What is told.
    toasts: Toasts,
) -> impl IntoView {
    view! {
        <div class="toasts" role="status">
            <For each=move || toasts.told.get() key=|(number, _)| *number let((number, words))>
                <div class="toast" data-kind="success">
                    <p>{words}</p>
                    <button
                        class="button button-quiet button-small"
                        type="button"
                        on:click=move |_| toasts.take_away(number)
                    >
                        "Close"
                    </button>
                </div>
            </For>
        </div>
    }
}
