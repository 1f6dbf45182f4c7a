//! A history that is known piece by piece, as its clock goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::expr::Row;
use millrace_domain::gate::{Decision, decide};
use millrace_domain::monitor::Reference;
use millrace_domain::problem::{Promote, Retraining, Span};
use millrace_domain::schedule::Schedule;
use millrace_domain::schema::Value;
use millrace_ml::evaluate::Outcomes;
use millrace_ml::model::{Lineage, Model, Prediction, outcomes};
use millrace_ml::reference::bins;
use millrace_ml::split::Part;
use millrace_ml::train::{repeat_last_of, train};

use crate::evaluate::tested;
use crate::gate::on_numbers;
use crate::load::{Prepared, prepared};

use super::{Rehearsal, RehearsalError, scheduled};

const MICROS: i64 = 1_000_000;

/// A model as it would answer.
#[derive(Clone)]
pub(super) struct Learned {
    pub number: u32,
    pub model: Arc<Model>,
    pub reference: Arc<Reference>,
    /// Rows that it was fitted on.
    pub rows: u64,
    /// The newest row that was known.
    pub newest: i64,
    /// Gates that it did not pass.
    pub open: Vec<String>,
}

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
    delay: i64,
}

impl History {
    pub(super) fn new(rehearsal: Rehearsal) -> Result<Self, RehearsalError> {
        let document = &rehearsal.document;
        let no_times = || {
            RehearsalError::new(
                "the document names no data.event_time that holds times, so it is not known what came when: name one, with data.time_format \
                 where it is not written as ISO 8601",
            )
        };
        let slot =
            document.data.event_time.as_deref().and_then(|name| rehearsal.rows.slot(name)).ok_or_else(no_times)?;
        let mut order = Vec::with_capacity(rehearsal.rows.rows());
        for row in 0..rehearsal.rows.rows() as u32 {
            match rehearsal.rows.row(row as usize).cell(slot) {
                Value::Time(micros) => order.push((micros, row)),
                Value::Null => {}
                _ => return Err(no_times()),
            }
        }
        order.sort_unstable();
        let delay = i64::try_from(document.target.delay.seconds()).unwrap_or(i64::MAX / MICROS);
        let length = document.monitoring.window.seconds();
        let whole = prepared(Arc::clone(&rehearsal.rows), rehearsal.tables.clone(), document)
            .map_err(|error| RehearsalError::new(error.to_string()))?;
        Ok(Self { rehearsal, length, whole, order, delay: delay.saturating_mul(MICROS) })
    }

