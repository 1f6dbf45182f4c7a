//! Windows: what servers counted is summed, judged and kept, each window once, and incidents follow from it.
//!
//! Many deployments are judged together: what is asked of the database is asked for all of them at once.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{ModelVersionId, ProblemId, ProblemVersionId};
use millrace_domain::monitor::incident::Cause;
use millrace_domain::monitor::{Finding, Reference, Uncounted, judge, settled_after, uncounted};
use millrace_domain::problem::{Business, NoData, ProblemDocument};
use millrace_domain::view::FreshnessView;
use millrace_storage::incident::Kept;
use millrace_storage::monitor::{self, LateBusiness, NewWindow, Watched};
use millrace_storage::{StorageError, Transaction, event, incident, problem};
use serde_json::json;

use crate::incident::Look;
use crate::look::{business_look, drift_look, estimate_look, freshness_look, no_data_look, not_watched};
use crate::monitor::ages;
use crate::{Result, Services, commit, fault};

/// Windows of one deployment that are judged at one look: after a long absence the others wait for the next.
const MOST_AT_ONCE: usize = 200;
/// Deployments that are judged together. A rollback of one waits for all of them.
const TOGETHER: usize = 50;
/// Seconds of the longest window, ten years: documents that were signed long ago may ask for longer ones.
const LONGEST: u64 = 3_660 * 86_400;
/// Causes that are looked for in each window.
const OF_WINDOWS: [Cause; 5] = [Cause::Drift, Cause::Estimate, Cause::NoData, Cause::Business, Cause::Freshness];

/// Causes that are over when nothing is live any more.
const OF_ANSWERS: [Cause; 6] =
    [Cause::Drift, Cause::Estimate, Cause::NoData, Cause::Business, Cause::Freshness, Cause::Quality];

/// What is watched. What never changes of it is read once: documents that were signed, and what versions are held against.
#[derive(Debug, Default)]
pub struct Watching {
    deployments: Vec<Deployed>,
    documents: HashMap<ProblemVersionId, Arc<ProblemDocument>>,
    references: HashMap<ModelVersionId, Option<Arc<Reference>>>,
}

/// A deployment that is watched, with the document in force.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The deployment.
    pub watched: Watched,
    /// The document signed last; where none is any more, that of the live version.
    pub document: Arc<ProblemDocument>,
}

impl Deployed {
    /// The business metric, if its values are reported.
    fn reported(&self) -> Option<&Business> {
        self.document.business.as_ref().filter(|metric| metric.read.is_none())
    }

    fn is_read(&self) -> bool {
        self.document.business.as_ref().is_some_and(|metric| metric.read.is_some())
    }
}

impl Watching {
    /// What was watched at the last look.
    pub fn deployments(&self) -> &[Deployed] {
        &self.deployments
    }
}

/// A window that is over, or will be.
#[derive(Debug, Clone)]
struct Window {
    of: Deployed,
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
    /// When all that was counted in it is written.
    settled: DateTime<Utc>,
}

impl Window {
    /// The first that was not judged; none beyond what a calendar has.
    fn first(of: &Deployed) -> Option<Self> {
        let length = of.document.monitoring.window.seconds().clamp(1, LONGEST);
        Self::at(of.clone(), first_begin(&of.watched, length), length)
    }

    fn next(self) -> Option<Self> {
        let length = (self.ends - self.begins).num_seconds().unsigned_abs();
        Self::at(self.of, self.ends, length)
    }

    fn at(of: Deployed, begins: DateTime<Utc>, seconds: u64) -> Option<Self> {
        let length = TimeDelta::try_seconds(i64::try_from(seconds).ok()?)?;
        let ends = begins.checked_add_signed(length)?;
        let settled = ends.checked_add_signed(TimeDelta::from_std(settled_after(seconds)).ok()?)?;
        Some(Self { of, begins, ends, settled })
    }

    const fn problem(&self) -> ProblemId {
        self.of.watched.problem
    }
}

/// A window with what it is judged by and on.
struct Judged<'a> {
    window: &'a Window,
    /// What was live at its end, whatever is by now.
    version: ModelVersionId,
    reference: Option<Arc<Reference>>,
    counts: Option<Vec<u64>>,
    finding: Option<Finding>,
    business: Option<(f64, u64)>,
    freshness: Vec<FreshnessView>,
    uncounted: Vec<Uncounted>,
}

