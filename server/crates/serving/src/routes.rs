//! The routing table.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use millrace_domain::fault::Fault;
use millrace_domain::ids::{DatasetId, ModelVersionId, ProblemId};
use millrace_domain::monitor::Reference;
use millrace_domain::problem::{Data, Fallback, ProblemState};
use millrace_domain::run::RolloutStage;
use millrace_ml::model::Model;
use millrace_storage::deployment::{self, Deployment, Staged};
use millrace_storage::model::ModelVersion;
use millrace_storage::{StorageError, dataset, model, monitor, problem, rollout, run, server_route};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Serving;
use crate::counters::Counters;
use crate::lane::Lane;
use crate::online::{self, Online, OnlineError};
use crate::threads::Pool;
use crate::trial::Trial;

/// A model that answers.
#[derive(Debug)]
pub(crate) struct Live {
    pub slug: String,
    pub version: ModelVersionId,
    pub number: i32,
    pub data: Data,
    /// The dataset it was trained on.
    dataset: DatasetId,
    pub model: Arc<Model>,
    /// What its answers are counted by; none of a version that was registered before there were references.
    pub counters: Option<Arc<Counters>>,
    /// Names of what it is sent.
    inputs: Arc<HashSet<String>>,
    /// Names that any signed document of its problem has for what is sent.
    names: Arc<HashSet<String>>,
    /// What requests are joined to; none when the model joins nothing.
    pub online: Option<Arc<Online>>,
    /// Microseconds of an answer: of the slowest of late, which counts for less with each one that is quicker.
    took: AtomicU64,
    /// Threads that answer requests of many instances.
    pub pool: Arc<Pool>,
}

/// What takes longer to answer is not waited for where other requests are.
const SLOW_MICROS: u64 = 2_000;

impl Live {
    pub(crate) fn took(&self, micros: u64) {
        let before = self.took.load(Ordering::Relaxed);
        self.took.store(micros.max(before - before.div_ceil(16)), Ordering::Relaxed);
    }

    /// Whether so many instances are expected to take long.
    pub(crate) fn is_slow(&self, instances: usize) -> bool {
        self.took.load(Ordering::Relaxed).saturating_mul(instances as u64) > SLOW_MICROS
    }

    pub(crate) fn is_input(&self, name: &str) -> bool {
        self.inputs.contains(name)
    }

    /// The names of its classes.
    pub(crate) fn classes(&self) -> Vec<&str> {
        self.model.classes().iter().map(AsRef::as_ref).collect()
    }
}

/// Who answers a problem's callers.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub generation: i64,
    pub champion: Arc<Live>,
    /// The rollout that is under way.
    pub trial: Option<Arc<Trial>>,
    /// The version that answered before the champion, so that a rollback waits for no load, once that is known; none that joins anything,
    /// whose state would have to be kept up to date.
    previous: OnceLock<Option<Arc<Live>>>,
    /// Names that callers may send, whichever of the versions that were here reads them: one that takes another's place by itself turns
    /// nobody away.
    pub known: Arc<HashSet<String>>,
    /// The same for every route on one rollout; what waits beside looks whether any is left.
    under_way: Arc<()>,
}

impl Route {
    /// The models of it.
    fn models(&self) -> impl Iterator<Item = &Arc<Live>> {
        self.asked().chain(self.previous.get().into_iter().flatten())
    }

    /// Those of them that are asked.
    fn asked(&self) -> impl Iterator<Item = &Arc<Live>> {
        std::iter::once(&self.champion).chain(self.trial.iter().map(|trial| trial.other()))
    }

    /// What answered before, once this champion answers.
    fn before(&self, champion: &Arc<Live>) -> OnceLock<Option<Arc<Live>>> {
        if self.champion.version == champion.version {
            return self.previous.clone();
        }
        OnceLock::from(Some(Arc::clone(&self.champion)).filter(|live| live.online.is_none()))
    }
}

/// Names that callers may send to these models, and those they might send before.
fn known_names<'l>(models: impl Iterator<Item = &'l Arc<Live>>, before: Option<&Route>) -> Arc<HashSet<String>> {
    let mut known = before.map(|route| HashSet::clone(&route.known)).unwrap_or_default();
    models.for_each(|live| known.extend(live.inputs.iter().chain(live.names.iter()).cloned()));
    Arc::new(known)
}

