//! A history that is known piece by piece, as its clock goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::expr::Row;
use millrace_domain::gate::{Decision, decide};
use millrace_domain::metric::Metric;
use millrace_domain::monitor::Reference;
use millrace_domain::problem::{Promote, Retraining, Span};
use millrace_domain::rehearsal::RehearsalPlan;
use millrace_domain::schedule::Schedule;
use millrace_domain::schema::Value;
use millrace_ml::evaluate::{ClassOutcomes, Outcomes};
use millrace_ml::model::{Lineage, Model, Prediction, outcomes};
use millrace_ml::reference::bins;
use millrace_ml::split::{Part, Split};
use millrace_ml::train::{repeat_last_of, train};

use millrace_executor::StepError;

use serde_json::{Value as Json, json};

use crate::evaluate::tested;
use crate::gate::on_numbers;
use crate::load::{Prepared, prepared};

use super::{MOST_WINDOWS, Onlooker, Rehearsal, RehearsalError, Watched, scheduled};

const MICROS: i64 = 1_000_000;

/// A model as it would answer.
#[derive(Clone)]
pub(super) struct Learned {
    pub number: u32,
    pub model: Arc<Model>,
    pub reference: Arc<Reference>,
    /// Rows that it was fitted on.
    pub rows: u64,
    /// Gates that it did not pass.
    pub open: Vec<String>,
}

/// A mean of numbers that count as often as they say; none of nothing.
pub(super) fn mean(numbers: impl Iterator<Item = (f64, u64)>) -> Option<f64> {
    let (sum, all) =
        numbers.fold((0.0, 0), |(sum, all), (number, times)| (number.mul_add(times as f64, sum), all + times));
    (all > 0).then(|| sum / all as f64)
}

/// Beginning and end.
pub(super) type Window = (DateTime<Utc>, DateTime<Utc>);

/// When models are trained.
pub(super) struct Policy {
    pub name: &'static str,
    /// In words.
    pub title: String,
    /// Never when there is none.
    pub retraining: Option<Retraining>,
}

/// Rows in the order of their times.
pub(super) struct History {
    pub rehearsal: Rehearsal,
    /// Seconds of a window.
    pub length: u64,
    /// Every row with what was joined to it, as of its time.
    whole: Prepared,
    /// Time in microseconds and row, in order; rows without a time are left out.
    order: Vec<(i64, u32)>,
    /// When a row and its label were known, and its time, in order.
    known: Vec<(i64, i64, u32)>,
    /// The newest time among each of these and those before it.
    newest: Vec<i64>,
}

impl History {
    pub(super) fn new(rehearsal: Rehearsal) -> Result<Self, RehearsalError> {
        let document = &rehearsal.plan.document;
        let no_times = || {
            RehearsalError::new(
                "the document names no data.event_time that holds times, so it is not known what came when: name one, with data.time_format \
                 where it is not written as ISO 8601",
            )
        };
        let slot =
            document.data.event_time.as_deref().and_then(|name| rehearsal.rows.slot(name)).ok_or_else(no_times)?;
        let later = match &document.data.known_time {
            None => None,
            Some(name) => Some(rehearsal.rows.slot(name).ok_or_else(|| {
                RehearsalError::new(format!("data.known_time {name:?} is not a column of the history"))
            })?),
        };
        let delay = i64::try_from(document.target.delay.seconds()).unwrap_or(i64::MAX / MICROS).saturating_mul(MICROS);
        let (mut order, mut known) = (Vec::with_capacity(rehearsal.rows.rows()), Vec::new());
        for row in 0..rehearsal.rows.rows() as u32 {
            let cells = rehearsal.rows.row(row as usize);
            match cells.cell(slot) {
                Value::Time(micros) => {
                    let came = match later.map(|later| cells.cell(later)) {
                        Some(Value::Time(came)) => came,
                        _ => i64::MIN,
                    };
                    order.push((micros, row));
                    known.push((micros.saturating_add(delay).max(came), micros, row));
                }
                Value::Null => {}
                _ => return Err(no_times()),
            }
        }
        order.sort_unstable();
        known.sort_unstable();
        let newest = known.iter().scan(i64::MIN, |newest, (_, at, _)| {
            *newest = (*newest).max(*at);
            Some(*newest)
        });
        let newest = newest.collect();
        let length = document.monitoring.window.seconds();
        let whole = prepared(Arc::clone(&rehearsal.rows), rehearsal.tables.clone(), document)
            .map_err(|error| RehearsalError::new(error.to_string()))?;
        Ok(Self { rehearsal, length, whole, order, known, newest })
    }

