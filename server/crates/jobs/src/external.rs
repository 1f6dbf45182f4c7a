//! External trainers: a declared program, run in a directory of its own with limits on time, processor time and memory.
//!
//! The program and all it starts are one process group, which ends with the step, with the worker, or when it takes too long: a shell
//! that waits on a pipe from the worker kills the group as soon as that pipe closes, for whatever reason.

use std::convert::Infallible;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_domain::trainer::{Program, ProgramInputs, ProgramName, Setting, Settings, TrainerConfig};
use millrace_executor::{Context, Reporter, StepError, resident_bytes};
use millrace_ml::model::MOST_BYTES;
use millrace_ml::split::{Part, Split};
use millrace_ml::train::{Assignment, ExternalError, Fitted, ModelFile, Progress};
use millrace_services::ExternalTrainers;
use millrace_storage::step::Failure;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::apart::{MOST_CPU, Silent};
use crate::gate::attempted;
use crate::load::{Launched, Prepared};
use crate::trial::trained;

/// What is kept of all that a program writes: its end.
const MOST_LOG: usize = 256 << 10;
/// Lines of it that are shown while it runs, and characters of it that are told when it fails.
const SHOWN_LINES: usize = 12;
const TOLD_CHARS: usize = 1_500;
/// Longest file of metrics, most metrics, and most points of all of them.
const MOST_METRIC_BYTES: u64 = 1 << 20;
const MOST_METRICS: usize = 200;
const MOST_POINTS: usize = 10_000;
/// How long its last words are waited for once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often it is looked how much memory it holds and what processor time it has used.
const LOOK: Duration = Duration::from_millis(250);
/// The code of a program that had not come to an end in time.
pub(crate) const TOO_SLOW: &str = "program_too_slow";
/// Ticks of processor time in a second, as `/proc` counts them.
const TICKS: u64 = 100;
/// How often, and how many times, it is tried to remove what processes that are about to end still write into.
const AGAIN: (Duration, usize) = (Duration::from_millis(100), 100);
/// Where programs are looked for when the declaration does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Sets the limits ("-" is none), leaves a watcher that ends the group when standard input closes, runs the program, and writes what
/// processor time its children took.
const SHELL: &str = r#"
exec 3<&0 </dev/null
[ "$1" = - ] || ulimit -v "$1" || exit 125
[ "$2" = - ] || { ulimit -S -t "$2" && ulimit -H -t $(($2 + 1)); } || exit 125
times=$3
shift 3
{ read -r end; kill -KILL 0; } <&3 >/dev/null 2>&1 &
exec 3<&-
"$@" &
wait $!
code=$?
times >"$times"
exit $code
"#;

/// What lets external trainers run.
pub(crate) struct Runner {
    pub trainers: ExternalTrainers,
    /// This program, which reads what they left in a process of its own first (`weigh`).
    pub program: Arc<Path>,
}

/// What a model may take to be read and to answer, in MiB, where the declaration of its trainer says nothing.
const USUAL_MEMORY: u32 = 4_096;

/// How often it is tried to read a model apart, and the time between, before it counts as one that cannot be read.
const ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(2);

/// What an external trainer left.
pub(crate) struct Left {
    pub fitted: Fitted,
    pub log: Vec<u8>,
    /// The metrics that it reported, point by point.
    pub reported: Vec<(String, Vec<f64>)>,
}

/// Why there is no model.
pub(crate) enum NoModel {
    /// The program was run, and this is what it came to.
    Program(Failure),
    /// It was told to end, and why.
    Ended(String),
    /// Anything else.
    Step(StepError),
}

