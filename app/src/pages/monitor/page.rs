//! `/deployments/{slug}/monitor`: the newest windows, and one column of one of them looked at closely.

use leptos::prelude::*;
use millrace_charts::{Figure, count, duration, number, percent};
use millrace_domain::monitor::{Finding, Verdict};
use millrace_domain::view::{BusinessReadView, FreshnessView, IncidentLine, MonitorView, WindowView};

use crate::components::{ChartFigure, Empty, Load, Moment, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::pages::address::path_text;
use crate::wording::counted;

use super::asked::{Asked, AskedForm, BaselineNote, against, is_held_otherwise};
use super::charts::{
    ages_figure, bins_figure, business_figure, course_figure, lacking_figure, quadrant_figure, quality_figure,
    volume_figure,
};
use super::columns::ColumnTable;
use super::windows::WindowTable;

/// What was counted of a deployment.
#[server(name = FetchMonitor, prefix = "/fn", endpoint = "monitor")]
pub async fn fetch_monitor(slug: String, #[server(default)] asked: Asked) -> Result<MonitorView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let (is_span, baseline) = (asked.is_span(), asked.baseline());
    let Asked { column, window, windows, days, from, to, .. } = asked;
    let query = millrace_services::MonitorQuery {
        from: millrace_services::moment("/from", &Some(from))?,
        to: millrace_services::moment("/to", &Some(to))?,
        days: days.parse().ok(),
        column: (!column.is_empty()).then_some(column),
        window: window.parse().ok(),
        limit: windows.parse().ok().or(is_span.then_some(millrace_services::MOST_WINDOWS)),
        baseline,
        slim: true,
    };
    Ok(services.monitor(&actor, &slug, &query).await?)
}

/// The page; its address carries what it shows.
#[component]
pub fn MonitorPage() -> impl IntoView {
    let (slug, asked) = (path_text("slug"), Asked::read());
    let monitor = Resource::new(move || (slug.get(), asked.get()), |(slug, asked)| fetch_monitor(slug, asked));
    view! {
        <Load resource=monitor above=("Deployments", "/deployments") let:monitor>
            <Monitor monitor asked=asked.get_untracked()/>
        </Load>
    }
}

/// The window that is looked at closely.
pub(super) fn chosen(monitor: &MonitorView) -> Option<&WindowView> {
    monitor.windows.iter().find(|window| Some(window.ends) == monitor.chosen)
}

/// A window's length in words.
pub(super) fn length(seconds: u64) -> String {
    duration(seconds as f64)
}

#[component]
pub fn Monitor(monitor: MonitorView, asked: Asked) -> impl IntoView {
    let page = format!("/deployments/{}/monitor", monitor.slug);
    let head = view! { <Head monitor=monitor.clone() asked=asked.clone()/> };
    let firing: Vec<IncidentLine> = monitor
        .incidents
        .iter()
        .filter(|line| matches!(line.state.as_str(), "firing" | "no_data" | "acknowledged" | "silenced" | "pending"))
        .cloned()
        .collect();
    let alerts = firing.into_iter().map(|line| view! { <OpenAlert line/> }).collect_view();
    let unreachable = (!monitor.unreachable.is_empty()).then(|| {
        let addresses = monitor.unreachable.join(", ");
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p class="callout-title">"Some addresses of the document get no letters"</p>
                <p>{addresses} ": nobody with an account has them. Only addresses of accounts are written to."</p>
            </div>
        }
    });
    let unwatched = (monitor.champion.is_some() && !monitor.is_watched).then(|| {
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p class="callout-title">"The live version cannot be watched"</p>
                <p>"It was registered before references were kept. A version that is trained now can be."</p>
            </div>
        }
    });
    let unread = monitor.business_read.as_ref().and_then(|read| read.error.clone()).map(|error| {
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p class="callout-title">"The business metric could not be read"</p>
                <p>{error} ". It is tried again; until then nobody is told when it is beyond its limit."</p>
            </div>
        }
    });
    let older = monitor.shown_until.map(|until| {
        let newest = page.clone();
        view! { <p>"Windows up to " <Moment at=until/> ". " <a href=newest>"The newest"</a></p> }
    });
    let uncounted = chosen(&monitor).filter(|window| !window.uncounted.is_empty());
    let uncounted = uncounted.cloned().map(|window| view! { <NotCounted window/> });
    let form = view! { <AskedForm asked=asked.clone() page=page.clone()/> };
    if monitor.windows.is_empty() && asked.is_span() {
        return view! {
            {head} {form}
            <div class="stack">{alerts} {unreachable} {unwatched} {unread}</div>
            <Empty title="Nothing was counted then" text="No window ended in that time, or nobody asked in any that did.">
                <a class="button" data-icon="monitor" href=page>"The newest windows"</a>
            </Empty>
        }
        .into_any();
    }
    if monitor.windows.is_empty() {
        let text = match monitor.champion {
            None => {
                "No version is live. What a live version is asked and answers is counted from its first request on."
                    .to_owned()
            }
            Some(_) => format!(
                "Nobody has asked within a whole window of {} yet. What is asked and answered stands here after its window has ended.",
                length(monitor.rule.window_seconds)
            ),
        };
        return view! {
            {head}
            <div class="stack">{alerts} {unreachable} {unwatched} {unread}</div>
            <Empty title="Nothing was counted yet" text>
                <a class="button" data-icon="deployment" href=format!("/deployments/{}", monitor.slug)>"Deployment"</a>
            </Empty>
        }
        .into_any();
    }
    let closely =
        match chosen(&monitor).and_then(|window| window.finding.clone().map(|finding| (window.clone(), finding))) {
            Some((window, finding)) => {
                let quadrant = quadrant_figure(&monitor, &finding);
                let course = course_figure(&monitor);
                let lacking = lacking_figure(&monitor);
                let bins = monitor.bins.as_ref().map(|bins| bins_figure(bins, &window));
                let named = monitor.bins.as_ref().map(|bins| bins.column.clone()).unwrap_or_default();
                view! {
                    <section class="section stack" aria-labelledby="columns">
                        <div class="section-header"><h2 id="columns">"Features and answers"</h2></div>
                        <p class="lede">{method(&monitor)}</p>
                        <ColumnTable monitor=monitor.clone() finding page=page.clone() asked=asked.clone()/>
                    </section>
                    <section class="section stack" aria-labelledby="closely" id="closely-section">
                        <div class="section-header"><h2 id="closely">{format!("{named}, closely")}</h2></div>
                        {bins.map(|figure| view! { <ChartFigure figure/> })}
                        {course.map(|figure| view! { <ChartFigure figure/> })}
                        {lacking.map(|figure| view! { <ChartFigure figure/> })}
                    </section>
                    <section class="section stack" aria-labelledby="matters">
                        <div class="section-header"><h2 id="matters">"What matters"</h2></div>
                        <ChartFigure figure=quadrant/>
                    </section>
                }
                .into_any()
            }
            None => view! {
                <p class="muted">"In none of these windows was anything asked."</p>
            }
            .into_any(),
        };
    let baseline = monitor.baseline.clone();
    let baseline = baseline.map(|baseline| view! { <BaselineNote baseline min_rows=monitor.rule.min_rows/> });
    let cut = (monitor.has_older && asked.is_span()).then(|| {
        let shown = counted(monitor.windows.len() as u64, "window", "windows");
        view! { <p class="muted">{format!("More than can be shown at once: these are the newest {shown} of that time.")}</p> }
    });
    let volume = volume_figure(&monitor);
    let ages = ages_figure(&monitor);
    let quality = quality_figure(&monitor);
    let is_known = monitor.windows.iter().any(|window| window.quality.is_some());
    let track = monitor.estimate_error.map(|(error, windows)| {
        format!("Over {} the estimate was {} off on average.", counted(windows, "window", "windows"), number(error))
    });
    let business = business_figure(&monitor);
    view! {
        {head} {form}
        <div class="stack">
            {older} {cut} {baseline} {alerts} {unreachable} {unwatched} {unread} {uncounted}
            <Tiles monitor=monitor.clone()/>
        </div>
        {closely}
        <section class="section stack" aria-labelledby="volume">
            <div class="section-header"><h2 id="volume">"Volume"</h2></div>
            <ChartFigure figure=volume/>
        </section>
        <section class="section stack" aria-labelledby="quality">
            <div class="section-header"><h2 id="quality">"Quality"</h2></div>
            {quality.map(|figure| view! { <ChartFigure figure/> })}
            {(!is_known).then(|| view! {
                <p class="muted">
                    {format!("No outcomes are known yet; they are expected {} after an answer.", length(monitor.rule.delay_seconds))}
                </p>
            })}
            {track.map(|track| view! {
                <p class="muted">
                    {track}
                    " It is made from how often each bin of scores was right on held-out rows, and sees that inputs moved, not that their \
                     meaning did."
                </p>
            })}
        </section>
        {(business.is_some() || monitor.business_read.is_some()).then(|| view! {
            <section class="section stack" aria-labelledby="business">
                <div class="section-header"><h2 id="business">"Business metric"</h2></div>
                {business.map(|figure| view! { <ChartFigure figure/> })}
                {monitor.business_read.clone().map(|read| view! { <BusinessRead read/> })}
            </section>
        })}
        <Freshness freshness=monitor.freshness.clone() ages/>
        <WindowTable monitor page asked/>
    }
    .into_any()
}

