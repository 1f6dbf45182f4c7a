//! `/deployments/{slug}/rule`: what another rule about drift would have done in the windows that were recorded.

use leptos::prelude::*;
use millrace_charts::{Annotation, Figure, Line, LineChart, Threshold, XAxis, duration, line_chart, number};
use millrace_domain::problem::DriftMetric;
use millrace_domain::view::{BackTestView, Permission, TriedRule};

use crate::components::{ChartFigure, Empty, FaultNotice, GatedButton, Load, Moment, PageHeader};
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
pub async fn back_test(
    slug: String,
    metric: Option<String>,
    threshold: Option<f64>,
    windows: Option<u32>,
    keep_firing: Option<u32>,
    min_rows: Option<u64>,
    alarms: Option<f64>,
) -> Result<BackTestView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let rule = millrace_domain::view::BackTestQuery { metric, threshold, windows, keep_firing, min_rows, alarms };
    Ok(services.back_test(&actor, &slug, &rule).await?)
}

/// The page; the address carries the rule.
#[component]
pub fn RulePage() -> impl IntoView {
    let slug = path_text("slug");
    let (metric, threshold) = (query_text("metric"), query_text("threshold"));
    let (windows, keep_firing) = (query_text("windows"), query_text("keep_firing"));
    let (rows, alarms) = (query_text("min_rows"), query_text("alarms"));
    let tested = Resource::new(
        move || {
            let row = (windows.get(), keep_firing.get());
            (slug.get(), metric.get(), threshold.get(), row, rows.get(), alarms.get())
        },
        |(slug, metric, threshold, (windows, keep_firing), rows, alarms)| {
            let metric = (!metric.is_empty()).then_some(metric);
            let (threshold, alarms) = (threshold.parse().ok(), alarms.parse().ok());
            back_test(
                slug,
                metric,
                threshold,
                windows.parse().ok(),
                keep_firing.parse().ok(),
                rows.parse().ok(),
                alarms,
            )
        },
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

/// The distance in words.
fn words(metric: &str) -> String {
    metric.parse::<DriftMetric>().map_or_else(|_| metric.to_owned(), |metric| metric.to_string())
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
            "What another rule about drift would have done in the windows that were recorded. Nothing changes by trying; a rule is in force \
             once a document that has it is signed."
        </p>
    };
    let form = view! { <RuleForm tested=tested.clone()/> };
    if tested.judged == 0 {
        let text = format!(
            "{} recorded, none of them with {} answers or more.",
            counted(tested.windows.len() as u64, "window is", "windows are"),
            tested.tried.min_rows
        );
        return view! {
            {head} {form}
            <Empty title="Nothing to try it on" text>
                <a class="button" data-icon="monitor" href=monitor>"Monitoring"</a>
            </Empty>
        }
        .into_any();
    }
    let is_signed = tested.tried == tested.signed;
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
    let TriedRule { metric, threshold, windows, keep_firing, min_rows } = tested.tried;
    let options = DriftMetric::ALL
        .map(|(word, own)| view! { <option value=word selected=word == metric>{own.to_string()}</option> });
    let action = format!("/deployments/{}/rule", tested.slug);
    let signed = action.clone();
    view! {
        <form class="filters" method="get" action=action>
            <div class="field">
                <label class="label" for="metric">"Distance"</label>
                <select class="input" id="metric" name="metric">{options}</select>
            </div>
            <Asked name="threshold" label="Limit" value=threshold.to_string() step="any"/>
            <Asked name="windows" label="Windows in a row" value=windows.to_string() step="1"/>

            <Asked name="keep_firing" label="Fine in a row to end it" value=keep_firing.to_string() step="1"/>
            <Asked name="min_rows" label="Answers a window needs" value=min_rows.to_string() step="1"/>
            <Asked name="alarms" label="Alarms wanted in 30 days" value=tested.alarms.to_string() step="any"/>
            <button class="button button-primary" type="submit">"Try"</button>
            <a class="button button-quiet" href=signed>"As signed"</a>
        </form>
    }
}

#[component]
fn Asked(name: &'static str, label: &'static str, value: String, step: &'static str) -> impl IntoView {
    view! {
        <div class="field">
            <label class="label" for=name>{label}</label>
            <input class="input" id=name name=name type="number" min="0" step=step value=value inputmode="decimal" required/>
        </div>
    }
}

#[component]
fn Tiles(tested: BackTestView) -> impl IntoView {
    let recorded_for = duration(tested.days * 86_400.0);
    let recorded = format!("{} of {} windows had answers enough", tested.judged, tested.windows.len());
    let fired = tested.fired.len().to_string();
    let signed = match tested.tried == tested.signed {
        true => "this is the rule in force".to_owned(),
        false => format!("the rule in force would have {}", times(tested.fired_as_signed.len())),
    };
    let wanted = format!("would have fired at most {} in 30 days", times_only(tested.alarms));
    let suggested = tested.suggested.map(|limit| {
        let TriedRule { metric, windows, keep_firing, min_rows, .. } = tested.tried.clone();
        let href = format!(
            "/deployments/{}/rule?metric={metric}&threshold={limit}&windows={windows}&keep_firing={keep_firing}&min_rows={min_rows}&alarms={}",
            tested.slug, tested.alarms
        );
        view! { <a href=href>{number(limit)}</a> }
    });
    view! {
        <div class="grid grid-stats">
            <div class="stat">
                <span class="stat-label">"Would have fired"</span>
                <span class="stat-value">{fired}</span>
                <span class="stat-note">{signed}</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Least limit that is quiet enough"</span>
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

/// The greatest distance of each window, both limits, and when alerts would have fired.
fn figure(tested: &BackTestView) -> Figure {
    let metric = words(&tested.tried.metric);
    let at = |time: &chrono::DateTime<chrono::Utc>| time.timestamp() as f64;
    let points = tested.windows.iter().filter_map(|(time, distance)| Some((at(time), (*distance)?))).collect();
    let values = LineChart {
        title: format!("Greatest {metric} of a window"),
        x: XAxis::Time,
        y: metric.clone(),
        lines: vec![Line { label: "greatest distance".to_owned(), points, band: Vec::new() }],
        threshold: Some(Threshold { label: "limit".to_owned(), value: tested.tried.threshold }),
        annotations: tested.fired.iter().map(|time| Annotation { x: at(time), label: "alert".to_owned() }).collect(),
        conclusion: Some(format!(
            "Of the features and the answers, the one that is farthest from the data of its version's training, where luck does not \
             explain it (at most one in a hundred of those named). Windows with too few answers are left out. By a limit of {} it would \
             have {}.",
            number(tested.tried.threshold),
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
    let text = format!(
        "[monitoring]\nmin_rows = {min_rows}\ndrift = {{ metric = \"{metric}\", threshold = {threshold:?}, windows = {windows}{keep} }}\n"
    );
    let revise = format!("/problems/{}", tested.slug);
    view! {
        <section class="section stack" aria-labelledby="document">
            <div class="section-header">
                <h2 id="document">"To put it in force"</h2>
                <a class="button button-small" data-icon="problem" href=revise>"The document"</a>
            </div>
            <p class="muted">"Put these lines into the [monitoring] of the document, and have it signed."</p>
            <pre class="code" tabindex="0"><code>{text}</code></pre>
        </section>
    }
}