impl<E: Into<StepError>> From<E> for NoModel {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

impl NoModel {
    fn program(code: &str, message: impl Into<String>) -> Self {
        Self::Program(Failure { code: code.to_owned(), message: message.into() })
    }
}

/// What a program is to fit.
pub(crate) struct Order {
    pub prepared: Arc<Prepared>,
    pub config: TrainerConfig,
    /// The share of the training rows that it sees.
    pub share: f64,
    /// Whether what it uses of the processor is reported while it runs.
    pub tells_cost: bool,
}

/// Lets the program that a configuration names fit a model. As soon as `end` says why, the program is ended.
pub(crate) async fn fit(
    context: &Context,
    runner: &Runner,
    launched: &Launched,
    order: Order,
    end: impl Future<Output = String>,
) -> Result<Left, NoModel> {
    let order = Arc::new(order);
    let config = &order.config;
    let name = config.program().ok_or_else(|| StepError::refused("internal", "no external trainer is named"))?;
    let program = runner.trainers.programs.find(name).map_err(|reason| {
        StepError::refused("unknown_trainer", format!("the external trainer {reason}; this worker has other settings"))
    })?;
    // What it was launched with is complete; a declaration that changed since is held against it.
    let settings = program.settings(config.settings()).map_err(|mistakes| {
        crate::load::mistaken("invalid_request", "parameters of the external trainer", &mistakes)
    })?;
    let directory = Scratch::make(&runner.trainers.scratch, context)?;
    assign(context, program, Arc::clone(&order), launched, &settings, directory.path()).await?;
    let log = Log { tells_cost: order.tells_cost, ..Log::new(context.reporter()) };
    let written = tokio::select! {
        written = run(context, name, program, &settings, launched.seed(), &directory, &log) => written?,
        why = end => return Err(NoModel::Ended(why)),
    };
    let (file, content) = model_file(directory.path(), name, &written)?;
    let reported = reported(directory.path())?;
    let (inputs, seed) = (program.inputs, launched.seed());
    let (most, program) = (program.memory_mb.unwrap_or(USUAL_MEMORY), Arc::clone(&runner.program));
    let fitted = context
        .compute(move |reporter| {
            let split = order.split(seed);
            let assignment = order.assignment(&split, inputs, seed)?;
            for attempt in 1..=ATTEMPTS {
                match attempted(&content, assignment.attempt(file), most, &program, reporter) {
                    Ok(()) => break,
                    Err(Silent::Stopped) => return Err(StepError::Cancelled),
                    // What the training took need not be spent again.
                    Err(Silent::Passing(_)) if attempt < ATTEMPTS => std::thread::sleep(BETWEEN_ATTEMPTS),
                    Err(Silent::Model(why) | Silent::Passing(why)) => return Ok(Err(refused(file, most, &why))),
                }
            }
            match assignment.fitted(file, content, &Checked { reporter, log: &log }) {
                Err(ExternalError::Cancelled) => Err(StepError::Cancelled),
                fitted => Ok(fitted.map_err(|error| error.to_string())),
            }
        })
        .await?
        .map_err(|reason| NoModel::program("model_refused", reason))?;
    Ok(Left { fitted, log: written, reported })
}

fn refused(file: ModelFile, most: u32, why: &str) -> String {
    format!(
        "{} was not read: a process that may take {most} MiB and {} s for it did not come to its end with it ({why}). What a model may \
         take to be read and to answer is `memory_mb` of its trainer's declaration, {USUAL_MEMORY} without",
        file.name(),
        MOST_CPU.as_secs()
    )
}

/// Reports the rows that a model was asked, and goes on telling what its program used.
struct Checked<'a> {
    reporter: &'a Reporter,
    log: &'a Log,
}

impl Progress for Checked<'_> {
    fn report(&self, done: u64, of: u64, _: Option<f64>) {
        let text = format!("row {done} of {of}");
        self.reporter.report(json!({ "done": done, "total": of, "text": text, "cpu_s": self.log.cpu_s() }));
    }

    fn is_cancelled(&self) -> bool {
        self.reporter.should_stop()
    }
}

impl Order {
    fn split(&self, seed: u64) -> Split {
        self.prepared.split.with_training_share(self.share, &self.prepared.labels, seed)
    }

    fn assignment<'a>(
        &'a self,
        split: &'a Split,
        inputs: ProgramInputs,
        seed: u64,
    ) -> Result<Assignment<'a>, StepError> {
        let Prepared { table, labels, plan, .. } = &*self.prepared;
        Assignment::new(table, labels, split, plan.kind(), inputs, &self.config, seed).map_err(trained)
    }
}