/// The rule in a sentence.
fn method(monitor: &MonitorView) -> String {
    let rule = &monitor.rule;
    let told = match rule.windows {
        _ if is_held_otherwise(monitor) => "of alerts the training data decides".to_owned(),
        1 => "on-call is told".to_owned(),
        windows => format!("after {windows} such windows in a row on-call is told"),
    };
    format!(
        "Against {}. Drifted is a {} above {} that luck does not explain (at most one in a hundred of \
         those named); {told}. Windows of fewer than {} answers give no verdict.",
        against(monitor),
        rule.metric,
        number(rule.threshold),
        count(rule.min_rows)
    )
}

#[component]
fn Head(monitor: MonitorView, asked: Asked) -> impl IntoView {
    let deployment = format!("/deployments/{}", monitor.slug);
    let alerts = format!("/alerts?problem={}", monitor.slug);
    let retraining = format!("/problems/{}/retraining", monitor.slug);
    let rule = format!("/deployments/{}/rule", monitor.slug);
    let export = format!("/api/v1/deployments/{}/monitor/export.json", monitor.slug);
    let table = asked.file(&format!("/api/v1/deployments/{}/monitor/export.csv", monitor.slug));
    let state = match chosen(&monitor).and_then(|window| window.finding.as_ref()) {
        None => "waiting".to_owned(),
        Some(finding) => finding.verdict.as_str().to_owned(),
    };
    let live = monitor.champion.map(|version| format!("version {version} is live"));
    let window = format!("windows of {}", length(monitor.rule.window_seconds));
    view! {
        <PageHeader
            title="Monitoring"
            crumbs=vec![
                ("Deployments".to_owned(), "/deployments".to_owned()),
                (monitor.title.clone(), deployment.clone()),
            ]
            state
            meta=move || view! { <span>{monitor.slug.clone()}</span> <span>{live.clone()}</span> <span>{window.clone()}</span> }
            actions=move || {
                view! {
                    <a class="button" data-icon="deployment" href=deployment.clone()>"Deployment"</a>
                    <a class="button" data-icon="alert" href=alerts.clone()>"Alerts"</a>
                    <a class="button" data-icon="search" href=rule.clone()>"Try a rule"</a>
                    <a class="button" data-icon="schedule" href=retraining.clone()>"Retraining"</a>
                    <a class="button" data-icon="download" href=table.clone() rel="external">"CSV"</a>
                    <a class="button" data-icon="download" href=export.clone() rel="external">"Bins and counts"</a>
                }
            }
        />
    }
}