type Table = HashMap<String, Arc<Route>>;

/// What callers get while a model is switched off, by problem.
type Fallbacks = HashMap<String, Arc<Fallback>>;

/// What was signed. Should another version of the program have kept rules that this one cannot read, their constant answers.
fn read(slug: &str, signed: &Value) -> Fallback {
    serde_json::from_value(signed.clone()).unwrap_or_else(|error| {
        tracing::error!(slug, %error, "the rules of a fallback cannot be read; its constant answers all");
        Fallback { rules: Vec::new(), otherwise: serde_json::from_value(signed.clone()).unwrap_or_default() }
    })
}

/// The present table; readers take it whole and never wait for a load.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    table: RwLock<Arc<Table>>,
    fallbacks: RwLock<Arc<Fallbacks>>,
    complete: AtomicBool,
    /// Problems whose live model could not be loaded, and for which none answers.
    unreadable: RwLock<HashSet<String>>,
    /// Why the model that a problem wants could not be loaded when that was looked at last, so that it is told once.
    not_loaded: Mutex<HashMap<String, String>>,
    /// What the database was told last of what is in place here.
    told: Mutex<HashMap<ProblemId, i64>>,
    /// Requests that are being answered, by problem.
    turns: RwLock<HashMap<String, Arc<AtomicUsize>>>,
    /// Versions that were asked for lately although they are not live.
    pinned: tokio::sync::Mutex<VecDeque<Arc<Live>>>,
}

/// Versions that are kept in memory although they are not live.
const MOST_PINNED: usize = 4;

