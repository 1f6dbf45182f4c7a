//! What is told of a deployment besides its answers: its business metric, its outcomes and the age of its data.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::{ModelVersionId, ProblemId};
use millrace_domain::monitor::Reference;
use millrace_domain::monitor::incident::Cause;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{BusinessRead, ProblemDocument};
use millrace_domain::rollout::Unit;
use millrace_domain::view::{AgesView, FreshnessView, QualityView};
use millrace_storage::monitor::{self, NewestData};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::rollout::{self, Predicted, Valued};
use millrace_storage::{Uuid, business, deployment, event, problem};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Note;
use crate::look::{business_look, not_watched, quality_look};
use crate::{Result, Services, commit, fault};

/// No value of a business metric is larger: sums of them stay numbers.
const MOST_SIZE: f64 = 1e15;
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
        problem: ProblemId,
        version: ModelVersionId,
        document: &ProblemDocument,
    ) -> Result<Vec<FreshnessView>> {
        let mut newest = monitor::newest_data(self.db.pool(), &[(problem, version)]).await.map_err(fault)?;
        Ok(ages(newest.remove(&problem).unwrap_or_default(), document, self.now()))
    }

    /// Takes in how good the answers of a window were, as far as outcomes are known; an incident follows from the newest window of which
    /// enough are, if the version that answered in it is still live: outcomes of one that was replaced call nobody, and train nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_quality(
        &self,
        problem: ProblemId,
        window: &monitor::Window,
        quality: &QualityView,
        known: i64,
    ) -> Result<()> {
        let tx = self.begin().await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        monitor::set_quality(&tx, window.id, quality, known).await.map_err(fault)?;
        let newest = monitor::newest_measured(&tx, problem).await.map_err(fault)?;
        let is_live = deployment::champion(&tx, problem).await.map_err(fault)? == Some(window.version);
        if is_live && newest.is_none_or(|newest| newest <= window.ends) {
            let look = quality_look(quality, Some((window.begins, window.ends)));
            self.look_at_incident(&tx, problem, &look).await?;
        }
        commit(tx).await
    }

    /// Takes in what the business metric was in windows, oldest first, as the document's query gave it. An incident follows from those that
    /// were not held against the limit before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_business(
        &self,
        version: &ProblemVersion,
        values: &[(&monitor::Window, Option<(f64, u64)>)],
    ) -> Result<()> {
        let (problem, document) = (version.problem, &version.document);
        let tx = self.begin().await?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        let until = business::find(&tx, problem).await.map_err(fault)?.and_then(|look| look.until);
        for (window, mean) in values {
            if window.business != *mean {
                monitor::set_business(&tx, window.id, *mean).await.map_err(fault)?;
            }
            if until.is_none_or(|until| until < window.ends) {
                let between = Some((window.begins, window.ends));
                let metric = document.business.as_ref();
                let look = metric.and_then(|metric| business_look(&document.monitoring, metric, *mean, between));
                let look = look.unwrap_or_else(|| not_watched(Cause::Business));
                self.look_at_incident(&tx, problem, &look).await?;
            }
        }
        // A window that has no value yet is held against the limit when it has one.
        let newest = values.iter().rfind(|(_, mean)| mean.is_some()).map(|(window, _)| window.ends).max(until);
        business::looked(&tx, problem, self.now(), newest).await.map_err(fault)?;
        if values.iter().any(|(window, mean)| window.business != *mean) {
            let payload = json!({ "slug": version.slug, "kind": "window" });
            event::insert(&tx, "deployment", problem.0, "change", payload).await.map_err(fault)?;
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
        let Some(metric) = signed.and_then(|signed| signed.document.business) else {
            let detail = "the document signed last names no [business] metric that values could be of";
            return Err(Fault::conflict("no_business_metric", detail));
        };
        if let Some(BusinessRead { connection, .. }) = metric.read {
            let detail =
                format!("the document signed last has values of {} read at {connection} by a query", metric.name);
            return Err(Fault::conflict("business_is_read", detail));
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

/// When a version was loaded, and the newest time among its rows.
type Loaded = (DateTime<Utc>, DateTime<Utc>);

/// How old the newest rows of each dataset were at these moments, of the versions that were loaded by then, in the order they were loaded.
pub(crate) fn ages_at(history: Vec<NewestData>, document: &ProblemDocument, at: &[DateTime<Utc>]) -> Vec<AgesView> {
    let mut versions: BTreeMap<String, Vec<Loaded>> = BTreeMap::new();
    for data in history.into_iter().filter(|data| is_named(data, document)) {
        let newest = newest_row(&data, document);
        versions.entry(data.name).or_default().push((data.loaded_at, newest));
    }
    let age = |versions: &[Loaded], at: DateTime<Utc>| {
        let (_, newest) = versions.iter().rev().find(|(loaded, _)| *loaded <= at)?;
        Some((at - *newest).num_seconds())
    };
    versions
        .into_iter()
        .map(|(dataset, versions)| AgesView { dataset, seconds: at.iter().map(|at| age(&versions, *at)).collect() })
        .collect()
}

/// The newest time among a version's rows; when it was loaded, where rows have no time.
fn newest_row(data: &NewestData, document: &ProblemDocument) -> DateTime<Utc> {
    let column = match document.table(&data.name) {
        Some(table) => table.event_time.as_deref(),
        None => document.data.event_time.as_deref(),
    };
    let time = column.and_then(|column| data.times.get(column)).map(|micros| *micros as i64);
    time.and_then(DateTime::from_timestamp_micros).unwrap_or(data.loaded_at)
}

/// A table that the document does not name any more is joined to nothing.
fn is_named(data: &NewestData, document: &ProblemDocument) -> bool {
    !data.is_table || document.table(&data.name).is_some()
}

/// How old the newest rows of each dataset are by now. A table that the document does not name any more is left out.
pub(crate) fn ages(newest: Vec<NewestData>, document: &ProblemDocument, now: DateTime<Utc>) -> Vec<FreshnessView> {
    let limit = document.monitoring.freshness.map(|limit| i64::try_from(limit.seconds()).unwrap_or(i64::MAX));
    let view = |data: NewestData| {
        let newest = newest_row(&data, document);
        let age_seconds = (now - newest).num_seconds();
        FreshnessView {
            dataset: data.name,
            version: data.number,
            newest,
            age_seconds,
            limit_seconds: limit,
            is_stale: limit.is_some_and(|limit| age_seconds > limit),
        }
    };
    newest.into_iter().filter(|data| is_named(data, document)).map(view).collect()
}
