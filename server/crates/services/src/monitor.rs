//! Windows: what servers counted is summed, judged and kept, each window once, and incidents follow from it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::ModelVersionId;
use millrace_domain::metric::{Direction, Metric};
use millrace_domain::monitor::incident::{Cause, Seen};
use millrace_domain::monitor::{Estimate, Finding, Reference, Verdict, judge, look_at_estimate, settled_after};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{Business, Monitoring, NoData, ProblemDocument, Span};
use millrace_domain::rollout::Unit;
use millrace_domain::view::{FreshnessView, QualityView};
use millrace_storage::monitor::{self, NewWindow, Watched};
use millrace_storage::rollout::{self, Predicted, Valued};
use millrace_storage::{Uuid, event, incident, problem};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Note;
use crate::incident::{Look, UNWATCHED};
use crate::{Result, Services, commit, fault};

/// Windows of one deployment that are judged at one look: after a long absence the others wait for the next.
const MOST_AT_ONCE: usize = 200;
/// Seconds of the longest window, ten years: documents that were signed long ago may ask for longer ones.
const LONGEST: u64 = 3_660 * 86_400;
/// No value of a business metric is larger: sums of them stay numbers.
const MOST_SIZE: f64 = 1e15;
/// Causes that are looked for in each window.
const OF_WINDOWS: [Cause; 5] = [Cause::Drift, Cause::Estimate, Cause::NoData, Cause::Business, Cause::Freshness];
/// Values of the business metric in one report.
const MOST_VALUES: usize = 1_000;

/// A value of the business metric.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BusinessValue {
    /// The value, in the document's unit.
    pub value: f64,
    /// What time it is of; now when absent.
    pub at: Option<DateTime<Utc>>,
    /// Id of the prediction that it came of, where it came of one; a canary compares those.
    #[serde(default)]
    pub prediction: Option<Uuid>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BusinessTaken {
    /// Values that were taken.
    pub accepted: u64,
    /// Those of predictions that the problem does not have; they were not taken.
    pub unknown: u64,
}

impl Services {
    /// Judges every window that has ended since the last look. Gives the problems where that could not be done, with why.
    ///
    /// # Errors
    /// When the deployments cannot be listed.
    pub async fn judge_windows(&self) -> Result<Vec<(String, Fault)>> {
        let mut failed = Vec::new();
        for watched in monitor::watched(self.db.pool()).await.map_err(fault)? {
            if let Err(error) = self.judge_windows_of(&watched).await {
                failed.push((watched.slug, error));
            }
        }
        Ok(failed)
    }

    async fn judge_windows_of(&self, watched: &Watched) -> Result<()> {
        let window = watched.monitoring.window.seconds().clamp(1, LONGEST);
        let (length, settled) = (seconds(window), TimeDelta::from_std(settled_after(window)).unwrap_or_default());
        let mut begins = first_begin(watched, window);
        if !self.has_settled(begins, length, settled) {
            return Ok(());
        }
        let mut known: Option<(ModelVersionId, Option<Reference>)> = None;
        let document = problem::approved(self.db.pool(), &watched.slug).await.map_err(fault)?;
        for _ in 0..MOST_AT_ONCE {
            if !self.has_settled(begins, length, settled) {
                break;
            }
            let ends = begins + length;
            let document = document.as_ref().map(|signed| &signed.document);
            // A window is of the version that was live at its end, whichever is by now.
            let live = monitor::live_at(self.db.pool(), watched.problem, ends).await.map_err(fault)?;
            let version = live.unwrap_or(watched.champion);
            let reference = match known.take().filter(|(of, _)| *of == version) {
                Some((_, reference)) => reference,
                None => self.reference(version).await?,
            };
            let judged = Judged { version, reference: reference.as_ref(), document, begins, ends };
            self.judge_window(watched, &judged).await?;
            known = Some((version, reference));
            begins = ends;
        }
        Ok(())
    }

    /// Whether the window is over, and all that was counted in it is written.
    fn has_settled(&self, begins: DateTime<Utc>, length: TimeDelta, settled: TimeDelta) -> bool {
        begins.checked_add_signed(length + settled).is_some_and(|judged| judged <= self.now())
    }

