//! This program once more, as a process of its own (`weigh`): what a model takes is seen there, and what takes too much ends there.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use millrace_executor::Reporter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// So much of the processor it may use, so that it ends, too, when nobody waits for it any more.
pub(crate) const MOST_CPU: Duration = Duration::from_secs(120);
/// One that has not ended after so long is ended; on a machine that has a little time for it, it has used its processor time by then.
const PATIENCE: Duration = Duration::from_secs(600);
/// What it says before it reads a model. What ends it from then on is the model's doing, but for signals from elsewhere.
pub(crate) const READY: &str = "ready";
const LOOK: Duration = Duration::from_millis(5);
/// So much of what it says is heard.
const MOST_SAID: usize = 64 << 10;
/// Signals that come from elsewhere: to hang up, to interrupt, to kill (by whoever is short of memory, too) and to end.
const FROM_ELSEWHERE: [i32; 4] = [1, 2, 9, 15];
/// The signal that its processor time is used up.
const OUT_OF_TIME: i32 = 24;

/// Why it said nothing.
#[derive(Debug)]
pub(crate) enum Silent {
    /// It was no longer waited for.
    Stopped,
    /// It was not the model's doing.
    Passing(String),
    /// What it was told to do did not come to its end.
    Model(String),
}

impl Silent {
    /// In words.
    pub(crate) fn why(self) -> String {
        match self {
            Self::Stopped => "it was told to stop".to_owned(),
            Self::Passing(why) | Self::Model(why) => why,
        }
    }

    fn passing(why: impl ToString) -> Self {
        Self::Passing(why.to_string())
    }
}

/// Tells the program the task, which is one line, and the content, and gives what it says.
pub(crate) fn weighed_apart(
    program: &Path,
    task: &[u8],
    content: &[u8],
    reporter: &Reporter,
) -> Result<String, Silent> {
    let process = Command::new(program)
        .arg("weigh")
        .env_clear()
        // What is told to a group is not told to it: its end follows from whoever waits for it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Silent::passing(format!("{} cannot be started: {error}", program.display())))?;
    let mut process = Ended(process);
    let (stdin, stdout, stderr) = (process.0.stdin.take(), process.0.stdout.take(), process.0.stderr.take());
    let (status, told, said, error) = std::thread::scope(|scope| {
        // One that ends before it has read everything says why; one that does not read is ended.
        let telling = scope.spawn(|| {
            stdin.map(|mut stdin| [task, b"\n", content].into_iter().try_for_each(|part| stdin.write_all(part)))
        });
        // As long as it is listened to it is not held up by what it has to say.
        let (said, error) = (scope.spawn(|| heard(stdout)), scope.spawn(|| heard(stderr)));
        let status = process.within(PATIENCE, reporter);
        if status.is_err() {
            process.end();
        }
        (status, telling.join(), said.join().unwrap_or_default(), error.join().unwrap_or_default())
    });
    let status = status?;
    if status.success() && matches!(told, Ok(Some(Ok(())))) {
        return Ok(said);
    }
    // Where a panic was is of no use to whoever reads it.
    let says = |line: &&str| !line.is_empty() && !line.starts_with("thread '");
    let first = error.lines().map(str::trim).find(says).unwrap_or_default();
    let is_from_elsewhere = status.signal().is_some_and(|signal| FROM_ELSEWHERE.contains(&signal));
    let why = match status.signal() {
        Some(OUT_OF_TIME) => format!("it used the processor for more than {} s", MOST_CPU.as_secs()),
        _ => format!("{status}: {first}"),
    };
    if is_from_elsewhere || !said.starts_with(READY) { Err(Silent::Passing(why)) } else { Err(Silent::Model(why)) }
}

/// All that it says, of which the first part is kept.
fn heard(from: Option<impl Read>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut kept, mut piece) = (Vec::new(), [0; 4 << 10]);
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let room = MOST_SAID.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Limits this process, which does nothing else: in the processor it uses, and in how many bytes more it may address than it does now.
///
/// # Errors
/// When a limit cannot be set.
pub(crate) fn limit_this_process(addressed: u64, more: Option<u64>) -> Result<(), String> {
    let limit = |resource: Resource, most: u64| {
        // It may be limited already.
        let already = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // Where both are the same no signal tells it from being killed.
        let limits = Rlimit { current: Some(most.min(already)), maximum: Some(most.saturating_add(5).min(already)) };
        setrlimit(resource, limits).map_err(|error| error.to_string())
    };
    limit(Resource::Cpu, MOST_CPU.as_secs())?;
    limit(Resource::Core, 0)?;
    more.map_or(Ok(()), |more| limit(Resource::As, addressed.saturating_add(more)))
}

/// A process that does not outlive whoever waits for it.
struct Ended(Child);

impl Ended {
    fn within(&mut self, patience: Duration, reporter: &Reporter) -> Result<ExitStatus, Silent> {
        // A stopwatch, not a clock: only the difference counts.
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().map_err(Silent::passing)? {
                return Ok(status);
            }
            if reporter.should_stop() {
                return Err(Silent::Stopped);
            }
            if begun.elapsed() > patience {
                return Err(Silent::Passing(format!("it took longer than {} s", patience.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

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
