//! What was counted of a deployment, as it is shown.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::ProblemId;
use millrace_domain::monitor::{Baseline, ColumnFinding, Finding, Reference, Verdict, judge};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::view::{
    BaselineView, BinsView, BusinessReadView, CourseView, MonitorRule, MonitorView, WindowView,
};
use millrace_storage::monitor::{self, Which, Window};
use millrace_storage::retraining::{self, TriggerEvent};
use millrace_storage::{business, deployment, incident, model};

use crate::monitor::ages_at;
use crate::{Result, Services, fault};

/// Windows that are shown when nobody says how many.
pub const USUAL_WINDOWS: u32 = 48;
/// Windows of one answer at most.
pub const MOST_WINDOWS: u32 = 500;
/// Windows that are added up to be held against, at most.
const MOST_BEFORE: u32 = 2_000;
/// Days back, at most.
const MOST_DAYS: u32 = 3_650;
/// Trainings that are looked through for those that are marked.
const MOST_TRAININGS: u32 = 1_000;
/// Loads whose age is drawn.
const MOST_LOADS: u32 = 1_000;
/// Incidents that are shown.
const MOST_INCIDENTS: u32 = 20;
/// Changes and trainings that are marked in charts.
const MOST_MARKS: u32 = 50;

/// Which windows are asked for, and the column whose bins are shown.
#[derive(Debug, Clone, Default)]
pub struct MonitorQuery {
    /// Windows that ended after it.
    pub from: Option<DateTime<Utc>>,
    /// Windows that ended by then.
    pub to: Option<DateTime<Utc>>,
    /// Windows of so many last days, where no `from` is given.
    pub days: Option<u32>,
    /// At most so many, the newest.
    pub limit: Option<u32>,
    /// The column.
    pub column: Option<String>,
    /// End of the window that is looked at closely, in seconds since 1970; the newest that holds anything when absent.
    pub window: Option<i64>,
    /// What windows of the version that is looked at closely are held against.
    pub baseline: Baseline,
    /// Whether windows in which nobody asked are left out, and the columns of all windows but that one.
    pub slim: bool,
}

