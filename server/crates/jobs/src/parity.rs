//! The parity auditor: goes through the newest answers of every live version and computes them again as training does.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::ids::{DatasetVersionId, ModelVersionId, ProblemId};
use millrace_ml::Dataset;
use millrace_ml::join::Sources;
use millrace_ml::model::Model;
use millrace_ml::parity::{Recomputed, Request, recompute, seen_by};
use millrace_services::Services;
use millrace_storage::deployment::{self, Deployment};
use millrace_storage::parity::{self, ParityAudit};
use millrace_storage::prediction::{self, Answered, Logged, Receipt, Stretch};
use millrace_storage::{dataset, model, rollout};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// How often every live version is looked at.
const EVERY: Duration = Duration::from_secs(10);
/// Answers that are computed again at one look.
const SAMPLE: i64 = 100;
/// Requests that are read at once.
const PAGE: i64 = 5_000;
/// Differences that are kept of one look.
const MOST_EXAMPLES: usize = 5;

/// Why a look came to nothing.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The auditor.
pub struct ParityAuditor {
    services: Services,
    /// The frames that were read last, so that a table is not read again for every look.
    frames: BTreeMap<DatasetVersionId, Arc<Dataset>>,
    /// The models that were read last.
    models: BTreeMap<ModelVersionId, Arc<Model>>,
    /// Versions whose answers were looked at up to a transaction.
    seen: HashSet<ModelVersionId>,
    /// That transaction.
    until: String,
}

impl ParityAuditor {
    /// An auditor over these services.
    pub fn new(services: Services) -> Self {
        let (frames, models) = (BTreeMap::new(), BTreeMap::new());
        Self { services, frames, models, seen: HashSet::new(), until: String::new() }
    }

