//! Tracked runs: what a program elsewhere logs of its own training. They stand beside the pipeline's runs in lists and comparisons, and
//! nothing can come of them.
//!
//! Points that come at the same time are committed together ([`PointLog`]): each caller is answered once its own are durable.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::RunState;
use millrace_domain::tracking::{Entry, Logged, MOST_KEPT, MOST_NAME, Point, check_name};
use millrace_domain::view::ArtifactView;
use millrace_storage::run::{self, NewTracked, Newest, Run};
use millrace_storage::{Database, StorageError, artifact, event, problem};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::access::Note;
use crate::{Result, Services, commit, fault, present};

/// Most points that are committed together.
const TOGETHER: usize = 5_000;
/// Most points that wait to be committed.
const MOST_WAITING: usize = 100_000;
/// Runs whose problem is remembered.
const MOST_KNOWN: usize = 10_000;

/// What a program says of a run that it begins.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Slug of the problem it is of; any of its versions may be a draft.
    pub problem: String,
    /// What the program calls it.
    pub name: String,
    /// Tags.
    pub tags: Vec<Entry>,
    /// When it began; now when absent.
    pub started_at: Option<DateTime<Utc>>,
}

/// What changes of a tracked run.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// Its state.
    pub state: Option<RunState>,
    /// When it ended; now when absent.
    pub ended_at: Option<DateTime<Utc>>,
    /// What the program calls it.
    pub name: Option<String>,
}

/// Points on their way into the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct PointLog(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    entries: Mutex<Vec<WaitingEntry>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The problem of runs that were logged to; a run's problem and kind never change.
    known: Mutex<HashMap<RunId, String>>,
    /// When it was last told that a run has new points, or will be next.
    told: Mutex<HashMap<RunId, DateTime<Utc>>>,
}

#[derive(Debug)]
struct WaitingEntry {
    run: RunId,
    points: Vec<Point>,
    told: oneshot::Sender<Result<()>>,
}

impl WaitingEntry {
    fn points(&self) -> impl Iterator<Item = (RunId, &Point)> {
        self.points.iter().map(|point| (self.run, point))
    }
}

fn not_written() -> Fault {
    let detail = "the points could not be written just now; log them again in a few seconds";
    Fault::new(503, "not_logged", "Try again", detail)
}

impl PointLog {
    /// Adds points; ends when they are durable. Whoever is first commits what all have brought until then, in a task of its own, so
    /// that a caller who goes away takes nothing of the others with them.
    async fn add(&self, db: &Database, run: RunId, points: Vec<Point>, now: DateTime<Utc>) -> Result<()> {
        let (told, mut answer) = oneshot::channel();
        self.queue(WaitingEntry { run, points, told })?;
        // Others may have come first with more than is committed together, so it may take several turns.
        loop {
            let turn = Arc::clone(&self.0.turn).lock_owned().await;
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Closed) => return Err(not_written()),
                Err(oneshot::error::TryRecvError::Empty) => self.write(db, turn, now),
            }
        }
    }

    /// Puts points into the queue, if it has room: what waits for a database that does not answer must end somewhere.
    fn queue(&self, entry: WaitingEntry) -> Result<()> {
        let mut entries = self.0.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for what was given up.
        entries.retain(|entry| !entry.told.is_closed());
        if entries.iter().map(|entry| entry.points.len()).sum::<usize>() > MOST_WAITING {
            return Err(not_written());
        }
        entries.push(entry);
        Ok(())
    }

    /// Commits what waits, in a task of its own that holds the turn until all are answered.
    fn write(&self, db: &Database, turn: tokio::sync::OwnedMutexGuard<()>, now: DateTime<Utc>) {
        let together = self.taken();
        let (db, log) = (db.clone(), self.clone());
        tokio::spawn(async move {
            let all: Vec<(RunId, &Point)> = together.iter().flat_map(WaitingEntry::points).collect();
            let written = run::add_points(db.pool(), &all).await.map_err(fault);
            let mut answers = vec![written; together.len()];
            if together.len() > 1 && answers.first().is_some_and(Result::is_err) {
                // One of them spoils it for all, so each stands for itself.
                for (answer, entry) in answers.iter_mut().zip(&together) {
                    let own: Vec<(RunId, &Point)> = entry.points().collect();
                    *answer = run::add_points(db.pool(), &own).await.map_err(fault);
                }
            }
            let runs: BTreeSet<RunId> = together.iter().map(|entry| entry.run).collect();
            for (entry, answer) in together.into_iter().zip(answers) {
                // Nobody may wait any more.
                let _ = entry.told.send(answer);
            }
            drop(turn);
            for run in runs {
                let Some(wait) = log.news_in(run, now) else { continue };
                let db = db.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    if let Err(error) = event::insert(db.pool(), "run", run.0, "points", json!({})).await {
                        tracing::debug!(%error, "nobody was told of new points");
                    }
                });
            }
        });
    }

    /// After how long pages are to be told of new points, once in a second for each run; none where they will be anyhow.
    fn news_in(&self, run: RunId, now: DateTime<Utc>) -> Option<Duration> {
        let second = TimeDelta::seconds(1);
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now - *at < second);
        let next = match told.get(&run) {
            None => now,
            // What is told then tells of all that is logged until then.
            Some(at) if *at > now => return None,
            Some(at) => *at + second,
        };
        told.insert(run, next);
        Some((next - now).to_std().unwrap_or_default())
    }

    /// What waits, from the first on, as much as is committed together.
    fn taken(&self) -> Vec<WaitingEntry> {
        let mut entries = self.0.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut points = 0;
        let fitting = entries.iter().take_while(|entry| {
            points += entry.points.len();
            points <= TOGETHER
        });
        let count = fitting.count().max(1).min(entries.len());
        entries.drain(..count).collect()
    }
}