    async fn judge_window(&self, watched: &Watched, judged: &Judged<'_>) -> Result<()> {
        let Judged { version, reference, document, begins, ends } = *judged;
        let (pool, rule) = (self.db.pool(), &watched.monitoring);
        let counts = match reference {
            None => None,
            Some(reference) => {
                let counted = monitor::sum_counts(pool, version, begins, ends).await.map_err(fault)?;
                Some(counted.unwrap_or_else(|| vec![0; reference.width()]))
            }
        };
        let finding = reference.zip(counts.as_ref()).and_then(|(reference, counts)| judge(reference, counts, rule));
        let business = match watched.business {
            Some(_) => monitor::business(pool, watched.problem, begins, ends).await.map_err(fault)?,
            None => None,
        };
        let freshness = match document {
            Some(document) => self.freshness(watched.problem, version, document).await?,
            None => Vec::new(),
        };
        let tx = self.begin().await?;
        problem::lock(&tx, watched.problem).await.map_err(fault)?;
        let new = NewWindow {
            problem: watched.problem,
            version,
            begins,
            ends,
            rule,
            counts: counts.as_deref(),
            finding: finding.as_ref(),
            business,
        };
        if !monitor::insert_window(&tx, &new).await.map_err(fault)? {
            return Ok(());
        }
        let window = Some((begins, ends));
        let told = finding.as_ref();
        let looks = [
            told.map(|finding| drift_look(&watched.slug, rule, finding, window)),
            told.zip(reference).zip(document).and_then(|((finding, reference), document)| {
                estimate_look(rule, document.success.metric, reference, finding, window)
            }),
            told.filter(|_| rule.no_data == NoData::Mail).map(|finding| no_data_look(rule, finding, window)),
            watched.business.as_ref().and_then(|metric| business_look(rule, metric, business, window)),
            rule.freshness.map(|_| freshness_look(&freshness, window)),
        ];
        let looks: Vec<Look> = looks.into_iter().flatten().collect();
        for look in &looks {
            self.look_at_incident(&tx, watched.problem, look).await?;
        }
        for open in incident::open_causes(&tx, watched.problem).await.map_err(fault)? {
            if OF_WINDOWS.contains(&open) && looks.iter().all(|look| look.cause != open) {
                self.look_at_incident(&tx, watched.problem, &not_watched(open)).await?;
            }
        }
        let payload = json!({ "slug": watched.slug, "kind": "window" });
        event::insert(&tx, "deployment", watched.problem.0, "change", payload).await.map_err(fault)?;
        commit(tx).await
    }

    /// What a version's live answers are held against; none of one that was registered before references were kept.
    pub(crate) async fn reference(&self, version: ModelVersionId) -> Result<Option<Reference>> {
        let Some(digest) = monitor::reference(self.db.pool(), version).await.map_err(fault)? else { return Ok(None) };
        let content = self.artifacts.get(&digest).await.map_err(fault)?;
        serde_json::from_slice(&content).map(Some).map_err(|error| {
            tracing::error!(%digest, %error, "a reference cannot be read");
            Fault::new(500, "internal", "Internal error", "what live answers are held against cannot be read")
        })
    }

    /// How old the newest rows of each dataset are.
    pub(crate) async fn freshness(
        &self,
        problem: millrace_domain::ids::ProblemId,
        version: ModelVersionId,
        document: &ProblemDocument,
    ) -> Result<Vec<FreshnessView>> {
        let mut newest = monitor::newest_data(self.db.pool(), problem, version).await.map_err(fault)?;
        // A table that the document does not name any more is joined to nothing.
        newest.retain(|data| !data.is_table || document.table(&data.name).is_some());
        let limit = document.monitoring.freshness.map(|limit| i64::try_from(limit.seconds()).unwrap_or(i64::MAX));
        let view = |data: monitor::NewestData| {
            let column = match document.table(&data.name) {
                Some(table) => table.event_time.as_deref(),
                None => document.data.event_time.as_deref(),
            };
            let time = column.and_then(|column| data.times.get(column)).map(|micros| *micros as i64);
            let newest = time.and_then(DateTime::from_timestamp_micros).unwrap_or(data.loaded_at);
            let age_seconds = (self.now() - newest).num_seconds();
            FreshnessView {
                dataset: data.name,
                version: data.number,
                newest,
                age_seconds,
                limit_seconds: limit,
                is_stale: limit.is_some_and(|limit| age_seconds > limit),
            }
        };
        Ok(newest.into_iter().map(view).collect())
    }