    /// Looks until told to stop.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
            let live = match deployment::list(self.services.db().pool()).await {
                Ok(live) => live,
                Err(error) => {
                    tracing::warn!(%error, "live versions could not be looked up for the parity audit");
                    continue;
                }
            };
            // A candidate answers as well, and must not get further if its answers differ.
            let candidates = match rollout::list_open(self.services.db().pool()).await {
                Ok(open) => open.into_iter().map(|open| (open.problem, open.candidate)).collect(),
                Err(error) => {
                    tracing::warn!(%error, "candidates could not be looked up for the parity audit");
                    Vec::new()
                }
            };
            let of = |deployment: &Deployment| -> Vec<ModelVersionId> {
                let candidate = candidates.iter().find(|(problem, _)| *problem == deployment.problem);
                let candidate = candidate.map(|(_, version)| *version).filter(|id| Some(*id) != deployment.champion);
                deployment.champion.into_iter().chain(candidate).collect()
            };
            self.models.retain(|version, _| live.iter().any(|deployment| of(deployment).contains(version)));
            let mut read = Vec::new();
            let before = match prediction::complete_before(self.services.db().pool()).await {
                Ok(before) => before,
                Err(error) => {
                    tracing::warn!(%error, "it could not be told which answers are all there");
                    continue;
                }
            };
            let answered = match self.answered(&before).await {
                Ok(answered) => answered,
                Err(error) => {
                    tracing::warn!(%error, "it could not be told which versions have answered");
                    continue;
                }
            };
            let mut seen = HashSet::new();
            for deployment in &live {
                for version in of(deployment) {
                    if self.seen.contains(&version) && !answered.contains(&version) {
                        seen.insert(version);
                        continue;
                    }
                    match self.look(deployment, version, &before, &mut read).await {
                        Ok(()) => drop(seen.insert(version)),
                        Err(error) => {
                            tracing::warn!(slug = deployment.slug, %error, "answers could not be computed again");
                        }
                    }
                }
            }
            (self.seen, self.until) = (seen, before);
            self.frames.retain(|version, _| read.contains(version));
        }
    }

    /// The versions of which answers were logged since the last round; all of them are looked at in the first one.
    async fn answered(&self, before: &str) -> Result<HashSet<ModelVersionId>, Failure> {
        if self.seen.is_empty() {
            return Ok(HashSet::new());
        }
        let answered = prediction::answered_between(self.services.db().pool(), &self.until, before).await?;
        Ok(answered.into_iter().collect())
    }

    /// Computes the newest answers since the last look again, those that were complete `before`.
    async fn look(
        &mut self,
        deployment: &Deployment,
        version: ModelVersionId,
        before: &str,
        read: &mut Vec<DatasetVersionId>,
    ) -> Result<(), Failure> {
        let pool = self.services.db().pool();
        let from = parity::last(pool, version).await?.map_or_else(|| "0".to_owned(), |last| last.until_tx);
        let answers = prediction::newest_answers(pool, version, &from, before, SAMPLE).await?;
        let Some(newest) = answers.first() else { return Ok(()) };
        // Answers that were joined to the same state are computed together; the others wait for their turn to be newest.
        let state = as_of(newest);
        let answers: Vec<Answered> = answers.into_iter().filter(|answer| as_of(answer) == state).collect();
        let again = self.compute_again(deployment.problem, version, answers, read).await?;
        let compared = again.len();
        let differences: Vec<Value> = again.into_iter().filter_map(|again| again.difference).collect();
        let found = ParityAudit {
            checked_at: self.services.surroundings().now(),
            compared: i32::try_from(compared).unwrap_or(i32::MAX),
            differing: i32::try_from(differences.len()).unwrap_or(i32::MAX),
            examples: json!(differences.iter().take(MOST_EXAMPLES).collect::<Vec<_>>()),
            until_tx: before.to_owned(),
        };
        if found.differing > 0 {
            tracing::error!(slug = deployment.slug, differing = found.differing, "answers differ from training's");
        }
        metrics::counter!("millrace_parity_compared_total").increment(compared as u64);
        metrics::counter!("millrace_parity_differing_total").increment(differences.len() as u64);
        self.services.record_parity(&deployment.slug, version, &found).await?;
        Ok(())
    }

    /// Answers that were joined to the same state, each computed again.
    async fn compute_again(
        &mut self,
        problem: ProblemId,
        version: ModelVersionId,
        answers: Vec<Answered>,
        read: &mut Vec<DatasetVersionId>,
    ) -> Result<Vec<Again>, Failure> {
        let state = answers.first().map_or(Value::Null, as_of);
        let model = self.model(version).await?;
        let sources = self.sources(&state, read).await?;
        let answers = Arc::new(answers);
        let earlier = match (&sources.own, state.get("seen").and_then(Value::as_str)) {
            (Some(_), Some(seen)) => self.earlier(problem, seen, &model, &answers).await?,
            _ => Vec::new(),
        };
        tokio::task::spawn_blocking(move || compare(&model, &sources, &earlier, &answers)).await?
    }

    /// Computes one prediction again as training computes.
    ///
    /// # Errors
    /// When what it was computed from is not there any more.
    pub async fn replay(services: &Services, receipt: Receipt) -> Result<Again, Failure> {
        let mut auditor = Self::new(services.clone());
        let answers = vec![receipt.answered];
        let mut again = auditor.compute_again(receipt.problem, receipt.model_version, answers, &mut Vec::new()).await?;
        again.pop().ok_or_else(|| "nothing was computed".into())
    }

    /// The loads that answers were joined to.
    async fn sources(&mut self, state: &Value, read: &mut Vec<DatasetVersionId>) -> Result<Sources, Failure> {
        let mut sources = Sources::default();
        let loads = &state["loads"];
        let id = |load: &Value| load["id"].as_i64().map(DatasetVersionId);
        if let Some(own) = id(&loads["own"]) {
            sources.own = Some(self.frame(own, read).await?);
        }
        for (name, load) in loads["tables"].as_object().into_iter().flatten() {
            let Some(version) = id(load) else { continue };
            sources.tables.insert(name.clone(), self.frame(version, read).await?);
        }
        Ok(sources)
    }

    async fn frame(&mut self, id: DatasetVersionId, read: &mut Vec<DatasetVersionId>) -> Result<Arc<Dataset>, Failure> {
        read.push(id);
        if let Some(frame) = self.frames.get(&id) {
            return Ok(Arc::clone(frame));
        }
        let version = dataset::find_version(self.services.db().pool(), id).await?;
        let frame = version.and_then(|version| version.frame);
        let frame = frame.ok_or_else(|| format!("the load {id} is not there"))?;
        let content = self.services.artifacts().get(&frame).await?;
        let dataset = tokio::task::spawn_blocking(move || Dataset::from_parquet(&content)).await??;
        let dataset = Arc::new(dataset);
        self.frames.insert(id, Arc::clone(&dataset));
        Ok(dataset)
    }

    async fn model(&mut self, version: ModelVersionId) -> Result<Arc<Model>, Failure> {
        if let Some(model) = self.models.get(&version) {
            return Ok(Arc::clone(model));
        }
        let stored = model::find(self.services.db().pool(), version).await?;
        let stored = stored.ok_or("the live version is not there")?;
        let model = Arc::new(Model::from_bytes(&self.services.artifacts().get(&stored.artifact).await?)?);
        self.models.insert(version, Arc::clone(&model));
        Ok(model)
    }

    /// The requests of the log that these answers could see, about a time that some window reaches. A window of a busy problem has more than
    /// memory holds; of each page only what is about the same entities is kept.
    async fn earlier(
        &self,
        problem: ProblemId,
        seen: &str,
        model: &Arc<Model>,
        answers: &Arc<Vec<Answered>>,
    ) -> Result<Vec<Logged>, Failure> {
        let since = answers.iter().map(|answer| answer.time).min().map(|first| first - longest_window(model));
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let stretch = Stretch { problem, after: after.as_ref(), before: seen, later_than: since, limit: PAGE };
            let page = prediction::stretch(self.services.db().pool(), &stretch).await?;
            let is_last = (page.len() as i64) < PAGE;
            after = page.last().map(|logged| logged.place.clone());
            let (model, answers) = (Arc::clone(model), Arc::clone(answers));
            all.extend(tokio::task::spawn_blocking(move || about_the_same(&model, page, &answers)).await??);
            if is_last {
                return Ok(all);
            }
        }
    }
}

