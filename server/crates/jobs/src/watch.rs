//! The watch: judges windows that have ended, holds answers against outcomes as they come in, writes letters about incidents, and starts
//! trainings. Each server may have one: what is done is done once, under the problem's lock.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures::FutureExt;
use millrace_domain::fault::Fault;
use millrace_domain::gate::Verdict;
use millrace_domain::heartbeat::Heart;
use millrace_domain::ids::ProblemId;
use millrace_domain::metric::{Bound, TargetKind};
use millrace_domain::problem::{Goal, ProblemDocument};
use millrace_domain::rollout::class_of;
use millrace_domain::view::QualityView;
use millrace_ml::evaluate::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, Outcomes, measure};
use millrace_ml::model::Model;
use millrace_services::{Deployed, Services, Watching};
use millrace_storage::monitor::{self, Labelled, Window};
use millrace_storage::{StorageError, model};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::pulse::{LONGEST_PAUSE, Pulse};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// A server whose clock is further from the database's watches nothing: it would judge windows that have not ended, or start trainings early.
const MOST_OFF: TimeDelta = TimeDelta::seconds(60);
/// Looking takes at most one in so many seconds, where that is no pause beyond the longest.
const SHARE: u32 = 10;
/// Outcomes are taken into account for so many windows after they should be known.
const LATE_WINDOWS: i32 = 20;
/// Seconds that are looked back at most for one window or delay: ten years.
const LONGEST: u64 = 3_660 * 86_400;
/// Answers of a window that are held against outcomes.
const MOST_LABELLED: u32 = 20_000;

/// Whoever watches.
pub struct Watch {
    services: Services,
    watching: Watching,
    /// When outcomes of a problem were last looked at.
    looked: HashMap<ProblemId, Instant>,
}

impl Watch {
    /// A watch over these services.
    pub fn new(services: Services) -> Self {
        Self { services, watching: Watching::default(), looked: HashMap::new() }
    }

    /// Looks until told to stop.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (mut pause, mut pulse) = (EVERY, Pulse::of(Heart::Watch));
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
            // A stopwatch, not a clock: only the difference counts.
            let began = Instant::now();
            // What goes wrong in one look must not end the watch.
            let services = self.services.clone();
            match pulse.beside(&services, AssertUnwindSafe(self.look_if_in_time()).catch_unwind()).await {
                Ok(true) => pulse.beat(&services).await,
                Ok(false) => {}
                Err(_) => {
                    tracing::error!("a look of the watch panicked; it goes on with the next");
                    metrics::counter!("millrace_watch_panics_total").increment(1);
                }
            }
            metrics::gauge!("millrace_watch_look_seconds").set(began.elapsed().as_secs_f64());
            pause = EVERY.max(began.elapsed() * SHARE).min(LONGEST_PAUSE);
        }
    }

    /// A look, unless this server's clock is off.
    async fn look_if_in_time(&mut self) -> bool {
        let own = self.services.surroundings().now();
        match millrace_storage::now(self.services.db().pool()).await {
            Ok(now) if (now - own).abs() > MOST_OFF => {
                tracing::error!(
                    seconds = (own - now).num_seconds(),
                    "this server's clock is off, by the database's: it watches nothing until that is mended"
                );
                false
            }
            Ok(_) => self.look().await,
            Err(error) => {
                tracing::warn!(%error, "the database's clock could not be read");
                false
            }
        }
    }

    /// One look at everything; whether everything could be looked at, single problems aside.
    pub async fn look(&mut self) -> bool {
        let judged = report("windows could not be judged", self.services.judge_windows(&mut self.watching).await);
        let held = self.look_at_outcomes().await;
        if let Err(error) = &held {
            tracing::warn!(%error, "answers could not be held against outcomes");
        }
        let told = report("letters about an alert could not be written", self.services.tell_incidents().await);
        let trained = report("retraining could not be looked at", self.services.look_at_retraining().await);
        judged && held.is_ok() && told && trained
    }

    /// Holds answers against the outcomes that came since the last look.
    async fn look_at_outcomes(&mut self) -> Result<(), StorageError> {
        let pool = self.services.db().pool().clone();
        let now = self.services.surroundings().now();
        let length = |seconds: u64| TimeDelta::seconds(seconds.min(LONGEST) as i64);
        let mut due = HashMap::new();
        for deployed in self.watching.deployments() {
            let (problem, document) = (deployed.watched.problem, &deployed.document);
            let window = document.monitoring.window.seconds();
            let pause = Duration::from_secs(window).div_f64(4.0).clamp(Duration::from_secs(1), Duration::from_secs(60));
            if self.looked.get(&problem).is_some_and(|looked| looked.elapsed() < pause) {
                continue;
            }
            self.looked.insert(problem, Instant::now());
            // Until a label's delay is over, those that are known are not like those to come.
            let until = now - length(document.target.delay.seconds());
            due.insert(problem, (deployed, until - length(window) * LATE_WINDOWS, until));
        }
        let spans: Vec<_> = due.iter().map(|(problem, (_, after, until))| (*problem, *after, *until)).collect();
        let found = match monitor::windows_with_new_outcomes(&pool, &spans).await {
            Ok(found) => found,
            // What cannot be read of one of them keeps no other from being looked at.
            Err(_) => {
                let mut found = Vec::new();
                for span in &spans {
                    match monitor::windows_with_new_outcomes(&pool, std::slice::from_ref(span)).await {
                        Ok(of_it) => found.extend(of_it),
                        Err(error) => tracing::warn!(problem = %span.0, %error, "outcomes could not be looked up"),
                    }
                }
                found
            }
        };
        for (problem, window, known) in found {
            let Some((deployed, ..)) = due.get(&problem) else { continue };
            if let Err(error) = self.hold_against_outcomes(deployed, &window, known).await {
                let slug = &deployed.watched.slug;
                tracing::warn!(slug, %error, "answers of a window could not be held against outcomes");
            }
        }
        Ok(())
    }

    async fn hold_against_outcomes(
        &self,
        deployed: &Deployed,
        window: &Window,
        known: i64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let pool = self.services.db().pool();
        let Some(version) = model::find(pool, window.version).await? else { return Ok(()) };
        let rows = monitor::labelled(pool, window.version, window.begins, window.ends, MOST_LABELLED).await?;
        let content = self.services.artifacts().get(&version.artifact).await?;
        let answered = window.finding.as_ref().map_or(0, |finding| finding.n);
        let document = Arc::clone(&deployed.document);
        let quality = tokio::task::spawn_blocking(move || {
            let model = Model::from_bytes(&content)?;
            Ok::<_, millrace_ml::model::ModelError>(quality(&document, &model, &rows, known, answered))
        });
        let Some(quality) = quality.await?? else {
            // What cannot be measured on these outcomes is looked for again when there are others.
            return Ok(monitor::set_labelled(pool, window.id, known).await?);
        };
        let problem = deployed.watched.problem;
        let recorded = self.services.record_quality(problem, window, &quality, known).await;
        recorded.map_err(|fault| fault.detail.into())
    }
}