impl Services {
    /// Judges every window that has ended since the last look. Gives the problems where that could not be done, with why.
    ///
    /// # Errors
    /// When the deployments cannot be listed.
    pub async fn judge_windows(&self, watching: &mut Watching) -> Result<Vec<(String, Fault)>> {
        let mut failed = self.bring_up_to_date(watching).await?;
        self.end_what_is_not_live().await?;
        let mut windows: Vec<Window> = watching.deployments.iter().filter_map(Window::first).collect();
        let references = &mut watching.references;
        for _ in 0..MOST_AT_ONCE {
            windows.retain(|window| window.settled <= self.now());
            if windows.is_empty() {
                break;
            }
            let mut judged = Vec::with_capacity(windows.len());
            for together in windows.chunks(TOGETHER) {
                match self.judge_together(together, references).await {
                    Ok(()) => {
                        judged.extend_from_slice(together);
                        continue;
                    }
                    Err(error) => tracing::warn!(detail = error.detail, "windows are judged one by one"),
                }
                // What is wrong with one of them keeps no other from being judged.
                for alone in together {
                    match self.judge_together(std::slice::from_ref(alone), references).await {
                        Ok(()) => judged.push(alone.clone()),
                        Err(error) => failed.push((alone.of.watched.slug.clone(), error)),
                    }
                }
            }
            windows = judged.into_iter().filter_map(Window::next).collect();
        }
        Ok(failed)
    }

    /// Ends incidents where the last version was taken back: no window is judged any more that could end them.
    async fn end_what_is_not_live(&self) -> Result<()> {
        for problem in incident::of_nothing_live(self.db.pool(), &OF_ANSWERS).await.map_err(fault)? {
            // What is wrong with one of them keeps no other from being judged.
            if let Err(error) = self.end_incidents_of(problem).await {
                tracing::warn!(%problem, detail = error.detail, "alerts of what is not live could not be ended");
            }
        }
        Ok(())
    }

    async fn end_incidents_of(&self, problem: ProblemId) -> Result<()> {
        let tx = self.begin().await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        // Another version may have gone live since.
        if incident::of_nothing_live(&tx, &OF_ANSWERS).await.map_err(fault)?.contains(&problem) {
            let newest = incident::newest_of(&tx, &[problem], &OF_ANSWERS).await.map_err(fault)?;
            for open in newest.into_iter().filter(|known| known.incident.state.is_open()) {
                self.take_look_in(&tx, problem, &not_watched(open.cause), Some(open)).await?;
            }
        }
        commit(tx).await
    }

    /// Reads what is deployed by now, and the documents that were not in force before.
    async fn bring_up_to_date(&self, watching: &mut Watching) -> Result<Vec<(String, Fault)>> {
        let pool = self.db.pool();
        let mut failed = Vec::new();
        watching.deployments.clear();
        for watched in monitor::watched(pool).await.map_err(fault)? {
            let document = match watching.documents.get(&watched.document) {
                Some(known) => Arc::clone(known),
                None => match problem::find_version(pool, watched.document).await.and_then(|found| {
                    let missing =
                        || StorageError::Corrupt { what: "document".to_owned(), reason: "is gone".to_owned() };
                    found.ok_or_else(missing)
                }) {
                    Ok(version) => Arc::new(version.document),
                    Err(error) => {
                        failed.push((watched.slug, fault(error)));
                        continue;
                    }
                },
            };
            watching.deployments.push(Deployed { watched, document });
        }
        let of = |deployed: &Deployed| (deployed.watched.document, Arc::clone(&deployed.document));
        watching.documents = watching.deployments.iter().map(of).collect();
        let live: HashSet<_> = watching.deployments.iter().map(|deployed| deployed.watched.champion).collect();
        watching.references.retain(|version, _| live.contains(version));
        Ok(failed)
    }

    /// Judges windows of different problems, all or none of them.
    async fn judge_together(
        &self,
        windows: &[Window],
        references: &mut HashMap<ModelVersionId, Option<Arc<Reference>>>,
    ) -> Result<()> {
        let judged = self.judge(windows, references).await?;
        let tx = self.begin().await?;
        let problems: Vec<ProblemId> = windows.iter().map(Window::problem).collect();
        problem::lock_all(&tx, &problems).await.map_err(fault)?;
        let new: Vec<NewWindow<'_>> = judged.iter().map(Judged::to_keep).collect();
        // Another server may have been faster.
        let kept = monitor::insert_windows(&tx, &new).await.map_err(fault)?;
        let newest = incident::newest_of(&tx, &kept, &OF_WINDOWS).await.map_err(fault)?;
        for judged in judged.iter().filter(|judged| kept.contains(&judged.window.problem())) {
            let known = newest.iter().filter(|known| known.problem == judged.window.problem());
            self.let_follow(&tx, judged, known.collect()).await?;
        }
        let told = judged.iter().filter(|judged| kept.contains(&judged.window.problem()));
        let told = told.map(|judged| {
            let Watched { problem, slug, .. } = &judged.window.of.watched;
            (problem.0, json!({ "slug": slug, "kind": "window" }))
        });
        event::insert_all(&tx, "deployment", "change", told).await.map_err(fault)?;
        commit(tx).await
    }