    /// Windows from the first model on, by beginning and end. They lie side by side from 1970 on, as in production.
    pub(super) fn windows(&self) -> Result<Vec<Window>, RehearsalError> {
        let length = i64::try_from(self.length).unwrap_or(i64::MAX / MICROS).saturating_mul(MICROS);
        let (Some((third, _)), Some((last, _))) = (self.order.get(self.order.len() / 3), self.order.last()) else {
            return Ok(Vec::new());
        };
        let from = self.rehearsal.plan.begins.map_or(*third, |begins| begins.timestamp_micros());
        let first = from.div_euclid(length) * length + if from.rem_euclid(length) > 0 { length } else { 0 };
        let count = last.saturating_sub(first) / length + 1;
        if count > MOST_WINDOWS {
            return Err(RehearsalError::new(format!(
                "the history has {count} windows of {}, at most {MOST_WINDOWS} are gone through: begin later, or give the document a longer \
                 monitoring.window",
                self.rehearsal.plan.document.monitoring.window.in_words(),
            )));
        }
        let at = DateTime::from_timestamp_micros;
        let begins = std::iter::successors(Some(first), |begin| begin.checked_add(length));
        let begins = begins.take_while(|begin| begin <= last);
        Ok(begins.filter_map(|begin| Some((at(begin)?, at(begin.checked_add(length)?)?))).collect())
    }

    /// The rows between two times, in order.
    fn between(&self, from: i64, to: i64) -> &[(i64, u32)] {
        let place = |time: i64| self.order.partition_point(|(at, _)| *at < time);
        let (from, to) = (place(from), place(to));
        &self.order[from.min(to)..to]
    }

    /// The rows of a window.
    pub(super) fn window(&self, begins: DateTime<Utc>, ends: DateTime<Utc>) -> Vec<u32> {
        self.timed(begins, ends).iter().map(|(_, row)| *row).collect()
    }

    /// The rows of a window, each with its time in microseconds before it.
    pub(super) fn timed(&self, begins: DateTime<Utc>, ends: DateTime<Utc>) -> &[(i64, u32)] {
        self.between(begins.timestamp_micros(), ends.timestamp_micros())
    }

    /// The rows that had become known from one moment to before another one.
    fn known_between(&self, from: i64, to: i64) -> &[(i64, i64, u32)] {
        let place = |moment: i64| self.known.partition_point(|(known, _, _)| *known < moment);
        let (from, to) = (place(from), place(to));
        &self.known[from.min(to)..to]
    }

    /// How many rows had become known between two moments.
    pub(super) fn new_rows(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        self.known_between(from.timestamp_micros(), to.timestamp_micros()).len() as u64
    }

    /// The newest time among the rows that had become known, which is what a load of them would have.
    pub(super) fn newest_row(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let known = self.known_between(i64::MIN, now.timestamp_micros()).len();
        DateTime::from_timestamp_micros(*self.newest.get(known.checked_sub(1)?)?)
    }

    /// How many labels had become known between two moments.
    pub(super) fn new_labels(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        let rows = self.known_between(from.timestamp_micros(), to.timestamp_micros()).iter();
        rows.filter(|(_, _, row)| self.whole.labels.is_known(*row as usize)).count() as u64
    }

    /// The rows that a training at a moment would have seen, in the source's order, as a load of them would be.
    fn seen_at(&self, at: DateTime<Utc>) -> Vec<u32> {
        let at = at.timestamp_micros();
        let from = self.rehearsal.plan.trained_on.map_or(i64::MIN, |span: Span| {
            at.saturating_sub(i64::try_from(span.seconds()).unwrap_or(i64::MAX).saturating_mul(MICROS))
        });
        let known = self.known_between(i64::MIN, at).iter();
        let mut rows: Vec<u32> = known.filter(|(_, time, _)| *time >= from).map(|(_, _, row)| *row).collect();
        rows.sort_unstable();
        rows
    }