    /// Takes in how good the answers of a window were, as far as outcomes are known; an incident follows from the newest window of which
    /// enough are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_quality(
        &self,
        watched: &Watched,
        window: &monitor::Window,
        quality: &QualityView,
        known: i64,
    ) -> Result<()> {
        let tx = self.begin().await?;
        problem::lock(&tx, watched.problem).await.map_err(fault)?;
        monitor::set_quality(&tx, window.id, quality, known).await.map_err(fault)?;
        let newest = monitor::newest_measured(&tx, watched.problem).await.map_err(fault)?;
        if newest.is_none_or(|newest| newest <= window.ends) {
            let look = quality_look(quality, Some((window.begins, window.ends)));
            self.look_at_incident(&tx, watched.problem, &look).await?;
        }
        commit(tx).await
    }

    /// Takes in values of the business metric. Where a canary is under way, those of its predictions are counted for the side that was asked.
    ///
    /// # Errors
    /// 404 without such a problem, 409 when its document names no such metric, 400 for what is no number.
    pub async fn report_business(&self, actor: &Actor, slug: &str, values: &[BusinessValue]) -> Result<BusinessTaken> {
        let object = format!("deployment/{slug}");
        if !(1..=MOST_VALUES).contains(&values.len()) {
            let message = format!("must hold 1 to {MOST_VALUES} values, got {}", values.len());
            return Err(Fault::field("/values", message));
        }
        for (place, value) in values.iter().enumerate() {
            if !(-MOST_SIZE..=MOST_SIZE).contains(&value.value) {
                let message = format!("must be a number from -{MOST_SIZE:e} to {MOST_SIZE:e}");
                return Err(Fault::field(&format!("/values/{place}/value"), message));
            }
            if value.at.is_some_and(|at| at > self.now() + TimeDelta::days(1)) {
                return Err(Fault::field(&format!("/values/{place}/at"), "must not be in the future"));
            }
        }
        let tx = self.begin_as(actor, Action::ReportOutcome, Some(slug), &object).await?;
        let id = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("deployment"))?;
        let signed = problem::approved(&tx, slug).await.map_err(fault)?;
        if signed.is_none_or(|signed| signed.document.business.is_none()) {
            let detail = "the document signed last names no [business] metric that values could be of";
            return Err(Fault::conflict("no_business_metric", detail));
        }
        let now = self.now();
        let ids: Vec<Uuid> = values.iter().filter_map(|value| value.prediction).collect();
        let known = rollout::predicted(&tx, id, &ids).await.map_err(fault)?;
        let known: BTreeMap<Uuid, Predicted> = known.into_iter().map(|one| (one.id, one)).collect();
        let mut valued = Valued::new();
        let mut taken = BusinessTaken { accepted: 0, unknown: 0 };
        for value in values {
            let predicted = value.prediction.and_then(|prediction| known.get(&prediction));
            if value.prediction.is_some() && predicted.is_none() {
                taken.unknown += 1;
                continue;
            }
            taken.accepted += 1;
            let at = value.at.unwrap_or(now);
            let (number, of) = (value.value, value.prediction);
            monitor::insert_business(&tx, id, at, number, of, actor.account, now).await.map_err(fault)?;
            if let Some((Predicted { id, entity, .. }, (rollout, step, is_candidate))) =
                predicted.and_then(|predicted| Some((predicted, predicted.canary?)))
            {
                let unit = Unit::of_prediction(rollout, entity.as_deref(), id.as_bytes());
                let sums = &mut valued.entry((rollout, step, unit)).or_default()[usize::from(!is_candidate)];
                *sums = (sums.0 + 1, sums.1 + number);
            }
        }
        rollout::value(&tx, &valued).await.map_err(fault)?;
        let earliest = values.iter().filter_map(|value| value.at).min().unwrap_or(now).min(now);
        monitor::take_in_business(&tx, id, earliest).await.map_err(fault)?;
        let note = Note::new("business.report", object).details(json!({ "values": taken.accepted }));
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(taken)
    }
}

