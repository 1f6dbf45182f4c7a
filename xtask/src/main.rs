//! The project's own commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask benchmarks`,
//! `cargo xtask build`.
//!
//! Everything runs in cargo's dev profile, over one set of packages ([`workspace::PACKAGES`]), so that building, linting,
//! testing and the demo share what was compiled. The browser bundle is apart: another target, another profile.

mod benchmarks;
mod browser;
mod checks;
mod demo;
mod packages;
mod stages;
mod style;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::stages::Stages;
use crate::toolchain::WasmSource;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "Builds, tests and shows Millrace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,

    /// Where the browser's standard library comes from
    #[arg(long, global = true, value_enum, default_value_t)]
    wasm: WasmSource,
}

#[derive(Subcommand)]
enum Task {
    /// Takes a sample problem through the whole cycle on a server that stays up until Ctrl-C
    Demo {
        /// Ends after the cycle; non-zero if a stage of it failed
        #[arg(long)]
        once: bool,
        /// The port to serve on
        #[arg(long)]
        port: Option<u16>,
    },
    /// Runs everything that must pass before a change lands
    Test,
    /// Fits every trainer on real data and writes docs/benchmarks.md
    Benchmarks,
    /// Builds the server and the browser bundle, and prints where they are
    Build {
        /// With full optimisation, for production
        #[arg(long)]
        release: bool,
    },
}

fn main() -> ExitCode {
    let Arguments { task, wasm } = Arguments::parse();
    match run(task, wasm) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task, wasm: WasmSource) -> Result<()> {
    let workspace = Workspace::locate()?;
    match task {
        Task::Demo { once, port } => demo::run(&workspace, wasm, once, port),
        Task::Test => checks::run(&workspace, wasm),
        Task::Benchmarks => benchmarks::run(&workspace),
        Task::Build { release } => {
            let mut stages = Stages::default();
            let profile: &[&str] = if release { &["--release"] } else { &[] };
            stages.run("server", || workspace.build(profile))?;
            stages.run("browser bundle", || browser::build(&workspace, wasm))?;
            println!("server  {}", workspace.server(release).display());
            println!("site    {}", workspace.site().display());
            Ok(())
        }
    }
}