    /// What the windows show; nothing is written.
    async fn judge<'w>(
        &self,
        windows: &'w [Window],
        references: &mut HashMap<ModelVersionId, Option<Arc<Reference>>>,
    ) -> Result<Vec<Judged<'w>>> {
        let pool = self.db.pool();
        let ends: Vec<_> = windows.iter().map(|window| (window.problem(), window.ends)).collect();
        let live = monitor::live_at(pool, &ends).await.map_err(fault)?;
        let version = |window: &Window| live.get(&window.problem()).copied().unwrap_or(window.of.watched.champion);
        for version in windows.iter().map(version) {
            if let Entry::Vacant(unknown) = references.entry(version) {
                unknown.insert(self.reference(version).await?.map(Arc::new));
            }
        }
        // Before counts are read: who has written up to then has written what is read.
        let newest = windows.iter().map(|window| window.ends).max().unwrap_or_default();
        let counting = monitor::counting(pool, newest).await.map_err(fault)?;
        let spans: Vec<_> = windows.iter().map(|window| (version(window), window.begins, window.ends)).collect();
        let mut counts = monitor::sum_counts(pool, &spans).await.map_err(fault)?;
        let valued = windows.iter().filter(|window| window.of.reported().is_some());
        let valued: Vec<_> = valued.map(|window| (window.problem(), window.begins, window.ends)).collect();
        let business = monitor::business(pool, &valued).await.map_err(fault)?;
        let dated = windows.iter().filter(|window| window.of.document.monitoring.freshness.is_some());
        let dated: Vec<_> = dated.map(|window| (window.problem(), version(window))).collect();
        let mut newest = monitor::newest_data(pool, &dated).await.map_err(fault)?;
        let now = self.now();
        let judged = windows.iter().map(|window| {
            let version = version(window);
            let document = &window.of.document;
            let reference = references.get(&version).cloned().flatten();
            let counts = reference
                .as_ref()
                .map(|reference| counts.remove(&version).unwrap_or_else(|| vec![0; reference.width()]));
            let finding = reference
                .as_ref()
                .zip(counts.as_ref())
                .and_then(|(reference, counts)| judge(reference, counts, &document.monitoring));
            Judged {
                window,
                version,
                reference,
                counts,
                finding,
                business: business.get(&window.problem()).copied(),
                freshness: ages(newest.remove(&window.problem()).unwrap_or_default(), document, now),
                uncounted: uncounted(&counting, window.begins, window.ends),
            }
        });
        Ok(judged.collect())
    }

    /// Lets an incident follow from earlier windows whose values of the business metric were told after they were judged; whether there were
    /// any.
    async fn look_at_late_values(&self, tx: &Transaction, judged: &Judged<'_>) -> Result<bool> {
        let Window { of, begins, .. } = judged.window;
        let Some(metric) = of.reported().filter(|metric| metric.limit.is_some()) else { return Ok(false) };
        let problem = judged.window.problem();
        let late = monitor::take_late_business(tx, problem, *begins).await.map_err(fault)?;
        for LateBusiness { begins, ends, mean } in &late {
            let look = business_look(&of.document.monitoring, metric, Some(*mean), Some((*begins, *ends)));
            if let Some(look) = look {
                self.look_at_incident(tx, problem, &look).await?;
            }
        }
        Ok(!late.is_empty())
    }

    /// Lets incidents follow from a window; `known` are the problem's newest of each cause.
    async fn let_follow(&self, tx: &Transaction, judged: &Judged<'_>, mut known: Vec<&Kept>) -> Result<()> {
        let problem = judged.window.problem();
        let was_late = self.look_at_late_values(tx, judged).await?;
        for look in judged.looks() {
            let place = known.iter().position(|known| known.cause == look.cause);
            let newest = place.map(|place| known.swap_remove(place).clone());
            if was_late && look.cause == Cause::Business {
                self.look_at_incident(tx, problem, &look).await?;
                continue;
            }
            self.take_look_in(tx, problem, &look, newest).await?;
        }
        // What is read by a query is held against its limit when it has been read.
        let is_read = |cause| cause == Cause::Business && judged.window.of.is_read();
        for open in known.into_iter().filter(|known| known.incident.state.is_open() && !is_read(known.cause)) {
            self.take_look_in(tx, problem, &not_watched(open.cause), Some(open.clone())).await?;
        }
        Ok(())
    }
}