/// A window that is over, and what it is judged by.
struct Judged<'a> {
    /// What was live at its end.
    version: ModelVersionId,
    reference: Option<&'a Reference>,
    document: Option<&'a ProblemDocument>,
    begins: DateTime<Utc>,
    ends: DateTime<Utc>,
}

/// What is not watched any more is over.
fn not_watched(cause: Cause) -> Look {
    let facts = vec![("Why it is over".to_owned(), UNWATCHED.to_owned())];
    Look { cause, seen: Seen::Unwatched, after: 1, title: String::new(), facts, window: None }
}

fn seconds(window: u64) -> TimeDelta {
    TimeDelta::seconds(window.min(LONGEST) as i64)
}

/// Windows lie side by side from 1970 on, and none begins before the last one ended.
fn first_begin(watched: &Watched, window: u64) -> DateTime<Utc> {
    let length = i64::try_from(window).unwrap_or(i64::MAX).max(1);
    let from = watched.last_end.unwrap_or(watched.changed_at).timestamp();
    let floor = from.div_euclid(length) * length;
    let begin = if watched.last_end.is_some() && floor < from { floor + length } else { floor };
    DateTime::from_timestamp(begin, 0).unwrap_or(watched.changed_at)
}

type Between = Option<(DateTime<Utc>, DateTime<Utc>)>;

fn drift_look(slug: &str, rule: &Monitoring, finding: &Finding, window: Between) -> Look {
    let metric = rule.drift.metric;
    let limit = rule.drift.threshold;
    let drifted = finding.drifted();
    let title = match drifted.first() {
        None => format!("Drift: {slug}"),
        Some(first) => {
            let more = if drifted.len() > 1 { format!(" and {} more", drifted.len() - 1) } else { String::new() };
            format!("Drift: {slug} / {} {metric} {} > {limit}{more}", first.name, short(first.distance))
        }
    };
    let fact = |column: &&millrace_domain::monitor::ColumnFinding| {
        let moved = column
            .moved
            .as_ref()
            .map(|(bin, before, now)| format!("; {bin} went from {} % to {} %", percent(*before), percent(*now)));
        let what = format!("{metric} {} > {limit}{}", short(column.distance), moved.unwrap_or_default());
        (column.name.clone(), what)
    };
    let mut facts: Vec<(String, String)> = drifted.iter().map(fact).collect();
    facts.push(("Answers in the window".to_owned(), finding.n.to_string()));
    Look {
        cause: Cause::Drift,
        seen: match finding.verdict {
            Verdict::Drifted => Seen::Breach,
            Verdict::Stable => Seen::Fine,
            Verdict::TooFew | Verdict::NoData => Seen::Unknown,
        },
        after: rule.drift.windows,
        title,
        facts,
        window,
    }
}

/// None where the document sets no limit, or its metric is not estimated.
fn estimate_look(
    rule: &Monitoring,
    metric: Metric,
    reference: &Reference,
    finding: &Finding,
    window: Between,
) -> Option<Look> {
    let limit = rule.estimated_loss.filter(|_| Estimate::has(metric))?;
    let (seen, estimates) = look_at_estimate(reference, metric, Some(finding), limit);
    let metric = metric.title();
    let told = estimates.map_or_else(
        || "cannot be told".to_owned(),
        |(held_out, now)| format!("{}, {} on the held-out rows", short(now), short(held_out)),
    );
    Some(Look {
        cause: Cause::Estimate,
        seen,
        after: rule.drift.windows,
        title: format!("Estimated quality: {metric} {told}"),
        facts: vec![
            (format!("{metric}, estimated"), format!("{told}; it may be {limit} worse")),
            ("Answers in the window".to_owned(), finding.n.to_string()),
        ],
        window,
    })
}

