//! What another rule would have done in the recorded windows of a deployment.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{ModelVersionId, ProblemId};
use millrace_domain::metric::{Direction, TargetKind};
use millrace_domain::monitor::incident::{Cause, InARow};
use millrace_domain::monitor::{BackTest, Estimate, Height, Reference, Tried, estimates};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{Drift, Mistake, ProblemDocument};
use millrace_domain::view::{BackTestQuery, BackTestView, Permission, TriedRule};
use millrace_storage::deployment;
use millrace_storage::monitor::{self, Recorded};

use crate::monitor::ages_at;
use crate::{Result, Services, fault};

/// Recorded windows that are looked at, the newest: a hundred days of hours; fewer where they have more than 400 columns.
const MOST_WINDOWS: usize = 2_500;
const MOST_COLUMNS: usize = 1_000_000;
/// Columns that are in memory at once.
const COLUMNS_AT_ONCE: usize = 50_000;
/// False alarms that are wanted in thirty days when nobody says.
const USUAL_ALARMS: f64 = 1.0;
/// Loads that are looked at: some for every window.
const MOST_LOADS: u32 = 20_000;
/// Seconds of an hour.
const HOUR: f64 = 3_600.0;

/// What is asked for, every word of it read.
struct Asked {
    about: Cause,
    drift: Drift,
    limit: Option<f64>,
    min_rows: u64,
    alarms: f64,
}