/// A request's place among those that are being answered; given back when it ends.
pub(crate) struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Routes {
    /// Who answers a problem's callers.
    pub(crate) fn find(&self, slug: &str) -> Option<Arc<Route>> {
        self.present().get(slug).cloned()
    }

    /// Every model that is asked.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.present().values().flat_map(|route| route.models().cloned().collect::<Vec<_>>()).collect()
    }

    /// Lets callers get the fallback of what is switched off, and the model's answers again once the version that is live is in place:
    /// what it was switched off for does not answer meanwhile.
    fn switch(&self, wanted: &[Deployment]) {
        let table = self.present();
        let mut present = self.fallbacks.write().unwrap_or_else(PoisonError::into_inner);
        let mut fallbacks = Fallbacks::clone(&present);
        for deployment in wanted {
            let in_place = table.get(&deployment.slug).map(|route| route.champion.version) == deployment.champion;
            match &deployment.fallback {
                Some(signed) => {
                    drop(fallbacks.insert(deployment.slug.clone(), Arc::new(read(&deployment.slug, signed))))
                }
                None if in_place => drop(fallbacks.remove(&deployment.slug)),
                None => {}
            }
        }
        *present = Arc::new(fallbacks);
    }

    /// A place among the requests of a problem that are answered at once; none when there is none left.
    pub(crate) fn turn(&self, slug: &str, most: usize) -> Option<Turn> {
        let known = self.turns.read().unwrap_or_else(PoisonError::into_inner).get(slug).cloned();
        let count = known.unwrap_or_else(|| {
            // Of what is not live nothing is kept: anybody can name anything.
            if !self.present().contains_key(slug) {
                return Arc::default();
            }
            let mut turns = self.turns.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(slug.to_owned()).or_default())
        });
        let turn = Turn(count);
        (turn.0.fetch_add(1, Ordering::AcqRel) < most).then_some(turn)
    }

    /// What a problem's callers get while its model is switched off.
    pub(crate) fn fallback(&self, slug: &str) -> Option<Arc<Fallback>> {
        self.fallbacks.read().unwrap_or_else(PoisonError::into_inner).get(slug).cloned()
    }

    /// Whether a model is live for a problem that could not be loaded here.
    pub(crate) fn is_unreadable(&self, slug: &str) -> bool {
        self.unreadable.read().unwrap_or_else(PoisonError::into_inner).contains(slug)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn present(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the table as a whole.
    fn change(&self, change: impl FnOnce(&mut Table)) {
        let mut present = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Table::clone(&present);
        change(&mut next);
        *present = Arc::new(next);
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the model cannot be read: {0}")]
    Model(#[from] millrace_ml::model::ModelError),
    #[error("the model's {0} is missing")]
    Missing(&'static str),
    #[error("what its answers are held against cannot be read: {0}")]
    Reference(String),
    #[error("what requests are joined to cannot be loaded: {0}")]
    Online(#[from] OnlineError),
    #[error("no thread could be started for it: {0}")]
    Thread(#[from] std::io::Error),
    #[error("reading it panicked")]
    Panicked,
}

impl LoadError {
    /// Whether it may go another way the next time, without anybody doing anything about the model.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Storage(error) => !matches!(error, StorageError::Corrupt { .. }),
            Self::Online(_) | Self::Thread(_) => true,
            Self::Model(_) | Self::Missing(_) | Self::Reference(_) | Self::Panicked => false,
        }
    }
}

impl Serving {
    /// Brings the table up to date and loads what is missing.
    pub(crate) async fn reload(&self) {
        if let Some(wanted) = self.place().await {
            self.load_missing(&wanted).await;
        }
    }

    /// Puts routes between models that are loaded already in place. It reads no model, so that a rollback waits for none. Gives what
    /// is wanted; none when that could not be looked up.
    async fn place(&self) -> Option<Vec<Deployment>> {
        let wanted = deployment::list(self.db.pool()).await;
        let wanted = wanted
            .inspect_err(|error| tracing::warn!(%error, "routes could not be looked up; the present ones stay"))
            .ok()?;
        self.put_in_place(&wanted).await;
        Some(wanted)
    }

    /// The same of what was looked up already.
    async fn put_in_place(&self, wanted: &[Deployment]) {
        self.routes.change(|table| {
            let known = std::mem::take(table);
            for deployment in wanted.iter().filter(|deployment| deployment.champion.is_some()) {
                if let Some(route) = known.get(&deployment.slug) {
                    let at_once = Self::at_once(deployment, route).unwrap_or_else(|| Arc::clone(route));
                    table.insert(deployment.slug.clone(), at_once);
                }
            }
        });
        self.routes.switch(wanted);
        self.tell(wanted, true).await;
    }

    /// Loads the models that routes need and that are not there. What cannot be loaded keeps its last good model, and others from nothing.
    async fn load_missing(&self, wanted: &[Deployment]) {
        let mut complete = true;
        let (mut unreadable, mut why) = (HashSet::new(), HashMap::new());
        for deployment in wanted {
            let known = self.routes.find(&deployment.slug);
            match self.route(deployment, known.as_ref()).await {
                Ok(Some(route)) if known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &route)) => {
                    self.put(deployment, route).await;
                }
                Ok(_) => {}
                Err(error) => {
                    complete &= !error.may_pass();
                    let slug = &deployment.slug;
                    if known.is_none() {
                        unreadable.insert(slug.clone());
                    }
                    why.insert(slug.clone(), error.to_string());
                }
            }
        }
        self.tell_not_loaded(why);
        // Where nothing at all can be loaded, the reason is this server's.
        complete &= unreadable.is_empty() || !self.routes.present().is_empty();
        *self.routes.unreadable.write().unwrap_or_else(PoisonError::into_inner) = unreadable;
        self.routes.complete.store(complete, Ordering::Release);
        self.tell(wanted, false).await;
    }

    /// Loads the version that a rollback would bring back, where it is not known which answered before, as after a restart.
    async fn look_back(&self, deployment: &Deployment) {
        let Some(route) = self.routes.find(&deployment.slug) else { return };
        if route.previous.get().is_some() || route.trial.is_some() {
            return;
        }
        let previous = async {
            let moves = deployment::moves(self.db.pool(), deployment.problem).await?;
            let Some(version) = deployment::rollback_target(&moves, route.champion.version) else { return Ok(None) };
            self.read(&deployment.slug, version).await.map(Some)
        };
        let previous = match previous.await {
            Err(error) if LoadError::may_pass(&error) => return,
            Err(error) => {
                tracing::warn!(slug = deployment.slug, %error, "the version before the live one cannot be loaded");
                None
            }
            Ok(previous) => previous,
        };
        // Who came first knows as well.
        let _ = route.previous.set(previous.filter(|live| live.model.joins().is_empty()).map(Arc::new));
    }

    /// Tells which live models could not be loaded, each as long as it is for the same reason once.
    fn tell_not_loaded(&self, why: HashMap<String, String>) {
        let mut told = self.routes.not_loaded.lock().unwrap_or_else(PoisonError::into_inner);
        for (slug, error) in why.iter().filter(|(slug, error)| told.get(*slug) != Some(error)) {
            tracing::error!(slug, error, "the live model could not be loaded; the last good one stays");
        }
        *told = why;
    }

    /// Puts a route in place that took time to make, unless something else is wanted by now.
    async fn put(&self, deployment: &Deployment, route: Arc<Route>) {
        let now = deployment::find(self.db.pool(), &deployment.slug).await;
        if !now.is_ok_and(|now| now.is_some_and(|now| now.generation == deployment.generation)) {
            return;
        }
        let mut is_newest = false;
        self.routes.change(|table| {
            is_newest = table.get(&deployment.slug).is_none_or(|present| present.generation <= route.generation);
            if is_newest {
                table.insert(deployment.slug.clone(), route);
            }
        });
        if is_newest {
            self.routes.switch(std::slice::from_ref(deployment));
        }
    }

    /// Tells which generations callers of this server are answered by now, where that has changed, and otherwise when asked to that
    /// this server is there.
    async fn tell(&self, wanted: &[Deployment], is_there: bool) {
        let present = self.routes.present();
        let in_place = |deployment: &Deployment| match present.get(&deployment.slug) {
            Some(route) => deployment.champion.is_some() && route.generation == deployment.generation,
            None => deployment.champion.is_none(),
        };
        let told = self.routes.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let placed: Vec<(ProblemId, i64)> = wanted
            .iter()
            .filter(|one| told.get(&one.problem) != Some(&one.generation) && in_place(one))
            .map(|one| (one.problem, one.generation))
            .collect();
        if placed.is_empty() && !is_there {
            return;
        }
        match server_route::report(self.db.pool(), &self.name, &placed).await {
            Ok(()) => self.routes.told.lock().unwrap_or_else(PoisonError::into_inner).extend(placed),
            Err(error) => tracing::warn!(%error, "it could not be told what is in place here"),
        }
    }

    /// A version of a model, whether it is live or not, joined to what is newest. One is loaded at a time.
    ///
    /// # Errors
    /// 404 when there is none; 409 when it is archived or cannot be read.
    pub(crate) async fn pinned(&self, slug: &str, number: i32) -> Result<Arc<Live>, Fault> {
        let routed = self.routes.find(slug);
        if let Some(live) = routed.iter().flat_map(|route| route.asked()).find(|live| live.number == number) {
            return Ok(Arc::clone(live));
        }
        let mut kept = self.routes.pinned.lock().await;
        let unavailable = |error: StorageError| Fault::new(503, "database_unavailable", "Try again", error.to_string());
        let version = model::find_numbered(self.db.pool(), slug, number).await.map_err(unavailable)?;
        let version = version.ok_or_else(|| Fault::not_found("model version"))?;
        if version.archived_at.is_some() {
            return Err(Fault::conflict("archived", format!("version {number} is archived; bring it back to ask it")));
        }
        let known = kept.iter().position(|live| live.version == version.id).and_then(|place| kept.remove(place));
        let loaded = match known {
            Some(live) => self.refreshed(&live).await,
            None => self.load(slug, version.id).await.map(Arc::new),
        };
        let live = loaded.map_err(|error| {
            Fault::conflict("cannot_be_loaded", format!("version {number} of {slug} cannot be loaded: {error}"))
        })?;
        // Only versions that are asked by everybody are kept up to date all the time.
        if let Some(online) = &live.online {
            online.catch_up(self, &live.model).await.map_err(unavailable)?;
        }
        kept.truncate(MOST_PINNED - 1);
        kept.push_front(Arc::clone(&live));
        Ok(live)
    }

    /// The route that a deployment asks for, if that needs nothing but the models of the present one: the champion alone.
    fn at_once(deployment: &Deployment, present: &Route) -> Option<Arc<Route>> {
        if deployment.generation == present.generation || deployment.rollout.is_some() {
            return None;
        }
        let champion = present.models().find(|live| Some(live.version) == deployment.champion)?;
        let (generation, champion) = (deployment.generation, Arc::clone(champion));
        let (previous, known) = (present.before(&champion), Arc::clone(&present.known));
        Some(Arc::new(Route { generation, champion, trial: None, previous, known, under_way: Arc::default() }))
    }

    /// The route that a deployment asks for, made of what is loaded where that is still wanted. None when nothing is live.
    async fn route(
        &self,
        deployment: &Deployment,
        known: Option<&Arc<Route>>,
    ) -> Result<Option<Arc<Route>>, LoadError> {
        let Some(champion) = deployment.champion else { return Ok(None) };
        let loaded: Vec<Arc<Live>> = known.iter().flat_map(|route| route.models()).cloned().collect();
        let champion = self.model(deployment, champion, &loaded).await?;
        let of = |route: &&Arc<Route>| route.trial.as_ref().map(|trial| trial.rollout);
        let same = known.filter(|route| of(route).is_some() && of(route) == deployment.rollout.map(|staged| staged.id));
        let under_way = same.map_or_else(Arc::default, |route| Arc::clone(&route.under_way));
        let trial = match deployment.rollout {
            None => None,
            // What is not trusted yet must not keep a champion from answering.
            Some(staged) => self.trial(deployment, staged, &champion, (same, &under_way), &loaded).await.unwrap_or_else(|error| {
                tracing::error!(slug = deployment.slug, %error, "the candidate could not be loaded; the champion answers");
                None
            }),
        };
        let is_same = |route: &&Arc<Route>| {
            let others = [&route.trial, &trial].map(|trial| trial.as_ref().map(|trial| Arc::as_ptr(trial.other())));
            route.generation == deployment.generation
                && Arc::ptr_eq(&route.champion, &champion)
                && others[0] == others[1]
        };
        if let Some(route) = known.filter(is_same) {
            return Ok(Some(Arc::clone(route)));
        }
        let (slug, generation) = (&deployment.slug, deployment.generation);
        let stage = trial.as_ref().map(|trial| trial.stage.as_str());
        tracing::info!(slug, generation, version = champion.number, stage, "route replaced");
        let previous = known.map_or_else(OnceLock::new, |known| known.before(&champion));
        let models = std::iter::once(&champion).chain(trial.iter().map(|trial| trial.other()));
        let known = known_names(models, known.map(AsRef::as_ref));
        Ok(Some(Arc::new(Route { generation, champion, trial, previous, known, under_way })))
    }

    async fn trial(
        &self,
        deployment: &Deployment,
        staged: Staged,
        champion: &Arc<Live>,
        (same, under_way): (Option<&Arc<Route>>, &Arc<()>),
        loaded: &[Arc<Live>],
    ) -> Result<Option<Arc<Trial>>, LoadError> {
        let rollout = rollout::find(self.db.pool(), staged.id).await?.ok_or(LoadError::Missing("rollout"))?;
        let (candidate, control) = if staged.stage == RolloutStage::Watch {
            (Arc::clone(champion), self.model(deployment, rollout.champion, loaded).await?)
        } else {
            (self.model(deployment, rollout.candidate, loaded).await?, Arc::clone(champion))
        };
        let (answers, beside) = match same.and_then(|route| route.trial.as_ref()) {
            Some(trial) => (trial.answers.clone(), trial.beside.clone()),
            None => (Lane::start("candidate")?, Lane::start("beside")?),
        };
        Ok(Some(Arc::new(Trial {
            rollout: staged.id,
            step: staged.step,
            stage: staged.stage,
            percent: staged.percent,
            candidate,
            control,
            slow: Duration::from_secs_f64(rollout.plan.slow_ms / 1e3),
            loss: rollout.plan.loss,
            trouble: self.trouble.filter(|_| staged.stage != RolloutStage::Watch),
            answers,
            beside,
            under_way: Arc::downgrade(under_way),
        })))
    }

    /// A version's model, joined to what is newest: the one that is loaded, or read anew.
    async fn model(
        &self,
        deployment: &Deployment,
        version: ModelVersionId,
        loaded: &[Arc<Live>],
    ) -> Result<Arc<Live>, LoadError> {
        let Some(live) = loaded.iter().find(|live| live.version == version) else {
            return Ok(Arc::new(self.load(&deployment.slug, version).await?));
        };
        Ok(self.refreshed(live).await.unwrap_or_else(|error| {
            tracing::warn!(slug = live.slug, %error, "newer loads could not be read; the present ones stay");
            Arc::clone(live)
        }))
    }

    async fn load(&self, slug: &str, version: ModelVersionId) -> Result<Live, LoadError> {
        let mut live = self.read(slug, version).await?;
        live.online = self.online_of(&live).await?;
        Ok(live)
    }

    /// A version's model, joined to nothing yet.
    pub(crate) async fn read(&self, slug: &str, version: ModelVersionId) -> Result<Live, LoadError> {
        let pool = self.db.pool();
        let version = model::find(pool, version).await?.ok_or(LoadError::Missing("version"))?;
        let run = run::find(pool, version.run).await?.ok_or(LoadError::Missing("run"))?;
        let problem = problem::find_version(pool, run.problem_version).await?.ok_or(LoadError::Missing("document"))?;
        let trained_on = dataset::of_run(pool, &run).await?;
        let dataset = trained_on.ok_or(LoadError::Missing("dataset"))?.dataset;
        let content = self.artifacts.get(&version.artifact).await?;
        // A large one takes its time, and none takes a thread with it that answers others.
        let model = tokio::task::spawn_blocking(move || Model::from_bytes(&content)).await;
        let model = Arc::new(model.map_err(|_| LoadError::Panicked)??);
        let documents = match problem::versions(pool, slug).await {
            Err(StorageError::Corrupt { what, reason }) => {
                tracing::warn!(slug, what, reason, "what other versions read could not be looked up");
                Vec::new()
            }
            documents => documents?,
        };
        let signed =
            documents.iter().filter(|one| matches!(one.state, ProblemState::Approved | ProblemState::Superseded));
        let names = signed.flat_map(|signed| signed.document.sent_names()).map(str::to_owned).collect();
        let mut live = Live {
            slug: slug.to_owned(),
            version: version.id,
            number: version.number,
            data: problem.document.data.clone(),
            dataset,
            inputs: Arc::new(model.inputs().iter().map(|input| input.column.name.clone()).collect()),
            names: Arc::new(names),
            model,
            counters: None,
            online: None,
            took: AtomicU64::new(0),
            pool: Arc::default(),
        };
        live.counters = self.counters(&version, problem.document.monitoring.window.seconds()).await?;
        Ok(live)
    }

    /// The counters of a version, for windows as long as the document signed last has them.
    async fn counters(&self, version: &ModelVersion, window: u64) -> Result<Option<Arc<Counters>>, LoadError> {
        let pool = self.db.pool();
        let Some(digest) = monitor::reference(pool, version.id).await? else { return Ok(None) };
        let signed = problem::approved(pool, &version.slug).await?;
        let window = signed.map_or(window, |signed| signed.document.monitoring.window.seconds());
        let reference: Reference = serde_json::from_slice(&self.artifacts.get(&digest).await?)
            .map_err(|error| LoadError::Reference(error.to_string()))?;
        Ok(Some(self.book.counters(version.id, reference, window)))
    }

    /// What requests of a model are joined to: the present state if no newer versions were loaded.
    async fn online_of(&self, live: &Live) -> Result<Option<Arc<Online>>, LoadError> {
        if live.model.joins().is_empty() {
            return Ok(None);
        }
        let (loads, versions) = online::wanted(&self.db, &live.model, &live.slug, live.dataset).await?;
        if let Some(present) = live.online.as_ref().filter(|present| present.loads == loads) {
            return Ok(Some(Arc::clone(present)));
        }
        let problem = problem::find_id(self.db.pool(), &live.slug).await?.ok_or(LoadError::Missing("problem"))?;
        Ok(Some(Arc::new(Online::load(self, &live.model, problem, loads, &versions).await?)))
    }

    /// The same model, joined to what is newest.
    async fn refreshed(&self, live: &Arc<Live>) -> Result<Arc<Live>, LoadError> {
        let online = self.online_of(live).await?;
        if online.as_ref().map(Arc::as_ptr) == live.online.as_ref().map(Arc::as_ptr) {
            return Ok(Arc::clone(live));
        }
        tracing::info!(slug = live.slug, version = live.number, "requests are joined to newer loads");
        Ok(Arc::new(Live {
            slug: live.slug.clone(),
            version: live.version,
            number: live.number,
            data: live.data.clone(),
            dataset: live.dataset,
            model: Arc::clone(&live.model),
            counters: live.counters.clone(),
            inputs: Arc::clone(&live.inputs),
            names: Arc::clone(&live.names),
            online,
            took: AtomicU64::new(live.took.load(Ordering::Relaxed)),
            pool: Arc::clone(&live.pool),
        }))
    }
}

/// What is wanted, as of when no more than so many changes had been made.
#[derive(Default)]
struct Wanted {
    deployments: Arc<Vec<Deployment>>,
    changes: Option<i64>,
}

impl Wanted {
    /// Looks what is wanted, and puts in place what can be at once. As long as nothing has changed, nothing is read anew.
    async fn look(&mut self, serving: &Serving) -> bool {
        let changes = deployment::changes(serving.db.pool()).await;
        let changes =
            changes.inspect_err(|error| tracing::warn!(%error, "routes could not be looked up; the present ones stay"));
        let Ok(changes) = changes else { return false };
        if self.changes == Some(changes) {
            // A route that was loaded for what was wanted before may have come in between.
            serving.put_in_place(&self.deployments).await;
            return true;
        }
        let Some(deployments) = serving.place().await else { return false };
        *self = Self { deployments: Arc::new(deployments), changes: Some(changes) };
        true
    }
}

/// Loads what routes need, whenever it was looked what is wanted: one after the other, beside what is put in place meanwhile.
async fn load(serving: Serving, mut wanted: watch::Receiver<Arc<Vec<Deployment>>>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            looked = wanted.changed() => if looked.is_err() { return },
            () = shutdown.cancelled() => return,
        }
        let wanted = Arc::clone(&wanted.borrow_and_update());
        serving.load_missing(&wanted).await;
        for deployment in wanted.iter() {
            serving.look_back(deployment).await;
        }
    }
}