impl Services {
    /// Begins a tracked run of a problem, whose newest version may be a draft.
    ///
    /// # Errors
    /// 404 for a problem that is not there, 400 for a name or tag beyond the limits.
    pub async fn begin_tracked(&self, actor: &Actor, begun: &Begun) -> Result<RunId> {
        let object = format!("problem/{}", begun.problem);
        let tags = Logged { tags: begun.tags.clone(), ..Logged::default() };
        tags.check().map_err(|reason| Fault::field("/tags", reason))?;
        checked_name(&begun.name)?;
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&begun.problem), &object).await?;
        let newest = problem::newest(&tx, &begun.problem).await.map_err(fault)?;
        let newest = newest.ok_or_else(|| Fault::not_found("problem"))?;
        let new = NewTracked {
            problem_version: newest.id,
            author: actor.account,
            name: &begun.name,
            tags: &begun.tags,
            provenance: provenance(&begun.tags),
            started_at: begun.started_at.unwrap_or_else(|| self.now()),
        };
        let id = run::insert_tracked(&tx, &new, self.now()).await.map_err(fault)?;
        let details = json!({ "problem": begun.problem, "name": begun.name });
        self.note(&tx, actor, Note::new("run.track", format!("run/{id}")).details(details)).await?;
        event::insert(&tx, "run", id.0, "state", json!({})).await.map_err(fault)?;
        commit(tx).await?;
        Ok(id)
    }

    /// Ends, begins again or renames a tracked run.
    ///
    /// # Errors
    /// 404 when there is none, 409 `not_tracked` for a run of the pipeline.
    pub async fn change_tracked(&self, actor: &Actor, id: RunId, changed: &Changed) -> Result<()> {
        let found = self.tracked_run(actor, id).await?;
        if let Some(name) = &changed.name {
            checked_name(name)?;
        }
        if changed.ended_at.is_some_and(|end| found.started_at.is_some_and(|start| end < start)) {
            return Err(Fault::field("/end_time", "is before the run began"));
        }
        let object = format!("run/{id}");
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&found.problem), &object).await?;
        run::update_tracked(&tx, id, changed.state, changed.ended_at, changed.name.as_deref()).await.map_err(fault)?;
        let details = json!({ "state": changed.state, "name": changed.name });
        self.note(&tx, actor, Note::new("run.track_change", object).details(details)).await?;
        event::insert(&tx, "run", id.0, "state", json!({})).await.map_err(fault)?;
        commit(tx).await
    }

    /// Adds what a program logs; all of it or nothing.
    ///
    /// # Errors
    /// 400 for what is beyond the limits, 404 when there is no such run, 409 `not_tracked` for a run of the pipeline, `parameter_kept`
    /// for a parameter that has another value.
    pub async fn log_to_run(&self, actor: &Actor, id: RunId, logged: Logged) -> Result<()> {
        logged.check().map_err(|reason| Fault::invalid(reason, Vec::new()))?;
        let log = &self.points;
        let known = log.0.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let problem = match known {
            Some(problem) => problem,
            None => {
                let problem = self.tracked_run(actor, id).await?.problem;
                let mut known = log.0.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= MOST_KNOWN {
                    known.clear();
                }
                known.entry(id).or_insert(problem).clone()
            }
        };
        self.authorise_on(actor, Action::LaunchRun, &problem, &format!("run/{id}")).await?;
        if logged.parameters.is_empty() && logged.tags.is_empty() {
            return log.add(&self.db, id, logged.points, self.now()).await;
        }
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&problem), &format!("run/{id}")).await?;
        let points: Vec<(RunId, &Point)> = logged.points.iter().map(|point| (id, point)).collect();
        run::add_points(&tx, &points).await.map_err(fault)?;
        run::add_entries(&tx, id, &logged).await.map_err(|error| match error {
            StorageError::Conflict(_) => Fault::conflict(
                "parameter_kept",
                "a parameter is written once, and one of these has another value already (or the run has more than it may); begin \
                 another run, or log it under another name",
            ),
            error => fault(error),
        })?;
        if !logged.tags.is_empty() {
            let tags: Vec<&str> = logged.tags.iter().map(|tag| tag.key.as_str()).collect();
            self.note(&tx, actor, Note::new("run.tag", format!("run/{id}")).details(json!({ "tags": tags }))).await?;
        }
        event::insert(&tx, "run", id.0, "logged", json!({})).await.map_err(fault)?;
        commit(tx).await
    }

    /// Takes a tag of a tracked run away.
    ///
    /// # Errors
    /// 404 when there is no such run or tag.
    pub async fn delete_run_tag(&self, actor: &Actor, id: RunId, key: &str) -> Result<()> {
        let found = self.tracked_run(actor, id).await?;
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&found.problem), &format!("run/{id}")).await?;
        run::delete_tag(&tx, id, key).await.map_err(|error| match error {
            StorageError::Conflict(_) => Fault::not_found("tag of this run"),
            error => fault(error),
        })?;
        self.note(&tx, actor, Note::new("run.untag", format!("run/{id}")).details(json!({ "tag": key }))).await?;
        event::insert(&tx, "run", id.0, "logged", json!({})).await.map_err(fault)?;
        commit(tx).await
    }

    /// Keeps a file with a tracked run, in place of the one of that name.
    ///
    /// # Errors
    /// 400 for a name that is none, 404 when there is no such run, 409 `not_tracked` for a run of the pipeline and `too_many_artifacts`.
    pub async fn keep_run_artifact(&self, actor: &Actor, id: RunId, name: &str, content: Bytes) -> Result<()> {
        check_name("artifact", name).map_err(|reason| Fault::field("/name", reason))?;
        let found = self.tracked_run(actor, id).await?;
        let object = format!("run/{id}");
        let bytes = content.len() as u64;
        let digest = self.artifacts.put(content).await.map_err(fault)?;
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&found.problem), &object).await?;
        artifact::register(&tx, &digest, bytes, "application/octet-stream", self.now()).await.map_err(fault)?;
        run::set_artifact(&tx, id, name, &digest).await.map_err(fault)?;
        if run::artifacts(&tx, id).await.map_err(fault)?.len() > MOST_KEPT {
            return Err(Fault::conflict("too_many_artifacts", format!("a run keeps at most {MOST_KEPT} files")));
        }
        let details = json!({ "name": name, "bytes": bytes });
        self.note(&tx, actor, Note::new("run.artifact", object).digest(digest).details(details)).await?;
        event::insert(&tx, "run", id.0, "logged", json!({})).await.map_err(fault)?;
        commit(tx).await
    }

    /// What a run kept.
    ///
    /// # Errors
    /// 404 when there is no such run.
    pub async fn run_artifacts(&self, actor: &Actor, id: RunId) -> Result<Vec<ArtifactView>> {
        self.run_for(actor, Action::ReadWorkspace, id).await?;
        let kept = run::artifacts(self.db.pool(), id).await.map_err(fault)?;
        Ok(kept.into_iter().map(present::artifact).collect())
    }

    /// The run as it is stored, for a door that tells it in its own words.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn stored_run(&self, actor: &Actor, id: RunId) -> Result<Run> {
        self.run_for(actor, Action::ReadWorkspace, id).await
    }

    /// The course of a metric, by step, from a place on; of a run of the pipeline its rounds, else its final value.
    ///
    /// # Errors
    /// 404 when there is no such run.
    pub async fn run_history(&self, actor: &Actor, id: RunId, name: &str, skip: u32, most: u32) -> Result<Vec<Point>> {
        let found = self.run_for(actor, Action::ReadWorkspace, id).await?;
        if found.tracked.is_some() {
            return run::history(self.db.pool(), id, name, skip, most).await.map_err(fault);
        }
        let at = found.finished_at.unwrap_or(found.created_at);
        let metrics = run::metrics(self.db.pool(), id).await.map_err(fault)?;
        let own = metrics.into_iter().filter(|metric| metric.name == name);
        let point =
            |metric: run::MetricValue| Point { name: metric.name, value: metric.value, step: metric.step.into(), at };
        Ok(own.map(point).skip(skip as usize).take(most as usize).collect())
    }

    /// The newest value of each metric of those of these runs that have any; the caller was shown them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_points(&self, runs: &[RunId]) -> Result<Vec<Newest>> {
        run::newest_points(self.db.pool(), runs).await.map_err(fault)
    }

    async fn tracked_run(&self, actor: &Actor, id: RunId) -> Result<Run> {
        let found = self.run_for(actor, Action::LaunchRun, id).await?;
        if found.tracked.is_none() {
            return Err(Fault::conflict(
                "not_tracked",
                format!("run {id} is the pipeline's own: what it measured cannot be added to; begin a run to log to"),
            ));
        }
        Ok(found)
    }
}

fn checked_name(name: &str) -> Result<()> {
    if name.chars().count() > MOST_NAME || name.contains('\0') {
        return Err(Fault::field("/name", format!("must have at most {MOST_NAME} characters and no NUL")));
    }
    Ok(())
}

/// What clients that log tell of their code in tags, by the names that the pipeline has for it.
fn provenance(tags: &[Entry]) -> Value {
    let of = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str());
    json!({
        "git_sha": of("mlflow.source.git.commit"),
        "source": of("mlflow.source.name"),
        "logged_by": of("mlflow.user"),
    })
}