/// What the window that is looked at closely does not hold.
#[component]
fn NotCounted(window: WindowView) -> impl IntoView {
    let lost = window.uncounted.into_iter();
    let lost =
        lost.map(|lost| view! { <li><code>{lost.server}</code> " since " <Moment at=lost.since/></li> }).collect_view();
    view! {
        <div class="callout" data-kind="warning" role="status">
            <p class="callout-title">"Some answers of this window may not be counted"</p>
            <p>
                "When the window was judged, a server had not written what it counted last: it was lost, or could not reach the database. \
                 What it answered since is missing in what is made from counts:"
            </p>
            <ul>{lost}</ul>
        </div>
    }
}

#[component]
fn OpenAlert(line: IncidentLine) -> impl IntoView {
    let kind = if line.state == "pending" { "warning" } else { "error" };
    let since = line.fired_at.unwrap_or(line.opened_at);
    view! {
        <div class="callout" data-kind=kind role="status">
            <p class="callout-title">{line.title}</p>
            <p><StateBadge state=line.state/> " since " <Moment at=since/></p>
            <div class="cluster"><a class="button button-small" href=format!("/alerts/{}", line.id)>"Open the alert"</a></div>
        </div>
    }
}

#[component]
fn Tiles(monitor: MonitorView) -> impl IntoView {
    let window = chosen(&monitor).cloned();
    let finding = window.as_ref().and_then(|window| window.finding.clone());
    let (drifted, answers) = finding.as_ref().map_or_else(|| (none(), none()), |finding| tiles_of(&monitor, finding));
    let volume = match &finding {
        None => none(),
        Some(finding) => {
            let failed = if finding.failed == 0 {
                String::new()
            } else {
                format!(", {} without an answer", count(finding.failed))
            };
            (count(finding.n), format!("answers in the window{failed}"))
        }
    };
    let oldest = monitor.freshness.iter().max_by_key(|data| data.age_seconds);
    let age = match oldest {
        None => none(),
        Some(data) => {
            let limit = data
                .limit_seconds
                .map_or_else(|| "no limit".to_owned(), |limit| format!("limit {}", duration(limit as f64)));
            (duration(data.age_seconds.max(0) as f64), format!("{}, {limit}", data.dataset))
        }
    };
    let quality =
        match monitor.windows.iter().rev().find_map(|window| window.quality.clone().map(|quality| (window, quality))) {
            None => ("unknown".to_owned(), "no outcomes yet".to_owned()),
            Some((window, quality)) => {
                let known = format!(
                    "{}, known until {}; {} of {} outcomes",
                    quality.metric.replace('_', " "),
                    window.ends.format("%Y-%m-%d %H:%M UTC"),
                    count(quality.labelled),
                    count(quality.answered)
                );
                (number(quality.value), known)
            }
        };
    let tiles = [
        ("Features drifted", drifted),
        ("Answers", answers),
        ("Quality", quality),
        ("Volume", volume),
        ("Oldest data", age),
    ];
    let tiles = tiles.map(|(label, (value, note))| {
        view! {
            <div class="stat">
                <span class="stat-label">{label}</span>
                <span class="stat-value">{value}</span>
                <span class="stat-note">{note}</span>
            </div>
        }
    });
    view! { <div class="grid grid-stats">{tiles}</div> }
}