/// Writes what the program is given into its directory.
async fn assign(
    context: &Context,
    program: &Program,
    order: Arc<Order>,
    launched: &Launched,
    settings: &Settings,
    directory: &Path,
) -> Result<(), StepError> {
    let (inputs, settings) = (program.inputs, settings.clone());
    let (seed, metric, directory) = (launched.seed(), launched.problem.document.success.metric, directory.to_owned());
    context
        .compute(move |reporter| {
            reporter.report(json!({ "text": "preparing what the program is given" }));
            let split = order.split(seed);
            let assignment = order.assignment(&split, inputs, seed)?;
            let unwritten = |error: &dyn std::fmt::Display| {
                StepError::refused("internal", format!("what the program is given cannot be written: {error}"))
            };
            for (name, part) in [("train.parquet", Part::Train), ("validation.parquet", Part::Validation)] {
                let content = assignment.part(part).map_err(|error| unwritten(&error))?;
                write(&directory.join(name), &content)?;
            }
            let mut task = assignment.description();
            task["seed"] = json!(seed);
            task["parameters"] = json!(settings);
            task["metric"] = json!(metric);
            task["train"] = json!("train.parquet");
            task["validation"] = json!("validation.parquet");
            let text = serde_json::to_vec_pretty(&task).map_err(|error| unwritten(&error))?;
            write(&directory.join("task.json"), &text)
        })
        .await
}

/// Runs the program and gives what it wrote.
async fn run(
    context: &Context,
    name: &ProgramName,
    program: &Program,
    settings: &Settings,
    seed: u64,
    scratch: &Scratch,
    log: &Log,
) -> Result<Vec<u8>, NoModel> {
    let directory = scratch.path();
    let limit = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", SHELL, "millrace"])
        .arg(limit(program.memory_mb.map(|mib| u64::from(mib) << 10)))
        .arg(limit(program.cpu_seconds.map(u64::from)))
        .arg(scratch.times())
        .args(program.command.iter().map(|argument| filled_in(argument, directory, seed, settings)))
        .env_clear()
        .envs([("PATH", PATH), ("LANG", "C.UTF-8")])
        .env("HOME", directory)
        .envs(&program.environment)
        .current_dir(directory)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        StepError::Passing(Failure {
            code: "not_started".to_owned(),
            message: format!("/bin/sh cannot be started: {error}"),
        })
    })?;
    let child_id = child.id().unwrap_or_default();
    // As long as this is held the group lives.
    let alive = child.stdin.take();
    let listening = tokio::spawn(futures::future::join(
        listen(child.stdout.take(), log.clone()),
        listen(child.stderr.take(), log.clone()),
    ));
    let ended = tokio::select! {
        ended = child.wait() => Ok(ended),
        () = tokio::time::sleep(Duration::from_secs(program.seconds.into())) => Err(NoModel::program(
            TOO_SLOW,
            format!(
                "the external trainer {name} was ended: it had not come to an end in {} s (`seconds` of its declaration). Its last words:\n{}",
                program.seconds,
                log.told()
            ),
        )),
        never = watch(context, child_id, log) => match never {},
    };
    // Where the step is given up instead, all of this is dropped, and this with it.
    drop(alive);
    let status = match ended {
        Ok(status) => Ok(status),
        Err(error) => {
            let _ = tokio::time::timeout(LAST_WORDS, child.wait()).await;
            Err(error)
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS, listening).await;
    if let Some(time) = scratch.processor_time() {
        log.count(context, time);
    }
    let status =
        status?.map_err(|error| StepError::refused("internal", format!("its end was not heard of: {error}")))?;
    if status.success() {
        return Ok(log.whole());
    }
    let how = match status.code() {
        Some(125) => "its limits could not be set".to_owned(),
        Some(126) => "it could not be executed".to_owned(),
        Some(127) => "there is no such program".to_owned(),
        Some(code) if code > 128 => format!(
            "it was ended by signal {}{}",
            code - 128,
            match code - 128 {
                24 => ", which is its limit of processor time",
                6 | 9 | 11 => ", perhaps for want of memory",
                _ => "",
            }
        ),
        Some(code) => format!("it ended with {code}"),
        None => "it was killed".to_owned(),
    };
    Err(NoModel::program(
        "program_failed",
        format!("the external trainer {name} left no model: {how}. Its last words:\n{}", log.told()),
    ))
}

