//! What a model takes in memory: weighed in a process of its own, which reads it and answers with it as a server does.

use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_domain::gate::{Gate, Verdict};
use millrace_executor::Reporter;
use millrace_ml::model::Model;
use millrace_ml::split::Part;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::load::Prepared;

use super::behaviour::request;
use super::held;

/// Rows that it answers while it is weighed.
const ASKED: usize = 500;
/// A model that has not been weighed after so long is not weighed.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(5);

/// What a model took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// By how many bytes the process grew at most, from before the model was read to after its last answer. Pages of files, the program's
    /// own above all, do not count.
    pub bytes: u64,
    /// Rows that it answered meanwhile.
    pub answered: u64,
}

/// What the process that weighs is told on the line before the model's bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    bytes: usize,
    requests: Vec<Map<String, Value>>,
}

impl Weight {
    /// In megabytes of a million bytes.
    pub(crate) fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }
}

/// What a server that has it needs more than one that has it not, held against a limit. The model is weighed by this program.
pub(super) fn memory(
    limit_mb: f64,
    content: &[u8],
    prepared: &Prepared,
    model: &Model,
    program: &Path,
    reporter: &Reporter,
) -> Gate {
    let weighed = weighed(content, prepared, model, Part::Test, program, reporter);
    Gate {
        verdict: match &weighed {
            Ok(weight) if weight.answered > 0 => held(weight.megabytes() <= limit_mb),
            _ => Verdict::Insufficient,
        },
        observed: weighed.as_ref().ok().map(Weight::megabytes),
        threshold: Some(limit_mb),
        n: weighed.as_ref().map_or(0, |weight| weight.answered),
        note: Some(match &weighed {
            Ok(Weight { answered: 0, .. }) => "no test row could be answered without what it is joined to".to_owned(),
            Ok(_) => "by which a process of its own grew at most while it read the model and answered test rows, without what it \
                      is joined to"
                .to_owned(),
            Err(reason) => format!("it could not be weighed: {reason}"),
        }),
        ..Gate::new("memory_mb", format!("in memory at most {limit_mb} MB"))
    }
}

/// Weighs a model by this program while it answers rows of a part.
pub(crate) fn weighed(
    content: &[u8],
    prepared: &Prepared,
    model: &Model,
    part: Part,
    program: &Path,
    reporter: &Reporter,
) -> Result<Weight, String> {
    let rows = prepared.split.rows(part).iter().take(ASKED);
    let requests = rows.map(|row| request(prepared, model, *row as usize).0).collect();
    let task = serde_json::to_vec(&Task { bytes: content.len(), requests }).map_err(|error| error.to_string())?;
    let process = Command::new(program)
        .arg("weigh")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    let mut process = Ended(process);
    let stdin = process.0.stdin.take();
    let (status, told) = std::thread::scope(|scope| {
        // One that ends before it has read everything says why; one that does not read is ended.
        let telling = scope.spawn(|| {
            stdin.map(|mut stdin| {
                [task.as_slice(), b"\n", content].into_iter().try_for_each(|part| stdin.write_all(part))
            })
        });
        let status = process.within(PATIENCE, reporter);
        if status.is_err() {
            process.end();
        }
        (status, telling.join())
    });
    let status = status?;
    let (mut said, mut error) = (String::new(), String::new());
    let read = |from: Option<&mut dyn Read>, into: &mut String| from.map_or(Ok(0), |from| from.read_to_string(into));
    read(process.0.stdout.as_mut().map(|stdout| stdout as &mut dyn Read), &mut said)
        .map_err(|error| error.to_string())?;
    read(process.0.stderr.as_mut().map(|stderr| stderr as &mut dyn Read), &mut error)
        .map_err(|error| error.to_string())?;
    match (status.success(), told) {
        (true, Ok(Some(Ok(())))) => serde_json::from_str(&said).map_err(|error| error.to_string()),
        _ => Err(format!("{status} {}", error.trim())),
    }
}

/// A process that does not outlive whoever waits for it.
struct Ended(Child);

impl Ended {
    fn within(&mut self, patience: Duration, reporter: &Reporter) -> Result<std::process::ExitStatus, String> {
        // A stopwatch, not a clock: only the difference counts.
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            if reporter.should_stop() {
                return Err("it was told to stop".to_owned());
            }
            if begun.elapsed() > patience {
                return Err(format!("it took longer than {} s", patience.as_secs()));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Ended {
    fn end(&mut self) {
        // Ending a process that has ended already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end();
    }
}

/// Weighs the model of a task, in a process that does nothing else.
///
/// # Errors
/// When the task or the model cannot be read, or the system does not say what memory a process has.
pub fn weigh(mut input: impl BufRead) -> Result<Weight, String> {
    let mut task = String::new();
    input.read_line(&mut task).map_err(|error| error.to_string())?;
    let Task { bytes, requests } = serde_json::from_str(&task).map_err(|error| error.to_string())?;
    let mut content = vec![0; bytes];
    input.read_exact(&mut content).map_err(|error| error.to_string())?;
    // What was most until now does not count (proc(5)); where that cannot be said, a little too much is counted.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = Held::now()?;
    let model = Model::from_bytes(&content).map_err(|error| error.to_string())?;
    let answers = requests.iter().filter(|sent| {
        let answer = model.instance(sent, None).ok().and_then(|instance| model.predict_row(&instance).ok());
        std::hint::black_box(answer).is_some()
    });
    let answered = answers.count() as u64;
    let after = Held::now()?;
    let most = after.most.saturating_sub(after.of_files);
    Ok(Weight { bytes: most.saturating_sub(before.now.saturating_sub(before.of_files)), answered })
}

/// The memory of this process, in bytes.
struct Held {
    now: u64,
    of_files: u64,
    most: u64,
}

impl Held {
    fn now() -> Result<Self, String> {
        let status = std::fs::read_to_string("/proc/self/status")
            .map_err(|error| format!("this system does not say what memory a process has: {error}"))?;
        let of = |name: &str| -> Result<u64, String> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
            kibibytes.map(|kibibytes| kibibytes << 10).ok_or_else(|| format!("/proc/self/status does not say {name}"))
        };
        Ok(Self { now: of("VmRSS")?, of_files: of("RssFile")?, most: of("VmHWM")? })
    }
}