impl Judged<'_> {
    fn to_keep(&self) -> NewWindow<'_> {
        let Window { of, begins, ends, .. } = self.window;
        NewWindow {
            problem: of.watched.problem,
            version: self.version,
            begins: *begins,
            ends: *ends,
            rule: &of.document.monitoring,
            counts: self.counts.as_deref(),
            finding: self.finding.as_ref(),
            business: self.business,
            uncounted: &self.uncounted,
        }
    }

    /// What it shows of each cause that the document has watched.
    fn looks(&self) -> Vec<Look> {
        let Window { of, begins, ends, .. } = self.window;
        let (document, window) = (&of.document, Some((*begins, *ends)));
        let rule = &document.monitoring;
        let told = self.finding.as_ref();
        let looks = [
            told.map(|finding| drift_look(&of.watched.slug, rule, finding, window)),
            told.zip(self.reference.as_deref())
                .and_then(|(told, reference)| estimate_look(rule, document.success.metric, reference, told, window)),
            told.filter(|_| rule.no_data == NoData::Mail).map(|finding| no_data_look(rule, finding, window)),
            of.reported().and_then(|metric| business_look(rule, metric, self.business, window)),
            rule.freshness.map(|_| freshness_look(&self.freshness, window)),
        ];
        let mut looks: Vec<Look> = looks.into_iter().flatten().collect();
        let of_counts = |look: &&mut Look| matches!(look.cause, Cause::Drift | Cause::Estimate | Cause::NoData);
        for look in looks.iter_mut().filter(of_counts) {
            look.facts.extend(self.uncounted.iter().map(|lost| {
                let since = lost.since.format("%Y-%m-%d %H:%M:%S UTC");
                (
                    "May not be counted".to_owned(),
                    format!("what {} answered since {since}: it had written no more", lost.server),
                )
            }));
        }
        looks
    }
}

/// Windows lie side by side from 1970 on, and none begins before the last one ended. Those of a time when nothing was live are left out.
fn first_begin(watched: &Watched, window: u64) -> DateTime<Utc> {
    let length = i64::try_from(window).unwrap_or(i64::MAX).max(1);
    let floor = |at: DateTime<Utc>| at.timestamp().div_euclid(length) * length;
    let after_the_last = watched.last_end.map(|end| {
        let floor = floor(end);
        if floor < end.timestamp() { floor + length } else { floor }
    });
    let begin = floor(watched.live_since).max(after_the_last.unwrap_or(i64::MIN));
    DateTime::from_timestamp(begin, 0).unwrap_or(watched.live_since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(live_since: &str, last_end: Option<&str>) -> Watched {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
        Watched {
            problem: ProblemId(1),
            slug: "things".to_owned(),
            champion: ModelVersionId(2),
            live_since: at(live_since),
            document: ProblemVersionId(3),
            last_end: last_end.map(at),
        }
    }

    #[test]
    fn windows_go_on_where_they_ended_and_leave_out_when_nothing_was_live() {
        let first =
            |live_since: &str, last_end: Option<&str>| first_begin(&watched(live_since, last_end), 3_600).to_rfc3339();
        let since = "2026-11-01T10:20:00Z";
        assert_eq!(first(since, None), "2026-11-01T10:00:00+00:00", "the first begins with the hour");
        assert_eq!(first(since, Some("2026-11-20T07:00:00Z")), "2026-11-20T07:00:00+00:00");
        assert_eq!(
            first(since, Some("2026-11-20T07:30:00Z")),
            "2026-11-20T08:00:00+00:00",
            "windows had another length"
        );
        // The version before was taken back two weeks ago, and nothing answered since.
        assert_eq!(first("2026-11-15T10:20:00Z", Some("2026-11-01T07:00:00Z")), "2026-11-15T10:00:00+00:00");
        // One that was judged reaches beyond a short pause.
        assert_eq!(first("2026-11-15T10:20:00Z", Some("2026-11-15T11:00:00Z")), "2026-11-15T11:00:00+00:00");
    }
}
