//! `/deployments/{slug}/rule`: what another rule would have done in the windows that were recorded.

use std::str::FromStr;

use leptos::prelude::*;
use millrace_charts::{Annotation, Figure, Line, LineChart, Threshold, XAxis, duration, line_chart, number};
use millrace_domain::fault::Fault;
use millrace_domain::metric::Metric;
use millrace_domain::problem::{DriftMetric, Span};
use millrace_domain::view::{BackTestQuery, BackTestView, Permission, TriedRule};

use crate::components::{ChartFigure, Empty, FaultNotice, GatedButton, Load, Moment, PageHeader, Tab, Tabs};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{path_text, query_text};
use crate::wording::counted;

/// Alerts that are listed; the chart marks all of them.
const LISTED: usize = 20;
/// What is said when a test letter is under way.
const SENT: &str = "A test letter to you is on its way. If it has not arrived in a few minutes, an admin sees under Mail what became of it.";

/// The recorded windows of a deployment by a rule.
#[server(name = FetchBackTest, prefix = "/fn", endpoint = "back_test")]
pub async fn back_test(slug: String, #[server(default)] rule: BackTestQuery) -> Result<BackTestView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.back_test(&actor, &slug, &rule).await?)
}

/// The page; the address carries the rule.
#[component]
pub fn RulePage() -> impl IntoView {
    let slug = path_text("slug");
    let names = ["about", "metric", "threshold", "windows", "keep_firing", "min_rows", "alarms"].map(query_text);
    let rule = move || {
        let [about, metric, threshold, windows, keep_firing, min_rows, alarms] = names.map(|name| name.get());
        let word = |text: String| (!text.is_empty()).then_some(text);
        Ok(BackTestQuery {
            about: word(about),
            metric: word(metric),
            threshold: read("threshold", "number", &threshold)?,
            windows: read("windows", "whole number", &windows)?,
            keep_firing: read("keep_firing", "whole number", &keep_firing)?,
            min_rows: read("min_rows", "whole number", &min_rows)?,
            alarms: read("alarms", "number", &alarms)?,
        })
    };
    let tested = Resource::new(
        move || (slug.get(), rule()),
        |(slug, rule): (String, Result<BackTestQuery, Fault>)| async move { back_test(slug, rule?).await },
    );
    let letter = PageForm::<SendTestLetter>::new();
    view! {
        {move || letter.fault().map(|fault| view! { <FaultNotice fault/> })}
        {move || {
            let sent = letter.shown_once().or_else(|| (letter.done() > 0).then(|| SENT.to_owned()));
            let sent = sent.filter(|_| letter.fault().is_none());
            sent.map(|text| view! { <div class="callout" data-kind="success" role="status"><p>{text}</p></div> })
        }}
        <Load resource=tested above=("Deployments", "/deployments") let:tested>
            <Rule tested=tested.clone()/>
            <TestLetter slug=tested.slug permission=tested.may_test letter/>
        </Load>
    }
}

/// A number of the address, if it has one.
fn read<T: FromStr>(name: &str, kind: &str, text: &str) -> Result<Option<T>, Fault> {
    let no_number = |_| {
        let message = format!("cannot be {text:?}; give a {kind}, or none to try what is signed");
        Fault::field(&format!("/{name}"), message)
    };
    (!text.is_empty()).then(|| text.parse().map_err(no_number)).transpose()
}

/// Sends the reader a letter about nothing, the way that letters about alerts go.
#[server(prefix = "/fn", endpoint = "send_test_letter")]
pub async fn send_test_letter(slug: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.send_test_letter(&actor, &slug)).await?;
    crate::caller::show_once(SENT).await
}

#[component]
fn TestLetter(slug: String, permission: Permission, letter: PageForm<SendTestLetter>) -> impl IntoView {
    view! {
        <section class="section stack" aria-labelledby="test-letter">
            <div class="section-header"><h2 id="test-letter">"Do letters arrive?"</h2></div>
            <p class="muted">
                "A letter about nothing, to you alone, the way that letters about alerts go. It names who would be told of them."
            </p>
            <ActionForm action=letter.action>
                <input type="hidden" name="slug" value=slug/>
                <GatedButton permission label="Send me a test letter"/>
            </ActionForm>
        </section>
    }
}