impl Services {
    /// What was counted of a deployment, window by window.
    ///
    /// # Errors
    /// 404 when nothing ever was live.
    pub async fn monitor(&self, actor: &Actor, slug: &str, query: &MonitorQuery) -> Result<MonitorView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let pool = self.db.pool();
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        let live = live.ok_or_else(|| Fault::not_found("deployment"))?;
        let document = self.document_to_show(slug).await?;
        let limit = query.limit.unwrap_or(USUAL_WINDOWS).clamp(1, MOST_WINDOWS);
        let until = query.to.unwrap_or_else(|| self.now());
        let days = query.days.map(|days| until - TimeDelta::days(i64::from(days.min(MOST_DAYS))));
        let (after, only_busy) = (query.from.or(days), query.slim);
        let which = Which { problem: live.problem, after, until, only_busy, limit: limit + 1 };
        let mut windows = monitor::windows(pool, which).await.map_err(fault)?;
        let mut has_older = cut(&mut windows, limit);
        // The one that is asked for may lie before the newest: then those up to it are shown.
        let asked = query.window.and_then(|end| DateTime::from_timestamp(end, 0)).filter(|_| query.to.is_none());
        let mut shown_until = None;
        if let Some(end) = asked.filter(|_| chosen(&windows, query).is_none()) {
            let until = end + TimeDelta::seconds(1);
            let mut before = monitor::windows(pool, Which { until, after: None, ..which }).await.map_err(fault)?;
            if !before.is_empty() {
                has_older = cut(&mut before, limit);
                (windows, shown_until) = (before, Some(end));
            }
        }
        let reference = match chosen(&windows, query) {
            Some(window) => self.reference(window.version).await?,
            None => None,
        };
        let closely = chosen(&windows, query).cloned();
        let before = match (&reference, &closely) {
            (Some(reference), Some(window)) => self.otherwise(query.baseline, live.problem, reference, window).await?,
            _ => None,
        };
        let (baseline, reference) = match (before, reference) {
            (Some((baseline, sums)), Some(reference)) if baseline.is_used => {
                held_against(&mut windows, &reference, &baseline, &sums);
                (Some(baseline), reference.against(&sums))
            }
            (before, reference) => (before.map(|(baseline, _)| baseline), reference),
        };
        let is_watched = match live.champion {
            Some(champion) => monitor::reference(pool, champion).await.map_err(fault)?.is_some(),
            None => false,
        };
        let (freshness, ages) = match live.champion {
            Some(champion) => {
                let ends: Vec<_> = windows.iter().rev().map(|window| window.ends).collect();
                let since = ends.first().copied().unwrap_or_else(|| self.now());
                let history =
                    monitor::data_history(pool, live.problem, champion, since, MOST_LOADS).await.map_err(fault)?;
                (self.freshness(live.problem, champion, &document).await?, ages_at(history, &document, &ends))
            }
            None => (Vec::new(), Vec::new()),
        };
        let now = self.now();
        let incidents = incident::list(pool, Some(&[slug]), false, None, MOST_INCIDENTS).await.map_err(fault)?;
        let changes = deployment::moves(pool, live.problem).await.map_err(fault)?;
        let told = |change: deployment::PastChange| {
            let version = change.champion.map(|version| format!(" v{version}")).unwrap_or_default();
            (change.changed_at, format!("{}{version}", change.kind))
        };
        let trainings = retraining::trainings(pool, live.problem, MOST_TRAININGS).await.map_err(fault)?;
        let launched = |event: TriggerEvent| {
            Some((event.launched_at?, format!("retraining ({})", event.reason.as_str().replace('_', " "))))
        };
        let mut changes: Vec<_> =
            changes.into_iter().map(told).chain(trainings.into_iter().filter_map(launched)).collect();
        let shown = windows.last().map(|oldest| oldest.begins).zip(windows.first().map(|newest| newest.ends));
        // What happened after the newest window is beside it, unless older ones are looked at.
        let is_newest = query.to.is_none() && shown_until.is_none();
        changes.retain(|(at, _)| shown.is_some_and(|(begins, ends)| begins <= *at && (is_newest || *at <= ends)));
        changes.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        changes.truncate(MOST_MARKS as usize);
        Ok(MonitorView {
            slug: slug.to_owned(),
            title: document.title.clone(),
            champion: live.champion_number,
            is_watched,
            rule: rule(&document),
            courses: courses(&windows),
            chosen: chosen(&windows, query).map(|window| window.ends),
            bins: reference.as_ref().and_then(|reference| bins(reference, &windows, query)),
            baseline,
            has_older,
            shown_until,
            freshness,
            ages,
            business: document.business.as_ref().map(|metric| (metric.name.clone(), metric.unit.clone(), metric.limit)),
            business_read: self.business_read(live.problem, &document).await?,
            incidents: incidents.iter().map(|kept| crate::incident::line(kept, now)).collect(),
            changes,
            estimate_error: estimate_error(&windows),
            unreachable: self.unreachable(&document.notify).await?,
            windows: slimmed(windows, query).into_iter().rev().map(present_window).collect(),
        })
    }

    /// How reading the business metric stands.
    async fn business_read(&self, of: ProblemId, document: &ProblemDocument) -> Result<Option<BusinessReadView>> {
        let Some(read) = document.business.as_ref().and_then(|metric| metric.read.as_ref()) else { return Ok(None) };
        let look = business::find(self.db.pool(), of).await.map_err(fault)?;
        Ok(Some(BusinessReadView {
            connection: read.connection.clone(),
            query: read.query.clone(),
            delay_seconds: read.delay.seconds(),
            looked_at: look.as_ref().and_then(|look| look.looked_at),
            error: look.and_then(|look| look.error),
        }))
    }

    /// What windows are held against where that is not the training data, in the bins of the version.
    async fn otherwise(
        &self,
        baseline: Baseline,
        problem: ProblemId,
        reference: &Reference,
        window: &Window,
    ) -> Result<Option<(BaselineView, Vec<u64>)>> {
        Ok(match baseline {
            Baseline::Training => None,
            Baseline::Month => Some(self.before(problem, reference, window).await?),
            Baseline::Previous => Some(self.previous(reference, window).await?),
        })
    }

    /// What the version was trained on that was live before the one of a window, and whether that is known and enough.
    async fn previous(&self, reference: &Reference, window: &Window) -> Result<(BaselineView, Vec<u64>)> {
        let previous = monitor::previous(self.db.pool(), window.version).await.map_err(fault)?;
        let counts = previous.as_ref().map(|previous| previous.counts.clone()).unwrap_or_default();
        let n = answers(reference, &counts);
        let view = BaselineView {
            kind: Baseline::Previous,
            version: window.number,
            previous: previous.map(|previous| previous.version),
            begins: None,
            ends: None,
            n,
            is_used: n >= window.rule.min_rows.max(1),
        };
        Ok((view, counts))
    }

    /// What the version of a window was asked in the days before it, in its bins, and whether that is enough to be held against.
    async fn before(
        &self,
        problem: ProblemId,
        reference: &Reference,
        window: &Window,
    ) -> Result<(BaselineView, Vec<u64>)> {
        let after = window.begins - TimeDelta::days(Baseline::DAYS);
        let which = Which { problem, after: Some(after), until: window.begins, only_busy: true, limit: MOST_BEFORE };
        let mut before = monitor::windows(self.db.pool(), which).await.map_err(fault)?;
        before.retain(|earlier| earlier.version == window.version && earlier.begins >= after);
        let width = reference.width();
        let counted =
            before.iter().filter_map(|earlier| earlier.counts.as_ref()).filter(|counts| counts.len() == width);
        let sums = counted
            .fold(vec![0_u64; width], |sums, counts| sums.iter().zip(counts).map(|(sum, count)| sum + count).collect());
        let n = answers(reference, &sums);
        let view = BaselineView {
            kind: Baseline::Month,
            version: window.number,
            previous: None,
            begins: Some(before.last().map_or(after, |first| first.begins)),
            ends: Some(before.first().map_or(window.begins, |last| last.ends)),
            n,
            is_used: n >= window.rule.min_rows.max(1),
        };
        Ok((view, sums))
    }

    /// What a version is watched by, for whoever computes everything again elsewhere: its reference, and windows with their counts.
    ///
    /// # Errors
    /// 404 when nothing is live.
    pub async fn export_monitor(&self, actor: &Actor, slug: &str, query: &MonitorQuery) -> Result<serde_json::Value> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let pool = self.db.pool();
        let live = deployment::find(pool, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("deployment"))?;
        let (limit, until) =
            (query.limit.unwrap_or(MOST_WINDOWS).clamp(1, MOST_WINDOWS), query.to.unwrap_or_else(|| self.now()));
        let which = Which { problem: live.problem, after: query.from, until, only_busy: false, limit };
        let windows = monitor::windows(pool, which).await.map_err(fault)?;
        let mut versions: Vec<_> = windows.iter().map(|window| window.version).collect();
        versions.sort_unstable();
        versions.dedup();
        let mut references = serde_json::Map::new();
        for id in versions {
            let Some(version) = model::find(pool, id).await.map_err(fault)? else { continue };
            references.insert(version.number.to_string(), serde_json::json!(self.reference(id).await?));
        }
        let windows: Vec<_> = windows
            .into_iter()
            .rev()
            .map(|window| {
                let (counts, rule) = (window.counts.clone(), window.rule.clone());
                serde_json::json!({ "counts": counts, "rule": rule, "window": present_window(window) })
            })
            .collect();
        let rule = self.document_of(slug).await?.map(|document| document.monitoring);
        Ok(serde_json::json!({ "slug": slug, "rule": rule, "references": references, "windows": windows }))
    }
}