    /// Trains on what was known, and holds the model against the gates on numbers.
    pub(super) fn learn(
        &self,
        at: DateTime<Utc>,
        number: u32,
        champion: Option<&Learned>,
        onlooker: &dyn Onlooker,
    ) -> Result<Learned, String> {
        let RehearsalPlan { document, config, calibration, seed, .. } = &self.rehearsal.plan;
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let rows = self.seen_at(at);
        // Joined as of each row's own time, as its answer was.
        let seen = self.part(&rows).map_err(|error| told(&error))?;
        let watched = Watched(onlooker);
        let fitted = train(&seen.table, &seen.labels, &seen.split, seen.plan.kind(), config, *seed, &watched);
        let fitted = fitted.map_err(|error| told(&error))?;
        let fitted = fitted.calibrated(*calibration, &seen.table, &seen.labels, &seen.split);
        let lineage = Lineage {
            dataset: Digest::of(format!("{} rows known at {at}", rows.len())),
            tables: BTreeMap::new(),
            problem: Digest::of(&document.slug),
            features: document.feature_digest(),
            trainer: config.clone(),
            seed: *seed,
        };
        let model = Model::new(&seen.plan, fitted.map_err(|error| told(&error))?, lineage);
        let (tested, reference) = tested(document, &seen, &model, *seed).map_err(|error| told(&error))?;
        let beside = champion.map(|champion| (i32::try_from(champion.number).unwrap_or(i32::MAX), &*champion.model));
        let gates = on_numbers(document, &seen, &tested, &model, beside, *seed);
        let open = match decide(&gates) {
            Decision::Passed => Vec::new(),
            Decision::Rejected(open) => open,
        };
        Ok(Learned {
            number,
            model: Arc::new(model),
            reference: Arc::new(reference),
            rows: seen.split.rows(Part::Train).len() as u64,
            open,
        })
    }

    /// Features, labels and parts of some rows.
    fn part(&self, rows: &[u32]) -> Result<Prepared, StepError> {
        let refused = |error: &dyn std::fmt::Display| StepError::refused("rehearsal", error.to_string());
        let (document, plan) = (&self.rehearsal.plan.document, self.whole.plan.clone());
        let dataset = self.whole.dataset.take(rows);
        let table = plan.table(&dataset).map_err(|error| refused(&error))?;
        let labels = plan.labels(&dataset).map_err(|error| refused(&error))?;
        let split = Split::new(&document.data.split, &dataset, document.data.event_time.as_deref(), &labels);
        let split = split.map_err(|error| refused(&error))?;
        Ok(Prepared {
            dataset,
            history: Arc::clone(&self.whole.history),
            plan,
            table,
            labels,
            split,
            shared: Default::default(),
        })
    }

    /// What a model answers to rows, row by row where it has an answer, and the counts that a server would have kept.
    pub(super) fn answers(&self, by: &Learned, rows: &[u32]) -> (Vec<(u32, Prediction)>, Vec<u64>) {
        let mut counts = vec![0; by.reference.width()];
        let mut answered = Vec::with_capacity(rows.len());
        for row in rows {
            answered.extend(self.answer(by, *row, Some(&mut counts)).map(|answer| (*row, answer)));
        }
        (answered, counts)
    }

    /// What a model answers to a row, counted as a server would where callers get it; none where it has no answer.
    pub(super) fn answer(&self, by: &Learned, row: u32, counts: Option<&mut Vec<u64>>) -> Option<Prediction> {
        let values = self.whole.table.values(row as usize);
        let answer = by.model.predictor().predict(&values).ok();
        match (counts, &answer) {
            (Some(counts), Some(answer)) => by.reference.count(counts, &bins(&by.reference, &values, answer), 0),
            (Some(counts), None) => by.reference.count_failure(counts),
            (None, _) => {}
        }
        answer
    }

    /// Whom a row is about; none where the document names no entity.
    pub(super) fn entity(&self, row: u32) -> Option<String> {
        let name = self.rehearsal.plan.document.data.entity.as_deref()?;
        match self.whole.dataset.row(row as usize).cell(self.whole.dataset.slot(name)?) {
            Value::Null => None,
            Value::Text(text) => Some(text.into_owned()),
            other => Some(format!("{other:?}")),
        }
    }

