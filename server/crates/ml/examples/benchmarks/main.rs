//! Every trainer on real data, beside what scikit-learn's HistGradientBoosting and logistic or ridge regression reach on it, and what
//! searches come to: writes the tables of `docs/benchmarks.md` to standard output. The data is looked for in `MILLRACE_TESTDATA`;
//! `cargo xtask benchmarks` runs it.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example prints, and fails where a step fails")]

mod searches;
mod sets;
#[path = "../../tests/support/mod.rs"]
mod support;
mod trainers;

fn main() {
    trainers::table();
    searches::table();
}