/// Follows announcements, and looks every second whether one was missed.
pub(crate) async fn follow(serving: Serving, shutdown: CancellationToken) {
    const LOOK: Duration = Duration::from_secs(1);
    if let Err(error) = server_route::forget(serving.db.pool()).await {
        tracing::warn!(%error, "servers that are gone could not be forgotten");
    }
    let (told, heard) = watch::channel(Arc::default());
    tokio::spawn(load(serving.clone(), heard, shutdown.clone()));
    let mut wanted = Wanted::default();
    let mut look = async || {
        if wanted.look(&serving).await {
            told.send_replace(Arc::clone(&wanted.deployments));
        }
    };
    while !shutdown.is_cancelled() {
        let mut announcements = match serving.db.listen(&["millrace_routing"]).await {
            Ok(announcements) => announcements,
            Err(error) => {
                tracing::warn!(%error, "cannot listen for routing changes; polling");
                tokio::time::sleep(LOOK).await;
                look().await;
                continue;
            }
        };
        look().await;
        loop {
            let lost = tokio::select! {
                heard = announcements.next() => heard.is_err(),
                () = tokio::time::sleep(LOOK) => false,
                () = shutdown.cancelled() => break,
            };
            look().await;
            if lost {
                break;
            }
        }
    }
    if let Err(error) = server_route::leave(serving.db.pool(), &serving.name).await {
        tracing::warn!(%error, "it could not be told that this server stops");
    }
}