/// How good answers were by the document's success metric; none when that cannot be measured on them.
fn quality(
    document: &ProblemDocument,
    model: &Model,
    rows: &[Labelled],
    known: i64,
    answered: u64,
) -> Option<QualityView> {
    let classes: Vec<&str> = model.classes().iter().map(AsRef::as_ref).collect();
    let outcomes = outcomes_of(document, &classes, rows)?;
    let Measured { value, interval, verdict } = against(&document.success, &outcomes, document.monitoring.min_rows)?;
    Some(QualityView {
        metric: document.success.metric.to_string(),
        value,
        interval,
        labelled: known.unsigned_abs(),
        answered,
        limit: document.success.bound.limit(),
        verdict: verdict.to_string(),
    })
}

/// The metric of a goal on live answers.
pub(crate) struct Measured {
    pub value: f64,
    pub interval: Option<(f64, f64)>,
    /// Whether it is shown to be worse than the goal.
    pub verdict: Verdict,
}

/// Holds answers against a goal; none where its metric is not defined.
pub(crate) fn against(goal: &Goal, outcomes: &Outcomes, min_rows: u64) -> Option<Measured> {
    let (value, interval) = measure(goal.metric, outcomes, 0)?;
    let (low, high) = interval.unwrap_or((value, value));
    let is_worse = match goal.bound {
        Bound::AtLeast(limit) => high < limit,
        Bound::AtMost(limit) => low > limit,
    };
    let verdict = match ((outcomes.len() as u64) < min_rows, is_worse) {
        (true, _) => Verdict::Insufficient,
        (_, true) => Verdict::Fail,
        _ => Verdict::Pass,
    };
    Some(Measured { value, interval, verdict })
}

/// Answers as they were given beside what became of them; what cannot be read as either is left out.
fn outcomes_of(document: &ProblemDocument, classes: &[&str], rows: &[Labelled]) -> Option<Outcomes> {
    let class = |label: &Value| class_of(label, classes);
    match document.target.kind {
        TargetKind::Binary => {
            let pair = |row: &Labelled| Some((row.output["score"].as_f64()?, class(&row.label)? == 1));
            let outcomes = BinaryOutcomes::new(rows.iter().filter_map(pair)).ok()?;
            Some(Outcomes::Binary(match document.target.costs {
                Some(costs) => outcomes.with_costs(costs),
                None => outcomes,
            }))
        }
        TargetKind::Multiclass => {
            let pair = |row: &Labelled| {
                let shares = row.output["probabilities"].as_object()?;
                let shares: Option<Vec<f64>> = classes.iter().map(|name| shares.get(*name)?.as_f64()).collect();
                Some((shares?, u32::try_from(class(&row.label)?).ok()?))
            };
            ClassOutcomes::new(classes.len(), rows.iter().filter_map(pair)).ok().map(Outcomes::Multiclass)
        }
        TargetKind::Regression => {
            let pair = |row: &Labelled| Some((row.output["value"].as_f64()?, row.label.as_f64()?));
            let outcomes = NumberOutcomes::new(rows.iter().filter_map(pair)).ok()?;
            Some(Outcomes::Regression(outcomes.with_quantile(document.target.quantile)))
        }
    }
}

/// Tells of what failed; whether there was anything to fail at all.
fn report(what: &str, outcome: Result<Vec<(String, Fault)>, Fault>) -> bool {
    match outcome {
        Ok(failed) => {
            for (slug, fault) in failed {
                tracing::warn!(slug, code = fault.code, detail = fault.detail, "{what}");
            }
            true
        }
        Err(fault) => {
            tracing::warn!(detail = fault.detail, "{what}");
            false
        }
    }
}
