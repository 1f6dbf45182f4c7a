//! What a model takes in memory: weighed in a process of its own, which reads it and answers with it as a server does.

use std::io::{BufRead, Write};
use std::path::Path;

use millrace_domain::gate::{Gate, Verdict};
use millrace_executor::Reporter;
use millrace_ml::model::Model;
use millrace_ml::split::Part;
use millrace_ml::train::Attempt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::apart::{READY, Silent, limit_this_process, weighed_apart};
use crate::load::Prepared;

use super::behaviour::request;
use super::held;

/// Rows that it answers while it is weighed.
const ASKED: usize = 500;

/// What a model took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Weight {
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
    of: Of,
}

/// What the bytes are, and what is asked of it.
#[derive(Debug, Serialize, Deserialize)]
enum Of {
    /// A model of ours.
    Model { requests: Vec<Map<String, Value>> },
    /// What a program elsewhere left, and the memory that may be taken for it.
    File { attempt: Attempt, most_mib: u32 },
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
    let of = Of::Model { requests };
    let said = weighed_by(program, of, content, reporter).map_err(Silent::why)?;
    weight(&said).map_err(Silent::why)
}

fn weight(said: &str) -> Result<Weight, Silent> {
    let told = said.lines().last().unwrap_or_default();
    serde_json::from_str(told).map_err(|error| Silent::Passing(error.to_string()))
}

/// Lets a model that a program elsewhere left be read, and asked rows, by a process that may take so much memory for it. What is wrong with
/// it otherwise is found where it is read next, and told better.
pub(crate) fn attempted(
    content: &[u8],
    attempt: Attempt,
    most_mib: u32,
    program: &Path,
    reporter: &Reporter,
) -> Result<(), Silent> {
    let said = weighed_by(program, Of::File { attempt, most_mib }, content, reporter)?;
    // What it may address is more: the program itself takes some without using it.
    let took = weight(&said)?.bytes;
    if took > u64::from(most_mib) << 20 {
        return Err(Silent::Model(format!("it took {} MiB", took >> 20)));
    }
    Ok(())
}

fn weighed_by(program: &Path, of: Of, content: &[u8], reporter: &Reporter) -> Result<String, Silent> {
    let task = serde_json::to_vec(&Task { bytes: content.len(), of });
    let task = task.map_err(|error| Silent::Passing(error.to_string()))?;
    weighed_apart(program, &task, content, reporter)
}

/// Weighs the model of a task, in a process that does nothing else, and tells when it begins and what it took.
///
/// # Errors
/// When the task or the model cannot be read, or the system does not say what memory a process has.
pub fn weigh(mut input: impl BufRead, mut output: impl Write) -> Result<(), String> {
    let mut task = String::new();
    input.read_line(&mut task).map_err(|error| error.to_string())?;
    let Task { bytes, of } = serde_json::from_str(&task).map_err(|error| error.to_string())?;
    let mut content = vec![0; bytes];
    input.read_exact(&mut content).map_err(|error| error.to_string())?;
    let more = match &of {
        Of::Model { .. } => None,
        Of::File { most_mib, .. } => Some(u64::from(*most_mib) << 20),
    };
    limit_this_process(Held::now()?.addressed, more)?;
    writeln!(output, "{READY}").and_then(|()| output.flush()).map_err(|error| error.to_string())?;
    // What was most until now does not count (proc(5)); where that cannot be said, a little too much is counted.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = Held::now()?;
    let answered = match of {
        Of::Model { requests } => {
            let model = Model::from_bytes(&content).map_err(|error| error.to_string())?;
            let answers = requests.iter().filter(|sent| {
                let answer = model.instance(sent, None).ok().and_then(|instance| model.predict_row(&instance).ok());
                std::hint::black_box(answer).is_some()
            });
            answers.count() as u64
        }
        // That it is no model is no matter here.
        Of::File { attempt, .. } => attempt.make(&content).unwrap_or_default() as u64,
    };
    let after = Held::now()?;
    let most = after.most.saturating_sub(after.of_files);
    let weight = Weight { bytes: most.saturating_sub(before.now.saturating_sub(before.of_files)), answered };
    let told = serde_json::to_string(&weight).map_err(|error| error.to_string())?;
    writeln!(output, "{told}").map_err(|error| error.to_string())
}

/// The memory of this process, in bytes.
struct Held {
    now: u64,
    of_files: u64,
    most: u64,
    addressed: u64,
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
        Ok(Self { now: of("VmRSS")?, of_files: of("RssFile")?, most: of("VmHWM")?, addressed: of("VmSize")? })
    }
}
