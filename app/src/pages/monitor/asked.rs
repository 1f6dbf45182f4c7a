//! What the address of the page asks for: which windows, what they are held against, and what is looked at closely.

use leptos::prelude::*;
use millrace_charts::count;
use millrace_domain::monitor::Baseline;
use millrace_domain::view::{BaselineView, MonitorView};
use serde::{Deserialize, Serialize};

use crate::components::Moment;
use crate::pages::address::{address, query_text};

/// The newest windows, or those of so many last days.
const SPANS: [(&str, &str); 4] = [("", "newest 48"), ("1", "last day"), ("7", "last 7 days"), ("30", "last 30 days")];

/// The query of the address; what is empty is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The column that is looked at closely.
    pub column: String,
    /// End of the window that is looked at closely, in seconds since 1970.
    pub window: String,
    /// At most so many windows.
    pub windows: String,
    /// Those of so many last days.
    pub days: String,
    /// Those that ended after a day or moment.
    pub from: String,
    /// Those that ended by a day or moment.
    pub to: String,
    /// What they are held against.
    pub baseline: String,
}

impl Asked {
    /// What the address says.
    pub fn read() -> Memo<Self> {
        let names = ["column", "window", "windows", "days", "from", "to", "baseline"].map(query_text);
        Memo::new(move |_| {
            let [column, window, windows, days, from, to, baseline] = names.map(|name| name.get());
            Self { column, window, windows, days, from, to, baseline }
        })
    }

    /// The page with another column or window looked at.
    pub fn closely(&self, page: &str, column: &str, window: &str) -> String {
        let Self { windows, days, from, to, baseline, .. } = self;
        let state = [
            ("column", column),
            ("window", window),
            ("windows", windows),
            ("days", days),
            ("from", from),
            ("to", to),
            ("baseline", baseline),
        ];
        address(page, state)
    }

    /// The page with up to 200 windows.
    pub fn more(&self, page: &str, column: &str) -> String {
        Self { windows: "200".to_owned(), ..self.clone() }.closely(page, column, "")
    }

    /// The same windows as a file. A day becomes the moment at which it begins.
    pub fn file(&self, path: &str) -> String {
        let moment = |text: &str| if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let (from, to) = (moment(&self.from), moment(&self.to));
        address(path, [("days", self.days.as_str()), ("from", &from), ("to", &to), ("baseline", &self.baseline)])
    }

    /// What windows are held against; the training data where the address names nothing that is known.
    #[cfg(feature = "ssr")]
    pub fn baseline(&self) -> Baseline {
        Baseline::ALL.into_iter().find(|baseline| baseline.as_str() == self.baseline).unwrap_or_default()
    }

    /// Whether a span of time is asked for.
    pub fn is_span(&self) -> bool {
        [&self.days, &self.from, &self.to].into_iter().any(|text| !text.is_empty())
    }
}

/// Chooses them.
#[component]
pub fn AskedForm(asked: Asked, page: String) -> impl IntoView {
    let spans = SPANS.map(|(days, words)| view! { <option value=days selected=days == asked.days>{words}</option> });
    let baselines = Baseline::ALL.map(|baseline| {
        view! { <option value=baseline.as_str() selected=baseline.as_str() == asked.baseline>{words(baseline)}</option> }
    });
    let clear = page.clone();
    let is_usual = !asked.is_span() && asked.baseline.is_empty();
    view! {
        <form class="filters" method="get" action=page aria-label="Windows to show">
            <input type="hidden" name="column" value=asked.column/>
            <div class="field">
                <label class="label" for="days">"Windows"</label>
                <select class="input" id="days" name="days">{spans}</select>
            </div>
            <div class="field">
                <label class="label" for="from">"or from (UTC)"</label>
                <input class="input" id="from" name="from" value=asked.from placeholder="2026-03-01" size="12"/>
            </div>
            <div class="field">
                <label class="label" for="to">"to (UTC)"</label>
                <input class="input" id="to" name="to" value=asked.to placeholder="2026-03-08" size="12"/>
            </div>
            <div class="field">
                <label class="label" for="baseline">"Held against"</label>
                <select class="input" id="baseline" name="baseline">{baselines}</select>
            </div>
            <button class="button" type="submit">"Show"</button>
            {(!is_usual).then(|| view! { <a class="button button-quiet" href=clear>"As usual"</a> })}
        </form>
    }
}

/// What windows are held against, where that is not what alerts are decided by.
#[component]
pub fn BaselineNote(
    /// What they are held against.
    baseline: BaselineView,
    /// Answers that are enough.
    min_rows: u64,
) -> impl IntoView {
    let BaselineView { kind: of, previous, begins, ends, n, is_used, .. } = baseline;
    let (title, kind) = match is_used {
        true => (format!("Held against {}", words(of)), "info"),
        false => ("Held against the training data".to_owned(), "warning"),
    };
    let (n, enough) = (count(n), count(min_rows.max(1)));
    let text = match (of, previous, is_used) {
        (Baseline::Previous, Some(previous), true) => format!(
            "Version {previous} was live when this one was judged. Windows are held against the rows that it was trained on, and against \
             its answers to {n} that were held out; alerts are decided against this version's own training data."
        ),
        (Baseline::Previous, Some(previous), false) => format!(
            "Version {previous}, the one before, has {n} answers to held-out rows in the bins of this one, and a window needs {enough}: \
             too few to hold anything against."
        ),
        (Baseline::Previous, None, _) => {
            "No version was live when this one was judged; or this was not counted yet, or what that one was trained on does not \
             fit this one, or is parted by another rule: there is nothing to hold windows against."
                .to_owned()
        }
        (_, _, true) => format!(
            "{n} answers of the same version. Its windows are held against them here; alerts are decided against the training data."
        ),
        (_, _, false) => format!(
            "In the 30 days before this window the same version gave {n} answers, and a window needs {enough}: too few to hold anything \
             against."
        ),
    };
    let span = begins.zip(ends).filter(|_| is_used);
    let span = span.map(|(begins, ends)| view! { "From " <Moment at=begins/> " to " <Moment at=ends/> ": " });
    view! {
        <div class="callout" data-kind=kind role="status">
            <p class="callout-title">{title}</p>
            <p>{span} {text}</p>
        </div>
    }
}

const fn words(baseline: Baseline) -> &'static str {
    match baseline {
        Baseline::Training => "the training data",
        Baseline::Month => "the 30 days before",
        Baseline::Previous => "the previous version's data",
    }
}

/// Whether windows are held against other rows than those of training.
pub fn is_held_otherwise(monitor: &MonitorView) -> bool {
    monitor.baseline.as_ref().is_some_and(|baseline| baseline.is_used)
}

/// What the columns are held against, in words.
pub fn against(monitor: &MonitorView) -> &'static str {
    let otherwise = monitor.baseline.as_ref().filter(|baseline| baseline.is_used);
    words(otherwise.map(|baseline| baseline.kind).unwrap_or_default())
}