fn none() -> (String, String) {
    ("none".to_owned(), "nothing was counted".to_owned())
}

/// How many features drifted, and how far answers did, each with a note.
fn tiles_of(monitor: &MonitorView, finding: &Finding) -> ((String, String), (String, String)) {
    let (answers, features) = match finding.columns.split_last() {
        None => return (none(), none()),
        Some(split) => split,
    };
    let drifted: Vec<&str> =
        finding.drifted().iter().map(|column| column.name.as_str()).filter(|name| *name != answers.name).collect();
    let note = match finding.verdict {
        Verdict::TooFew => format!("not enough data: {} answers", count(finding.n)),
        _ if drifted.is_empty() => {
            format!("weighted {} {}", monitor.rule.metric, number(finding.weighted.unwrap_or(0.0)))
        }
        _ => drifted.iter().take(3).copied().collect::<Vec<_>>().join(", "),
    };
    let missing = features.iter().map(|column| column.missing).fold(0.0, f64::max);
    let note = if missing > 0.0 { format!("{note}; up to {} missing", percent(missing)) } else { note };
    let limit = format!("{} from {}, limit {}", monitor.rule.metric, against(monitor), number(monitor.rule.threshold));
    ((format!("{} of {}", drifted.len(), features.len()), note), (number(answers.distance), limit))
}