    /// The label of a row as somebody would send it; none where it is not known.
    pub(super) fn label(&self, row: u32) -> Option<Json> {
        let (labels, row) = (&self.whole.labels, row as usize);
        match labels.class(row) {
            Some(class) => Some(json!(labels.classes()?.get(class as usize)?)),
            None => labels.number(row).map(|number| json!(number)),
        }
    }

    /// When outcomes of the rows from a moment on are known, in microseconds.
    pub(super) fn known_when(&self, from: DateTime<Utc>) -> HashMap<u32, i64> {
        let from = from.timestamp_micros();
        self.known.iter().filter(|(_, time, _)| *time >= from).map(|(known, _, row)| (*row, *known)).collect()
    }

    /// Answers beside what came true; none where nothing did. A class that the model does not know is left out.
    pub(super) fn outcomes(&self, by: &Learned, answered: &[(u32, Prediction)]) -> Option<Outcomes> {
        let labels = &self.whole.labels;
        let known = answered.iter().filter(|(row, _)| labels.is_known(*row as usize));
        let own = by.model.classes();
        let names = labels.classes().unwrap_or_default();
        if names.iter().map(String::as_str).eq(own.iter().map(AsRef::as_ref)) {
            let (rows, answers): (Vec<u32>, Vec<&Prediction>) = known.map(|(row, answer)| (*row, answer)).unzip();
            return outcomes(labels, &rows, answers).ok();
        }
        let pair = |(row, answer): &(u32, Prediction)| match answer {
            Prediction::Multiclass { probabilities, .. } => {
                let name = &names[labels.class(*row as usize)? as usize];
                let class = own.iter().position(|own| **own == **name)?;
                Some((probabilities.clone(), u32::try_from(class).ok()?))
            }
            _ => None,
        };
        ClassOutcomes::new(own.len(), known.filter_map(pair)).ok().map(Outcomes::Multiclass)
    }

    /// What repeating the last label known would have reached, as courses are told.
    pub(super) fn repeat_last(&self, windows: &[Window]) -> Option<f64> {
        let document = &self.rehearsal.plan.document;
        let metric = document.success.metric;
        if metric == Metric::LogLoss {
            return None;
        }
        let labels = &self.whole.labels;
        let (first, _) = windows.first()?;
        let before: Vec<u32> =
            self.known_between(i64::MIN, first.timestamp_micros()).iter().map(|(_, _, row)| *row).collect();
        let labelled = |(begins, ends): &Window| {
            let rows = self.window(*begins, *ends).into_iter().filter(|row| labels.is_known(*row as usize));
            rows.collect::<Vec<u32>>()
        };
        let windows: Vec<Vec<u32>> = windows.iter().map(labelled).collect();
        let all = windows.concat();
        let (dataset, delay) = (&self.whole.dataset, document.target.delay);
        let repeated = repeat_last_of(dataset, &document.data, delay, labels, &before, &all)?.ok()?;
        let mut first = 0;
        let by_window = windows.iter().filter_map(|rows| {
            let places: Vec<usize> = (first..first + rows.len()).collect();
            first += rows.len();
            Some((repeated.select(&places)?.metric(metric)?, rows.len() as u64))
        });
        mean(by_window)
    }

    /// What is compared: never, the schedule, and what the document says.
    pub(super) fn policies(&self) -> Result<Vec<Policy>, RehearsalError> {
        let cron = &self.rehearsal.plan.schedule;
        let scheduled = scheduled(cron)?;
        let words = Schedule::read(cron, "UTC").map_or_else(|_| cron.clone(), |schedule| schedule.in_words());
        let mut policies = vec![
            Policy { name: "never", title: "never trained again".to_owned(), retraining: None },
            Policy { name: "schedule", title: format!("on a schedule: {words}"), retraining: Some(scheduled) },
        ];
        if let Some(policy) = self.rehearsal.plan.document.retraining.clone() {
            let by = match policy.promote {
                Promote::Approval | Promote::Shadow | Promote::Canary => ", approved at once",
                Promote::Automatic => "",
            };
            let reasons: Vec<&str> = policy.reasons().into_iter().map(|reason| reason.title()).collect();
            let title = format!("by the policy: {}{by}", reasons.join(", "));
            policies.push(Policy { name: "policy", title, retraining: Some(policy) });
        }
        Ok(policies)
    }
}