/// What rules can be about, as tabs name it.
const ABOUT: [(&str, &str); 4] = [
    ("drift", "Drift"),
    ("business", "Business metric"),
    ("freshness", "Age of data"),
    ("estimate", "Estimated quality"),
];

/// What is held against the limit, in words.
fn measured(tested: &BackTestView) -> String {
    let metric = &tested.tried.metric;
    match tested.about.as_str() {
        "business" => format!("mean {metric}"),
        "freshness" => "age of the newest row".to_owned(),
        "estimate" => {
            let metric = metric.parse().map_or_else(|_| metric.clone(), |metric: Metric| metric.title().to_owned());
            format!("estimated loss of {metric}")
        }
        _ => metric.parse::<DriftMetric>().map_or_else(|_| metric.clone(), |metric| format!("greatest {metric}")),
    }
}

/// The address of a rule; without one, the one as signed.
fn rule_address(tested: &BackTestView, limit: Option<f64>) -> String {
    let page = tab_address(tested, &tested.about);
    let TriedRule { metric, windows, keep_firing, min_rows, .. } = &tested.tried;
    match (limit, tested.about.as_str()) {
        (None, _) => page,
        (Some(limit), "drift") => format!(
            "{page}&metric={metric}&threshold={limit}&windows={windows}&keep_firing={keep_firing}&min_rows={min_rows}"
        ),
        (Some(limit), _) => format!("{page}&threshold={limit}"),
    }
}

/// The address of the rule as signed about something; how many alarms are wanted stays.
fn tab_address(tested: &BackTestView, about: &str) -> String {
    format!("/deployments/{}/rule?about={about}&alarms={}", tested.slug, tested.alarms)
}

/// A limit with its unit.
fn limit_text(tested: &BackTestView, limit: f64) -> String {
    let unit = tested.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    format!("{}{unit}", number(limit))
}

#[component]
pub fn Rule(tested: BackTestView) -> impl IntoView {
    let monitor = format!("/deployments/{}/monitor", tested.slug);
    let crumbs = vec![
        ("Deployments".to_owned(), "/deployments".to_owned()),
        (tested.title.clone(), format!("/deployments/{}", tested.slug)),
        ("Monitoring".to_owned(), monitor.clone()),
    ];
    let head = view! {
        <PageHeader title="Try a rule" crumbs/>
        <p class="lede">
            "What another rule would have done in the windows that were recorded. Nothing changes by trying; a rule is in force once a \
             document that has it is signed."
        </p>
    };
    let tabs = ABOUT.into_iter().filter(|(about, _)| tested.choices.iter().any(|choice| choice == about));
    let tab =
        |(about, name)| Tab { name, href: tab_address(&tested, about), count: None, current: about == tested.about };
    let tabs = tabs.map(tab).collect::<Vec<_>>();
    let form = view! { <Tabs label="What the rule is about" tabs/> <RuleForm tested=tested.clone()/> };
    if tested.judged == 0 {
        let none = match tested.about.as_str() {
            "business" => "in none of them a value of the metric was told".to_owned(),
            "freshness" => "and of no data it is known how old it was".to_owned(),
            "estimate" => {
                format!("none of them with {} answers or more that quality can be estimated of", tested.tried.min_rows)
            }
            _ => format!("none of them with {} answers or more", tested.tried.min_rows),
        };
        let text = format!("{} recorded, {none}.", counted(tested.windows.len() as u64, "window is", "windows are"));
        return view! {
            {head} {form}
            <Empty title="Nothing to try it on" text>
                <a class="button" data-icon="monitor" href=monitor>"Monitoring"</a>
            </Empty>
        }
        .into_any();
    }
    let is_signed = tested.signed.as_ref() == Some(&tested.tried);
    let figure = figure(&tested);
    view! {
        {head} {form}
        <Tiles tested=tested.clone()/>
        <section class="section stack" aria-labelledby="course">
            <div class="section-header"><h2 id="course">"The recorded windows"</h2></div>
            <ChartFigure figure/>
        </section>
        <Fired tested=tested.clone()/>
        {(!is_signed).then(|| view! { <Document tested/> })}
    }
    .into_any()
}

