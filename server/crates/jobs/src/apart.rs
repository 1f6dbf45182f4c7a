//! This program once more, as a process of its own (`weigh`): what a model takes is seen there, and what takes too much ends there.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use millrace_executor::Reporter;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// One that has not ended after so long is ended.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(5);

/// How it ends when it says itself what is wrong.
const REFUSED: i32 = 1;

/// Why it said nothing.
#[derive(Debug)]
pub(crate) struct Silent {
    /// In words.
    pub why: String,
    /// Whether it did not come to its end: a signal, a panic, or that it took too long. Else it said itself what was wrong.
    pub was_ended: bool,
}

impl Silent {
    fn itself(why: impl ToString) -> Self {
        Self { why: why.to_string(), was_ended: false }
    }
}

/// Tells the program the task, which is one line, and the content, and gives what it says. It may address so much memory.
pub(crate) fn weighed_apart(
    program: &Path,
    most_mib: Option<u32>,
    task: &[u8],
    content: &[u8],
    reporter: &Reporter,
) -> Result<String, Silent> {
    let process = Command::new(program)
        .arg("weigh")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Silent::itself(format!("{} cannot be started: {error}", program.display())))?;
    let mut process = Ended(process);
    // It waits for its task meanwhile.
    if let Some(mib) = most_mib {
        process.may_address(u64::from(mib) << 20)?;
    }
    let stdin = process.0.stdin.take();
    let (status, told) = std::thread::scope(|scope| {
        // One that ends before it has read everything says why; one that does not read is ended.
        let telling = scope.spawn(|| {
            stdin.map(|mut stdin| [task, b"\n", content].into_iter().try_for_each(|part| stdin.write_all(part)))
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
    read(process.0.stdout.as_mut().map(|stdout| stdout as &mut dyn Read), &mut said).map_err(Silent::itself)?;
    read(process.0.stderr.as_mut().map(|stderr| stderr as &mut dyn Read), &mut error).map_err(Silent::itself)?;
    match (status.success(), told) {
        (true, Ok(Some(Ok(())))) => Ok(said),
        _ => {
            // Where a panic was is of no use to whoever reads it.
            let says = |line: &&str| !line.is_empty() && !line.starts_with("thread '");
            let first = error.lines().map(str::trim).find(says).unwrap_or_default();
            Err(Silent { why: format!("{status}: {first}"), was_ended: status.code() != Some(REFUSED) })
        }
    }
}

/// A process that does not outlive whoever waits for it.
struct Ended(Child);

impl Ended {
    /// One whose limit cannot be set is not let go on.
    fn may_address(&self, bytes: u64) -> Result<(), Silent> {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        prlimit(Some(Pid::from_child(&self.0)), Resource::As, limit)
            .map(|_| ())
            .map_err(|error| Silent { why: format!("its memory could not be limited: {error}"), was_ended: true })
    }

    fn within(&mut self, patience: Duration, reporter: &Reporter) -> Result<ExitStatus, Silent> {
        // A stopwatch, not a clock: only the difference counts.
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().map_err(Silent::itself)? {
                return Ok(status);
            }
            if reporter.should_stop() {
                return Err(Silent::itself("it was told to stop"));
            }
            if begun.elapsed() > patience {
                let why = format!("it took longer than {} s", patience.as_secs());
                return Err(Silent { why, was_ended: true });
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