/// How many answers are counted; none where the bins are others.
fn answers(reference: &Reference, counts: &[u64]) -> u64 {
    reference.split(counts).and_then(|counted| Some(counted.columns.last()?.iter().sum())).unwrap_or(0)
}

/// The window that was asked for, or the newest in which anything was counted; `windows` are newest first.
fn chosen<'w>(windows: &'w [Window], query: &MonitorQuery) -> Option<&'w Window> {
    windows.iter().find(|window| match query.window {
        Some(end) => window.ends.timestamp() == end,
        None => window.finding.as_ref().is_some_and(|finding| finding.n > 0),
    })
}

/// The bins of a column in the window that is looked at closely.
fn bins(reference: &Reference, windows: &[Window], query: &MonitorQuery) -> Option<BinsView> {
    let window = chosen(windows, query)?;
    let counted = reference.split(window.counts.as_ref()?)?;
    // Without a wish, the column whose drift matters most.
    let wanted = query.column.clone().or_else(|| {
        let finding = window.finding.as_ref()?;
        let most = finding.columns.iter().max_by(|a, b| a.weight().total_cmp(&b.weight()))?;
        Some(finding.drifted().first().map_or_else(|| most.name.clone(), |column| column.name.clone()))
    });
    let found = reference.columns().zip(counted.columns).find(|(column, _)| Some(&column.name) == wanted.as_ref());
    found.map(|(column, current)| BinsView {
        column: column.name.clone(),
        binning: column.binning.clone(),
        reference: column.counts.clone(),
        current: current.to_vec(),
    })
}

/// Leaves out what goes beyond the limit; whether anything did.
fn cut(windows: &mut Vec<Window>, limit: u32) -> bool {
    let has_older = windows.len() > limit as usize;
    windows.truncate(limit as usize);
    has_older
}