#[component]
fn RuleForm(tested: BackTestView) -> impl IntoView {
    let action = format!("/deployments/{}/rule", tested.slug);
    let (about, signed) = (tested.about.clone(), rule_address(&tested, None));
    let limit = match (tested.about.as_str(), &tested.unit) {
        ("estimate", _) => "May be worse by".to_owned(),
        (_, Some(unit)) if tested.is_worse_below => format!("Least, {unit}"),
        (_, Some(unit)) => format!("Limit, {unit}"),
        _ => "Limit".to_owned(),
    };
    let TriedRule { metric, threshold, windows, keep_firing, min_rows } = tested.tried;
    // What the document says of windows and answers is said of drift, and holds of the others with it.
    let distance = (tested.about == "drift").then(|| {
        let options = DriftMetric::ALL
            .map(|(word, own)| view! { <option value=word selected=word == metric>{own.to_string()}</option> });
        view! {
            <div class="field">
                <label class="label" for="metric">"Distance"</label>
                <select class="input" id="metric" name="metric">{options}</select>
            </div>
        }
    });
    let in_a_row = (tested.about == "drift").then(|| {
        view! {
            <Asked name="windows" label="Windows in a row" value=windows.to_string() step="1" min="0"/>
            <Asked name="keep_firing" label="Fine in a row to end it" value=keep_firing.to_string() step="1" min="0"/>
            <Asked name="min_rows" label="Answers a window needs" value=min_rows.to_string() step="1" min="0"/>
        }
    });
    // Nothing is signed, and nothing was recorded that a limit could be suggested by.
    let is_open = tested.signed.is_none() && tested.suggested.is_none() && threshold == 0.0;
    let threshold = if is_open { String::new() } else { threshold.to_string() };
    // A business metric may be below nothing.
    let least = if tested.about == "business" { "" } else { "0" };
    view! {
        <form class="filters" method="get" action=action>
            <input type="hidden" name="about" value=about/>
            {distance}
            <Asked name="threshold" label=limit value=threshold step="any" min=least/>
            {in_a_row}
            <Asked name="alarms" label="Alarms wanted in 30 days" value=tested.alarms.to_string() step="any" min="0"/>
            <button class="button button-primary" type="submit">"Try"</button>
            <a class="button button-quiet" href=signed>"As signed"</a>
        </form>
    }
}

#[component]
fn Asked(
    name: &'static str,
    #[prop(into)] label: String,
    value: String,
    step: &'static str,
    min: &'static str,
) -> impl IntoView {
    let min = (!min.is_empty()).then_some(min);
    view! {
        <div class="field">
            <label class="label" for=name>{label}</label>
            <input class="input" id=name name=name type="number" min=min step=step value=value inputmode="decimal" required/>
        </div>
    }
}

#[component]
fn Tiles(tested: BackTestView) -> impl IntoView {
    let recorded_for = duration(tested.days * 86_400.0);
    let known = match tested.about.as_str() {
        "business" => "had values",
        "freshness" => "are known to have had data of some age",
        _ => "had answers enough",
    };
    let recorded = format!("{} of {} windows {known}", tested.judged, tested.windows.len());
    let fired = tested.fired.len().to_string();
    let signed = match &tested.signed {
        None => "no limit is in force".to_owned(),
        Some(signed) if *signed == tested.tried => "this is the rule in force".to_owned(),
        Some(_) => format!("the rule in force would have {}", times(tested.fired_as_signed.len())),
    };
    let wanted = format!("would have fired at most {} in 30 days", times_only(tested.alarms));
    let best = if tested.is_worse_below { "Greatest" } else { "Least" };
    let best = format!("{best} limit that is quiet enough");
    let suggested = tested.suggested.map(|limit| {
        let href = rule_address(&tested, Some(limit));
        view! { <a href=href>{limit_text(&tested, limit)}</a> }
    });
    view! {
        <div class="grid grid-stats">
            <div class="stat">
                <span class="stat-label">"Would have fired"</span>
                <span class="stat-value">{fired}</span>
                <span class="stat-note">{signed}</span>
            </div>
            <div class="stat">
                <span class="stat-label">{best}</span>
                <span class="stat-value">{suggested}</span>
                <span class="stat-note">{wanted}</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Recorded"</span>
                <span class="stat-value">{recorded_for}</span>
                <span class="stat-note">{recorded}</span>
            </div>
        </div>
    }
}

