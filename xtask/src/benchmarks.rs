//! `cargo xtask benchmarks`: every trainer and searches on real data, written down in `docs/benchmarks.md`.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

const PAGE: &str = "docs/benchmarks.md";

const ABOUT: &str = "\
# Trainers on real data

Made by `cargo xtask benchmarks`, which looks for the data in `MILLRACE_TESTDATA` (default `../shared/data`) and fails if boosting is
not within 0.01 of the area under the curve, or 3 % of the error, of scikit-learn's.

*HGB* is HistGradientBoosting and *LR or ridge* logistic or ridge regression of scikit-learn 1.9.1 with default settings on the same
columns, fitted on the whole first part; ours keep a tenth of all rows of it for validation, where boosting stops. Where data drifts
so hard that the newest rows of the first part are worth more to fit on (bank marketing, loans, bike sharing) there is no
validation part, and boosting makes a hundred rounds, as HGB does. Else every trainer is at its defaults. *Constant* answers every row alike: the share of the class, or the mean. ROC AUC: more is better; RMSE: less. A
random split draws other rows than scikit-learn's does.

";

/// Runs the example and keeps its tables.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut example = workspace.cargo("run");
    example.args(["--locked", "--release", "-p", "millrace-ml", "--example", "benchmarks"]);
    let output = example.stderr(Stdio::inherit()).output().context("cargo can't be run")?;
    let tables = String::from_utf8_lossy(&output.stdout);
    print!("{tables}");
    if !output.status.success() {
        bail!("the example ended with {}", output.status);
    }
    fs::write(workspace.root().join(PAGE), format!("{ABOUT}{tables}"))
        .with_context(|| format!("{PAGE} can't be written"))?;
    Ok(())
}