    /// Windows from the first model on, by beginning and end. They lie side by side from 1970 on, as in production.
    pub(super) fn windows(&self) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let length = i64::try_from(self.length).unwrap_or(i64::MAX / MICROS).saturating_mul(MICROS);
        let (Some((third, _)), Some((last, _))) = (self.order.get(self.order.len() / 3), self.order.last()) else {
            return Vec::new();
        };
        let from = self.rehearsal.begins.map_or(*third, |begins| begins.timestamp_micros());
        let first = from.div_euclid(length) * length + if from.rem_euclid(length) > 0 { length } else { 0 };
        let at = DateTime::from_timestamp_micros;
        let begins = std::iter::successors(Some(first), |begin| begin.checked_add(length));
        let begins = begins.take_while(|begin| begin <= last);
        begins.filter_map(|begin| Some((at(begin)?, at(begin.checked_add(length)?)?))).collect()
    }

    /// The rows between two times, in order.
    fn between(&self, from: i64, to: i64) -> &[(i64, u32)] {
        let place = |time: i64| self.order.partition_point(|(at, _)| *at < time);
        let (from, to) = (place(from), place(to));
        &self.order[from.min(to)..to]
    }

    /// The rows of a window.
    pub(super) fn window(&self, begins: DateTime<Utc>, ends: DateTime<Utc>) -> Vec<u32> {
        let rows = self.between(begins.timestamp_micros(), ends.timestamp_micros());
        rows.iter().map(|(_, row)| *row).collect()
    }

    /// How many labels had become known between two moments.
    pub(super) fn labels_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
        let known = |at: DateTime<Utc>| at.timestamp_micros().saturating_sub(self.delay);
        let rows = self.between(known(from), known(to)).iter();
        rows.filter(|(_, row)| self.whole.labels.is_known(*row as usize)).count() as u64
    }

    /// The rows whose label was known at a moment, as a training then would have seen them.
    pub(super) fn known(&self, at: DateTime<Utc>) -> &[(i64, u32)] {
        let at = at.timestamp_micros();
        let from = self.rehearsal.trained_on.map_or(i64::MIN, |span: Span| {
            at.saturating_sub(i64::try_from(span.seconds()).unwrap_or(i64::MAX).saturating_mul(MICROS))
        });
        self.between(from, at.saturating_sub(self.delay))
    }

    /// Trains on what was known, and holds the model against the gates on numbers.
    pub(super) fn learn(&self, at: DateTime<Utc>, number: u32, champion: Option<&Learned>) -> Result<Learned, String> {
        let Rehearsal { document, rows: all, tables, config, calibration, seed, .. } = &self.rehearsal;
        let known = self.known(at);
        let mut rows: Vec<u32> = known.iter().map(|(_, row)| *row).collect();
        // In the source's order, as a load of them would be.
        rows.sort_unstable();
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let seen = prepared(Arc::new(all.take(&rows)), tables.clone(), document).map_err(|error| told(&error))?;
        if seen.labels.classes() != self.whole.labels.classes() {
            return Err("not every class of the history was known by then".to_owned());
        }
        let fitted = train(&seen.table, &seen.labels, &seen.split, seen.plan.kind(), config, *seed, &());
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
            newest: known.last().map_or(i64::MIN, |(time, _)| *time),
            open,
        })
    }

    /// What a model answers to rows, and the counts that a server would have kept of it.
    pub(super) fn answers(&self, by: &Learned, rows: &[u32]) -> (Vec<Prediction>, Vec<u64>) {
        let mut counts = vec![0; by.reference.width()];
        let answers: Vec<Prediction> = by.model.predictor().predict_table(&self.whole.table, rows).unwrap_or_default();
        if answers.len() < rows.len() {
            (0..rows.len()).for_each(|_| by.reference.count_failure(&mut counts));
            return (Vec::new(), counts);
        }
        for (row, answer) in rows.iter().zip(&answers) {
            let bins = bins(&by.reference, &self.whole.table.values(*row as usize), answer);
            by.reference.count(&mut counts, &bins, 0);
        }
        (answers, counts)
    }

    /// Answers beside what came true; none where nothing did.
    pub(super) fn outcomes(&self, rows: &[u32], answers: &[Prediction]) -> Option<Outcomes> {
        let known = rows.iter().zip(answers).filter(|(row, _)| self.whole.labels.is_known(**row as usize));
        let (rows, answers): (Vec<u32>, Vec<&Prediction>) = known.unzip();
        outcomes(&self.whole.labels, &rows, answers).ok()
    }

    /// What repeating the last label known would have reached from a moment on.
    pub(super) fn repeat_last(&self, from: DateTime<Utc>) -> Option<f64> {
        let document = &self.rehearsal.document;
        let (before, after) =
            (self.between(i64::MIN, from.timestamp_micros()), self.between(from.timestamp_micros(), i64::MAX));
        let rows = |of: &[(i64, u32)]| of.iter().map(|(_, row)| *row).collect::<Vec<u32>>();
        let (before, after) = (rows(before), rows(after));
        let (labels, delay) = (&self.whole.labels, document.target.delay);
        let last = repeat_last_of(&self.whole.dataset, &document.data, delay, labels, &before, &after);
        last?.ok()?.metric(document.success.metric)
    }

    /// What is compared: never, the schedule, and what the document says.
    pub(super) fn policies(&self) -> Result<Vec<Policy>, RehearsalError> {
        let cron = &self.rehearsal.schedule;
        let scheduled = scheduled(cron)?;
        let words = Schedule::read(cron, "UTC").map_or_else(|_| cron.clone(), |schedule| schedule.in_words());
        let mut policies = vec![
            Policy { name: "never", title: "never trained again".to_owned(), retraining: None },
            Policy { name: "schedule", title: format!("on a schedule: {words}"), retraining: Some(scheduled) },
        ];
        if let Some(policy) = self.rehearsal.document.retraining.clone() {
            let by = match policy.promote {
                Promote::Approval => ", approved at once",
                Promote::Automatic => "",
            };
            let reasons: Vec<&str> = policy.reasons().into_iter().map(|reason| reason.title()).collect();
            let title = format!("as the document says: {}{by}", reasons.join(", "));
            policies.push(Policy { name: "policy", title, retraining: Some(policy) });
        }
        Ok(policies)
    }
}