/// Keeps the most memory that a process and all that it started hold together, and what processor time they have used.
async fn watch(context: &Context, id: u32, log: &Log) -> Infallible {
    loop {
        let (bytes, ticks) = held(id);
        context.add_memory(bytes);
        if log.count(context, Duration::from_millis(ticks * 1_000 / TICKS)) && log.tells_cost {
            log.tell();
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The bytes of memory that a process and its children hold, and the ticks of processor time that they have used with those that ended.
fn held(id: u32) -> (u64, u64) {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children: Vec<u32> = threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|ids| ids.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
        .collect();
    let own = (resident_bytes(&id.to_string()).unwrap_or_default(), used_ticks(id).unwrap_or_default());
    children.into_iter().map(held).fold(own, |sum, child| (sum.0 + child.0, sum.1 + child.1))
}

/// The fields utime, stime, cutime and cstime of `/proc/<pid>/stat` (proc(5)), which come behind a name that may hold anything.
fn used_ticks(id: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

/// An argument with its places filled in. Hyperparameters are numbers and words that are declared beside the command, so nothing else
/// comes in.
fn filled_in(argument: &str, directory: &Path, seed: u64, settings: &Settings) -> String {
    let mut argument =
        argument.replace("{directory}", &directory.display().to_string()).replace("{seed}", &seed.to_string());
    for (name, setting) in settings {
        argument = argument.replace(
            &format!("{{{name}}}"),
            &match setting {
                Setting::Category(word) => word.clone(),
                number => json!(number).to_string(),
            },
        );
    }
    argument
}

/// The end of what a program writes.
#[derive(Clone)]
struct Log {
    kept: Arc<Mutex<(Vec<u8>, bool)>>,
    /// Microseconds of processor time that were counted.
    used: Arc<AtomicU64>,
    tells_cost: bool,
    reporter: Reporter,
}

impl Log {
    fn new(reporter: Reporter) -> Self {
        Self { kept: Arc::default(), used: Arc::default(), tells_cost: false, reporter }
    }

    fn cpu_s(&self) -> f64 {
        self.used.load(Ordering::Relaxed) as f64 / 1e6
    }

    fn add(&self, written: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.extend_from_slice(written);
        if kept.0.len() > 2 * MOST_LOG {
            let surplus = kept.0.len() - MOST_LOG;
            kept.0.drain(..surplus);
            kept.1 = true;
        }
        drop(kept);
        self.tell();
    }

    /// Counts the processor time of the whole program, as far as it was not counted before; whether there was any.
    fn count(&self, context: &Context, whole: Duration) -> bool {
        let whole = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        let before = self.used.fetch_max(whole, Ordering::Relaxed);
        context.add_processor_time(Duration::from_micros(whole.saturating_sub(before)));
        whole > before
    }

    /// Reports its last lines, and what the program has used.
    fn tell(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = kept.0.len().saturating_sub(4 << 10);
        let text = plain(&kept.0[from..]);
        drop(kept);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        let last: String = shown.last().copied().unwrap_or_default().chars().take(200).collect();
        self.reporter.report(json!({ "text": last, "log": shown, "cpu_s": self.cpu_s() }));
    }

    /// All that is kept of it, as text.
    fn whole(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, is_cut) = &*kept;
        let from = written.len().saturating_sub(MOST_LOG);
        let note = if *is_cut || from > 0 { "[what came before was not kept]\n" } else { "" };
        format!("{note}{}", plain(&written[from..])).into_bytes()
    }

    /// Its last words.
    fn told(&self) -> String {
        let text = String::from_utf8(self.whole()).unwrap_or_default();
        let text = text.trim_end();
        let from = text.char_indices().rev().nth(TOLD_CHARS).map_or(0, |(at, _)| at);
        if text.is_empty() { "(none)".to_owned() } else { text[from..].to_owned() }
    }
}

/// Text without what would move a terminal's cursor; a line that was written over is left as it was last.
fn plain(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written).replace("\r\n", "\n");
    let lines = text.split('\n').map(|line| line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default());
    let lines: Vec<String> =
        lines.map(|line| line.chars().filter(|own| !own.is_control() || *own == '\t').collect()).collect();
    lines.join("\n")
}

async fn listen(from: Option<impl tokio::io::AsyncRead + Unpin>, log: Log) {
    let Some(mut from) = from else { return };
    let mut piece = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut piece).await {
        if read == 0 {
            return;
        }
        log.add(&piece[..read]);
    }
}

/// The model that the program left.
fn model_file(directory: &Path, name: &ProgramName, log: &[u8]) -> Result<(ModelFile, Vec<u8>), NoModel> {
    for file in ModelFile::ALL {
        let path = directory.join(file.name());
        let Ok(found) = std::fs::metadata(&path) else { continue };
        // Stored as text, content takes a third more.
        let most = (MOST_BYTES / 2) as u64;
        if found.len() > most || !found.is_file() {
            let message = format!("{} is no file of at most {most} bytes", file.name());
            return Err(NoModel::program("model_refused", message));
        }
        return Ok((file, read(&path)?));
    }
    let names: Vec<&str> = ModelFile::ALL.into_iter().map(ModelFile::name).collect();
    Err(NoModel::program(
        "no_model",
        format!(
            "the external trainer {name} ended well and left no model: it must write one of {} into its directory. Its last words:\n{}",
            names.join(", "),
            String::from_utf8_lossy(&log[log.len().saturating_sub(TOLD_CHARS)..])
        ),
    ))
}

/// The metrics that the program reported: a number, or a list of them, by name.
fn reported(directory: &Path) -> Result<Vec<(String, Vec<f64>)>, NoModel> {
    let path = directory.join("metrics.json");
    let refused = |reason: String| NoModel::program("metrics_refused", format!("metrics.json {reason}"));
    match std::fs::metadata(&path) {
        Err(_) => return Ok(Vec::new()),
        // Reading what is none, such as a pipe, might not come to an end.
        Ok(found) if found.len() > MOST_METRIC_BYTES || !found.is_file() => {
            return Err(refused(format!("is no file of at most {MOST_METRIC_BYTES} bytes")));
        }
        Ok(_) => {}
    }
    let content: Value =
        serde_json::from_slice(&read(&path)?).map_err(|error| refused(format!("is no JSON: {error}")))?;
    let members = content.as_object().ok_or_else(|| refused("must be an object of numbers".to_owned()))?;
    if members.len() > MOST_METRICS {
        return Err(refused(format!("has more than {MOST_METRICS} metrics")));
    }
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= 80
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.-/".contains(letter))
    };
    let reported = members
        .iter()
        .map(|(name, value)| {
            if !fits(name) {
                return Err(refused(format!("{name:?} is no name of a metric: 1 to 80 letters, digits, _ . - /")));
            }
            let points: Option<Vec<f64>> = match value {
                Value::Array(points) => points.iter().map(Value::as_f64).collect(),
                value => value.as_f64().map(|point| vec![point]),
            };
            match points {
                Some(points) if !points.is_empty() => Ok((format!("external.{name}"), points)),
                _ => Err(refused(format!("/{name} must be a number, or a list of them"))),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    if reported.iter().map(|(_, points)| points.len()).sum::<usize>() > MOST_POINTS {
        return Err(refused(format!("has more than {MOST_POINTS} points; report every tenth, for example")));
    }
    Ok(reported)
}

fn read(path: &Path) -> Result<Vec<u8>, NoModel> {
    std::fs::read(path).map_err(|error| {
        NoModel::program("model_refused", format!("what the external trainer left cannot be read: {error}"))
    })
}

fn write(path: &Path, content: &[u8]) -> Result<(), StepError> {
    std::fs::write(path, content).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> StepError {
    let message = format!("{} cannot be written: {error}; free space, or move MILLRACE_HOME", path.display());
    StepError::Passing(Failure { code: "storage_full".to_owned(), message })
}

/// A directory of one attempt, which is gone with it. As long as it is in use a file beside it is locked, which ends with this process at
/// the latest; what is not locked any more is what a process that was killed left.
struct Scratch {
    path: PathBuf,
    lock: Option<File>,
}

impl Scratch {
    fn make(parent: &Path, context: &Context) -> Result<Self, StepError> {
        let step = context.step();
        let parent = std::path::absolute(parent).map_err(|error| unwritable(parent, &error))?;
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&parent).map_err(|error| unwritable(&parent, &error))?;
        // Nobody sweeps between the making of a lock and its being held.
        let _swept = sweep(&parent).map_err(|error| unwritable(&parent, &error))?;
        let path = parent.join(format!("step-{}-{}", step.id, step.attempt));
        let locked = File::create(path.with_extension("lock"))
            .and_then(|lock| lock.try_lock().map(|()| lock).map_err(Into::into));
        let own = Self { lock: Some(locked.map_err(|error| unwritable(&path, &error))?), path };
        private.create(own.path()).map_err(|error| unwritable(own.path(), &error))?;
        Ok(own)
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Where the shell writes what its children took.
    fn times(&self) -> PathBuf {
        self.path.with_extension("times")
    }

    /// The processor time of all that it waited for: the second line of `times`, user and system.
    fn processor_time(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(self.times()).ok()?;
        let seconds = |part: &str| {
            let (minutes, seconds) = part.strip_suffix('s')?.split_once('m')?;
            Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
        };
        let sum: Option<f64> = text.lines().nth(1)?.split_whitespace().map(seconds).sum();
        Duration::try_from_secs_f64(sum?).ok()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (path, lock) = (self.path.clone(), self.lock.take());
        if !remove(&path) {
            // A group that was just told to end may still write into it.
            std::thread::spawn(move || {
                let _lock = lock;
                for _ in 0..AGAIN.1 {
                    std::thread::sleep(AGAIN.0);
                    if remove(&path) {
                        return;
                    }
                }
                tracing::warn!(path = %path.display(), "what an external trainer was given could not be removed");
            });
        }
    }
}

/// Removes what was given to one attempt, its lock last; whether nothing is left.
fn remove(path: &Path) -> bool {
    let gone = std::fs::remove_dir_all(path).is_ok() || !path.exists();
    if gone {
        let _ = std::fs::remove_file(path.with_extension("times"));
        let _ = std::fs::remove_file(path.with_extension("lock"));
    }
    gone
}

/// Removes what processes left that were killed. Nobody else sweeps as long as what it gives is held.
///
/// # Errors
/// When the directory is not there or cannot be written.
pub(crate) fn sweep(parent: &Path) -> std::io::Result<File> {
    let all = File::create(parent.join("lock"))?;
    all.lock()?;
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let locks = entries.map(|entry| entry.path()).filter(|path| {
        path.extension().is_some_and(|ending| ending == "lock") && path.file_stem().is_some_and(|stem| stem != "lock")
    });
    for lock in locks {
        let is_free = File::open(&lock).is_ok_and(|file| file.try_lock().is_ok());
        if is_free && !remove(&lock.with_extension("")) {
            tracing::warn!(path = %lock.display(), "what an external trainer was given could not be removed");
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_their_places_filled_in_with_numbers_alone() {
        let settings = serde_json::from_value(json!({ "leaves": 31, "rate": 0.1 })).unwrap();
        let argument = filled_in(
            "--at={directory}/x --leaves {leaves} --rate={rate} {seed} {other}",
            Path::new("/d"),
            7,
            &settings,
        );
        assert_eq!(argument, "--at=/d/x --leaves 31 --rate=0.1 7 {other}");
    }

    #[test]
    fn what_a_program_wrote_over_is_left_as_it_was_last_and_moves_no_cursor() {
        assert_eq!(plain(b"  1%\r 50%\r100%\nloss \x1b[31m0.3\x1b[0m\r\nend"), "100%\nloss [31m0.3[0m\nend");
    }
}
