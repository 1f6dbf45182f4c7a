//! Named steps of a command, each with its time; the first that fails ends the command.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How a stage ended, if it didn't fail.
pub enum Outcome {
    Done,
    /// Not run, and why.
    Skipped(String),
}

#[derive(Default)]
pub struct Stages {
    finished: Vec<Finished>,
}

struct Finished {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

impl Stages {
    pub fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let result = stage();
        let took = started.elapsed();
        match &result {
            Ok(Outcome::Done) => eprintln!("   {name}: {:.1} s", took.as_secs_f64()),
            Ok(Outcome::Skipped(why)) => eprintln!("   {name}: skipped, {why}"),
            Err(_) => eprintln!("   {name}: failed after {:.1} s", took.as_secs_f64()),
        }
        self.finished.push(Finished { name, took, outcome: result.context(name)? });
        Ok(())
    }

    /// One line per stage, and what wasn't looked at.
    pub fn summary(&self) -> String {
        let mut lines = String::new();
        for Finished { name, took, outcome } in &self.finished {
            lines.push_str(&match outcome {
                Outcome::Done => format!("  {name:<22} {:>7.1} s\n", took.as_secs_f64()),
                Outcome::Skipped(why) => format!("  {name:<22} skipped: {why}\n"),
            });
        }
        let total: Duration = self.finished.iter().map(|stage| stage.took).sum();
        let skipped = self.finished.iter().filter(|stage| matches!(stage.outcome, Outcome::Skipped(_))).count();
        let verdict = match skipped {
            0 => "everything passed".to_owned(),
            n => format!("everything that ran passed, {n} skipped"),
        };
        format!("{lines}{verdict} in {:.0} s", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_skipped_stage_is_never_summed_up_as_passed() {
        let mut stages = Stages::default();
        stages.run("format", || Ok(Outcome::Done)).unwrap();
        stages.run("licences", || Ok(Outcome::Skipped("cargo-deny is missing".into()))).unwrap();
        let summary = stages.summary();
        assert!(summary.contains("skipped: cargo-deny is missing"), "{summary}");
        assert!(summary.contains("everything that ran passed, 1 skipped"), "{summary}");
    }

    #[test]
    fn a_failure_names_its_stage_and_its_reason() {
        let error = Stages::default().run("lints", || Err(anyhow!("clippy ended with 1"))).unwrap_err();
        assert_eq!(format!("{error:#}"), "lints: clippy ended with 1");
    }
}