fn no_data_look(rule: &Monitoring, finding: &Finding, window: Between) -> Look {
    Look {
        cause: Cause::NoData,
        seen: if finding.n + finding.failed == 0 { Seen::Breach } else { Seen::Fine },
        after: rule.drift.windows,
        title: format!("No traffic: nobody asked within {}", rule.window.in_words()),
        facts: vec![("Answers in the window".to_owned(), finding.n.to_string())],
        window,
    }
}

fn business_look(rule: &Monitoring, metric: &Business, mean: Option<(f64, u64)>, window: Between) -> Option<Look> {
    let limit = metric.limit?;
    let (seen, told) = match mean {
        None => (Seen::Unknown, "no value".to_owned()),
        Some((mean, n)) => {
            let is_worse = if metric.direction == Direction::Up { mean < limit } else { mean > limit };
            let sign = if metric.direction == Direction::Up { '<' } else { '>' };
            let told = format!("{} {} {sign} {limit}, mean of {n} values", short(mean), metric.unit);
            (if is_worse { Seen::Breach } else { Seen::Fine }, told)
        }
    };
    let title = format!("Business metric: {} {told}", metric.name);
    Some(Look {
        cause: Cause::Business,
        seen,
        after: rule.drift.windows,
        title,
        facts: vec![(metric.name.clone(), told)],
        window,
    })
}

fn freshness_look(freshness: &[FreshnessView], window: Between) -> Look {
    let stale: Vec<&FreshnessView> = freshness.iter().filter(|data| data.is_stale).collect();
    let age = |seconds: i64| Span::of_seconds(rounded(seconds.unsigned_abs())).in_words();
    let title = match stale.first() {
        None => "Stale data".to_owned(),
        Some(first) => {
            let limit = age(first.limit_seconds.unwrap_or_default());
            format!(
                "Stale data: the newest row of {} is {} old, more than {limit}",
                first.dataset,
                age(first.age_seconds)
            )
        }
    };
    let fact = |data: &&FreshnessView| {
        let newest = data.newest.format("%Y-%m-%d %H:%M UTC");
        (
            data.dataset.clone(),
            format!("newest row of {newest}, {} old (version {})", age(data.age_seconds), data.version),
        )
    };
    Look {
        cause: Cause::Freshness,
        seen: match (freshness.is_empty(), stale.is_empty()) {
            (true, _) => Seen::Unknown,
            (_, true) => Seen::Fine,
            _ => Seen::Breach,
        },
        after: 1,
        title,
        facts: stale.iter().map(fact).collect(),
        window,
    }
}

fn quality_look(quality: &QualityView, window: Between) -> Look {
    let QualityView { metric, value, limit, labelled, answered, interval, .. } = quality;
    let range = interval.map(|(low, high)| format!(" (95 %: {} to {})", short(low), short(high))).unwrap_or_default();
    Look {
        cause: Cause::Quality,
        seen: match quality.verdict.as_str() {
            "fail" => Seen::Breach,
            "pass" => Seen::Fine,
            _ => Seen::Unknown,
        },
        after: 1,
        title: format!("Quality: {metric} {} against {limit}", short(*value)),
        facts: vec![
            (metric.clone(), format!("{}{range}; the document asks for {limit}", short(*value))),
            ("Known outcomes".to_owned(), format!("{labelled} of {answered} answers")),
        ],
        window,
    }
}

/// Seconds to the minute, from two hours on to the hour.
const fn rounded(seconds: u64) -> u64 {
    match seconds {
        0..120 => seconds,
        120..7_200 => seconds / 60 * 60,
        _ => seconds / 3_600 * 3_600,
    }
}

/// A number with as many digits as somebody reads at night.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e6).contains(&number.abs()) {
        let digits = if number.abs() < 10.0 { 3 } else { 1 };
        let text = format!("{number:.digits$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{number:.2e}")
}

fn percent(share: f64) -> String {
    short((share * 1_000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.314_15, 12.04, 0.0, 1e-9, 0.5].map(short), ["0.314", "12", "0", "1.00e-9", "0.5"]);
        assert_eq!([0.034_56, 1.0].map(percent), ["3.5", "100"]);
    }
}