impl Services {
    /// Runs the recorded windows of a deployment through a rule. What is not asked for is as the document has it.
    ///
    /// # Errors
    /// 404 when nothing ever was live; 400 for what is no rule.
    pub async fn back_test(&self, actor: &Actor, slug: &str, query: &BackTestQuery) -> Result<BackTestView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let pool = self.db.pool();
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        let live = live.ok_or_else(|| Fault::not_found("deployment"))?;
        let document = self.document_to_show(slug).await?;
        let choices = choices(&document);
        let signed = &document.monitoring;
        let asked = read(query, &document, &choices)?;
        let about = asked.about;
        let rules = [(&asked.drift, asked.min_rows), (&signed.drift, signed.min_rows)];
        let (windows, of_drift) = match about {
            Cause::Drift => self.drifts(live.problem, rules).await?,
            _ => (self.recorded(live.problem, false, None, MOST_WINDOWS).await?, <[Vec<Height>; 2]>::default()),
        };
        let length = TimeDelta::seconds(i64::try_from(signed.window.seconds()).unwrap_or(i64::MAX / 1_000));
        let days = match (windows.first(), windows.last()) {
            (Some(first), Some(last)) => (last.ends - first.ends + length).num_seconds() as f64 / 86_400.0,
            _ => 0.0,
        };
        let better = match &document.business {
            Some(metric) if about == Cause::Business => metric.direction,
            _ => Direction::Down,
        };
        let in_a_row = |drift: &Drift| if about == Cause::Freshness { InARow::ONE } else { drift.in_a_row() };
        let test = |heights: Vec<Height>, limit, drift: &Drift| {
            // As many as are wanted of the time that something is known of.
            let mut known = heights.iter().filter(|height| height.value.is_some()).map(|height| height.at);
            let known = known.next().map(|first| (first, known.next_back().unwrap_or(first)));
            let days = known.map_or(0.0, |(first, last)| (last - first + length).num_seconds() as f64 / 86_400.0);
            let most = (asked.alarms * days / 30.0).floor() as usize;
            let digits = if about == Cause::Business { 4 } else { 2 };
            // Where nothing is lost, less than a thousandth is nothing to be told of either.
            let range = if about == Cause::Estimate { (1e-3, 1.0) } else { range(about) };
            BackTest::of(heights, limit, Tried { better, in_a_row: in_a_row(drift), most, digits, range })
        };
        let (of_asked, of_signed) = match about {
            Cause::Freshness => {
                let ages = self.greatest_ages(live.problem, live.champion, &document, &windows).await?;
                (ages.clone(), ages)
            }
            Cause::Estimate => {
                let references = self.references(&windows).await?;
                let losses = |min_rows| losses(&document, &windows, &references, min_rows);
                (losses(asked.min_rows), losses(signed.min_rows))
            }
            Cause::Drift => of_drift.into(),
            _ => {
                let value = |window: &Recorded| window.business.filter(|_| about == Cause::Business);
                let heights: Vec<_> = windows.iter().map(|one| Height { at: one.ends, value: value(one) }).collect();
                (heights.clone(), heights)
            }
        };
        let tried = test(of_asked, asked.limit, &asked.drift);
        let as_signed = test(of_signed, limit_of(&document, about), &signed.drift);
        let told = |limit: f64, drift: &Drift, min_rows: u64| TriedRule {
            metric: match (about, &document.business) {
                (Cause::Business, Some(metric)) => metric.name.clone(),
                (Cause::Estimate, _) => document.success.metric.as_str().to_owned(),
                (Cause::Freshness, _) => "age".to_owned(),
                _ => drift.metric.as_str().to_owned(),
            },
            threshold: limit,
            windows: in_a_row(drift).fires,
            keep_firing: in_a_row(drift).ends,
            min_rows,
        };
        let is_limited = limit_of(&document, about).is_some();
        Ok(BackTestView {
            slug: slug.to_owned(),
            title: document.title.clone(),
            about: about.as_str().to_owned(),
            choices: choices.iter().map(|cause| cause.as_str().to_owned()).collect(),
            unit: match (about, &document.business) {
                (Cause::Business, Some(metric)) => Some(metric.unit.clone()),
                (Cause::Freshness, _) => Some("h".to_owned()),
                _ => None,
            },
            is_worse_below: better == Direction::Up,
            signed: is_limited.then(|| told(as_signed.limit, &signed.drift, signed.min_rows)),
            tried: told(tried.limit, &asked.drift, asked.min_rows),
            begins: windows.first().map(|first| first.ends - length),
            ends: windows.last().map(|last| last.ends),
            days,
            judged: tried.heights.iter().filter(|height| height.value.is_some()).count() as u64,
            windows: tried.heights.iter().map(|height| (height.at, height.value)).collect(),
            fired: tried.fired,
            fired_as_signed: if is_limited { as_signed.fired } else { Vec::new() },
            alarms: asked.alarms,
            suggested: tried.suggested,
            may_test: Permission::from_result(
                actor.may_on(Action::HandleIncident, slug).map_err(|refused| refused.to_string()),
            ),
        })
    }

    /// The newest windows before a time, oldest first.
    async fn recorded(
        &self,
        problem: ProblemId,
        with_columns: bool,
        before: Option<DateTime<Utc>>,
        most: usize,
    ) -> Result<Vec<Recorded>> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        monitor::recorded(self.db.pool(), problem, with_columns, before, most).await.map_err(fault)
    }

    /// The newest windows, oldest first, without what was found of their columns, and how far they drifted by each of two rules.
    async fn drifts(&self, problem: ProblemId, rules: [(&Drift, u64); 2]) -> Result<(Vec<Recorded>, [Vec<Height>; 2])> {
        let (mut windows, mut heights) = (Vec::<Recorded>::new(), <[Vec<Height>; 2]>::default());
        let (mut columns, mut widest, mut at_once) = (0, 1, 1);
        while windows.len() < MOST_WINDOWS && columns < MOST_COLUMNS {
            let before = windows.last().map(|window| window.ends);
            let read = self.recorded(problem, true, before, at_once.min(MOST_WINDOWS - windows.len())).await?;
            let is_all = read.len() < at_once;
            for mut window in read.into_iter().rev() {
                let Some(finding) = &mut window.finding else { continue };
                for (heights, (drift, min_rows)) in heights.iter_mut().zip(rules) {
                    heights.push(Height::of_drift(window.ends, finding, drift.metric, min_rows));
                }
                let width = std::mem::take(&mut finding.columns).len();
                (columns, widest) = (columns + width, widest.max(width));
                windows.push(window);
            }
            if is_all {
                break;
            }
            // Windows in which nobody asked have no columns, and say nothing of how many those before them have.
            at_once = (COLUMNS_AT_ONCE / widest).clamp(1, at_once * 2);
        }
        windows.reverse();
        heights.iter_mut().for_each(|heights| heights.reverse());
        Ok((windows, heights))
    }

    /// At the end of each window, the hours since the newest row of the dataset that was oldest.
    async fn greatest_ages(
        &self,
        problem: ProblemId,
        champion: Option<ModelVersionId>,
        document: &ProblemDocument,
        windows: &[Recorded],
    ) -> Result<Vec<Height>> {
        let ends: Vec<_> = windows.iter().map(|window| window.ends).collect();
        let history = match (champion, ends.first()) {
            (Some(champion), Some(first)) => {
                let pool = self.db.pool();
                monitor::data_history(pool, problem, champion, *first, MOST_LOADS).await.map_err(fault)?
            }
            _ => Vec::new(),
        };
        let ages = ages_at(history, document, &ends);
        let oldest = |place: usize| ages.iter().filter_map(|data| data.seconds[place]).max();
        let height = |(place, at)| Height { at, value: oldest(place).map(|seconds| seconds as f64 / HOUR) };
        Ok(ends.into_iter().enumerate().map(height).collect())
    }

    /// What the versions of these windows were held against.
    async fn references(&self, windows: &[Recorded]) -> Result<References> {
        let mut references = References::new();
        for window in windows {
            if let Entry::Vacant(unread) = references.entry(window.version) {
                unread.insert(self.reference(window.version).await?);
            }
        }
        Ok(references)
    }
}