/// Where the business metric is read, and how that stands.
#[component]
fn BusinessRead(read: BusinessReadView) -> impl IntoView {
    let when = match read.delay_seconds {
        0 => "as soon as a window is over".to_owned(),
        delay => format!("{} after the end of a window", length(delay)),
    };
    let looked = read.looked_at.map_or_else(
        || view! { <span>"not read yet"</span> }.into_any(),
        |at| view! { <span>"last tried " <Moment at/></span> }.into_any(),
    );
    view! {
        <p class="muted">"Read from " <code>{read.connection}</code> " by the document's query, " {when} "; " {looked} "."</p>
        <details>
            <summary>"Query"</summary>
            <pre class="code" tabindex="0">{read.query}</pre>
        </details>
    }
}

#[component]
fn Freshness(freshness: Vec<FreshnessView>, ages: Option<Figure>) -> impl IntoView {
    let rows = freshness
        .into_iter()
        .map(|data| {
            let state = match (data.is_stale, data.limit_seconds) {
                (true, _) => "stale",
                (false, Some(_)) => "pass",
                (false, None) => "none",
            };
            let limit = data.limit_seconds.map_or_else(|| "none".to_owned(), |limit| duration(limit as f64));
            view! {
                <tr>
                    <th scope="row" data-label="Dataset">{format!("{} v{}", data.dataset, data.version)}</th>
                    <td data-label="Newest row"><Moment at=data.newest/></td>
                    <td class="num" data-label="Age">{duration(data.age_seconds.max(0) as f64)}</td>
                    <td class="num" data-label="Limit">{limit}</td>
                    <td data-label="State">{(state != "none").then(|| view! { <StateBadge state=state/> })}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="freshness">
            <div class="section-header"><h2 id="freshness">"Freshness"</h2></div>
            {ages.map(|figure| view! { <ChartFigure figure/> })}
            <TableRegion label="Freshness">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Datasets and the age of their newest rows"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Dataset"</th>
                            <th scope="col">"Newest row"</th>
                            <th scope="col" class="num">"Age"</th>
                            <th scope="col" class="num">"Limit"</th>
                            <th scope="col">"State"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use millrace_domain::monitor::Baseline;
    use millrace_domain::view::BaselineView;

    use super::*;
    use crate::pages::samples::rendered;
    use crate::pages::samples_watched::monitor;

    #[test]
    fn what_has_drifted_is_named_with_its_numbers_and_drawn() {
        let html = rendered(
            "/deployments/taxi-tips/monitor",
            || view! { <Monitor monitor=monitor() asked=Asked::default()/> },
        );
        for expected in [
            "1 of 2",
            "miles",
            "Drifted",
            "Drift and importance",
            "below 2",
            "threshold",
            "nobody@example.org",
            "serve@web-1:7",
        ] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn before_the_first_window_it_is_said_when_there_will_be_something() {
        let empty = MonitorView { windows: Vec::new(), bins: None, chosen: None, courses: Vec::new(), ..monitor() };
        let html =
            rendered("/deployments/taxi-tips/monitor", || view! { <Monitor monitor=empty asked=Asked::default()/> });
        assert!(html.contains("Nothing was counted yet"), "{html}");
    }

    #[test]
    fn what_is_held_against_other_rows_than_those_of_training_says_so_and_its_links_keep_to_them() {
        let asked = Asked { days: "7".to_owned(), baseline: "month".to_owned(), ..Asked::default() };
        let (begins, ends) = (monitor().windows[0].begins, monitor().windows[0].ends);
        let baseline = BaselineView {
            kind: Baseline::Month,
            version: 2,
            previous: None,
            begins: Some(begins),
            ends: Some(ends),
            n: 4_200,
            is_used: true,
        };
        let held = MonitorView { baseline: Some(baseline), ..monitor() };
        let html = rendered("/deployments/taxi-tips/monitor", || view! { <Monitor monitor=held asked/> });
        for expected in [
            "Held against the 30 days before",
            "200 answers of the same version",
            "days=7&amp;baseline=month",
            "PSI from the 30 days before",
        ] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }
}