/// Judges the windows of a version against other rows than those of its training. A window that is one of them is held against the others,
/// if these are enough. Of windows of other versions it is not known how far they are from that: their columns are left
/// out.
fn held_against(windows: &mut [Window], reference: &Reference, baseline: &BaselineView, sums: &[u64]) {
    for window in windows.iter_mut() {
        if window.number != baseline.version {
            if let Some(finding) = &mut window.finding {
                finding.columns.clear();
                finding.weighted = None;
            }
            continue;
        }
        let Some(counts) = window.counts.as_ref().filter(|counts| counts.len() == sums.len()) else { continue };
        let is_in = baseline
            .begins
            .zip(baseline.ends)
            .is_some_and(|(begins, ends)| begins <= window.begins && window.ends <= ends);
        let others = sums.iter().zip(counts).map(|(sum, own)| if is_in { sum.saturating_sub(*own) } else { *sum });
        let Some(against) = reference.against(&others.collect::<Vec<_>>()) else { continue };
        let is_enough = against.prediction.counts.iter().sum::<u64>() >= window.rule.min_rows.max(1);
        // What was estimated of quality has nothing to do with it.
        let estimate = window.finding.as_ref().and_then(|finding| finding.estimate);
        window.finding = judge(&against, counts, &window.rule).map(|finding| match is_enough {
            true => Finding { estimate, ..finding },
            false => {
                let verdict = if finding.n == 0 { Verdict::NoData } else { Verdict::TooFew };
                Finding { estimate, verdict, weighted: None, columns: Vec::new(), ..finding }
            }
        });
    }
}

/// The distances of each column, oldest window first, with what was missing and unseen.
fn courses(windows: &[Window]) -> Vec<CourseView> {
    let newest =
        windows.iter().find_map(|window| window.finding.as_ref().filter(|finding| !finding.columns.is_empty()));
    let names = newest.map(|finding| finding.columns.iter().map(|column| column.name.clone())).into_iter().flatten();
    let seen = |window: &Window, name: &str| {
        window.finding.as_ref()?.columns.iter().find(|column| column.name == name).cloned()
    };
    names
        .map(|column| {
            let seen: Vec<_> = windows.iter().rev().map(|window| seen(window, &column)).collect();
            let of = |value: fn(&ColumnFinding) -> Option<f64>| {
                seen.iter().map(|column| column.as_ref().and_then(value)).collect()
            };
            let distances = of(|column| Some(column.distance));
            CourseView {
                column,
                distances,
                missing: of(|column| Some(column.missing)),
                unseen: of(|column| column.unseen),
            }
        })
        .collect()
}

/// The same windows, with the columns of the chosen one alone if that was asked for.
fn slimmed(mut windows: Vec<Window>, query: &MonitorQuery) -> Vec<Window> {
    let kept = chosen(&windows, query).map(|window| window.id);
    for window in windows.iter_mut().filter(|window| query.slim && Some(window.id) != kept) {
        if let Some(finding) = &mut window.finding {
            finding.columns.clear();
        }
    }
    windows
}

fn rule(document: &ProblemDocument) -> MonitorRule {
    let monitoring = &document.monitoring;
    MonitorRule {
        window_seconds: monitoring.window.seconds(),
        metric: monitoring.drift.metric.to_string(),
        threshold: monitoring.drift.threshold,
        windows: monitoring.drift.windows,
        min_rows: monitoring.min_rows,
        delay_seconds: document.target.delay.seconds(),
        success: document.success.metric.as_str().to_owned(),
        success_limit: document.success.bound.limit(),
    }
}

fn present_window(window: Window) -> WindowView {
    WindowView {
        begins: window.begins,
        ends: window.ends,
        version: window.number,
        finding: window.finding,
        quality: window.quality,
        business: window.business,
        uncounted: window.uncounted,
    }
}

/// How far estimates were from what quality turned out to be, where both are of the same metric.
fn estimate_error(windows: &[Window]) -> Option<(f64, u64)> {
    let errors: Vec<f64> = windows
        .iter()
        .filter_map(|window| {
            let (quality, estimate) = (window.quality.as_ref()?, window.finding.as_ref()?.estimate?);
            let estimated = match quality.metric.as_str() {
                "roc_auc" => estimate.roc_auc,
                "accuracy" => estimate.accuracy,
                _ => return None,
            };
            (quality.verdict != "insufficient").then(|| (quality.value - estimated).abs())
        })
        .collect();
    (!errors.is_empty()).then(|| (errors.iter().sum::<f64>() / errors.len() as f64, errors.len() as u64))
}