type References = BTreeMap<ModelVersionId, Option<Reference>>;

/// By how much each window's success metric is estimated to be worse than on the held-out rows of its version.
fn losses(document: &ProblemDocument, windows: &[Recorded], references: &References, min_rows: u64) -> Vec<Height> {
    let loss = |window: &Recorded| {
        let finding = window.finding.as_ref().filter(|finding| finding.n > 0 && finding.n >= min_rows)?;
        let reference = references.get(&window.version)?.as_ref()?;
        let (held_out, now) = estimates(reference, document.success.metric, finding.estimate)?;
        Some(held_out - now)
    };
    windows.iter().map(|window| Height { at: window.ends, value: loss(window) }).collect()
}

/// What rules can be tried on: a metric is measured where the document names one, and estimated where that is possible.
fn choices(document: &ProblemDocument) -> Vec<Cause> {
    let business = document.business.is_some().then_some(Cause::Business);
    let is_estimated = Estimate::has(document.success.metric) && document.target.kind == TargetKind::Binary;
    let estimate = is_estimated.then_some(Cause::Estimate);
    [Some(Cause::Drift), business, Some(Cause::Freshness), estimate].into_iter().flatten().collect()
}

/// The limit that is signed.
fn limit_of(document: &ProblemDocument, about: Cause) -> Option<f64> {
    let rule = &document.monitoring;
    match about {
        Cause::Business => document.business.as_ref()?.limit,
        Cause::Freshness => rule.freshness.map(|limit| limit.seconds() as f64 / HOUR),
        Cause::Estimate => rule.estimated_loss,
        _ => Some(rule.drift.threshold),
    }
}

/// What a limit may be, as the document takes it.
const fn range(about: Cause) -> (f64, f64) {
    match about {
        Cause::Business => (f64::MIN, f64::MAX),
        Cause::Estimate => (1e-6, 1.0),
        _ => (1e-6, 1e6),
    }
}

/// The rule that is asked for, and how many alarms in thirty days are wanted.
fn read(query: &BackTestQuery, document: &ProblemDocument, choices: &[Cause]) -> Result<Asked> {
    let signed = &document.monitoring.drift;
    let mut mistakes = Vec::new();
    let mut refuse = |key: &str, message: String| {
        mistakes.push(Mistake { pointer: format!("/{key}"), message });
    };
    let about = query.about.as_deref().filter(|about| !about.is_empty()).unwrap_or(Cause::Drift.as_str());
    let about = choices.iter().find(|cause| cause.as_str() == about).copied().unwrap_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|cause| cause.as_str()).collect();
        refuse(
            "about",
            format!("must be one of {}; {about:?} is nothing that this document measures", words.join(", ")),
        );
        Cause::Drift
    });
    let metric = match query.metric.as_deref().filter(|metric| !metric.is_empty()) {
        Some(metric) if about == Cause::Drift => metric.parse().unwrap_or_else(|message| {
            refuse("metric", message);
            signed.metric
        }),
        _ => signed.metric,
    };
    let limit = query.threshold.or_else(|| limit_of(document, about));
    let (least, greatest) = range(about);
    // What is signed is a limit, whatever it is.
    if let Some(limit) = query.threshold.filter(|limit| !(least..=greatest).contains(limit)) {
        let rule = match about {
            Cause::Business => "be a number".to_owned(),
            _ => format!("lie between {least} and {greatest}"),
        };
        refuse("threshold", format!("must {rule}, got {limit}"));
    }
    let windows = query.windows.unwrap_or(signed.windows);
    if !(1..=1_000).contains(&windows) {
        refuse("windows", format!("must lie between 1 and 1000, got {windows}"));
    }
    let keep_firing = query.keep_firing.or(signed.keep_firing);
    if keep_firing.is_some_and(|windows| !(1..=1_000).contains(&windows)) {
        refuse("keep_firing", "must lie between 1 and 1000".to_owned());
    }
    let alarms = query.alarms.unwrap_or(USUAL_ALARMS);
    if !(0.0..=1_000.0).contains(&alarms) {
        refuse("alarms", format!("must lie between 0 and 1000, got {alarms}"));
    }
    match mistakes.as_slice() {
        [] => {}
        [one] => return Err(Fault::field(&one.pointer, one.message.clone())),
        _ => return Err(Fault::invalid("that is no rule that can be tried", mistakes)),
    }
    let drift = Drift { metric, threshold: signed.threshold, windows, keep_firing };
    Ok(Asked { about, drift, limit, min_rows: query.min_rows.unwrap_or(document.monitoring.min_rows), alarms })
}