fn times(many: usize) -> String {
    match many {
        0 => "never fired".to_owned(),
        1 => "fired once".to_owned(),
        many => format!("fired {many} times"),
    }
}

fn times_only(alarms: f64) -> String {
    if alarms == 1.0 { "once".to_owned() } else { format!("{} times", number(alarms)) }
}

/// What each window came to, the limit, and when alerts would have fired.
fn figure(tested: &BackTestView) -> Figure {
    let what = measured(tested);
    let title = what.chars().next().map(|first| first.to_uppercase().to_string() + &what[first.len_utf8()..]);
    let (mine, left_out) = match tested.about.as_str() {
        "business" => ("The mean of what was told of each window", "Windows of which nothing was told are left out"),
        "freshness" => (
            "At the end of each window, the time since the newest row of the dataset whose newest row was oldest",
            "Windows before the first dataset was loaded are left out",
        ),
        "estimate" => (
            "By how much answers are estimated to be worse than on the held-out rows",
            "Windows with too few answers are left out",
        ),
        _ => (
            "Of the features and the answers, the one that is farthest from the data of its version's training, where luck does not \
             explain it (at most one in a hundred of those named)",
            "Windows with too few answers are left out",
        ),
    };
    let at = |time: &chrono::DateTime<chrono::Utc>| time.timestamp() as f64;
    let points = tested.windows.iter().filter_map(|(time, distance)| Some((at(time), (*distance)?))).collect();
    let values = LineChart {
        title: format!("{}, window by window", title.unwrap_or_default()),
        x: XAxis::Time,
        y: tested.unit.clone().unwrap_or_else(|| what.clone()),
        lines: vec![Line { label: what, points, band: Vec::new() }],
        threshold: Some(Threshold { label: "limit".to_owned(), value: tested.tried.threshold }),
        annotations: tested.fired.iter().map(|time| Annotation { x: at(time), label: "alert".to_owned() }).collect(),
        conclusion: Some(format!(
            "{mine}. {left_out}. By a limit of {} it would have {}.",
            limit_text(tested, tested.tried.threshold),
            times(tested.fired.len())
        )),
    };
    line_chart(&values, "heights")
}

#[component]
fn Fired(tested: BackTestView) -> impl IntoView {
    let left = tested.fired.len().saturating_sub(LISTED);
    let rows = tested.fired.into_iter().rev().take(LISTED).map(|at| view! { <li><Moment at=at/></li> }).collect_view();
    let more = (left > 0).then(|| view! { <p class="muted">{format!("and {left} before")}</p> });
    (left > 0 || !rows.is_empty()).then(|| {
        view! {
            <section class="section stack" aria-labelledby="fired">
                <div class="section-header"><h2 id="fired">"Alerts it would have fired"</h2></div>
                <ul>{rows}</ul>
                {more}
            </section>
        }
    })
}

/// What a document that has the rule says.
#[component]
fn Document(tested: BackTestView) -> impl IntoView {
    let TriedRule { metric, threshold, windows, keep_firing, min_rows } = tested.tried;
    let keep = if keep_firing == windows { String::new() } else { format!(", keep_firing = {keep_firing}") };
    let (part, text) = match tested.about.as_str() {
        "business" => ("business", format!("limit = {threshold:?}\n")),
        // The document takes whole seconds.
        "freshness" => {
            let limit = Span::of_seconds((threshold * 3_600.0).round().max(1.0) as u64);
            ("monitoring", format!("freshness = \"{limit}\"\n"))
        }
        "estimate" => ("monitoring", format!("estimated_loss = {threshold:?}\n")),
        _ => {
            let drift = format!("metric = \"{metric}\", threshold = {threshold:?}, windows = {windows}{keep}");
            ("monitoring", format!("min_rows = {min_rows}\ndrift = {{ {drift} }}\n"))
        }
    };
    let text = format!("[{part}]\n{text}");
    let told = format!("Put what stands here into the [{part}] of the document, and have it signed.");
    let revise = format!("/problems/{}", tested.slug);
    view! {
        <section class="section stack" aria-labelledby="document">
            <div class="section-header">
                <h2 id="document">"To put it in force"</h2>
                <a class="button button-small" data-icon="problem" href=revise>"The document"</a>
            </div>
            <p class="muted">{told}</p>
            <pre class="code" tabindex="0"><code>{text}</code></pre>
        </section>
    }
}