/// How far back windows reach, and a second more: the log is read from after that time.
fn longest_window(model: &Model) -> TimeDelta {
    let seconds = model.joins().longest_window().unwrap_or(0).saturating_add(1);
    TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX)
}

/// As of what an answer was joined.
fn as_of(answer: &Answered) -> Value {
    let joined = answer.joined.as_ref();
    joined.map_or(Value::Null, |joined| json!({ "loads": joined["loads"], "seen": joined["seen"] }))
}

/// An answer that was computed again.
#[derive(Debug)]
pub struct Again {
    /// The value of each feature, by name.
    pub features: Map<String, Value>,
    /// What differs from the answer as it was given, if anything does.
    pub difference: Option<Value>,
}

/// Requests as they were sent.
fn requests<'r>(
    sent: impl Iterator<Item = (&'r Value, DateTime<Utc>)>,
    none: &'r Map<String, Value>,
) -> Vec<Request<'r>> {
    let request = |(inputs, time): (&'r Value, DateTime<Utc>)| Request {
        object: inputs.as_object().unwrap_or(none),
        time: time.timestamp_micros(),
    };
    sent.map(request).collect()
}

/// The requests of a page that are about an entity that is asked about.
fn about_the_same(model: &Model, page: Vec<Logged>, answers: &[Answered]) -> Result<Vec<Logged>, Failure> {
    let none = Map::new();
    let before = requests(page.iter().map(|logged| (&logged.inputs, logged.time)), &none);
    let asked = requests(answers.iter().map(|answer| (&answer.inputs, answer.time)), &none);
    let seen: HashSet<usize> = seen_by(model, &before, &asked)?.into_iter().collect();
    let kept = page.into_iter().enumerate().filter(|(place, _)| seen.contains(place));
    Ok(kept.map(|(_, logged)| logged).collect())
}

/// Computes answers again and compares.
fn compare(model: &Model, sources: &Sources, earlier: &[Logged], answers: &[Answered]) -> Result<Vec<Again>, Failure> {
    let none = Map::new();
    let before = requests(earlier.iter().map(|logged| (&logged.inputs, logged.time)), &none);
    let asked = requests(answers.iter().map(|answer| (&answer.inputs, answer.time)), &none);
    let again = recompute(model, sources, &before, &asked)?;
    let compared = |(answer, again): (&Answered, Recomputed)| {
        let difference = difference(model, answer, &again);
        Again { features: again.features, difference }
    };
    Ok(answers.iter().zip(again).map(compared).collect())
}

/// What differs between an answer as it was given and as it is computed again.
fn difference(model: &Model, answer: &Answered, again: &Recomputed) -> Option<Value> {
    let cells = answer.joined.as_ref().map_or(&Value::Null, |joined| &joined["cells"]);
    let names = model.features().joined().iter().map(|column| column.name.as_str());
    let recomputed = again.joined.iter().map(millrace_domain::schema::Value::to_json);
    let joined: Vec<Value> = names
        .zip(recomputed)
        .enumerate()
        .map(|(place, (name, recomputed))| (name, cells.get(place).unwrap_or(&Value::Null), recomputed))
        .filter(|(_, served, recomputed)| !is_same(served, recomputed))
        .map(|(name, served, recomputed)| json!({ "what": name, "served": served, "recomputed": recomputed }))
        .collect();
    let output = again.prediction.to_json(model.classes());
    let mut all = joined;
    if !is_same(&answer.output, &output) {
        all.push(json!({ "what": "answer", "served": answer.output, "recomputed": output }));
    }
    (!all.is_empty()).then(|| json!({ "prediction": answer.place.id, "differences": all }))
}

/// Whether two JSON values are equal, numbers by their bits: a database may write a whole number without its point.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
            _ => a == b,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => left == right,
    }
}
